"""The linear map: quick enough for the window's own process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import MapFailed

# Up to this many dimensions the whole covariance is cheap to decompose.
EXACT_DIMENSIONS = 512
# Subspace iteration beyond it: spare directions and passes over the data.
_SPARE, _PASSES = 8, 6


def pca_map(latents: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the first two principal components of the latents.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        One row per image; any N and D, zero included.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        Centred scores in the unit of the latents, largest variance first. Each
        axis points to where its largest loading is positive, so that equal
        latents give an equal map. Directions without variance are zero.

    Raises
    ------
    MapFailed
        If the latents are not a finite (N, D) array.

    Notes
    -----
    Up to 512 dimensions the covariance is decomposed exactly; beyond, by subspace
    iteration from a fixed start (Halko, Martinsson & Tropp, SIAM Review 2011).
    """
    check_latents(latents)
    n, dimensions = latents.shape
    coordinates = np.zeros((n, 2), np.float32)
    if n < 2 or dimensions == 0:
        return coordinates
    centred = np.asarray(latents, np.float32)
    centred = centred - centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.abs(centred).max()
    if scale == 0:
        return coordinates
    # Unit scale keeps the squares within the range of float32.
    centred /= scale
    axes = _leading_axes(centred)
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.sign(axes[largest, np.arange(axes.shape[1])])
    coordinates[:, : axes.shape[1]] = scale * (centred @ axes)
    return coordinates


def check_latents(latents: NDArray[np.floating]) -> None:
    """Raise MapFailed unless `latents` is a finite array of shape (N, D)."""
    if latents.ndim != 2:
        raise MapFailed(
            "The map needs one row of latents per image, "
            f"not an array of shape {latents.shape}."
        )
    broken = int((~np.isfinite(latents).all(axis=1)).sum())
    if broken:
        raise MapFailed(
            f"The latents of {broken} of {len(latents)} images are not finite; "
            "train again with a lower learning rate."
        )


def _leading_axes(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (D, 2) orthonormal directions of largest variance."""
    dimensions = centred.shape[1]
    if dimensions <= EXACT_DIMENSIONS:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        return vectors[:, ::-1][:, :2].astype(np.float32)
    start = np.random.default_rng(0).standard_normal((dimensions, 2 + _SPARE))
    basis = start.astype(np.float32)
    for _ in range(_PASSES):
        basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
    _, _, rotation = np.linalg.svd(centred @ basis, full_matrices=False)
    return np.asarray(basis @ rotation[:2].T, np.float32)
