"""Which image is under the pointer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import KDTree


class Picking:
    """Finds the nearest of the images that are seen.

    Parameters
    ----------
    places : (N, 2) float32 array
        Map coordinates of all images.
    hidden : (N,) bool array
        Images that cannot be picked.
    """

    def __init__(self, places: NDArray[np.float32], hidden: NDArray[np.bool_]) -> None:
        self._images = np.flatnonzero(~hidden)
        self._places = places

    def nearest(self, place: NDArray[np.float64], reach: float) -> int:
        """Return the image nearest to a place, -1 for none within reach."""
        if not len(self._images):
            return -1
        distance, row = self._tree.query(place)
        return int(self._images[row]) if distance <= reach else -1

    @cached_property
    def _tree(self) -> KDTree:
        """Made when first asked: it takes a moment, and maps follow each other."""
        from scipy.spatial import KDTree

        # Built twice as quickly as a balanced tree, and asked as quickly.
        return KDTree(
            self._places[self._images], compact_nodes=False, balanced_tree=False
        )
