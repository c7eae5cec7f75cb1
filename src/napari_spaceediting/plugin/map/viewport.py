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

    @property
    def zoom(self) -> float:
        """Pixels per unit of the map."""
        return float(self._camera.zoom)

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
