"""One picture as large as there is room, and a few real images beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QFrame,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
)

from napari_spaceediting.plugin.widgets.painting import rounded_pixmap

LARGEST = 360
"""Side of a large picture at most, in logical pixels."""
_REAL = 34
"""Side of a small real image, in logical pixels."""


class LargePicture(QAbstractButton):
    """A picture, as large as there is room; pressed, it may show another one."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._pictures: list[NDArray[np.uint8]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(name)
        self.setToolTip(tip)

    def show_picture(self, *pictures: NDArray[np.uint8]) -> None:
        """Show a picture (h, w, 3), and on demand another while it is pressed."""
        self._pictures = list(pictures)
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        return QSize(150, 80)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the picture."""
        if not self._pictures:
            return
        side = min(self.width(), self.height(), LARGEST)
        picture = self._pictures[-1 if self.isDown() else 0]
        pixmap = rounded_pixmap(picture, side, 4, self.devicePixelRatioF())
        corner = QPointF((self.width() - side) / 2, (self.height() - side) / 2)
        QPainter(self).drawPixmap(corner, pixmap)


class RealImages(QListWidget):
    """A few real images; a click selects one, and `picture` shows one large.

    Attributes
    ----------
    picture_of : callable
        Returns the picture (h, w, 3) that there is of an image, None for none.
    """

    chosen = Signal(int)
    """Dataset index."""
    looked_at = Signal(str)
    """The name of the one that is large; "" for none."""

    def __init__(self) -> None:
        super().__init__()
        self.picture_of: Callable[[int], NDArray[np.uint8] | None] = lambda _: None
        self._indices: list[int] = []
        self._names: Sequence[str] = ()
        self._at = 0
        self.picture = LargePicture("Real image, large", "Click to select it")
        self.picture.clicked.connect(lambda: self.chosen.emit(self._indices[self._at]))
        self.setMouseTracking(True)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(_REAL, _REAL))
        self.setFixedWidth(_REAL + 6)
        self.setMinimumHeight(_REAL + 6)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Nearest real images")
        self.setStyleSheet("QListWidget {background: transparent;}")
        self.itemEntered.connect(lambda item: self._look_at(self.row(item)))
        self.currentRowChanged.connect(self._look_at)
        self.itemClicked.connect(
            lambda item: self.chosen.emit(self._indices[self.row(item)])
        )

    def refresh(self) -> None:
        """Show the better pictures that have come."""
        at = self._at
        self._fill()
        self._look_at(at)

    def show_images(self, indices: NDArray[np.int64], names: Sequence[str]) -> None:
        """Show images, nearest first, with their names as tooltips."""
        if indices.tolist() != self._indices:
            self._indices, self._names = indices.tolist(), names
            self.setAccessibleDescription(", ".join(names))
            self._fill()

    def _fill(self) -> None:
        self.blockSignals(True)
        self.clear()
        ratio = self.devicePixelRatioF()
        for index, name in zip(self._indices, self._names, strict=True):
            item, picture = QListWidgetItem(self), self.picture_of(index)
            item.setToolTip(f"{name}: click to select it")
            if picture is not None:
                item.setIcon(QIcon(rounded_pixmap(picture, _REAL, 3, ratio)))
        self.blockSignals(False)
        self._look_at(0)

    def _look_at(self, at: int) -> None:
        """Show one of the images large, as soon as there is a picture of it."""
        self._at = max(at, 0)
        is_there = self._at < self.count()
        self.picture.setEnabled(is_there)
        picture = self.picture_of(self._indices[self._at]) if is_there else None
        self.picture.show_picture(*([] if picture is None else [picture]))
        self.looked_at.emit("" if picture is None else self._names[self._at])

    def sizeHint(self) -> QSize:
        """Ask for little: they take the room that there is."""
        return self.minimumSize()
