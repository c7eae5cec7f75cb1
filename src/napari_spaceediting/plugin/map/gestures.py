"""What the mouse does on the map."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QMouseEvent

from napari_spaceediting.plugin.map.view import MapView, Tool

if TYPE_CHECKING:
    from napari.viewer import Viewer

_STILL = 4
"""Pixels that a press may move and still be a click."""


class Gestures(QObject):
    """Turns napari's mouse events into acts on the map.

    With the move tool, a drag that begins on an image moves it, and the selection if
    it is part of it; with the lasso or box tool only what is selected is moved, so
    that an outline can begin anywhere else. A drag on empty ground pans, or draws with
    the lasso or box tool, or with Shift. A drag with Alt stays napari's own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose canvas it is.
    view : MapView
        The map.
    """

    def __init__(self, viewer: Viewer, view: MapView) -> None:
        super().__init__(view)
        self._viewer = viewer
        self._view = view
        self._follow: Callable[[NDArray[np.float64]], None] | None = None
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.mouse_move_callbacks.append(self._on_move)
        view.canvas.installEventFilter(self)

    def stop(self) -> None:
        """Listen no longer."""
        self._view.canvas.removeEventFilter(self)
        for callbacks, mine in (
            (self._viewer.mouse_drag_callbacks, self._on_drag),
            (self._viewer.mouse_move_callbacks, self._on_move),
        ):
            if mine in callbacks:
                callbacks.remove(mine)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the moves of a drag.

        It needs nothing of what napari works out for every move, which takes longer
        than the drag itself.
        """
        if (
            self._follow is None
            or not isinstance(event, QMouseEvent)
            or event.type() != QEvent.Type.MouseMove
            or not event.buttons() & Qt.MouseButton.LeftButton
        ):
            return False
        at = event.position()
        self._follow(np.array([at.x(), at.y()]))
        return True

    def _on_move(self, _viewer: Viewer, event: Any) -> None:
        if self._view.is_active and not event.is_dragging:
            self._view.hover(_place(event))

    def _on_drag(self, _viewer: Viewer, event: Any) -> Generator[None, None, None]:
        view, modifiers = self._view, tuple(event.modifiers)
        if not view.is_active or event.button != 1 or "Alt" in modifiers:
            return
        index = view.pick(_place(event))
        draws = view.tool is not Tool.MOVE or "Shift" in modifiers
        camera = self._viewer.scene.camera
        panning = camera.mouse_pan
        try:
            if index < 0 and not draws:
                yield from self._pan(event)
                return
            camera.mouse_pan = False
            if not modifiers and not (draws and index not in view.selected):
                yield from self._drag(event, index)
            elif draws:
                yield from self._outline(event, index, modifiers)
            else:
                yield from _until_release(event, lambda: None)
                view.click(index, modifiers)
        finally:
            camera.mouse_pan = panning

    def _drag(self, event: Any, index: int) -> Generator[None, None, None]:
        view, moved, start = self._view, _Moved(event), _place(event)
        view.begin_drag(index)

        def follow(pixel: NDArray[np.float64]) -> None:
            if moved(pixel):
                view.drag(view.viewport.to_map(pixel[None])[0] - start)

        self._follow = follow
        try:
            yield from _until_release(event, lambda: follow(np.array(event.pos, float)))
        finally:
            self._follow = None
        if not moved():
            view.click(index, ())
        else:
            view.end_drag(_place(event) - start)

    def _outline(
        self, event: Any, index: int, modifiers: tuple[str, ...]
    ) -> Generator[None, None, None]:
        view, first = self._view, _place(event)
        vertices = [first]
        moved = _Moved(event)

        def draw() -> None:
            # A lasso may end where it began.
            moved()
            if view.tool is Tool.BOX:
                (y, x), (row, column) = first, _place(event)
                vertices[:] = [
                    first,
                    np.array([y, column]),
                    np.array([row, column]),
                    np.array([row, x]),
                ]
            else:
                vertices.append(_place(event))
            view.draw_outline(np.array(vertices))

        yield from _until_release(event, draw)
        if moved():
            view.end_outline(np.array(vertices), modifiers)
        else:
            view.draw_outline(np.empty((0, 2)))
            view.click(index, modifiers)

    def _pan(self, event: Any) -> Generator[None, None, None]:
        moved = _Moved(event)
        yield from _until_release(event, moved)
        if not moved():
            self._view.click(-1, ())


class _Moved:
    """Whether the pointer has left the place where it was pressed."""

    def __init__(self, event: Any) -> None:
        self._event = event
        self._start = np.array(event.pos, float)
        self._moved = False

    def __call__(self, pixel: NDArray[np.float64] | None = None) -> bool:
        """Return whether it has, now that it is at a pixel, or where its event says."""
        at = np.array(self._event.pos, float) if pixel is None else pixel
        distance = np.abs(at - self._start).max()
        self._moved = self._moved or bool(distance > _STILL)
        return self._moved


def _until_release(
    event: Any, on_move: Callable[[], object]
) -> Generator[None, None, None]:
    yield
    while event.type == "mouse_move":
        on_move()
        yield


def _place(event: Any) -> NDArray[np.float64]:
    """Return the map coordinates of an event."""
    return np.array(event.position[-2:], float)
