"""Laying a new map over an old one, so that it glides instead of jumping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def align(
    new: NDArray[np.floating],
    old: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Return `new` turned, scaled and shifted to lie over `old`.

    Parameters
    ----------
    new, old : ndarray of float, shape (N, D)
        Two maps, or other places, of the same images in the same order.
    weights : ndarray of float, shape (N,), optional
        How much each image counts, at least 0; images that are expected to move
        get 0. Equal weights if not given, or if all are 0.

    Returns
    -------
    ndarray of float32, shape (N, D)
        The similarity transform of `new`, a reflection where that fits better,
        with the smallest weighted squared distance to `old`. A map without extent
        (in `new` or in `old`) tells no rotation or scale: it is shifted only.

    Notes
    -----
    Weighted orthogonal Procrustes with scale (Schönemann & Carroll,
    Psychometrika 1970).
    """
    moving = np.asarray(new, np.float64)
    target = np.asarray(old, np.float64)
    if len(moving) == 0:
        return moving.astype(np.float32)
    share = np.ones(len(moving)) if weights is None else np.asarray(weights, np.float64)
    if not share.any():
        share = np.ones(len(moving))
    share = share / share.sum()

    centre_new, centre_old = share @ moving, share @ target
    moving, target = moving - centre_new, target - centre_old
    spread = share @ (moving**2).sum(axis=1)
    left, stretch, right = np.linalg.svd((moving * share[:, None]).T @ target)
    # Without a common extent neither rotation nor scale is defined.
    if spread == 0 or stretch[0] == 0:
        return np.asarray(moving + centre_old, np.float32)
    scale = stretch.sum() / spread
    return np.asarray(scale * (moving @ left @ right) + centre_old, np.float32)
