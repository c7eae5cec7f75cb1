"""What a user can do to images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.soft_labels import in_words
from napari_spaceediting.editing.classes import Made


class Intent(StrEnum):
    """What a move says.

    `BELONGS`: the images are of the kind that they were put among.
    `ARRANGE`: the distances between the images are right as they lie now.
    """

    BELONGS = "belongs"
    ARRANGE = "arrange"


@dataclass(frozen=True, eq=False)
class Move(Made):
    """One image, or a lassoed group, moved on the map.

    Parameters
    ----------
    indices : (n,) int64 array
        Images, as positions in the data set.
    start, end : (n, 2) float32 arrays
        Map coordinates before and after.
    intent : Intent
        What the move says.
    tag : str or None
        Class that the user saw and confirmed. None where only the place counts: the
        class that an image came with is then no longer believed, unless the images
        are arranged.
    also : mapping of str to float
        Further classes that the images are of, each with its share; the tag has the
        rest, and the most.
    """

    indices: NDArray[np.int64]
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    intent: Intent = Intent.BELONGS
    tag: str | None = None
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Pin(Made):
    """Images that lie where they belong, with the class that they have there.

    `also` is as in `Move`.
    """

    indices: NDArray[np.int64]
    tag: str
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Relabel(Made):
    """Images given a class, or none, without a word about their place.

    The only edit that held-out images allow: their class is then used to
    measure, never to train. `also` is as in `Move`.
    """

    indices: NDArray[np.int64]
    tag: str | None
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reset(Made):
    """Images put back to where they were, with the class that they had."""

    indices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reject(Made):
    """Images taken out of training, map and evidence, such as debris.

    They stay out until they are restored, reset or named.
    """

    indices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Restore(Made):
    """Rejected images taken in again, with the class that they had."""

    indices: NDArray[np.int64]


Naming = Move | Pin | Relabel
ImageEdit = Naming | Reset | Reject | Restore
PlacedEdit = Move | Pin
"""Says something of a place on the map, and means nothing on another one."""


def name_images(
    indices: NDArray[np.int64],
    tag: str,
    positions: NDArray[np.float32],
    place: NDArray[np.float32] | None,
) -> Move | Pin:
    """Return the edit that gives images a class and puts them where it is at home.

    Parameters
    ----------
    indices : (n,) int64 array
        The images.
    tag : str
        Their class.
    positions : (N, 2) float32 array
        Map coordinates of all images.
    place : (2,) float32 array or None
        Where their middle shall lie, the group keeping its shape; None to pin them
        where they are.
    """
    if place is None:
        return Pin(indices, tag)
    start = positions[indices]
    end = (start + (place - start.mean(axis=0))).astype(np.float32)
    return Move(indices, start, end, Intent.BELONGS, tag)


def classes_of(edit: ImageEdit) -> tuple[str, ...]:
    """Return the classes that an edit names."""
    if not isinstance(edit, Naming) or edit.tag is None:
        return ()
    return (edit.tag, *edit.also)


def shares(tag: str | None, also: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each class that an edit names; {} where that is one."""
    if tag is None or not also:
        return {}
    return {tag: 1 - sum(also.values()), **also}


def named(tag: str | None, also: Mapping[str, float]) -> str:
    """Return what an edit names, such as "Coat" or "Coat 60, Shirt 40"; "" for none."""
    return in_words(shares(tag, also)) or tag or ""


def flaw_of_images(indices: NDArray[np.int64], n_images: int) -> str:
    """Return why an edit cannot name these in a sentence, "" where it can."""
    missing = indices[(indices < 0) | (indices >= n_images)]
    if len(missing):
        return (
            f"The edit names image number {missing[0]}, but the data set has only "
            f"{n_images} images: check that the edits belong to this data set."
        )
    if len(np.unique(indices)) != len(indices):
        return "The edit names an image twice: name each image once."
    return ""


def flaw_of_image_edit(edit: ImageEdit, n_images: int) -> str:
    """Return what is wrong with an edit of images in a sentence, "" for nothing."""
    if flaw := flaw_of_images(edit.indices, n_images):
        return flaw
    if isinstance(edit, Move) and not (
        edit.start.shape == edit.end.shape == (len(edit.indices), 2)
        and np.isfinite([edit.start, edit.end]).all()
    ):
        return (
            f"The move of {len(edit.indices)} images needs a finite x and y for each "
            "of them."
        )
    if not isinstance(edit, Naming):
        return ""
    if edit.tag is not None and not edit.tag.strip():
        return "The class has no name: type one, or choose one of the list."
    return _flaw_of_shares(edit)


def _flaw_of_shares(edit: Naming) -> str:
    """Return what is wrong with the shares of an edit in a sentence, "" for nothing."""
    tag, also = edit.tag, edit.also
    if not also:
        return ""
    if tag is None or tag in also or not all(map(str.strip, also)):
        return "A share needs a class beside that of the edit: name both."
    given = shares(tag, also)
    if not 0 < min(given.values()) <= max(also.values()) <= given[tag] + 1e-6:
        return (
            f"{in_words(given)} are no shares of images: give each class more than 0, "
            "and let the tag be the class with the most."
        )
    return ""
