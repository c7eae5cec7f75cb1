"""What the mouse does on the map."""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.viewer import Viewer

_STILL = 4
"""Pixels that a press may move and still be a click."""


class Tool(StrEnum):
    """What a drag on empty ground does."""

    MOVE = "move"
    LASSO = "lasso"
    BOX = "box"


class Target(Protocol):
    """What gestures act on: the map view."""

    tool: Tool

    @property
    def is_active(self) -> bool:
        """Whether the map is what the user works on."""

    def place_at(self, pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the map coordinates of a pixel (x, y) of the canvas."""

    def pick(self, place: NDArray[np.float64]) -> int:
        """Return the image at map coordinates, -1 for none."""

    def is_selected(self, index: int) -> bool:
        """Return whether an image is selected."""

    def click(self, index: int, modifiers: tuple[str, ...]) -> None:
        """Take a click on an image, or on empty ground (-1)."""

    def begin_drag(self, index: int) -> bool:
        """Begin to drag an image and what is selected with it, if it may move."""

    def refuse_drag(self) -> None:
        """Say why nothing is dragged."""

    def drag(self, offset: NDArray[np.float64]) -> None:
        """Move what is dragged, from where it was."""

    def end_drag(self, offset: NDArray[np.float64]) -> None:
        """Drop what is dragged."""

    def draw_outline(self, vertices: NDArray[np.float64]) -> None:
        """Show the outline that is being drawn."""

    def end_outline(
        self, vertices: NDArray[np.float64], modifiers: tuple[str, ...]
    ) -> None:
        """Select what lies within an outline."""

    def hover(self, place: NDArray[np.float64]) -> None:
        """Take note of where the pointer is."""


class Gestures:
    """Turns napari's mouse events into acts on the map.

    With the move tool, a drag that begins on an image moves it, and the selection if
    it is part of it; with the lasso or box tool only what is selected is moved, so
    that an outline can begin anywhere else. A drag on empty ground pans, or draws with
    the lasso or box tool, or with Shift. A drag with Alt stays napari's own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose canvas it is.
    target : Target
        What to act on.
    """

    def __init__(self, viewer: Viewer, target: Target) -> None:
        self._viewer = viewer
        self._target = target
        self._follow: Callable[[NDArray[np.float64]], None] | None = None
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.mouse_move_callbacks.append(self._on_move)

    def stop(self) -> None:
        """Listen no longer."""
        for callbacks, mine in (
            (self._viewer.mouse_drag_callbacks, self._on_drag),
            (self._viewer.mouse_move_callbacks, self._on_move),
        ):
            if mine in callbacks:
                callbacks.remove(mine)

    def follow(self, pixel: NDArray[np.float64]) -> bool:
        """Take a move of the pointer, if something is dragged; return whether it is.

        A drag needs nothing of what napari works out for every move, which takes
        longer than the drag itself.
        """
        if self._follow is None:
            return False
        self._follow(pixel)
        return True

    def _on_move(self, _viewer: Viewer, event: Any) -> None:
        if self._target.is_active and not event.is_dragging:
            self._target.hover(_place(event))

    def _on_drag(self, _viewer: Viewer, event: Any) -> Generator[None, None, None]:
        target, modifiers = self._target, tuple(event.modifiers)
        if not target.is_active or event.button != 1 or "Alt" in modifiers:
            return
        index = target.pick(_place(event))
        draws = target.tool is not Tool.MOVE or "Shift" in modifiers
        camera = self._viewer.scene.camera
        panning = camera.mouse_pan
        try:
            if index < 0 and not draws:
                yield from self._pan(event)
                return
            camera.mouse_pan = False
            if not modifiers and not (draws and not target.is_selected(index)):
                yield from self._drag(event, index)
            elif draws:
                yield from self._outline(event, index, modifiers)
            else:
                yield from _until_release(event, lambda: None)
                target.click(index, modifiers)
        finally:
            camera.mouse_pan = panning

    def _drag(self, event: Any, index: int) -> Generator[None, None, None]:
        target, moved, start = self._target, _Moved(event), _place(event)
        may = target.begin_drag(index)

        def follow(pixel: NDArray[np.float64]) -> None:
            if moved(pixel) and may:
                target.drag(target.place_at(pixel) - start)

        self._follow = follow
        try:
            yield from _until_release(event, lambda: follow(np.array(event.pos, float)))
        finally:
            self._follow = None
        if not moved():
            target.click(index, ())
        elif may:
            target.end_drag(_place(event) - start)
        else:
            target.refuse_drag()

    def _outline(
        self, event: Any, index: int, modifiers: tuple[str, ...]
    ) -> Generator[None, None, None]:
        target, first = self._target, _place(event)
        vertices = [first]
        moved = _Moved(event)

        def draw() -> None:
            # A lasso may end where it began.
            moved()
            if target.tool is Tool.BOX:
                (y, x), (row, column) = first, _place(event)
                vertices[:] = [
                    first,
                    np.array([y, column]),
                    np.array([row, column]),
                    np.array([row, x]),
                ]
            else:
                vertices.append(_place(event))
            target.draw_outline(np.array(vertices))

        yield from _until_release(event, draw)
        if moved():
            target.end_outline(np.array(vertices), modifiers)
        else:
            target.draw_outline(np.empty((0, 2)))
            target.click(index, modifiers)

    def _pan(self, event: Any) -> Generator[None, None, None]:
        moved = _Moved(event)
        yield from _until_release(event, moved)
        if not moved():
            self._target.click(-1, ())


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
