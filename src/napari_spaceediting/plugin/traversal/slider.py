"""A slider that says which steps to trust."""

from __future__ import annotations

from qtpy.QtCore import QRect, QRectF, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QSlider, QStyle, QStyleOptionSlider, QWidget

from napari_spaceediting.plugin.traversal.strip import Strip
from napari_spaceediting.plugin.widgets.controls import guard_wheel
from napari_spaceediting.plugin.widgets.painting import paint_plate
from napari_spaceediting.plugin.widgets.palette import Palette

_BAND = 4
"""Thickness of a mark, in logical pixels."""
FOREIGN = "no longer nearest to its own original: another person or thing, perhaps"


class StepSlider(QSlider):
    """Goes through the steps that are made; below it lies where to trust them.

    Parameters
    ----------
    parent : QWidget
        Qt parent.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._strip: Strip | None = None
        self._cell = 0
        self.setAccessibleName("Step")
        self.setPageStep(1)
        guard_wheel(self)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self.update()

    def show_strip(self, strip: Strip) -> None:
        """Mark the steps of an image."""
        self._strip = strip
        self.setRange(0, strip.steps)
        words = ["From the original to the most change"]
        if strip.sure is not None:
            words.append(f"Green, from step {strip.sure} on: the network is sure")
        if strip.foreign is not None:
            words.append(f"Orange, from step {strip.foreign} on: {FOREIGN}")
        self.setToolTip("\n".join(words))
        self.update()

    def handle(self) -> QRect:
        """Return where the handle is."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_SliderHandle
        control = QStyle.ComplexControl.CC_Slider
        return self.style().subControlRect(control, option, part, self)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint below it where the network is sure, and where the original is lost."""
        super().paintEvent(event)
        strip = self._strip
        if strip is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        handle = self.handle().width()
        step = (self.width() - handle) / max(self.maximum(), 1)
        end = min(handle / 2 + (strip.last + 0.5) * step, self.width())
        marks = (strip.sure, self._palette.gain), (strip.foreign, self._palette.loss)
        for first, colour in marks:
            if first is not None:
                start = handle / 2 + (first - 0.5) * step
                top = self.height() - _BAND
                paint_plate(
                    painter, QRectF(start, top, end - start, _BAND), colour, _BAND / 2
                )
