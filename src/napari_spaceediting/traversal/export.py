"""A traversal as files and as values for JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.traversal.filmstrip import draw_filmstrip
from napari_spaceediting.traversal.full_size import write_full_size
from napari_spaceediting.traversal.result import Asked, Traversal
from napari_spaceediting.traversal.settings import TraversalError

STACK, REPORT = "images.npy", "traversal.json"


def report(traversal: Traversal, asked: Asked, ids: NDArray[np.str_]) -> dict[str, Any]:
    """Return all figures of a traversal as values for JSON.

    Parameters
    ----------
    traversal : Traversal
        Of n images.
    asked : Asked
        Of which it is the outcome, whole or in part.
    ids : (N,) str array
        Names of the images of the data set.

    Returns
    -------
    dict
        For each image its id, its classes, the last step that is made (what follows it
        has no meaning), the budget of each step, how many neighbours
        moved it (None for all), the first step at which it has arrived (-1 where it has
        not), and for each step, from the original on, both probabilities (None where
        the network does not know the class), the witness and the ids of the nearest
        target images; and how the images were made.
    """

    def probabilities(at: int, kind: int) -> list[float] | None:
        if not 0 <= kind < traversal.probabilities.shape[2]:
            return None
        return [float(value) for value in traversal.probabilities[at, :, kind]]

    return {
        "regime": traversal.regime,
        "layers": list(traversal.layers),
        # A part of an outcome has the first of the images.
        "images": [
            {
                "id": str(ids[index]),
                "from": asked.name(source),
                "to": asked.goal,
                "probabilities": {
                    "from": probabilities(at, source),
                    "to": probabilities(at, asked.target),
                },
                "made": int(traversal.last[at]),
                "arrival": int(traversal.arrival[at]),
                "budgets": traversal.budgets[at].tolist(),
                "neighbours": int(traversal.neighbours[at]) or None,
                "witness": traversal.witness[at].tolist(),
                "nearest": ids[traversal.nearest[at]].tolist(),
            }
            for at, (index, source) in enumerate(
                zip(traversal.indices, asked.sources.tolist(), strict=False)
            )
        ],
        "notes": list(traversal.notes),
        "seconds": traversal.seconds,
    }


def write_traversal(
    traversal: Traversal,
    asked: Asked,
    dataset: ImageDataset,
    folder: Path,
) -> dict[str, Any]:
    """Write all images as one array, files for each original, and a report.

    Of each original there is a TIFF file, whose pages are the original and all steps
    that are made, at its own size and depth (see `full_size`), and a filmstrip: the
    same and, last, the real target image that is nearest to the last of them; below the
    steps, what changed.

    Parameters
    ----------
    traversal : Traversal
        Of n images.
    asked : Asked
        Of which it is the outcome, whole or in part.
    dataset : ImageDataset
        The images.
    folder : Path
        Made if it does not exist.

    Returns
    -------
    dict
        The `report`, with the names of the files.

    Raises
    ------
    TraversalError
        If a file cannot be written.
    DataError
        If an image cannot be read.
    """
    values = {**report(traversal, asked, dataset.ids), "stack": STACK}
    last = traversal.last
    nearest = traversal.nearest[np.arange(len(last)), last, 0]
    goals = dataset.images(nearest)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / STACK, traversal.images)
        for at, entry in enumerate(values["images"]):
            safe = re.sub(r"[^A-Za-z0-9._-]+", "_", entry["id"])
            name = f"{at + 1:03}-{safe}"
            entry["picture"], entry["full size"] = f"{name}.png", f"{name}.tif"
            seen = slice(0, 1 + int(last[at]))
            index, steps = int(traversal.indices[at]), traversal.images[at, seen]
            write_full_size(dataset, index, steps, folder / entry["full size"])
            goal = "nearest real", str(dataset.ids[nearest[at]])
            captions = [*_captions(entry)[seen], goal]
            path = folder / entry["picture"]
            draw_filmstrip(steps, goals[at], captions, path)
        text = json.dumps(values, indent=2, ensure_ascii=False)
        (folder / REPORT).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise TraversalError(
            f"The images could not be written to {folder} ({error.strerror or error}): "
            "choose another folder."
        ) from error
    return values


def _captions(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the lines under the original and under each step."""
    titles = ["original", *(f"budget {budget:.2g}" for budget in entry["budgets"])]
    seen = entry["probabilities"]
    shown = [(entry[end], seen[end]) for end in ("from", "to") if seen[end] is not None]
    return [
        (title, *(f"{values[step]:.0%} {name}" for name, values in shown))
        for step, title in enumerate(titles)
    ]
