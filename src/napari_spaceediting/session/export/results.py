"""What a session says of its images, as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import REJECTED, label_columns
from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.pixels import FilePixels, JoinedPixels, PixelSource
from napari_spaceediting.editing.edits import Edit, describe, images_of, standing_in
from napari_spaceediting.editing.image_edits import Reset
from napari_spaceediting.editing.orders import margins
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import RoundStatus, SessionState

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {Split.TRAIN: "train", Split.VALIDATION: "validation", Split.TEST: "test"}
PROBABILITY, SHARE, LATENT = "probability_", "share_", "latent_"
SELECTION = "selection_"
"""What the names of the columns of a class, a latent or a selection begin with."""
CAME_IN = "came_in_as_"
"""What is put before the name of a column that came in, where ours has that name."""


@dataclass(frozen=True, eq=False)
class Results:
    """What a session says of some of its images.

    Parameters
    ----------
    files : tuple of Path or None
        Where each image lies; None where it has no file of its own.
    columns : mapping of str to array
        Columns of the table, each with n values. A masked array has gaps.
    latents : (n, D) float32 array or None
        Of the network; None where there is no network, or nobody asked.
    """

    name: str
    files: tuple[Path | None, ...] = field(repr=False)
    columns: Mapping[str, NDArray[Any]] = field(repr=False)
    latents: NDArray[np.float32] | None = field(default=None, repr=False)

    def frame(self, folder: Path, *, with_latents: bool = True) -> pd.DataFrame:
        """Return the table, with paths as seen from the folder where it will lie.

        Files in that folder are named relative to it, all others absolutely; where no
        image has a file, there is no column for it.
        """
        import pandas as pd

        columns: dict[str, Any] = dict(self.columns)
        if any(self.files):
            named = [_seen_from(folder.resolve(), file) for file in self.files]
            columns = {"id": columns.pop("id"), "path": named, **columns}
        for name, values in columns.items():
            if isinstance(values, np.ma.MaskedArray):
                columns[name] = pd.array(values.data, "Int64")
                columns[name][values.mask] = pd.NA
        table = pd.DataFrame(columns)
        if self.latents is None or not with_latents:
            return table
        names = [f"{LATENT}{at}" for at in range(self.latents.shape[1])]
        latents = pd.DataFrame(np.asarray(self.latents), columns=names, copy=False)
        return pd.concat([table, latents], axis=1)


def results_of(
    session: Preparing,
    images: NDArray[np.int64] | None = None,
    *,
    latents: bool = False,
) -> Results:
    """Return what a session says of its images, as the window shows it.

    Parameters
    ----------
    images : (n,) int64 array, optional
        Which images, in that order; by default all.
    """
    state, shown, edits = session.state, session.shown, session.edits
    dataset, network = state.dataset, shown.network
    at = np.arange(len(dataset)) if images is None else images
    columns: dict[str, NDArray[Any]] = {
        "id": dataset.ids[at],
        "split": named(tuple(SPLITS.values()), dataset.split[at]),
        REJECTED: edits.rejected[at],
        "label": named(edits.class_names, edits.labels[at]),
        "label_as_opened": named(dataset.class_names, dataset.labels[at]),
        **{name: values[at] for name, values in _provenance(state).items()},
    }
    for name, chosen in selections(state).items():
        columns[f"{SELECTION}{name}"] = np.isin(at, chosen)
    if edits.soft_labels is not None:
        for name, share in zip(edits.class_names, edits.soft_labels.T, strict=True):
            columns[f"{SHARE}{name}"] = share[at]
    if network is not None:
        probabilities = network.predictions.probabilities[at]
        columns |= predicted(probabilities, shown.class_names)
    if shown.map is not None:
        columns |= {"map_x": edits.positions[at, 1], "map_y": edits.positions[at, 0]}
    files = files_of(dataset.pixels)
    return Results(
        dataset.name,
        tuple(files[i] for i in at.tolist()),
        columns | came_in(dataset, at, columns),
        network.predictions.latents[at] if latents and network is not None else None,
    )


def predicted(
    probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the columns of what a network says.

    Parameters
    ----------
    probabilities : (n, C) float32 array
        Of the classes; nothing is predicted where C is 0.
    class_names : sequence of str
        The C classes that the network knows, and perhaps others.
    """
    known = tuple(class_names)[: probabilities.shape[1]]
    if not known:
        return {}
    return {
        "prediction": named(known, probabilities.argmax(axis=1)),
        "doubt": (1 - margins(probabilities)).astype(np.float32),
        **{
            f"{PROBABILITY}{name}": values
            for name, values in zip(known, probabilities.T, strict=True)
        },
    }


def last_edits(edits: Sequence[Edit], n_images: int) -> NDArray[np.int64]:
    """Return the number of the last edit that stands of each image, from 0; else -1."""
    last = np.full(n_images, -1, np.int64)
    for number, edit in standing_in(edits):
        last[images_of(edit)] = -1 if isinstance(edit, Reset) else number
    return last


def files_of(source: PixelSource) -> list[Path | None]:
    """Return the file of every image of a source, None where it has none of its own."""
    if isinstance(source, JoinedPixels):
        return [file for part in source.sources for file in files_of(part)]
    if isinstance(source, FilePixels):
        return list(source.paths)
    return [None] * len(source)


def _provenance(state: SessionState) -> dict[str, NDArray[Any]]:
    """Return round and number of the last edit of each image, what, whose and when.

    Both are counted from 1; an edit that waits for a retraining has no round.
    """
    n_images = len(state.dataset)
    rounds, numbers = (np.zeros(n_images, np.int64) for _ in range(2))
    said, by, when = (np.full(n_images, "", object) for _ in range(3))
    sources = [
        (number, past.edits)
        for number, past in enumerate(state.rounds, 1)
        if past.status is not RoundStatus.ROLLED_BACK
    ]
    if state.proposal is None:
        sources.append((0, state.log.done))
    for of_round, edits in sources:
        last = last_edits(edits, n_images)
        at = np.flatnonzero(last >= 0)
        which = last[at]
        rounds[at], numbers[at] = of_round, which + 1
        said[at] = np.array([describe(edit) for edit in edits], object)[which]
        by[at] = np.array([edit.author for edit in edits], object)[which]
        when[at] = np.array([edit.made for edit in edits], object)[which]
    return {
        "round": np.ma.masked_equal(rounds, 0, copy=False),
        "edit": np.ma.masked_equal(numbers, 0, copy=False),
        "edited": said,
        "edited_by": by,
        "edited_at": when,
    }


def came_in(
    dataset: ImageDataset, at: NDArray[np.int64], ours: Mapping[str, object]
) -> dict[str, NDArray[Any]]:
    """Return the columns that came in, called otherwise where ours have their names."""
    columns: dict[str, NDArray[Any]] = {}
    # Opened again, those would be read as labels of several people.
    as_labels = label_columns([*dataset.columns])
    for name, values in dataset.columns.items():
        free = name
        while free in {*ours, *columns, *as_labels, "path"}:
            free = f"{CAME_IN}{free}"
        if name == "truth" and values.dtype.kind in "iu":
            values = named(dataset.class_names, values)
        columns[free] = values[at]
    return columns


def named(names: Sequence[str], numbers: NDArray[Any]) -> NDArray[Any]:
    """Return names by their numbers, "" for -1."""
    texts: NDArray[Any] = np.array([*names, ""], object)[numbers]
    return texts


def _seen_from(folder: Path, file: Path | None) -> str:
    if file is None:
        return ""
    if file.is_relative_to(folder):
        return file.relative_to(folder).as_posix()
    return str(file.absolute())
