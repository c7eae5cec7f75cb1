"""A gallery of images: a painted grid that stays quick at 100,000 images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QContextMenuEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolTip,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    bold,
    outline,
    rounded_pixmap,
    smaller,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor

SORTS = (
    ("map", "Map order", "In the order in which the images were chosen on the map"),
    ("label", "Label", "By the class that the image is labelled with"),
    ("prediction", "Prediction", "By the class that the network predicts"),
    ("confidence", "Confidence", "From the least to the most confident prediction"),
    (
        "disagreement",
        "Disagreement",
        "From the label that the network believes least; unlabelled images come last",
    ),
)
SIZES = (32, 176)
_USUAL_SIZE = 84
_CAPTIONED = 3
"""Least side of an image with a caption, in heights of a line."""
_CACHED_TILES = 1500
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass(frozen=True)
class Caption:
    """What is written around a tile.

    Parameters
    ----------
    text : str
        Beneath the image, such as its class; cut where it is too long.
    border : colour
        Frame of the image, such as the colour of its class; "" for none.
    badge : str
        A few characters on the corner of the image; "" for none.
    detail : str
        In a second line, such as what the network says; cut where it is too long.
    figure : str
        After the detail, and never cut, such as "87%".
    is_odd : bool
        Whether the second line shall catch the eye.
    """

    text: str
    border: Colour = ""
    badge: str = ""
    detail: str = ""
    figure: str = ""
    is_odd: bool = False

    @property
    def in_full(self) -> str:
        """All of it in one line."""
        return " ".join(filter(None, [self.text, self.detail, self.figure]))


class GalleryGrid(QAbstractScrollArea):
    """Tiles of images that can be browsed and selected by mouse and keyboard.

    Only visible tiles are painted and captioned.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    selection_changed = Signal(object)
    """All selected dataset indices (int64 array), after an action by the user."""
    activated = Signal(int)
    """Dataset index of a double-clicked or entered image."""
    hovered = Signal(int)
    """Dataset index under the pointer, -1 when it left."""
    context_requested = Signal(object, QPoint)
    """Dataset indices that a menu would act on, and its global position."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails: NDArray[np.uint8] | None = None
        self._items = np.empty(0, np.int64)
        self._caption: Callable[[int], Caption] = lambda _: Caption("")
        self._selected = np.empty(0, np.int64)
        self._marked = np.empty(0, bool)
        self._n_selected = 0
        self._current = -1
        self._anchor = -1
        self._hovered = -1
        self._press: QPointF | None = None
        self._band: QRect | None = None
        self._before_press: tuple[NDArray[np.bool_], NDArray[np.int64]] | None = None
        self._empty_text = "No images to show."
        self._wanted_side = _USUAL_SIZE
        self._columns, self._side, self._row = 1, 0, 1
        self._pixmaps: OrderedDict[int, QPixmap] = OrderedDict()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName("Images")
        self.set_theme(palette)

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self._relayout()

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self._thumbnails = thumbnails
        self._pixmaps.clear()
        self.viewport().update()

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

    def refresh_captions(self) -> None:
        """Ask again for the captions of visible tiles."""
        self.viewport().update()

    def set_selected(self, indices: ArrayLike) -> None:
        """Select these images; emits nothing."""
        chosen = np.array(indices, np.int64).reshape(-1)
        # A selection on the map is in order already; sorting 100,000 takes a while.
        is_sorted = bool((np.diff(chosen) > 0).all())
        self._selected = chosen if is_sorted else np.unique(chosen)
        self._marked = np.isin(self._items, self._selected)
        self._describe()
        self.viewport().update()

    def set_current(self, index: int) -> None:
        """Put the keyboard on an image and scroll to it; -1 for none."""
        place = np.flatnonzero(self._items == index)
        self._current = self._anchor = int(place[0]) if len(place) else -1
        self._reveal(self._current)
        self.viewport().update()

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
    def n_selected(self) -> int:
        """How many of the images shown are selected."""
        return self._n_selected

    @property
    def current(self) -> int:
        """Dataset index that the keyboard is on, or -1."""
        if 0 <= self._current < len(self._items):
            return int(self._items[self._current])
        return -1

    @property
    def empty_text(self) -> str:
        """What is written when there is no image."""
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self._empty_text = text
        self.viewport().update()

    # Geometry. Positions count tiles, in the order shown.

    def _measure(self) -> None:
        self._gap = max(6, round(self.fontMetrics().height() * 0.5))
        bar = self.verticalScrollBar().sizeHint().width()
        width = self.width() - 2 * self.frameWidth()
        # Judged without the bar, so that showing it cannot make it vanish again.
        self._fit(width)
        self._has_bar = self._total_height() > self.viewport().height()
        if self._has_bar:
            self._fit(width - bar)

    def _fit(self, width: int) -> None:
        """Choose the columns whose tiles come closest to the wanted size."""
        gap = self._gap
        self._width = max(width, 1)
        columns = max(1, round((width - gap) / (self._wanted_side + gap)))
        side = (width - gap * (columns + 1)) // columns
        if columns == 1:
            side = min(side, 2 * self._wanted_side)
        self._columns, self._side = columns, max(side, 8)
        line = QFontMetrics(smaller(self.font())).height()
        has_caption = self._side >= _CAPTIONED * line
        self._caption_height = 2 * line if has_caption else 0
        self._row = self._side + self._caption_height + gap + 2

    def _total_height(self) -> int:
        rows = -(-len(self._items) // self._columns)
        return rows * self._row + self._gap

    def _relayout(self) -> None:
        top = self._first_visible()
        old = (self._side, self._columns)
        self._measure()
        if self._has_bar:
            policy = Qt.ScrollBarPolicy.ScrollBarAlwaysOn
        else:
            policy = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if policy != self.verticalScrollBarPolicy():
            self.setVerticalScrollBarPolicy(policy)
        bar = self.verticalScrollBar()
        height = self.viewport().height()
        bar.setRange(0, max(0, self._total_height() - height))
        bar.setPageStep(height)
        bar.setSingleStep(max(1, self._row // 3))
        if old != (self._side, self._columns):
            self._pixmaps.clear()
            bar.setValue(top // self._columns * self._row)
        self.viewport().update()

    def _first_visible(self) -> int:
        return self.verticalScrollBar().value() // self._row * self._columns

    def _tile(self, position: int) -> QRect:
        """Return the square of the image in viewport coordinates."""
        row, column = divmod(position, self._columns)
        pitch = (self._width - self._gap) / self._columns
        left = self._gap + round(column * pitch)
        left += max(0, (round(pitch) - self._gap - self._side) // 2)
        top = self._gap + row * self._row - self.verticalScrollBar().value()
        return QRect(left, top, self._side, self._side)

    def _plate(self, position: int) -> QRect:
        """Return the tile with its caption and a little air."""
        air = self._gap // 2 - 1
        return self._tile(position).adjusted(
            -air, -air, air, self._caption_height + 2 + air // 2
        )

    def _position_at(self, point: QPoint) -> int:
        pitch = (self._width - self._gap) / self._columns
        column = int((point.x() - self._gap / 2) // pitch)
        row = (point.y() - self._gap // 2 + self.verticalScrollBar().value()) // (
            self._row
        )
        position = int(row * self._columns + column)
        if 0 <= column < self._columns and 0 <= position < len(self._items):
            return position if self._plate(position).contains(point) else -1
        return -1

    def _visible(self) -> range:
        first = max(0, self._first_visible() - self._columns)
        rows = self.viewport().height() // self._row + 3
        return range(first, min(len(self._items), first + rows * self._columns))

    def _reveal(self, position: int) -> None:
        if position < 0:
            return
        top = position // self._columns * self._row
        bar, height = self.verticalScrollBar(), self.viewport().height()
        if top < bar.value():
            bar.setValue(top)
        elif top + self._row + self._gap > bar.value() + height:
            bar.setValue(top + self._row + self._gap - height)

    def sizeHint(self) -> QSize:
        """Ask for three tiles by two."""
        return QSize(3 * self._row + self._gap, 2 * self._row + self._gap)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the tiles to the new width."""
        super().resizeEvent(event)
        self._relayout()

    # Painting

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the visible tiles."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), to_qcolor(self._palette.background))
        if not len(self._items):
            self._paint_empty(painter)
            return
        area = self.viewport().rect()
        for position in self._visible():
            if self._plate(position).intersects(area):
                self._paint_tile(painter, position)
        if self._band is not None:
            painter.setPen(outline(to_qcolor(self._palette.accent), 1))
            painter.setBrush(to_qcolor(self._palette.accent, 0.18))
            painter.drawRect(QRectF(self._band).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_empty(self, painter: QPainter) -> None:
        painter.setPen(to_qcolor(self._palette.muted))
        margin = 2 * self._gap
        painter.drawText(
            self.viewport().rect().adjusted(margin, margin, -margin, -margin),
            Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
            self._empty_text,
        )

    def _paint_tile(self, painter: QPainter, position: int) -> None:
        index = int(self._items[position])
        caption = self._caption(index)
        tile, plate = self._tile(position), self._plate(position)
        radius = max(3.0, self._side * 0.06)
        chosen = bool(self._marked[position])
        # Where all are chosen, as after a lasso, nothing needs to stand out.
        stands_out = chosen and self._n_selected < len(self._items)
        if chosen or position == self._hovered:
            fill = self._palette.current if stands_out else self._palette.foreground
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(fill))
            painter.drawRoundedRect(QRectF(plate), radius + 2, radius + 2)
        pixmap = self._pixmap(index, radius)
        if pixmap is not None:
            painter.drawPixmap(tile.topLeft(), pixmap)
        is_framed = bool(len(caption.border))
        frame = caption.border if is_framed else self._palette.line
        width = float(np.clip(self._side / 40, 1.5, 2.5)) if is_framed else 1.0
        painter.setPen(outline(to_qcolor(frame), width))
        painter.setBrush(
            Qt.BrushStyle.NoBrush
            if pixmap is not None
            else to_qcolor(self._palette.foreground)
        )
        inset = width / 2
        painter.drawRoundedRect(
            QRectF(tile).adjusted(inset, inset, -inset, -inset), radius, radius
        )
        if caption.badge:
            self._paint_badge(painter, tile, caption.badge)
        if self._caption_height:
            self._paint_caption(painter, tile, caption, stands_out)
        if position == self._current and self.hasFocus():
            painter.setPen(outline(to_qcolor(self._palette.text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(
                QRectF(plate).adjusted(0.75, 0.75, -0.75, -0.75),
                radius + 2,
                radius + 2,
            )

    def _paint_caption(
        self, painter: QPainter, tile: QRect, caption: Caption, stands_out: bool
    ) -> None:
        font = smaller(self.font())
        metrics = QFontMetrics(font)
        painter.setFont(font)
        height = self._caption_height // 2
        figure = f" {caption.figure}" if caption.figure else ""
        room = self._side - metrics.horizontalAdvance(figure)
        cut = Qt.TextElideMode.ElideRight
        palette = self._palette
        quiet = palette.warning_text if caption.is_odd else palette.muted
        for line, (text, colour) in enumerate(
            (
                (metrics.elidedText(caption.text, cut, self._side), palette.text),
                (metrics.elidedText(caption.detail, cut, room) + figure, quiet),
            )
        ):
            painter.setPen(to_qcolor(palette.text if stands_out else colour))
            top = tile.bottom() + 3 + line * height
            place = QRect(tile.left(), top, self._side, height)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text.strip())

    def _paint_badge(self, painter: QPainter, tile: QRect, badge: str) -> None:
        font = bold(smaller(self.font(), 0.8))
        metrics = QFontMetrics(font)
        height = metrics.height() + 2
        width = max(height, metrics.horizontalAdvance(badge) + height // 2 + 2)
        pill = QRectF(tile.right() - width - 2, tile.top() + 4, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(to_qcolor(self._palette.background, 0.88))
        painter.drawRoundedRect(pill, height / 2, height / 2)
        painter.setPen(to_qcolor(self._palette.text))
        painter.setFont(font)
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, badge)

    def _pixmap(self, index: int, radius: float) -> QPixmap | None:
        """Return the image at the size of a tile, from the cache if it is there."""
        if self._thumbnails is None or not 0 <= index < len(self._thumbnails):
            return None
        pixmap = self._pixmaps.pop(index, None)
        ratio = self.viewport().devicePixelRatioF()
        if pixmap is None or pixmap.devicePixelRatio() != ratio:
            pixmap = rounded_pixmap(self._thumbnails[index], self._side, radius, ratio)
        self._pixmaps[index] = pixmap
        while len(self._pixmaps) > _CACHED_TILES:
            self._pixmaps.popitem(last=False)
        return pixmap

    # Mouse

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Start a click or a rubber band."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._press = event.position() + QPointF(0, self.verticalScrollBar().value())
        self._before_press = (self._marked.copy(), self._selected)
        modifiers = event.modifiers()
        position = self._position_at(event.position().toPoint())
        if position >= 0:
            self._choose(position, modifiers)
        elif not modifiers & (_CONTROL | _SHIFT):
            self._mark(np.zeros(len(self._items), bool))

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
        self._press = self._band = None
        self._tell_change()
        self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Activate the image."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        position = self._position_at(event.position().toPoint())
        if position >= 0:
            self.activated.emit(int(self._items[position]))

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
            self._mark(np.ones(len(self._items), bool))
        elif key == Qt.Key.Key_Escape and self._marked.any():
            self._mark(np.zeros(len(self._items), bool))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.activated.emit(self.current)
        elif key == Qt.Key.Key_Space and self._current >= 0:
            self._choose(self._current, modifiers | _CONTROL)
        elif (target := self._target(key)) is not None:
            modifiers &= _SHIFT
            self._choose(target, modifiers)
            self._reveal(target)
        else:
            super().keyPressEvent(event)
            return
        self._tell_change()

    def _target(self, key: int) -> int | None:
        page = max(1, self.viewport().height() // self._row) * self._columns
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._columns,
            Qt.Key.Key_Down: self._columns,
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
        if modifiers & _SHIFT:
            anchor = self._anchor if self._anchor >= 0 else position
            marked = (
                self._marked.copy()
                if modifiers & _CONTROL
                else np.zeros(len(self._items), bool)
            )
            low, high = sorted((anchor, position))
            marked[low : high + 1] = True
        elif modifiers & _CONTROL:
            marked = self._marked.copy()
            marked[position] = not marked[position]
            self._anchor = position
        else:
            marked = np.zeros(len(self._items), bool)
            marked[position] = True
            self._anchor = position
        self._current = position
        self._mark(marked, keep_hidden=bool(modifiers & _CONTROL))

    def _mark_band(self, band: QRect, modifiers: Qt.KeyboardModifier) -> None:
        offset = self.verticalScrollBar().value()
        first = max(0, (band.top() + offset - self._gap) // self._row)
        last = max(0, (band.bottom() + offset) // self._row)
        extend = bool(modifiers & (_CONTROL | _SHIFT))
        assert self._before_press is not None
        marked = (
            self._before_press[0].copy() if extend else np.zeros(len(self._items), bool)
        )
        stop = min(len(self._items), (last + 1) * self._columns)
        for position in range(first * self._columns, stop):
            if self._tile(position).intersects(band):
                marked[position] = True
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
        self._n_selected = int(np.count_nonzero(self._marked))
        self.setAccessibleDescription(
            f"{len(self._items)} images, {self.n_selected} selected"
        )


class ImageGallery(QWidget):
    """The grid under a bar that says what is shown and how.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    selection_changed = Signal(object)
    activated = Signal(int)
    hovered = Signal(int)
    context_requested = Signal(object, QPoint)
    source_changed = Signal(str)
    """Key of the source that the user chose."""
    sort_changed = Signal(str)
    """Key of the order that the user chose: one of `SORTS`."""
    tile_size_changed = Signal(int)
    """Side of a tile that the user chose, in logical pixels."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = GalleryGrid(palette, self)
        self._source = QComboBox()
        self._source.setAccessibleName("Images shown")
        self._source.setToolTip("Which images to show")
        self._source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._count = QLabel()
        self._count.setToolTip("Images shown here, and how many are selected")
        self._sort = QComboBox()
        self._sort.setAccessibleName("Order")
        self._sort.setToolTip("Order of the images")
        for key, title, tooltip in SORTS:
            self._sort.addItem(title, key)
            self._sort.setItemData(
                self._sort.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole
            )
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(*SIZES)
        self._size.setValue(_USUAL_SIZE)
        self._size.setAccessibleName("Image size")
        self._size.setToolTip("Size of the images")
        self._size.setFixedWidth(7 * self.fontMetrics().height())

        bar = QWidget()
        bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        flow = QFlowLayout(bar)
        flow.setContentsMargins(4, 4, 4, 0)
        flow.setHorizontalSpacing(8)
        flow.setVerticalSpacing(4)
        height = self._source.sizeHint().height()
        for widget in (self._source, self._count, self._sort, self._size):
            widget.setMinimumHeight(height)
            flow.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(bar)
        layout.addWidget(self.grid, 1)

        self.grid.selection_changed.connect(self._on_selection)
        self.grid.activated.connect(self.activated)
        self.grid.hovered.connect(self.hovered)
        self.grid.context_requested.connect(self.context_requested)
        self._source.activated.connect(lambda _: self.source_changed.emit(self.source))
        self._sort.activated.connect(lambda _: self.sort_changed.emit(self.sort))
        self._size.valueChanged.connect(self._on_size)
        self.set_theme(palette)
        self._update_count()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.grid.set_theme(palette)
        self._count.setStyleSheet(f"color: {palette.muted};")

    def set_sources(self, sources: Iterable[Sequence[str]]) -> None:
        """Offer sources, each as (key, title, tooltip); emits nothing."""
        chosen = self.source
        self._source.clear()
        for key, title, tooltip in sources:
            self._source.addItem(title, key)
            self._source.setItemData(
                self._source.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole
            )
        self.set_source(chosen)

    def set_source(self, key: str) -> None:
        """Choose a source; emits nothing."""
        place = self._source.findData(key)
        self._source.setCurrentIndex(max(place, 0))

    def set_sort(self, key: str) -> None:
        """Choose an order; emits nothing."""
        self._sort.setCurrentIndex(max(self._sort.findData(key), 0))

    @property
    def source(self) -> str:
        """Key of the chosen source, "" if there is none."""
        return str(self._source.currentData() or "")

    @property
    def sort(self) -> str:
        """Key of the chosen order."""
        return str(self._sort.currentData())

    @property
    def tile_size(self) -> int:
        """Wanted side of a tile, in logical pixels."""
        return self._size.value()

    def set_tile_size(self, side: int) -> None:
        """Set the wanted side of a tile in logical pixels."""
        self._size.setValue(side)

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self.grid.set_thumbnails(thumbnails)

    def show_items(
        self, indices: ArrayLike, caption: Callable[[int], Caption] | None = None
    ) -> None:
        """Show images in the order given; see `GalleryGrid.show_items`."""
        self.grid.show_items(indices, caption)
        self._update_count()

    def refresh_captions(self) -> None:
        """Ask again for the captions of visible tiles."""
        self.grid.refresh_captions()

    def set_selected(self, indices: ArrayLike) -> None:
        """Select these images; emits nothing."""
        self.grid.set_selected(indices)
        self._update_count()

    def set_current(self, index: int) -> None:
        """Put the keyboard on an image and scroll to it; -1 for none."""
        self.grid.set_current(index)

    @property
    def empty_text(self) -> str:
        """What is written when there is no image."""
        return self.grid.empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self.grid.empty_text = text

    def _on_selection(self, indices: NDArray[np.int64]) -> None:
        self._update_count()
        self.selection_changed.emit(indices)

    def _on_size(self, side: int) -> None:
        self.grid.set_tile_size(side)
        self.tile_size_changed.emit(side)

    def _update_count(self) -> None:
        shown = len(self.grid.items)
        text = "1 image" if shown == 1 else f"{shown:,} images"
        chosen = self.grid.n_selected
        if 0 < chosen < shown:
            text += f" · {chosen:,} selected"
        elif 1 < chosen == shown:
            text += " · all selected"
        self._count.setText(text)
