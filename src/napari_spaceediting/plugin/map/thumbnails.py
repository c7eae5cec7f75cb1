"""Thumbnails on the map: those that stand there, and those that a drag takes along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QPixmap

from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.plugin.map.scene import Picture
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.widgets.painting import to_image

_SMALLEST, _LARGEST = 26, 64
_ROOMY, _TIGHT = 3.4, 1.25
_MOST_CARRIED = 24
"""Thumbnails that a drag takes along at most."""
_CACHED = 2048
"""Pixmaps of thumbnails that are kept."""
_NOWHERE = np.empty((0, 2))


def _side(magnification: float) -> int:
    """Return the side of a thumbnail in pixels."""
    return int(np.clip(_SMALLEST * magnification**0.5, _SMALLEST, _LARGEST))


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
    middles : (m, 2) float array
        Map coordinates of the writing that thumbnails keep clear of.
    halves : (m, 2) float array
        Half its height and half its width, in pixels.
    """

    lowest: NDArray[np.floating]
    highest: NDArray[np.floating]
    zoom: float
    magnification: float
    middles: NDArray[np.floating] = field(default_factory=lambda: _NOWHERE)
    halves: NDArray[np.floating] = field(default_factory=lambda: _NOWHERE)

    @property
    def side(self) -> int:
        """Side of a thumbnail in pixels."""
        return _side(self.magnification)

    @property
    def square(self) -> float:
        """Side of the squares that have one candidate each, in units of the map.

        In steps of a half octave: the choice stays while one zooms a little.
        """
        room = max(_TIGHT, _ROOMY / max(self.magnification, 1) ** 0.5)
        return float(2 ** (np.round(2 * np.log2(room * self.side / self.zoom)) / 2))


def choose(
    places: NDArray[np.floating],
    priority: NDArray[np.floating],
    room: Room,
) -> NDArray[np.int64]:
    """Choose images whose thumbnails do not overlap.

    The plane is divided into squares that keep their place while one pans and that
    shrink as one zooms in; the first image of each square by priority is a candidate,
    and candidates too close to a better one, or to writing, are left out.

    Parameters
    ----------
    places : (N, 2) float array
        Map coordinates of all images.
    priority : (N,) float array
        Images of low values are preferred; those of infinite values are left out.
    room : Room
        What is seen.

    Returns
    -------
    (n,) int64 array
        The best first.
    """
    candidates = _first_of_squares(places, priority, room)
    candidates = candidates[_clear(places[candidates], room)]
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


def _clear(places: NDArray[np.floating], room: Room) -> NDArray[np.bool_]:
    """Return which of the (n, 2) places have a thumbnail that touches no writing."""
    offsets = np.abs(places[:, None] - room.middles) * room.zoom
    reach = room.halves + room.side / 2
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


class Pictures:
    """Chooses which images of a cloud have their pictures on the map.

    Parameters
    ----------
    viewport : Viewport
        What of the map is seen.
    """

    def __init__(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._pixmap: Callable[[int], QPixmap] | None = None
        self._priority: NDArray[np.float64] = np.empty(0)
        self._square = 0.0
        self.is_on = True
        """Whether there shall be pictures on the map."""

    def take(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Take the pictures of all images, or None while there are none."""
        self._pixmap, count = None, 0
        if thumbnails is not None:
            count = len(thumbnails)
            self._pixmap = lru_cache(_CACHED)(
                lambda image: QPixmap.fromImage(to_image(thumbnails[image]))
            )
        self._priority = np.random.default_rng(0).random(count)

    def placed(
        self,
        cloud: Cloud,
        shown: Sequence[Picture],
        selected: NDArray[np.int64],
        writing: tuple[NDArray[np.floating], NDArray[np.floating]],
    ) -> tuple[list[Picture], int]:
        """Return the pictures that there is room for, and their side in pixels.

        Parameters
        ----------
        cloud : Cloud
            All images.
        shown : sequence of Picture
            Those that stand there now; they stay while one pans.
        selected : (n,) int64 array
            Images that come first.
        writing : tuple of (m, 2) float arrays
            What to keep clear of; see `Room`.
        """
        if not self._has_all(cloud):
            return [], 0
        room = self._room(*writing)
        priority = self._priority.copy()
        if room.square == self._square:
            priority[[picture.image for picture in shown]] -= 1
        self._square = room.square
        priority[selected] -= 2
        priority[cloud.hidden] = np.inf
        return self.of(cloud, choose(cloud.places, priority, room)), room.side

    def carried(
        self, cloud: Cloud, dragged: NDArray[np.int64], held: int
    ) -> NDArray[np.int64]:
        """Return which of the dragged images take theirs along, the held one first."""
        if not self._has_all(cloud):
            return dragged[:0]
        priority = self._priority[dragged]
        priority[dragged == held] = -1
        chosen = choose(cloud.places[dragged], priority, self._room())
        return dragged[chosen[:_MOST_CARRIED]]

    def of(
        self,
        cloud: Cloud,
        images: NDArray[np.int64],
        offset: NDArray[np.floating] | float = 0.0,
    ) -> list[Picture]:
        """Return the pictures of images, if there are any, beside their places."""
        pixmap = self._pixmap
        if pixmap is None:
            return []
        return [
            Picture(at, cloud.places[at] + offset, pixmap(at), cloud.colours[at])
            for at in images.tolist()
        ]

    def _has_all(self, cloud: Cloud) -> bool:
        return self.is_on and len(self._priority) == len(cloud.places)

    def _room(self, *writing: NDArray[np.floating]) -> Room:
        """Return the part of the map that is seen, with a margin for thumbnails."""
        magnification = self._viewport.magnification
        margin = _side(magnification)
        lowest, highest = self._viewport.visible(margin)
        return Room(lowest, highest, self._viewport.zoom, magnification, *writing)
