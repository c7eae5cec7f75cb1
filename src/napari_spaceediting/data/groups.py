"""Images that belong together, such as those of a patient, a plate or a picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import GROUPS, named
from napari_spaceediting.data.splits import (
    FRACTIONS,
    Split,
    shared_out,
    stratified_split,
)

_FEW_HELD, _FEW_PICTURES = 3, 8
"""Groups that are held out, and pictures that there are, below which next to nothing
can be said of others."""


def column_of(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    """Return the column that says which images belong together, if there is one."""
    name = named(list(columns), GROUPS)
    return None if name is None else columns[name]


def groups_of(columns: Mapping[str, NDArray[Any]], n_images: int) -> NDArray[np.int64]:
    """Return a number of every image, (N,), the same for images that belong together.

    They are those with one value in the column "group" or "groups", such as a slide or
    a patient. An image without a value belongs to no other, and where there is no such
    column none does.

    Parameters
    ----------
    columns : mapping of str to (N,) arrays
        Of a data set.
    n_images : int
        N.
    """
    own = np.arange(n_images, dtype=np.int64)
    found = column_of(columns)
    if found is None:
        return own
    names = names_of(found)
    known = names != ""
    _, numbers = np.unique(names[known], return_inverse=True)
    own[known] = n_images + numbers
    return own


def by_picture(
    pictures: Sequence[str], n_pictures: int
) -> tuple[dict[str, NDArray[np.str_]], tuple[str, ...]]:
    """Let objects of one picture belong together, if there are enough pictures.

    Parameters
    ----------
    pictures : sequence of N str
        Where each object comes from.
    n_pictures : int
        How many pictures there are.

    Returns
    -------
    dict, tuple of str
        The column "group", and what the user should know. The objects of a few
        pictures are split one by one, and a sentence says so.
    """
    if n_pictures >= _FEW_PICTURES:
        return {"group": np.array(pictures, np.str_)}, ()
    count = "one picture" if n_pictures == 1 else f"{n_pictures} pictures"
    return {}, (
        f"The objects come from {count}, too few to hold whole ones out: what is "
        "measured on held-out objects says little of those in other pictures.",
    )


def names_of(column: NDArray[Any]) -> NDArray[np.str_]:
    """Return the group of each image (N,) as text, empty where it has none."""
    if column.dtype.kind == "f":  # whole numbers, some of which are missing
        column = np.array(["" if x != x else f"{x:.15g}" for x in column], np.str_)
    names: NDArray[np.str_] = np.char.strip(column.astype(str))
    names[names == "nan"] = ""
    return names


def grouped_split(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = FRACTIONS,
) -> NDArray[np.int8]:
    """Split so that images that belong together stay together.

    Whole groups are held out, such that each class has about its share in every part
    (scikit-learn's `StratifiedGroupKFold`). Where no image belongs to another it is
    `stratified_split`.

    Parameters
    ----------
    labels : (N,) int64
        Class of each image, `UNLABELLED` where unknown.
    groups : (N,) int64
        As from `groups_of`.
    rng : numpy.random.Generator
        The same state gives the same split.
    fractions : tuple of three floats
        Shares of training, validation and test images; they sum to 1.

    Returns
    -------
    (N,) int8
        Values of `Split`. Groups without an image that is `shared_out` train. Two
        groups give no validation images, and one gives none but training images.
    """
    if len(np.unique(groups)) == len(groups):
        return stratified_split(labels, rng, fractions)
    split = np.full(len(labels), Split.TRAIN, np.int8)
    some = np.flatnonzero(shared_out(labels, fractions[2]))
    rest, left = some, 1.0
    for part, share in ((Split.TEST, fractions[2]), (Split.VALIDATION, fractions[1])):
        # The last group trains.
        held = _held_out(labels[rest], groups[rest], share / left, rng)
        split[np.isin(groups, groups[rest[held]])] = part
        rest, left = rest[~held], left - share
    return split


def _held_out(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Choose whole groups with about this share of each class; none of a single one."""
    from sklearn.model_selection import StratifiedGroupKFold

    classes, at, counts = np.unique(labels, return_inverse=True, return_counts=True)
    n_folds = min(round(1 / share), len(np.unique(groups)), int(counts.max()))
    nobody = np.zeros(len(labels), bool)
    if n_folds < 2:
        return nobody
    folds = StratifiedGroupKFold(
        n_folds, shuffle=True, random_state=int(rng.integers(1 << 31))
    )
    with warnings.catch_warnings():
        # A class with fewer images than folds is missing from some of them.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = [part for _, part in folds.split(labels, at, groups)]

    def distance(part: NDArray[np.intp]) -> float:
        shares = np.bincount(at[part], minlength=len(classes)) / counts
        return float(np.abs(shares - share).sum())

    nobody[min((part for part in parts if len(part)), key=distance)] = True
    return nobody


def notes_on_groups(
    columns: Mapping[str, NDArray[Any]], split: NDArray[np.int8]
) -> tuple[str, ...]:
    """Say what belongs together and what follows from it; a sentence each.

    Parameters
    ----------
    columns : mapping of str to (N,) arrays
        Of a data set.
    split : (N,) int8
        Values of `Split`.
    """
    found = column_of(columns)
    if found is None or not (known := names_of(found) != "").any():
        return ()
    names, at = np.unique(names_of(found)[known], return_inverse=True)
    parts = np.zeros((len(names), len(Split)), bool)
    parts[at, split[known]] = True
    torn = np.flatnonzero(parts.sum(axis=1) > 1)
    if len(torn):
        return (
            f"{len(torn):,} of the {len(names):,} groups have images in several parts, "
            f"such as {names[torn[0]]}: what is measured on held-out images is better "
            "than it is for new groups; leave the split out, so that it is drawn.",
        )
    n_held = int((~parts[:, Split.TRAIN]).sum())
    if not n_held:
        return (
            f"All images with a group train, for there is {len(names):,} of them: "
            "nothing is held out that could give evidence for new ones."
            if len(names) == 1
            else f"None of the {len(names):,} groups is held out.",
        )
    few = (
        " So few say little of new groups: the intervals of the evidence are wide."
        if n_held < _FEW_HELD
        else ""
    )
    return (
        f"The images belong to {len(names):,} groups, each of which is in one part: "
        f"{n_held:,} are held out.{few}",
    )
