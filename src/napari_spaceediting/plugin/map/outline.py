"""Which points lie within a drawn outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_VERTICES = 256


def simplify(vertices: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return at most 256 of the vertices, evenly chosen."""
    step = -(-len(vertices) // MOST_VERTICES) or 1
    return vertices[::step]


def inside(
    places: NDArray[np.floating], vertices: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Return which places lie within a closed outline, by the even-odd rule.

    Parameters
    ----------
    places : (N, 2) float array
        Map coordinates.
    vertices : (n, 2) float array
        Corners of the outline; fewer than 3 enclose nothing.

    Returns
    -------
    (m,) int64 array
    """
    if len(vertices) < 3:
        return np.empty(0, np.int64)
    from skimage.measure import points_in_poly

    vertices = simplify(vertices)
    lowest, highest = vertices.min(axis=0), vertices.max(axis=0)
    near = np.flatnonzero(
        (places >= lowest).all(axis=1) & (places <= highest).all(axis=1)
    )
    return near[points_in_poly(places[near], vertices)]
