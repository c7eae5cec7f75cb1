"""Places on a map for images that it was not drawn with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.projection.neighbours import among
from napari_spaceediting.projection.settings import Method

_NEAREST = 5
_FIT = 20_000
"""Images that a linear map is recovered from."""


def place(
    more: NDArray[np.floating],
    latents: NDArray[np.floating],
    coordinates: NDArray[np.float32],
    method: Method = "umap",
) -> NDArray[np.float32]:
    """Place images on a map that stays as it is.

    Parameters
    ----------
    more : ndarray of float, shape (M, D)
        Latents of the images to be placed.
    latents : ndarray of float, shape (N, D)
        Of the images that are on the map.
    coordinates : ndarray of float32, shape (N, 2)
        Where these lie.
    method : {"umap", "pca"}
        What the map was drawn with.

    Returns
    -------
    ndarray of float32, shape (M, 2)
        On a UMAP, the mean of the places of the 5 nearest images in the latents,
        weighted by the inverse distance; so an image that is on the map already goes
        to its own place. On a linear map, where that map puts them.
    """
    if len(latents) == 0 or len(more) == 0:
        return np.zeros((len(more), 2), np.float32)
    if method == "pca":
        return _linear(more, latents, coordinates)
    return place_among(*among(more, latents, _NEAREST), coordinates)


def place_among(
    neighbours: NDArray[np.int32],
    distances: NDArray[np.float32],
    coordinates: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Place images among others of which it is known how near they are.

    Parameters
    ----------
    neighbours : ndarray of int32, shape (M, k)
        Images on the map, nearest first; k at least 1.
    distances : ndarray of float32, shape (M, k)
        To these, in the latents.
    coordinates : ndarray of float32, shape (N, 2)
        Where the images on the map lie.

    Returns
    -------
    ndarray of float32, shape (M, 2)
        The mean of the places of the 5 nearest, weighted by the inverse distance.
    """
    near, away = neighbours[:, :_NEAREST], distances[:, :_NEAREST]
    # A tiny part of the usual distance keeps the inverse finite.
    least = max(1e-6 * float(np.median(away)), 1e-30)
    weights = 1 / np.maximum(away, np.float32(least))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((coordinates[near] * weights[..., None]).sum(axis=1), np.float32)


def _linear(
    more: NDArray[np.floating],
    latents: NDArray[np.floating],
    coordinates: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Recover the linear map by least squares, and apply it."""
    step = -(-len(latents) // _FIT)
    known = np.asarray(latents[::step], np.float64)
    centre = known.mean(axis=0)
    middle = coordinates[::step].mean(axis=0, dtype=np.float64)
    axes, *_ = np.linalg.lstsq(known - centre, coordinates[::step] - middle, rcond=1e-6)
    return np.asarray(
        (np.asarray(more, np.float64) - centre) @ axes + middle, np.float32
    )
