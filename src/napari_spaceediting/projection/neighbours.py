"""Nearest neighbours in the latent space."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.memory import blocks
from napari_spaceediting.projection.pca import check_latents, compact

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
    & Li, WWW 2011) in at most 128 principal components (see `compact`).
    """
    check_latents(latents)
    n, dimensions = latents.shape
    k = min(k, n - 1)
    if k < 1 or dimensions == 0:
        # Without coordinates all are equally near: the next ones will do.
        shape = (n, max(k, 0))
        others = np.arange(n)[:, None] + np.arange(1, shape[1] + 1)
        return (others % max(n, 1)).astype(np.int32), np.zeros(shape, np.float32)
    rows = np.arange(n)
    if n <= EXACT_UP_TO:
        return _exact(np.ascontiguousarray(latents, np.float32), rows, k)

    points = compact(latents)
    from pynndescent import NNDescent

    with torch_threads_kept():
        index = NNDescent(points, n_neighbors=k + 1, random_state=seed)
        indices, distances = _without_self(rows, *index.neighbor_graph)
    # The descent may miss some neighbours where many images are alike.
    missed = np.flatnonzero((indices < 0).any(axis=1))
    if missed.size:
        indices[missed], distances[missed] = _exact(points, missed, k)
    return indices, distances


def among(
    latents: NDArray[np.floating], others: NDArray[np.floating], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the k nearest of some images to each of other ones, exactly.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        Those that ask.
    others : ndarray of float, shape (M, D)
        Those that are found; at least 1. Both are read in blocks.

    Returns
    -------
    indices : ndarray of int32, shape (N, min(k, M))
        Into `others`, nearest first.
    distances : ndarray of float32, same shape
    """
    from sklearn.neighbors import NearestNeighbors

    shape = len(latents), min(k, len(others))
    indices, distances = np.full(shape, -1, np.int32), np.full(shape, np.inf, "f4")
    bytes_per_row = 4 * latents.shape[1]
    for part in blocks(len(others), bytes_per_row):
        some = np.ascontiguousarray(others[part], np.float32)
        finder = NearestNeighbors(n_neighbors=min(k, len(some)), algorithm="brute")
        finder.fit(some)
        for rows in blocks(len(latents), bytes_per_row):
            block = np.ascontiguousarray(latents[rows], np.float32)
            away, at = finder.kneighbors(block)
            indices[rows], distances[rows] = _nearer(
                (indices[rows], distances[rows]), (at + part.start, away)
            )
    return indices, distances


def extended(
    latents: NDArray[np.floating],
    neighbours: NDArray[np.int32],
    more: NDArray[np.floating],
) -> NDArray[np.int32]:
    """Return the neighbours of old and new images, when new ones have come.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
        Of the old images; they are read in blocks.
    neighbours : ndarray of int32, shape (N, k)
        Of the old images among themselves, nearest first.
    more : ndarray of float, shape (M, D)
        Latents of the new images.

    Returns
    -------
    ndarray of int32, shape (N + M, k)
        As `nearest` over all of them would find exactly, if `neighbours` is exact:
        new images push away those old neighbours that are farther.
    """
    n, k = neighbours.shape
    if k == 0:
        return np.empty((n + len(more), 0), np.int32)
    fresh = np.ascontiguousarray(more, np.float32)
    found = np.empty((n + len(more), k), np.int32)
    at, away = nearest(fresh, k)
    found[n:], _ = _nearer(among(fresh, latents, k), (at + n, away))
    theirs = distances_to(latents, neighbours)
    for rows in blocks(n, 4 * latents.shape[1]):
        block = np.ascontiguousarray(latents[rows], np.float32)
        at, away = among(block, fresh, k)
        found[rows], _ = _nearer((neighbours[rows], theirs[rows]), (at + n, away))
    return found


def distances_to(
    latents: NDArray[np.floating], neighbours: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return how far the neighbours of each image are, (N, k); read in blocks."""
    found = np.empty(neighbours.shape, np.float32)
    for rows in blocks(len(latents), 4 * latents.shape[1]):
        block = np.asarray(latents[rows], np.float32)
        for column, at in enumerate(neighbours[rows].T):
            away = block - np.asarray(latents[at], np.float32)
            found[rows, column] = np.linalg.norm(away, axis=1)
    return found


def _nearer(
    first: tuple[NDArray[np.int32], NDArray[np.float32]],
    second: tuple[NDArray[np.int32], NDArray[np.float32]],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Merge two lists of neighbours, shapes (n, k) and (n, m), and keep the nearest k.

    Of equally near ones those of the first list come before.
    """
    indices = np.hstack([first[0], second[0]])
    distances = np.hstack([first[1], second[1]])
    order = distances.argsort(axis=1, kind="stable")[:, : first[0].shape[1]]
    return (
        np.take_along_axis(indices, order, axis=1).astype(np.int32),
        np.take_along_axis(distances, order, axis=1),
    )


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


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Leave torch with as many threads as it had, if it is loaded.

    Numba uses the same OpenMP library, and its first parallel function sets the number
    for the calling thread. On busy cores torch is then many times slower.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)
