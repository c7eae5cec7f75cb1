"""Which points lie within a drawn outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def inside(
    places: NDArray[np.floating], vertices: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Return which places lie within a closed outline, by the even-odd rule.

    Every edge of the outline is compared only with the places between its two ends.

    Parameters
    ----------
    places : (N, 2) float32 array
        Map coordinates.
    vertices : (n, 2) float array
        Corners of the outline; fewer than 3 enclose nothing.

    Returns
    -------
    (m,) int64 array
        In ascending order.
    """
    if len(vertices) < 3:
        return np.empty(0, np.int64)
    (top, left), (bottom, right) = vertices.min(axis=0), vertices.max(axis=0)
    row, column = places.T
    near = np.flatnonzero(
        (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    )
    near = near[np.argsort(row[near])]
    rows, columns = places[near].astype(float).T
    crossings = np.zeros(len(near), bool)
    ends = np.roll(vertices, -1, axis=0)
    for (y, x), (to_y, to_x) in zip(vertices, ends, strict=True):
        if y != to_y:
            first, last = np.searchsorted(rows, sorted((y, to_y)))
            edge = x + (rows[first:last] - y) * ((to_x - x) / (to_y - y))
            crossings[first:last] ^= columns[first:last] < edge
    return np.sort(near[crossings])
