"""Nearest neighbours in the latent space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.projection.pca import check_latents
from napari_spaceediting.projection.threads import torch_threads_kept

# Up to here an exact search takes a few seconds; beyond it grows with the square.
EXACT_UP_TO = 20_000


def nearest(
    latents: NDArray[np.floating], k: int, seed: int = 0
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the k nearest other images of each image, nearest first.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        One row per image.
    k : int
        Neighbours per image; with fewer than `k` other images, all of them.
    seed : int
        For the approximate search.

    Returns
    -------
    indices : ndarray of int32, shape (N, min(k, N - 1))
        Never the image itself, not even among exact duplicates.
    distances : ndarray of float32, same shape
        Euclidean distances in the unit of the latents.

    Raises
    ------
    MapFailed
        If the latents are not a finite (N, D) array.

    Notes
    -----
    Exact up to 20,000 images; beyond, by nearest-neighbour descent (Dong, Charikar
    & Li, WWW 2011).
    """
    check_latents(latents)
    points = np.ascontiguousarray(latents, np.float32)
    n = len(points)
    k = min(k, n - 1)
    if k < 1 or points.shape[1] == 0:
        # Without coordinates all are equally near: the next ones will do.
        shape = (n, max(k, 0))
        others = np.arange(n)[:, None] + np.arange(1, shape[1] + 1)
        return (others % max(n, 1)).astype(np.int32), np.zeros(shape, np.float32)
    rows = np.arange(n)
    if n <= EXACT_UP_TO:
        return _exact(points, rows, k)

    from pynndescent import NNDescent

    with torch_threads_kept():
        index = NNDescent(points, n_neighbors=k + 1, random_state=seed)
        indices, distances = _without_self(rows, *index.neighbor_graph)
    # The descent may miss some neighbours where many images are alike.
    missed = np.flatnonzero((indices < 0).any(axis=1))
    if missed.size:
        indices[missed], distances[missed] = _exact(points, missed, k)
    return indices, distances


def _exact(
    points: NDArray[np.float32], rows: NDArray[np.intp], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points)
    distances, indices = finder.kneighbors(points[rows])
    return _without_self(rows, indices, distances)


def _without_self(
    rows: NDArray[np.intp],
    indices: NDArray[np.integer],
    distances: NDArray[np.floating],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Drop each row's own index, or its last neighbour if duplicates hide it."""
    drop = indices == rows[:, None]
    drop[~drop.any(axis=1), -1] = True
    shape = (len(rows), indices.shape[1] - 1)
    return (
        indices[~drop].reshape(shape).astype(np.int32),
        distances[~drop].reshape(shape).astype(np.float32),
    )
