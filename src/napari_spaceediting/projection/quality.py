"""How far a map can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Images that a figure is taken from, at most: it costs the square of their number.
SAMPLE = 1_500


@dataclass(frozen=True)
class MapQuality:
    """What the map keeps of the latents.

    Parameters
    ----------
    trustworthiness : float
        0 to 1: whether images that are close on the map are close in the latents.
        nan below 4 images.
    neighbourhood_preservation : float
        0 to 1: the share of an image's nearest neighbours in the latents that are
        also its nearest on the map. nan below 2 images.
    """

    trustworthiness: float
    neighbourhood_preservation: float


UNKNOWN = MapQuality(np.nan, np.nan)
"""Of a map that nobody has judged."""


def trustworthiness(
    latents: NDArray[np.floating],
    coordinates: NDArray[np.floating],
    k: int,
    seed: int = 0,
) -> float:
    """Return the trustworthiness of a map, on a sample of at most 1,500 images.

    Parameters
    ----------
    latents : ndarray of float, shape (N, D)
    coordinates : ndarray of float, shape (N, 2)
    k : int
        Size of the neighbourhoods, within the sample.

    Returns
    -------
    float
        0 to 1, nan below 4 images.

    Notes
    -----
    Venna & Kaski, Neural Networks 2006, with exact ranks within the sample.
    """
    rows = _sample(len(latents), seed)
    if len(rows) < 4:
        return float("nan")

    from sklearn.manifold import trustworthiness as exact

    # Defined for neighbourhoods of less than half of the images.
    k = min(k, (len(rows) - 1) // 2)
    some = np.asarray(latents[rows], np.float32)
    return float(exact(some, coordinates[rows], n_neighbors=k))


def neighbourhood_preservation(
    neighbours: NDArray[np.integer], coordinates: NDArray[np.floating], seed: int = 0
) -> float:
    """Return the share of latent neighbours that are neighbours on the map.

    Parameters
    ----------
    neighbours : ndarray of int, shape (N, k)
        Nearest neighbours in the latents, without the image itself.
    coordinates : ndarray of float, shape (N, 2)
    seed : int
        Chooses the sample of at most 1,500 images that are looked at.

    Returns
    -------
    float
        0 to 1, nan without neighbours.
    """
    k = neighbours.shape[1]
    if k == 0:
        return float("nan")

    from scipy.spatial import KDTree

    rows = _sample(len(coordinates), seed)
    _, found = KDTree(coordinates).query(coordinates[rows], k=k + 1)
    # Column by column: whether a neighbour is among those found on the map.
    kept = [
        (found == neighbours[rows, column][:, None]).any(axis=1) for column in range(k)
    ]
    return float(np.mean(kept))


def _sample(n: int, seed: int) -> NDArray[np.intp]:
    if n <= SAMPLE:
        return np.arange(n)
    return np.random.default_rng(seed).choice(n, SAMPLE, replace=False)
