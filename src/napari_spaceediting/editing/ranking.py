"""Orders and groups of images, as guidance needs them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def alike(
    latents: NDArray[np.float32], kinds: NDArray[np.int64], size: int
) -> list[NDArray[np.int64]]:
    """Put each image together with the nearest of its kind, at most `size`.

    Parameters
    ----------
    latents : (n, D) float32 array
        Of the images, in the order in which they may gather others.
    kinds : (n,) int64 array
        Only images of the same kind come together.
    size : int
        Images of a group at most.

    Returns
    -------
    list of (k,) int64 arrays
        Rows; every row is in one of them, the one that gathered first.
    """
    free = np.ones(len(latents), bool)
    groups = []
    for row in range(len(latents)):
        if not free[row]:
            continue
        free[row] = False
        like = np.flatnonzero(free & (kinds == kinds[row]))
        away = np.linalg.norm(latents[like] - latents[row], axis=1)
        nearest_ones = like[np.argsort(away, kind="stable")[: size - 1]]
        free[nearest_ones] = False
        groups.append(np.array([row, *nearest_ones]))
    return groups


def apart(
    groups: NDArray[np.integer], order: NDArray[np.integer], most: int
) -> list[int]:
    """Return which groups come first in an order and share no member.

    Parameters
    ----------
    groups : (n, size) int array
        Members of each group, from 0 on.
    order : (m,) int array
        Rows of it.
    most : int
        Groups that are returned at most.
    """
    taken = np.zeros(groups.max(initial=-1) + 1, bool)
    chosen: list[int] = []
    for row in order:
        if len(chosen) == most:
            break
        if not taken[groups[row]].any():
            taken[groups[row]] = True
            chosen.append(int(row))
    return chosen


def leads(shares: NDArray[np.float32], given: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the share of the given class less the largest other one, (n,).

    Parameters
    ----------
    shares : (n, C) float32 array
        Of each class.
    given : (n,) int64 array
        The classes that are given.
    """
    own = np.eye(shares.shape[1], dtype=bool)[given]
    others = np.where(own, -np.inf, shares).max(axis=1)
    lead: NDArray[np.float32] = shares[own] - others
    return lead


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank of each value, 0 for the smallest to 1 for the largest; ties share one."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 1) / (len(values) - 1))
