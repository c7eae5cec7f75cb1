"""A grid of images, painted by hand: it stays quick at 100,000 images.

Qt's own list lays out every item, and compares every selected range with every other:
of 100,000 images it takes tens of times as long to fill or to select half.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from qtpy.QtWidgets import QAbstractScrollArea, QApplication, QToolTip

from napari_spaceediting.plugin.gallery.tile import Caption, TilePainter
from napari_spaceediting.plugin.gallery.tiling import (
    SIZES,
    USUAL_SIZE,
    Tiling,
    tiling,
    tiling_of_all,
)
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.painting import apply_font, outline
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

_LOOKS = Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space
"""Keys that show an image as large as there is room."""
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CONTROL = Qt.KeyboardModifier.ControlModifier


class GalleryGrid(QAbstractScrollArea):
    """Tiles of images that can be browsed and selected by mouse and keyboard.

    Only visible tiles are painted and captioned.

    Parameters
    ----------
    pictures : Pictures
        Indices point to them.
    shows_all : bool
        Whether the images are as large as they can be while all of them are in view.
    is_captioned : bool
        Whether there is writing beneath images that are large enough for it.
    """

    selection_changed = Signal(object)
    """All selected dataset indices (int64 array), after an action by the user."""
    activated = Signal(int)
    """Dataset index of an image to be looked at: entered, or clicked once more."""
    hovered = Signal(int)
    """Dataset index under the pointer, -1 when it left."""
    context_requested = Signal(object, QPoint)
    """Dataset indices that a menu would act on, and its global position."""
    counted = Signal(int, int)
    """How many images are shown, and how many of them are selected."""
    focused = Signal()
    """The keyboard has come here."""

    def __init__(
        self, pictures: Pictures, *, shows_all: bool = False, is_captioned: bool = True
    ) -> None:
        super().__init__()
        self._shows_all = shows_all
        self._tiles = TilePainter(pictures, is_captioned)
        pictures.arrived.connect(self._paint_anew)
        self._items = np.empty(0, np.int64)
        self._caption: Callable[[int], Caption] = lambda _: Caption("")
        self._selected = np.empty(0, np.int64)
        self._marked = np.empty(0, bool)
        self.n_selected = 0
        self.empty_text = ""
        self._current = -1
        self._anchor = -1
        self._hovered = -1
        self._press: QPointF | None = None
        self._pressed = -1
        self._band: QRect | None = None
        self._before_press: tuple[NDArray[np.bool_], NDArray[np.int64]] | None = None
        self._wanted_side = USUAL_SIZE
        self._tiling = Tiling()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName("Images")

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._tiles.palette = palette
        apply_font(self, palette)
        self._relayout()

    def show_items(
        self, indices: ArrayLike, caption: Callable[[int], Caption] | None = None
    ) -> None:
        """Show images in the order given.

        Parameters
        ----------
        indices : (n,) array_like of int
            Dataset indices.
        caption : callable, optional
            Returns the caption of a dataset index; called only for tiles that
            come into view. The last one is kept if none is given.
        """
        previous = self.current
        self._hover(-1)
        self._items = np.array(indices, np.int64).reshape(-1)
        if caption is not None:
            self._caption = caption
        self._marked = np.isin(self._items, self._selected)
        place = np.flatnonzero(self._items == previous)
        self._current = self._anchor = int(place[0]) if len(place) else -1
        self._band = self._press = None
        self._relayout()
        if self._current < 0:
            self.verticalScrollBar().setValue(0)
        self._describe()

    def set_selected(self, indices: ArrayLike) -> None:
        """Select these images; emits nothing."""
        chosen = np.array(indices, np.int64).reshape(-1)
        # A selection on the map is in order already; sorting 100,000 takes a while.
        is_sorted = bool((np.diff(chosen) > 0).all())
        self._selected = chosen if is_sorted else np.unique(chosen)
        self._marked = np.isin(self._items, self._selected)
        self._describe()
        self.viewport().update()

    def go_to(self, index: int) -> None:
        """Put the keyboard on an image that is shown, as its arrow keys do."""
        position = int(np.flatnonzero(self._items == index)[0])
        self._before_press = (self._marked.copy(), self._selected)
        self._choose(position, Qt.KeyboardModifier.NoModifier)
        self._reveal(position)
        self._tell_change()

    def set_tile_size(self, side: int) -> None:
        """Set the wanted side of an image in logical pixels."""
        self._wanted_side = int(np.clip(side, *SIZES))
        self._relayout()

    @property
    def items(self) -> NDArray[np.int64]:
        """Dataset indices shown, in order."""
        return self._items

    @property
    def selected(self) -> NDArray[np.int64]:
        """Selected dataset indices: shown ones in order, then any not shown."""
        shown = self._items[self._marked]
        if len(shown) == len(self._selected):
            return shown
        hidden = np.setdiff1d(self._selected, self._items)
        return np.concatenate([shown, hidden])

    @property
    def current(self) -> int:
        """Dataset index that the keyboard is on, or -1."""
        if 0 <= self._current < len(self._items):
            return int(self._items[self._current])
        return -1

    # Geometry

    def _fit(self, width: int) -> None:
        """Choose the columns."""
        size = max(width, 1), self.viewport().height()
        gap = max(6, round(self.fontMetrics().height() * 0.5))

        def caption(side: int) -> int:
            return self._tiles.caption_height(side, self.font())

        if self._shows_all:
            self._tiling = tiling_of_all(size, gap, caption, len(self._items))
        else:
            self._tiling = tiling(size, gap, caption, self._wanted_side)

    def _relayout(self) -> None:
        top, old = self._first_visible(), self._tiling
        bar, height, n = (
            self.verticalScrollBar(),
            self.viewport().height(),
            len(self._items),
        )
        # Judged without the bar, so that showing it cannot make it vanish again.
        room = self.width() - 2 * self.frameWidth()
        self._fit(room)
        needs_bar = self._tiling.height(n) > height
        if needs_bar:
            self._fit(room - bar.sizeHint().width())
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOn
            if needs_bar
            else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        bar.setRange(0, max(0, self._tiling.height(n) - height))
        bar.setPageStep(height)
        bar.setSingleStep(max(1, self._tiling.row // 3))
        if old != self._tiling:
            bar.setValue(top // self._tiling.columns * self._tiling.row)
        self.viewport().update()

    def _first_visible(self) -> int:
        return (
            self.verticalScrollBar().value() // self._tiling.row * self._tiling.columns
        )

    def _tile(self, position: int) -> QRect:
        """Return the square of the image in viewport coordinates."""
        below = -self.verticalScrollBar().value()
        return self._tiling.tile(position).translated(0, below)

    def _plate(self, position: int) -> QRect:
        """Return the tile with its caption and a little air."""
        below = -self.verticalScrollBar().value()
        return self._tiling.plate(position).translated(0, below)

    def _position_at(self, point: QPoint) -> int:
        scrolled = QPoint(0, self.verticalScrollBar().value())
        position = self._tiling.position_at(point + scrolled)
        return position if position < len(self._items) else -1

    def _visible(self) -> range:
        columns = self._tiling.columns
        first = max(0, self._first_visible() - columns)
        rows = self.viewport().height() // self._tiling.row + 3
        return range(first, min(len(self._items), first + rows * columns))

    def _reveal(self, position: int) -> None:
        if position < 0:
            return
        top = position // self._tiling.columns * self._tiling.row
        bar, height = self.verticalScrollBar(), self.viewport().height()
        bottom = top + self._tiling.row + self._tiling.gap
        if top < bar.value():
            bar.setValue(top)
        elif bottom > bar.value() + height:
            bar.setValue(bottom - height)

    def sizeHint(self) -> QSize:
        """Ask for three tiles by two."""
        row, gap = self._tiling.row, self._tiling.gap
        return QSize(3 * row + gap, 2 * row + gap)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the tiles to the new width."""
        super().resizeEvent(event)
        self._relayout()

    # Painting

    def _paint_anew(self, _images: object) -> None:
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the visible tiles."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette, area = self._tiles.palette, self.viewport().rect()
        painter.fillRect(area, to_qcolor(palette.background))
        if not len(self._items):
            painter.setPen(to_qcolor(palette.muted))
            margin = 2 * self._tiling.gap
            painter.drawText(
                area.adjusted(margin, margin, -margin, -margin),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                self.empty_text,
            )
            return
        for position in self._visible():
            if self._plate(position).intersects(area):
                index, is_marked = int(self._items[position]), self._marked[position]
                self._tiles.paint(
                    painter,
                    self._tile(position),
                    QRectF(self._plate(position)),
                    index,
                    self._caption(index),
                    # Where all are chosen, as after a lasso, none needs to stand out.
                    stands_out=is_marked and self.n_selected < len(self._items),
                    has_plate=is_marked or position == self._hovered,
                    has_focus=position == self._current and self.hasFocus(),
                )
        if self._band is not None:
            painter.setPen(outline(to_qcolor(palette.accent), 1))
            painter.setBrush(to_qcolor(palette.accent, 0.18))
            painter.drawRect(QRectF(self._band).adjusted(0.5, 0.5, -0.5, -0.5))

    # Mouse

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Start a click or a rubber band."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._press = event.position() + QPointF(0, self.verticalScrollBar().value())
        self._before_press = (self._marked.copy(), self._selected)
        modifiers = event.modifiers()
        position = self._position_at(event.position().toPoint())
        is_alone = self.n_selected == 1 and position == self._current
        is_chosen = is_alone and bool(self._marked[position])
        self._pressed = position if is_chosen and not modifiers else -1
        if position >= 0:
            self._choose(position, modifiers)
        elif not modifiers & (_CONTROL | _SHIFT):
            self._mark(np.zeros_like(self._marked))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Pull the rubber band, or tell what is hovered."""
        if event is None:
            return
        point = event.position().toPoint()
        if self._press is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(self._position_at(point))
            return
        bar = self.verticalScrollBar()
        overshoot = min(point.y(), 0) + max(point.y() - self.viewport().height(), 0)
        if overshoot:
            bar.setValue(bar.value() + overshoot)
        start = (self._press - QPointF(0, bar.value())).toPoint()
        far = (point - start).manhattanLength() >= QApplication.startDragDistance()
        if self._band is not None or far:
            self._band = QRect(start, point).normalized()
            self._mark_band(self._band, event.modifiers())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """End the gesture and tell what it selected."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        is_click, self._press, self._band = self._band is None, None, None
        self._tell_change()
        self.viewport().update()
        if is_click and self._pressed >= 0:
            self.activated.emit(int(self._items[self._pressed]))

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Take it as a second click; where all is in view already, as none."""
        if not self._shows_all:
            self.mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Ask for a menu on the selection, which takes in the clicked image."""
        if event is None:
            return
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            position, place = self._current, None
        else:
            position, place = self._position_at(event.pos()), event.globalPos()
        if position < 0:
            return
        if place is None:
            place = self.viewport().mapToGlobal(self._tile(position).center())
        if not self._marked[position]:
            self._before_press = (self._marked.copy(), self._selected)
            self._choose(position, Qt.KeyboardModifier.NoModifier)
            self._tell_change()
        self.context_requested.emit(self._items[self._marked], place)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Tell that nothing is hovered any more."""
        self._hover(-1)
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent | None) -> bool:
        """Show captions in full as tooltips."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            position = self._position_at(event.pos())
            if position >= 0:
                text = self._caption(int(self._items[position])).in_full
                QToolTip.showText(event.globalPos(), text, self.viewport())
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def _hover(self, position: int) -> None:
        if position != self._hovered:
            self._hovered = position
            self.hovered.emit(int(self._items[position]) if position >= 0 else -1)
            self.viewport().update()

    # Keyboard

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Tell that the keyboard has come."""
        super().focusInEvent(event)
        self.focused.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the current image, select, activate."""
        if event is None:
            return
        key, modifiers = event.key(), event.modifiers()
        if not len(self._items):
            super().keyPressEvent(event)
            return
        self._before_press = (self._marked.copy(), self._selected)
        if key == Qt.Key.Key_A and modifiers & _CONTROL:
            self._mark(np.ones_like(self._marked))
        elif key == Qt.Key.Key_Escape and self._marked.any():
            self._mark(np.zeros_like(self._marked))
        elif key == Qt.Key.Key_Space and modifiers & _CONTROL and self._current >= 0:
            self._choose(self._current, modifiers)
        elif key in _LOOKS and self._items.size:
            self.activated.emit(int(self._items[max(self._current, 0)]))
        elif (target := self._target(key)) is not None:
            modifiers &= _SHIFT
            self._choose(target, modifiers)
            self._reveal(target)
        else:
            super().keyPressEvent(event)
            return
        self._tell_change()

    def _target(self, key: int) -> int | None:
        page = (
            max(1, self.viewport().height() // self._tiling.row) * self._tiling.columns
        )
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._tiling.columns,
            Qt.Key.Key_Down: self._tiling.columns,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -len(self._items),
            Qt.Key.Key_End: len(self._items),
        }
        step = steps.get(Qt.Key(key))
        if step is None:
            return None
        if self._current < 0:
            return len(self._items) - 1 if key == Qt.Key.Key_End else 0
        return int(np.clip(self._current + step, 0, len(self._items) - 1))

    # Selection

    def _choose(self, position: int, modifiers: Qt.KeyboardModifier) -> None:
        """Select by the usual rules: one, toggle with Ctrl, range with Shift."""
        keeps = bool(modifiers & _CONTROL)
        marked = self._marked.copy() if keeps else np.zeros_like(self._marked)
        if modifiers & _SHIFT and self._anchor >= 0:
            low, high = sorted((self._anchor, position))
            marked[low : high + 1] = True
        else:
            marked[position] = not marked[position]
            self._anchor = position
        self._current = position
        self._mark(marked, keep_hidden=keeps)

    def _mark_band(self, band: QRect, modifiers: Qt.KeyboardModifier) -> None:
        extend = bool(modifiers & (_CONTROL | _SHIFT))
        assert self._before_press is not None
        before = self._before_press[0]
        marked = before.copy() if extend else np.zeros_like(before)
        scrolled = band.translated(0, self.verticalScrollBar().value())
        touched = self._tiling.touched_by(scrolled)
        marked[touched[touched < len(marked)]] = True
        self._mark(marked, keep_hidden=extend)

    def _mark(self, marked: NDArray[np.bool_], keep_hidden: bool = False) -> None:
        chosen = self._items[marked]
        if keep_hidden:
            hidden = np.setdiff1d(self._selected, self._items)
            chosen = np.concatenate([chosen, hidden])
        self._marked = marked
        self._selected = np.unique(chosen)
        self._describe()
        self.viewport().update()

    def _tell_change(self) -> None:
        if self._before_press is None:
            return
        _, selected = self._before_press
        self._before_press = None
        if not np.array_equal(selected, self._selected):
            self.selection_changed.emit(self.selected)

    def _describe(self) -> None:
        self.n_selected = int(np.count_nonzero(self._marked))
        self.setAccessibleDescription(
            f"{len(self._items)} images, {self.n_selected} selected"
        )
        self.counted.emit(len(self._items), self.n_selected)
