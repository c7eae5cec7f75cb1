"""Which images train, which choose the stopping point, which give the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError

UNLABELLED = -1
"""Label of an image whose class is not known."""


class Split(IntEnum):
    """The part of the data that an image belongs to.

    Images of `VALIDATION` and `TEST` are held out: nothing is learnt from them. Those
    that the user has `REJECTED` are not even measured on; no file says so of images.
    """

    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    REJECTED = 3


SPLIT_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}
"""Names under which the parts are recognised, in any case."""

FRACTIONS = (0.7, 0.1, 0.2)
"""Shares of training, validation and test images."""


def split_from_names(names: Sequence[str]) -> NDArray[np.int8]:
    """Translate names of parts, such as `train` or `Valid`.

    Raises
    ------
    DataError
        A name is not known.
    """
    unknown = sorted(
        {name for name in names if name.strip().lower() not in SPLIT_NAMES}
    )
    if unknown:
        raise DataError(
            f"The split {unknown[0]!r} is unknown: use train, validation or test."
        )
    values = [SPLIT_NAMES[name.strip().lower()] for name in names]
    return np.array(values, dtype=np.int8)


def stratified_split(
    labels: NDArray[np.int64],
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = FRACTIONS,
) -> NDArray[np.int8]:
    """Split every class at random in the same proportions.

    Parameters
    ----------
    labels : (N,) int64
        Class of each image, `UNLABELLED` where unknown.
    rng : numpy.random.Generator
        The same state gives the same split.
    fractions : tuple of three floats
        Shares of training, validation and test images; they sum to 1.

    Returns
    -------
    (N,) int8
        Values of `Split`. A class with too few images for a share of its own
        stays in training, as do unlabelled images, unless nothing is labelled:
        then all images are split at random.
    """
    _, validation, test = fractions
    groups = np.unique(labels)
    if np.any(groups != UNLABELLED):
        groups = groups[groups != UNLABELLED]
    split = np.full(len(labels), Split.TRAIN, dtype=np.int8)
    for group in groups:
        members = rng.permutation(np.flatnonzero(labels == group))
        n_test = round(test * len(members))
        n_validation = round(validation * len(members))
        split[members[:n_test]] = Split.TEST
        split[members[n_test : n_test + n_validation]] = Split.VALIDATION
    return split


def classes_without_evidence(
    labels: NDArray[np.int64], split: NDArray[np.int8], class_names: Sequence[str]
) -> tuple[str, ...]:
    """Return one sentence for every class that has no held-out image."""
    notes = []
    for index, name in enumerate(class_names):
        members = labels == index
        count = int(members.sum())
        if count and not np.any(split[members] != Split.TRAIN):
            images = (
                "1 image, which stays" if count == 1 else f"{count} images, which stay"
            )
            notes.append(
                f"The class {name!r} has only {images} in training: nothing can be "
                f"said about it on held-out images."
            )
    return tuple(notes)
