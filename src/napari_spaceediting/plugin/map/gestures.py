"""What the mouse does on the map."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt
from qtpy.QtGui import QMouseEvent
from superqt.utils import qthrottled

from napari_spaceediting.plugin.map.scene import Tool
from napari_spaceediting.plugin.map.view import MapView

_STILL = 4
"""Pixels that a press may move and still be a click."""
_STEP = 2
"""Pixels between two corners of a lasso at least."""
_MODIFIERS = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier
_FEWER_MOVES = Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents
_FRAME_MS = 16


class _Act(Enum):
    """What a press has begun."""

    NOTHING = auto()
    PAN = auto()
    """It is napari's, but for a click."""
    DRAG = auto()
    OUTLINE = auto()
    CLICK = auto()


class Gestures(QObject):
    """Turns mouse events on the canvas into acts on the map.

    With the move tool, a drag that begins on an image moves it, and the selection if
    it is part of it; with the lasso or box tool only what is selected is moved, so
    that an outline can begin anywhere else. A drag on empty ground pans, or draws with
    the lasso or box tool, or with Shift. A drag with Alt stays napari's own.

    napari hears nothing of what is taken here: what it works out for every move takes
    longer than the act itself.

    While an outline is drawn Qt hands on every move. Usually it drops those that come
    while the window is busy, and the outline would be cut short.

    Parameters
    ----------
    view : MapView
        The map.
    """

    def __init__(self, view: MapView) -> None:
        super().__init__(view)
        self._view = view
        self._act = _Act.NOTHING
        self._index = -1
        self._modifiers = Qt.KeyboardModifier.NoModifier
        self._pressed = self._start = self._last = np.zeros(2)
        self._moved = False
        self._vertices: list[NDArray[np.float64]] = []
        self._usually = QCoreApplication.testAttribute(_FEWER_MOVES)
        self._draw = qthrottled(self._show_outline, timeout=_FRAME_MS, parent=self)
        view.canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take what a press on the map begins, until the button is let go."""
        if not isinstance(event, QMouseEvent):
            return False
        kind, at = event.type(), event.position()
        pixel = np.array([at.x(), at.y()])
        place = self._view.viewport.to_map(pixel[None])[0]
        if kind == QEvent.Type.MouseMove and not event.buttons():
            self._view.hover(place)
            return False
        if kind == QEvent.Type.MouseMove:
            return self._follow(pixel, place)
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if kind == QEvent.Type.MouseButtonPress:
            return self._begin(pixel, place, event.modifiers())
        return kind == QEvent.Type.MouseButtonRelease and self._end(pixel, place)

    def _begin(
        self,
        pixel: NDArray[np.float64],
        place: NDArray[np.float64],
        modifiers: Qt.KeyboardModifier,
    ) -> bool:
        view, self._act = self._view, _Act.NOTHING
        if not view.is_active or modifiers & _ALT:
            return False
        self._pressed, self._start, self._moved = pixel, place, False
        self._last = pixel
        self._index = index = view.pick(place)
        self._modifiers = modifiers & _MODIFIERS
        shift = modifiers & Qt.KeyboardModifier.ShiftModifier
        draws = view.tool is not Tool.MOVE or bool(shift)
        if index < 0 and not draws:
            self._act = _Act.PAN
            return False
        held = view.held(place)
        if not self._modifiers and not (draws and held not in view.selected):
            self._act = _Act.DRAG
            view.begin_drag(held)
        else:
            self._act = _Act.OUTLINE if draws else _Act.CLICK
            self._vertices = [place]
            self._hear_every_move(self._act is _Act.OUTLINE)
        return True

    def _follow(self, pixel: NDArray[np.float64], place: NDArray[np.float64]) -> bool:
        self._moved |= bool(np.abs(pixel - self._pressed).max() > _STILL)
        if self._act is _Act.DRAG and self._moved:
            self._view.drag(place - self._start)
        elif self._act is _Act.OUTLINE:
            if self._view.tool is Tool.BOX:
                (y, x), (row, column) = self._start, place
                corners = (y, x), (y, column), (row, column), (row, x)
                self._vertices = list(map(np.array, corners))
            elif bool(np.abs(pixel - self._last).max() >= _STEP):
                self._vertices.append(place)
                self._last = pixel
            if self._moved:
                self._draw()
        return self._act not in (_Act.NOTHING, _Act.PAN)

    def _end(self, pixel: NDArray[np.float64], place: NDArray[np.float64]) -> bool:
        view, act, modifiers = self._view, self._act, self._modifiers
        self._act = _Act.NOTHING
        # A lasso may end where it began.
        self._moved |= bool(np.abs(pixel - self._pressed).max() > _STILL)
        self._hear_every_move(False)
        self._draw.cancel()
        if act is _Act.OUTLINE and self._moved:
            view.end_outline(np.array(self._vertices), modifiers)
        elif act is _Act.DRAG and self._moved:
            view.end_drag(place - self._start)
        elif act is _Act.CLICK or (act is not _Act.NOTHING and not self._moved):
            view.click(self._index, modifiers)
        return act not in (_Act.NOTHING, _Act.PAN)

    def _show_outline(self) -> None:
        self._view.draw_outline(np.array(self._vertices))

    def _hear_every_move(self, every: bool) -> None:
        QCoreApplication.setAttribute(_FEWER_MOVES, self._usually and not every)
