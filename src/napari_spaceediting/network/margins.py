"""By how much a class leads, of what is said of several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def leads(shares: NDArray[np.float32], given: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the share of the given class less the largest other one, (n,).

    Parameters
    ----------
    shares : (n, C) float32 array
        Of each class.
    given : (n,) int64 array
        The classes that are given.
    """
    own = np.take_along_axis(shares, given[:, None], 1)[:, 0]
    lead: NDArray[np.float32] = own - without(shares, given).max(axis=1)
    return lead


def without(
    shares: NDArray[np.float32], given: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return shares of classes, (n, C), that of the given one as -inf."""
    others = shares.copy()
    np.put_along_axis(others, given[:, None], -np.inf, axis=1)
    return others
