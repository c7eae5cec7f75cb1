"""What training images are believed to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.soft_labels import SoftLabels, believed, rows_of


@dataclass(frozen=True, eq=False)
class Targets:
    """Classes that n images are trained towards.

    Parameters
    ----------
    indices : (n,) int64 array
        Positions in the data set, each once.
    classes : (n, C) float32 array
        Probabilities of the classes; a row sums to 1.
    weights : (n,) float32 array
        How much each image counts; 1 for one whose class somebody has said.
    """

    indices: NDArray[np.int64]
    classes: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indices)

    def chances(self) -> NDArray[np.float64]:
        """Chance of each image to be drawn, so that every class is seen equally often.

        Returns
        -------
        (n,) float64 array
            Sums to 1.
        """
        mass = self.classes * self.weights[:, None].astype(np.float64)
        totals = mass.sum(axis=0)
        np.divide(mass, totals, out=mass, where=totals > 0)
        drawn = mass.sum(axis=1)
        chances: NDArray[np.float64] = drawn / drawn.sum()
        return chances


def known(
    labels: NDArray[np.int64],
    among: NDArray[np.bool_],
    n_classes: int,
    soft_labels: SoftLabels = None,
) -> Targets:
    """Return the targets of images whose class is known.

    Parameters
    ----------
    labels : (N,) int64 array
        Classes, -1 for none.
    among : (N,) bool array
        Images that may be trained on.
    n_classes : int
        Number of classes C.
    soft_labels : (N, C) float32 array or None
        Where labels do not say everything.
    """
    at = np.flatnonzero((labels >= 0) & among)
    classes = believed(labels[at], rows_of(soft_labels, at), n_classes)
    return Targets(at, classes, np.ones(len(at), np.float32))


def joined(first: Targets, *others: Targets) -> Targets:
    """Return all targets together; of an image that has several, the last."""
    every = (first, *others)
    indices = np.concatenate([targets.indices for targets in every])
    # The first from behind is the last.
    unique, rows = np.unique(indices[::-1], return_index=True)
    rows = len(indices) - 1 - rows
    return Targets(
        unique,
        np.concatenate([targets.classes for targets in every])[rows],
        np.concatenate([targets.weights for targets in every])[rows],
    )


def widened(classes: NDArray[np.floating], n_classes: int) -> NDArray[np.float32]:
    """Return probabilities over more classes, which have none of it yet.

    Parameters
    ----------
    classes : (n, c) float32 array
        Over the first c classes.
    n_classes : int
        All of them, at least c.
    """
    wide = np.zeros((len(classes), n_classes), np.float32)
    wide[:, : classes.shape[1]] = classes
    return wide
