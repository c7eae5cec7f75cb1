"""The linear map: quick enough for the window's own process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.memory import array_limit, blocks

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
    The components of more than 20,000 images are those of 20,000 of them.
    """
    check_latents(latents)
    n, dimensions = latents.shape
    coordinates = np.zeros((n, 2), np.float32)
    if n < 2 or dimensions == 0:
        return coordinates
    mean, axes = _leading_axes(latents, 2)
    for rows in blocks(n, 4 * dimensions):
        block = np.asarray(latents[rows], np.float32) - mean
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
    _, axes = _leading_axes(latents, wanted)
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


def _leading_axes(
    latents: NDArray[np.floating], n_axes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean (D,) and the (D, m) directions of largest variance, m <= n_axes.

    The directions are orthonormal; each points to where its largest loading is
    positive.
    """
    some = _some(latents)
    dimensions = some.shape[1]
    parts = list(blocks(len(some), 4 * dimensions))
    total = np.zeros(dimensions)
    for rows in parts:
        total += some[rows].sum(axis=0, dtype=np.float64)
    mean = (total / len(some)).astype(np.float32)

    def centred() -> Iterator[NDArray[np.float32]]:
        return (np.asarray(some[rows], np.float32) - mean for rows in parts)

    # About unit scale, squares stay within float32.
    scale = max(np.abs(block).max() for block in centred()) or np.float32(1)
    covariance = np.zeros((dimensions, dimensions), np.float32)
    for block in centred():
        block /= scale
        covariance += block.T @ block
    _, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :n_axes].astype(np.float32)
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.sign(axes[largest, np.arange(axes.shape[1])])
    return mean, axes
