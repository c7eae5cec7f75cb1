"""Which images train, which choose the stopping point, which give the evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.names import listed
from napari_spaceediting.errors import DataError
from napari_spaceediting.wording import counted

UNLABELLED = -1
"""Label of an image whose class is not known."""


class Split(IntEnum):
    """The part of the data that an image belongs to.

    Images of `VALIDATION` and `TEST` are held out: nothing is learnt from them. Those
    that the user has `REJECTED` are not even measured on; a data set has them in the
    part where they were.
    """

    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    REJECTED = 3


_PARTS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "validate": Split.VALIDATION,
    "dev": Split.VALIDATION,
    "eval": Split.VALIDATION,
    "evaluation": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
    "holdout": Split.TEST,
}
"""Words for the parts."""
_BESIDE = re.compile(r"(?:data|dataset|set|images?|imgs?|split|seg|folder|x|\d+)")
"""Words, and numbers, that people write beside them."""

FRACTIONS = (0.7, 0.1, 0.2)
"""Shares of training, validation and test images."""

ENOUGH_MEASURED = 100
"""Labelled test images from which on others need not be named to measure by."""


def split_of(name: str) -> Split | None:
    """Return the part that a name stands for, None if it is that of something else.

    Such as `train`, `Valid`, `training_set`, `x_test` or `val2017`.
    """
    words = re.findall(r"[^\W\d_]+|\d+", name.strip().lower())
    words = [word.removesuffix("set") or word for word in words]
    left = [word for word in words if not _BESIDE.fullmatch(word)]
    return _PARTS.get(left[0]) if len(left) == 1 else None


def split_from_names(names: Sequence[str]) -> NDArray[np.int8]:
    """Translate names of parts, see `split_of`.

    Raises
    ------
    DataError
        A name is not known.
    """
    parts = {name: split_of(name) for name in set(names)}
    unknown = sorted(name for name, part in parts.items() if part is None)
    if unknown:
        raise DataError(
            f"The split {unknown[0]!r} is unknown: use train, validation or test."
        )
    return np.array([parts[name] for name in names], dtype=np.int8)


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
        stays in training, and so do images that are not `shared_out`.
    """
    _, validation, test = fractions
    split = np.full(len(labels), Split.TRAIN, dtype=np.int8)
    for group in np.unique(labels[shared_out(labels, test)]):
        members = rng.permutation(np.flatnonzero(labels == group))
        n_test = round(test * len(members))
        n_validation = round(validation * len(members))
        split[members[:n_test]] = Split.TEST
        split[members[n_test : n_test + n_validation]] = Split.VALIDATION
    return split


def shared_out(labels: NDArray[np.int64], test: float) -> NDArray[np.bool_]:
    """Return which images are shared out among the parts, as an (N,) mask.

    Those with a label or, where their share of test images is too small to measure
    anything by, all: then unlabelled test images can be named.
    """
    labelled: NDArray[np.bool_] = labels != UNLABELLED
    if test * np.count_nonzero(labelled) < ENOUGH_MEASURED:
        return np.ones(len(labels), np.bool_)
    return labelled


def few_to_measure(
    labels: NDArray[np.int64], split: NDArray[np.int8]
) -> tuple[str, ...]:
    """Say that test images without a label wait to be named, in a sentence."""
    test = split == Split.TEST
    known = int(np.count_nonzero(test & (labels != UNLABELLED)))
    unknown = int(np.count_nonzero(test)) - known
    if not unknown or known >= ENOUGH_MEASURED or not (labels != UNLABELLED).any():
        return ()
    return (
        f"Only {counted(known, 'test image')} "
        f"{'has' if known == 1 else 'have'} a label: the evidence of a round becomes "
        f"clear when you name some of the other {unknown:,} (Map > Select > Held out, "
        "no class).",
    )


def classes_without_evidence(
    labels: NDArray[np.int64], split: NDArray[np.int8], class_names: Sequence[str]
) -> tuple[str, ...]:
    """Say which classes have no held-out image, and which no other, in a sentence."""
    n_classes = len(class_names)
    known = labels != UNLABELLED
    count = np.bincount(labels[known], minlength=n_classes)
    training = np.bincount(labels[known & (split == Split.TRAIN)], minlength=n_classes)
    notes = []
    for missing, text in (
        (training == count, "On held-out images, nothing can be said about {}"),
        (training == 0, "No image for training has {}"),
    ):
        which = [class_names[i] for i in np.flatnonzero(missing & (count > 0)).tolist()]
        if which:
            noun = "the class" if len(which) == 1 else f"{len(which):,} classes:"
            notes.append(f"{text.format(f'{noun} {listed(which)}')}.")
    return tuple(notes)
