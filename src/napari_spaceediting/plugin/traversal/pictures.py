"""The pictures of a traversal: a step, large, and real images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QFrame,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QWidget,
)

from napari_spaceediting.plugin.traversal.filmstrip import Strip
from napari_spaceediting.plugin.widgets.painting import rounded_pixmap

_REAL = 44
"""Side of a real image, in logical pixels."""


class LargePicture(QWidget):
    """One step, as large as there is room; pressed, it shows the original instead."""

    def __init__(self) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._step = 0
        self._pressed = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(72, 72)
        self.setAccessibleName("Step, large")
        self.setToolTip("Hold the mouse button down to see the original")

    def show_step(self, strip: Strip, step: int) -> None:
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
        corner = QPointF((self.width() - side) / 2, (self.height() - side) / 2)
        QPainter(self).drawPixmap(corner, pixmap)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Show the original."""
        self._press(event is not None and event.button() == Qt.MouseButton.LeftButton)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Show the step again."""
        self._press(False)

    def _press(self, pressed: bool) -> None:
        self._pressed = pressed
        self.update()


class RealImages(QListWidget):
    """A few real images; a click selects one."""

    chosen = Signal(int)
    """Dataset index."""

    def __init__(self) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] | None = None
        self._shown: tuple[NDArray[np.int64], Sequence[str]] = np.empty(0, np.int64), ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(_REAL, _REAL))
        self.setGridSize(QSize(_REAL + 4, _REAL + 4))
        self.setMinimumSize(2 * _REAL + 12, _REAL + 8)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Nearest real images")
        self.setStyleSheet("QListWidget {background: transparent;}")
        self.itemClicked.connect(
            lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
        )

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self._thumbnails = thumbnails
        self.show_images(*self._shown)

    def show_images(self, indices: NDArray[np.int64], names: Sequence[str]) -> None:
        """Show images, nearest first, with their names as tooltips."""
        self._shown = indices, names
        self.setAccessibleDescription(", ".join(names))
        self.clear()
        if self._thumbnails is None:
            return
        ratio = self.devicePixelRatioF()
        for index, name in zip(indices.tolist(), names, strict=True):
            item = QListWidgetItem(self)
            pixmap = rounded_pixmap(self._thumbnails[index], _REAL, 3, ratio)
            item.setIcon(QIcon(pixmap))
            item.setToolTip(f"{name}: click to select it")
            item.setData(Qt.ItemDataRole.UserRole, index)

    def sizeHint(self) -> QSize:
        """Ask for little: they take the room that there is."""
        return self.minimumSize()
