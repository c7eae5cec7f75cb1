"""Orders and groups of images, as guidance needs them."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

CLEAR_MAJORITY = 0.7
"""Share of a group that has to be of one class, so that it can be named at once."""
_HARM = 4.0
"""Images with the right name that one with a wrong name outweighs."""
_AS_DOUBTFUL = 0.8
"""Share of a margin below 0 that makes another one as doubtful."""
_ENOUGH = 4_000
"""Images that say where clusters lie; others only join them."""


def alike(
    latents: NDArray[np.float32],
    kinds: NDArray[np.int64],
    margins: NDArray[np.floating],
    size: int,
) -> list[NDArray[np.int64]]:
    """Put each image together with the nearest that are doubted as it is.

    Parameters
    ----------
    latents : (n, D) float32 array
        Of the images.
    kinds : (n,) int64 array
        Only images of the same kind come together.
    margins : (n,) float array
        The smaller, the more doubtful. What gathers others has a margin below 0, and
        theirs are at most 80% of it: what is less doubtful would hide wrong labels
        among right ones.
    size : int
        Images of a group at most.

    Returns
    -------
    list of (k,) int64 arrays
        Rows, each in one group, the most doubtful one first; the groups with the
        smallest mean margin come first.
    """
    order = np.argsort(margins, kind="stable")
    doubtful = order[: np.count_nonzero(margins < 0)]
    free = np.zeros(len(latents), bool)
    free[doubtful] = True
    groups = []
    for row in doubtful:
        if not free[row]:
            continue
        free[row] = False
        as_doubtful = margins <= _AS_DOUBTFUL * margins[row]
        like = np.flatnonzero(free & (kinds == kinds[row]) & as_doubtful)
        away = np.linalg.norm(latents[like] - latents[row], axis=1)
        nearest_ones = like[np.argsort(away, kind="stable")[: size - 1]]
        free[nearest_ones] = False
        groups.append(np.array([row, *nearest_ones]))
    groups.sort(key=lambda group: float(margins[group].mean()))
    return [*groups, *order[len(doubtful) :, None]]


def clusters(
    latents: NDArray[np.float32], n_clusters: int, seed: int
) -> list[NDArray[np.intp]]:
    """Return clusters of k-means, large crowds first, the most central images first.

    Parameters
    ----------
    latents : (n, D) float32 array
        Of at least one image.
    n_clusters : int
        How many at most; fewer where many images are equal.

    Returns
    -------
    list of (k,) int arrays
        Rows, each in one cluster.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    rng = np.random.default_rng(seed)
    n = len(latents)
    asked = latents if n <= _ENOUGH else latents[rng.choice(n, _ENOUGH, False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(
            min(n_clusters, n), n_init=2, max_iter=50, random_state=seed
        ).fit(asked)
    cluster = model.predict(latents)
    away = np.linalg.norm(latents - model.cluster_centers_[cluster], axis=1)
    order = np.lexsort((away, cluster))
    counts = np.bincount(cluster)
    found = np.split(order, np.cumsum(counts)[:-1])
    return [found[at] for at in np.argsort(-counts, kind="stable") if counts[at]]


def entropy(shares: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy in nats, (n,), of shares that sum to 1, (n, C)."""
    known = np.where(shares > 0, shares, 1).astype(np.float64)
    return np.asarray(-(known * np.log(known)).sum(axis=1))


def worth_naming(shares: NDArray[np.floating], at_least: int, at_most: int) -> int:
    """Return how many of some images should be named together.

    As many as promise most, if somebody names them all where a `CLEAR_MAJORITY` is of
    one class and notices half of the others, and names one where there is none.

    Parameters
    ----------
    shares : (n,) float array
        How probably each image, from the first on, is of that class.
    at_least, at_most : int
        How many, as far as there are so many.
    """
    chances = np.ones(1)
    promised: list[float] = []
    for n, share in enumerate(shares[:at_most], 1):
        chances = np.convolve(chances, [1 - share, share])
        right = np.arange(n + 1)
        clear = right >= CLEAR_MAJORITY * n
        gains = np.where(clear, right - _HARM * (n - right) / 2, 1)
        promised.append(float(chances @ gains))
    start = min(at_least, len(promised)) - 1
    return start + int(np.argmax(promised[start:])) + 1
