"""Open whatever the user points at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from napari_spaceediting.data.arrays import ARRAY_SUFFIXES, find_in_array
from napari_spaceediting.data.assemble import assemble
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.folder import find_class_folders
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.kinds import READ_SUFFIXES
from napari_spaceediting.data.ome_zarr import find_in_ome_zarr
from napari_spaceediting.data.pixels import FilePixels
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.data.steps import Steps
from napari_spaceediting.data.stores import is_ome_zarr, is_zarr
from napari_spaceediting.data.table import (
    TABLE_SUFFIXES,
    find_in_table,
    named_embeddings,
)
from napari_spaceediting.errors import DataError

FILES = " ".join(f"*{suffix}" for suffix in sorted(TABLE_SUFFIXES | ARRAY_SUFFIXES))
"""Patterns of the names of tables and arrays, for a dialog."""


@dataclass(frozen=True, eq=False)
class OpenDataset:
    """Job: open images.

    Parameters
    ----------
    path : Path
        A folder with one subfolder per class, a table that lists image files, or
        an array with all images; or a table, matrix or `.h5ad` file with embeddings.
    seed, like
        As for `assemble`.
    embeddings : Path, optional
        A matrix or table with embeddings of the images. The rows of a matrix are in
        the order in which the images are found (that of their names in a folder); a
        table, or a `.h5ad` file, names each by its id or path.
    """

    path: Path
    seed: int = 0
    like: ImageDataset | None = field(default=None, repr=False)
    embeddings: Path | None = None
    name: ClassVar[str] = "Open the images"

    def run(self) -> Steps:
        """Open them.

        Raises
        ------
        DataError
            The path is missing, of no kind that we read, or holds nothing usable.
        """
        path = self.path.expanduser()
        try:
            found = _found(path)
            if self.embeddings is not None:
                found = _with_embeddings(found, self.embeddings.expanduser())
            return (yield from assemble(found, self.seed, self.like))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataError(
                f"{error.filename or path} cannot be read ({reason}): check that you "
                f"have access to it."
            ) from error


def find_image(path: Path) -> Found:
    """Look at one image file, which has no class.

    Raises
    ------
    DataError
        If it is no file that we read.
    """
    if not path.is_file() or path.suffix.lower() not in READ_SUFFIXES:
        raise DataError(
            f"{path} is no image: choose a file that ends in "
            f"{', '.join(sorted(READ_SUFFIXES))}."
        )
    return Found(path.name, FilePixels((path,), n_channels=1), [path.name], [None])


def _found(path: Path) -> Found:
    """Look for images in the way that suits the path."""
    if not path.exists():
        raise DataError(f"There is nothing at {path}: check the path.")
    suffix = path.suffix.lower()
    if is_ome_zarr(path):
        return find_in_ome_zarr(path)
    if is_zarr(path) or (path.is_file() and suffix in ARRAY_SUFFIXES):
        return find_in_array(path)
    if path.is_dir():
        return find_class_folders(path)
    if suffix in TABLE_SUFFIXES:
        return find_in_table(path)
    raise DataError(
        f"{path.name} cannot be opened: choose a folder of images, a table "
        f"({', '.join(sorted(TABLE_SUFFIXES))}) or an array "
        f"({', '.join(sorted(ARRAY_SUFFIXES))})."
    )


def _with_embeddings(found: Found, path: Path) -> Found:
    """Give images their embeddings, which lie in a file of their own."""
    n = len(found.ids)
    if path.suffix.lower() in TABLE_SUFFIXES:
        names, rows = named_embeddings(path)
        place = {name: at for at, name in enumerate(names)}
        at = np.array([place.get(name, -1) for name in found.ids])
        if rows is not None and 2 * np.count_nonzero(at < 0) >= n:
            raise DataError(
                f"{path.name} names {names[0]} and others, but at most half of the "
                f"images of {found.name}, such as {found.ids[0]}: name each by its id."
            )
        if rows is not None:
            rows = np.append(rows, np.full((1, rows.shape[1]), np.nan, np.float32), 0)
            rows = rows[at]  # -1, for none, is the last one
        note = f"The embeddings are those that {path.name} names."
    else:
        rows = _found(path).features
        if rows is not None and len(rows) != n:
            raise DataError(
                f"{path.name} has {len(rows):,} embeddings, and {found.name} "
                f"{n:,} images: there must be one for each, in the order of the images."
            )
        note = (
            f"Row by row, the embeddings of {path.name} are taken for those of the "
            f"images in their order, from {found.ids[0]} to {found.ids[-1]}."
        )
    if rows is None:
        raise DataError(f"{path.name} holds no embeddings: choose a matrix or table.")
    return replace(found, features=rows, notes=(*found.notes, note))


@dataclass(frozen=True)
class OpenLayers:
    """Job: take images from layers.

    Parameters
    ----------
    find : callable
        `find_in_stack` or `find_objects` with its arguments.
    """

    find: Callable[[], Found]
    seed: int = 0
    name: ClassVar[str] = "Open the layers"

    def run(self) -> Steps:
        """Take them; yields progress in images and returns an `ImageDataset`."""
        return (yield from assemble(self.find(), self.seed))


@dataclass(frozen=True)
class OpenSample:
    """Job: open one of the samples.

    Parameters
    ----------
    sample : str
        A key of `SAMPLES`.
    seed : int
        Chooses images, split and the labels that are kept.
    labels_per_class : int, optional
        Training labels that each class keeps; the others are hidden. By default all.
    """

    sample: str
    seed: int = 0
    labels_per_class: int | None = None
    name: ClassVar[str] = "Open a sample"

    def run(self) -> Steps:
        """Open it.

        Raises
        ------
        DataError
            There is no such sample, or it cannot be fetched.
        """
        if self.sample not in SAMPLES:
            raise DataError(
                f"There is no sample {self.sample!r}: choose from {', '.join(SAMPLES)}."
            )
        dataset = yield from SAMPLES[self.sample].steps(self.seed)
        if self.labels_per_class is None:
            return dataset
        rng = np.random.default_rng(self.seed)
        return dataset.keep_labels(self.labels_per_class, rng)


def opening(
    data: str, seed: int = 0, embeddings: Path | None = None
) -> OpenSample | OpenDataset:
    """Return the job that opens a path, or a sample such as "sample:digits".

    Raises
    ------
    DataError
        Embeddings are named for a sample.
    """
    kind, _, name = data.partition(":")
    if kind != "sample" or not name:
        return OpenDataset(Path(data), seed, embeddings=embeddings)
    if embeddings is not None:
        raise DataError("A sample comes without embeddings: leave them out.")
    return OpenSample(name, seed)
