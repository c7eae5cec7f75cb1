"""Held-out images that are nearly the same as training images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.groups import column_of

_NEARLY = 0.5
"""Share of the usual distance to the nearest training image below which two are nearly
the same. On photographs of waste these are 13 of 758, of the same things photographed
twice; where there are no such pairs it is one image of 500 at most."""
_MATTERS = 0.01
"""Share of held-out images from which on it is told: fewer change no verdict."""
_SAMPLE = 2_000
_ROWS = 4_096


def note_on_twins(
    roots_of: Callable[[NDArray[np.int64]], NDArray[np.float32]], dataset: ImageDataset
) -> tuple[str, ...]:
    """Say in a sentence whether held-out images are nearly the same as training images.

    Nothing is said where the data set says itself which images belong together.

    Parameters
    ----------
    roots_of : callable
        From dataset indices (n,) to the `roots` of their features, (n, F), each of
        length 1.
    dataset : ImageDataset
        N images.
    """
    training = np.flatnonzero(dataset.split == Split.TRAIN)
    held_out = np.flatnonzero(dataset.held_out)
    if column_of(dataset.columns) is not None or not len(training) or not len(held_out):
        return ()
    some = held_out[:: -(-len(held_out) // _SAMPLE)]
    distances, nearest = _nearest(roots_of, some, training)
    twins = np.flatnonzero(distances < _NEARLY * np.median(distances))
    if len(twins) < _MATTERS * len(some):
        return ()
    first = twins[distances[twins].argmin()]
    about = "" if len(some) == len(held_out) else "about "
    count = round(len(twins) * len(held_out) / len(some))
    return (
        f"Of {len(held_out):,} held-out images {about}{count:,} look nearly like a "
        f"training image, such as {dataset.ids[some[first]]} like "
        f"{dataset.ids[nearest[first]]}: what is measured is too good for new images. "
        "Say in a column “group” which images belong together.",
    )


def _nearest(
    roots_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    some: NDArray[np.int64],
    among: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the distance of images (n,) to the nearest of others, and that one."""
    asked = roots_of(some)
    best = np.full(len(some), -np.inf, np.float32)
    nearest = np.zeros(len(some), np.int64)
    for start in range(0, len(among), _ROWS):
        block = among[start : start + _ROWS]
        similar = asked @ roots_of(block).T
        at = similar.argmax(axis=1)
        found = similar[np.arange(len(some)), at]
        is_nearer = found > best
        best[is_nearer] = found[is_nearer]
        nearest[is_nearer] = block[at[is_nearer]]
    return np.sqrt(np.maximum(2 - 2 * best, 0)), nearest
