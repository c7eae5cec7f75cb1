"""The pictures of a traversal: a step, large; real images; what is selected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_spaceediting.plugin.traversal.filmstrip import Strip
from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    rounded_pixmap,
)
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor


class LargePicture(QWidget):
    """One step, as large as there is room; pressed, it shows the original instead.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strip: Strip | None = None
        self._step = 0
        self._pressed = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(72, 72)
        self.setAccessibleName("Step, large")
        self.setToolTip("Hold the mouse button down to see the original")
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self.update()

    def show_step(self, strip: Strip | None, step: int) -> None:
        """Show a step of a strip."""
        self._strip, self._step = strip, step
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        return QSize(150, 80)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the picture."""
        if self._strip is None:
            return
        side = min(self.width(), self.height(), 360)
        picture = self._strip.pictures[0 if self._pressed else self._step]
        pixmap = rounded_pixmap(picture, side, 4, self.devicePixelRatioF())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = (self.width() - side) / 2
        top = (self.height() - side) / 2
        painter.drawPixmap(QPointF(left, top), pixmap)
        painter.setPen(outline(to_qcolor(self._palette.line), 1))
        painter.drawRoundedRect(QRectF(left, top, side - 1, side - 1), 4, 4)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Show the original."""
        self._press(event is not None and event.button() == Qt.MouseButton.LeftButton)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Show the step again."""
        self._press(False)

    def _press(self, pressed: bool) -> None:
        self._pressed = pressed
        self.update()


class RealImages(QWidget):
    """A few real images, in a column or a row; a click selects one.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    chosen = Signal(int)
    """Dataset index."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails: NDArray[np.uint8] | None = None
        self._indices: NDArray[np.int64] = np.empty(0, np.int64)
        self._names: Sequence[str] = ()
        self._columns = 2
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Nearest real images")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.update()

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self._thumbnails = thumbnails
        self.update()

    def show_images(self, indices: NDArray[np.int64], names: Sequence[str]) -> None:
        """Show images, nearest first, with their names as tooltips."""
        self._indices, self._names = indices, names
        self.setAccessibleDescription(", ".join(names))
        self.update()

    def set_columns(self, columns: int) -> None:
        """Choose how many stand side by side."""
        self._columns = columns
        self.updateGeometry()
        self.update()

    @property
    def _rows(self) -> int:
        return -(-5 // self._columns)

    def _side(self) -> int:
        across = (self.width() + 4) // self._columns - 4
        down = (self.height() + 4) // self._rows - 4
        return int(np.clip(min(across, down), 20, 64))

    def _tile(self, number: int) -> QRect:
        row, column = divmod(number, self._columns)
        side = self._side()
        return QRect(column * (side + 4), row * (side + 4), side, side)

    def sizeHint(self) -> QSize:
        """Ask for little: they take the room that there is."""
        return QSize(self._columns * 48 - 4, self._rows * 34 - 4)

    def minimumSizeHint(self) -> QSize:
        """Allow small tiles."""
        return QSize(self._columns * 30 - 4, self._rows * 30 - 4)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the images."""
        if self._thumbnails is None:
            return
        painter = QPainter(self)
        side, ratio = self._side(), self.devicePixelRatioF()
        for number, index in enumerate(self._indices.tolist()):
            pixmap = rounded_pixmap(self._thumbnails[index], side, 3, ratio)
            painter.drawPixmap(self._tile(number).topLeft(), pixmap)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Choose an image."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            number = self._number_at(event.position().toPoint())
            if number >= 0:
                self.chosen.emit(int(self._indices[number]))

    def event(self, event: QEvent | None) -> bool:
        """Name an image in its tooltip."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            number = self._number_at(event.pos())
            text = f"{self._names[number]}: click to select it" if number >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def _number_at(self, point: QPoint) -> int:
        for number in range(len(self._indices)):
            if self._tile(number).contains(point):
                return number
        return -1


class Thumbs(QWidget):
    """A few small pictures in a row."""

    _SIDE = 24
    _FEW = 2

    def __init__(self) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] | None = None
        self._are_few = False
        self.setAccessibleName("Selected images")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def show_pictures(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Show (N, s, s, 3) uint8 images, or nothing."""
        self._thumbnails = thumbnails
        self.setVisible(thumbnails is not None and len(thumbnails) > 0)
        self.updateGeometry()
        self.update()

    def set_few(self, few: bool) -> None:
        """Show no more than two."""
        self._are_few = few
        self.updateGeometry()
        self.update()

    def _shown(self) -> NDArray[np.uint8]:
        if self._thumbnails is None:
            return np.empty((0, 1, 1, 3), np.uint8)
        return self._thumbnails[: self._FEW] if self._are_few else self._thumbnails

    def sizeHint(self) -> QSize:
        """Ask for the room of the pictures."""
        count = len(self._shown())
        return QSize(max(count * (self._SIDE + 2) - 2, 1), self._SIDE)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the pictures."""
        painter = QPainter(self)
        top = (self.height() - self._SIDE) // 2
        ratio = self.devicePixelRatioF()
        for number, thumbnail in enumerate(self._shown()):
            pixmap = rounded_pixmap(thumbnail, self._SIDE, 2, ratio)
            painter.drawPixmap(number * (self._SIDE + 2), top, pixmap)
