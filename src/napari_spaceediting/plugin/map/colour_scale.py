"""What the colours of numbers mean."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_spaceediting.plugin.widgets.controls import column, row
from napari_spaceediting.plugin.widgets.palette import continuous_colours, to_qcolor

_STOPS = 16


class ColourScale(QWidget):
    """A bar of colours from the least to the largest number."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = QLabel(), QLabel()
        self.high.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = column(self, 2)
        layout.addWidget(_Ramp())
        layout.addLayout(row(self.low, self.high))
        self.setToolTip("Grey points have no number")
        self.show_span("", "")

    def show_span(self, low: str, high: str) -> None:
        """Show what the ends of the bar mean; nothing where both are ""."""
        self.low.setText(low)
        self.high.setText(high)
        self.setVisible(bool(low or high))


class _Ramp(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(round(0.7 * self.fontMetrics().height()))
        stops = np.linspace(0, 1, _STOPS)
        colours = continuous_colours(stops).tolist()
        self._stops = [*zip(stops.tolist(), colours, strict=True)]

    def paintEvent(self, _: QPaintEvent | None) -> None:
        """Paint the colours from left to right."""
        area = QRectF(self.rect())
        ramp = QLinearGradient(area.topLeft(), area.topRight())
        for stop, colour in self._stops:
            ramp.setColorAt(stop, to_qcolor(colour))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ramp)
        painter.drawRoundedRect(area, 3, 3)
