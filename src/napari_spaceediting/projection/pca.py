"""The linear map: quick enough for the window's own process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.memory import array_limit, blocks

# Up to this many dimensions the whole covariance is cheap to decompose.
EXACT_DIMENSIONS = 512
# Subspace iteration beyond it: spare directions and passes over the data.
_SPARE, _PASSES = 8, 6
# What neighbours of many images are looked for in, as PaCMAP does with 100.
COMPACT_DIMENSIONS = 128
# The components of as many images stand for those of all (docs/results/scale.md).
_SAMPLE = 20_000


def pca_map(latents: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the first two principal components of the latents.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        One row per image; any N and D, zero included. They are read in blocks.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        Scores in the unit of the latents, about their mean, largest variance first.
        Each axis points to where its largest loading is positive, so that equal
        latents give an equal map. Directions without variance are zero.

    Raises
    ------
    MapFailed
        If the latents are not a finite (N, D) array.

    Notes
    -----
    The components of more than 20,000 images are those of 20,000 of them. Up to 512
    dimensions the covariance is decomposed exactly; beyond, by subspace iteration from
    a fixed start (Halko, Martinsson & Tropp, SIAM Review 2011).
    """
    check_latents(latents)
    n, dimensions = latents.shape
    coordinates = np.zeros((n, 2), np.float32)
    if n < 2 or dimensions == 0:
        return coordinates
    some = _Centred(_some(latents))
    if some.scale == 0:
        return coordinates
    axes = _leading_axes(some, 2)
    for rows in blocks(n, 4 * dimensions):
        block = np.asarray(latents[rows], np.float32) - some.mean
        coordinates[rows, : axes.shape[1]] = block @ axes
    return coordinates


def compact(latents: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return latents of many images in fewer dimensions, to find neighbours in.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        Finite. They are read in blocks.

    Returns
    -------
    ndarray of float32, shape (N, d)
        The latents themselves up to 128 dimensions; else principal components of
        20,000 of the images: 128, or as many as the memory has room for (see
        `memory.array_limit`), but at least 2.
    """
    n, dimensions = latents.shape
    room = max(2, array_limit() // (4 * max(n, 1)))
    wanted = min(COMPACT_DIMENSIONS, room)
    if dimensions <= wanted:
        return np.ascontiguousarray(latents, np.float32)
    axes = _leading_axes(_Centred(_some(latents)), wanted)
    found = np.empty((n, axes.shape[1]), np.float32)
    for rows in blocks(n, 4 * dimensions):
        found[rows] = np.asarray(latents[rows], np.float32) @ axes
    return found


def check_latents(latents: NDArray[np.floating]) -> None:
    """Raise MapFailed unless `latents` is a finite array of shape (N, D)."""
    if latents.ndim != 2:
        raise MapFailed(
            "The map needs one row of latents per image, "
            f"not an array of shape {latents.shape}."
        )
    broken = sum(
        int((~np.isfinite(latents[rows]).all(axis=1)).sum())
        for rows in blocks(len(latents), 4 * latents.shape[1])
    )
    if broken:
        raise MapFailed(
            f"The latents of {broken} of {len(latents)} images are not finite; "
            "train again with a lower learning rate."
        )


def _some(latents: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return 20,000 of many latents, always the same, or fewer if memory is short."""
    n, dimensions = latents.shape
    if n <= _SAMPLE:
        return latents
    size = min(_SAMPLE, max(2, array_limit() // (4 * dimensions)))
    rows = np.sort(np.random.default_rng(0).choice(n, size, replace=False))
    some: NDArray[np.floating] = latents[rows]
    return some


class _Centred:
    """Latents about their mean, of unit scale, which keeps squares within float32.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        At least one.

    Attributes
    ----------
    dimensions : int
        D.
    mean : (D,) float32 array
    scale : float
        Largest distance from the mean along any dimension; 0 where all are equal.
    """

    def __init__(self, latents: NDArray[np.floating]) -> None:
        self._latents = latents
        self.dimensions = latents.shape[1]
        self.scale = np.float32(1)
        total = np.zeros(self.dimensions)
        for rows in blocks(len(latents), 4 * self.dimensions):
            total += latents[rows].sum(axis=0, dtype=np.float64)
        self.mean = (total / len(latents)).astype(np.float32)
        self.scale = max(np.abs(block).max() for _, block in self.blocks())

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the rows, and what they hold."""
        for rows in blocks(len(self._latents), 4 * self.dimensions):
            block = np.asarray(self._latents[rows], np.float32) - self.mean
            yield rows, block / self.scale if self.scale != 1 else block

    def covariance_times(self, basis: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``X^T X basis``, shape (D, m)."""
        total = np.zeros((self.dimensions, basis.shape[1]), np.float32)
        for _, block in self.blocks():
            total += block.T @ (block @ basis)
        return total

    def covariance(self) -> NDArray[np.float32]:
        """Return ``X^T X``, shape (D, D)."""
        total = np.zeros((self.dimensions, self.dimensions), np.float32)
        for _, block in self.blocks():
            total += block.T @ block
        return total


def _leading_axes(centred: _Centred, n_axes: int) -> NDArray[np.float32]:
    """Return the (D, m) orthonormal directions of largest variance, m <= n_axes.

    Each points to where its largest loading is positive.
    """
    if centred.dimensions <= EXACT_DIMENSIONS:
        _, vectors = np.linalg.eigh(centred.covariance())
        axes = vectors[:, ::-1][:, :n_axes].astype(np.float32)
    else:
        shape = centred.dimensions, n_axes + _SPARE
        start = np.random.default_rng(0).standard_normal(shape)
        basis = start.astype(np.float32)
        for _ in range(_PASSES):
            basis, _ = np.linalg.qr(centred.covariance_times(basis))
        _, rotation = np.linalg.eigh(basis.T @ centred.covariance_times(basis))
        axes = np.asarray(basis @ rotation[:, ::-1][:, :n_axes], np.float32)
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.sign(axes[largest, np.arange(axes.shape[1])])
    return axes
