"""Thumbnails on the map: those that stand there, and those that a drag takes along."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QPixmap

from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.plugin.map.scene import Picture
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.painting import squared, to_image
from napari_spaceediting.plugin.widgets.recent import Recent

_SMALLEST, _LARGEST = 26, 64
_ROOMY, _TIGHT = 3.4, 1.25
_MOST_CARRIED = 24
"""Thumbnails that a drag takes along at most."""
_ROOM = 64 << 20
"""Bytes of pixmaps that are kept."""
Writing = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Middles of writing in map coordinates, and half its heights and widths in pixels."""
_NOTHING: Writing = np.empty((0, 2)), np.empty((0, 2))


def side(viewport: Viewport) -> int:
    """Return the side of a thumbnail in pixels."""
    return int(np.clip(_SMALLEST * viewport.magnification**0.5, _SMALLEST, _LARGEST))


def _square(viewport: Viewport) -> float:
    """Return the side of the squares that have one candidate each, on the map.

    The closer one is, the more densely the thumbnails stand. In steps of a half
    octave: the choice stays while one zooms a little.
    """
    room = max(_TIGHT, _ROOMY / max(viewport.magnification, 1) ** 0.5)
    square = room * side(viewport) / viewport.zoom
    return float(2 ** (np.round(2 * np.log2(square)) / 2))


def choose(
    places: NDArray[np.floating],
    priority: NDArray[np.floating],
    viewport: Viewport,
    writing: Writing = _NOTHING,
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
    viewport : Viewport
        What of the map is seen.
    writing : Writing
        What to keep clear of.

    Returns
    -------
    (n,) int64 array
        The best first.
    """
    candidates = _first_of_squares(places, priority, viewport)
    reach = side(viewport) / viewport.zoom
    middles, halves = writing[0], writing[1] / viewport.zoom + reach / 2
    away = np.abs(places[candidates][:, None] - middles)
    touch = np.all(away < halves, axis=2)
    candidates = candidates[~touch.any(axis=1)]
    candidates = candidates[np.argsort(priority[candidates], kind="stable")]
    return candidates[_apart(places[candidates], 1.08 * reach)]


def _first_of_squares(
    places: NDArray[np.floating],
    priority: NDArray[np.floating],
    viewport: Viewport,
) -> NDArray[np.int64]:
    """Return the image of the lowest priority of each square that is seen."""
    square = _square(viewport)
    # With a margin, for thumbnails of which a part is seen.
    lowest, highest = viewport.visible(side(viewport))
    lowest = np.floor(lowest / square)
    rows, columns = (np.floor(highest / square) - lowest + 1).astype(int)
    (top, left), (bottom, right) = lowest * square, highest
    row, column = places.T
    seen = np.flatnonzero(
        (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    )
    row, column = (places[seen].T / square - lowest[:, None]).astype(np.int32)
    within, rank = row * columns + column, priority[seen]
    first = np.full(rows * columns, np.inf)
    np.minimum.at(first, within, rank)
    return seen[(rank == first[within]) & (rank < np.inf)]


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


class PicturesOnMap:
    """Chooses which images of a cloud have their pictures on the map.

    Parameters
    ----------
    viewport : Viewport
        What of the map is seen.
    """

    def __init__(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._pictures: Pictures | None = None
        self._drawn: Recent[object, QPixmap] = Recent(_ROOM)
        self._priority: NDArray[np.float64] = np.empty(0)
        self._square = 0.0

    def take(self, pictures: Pictures | None) -> None:
        """Take the pictures of all images, or None for no pictures."""
        self._pictures = pictures
        count = 0 if pictures is None else len(pictures)
        if count != len(self._priority):
            self._priority = np.random.default_rng(0).random(count)
        self._drawn.clear()

    def placed(
        self,
        cloud: Cloud,
        shown: Sequence[Picture],
        selected: NDArray[np.int64],
        writing: Writing,
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
        writing : Writing
            What to keep clear of.
        """
        if not self._has_all(cloud):
            return [], 0
        priority, square = self._priority.copy(), _square(self._viewport)
        if square == self._square:
            priority[[picture.image for picture in shown]] -= 1
        self._square = square
        priority[selected] -= 2
        priority[cloud.hidden] = np.inf
        chosen = choose(cloud.places, priority, self._viewport, writing)
        return self.of(cloud, chosen), side(self._viewport)

    def carried(
        self, cloud: Cloud, dragged: NDArray[np.int64], held: int
    ) -> NDArray[np.int64]:
        """Return which of the dragged images take theirs along, the held one first."""
        if not self._has_all(cloud):
            return dragged[:0]
        priority = self._priority[dragged]
        priority[dragged == held] = -1
        chosen = choose(cloud.places[dragged], priority, self._viewport)
        return dragged[chosen[:_MOST_CARRIED]]

    def of(
        self,
        cloud: Cloud,
        images: NDArray[np.int64],
        offset: NDArray[np.floating] | float = 0.0,
    ) -> list[Picture]:
        """Return the pictures of images, if there are any, beside their places."""
        found = [(at, self._pixmap(at)) for at in images.tolist()]
        return [
            Picture(at, cloud.places[at] + offset, pixmap, cloud.colours[at])
            for at, pixmap in found
            if pixmap is not None
        ]

    def _pixmap(self, image: int) -> QPixmap | None:
        """Return the picture of an image, as it is there by now."""
        pictures = self._pictures
        if pictures is None:
            return None
        pixels = round(side(self._viewport) * self._viewport.ratio)
        pictures.ask(image, pixels)
        key = image, pictures.stamp(image)
        pixmap = self._drawn.get(key)
        if pixmap is None and (picture := pictures.at(image, pixels)) is not None:
            square = squared(picture)
            pixmap = QPixmap.fromImage(to_image(square))
            self._drawn.put(key, pixmap, square.nbytes * 4 // 3)
        return pixmap

    def _has_all(self, cloud: Cloud) -> bool:
        return len(self._priority) == len(cloud.places)
