"""Images that join a data set: which are new, and what they must have like it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.embeddings import are_images
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.groups import column_of, names_of
from napari_spaceediting.data.intensity import kind_of_numbers
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.data.splits import Split
from napari_spaceediting.errors import DataError

_LOOKED_AT = 20
"""Images of a data set that tell which types it has."""


def new_ones(found: Found, like: ImageDataset) -> Found:
    """Pass over files that have joined already, and name the others differently.

    Raises
    ------
    DataError
        All have joined, or have names that are taken.
    """
    there = set(files_of(like.pixels))
    files = files_of(found.pixels)
    new = np.array([path not in there for path in files] or [True] * len(found.ids))
    if not new.any():
        raise DataError(
            f"All {len(found.ids):,} images of {found.name} are in {like.name} "
            "already: there is nothing to add."
        )
    if not new.all():
        found = found.some(np.flatnonzero(new))
    taken = set(like.ids.tolist())
    # The numbers of images in an array say nothing by themselves.
    if files and taken.isdisjoint(found.ids):
        return found
    ids = [f"{found.name}/{name}" for name in found.ids]
    again = [name for name in ids if name in taken]
    if again:
        raise DataError(
            f"{len(again):,} of the images, such as {again[0]}, are in {like.name} "
            "already: rename the new data, or remove from it what is there."
        )
    return replace(found, ids=ids)


def check_embeddings(found: Found, like: ImageDataset) -> None:
    """Refuse what is to join images with embeddings, or none, if it is of another kind.

    Embeddings are no harm where there are images that a network sees.

    Raises
    ------
    DataError
        It is.
    """
    if like.features is None:
        if not are_images(found.pixels):
            raise DataError(
                f"{found.name} has embeddings but no images, which {like.name} has: "
                "add images."
            )
        return
    width = like.features.shape[1]
    if found.features is None or found.features.shape[1] != width:
        has = "none" if found.features is None else f"{found.features.shape[1]:,}"
        raise DataError(
            f"The images of {like.name} have embeddings of {width:,} numbers, those of "
            f"{found.name} {has}: add a table that has both, computed in the same way."
        )
    if len(like) and are_images(found.pixels) != like.has_images:
        raise DataError(
            f"Either all or none of {like.name} and {found.name} must have images."
        )


def beside(found: Found, like: ImageDataset) -> NDArray[np.int8]:
    """Return the parts of images that join others: where the rest of their group is."""
    split = np.full(len(found.ids), Split.TRAIN, np.int8)
    there, new = column_of(like.columns), column_of(found.columns)
    if there is not None and new is not None:
        part_of = dict(zip(names_of(there).tolist(), like.split, strict=True))
        for at, name in enumerate(names_of(new).tolist()):
            split[at] = part_of.get(name, Split.TRAIN) if name else Split.TRAIN
    return split


def numbers_of(dataset: ImageDataset) -> set[str]:
    """Return the types that a data set knows to scale."""
    known = set(dataset.scaling.others)
    # An array has a type even where it has no image.
    few, last = min(len(dataset), _LOOKED_AT), max(len(dataset) - 1, 0)
    for index in np.linspace(0, last, max(few, 1), dtype=np.intp).tolist():
        with suppress(DataError):
            header = dataset.pixels.header(index)
            image = dataset.original(index) if header is None else header
            known.add(kind_of_numbers(image.dtype))
    return known
