"""Between map coordinates and pixels of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QMainWindow, QOpenGLWidget, QWidget

from napari_spaceediting.errors import SpaceEditingError

if TYPE_CHECKING:
    from napari.viewer import Viewer


def find_canvas(main: QMainWindow) -> QWidget:
    """Return napari's drawing surface in its window.

    Found through Qt's own tree of widgets, because napari has no public name for it.
    """
    canvas = main.findChild(QOpenGLWidget)
    if canvas is None:
        raise SpaceEditingError(
            "napari's canvas was not found: open the Space Editor from napari's menu."
        )
    return canvas


_MARGIN = 1.12
"""Extent of the canvas over that of what it is made to show."""
_CLOSEST = 12
"""Magnification up to which it is made to show a few images."""


class Viewport:
    """Converts places, for a two-dimensional view.

    Map coordinates are napari's (row, column); pixels are Qt's logical (x, y) within
    the canvas.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    canvas : QWidget
        Its drawing surface.
    """

    def __init__(self, viewer: Viewer, canvas: QWidget) -> None:
        self._camera = viewer.scene.camera
        self._canvas = canvas
        self._whole_zoom = 1.0

    @property
    def zoom(self) -> float:
        """Pixels per unit of the map."""
        return float(self._camera.zoom)

    @property
    def magnification(self) -> float:
        """Zoom over the zoom at which the whole map is seen."""
        return self.zoom / self._whole_zoom

    @property
    def ratio(self) -> float:
        """Pixels of the screen per pixel."""
        return float(self._canvas.devicePixelRatioF())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas in pixels."""
        return self._canvas.width(), self._canvas.height()

    def to_canvas(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n, 2) pixels (x, y) of (n, 2) map coordinates."""
        offset = (places - self._centre) * self.zoom * self._directions
        return offset[:, ::-1] + np.array(self.size) / 2

    def to_map(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n, 2) map coordinates of (n, 2) pixels (x, y)."""
        offset = (pixels - np.array(self.size) / 2)[:, ::-1]
        return offset / (self.zoom * self._directions) + self._centre

    def visible(self, margin: float = 0) -> tuple[NDArray[np.float64], ...]:
        """Return the lowest and highest visible map coordinates, each (2,).

        Parameters
        ----------
        margin : float
            Pixels around the canvas that count as visible.
        """
        width, height = self.size
        corners = self.to_map(
            np.array([[-margin, -margin], [width + margin, height + margin]])
        )
        return corners.min(axis=0), corners.max(axis=0)

    def fit(self, places: NDArray[np.floating], *, whole: bool) -> None:
        """Show (n, 2) places but for far outliers, all of the map if `whole`."""
        lowest, highest = np.percentile(places, [0.2, 99.8], axis=0)
        extent = np.maximum(highest - lowest, 1e-6)
        width, height = self.size
        zoom = float(min(height / extent[0], width / extent[1]) / _MARGIN)
        if whole:
            self._whole_zoom = zoom
        self._camera.center = tuple((lowest + highest) / 2)
        self._camera.zoom = min(zoom, _CLOSEST * self._whole_zoom)

    @property
    def _centre(self) -> NDArray[np.float64]:
        return np.array(self._camera.center[-2:])

    @property
    def _directions(self) -> NDArray[np.float64]:
        """1 or -1 for rows and columns: 1 where they grow downwards and rightwards."""
        vertical, horizontal = self._camera.orientation2d
        return np.array(
            [1 if vertical == "down" else -1, 1 if horizontal == "right" else -1]
        )
