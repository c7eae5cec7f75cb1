"""Thumbnails on the map: those that stand there, and those that a drag takes along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QPixmap

from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.plugin.map.scene import Picture
from napari_spaceediting.plugin.map.thumbnails import (
    Boxes,
    Room,
    choose,
    thumbnail_side,
)
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.widgets.painting import to_image

_MOST_CARRIED = 24
"""Thumbnails that a drag takes along at most."""
_CACHED = 2048
"""Pixmaps of thumbnails that are kept."""
_NO_BOXES = Boxes(np.empty((0, 2)), np.empty((0, 2)))


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
        boxes: Boxes,
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
        boxes : Boxes
            What to keep clear of.
        """
        if not self._has_all(cloud):
            return [], 0
        room = self._room()
        priority = self._priority.copy()
        if room.square == self._square:
            priority[[picture.image for picture in shown]] -= 1
        self._square = room.square
        priority[selected] -= 2
        priority[cloud.hidden] = np.inf
        return self.of(cloud, choose(cloud.places, priority, room, boxes)), room.side

    def carried(
        self, cloud: Cloud, dragged: NDArray[np.int64], held: int
    ) -> NDArray[np.int64]:
        """Return which of the dragged images take theirs along, the held one first."""
        if not self._has_all(cloud):
            return dragged[:0]
        priority = self._priority[dragged]
        priority[dragged == held] = -1
        chosen = choose(cloud.places[dragged], priority, self._room(), _NO_BOXES)
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

    def _room(self) -> Room:
        """Return the part of the map that is seen, with a margin for thumbnails."""
        magnification = self._viewport.magnification
        margin = thumbnail_side(magnification)
        lowest, highest = self._viewport.visible(margin)
        return Room(lowest, highest, self._viewport.zoom, magnification)
