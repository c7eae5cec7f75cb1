"""A painted chart of estimates and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_spaceediting.plugin.widgets.controls import word_label
from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

_LEAST_MARKS = 4
"""Room for marks, in heights of a line, below which figures are written short."""


@dataclass(frozen=True)
class Interval:
    """A row of an `IntervalChart`.

    Parameters
    ----------
    name : str
        Written on the left.
    value, low, high : float
        Estimate and its interval; NaN where nothing is known.
    text : str
        Written on the right; where the chart is narrow, only what is before two spaces.
    tone : str
        Colour of the palette: "text", "muted", "gain" or "loss".
    tooltip : str
        In full.
    """

    name: str
    value: float
    low: float
    high: float
    text: str
    tone: str
    tooltip: str


class IntervalChart(QWidget):
    """Estimates as dots with their intervals as lines, on one axis.

    Parameters
    ----------
    title : str
        Written over it by `heading`, a label that comes and goes with the estimates.
    zero : bool
        Whether to show differences: the axis contains zero, marked by a line.
    """

    row_clicked = Signal(int)

    def __init__(self, title: str, zero: bool = False) -> None:
        super().__init__()
        self.heading = word_label("strong", title)
        self.rows: tuple[Interval, ...] = ()
        self._zero = zero
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.updateGeometry()
        self.update()

    def set_rows(self, rows: Sequence[Interval]) -> None:
        """Show these estimates, from top to bottom."""
        self.rows = tuple(rows)
        self.setAccessibleDescription("; ".join(row.tooltip for row in rows))
        for part in (self, self.heading):
            part.setVisible(bool(rows))
        self.updateGeometry()
        self.update()

    @property
    def pitch(self) -> int:
        """Height of a row in pixels."""
        return round(self.fontMetrics().height() * 1.35)

    def sizeHint(self) -> QSize:
        """Ask for the rows and the axis beneath."""
        axis = QFontMetrics(smaller(self.font())).height() + 3
        em = self.fontMetrics().height()
        return QSize(22 * em, len(self.rows) * self.pitch + axis)

    def minimumSizeHint(self) -> QSize:
        """Allow a narrow dock."""
        return QSize(12 * self.fontMetrics().height(), self.sizeHint().height())

    def event(self, event: QEvent | None) -> bool:
        """Show the tooltip of a row."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = event.pos().y() // self.pitch
            text = self.rows[row].tooltip if 0 <= row < len(self.rows) else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Tell which row was clicked."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            row = int(event.position().y() // self.pitch)
            if 0 <= row < len(self.rows):
                self.row_clicked.emit(row)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the chart."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em, pitch = self.fontMetrics().height(), self.pitch
        written = [row.text for row in self.rows]
        names, marks = self._columns(written)
        if marks < _LEAST_MARKS * em:
            written = [text.partition("  ")[0] for text in written]
            names, marks = self._columns(written)
        low, high = self._range()

        def x(value: float) -> float:
            return names + em + marks * (value - low) / (high - low)

        step = nice_step(high - low, max(2.0, marks / em / 4))
        ticks = np.arange(math.ceil(low / step), math.floor(high / step) + 1.0) * step
        self._paint_axis(painter, x, ticks.tolist(), step)
        painter.setFont(self.font())
        for number, row in enumerate(self.rows):
            middle = (number + 0.5) * pitch
            name = QRectF(0, number * pitch, names, pitch)
            write(painter, name, row.name, self._palette.text)
            colour = getattr(self._palette, row.tone)
            line = QRectF(0, number * pitch, self.width(), pitch)
            right = Qt.AlignmentFlag.AlignRight
            write(painter, line, written[number], colour, right)
            if math.isnan(row.value):
                continue
            painter.setPen(outline(to_qcolor(colour), max(1.5, em / 9)))
            painter.drawLine(QPointF(x(row.low), middle), QPointF(x(row.high), middle))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(colour))
            painter.drawEllipse(QPointF(x(row.value), middle), em * 0.27, em * 0.27)

    def _columns(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return the widths of names and marks, beside figures."""
        metrics, room = self.fontMetrics(), self.width()
        name = max((metrics.horizontalAdvance(r.name) for r in self.rows), default=0)
        text = max(map(metrics.horizontalAdvance, texts), default=0)
        name = min(name + 2, round(room * 0.4))
        return name, max(10, room - name - text - 2 * metrics.height() - 2)

    def _range(self) -> tuple[float, float]:
        """Return the ends of the axis."""
        known = [row for row in self.rows if not math.isnan(row.value)]
        low = min((row.low for row in known), default=0.0)
        high = max((row.high for row in known), default=1.0)
        if self._zero:
            low, high = min(low, 0.0), max(high, 0.0)
        air = 0.08 * max(high - low, 0.01)
        if self._zero:
            return low - air, high + air
        return max(low - air, 0.0), min(high + air, 1.0)

    def _paint_axis(
        self,
        painter: QPainter,
        x: Callable[[float], float],
        ticks: Sequence[float],
        step: float,
    ) -> None:
        painter.setFont(smaller(self.font()))
        metrics, bottom = painter.fontMetrics(), len(self.rows) * self.pitch
        digits = 0 if step >= 0.01 else 1
        for tick in ticks:
            at, figure = x(tick), tick * 100 + 0.0
            is_zero = self._zero and abs(tick) < step / 2
            line = self._palette.muted if is_zero else self._palette.line
            painter.setPen(outline(to_qcolor(line), 1))
            painter.drawLine(QPointF(at, 0), QPointF(at, bottom))
            label = f"{figure:+.{digits}f}" if self._zero else f"{figure:.{digits}f}%"
            width = metrics.horizontalAdvance(label)
            painter.setPen(to_qcolor(self._palette.muted))
            painter.drawText(
                QRectF(at - width, bottom + 2, 2 * width, metrics.height()),
                Qt.AlignmentFlag.AlignCenter,
                "0" if is_zero else label,
            )


def nice_step(span: float, count: float) -> float:
    """Return 1, 2 or 5 times a power of ten that cuts `span` in about `count`."""
    rough = span / count
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999))
