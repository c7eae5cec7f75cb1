"""Soft labels: shares of classes, where one class does not say it all.

An array of soft labels has a row of N and a column for each class. A row sums to 1, or
is all zeros where the label of the image says everything; None stands for zeros alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.wording import quoted

SoftLabels = NDArray[np.float32] | None


def most_said(
    votes: Sequence[Sequence[str]],
) -> tuple[list[str | None], tuple[str, ...]]:
    """Return what most people say of each image, and what the user should know of it.

    Parameters
    ----------
    votes : sequence of sequences of str
        The classes that people named for each image, in the order of the people.

    Returns
    -------
    list of str or None
        A label for each image, of equally frequent ones the first; None without votes.
    tuple of str
        How many images they disagree on, one sentence.
    """
    labels = [said[0] if said else None for said in votes]
    differing = [row for row, said in enumerate(votes) if len(set(said)) > 1]
    if not differing:
        return labels, ()
    split = [Counter(votes[row]).most_common(2) for row in differing]
    for row, best in zip(differing, split, strict=True):
        labels[row] = best[0][0]
    ties = sum(first[1] == second[1] for first, second in split)
    which = f"; on {ties:,} of them none leads, and the first counts" if ties else ""
    several = sum(len(said) > 1 for said in votes)
    return labels, (
        f"Several people named {several:,} images and disagree on {len(split):,}: "
        f"the label is what most of them said{which}.",
    )


def shared(votes: Sequence[Sequence[str]], class_names: Sequence[str]) -> SoftLabels:
    """Return the (N, C) shares of votes, a row of zeros where all people agree."""
    differing = [row for row, said in enumerate(votes) if len(set(said)) > 1]
    if not differing:
        return None
    index = {name: number for number, name in enumerate(class_names)}
    soft = np.zeros((len(votes), len(index)), np.float32)
    for row in differing:
        for name in votes[row]:
            soft[row, index[name]] += 1 / len(votes[row])
    return soft


def believed(
    labels: NDArray[np.int64], soft_labels: SoftLabels, n_classes: int
) -> NDArray[np.float32]:
    """Return what is said of images, as probabilities of the classes.

    Parameters
    ----------
    labels : (n,) int64 array
        Classes, none of them -1.
    soft_labels : (n, C) float32 array or None
        Of the same images.
    n_classes : int
        C.

    Returns
    -------
    (n, C) float32 array
        The soft label, or all for the label where there is none.
    """
    classes = np.eye(n_classes, dtype=np.float32)[labels]
    if soft_labels is not None:
        is_soft = soft_labels.any(axis=1)
        classes[is_soft] = soft_labels[is_soft]
    return classes


def rows_of(soft_labels: SoftLabels, at: NDArray[np.integer]) -> SoftLabels:
    """Return the soft labels of some images."""
    return None if soft_labels is None else soft_labels[at]


def renamed(
    soft_labels: SoftLabels, names: Sequence[str], others: Sequence[str]
) -> SoftLabels:
    """Return soft labels with the classes in another order, and perhaps more of them.

    Parameters
    ----------
    soft_labels : (n, c) float32 array or None
        Of classes with the first of these `names`.
    names, others : sequence of str
        Names of the c classes before, and of all afterwards, with at least those that
        have a share.
    """
    if soft_labels is None:
        return None
    count, width = soft_labels.shape
    wide = np.zeros((count, len(others)), np.float32)
    kept = [number for number, name in enumerate(names[:width]) if name in others]
    wide[:, [others.index(names[number]) for number in kept]] = soft_labels[:, kept]
    return wide


def stacked(parts: Sequence[tuple[SoftLabels, int]], n_classes: int) -> SoftLabels:
    """Return soft labels of images one after the other.

    Parameters
    ----------
    parts : sequence of (soft labels, int)
        Each over the same classes, and how many images it is for.
    n_classes : int
        C.
    """
    if all(soft is None for soft, _ in parts):
        return None
    return np.concatenate(
        [
            np.zeros((count, n_classes), np.float32) if soft is None else soft
            for soft, count in parts
        ]
    )


def in_words(shares: Mapping[str, float]) -> str:
    """Return shares of classes such as "Coat 60, Shirt 40", in hundredths."""
    return ", ".join(
        f"{quoted(name)} {share * 100:.0f}" for name, share in shares.items()
    )


def row_in_words(row: NDArray[np.floating], class_names: Sequence[str]) -> str:
    """Return the (C,) shares of an image in words, the largest first."""
    order = np.argsort(-row, kind="stable")
    return in_words({class_names[k]: float(row[k]) for k in order if row[k] > 0})
