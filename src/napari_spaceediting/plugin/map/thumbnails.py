"""Which pictures to show on the map: as many as there is room for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST, LARGEST = 26, 64
_ROOMY, _TIGHT = 3.4, 1.25


def thumbnail_side(magnification: float) -> int:
    """Return the side of a thumbnail in pixels.

    Parameters
    ----------
    magnification : float
        Zoom over the zoom at which the whole map is seen.
    """
    return int(np.clip(SMALLEST * magnification**0.5, SMALLEST, LARGEST))


@dataclass(frozen=True)
class Room:
    """What thumbnails are placed in: the part of the map that is seen.

    Parameters
    ----------
    lowest, highest : (2,) float arrays
        Map coordinates that are visible.
    zoom : float
        Pixels per unit of the map.
    magnification : float
        Zoom over the zoom at which the whole map is seen; the closer one is, the more
        densely the thumbnails stand.
    """

    lowest: NDArray[np.floating]
    highest: NDArray[np.floating]
    zoom: float
    magnification: float

    @property
    def side(self) -> int:
        """Side of a thumbnail in pixels."""
        return thumbnail_side(self.magnification)

    @property
    def square(self) -> float:
        """Side of the squares that have one candidate each, in units of the map.

        In steps of a half octave: the choice stays while one zooms a little.
        """
        room = max(_TIGHT, _ROOMY / max(self.magnification, 1) ** 0.5)
        return float(2 ** (np.round(2 * np.log2(room * self.side / self.zoom)) / 2))


@dataclass(frozen=True)
class Boxes:
    """What thumbnails keep clear of: writing on the map.

    Parameters
    ----------
    middles : (m, 2) float array
        Map coordinates.
    halves : (m, 2) float array
        Half the height and half the width of each, in pixels.
    """

    middles: NDArray[np.floating]
    halves: NDArray[np.floating]


def choose(
    places: NDArray[np.floating],
    priority: NDArray[np.floating],
    room: Room,
    boxes: Boxes,
) -> NDArray[np.int64]:
    """Choose images whose thumbnails do not overlap.

    The plane is divided into squares that keep their place while one pans and that
    shrink as one zooms in; the first image of each square by priority is a candidate,
    and candidates too close to a better one, or to a box, are left out.

    Parameters
    ----------
    places : (N, 2) float array
        Map coordinates of all images.
    priority : (N,) float array
        Images of low values are preferred; those of infinite values are left out.
    room : Room
        What is seen.
    boxes : Boxes
        What to keep clear of.

    Returns
    -------
    (n,) int64 array
        The best first.
    """
    candidates = _first_of_squares(places, priority, room)
    candidates = candidates[_clear(places[candidates], room, boxes)]
    candidates = candidates[np.argsort(priority[candidates], kind="stable")]
    return candidates[_apart(places[candidates], 1.08 * room.side / room.zoom)]


def _first_of_squares(
    places: NDArray[np.floating], priority: NDArray[np.floating], room: Room
) -> NDArray[np.int64]:
    """Return the image of the lowest priority of each square that is seen."""
    lowest = np.floor(room.lowest / room.square)
    rows, columns = (np.floor(room.highest / room.square) - lowest + 1).astype(int)
    (top, left), (bottom, right) = lowest * room.square, room.highest
    row, column = places.T
    seen = np.flatnonzero(
        (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    )
    row, column = (places[seen].T / room.square - lowest[:, None]).astype(np.int32)
    square, rank = row * columns + column, priority[seen]
    first = np.full(rows * columns, np.inf)
    np.minimum.at(first, square, rank)
    return seen[(rank == first[square]) & (rank < np.inf)]


def _clear(places: NDArray[np.floating], room: Room, boxes: Boxes) -> NDArray[np.bool_]:
    """Return which of the (n, 2) places have a thumbnail that touches no box."""
    offsets = np.abs(places[:, None] - boxes.middles) * room.zoom
    reach = boxes.halves + room.side / 2
    touch = (offsets[..., 0] < reach[:, 0]) & (offsets[..., 1] < reach[:, 1])
    return np.asarray(~touch.any(axis=1))


def _apart(places: NDArray[np.floating], distance: float) -> NDArray[np.bool_]:
    """Return which places, best first, are as far from every better one that is."""
    from scipy.spatial import KDTree

    kept = np.ones(len(places), bool)
    if len(places):
        pairs = KDTree(places).query_pairs(distance, p=np.inf, output_type="ndarray")
        for better, worse in pairs[np.lexsort(pairs.T[::-1])].tolist():
            if kept[better]:
                kept[worse] = False
    return kept
