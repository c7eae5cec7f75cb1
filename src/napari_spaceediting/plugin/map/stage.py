"""What the canvas shows: the map alone, or the other layers of the window."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spaceediting.plugin.map.view import MapView

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_Sight = tuple[Any, float, int]
"""Centre and zoom of the camera, and how many dimensions are seen."""


class Stage:
    """Has either the map or the other layers on the canvas.

    Both lie in places of their own, and one would cover the other. Layers that are
    seen when the map comes are those that come back when it goes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where they are.
    view : MapView
        The map.
    key : str
        While the other layers are seen, this key brings the map back, whichever of
        them is chosen.
    """

    def __init__(self, viewer: Viewer, view: MapView, key: str) -> None:
        self._viewer = viewer
        self._view = view
        self._key = key
        self._others: list[Layer] = []
        self._sights: dict[bool, _Sight] = {}
        self.shows_map = True

    def show_map(self) -> None:
        """Show the map, and hide what would cover it."""
        points = self._view.layer
        if points is None:
            return
        seen = [each for each in self._not_map() if each.visible]
        if seen:
            self._others = seen
        self._set_visible(self._others, False)
        self._turn(True)
        self._viewer.dims.ndisplay = 2
        points.visible = True
        self._viewer.layers.selection.active = points
        self._viewer.bind_key(self._key, None)

    def show_others(self, active: Layer | None = None) -> bool:
        """Show the other layers, with one to work on; return whether there are any."""
        there = self._not_map()
        others = [each for each in self._others if each in there] or there
        points = self._view.layer
        if not others or points is None:
            return False
        points.visible = False
        self._set_visible(others, True)
        if not self._turn(False):
            corners = np.vstack([each.extent.world[:, -2:] for each in others])
            self._view.viewport.fit(corners, whole=False)
        self._viewer.layers.selection.active = active or others[-1]
        back = self.show_map
        self._viewer.bind_key(self._key, lambda _: back(), overwrite=True)
        return True

    def leave(self) -> None:
        """Leave the layers as they were before the map came."""
        self._viewer.bind_key(self._key, None)
        self._set_visible(self._others, True)

    def _not_map(self) -> list[Layer]:
        return [each for each in self._viewer.layers if each is not self._view.layer]

    def _set_visible(self, layers: list[Layer], visible: bool) -> None:
        for layer in layers:
            with suppress(RuntimeError):  # of a window that is gone
                layer.visible = visible

    def _turn(self, to_map: bool) -> bool:
        """Look at the other side as one did; return whether one has looked at it."""
        if to_map is self.shows_map:
            return True
        camera, dims = self._viewer.scene.camera, self._viewer.dims
        now = tuple(camera.center), float(camera.zoom), int(dims.ndisplay)
        self._sights[self.shows_map] = now
        self.shows_map = to_map
        before = self._sights.get(to_map)
        if before is None:
            return False
        dims.ndisplay = before[2]
        camera.center, camera.zoom = before[:2]
        return True
