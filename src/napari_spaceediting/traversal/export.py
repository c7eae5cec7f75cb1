"""A traversal as files and as values for JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.traversal.filmstrip import draw_filmstrip
from napari_spaceediting.traversal.job import Traversal
from napari_spaceediting.traversal.settings import TraversalError

STACK = "images.npy"


def write_traversal(
    traversal: Traversal,
    dataset: ImageDataset,
    sources: NDArray[np.int64],
    target: int,
    class_names: Sequence[str],
    folder: Path,
) -> dict[str, Any]:
    """Write all images as one array, and a filmstrip for each of the originals.

    A filmstrip has the original, all steps and, last, the real target image that is
    nearest to the last step.

    Parameters
    ----------
    traversal : Traversal
        Of n images.
    dataset : ImageDataset
        The images.
    sources : (n,) int64 array
        The class that each of them moves away from.
    target : int
        The class that they move to.
    class_names : sequence of str
        Names of the classes.
    folder : Path
        Made if it does not exist.

    Returns
    -------
    dict
        What was done, ready for JSON: names of files, budgets, and for each image its
        id, its classes, the first step at which it has arrived (-1 where it has not),
        and for each step, from the original on, both probabilities
        (None where the network does not know the class), the witness and the ids of the
        nearest target images.

    Raises
    ------
    TraversalError
        If a file cannot be written.
    DataError
        If an image cannot be read.
    """
    ids = dataset.ids
    goals = dataset.images(traversal.nearest[:, -1, 0])
    entries = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / STACK, traversal.images)
        for at, (index, source) in enumerate(
            zip(traversal.indices.tolist(), sources.tolist(), strict=True)
        ):
            name = f"{at + 1:03}-{re.sub(r'[^A-Za-z0-9._-]+', '_', ids[index])}.png"
            seen = {
                "from": _probabilities(traversal, at, source),
                "to": _probabilities(traversal, at, target),
            }
            names = class_names[source], class_names[target]
            captions = [
                *_captions(traversal, names, seen),
                ("nearest real", str(ids[traversal.nearest[at, -1, 0]])),
            ]
            strip = np.concatenate([traversal.images[at], goals[at, None]])
            draw_filmstrip(strip, captions, folder / name)
            entries.append(
                {
                    "id": str(ids[index]),
                    "from": names[0],
                    "to": names[1],
                    "picture": name,
                    "probabilities": seen,
                    "arrival": int(traversal.arrival[at]),
                    "witness": traversal.witness[at].tolist(),
                    "nearest": ids[traversal.nearest[at]].tolist(),
                }
            )
    except OSError as error:
        raise TraversalError(
            f"The images could not be written to {folder} ({error.strerror or error}): "
            "choose another folder."
        ) from error
    return {
        "method": traversal.settings.method,
        "budgets": traversal.budgets.tolist(),
        "layers": list(traversal.layers),
        "stack": STACK,
        "images": entries,
        "notes": list(traversal.notes),
        "seconds": traversal.seconds,
    }


def _probabilities(traversal: Traversal, at: int, kind: int) -> list[float] | None:
    if kind >= traversal.probabilities.shape[2]:
        return None
    return [float(value) for value in traversal.probabilities[at, :, kind]]


def _captions(
    traversal: Traversal,
    names: tuple[str, str],
    seen: dict[str, list[float] | None],
) -> list[tuple[str, ...]]:
    """Return the lines under the original and under each step."""
    titles = ["original", *(f"budget {budget:g}" for budget in traversal.budgets)]
    shown = [
        (name, values)
        for name, values in zip(names, seen.values(), strict=True)
        if values is not None
    ]
    return [
        (title, *(f"{values[step]:.0%} {name}" for name, values in shown))
        for step, title in enumerate(titles)
    ]
