"""Painted charts of accuracies, differences and recalls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QFontMetrics,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    smaller,
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
        Estimate and its interval.
    text : str
        Written on the right.
    tone : str
        "plain", "muted", "gain" or "loss".
    tooltip : str
        In full.
    short : str
        Written instead of `text` where the chart is narrow; "" for `text`.
    """

    name: str
    value: float
    low: float
    high: float
    text: str
    tone: str = "plain"
    tooltip: str = ""
    short: str = ""


class _RowChart(QWidget):
    """Rows with a name on the left, marks in the middle, a figure on the right."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tooltips: list[str] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.updateGeometry()
        self.update()

    def _pitch(self) -> int:
        return round(self.fontMetrics().height() * 1.35)

    def _colour(self, tone: str) -> str:
        return {
            "plain": self._palette.text,
            "muted": self._palette.muted,
            "gain": self._palette.gain,
            "loss": self._palette.loss,
        }[tone]

    def _columns(
        self, names: Sequence[str], texts: Sequence[str]
    ) -> tuple[int, int, int]:
        """Return the widths of names, marks and figures."""
        metrics = self.fontMetrics()
        room = self.width()
        name = max((metrics.horizontalAdvance(n) for n in names), default=0)
        text = max((metrics.horizontalAdvance(t) for t in texts), default=0)
        name = min(name + 2, round(room * 0.4))
        gap = metrics.height()
        return name, max(10, room - name - text - 2 * gap - 2), text + 2

    def _row_at(self, y: float) -> int:
        return int(y // self._pitch())

    def event(self, event: QEvent | None) -> bool:
        """Show the tooltip of a row."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = self._row_at(event.pos().y())
            if 0 <= row < len(self._tooltips):
                QToolTip.showText(event.globalPos(), self._tooltips[row], self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def minimumSizeHint(self) -> QSize:
        """Allow a narrow dock."""
        return QSize(12 * self.fontMetrics().height(), self.sizeHint().height())


class IntervalChart(_RowChart):
    """Estimates as dots with their intervals as whiskers, on one axis.

    Signals
    -------
    row_clicked(int)
        A row was clicked.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    zero : bool
        Whether to show differences: the axis contains zero, marked by a line.
    parent : QWidget, optional
        Qt parent.
    """

    row_clicked = Signal(int)

    def __init__(
        self, palette: Palette, zero: bool = False, parent: QWidget | None = None
    ) -> None:
        self._rows: tuple[Interval, ...] = ()
        self._zero = zero
        super().__init__(palette, parent)

    def set_rows(self, rows: Sequence[Interval]) -> None:
        """Show these estimates, from top to bottom."""
        self._rows = tuple(rows)
        self._tooltips = [row.tooltip for row in rows]
        self.setAccessibleDescription("; ".join(row.tooltip for row in rows))
        self.setVisible(bool(rows))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for the rows and the axis beneath."""
        axis = QFontMetrics(smaller(self.font())).height() + 3
        em = self.fontMetrics().height()
        return QSize(22 * em, len(self._rows) * self._pitch() + axis)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the chart."""
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em, pitch = self.fontMetrics().height(), self._pitch()
        titles = [row.name for row in self._rows]
        written = [row.text for row in self._rows]
        names, marks, texts = self._columns(titles, written)
        if marks < _LEAST_MARKS * em:
            written = [row.short or row.text for row in self._rows]
            names, marks, texts = self._columns(titles, written)
        left = names + em
        low, high, step = self._range(marks / em)

        def x(value: float) -> float:
            return left + marks * (value - low) / (high - low)

        bottom = len(self._rows) * pitch
        self._paint_axis(painter, x, low, high, step, bottom)
        for number, row in enumerate(self._rows):
            middle = (number + 0.5) * pitch
            line = QRectF(0, number * pitch, names, pitch)
            painter.setPen(to_qcolor(self._palette.text))
            painter.setFont(self.font())
            painter.drawText(
                line,
                Qt.AlignmentFlag.AlignVCenter,
                self.fontMetrics().elidedText(
                    row.name, Qt.TextElideMode.ElideRight, names
                ),
            )
            colour = to_qcolor(self._colour(row.tone))
            painter.setPen(outline(colour, max(1.5, em / 9)))
            painter.drawLine(QPointF(x(row.low), middle), QPointF(x(row.high), middle))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(x(row.value), middle), em * 0.27, em * 0.27)
            painter.setPen(colour)
            painter.drawText(
                QRectF(self.width() - texts, number * pitch, texts, pitch),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                written[number],
            )

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Tell which row was clicked."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            row = self._row_at(event.position().y())
            if 0 <= row < len(self._rows):
                self.row_clicked.emit(row)

    def _range(self, ems: float) -> tuple[float, float, float]:
        """Return the ends of the axis and the step between its ticks."""
        low = min(row.low for row in self._rows)
        high = max(row.high for row in self._rows)
        if self._zero:
            low, high = min(low, 0.0), max(high, 0.0)
        span = max(high - low, 0.01)
        low, high = low - 0.08 * span, high + 0.08 * span
        if not self._zero:
            low, high = max(low, 0.0), min(high, 1.0)
        return low, high, nice_step(high - low, max(2.0, ems / 4))

    def _paint_axis(
        self,
        painter: QPainter,
        x: Callable[[float], float],
        low: float,
        high: float,
        step: float,
        bottom: int,
    ) -> None:
        font = smaller(self.font())
        metrics = QFontMetrics(font)
        painter.setFont(font)
        digits = 0 if step >= 0.01 else 1
        for tick in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
            at = x(float(tick))
            is_zero = self._zero and abs(tick) < step / 2
            painter.setPen(
                outline(
                    to_qcolor(self._palette.muted if is_zero else self._palette.line),
                    1,
                )
            )
            painter.drawLine(QPointF(at, 0), QPointF(at, bottom))
            number = tick * 100 + 0.0
            label = f"{number:+.{digits}f}" if self._zero else f"{number:.{digits}f}%"
            if is_zero:
                label = "0"
            width = metrics.horizontalAdvance(label)
            painter.setPen(to_qcolor(self._palette.muted))
            painter.drawText(
                QRectF(at - width, bottom + 2, 2 * width, metrics.height()),
                Qt.AlignmentFlag.AlignCenter,
                label,
            )


class RecallChart(_RowChart):
    """Share found of every class, before and after, as dumbbells."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        self._names: tuple[str, ...] = ()
        self._before = np.empty(0)
        self._after = np.empty(0)
        super().__init__(palette, parent)

    def set_recall(
        self,
        names: Sequence[str],
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> None:
        """Show the (C,) shares of each class found; NaN where not known."""
        self._names = tuple(names)
        self._before, self._after = before, after
        self._tooltips = [
            f"{name}: {_percent(b)} of its held-out images found before, "
            f"{_percent(a)} after"
            for name, b, a in zip(names, before, after, strict=True)
        ]
        self.setAccessibleDescription("; ".join(self._tooltips))
        self.updateGeometry()
        self.update()

    def _texts(self) -> list[str]:
        return [
            "–" if np.isnan(a) else f"{_figure(b)} → {_figure(a)}"
            for b, a in zip(self._before, self._after, strict=True)
        ]

    def sizeHint(self) -> QSize:
        """Ask for one row a class."""
        em = self.fontMetrics().height()
        return QSize(20 * em, len(self._names) * self._pitch())

    def _pitch(self) -> int:
        return round(self.fontMetrics().height() * 1.25)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the rows in view."""
        if not self._names:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        texts = self._texts()
        em, pitch = self.fontMetrics().height(), self._pitch()
        name_width, marks, text_width = self._columns(self._names, texts)
        left = name_width + em
        for row, name in enumerate(self._names):
            before, after = float(self._before[row]), float(self._after[row])
            middle = (row + 0.5) * pitch
            painter.setPen(to_qcolor(self._palette.text))
            painter.drawText(
                QRectF(0, row * pitch, name_width, pitch),
                Qt.AlignmentFlag.AlignVCenter,
                self.fontMetrics().elidedText(
                    name, Qt.TextElideMode.ElideRight, name_width
                ),
            )
            painter.setPen(outline(to_qcolor(self._palette.line), 1))
            painter.drawLine(QPointF(left, middle), QPointF(left + marks, middle))
            tone = self._tone(before, after)
            colour = to_qcolor(self._colour(tone))
            if not np.isnan(after):
                end = left + marks * after
                radius = em * 0.25
                if not np.isnan(before):
                    start = left + marks * before
                    painter.setPen(outline(colour, max(2.0, em / 6)))
                    painter.drawLine(QPointF(start, middle), QPointF(end, middle))
                    painter.setPen(outline(colour, 1.5))
                    painter.setBrush(to_qcolor(self._palette.background))
                    painter.drawEllipse(QPointF(start, middle), radius, radius)
                painter.setPen(outline(colour, 1.5))
                painter.setBrush(colour)
                painter.drawEllipse(QPointF(end, middle), radius, radius)
            painter.setPen(colour)
            painter.drawText(
                QRectF(self.width() - text_width, row * pitch, text_width, pitch),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                texts[row],
            )

    @staticmethod
    def _tone(before: float, after: float) -> str:
        # Less than half a point is shown as the same figure.
        if np.isnan(before) or np.isnan(after) or abs(after - before) < 0.005:
            return "muted"
        return "gain" if after > before else "loss"


def nice_step(span: float, count: float) -> float:
    """Return 1, 2 or 5 times a power of ten that cuts `span` in about `count`."""
    rough = span / count
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999))


def _percent(share: float) -> str:
    return "no figure" if np.isnan(share) else f"{share * 100:.0f}%"


def _figure(share: float) -> str:
    return "–" if np.isnan(share) else f"{share * 100:.0f}"
