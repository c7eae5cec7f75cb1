"""The images of a proposal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_spaceediting.plugin.widgets.controls import flow
from napari_spaceediting.plugin.widgets.painting import outline, rounded_pixmap

_GAP = 4
_FAINT = 0.2
"""Opacity of what is left out."""


class Pictures(QWidget):
    """The images of a proposal in rows; a single one is shown larger."""

    clicked = Signal(int)
    """Position of an image of a group."""

    def __init__(self) -> None:
        super().__init__()
        self._flow = flow(self, _GAP, _GAP)
        self.labels: list[QLabel] = []
        self.setAccessibleName("Images of the proposal")

    @property
    def is_single(self) -> bool:
        """Whether there is only one."""
        return len(self.labels) == 1

    @property
    def numbers(self) -> list[str]:
        """The keys of the images, with Control: 1 for the first, to 9; none for one."""
        count = len(self.labels)
        return [] if self.is_single else [str(n + 1) for n in range(min(count, 9))]

    def show_pictures(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        left_out: frozenset[int],
        is_large: bool,
    ) -> None:
        """Show (h, w, 3) uint8 images; those left out are faint and crossed out."""
        for label in self.labels:
            self._flow.removeWidget(label)
            label.deleteLater()
        count = len(pictures)
        self.labels = [QLabel() for _ in range(count)]
        lines = 11 if is_large else 5.4 if self.is_single else 3.6
        side = round(lines * self.fontMetrics().height())
        for place, label in enumerate(self.labels):
            pixmap = rounded_pixmap(pictures[place], side, 4, self.devicePixelRatioF())
            if place in left_out:
                pixmap = _crossed_out(pixmap, self.palette().windowText().color())
            label.setPixmap(pixmap)
            self._flow.addWidget(label)
        self.setToolTip(
            ""
            if self.is_single
            else f"Leave out by a click, or by Control with 1 to {len(self.numbers)}"
        )
        self.setVisible(count > 0)
        across = QSizePolicy.Policy.Preferred
        if self.is_single:
            across = QSizePolicy.Policy.Fixed
        self.setSizePolicy(across, QSizePolicy.Policy.Maximum)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Tell which picture is clicked."""
        if event is not None and not self.is_single:
            for place, label in enumerate(self.labels):
                if label.geometry().contains(event.position().toPoint()):
                    self.clicked.emit(place)
                    return


def _crossed_out(pixmap: QPixmap, ink: QColor) -> QPixmap:
    """Return a picture as one that is left out."""
    result = QPixmap(pixmap.size())
    result.setDevicePixelRatio(pixmap.devicePixelRatio())
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setOpacity(_FAINT)
    painter.drawPixmap(0, 0, pixmap)
    painter.setOpacity(1)
    painter.setPen(outline(ink, 2))
    side = pixmap.width() / pixmap.devicePixelRatio()
    cross = QRectF(side / 3, side / 3, side / 3, side / 3)
    painter.drawLine(cross.topLeft(), cross.bottomRight())
    painter.drawLine(cross.topRight(), cross.bottomLeft())
    painter.end()
    return result
