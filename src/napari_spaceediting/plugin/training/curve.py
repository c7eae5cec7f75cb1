"""A small curve of a training as it runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_spaceediting.plugin.widgets.painting import apply_font, outline
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor


class TrainingCurve(QWidget):
    """Loss and validation accuracy, each on a scale of its own, and in words.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Training")
        self.setToolTip(
            "Loss on the training images (falls as the network learns) and "
            "accuracy on the validation images (rises)"
        )
        self._losses: list[tuple[float, float]] = []
        self._accuracies: list[tuple[float, float]] = []
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.updateGeometry()
        self.update()

    def append(self, step: float, loss: float, accuracy: float | None = None) -> None:
        """Add the figures of a step.

        Parameters
        ----------
        step : float
            Number of the batch or epoch; never falls.
        loss : float
            Training loss; a NaN is left out.
        accuracy : float, optional
            Validation accuracy, 0 to 1, where it was measured at this step.
        """
        if np.isfinite(loss):
            self._losses.append((float(step), float(loss)))
        if accuracy is not None and np.isfinite(accuracy):
            self._accuracies.append((float(step), float(accuracy)))
        self.setAccessibleDescription(self.words())
        self.update()

    def clear(self) -> None:
        """Forget all figures."""
        self._losses.clear()
        self._accuracies.clear()
        self.setAccessibleDescription(self.words())
        self.update()

    def words(self) -> str:
        """Return the last figures in words."""
        if not self._losses and not self._accuracies:
            return "No training yet."
        return " · ".join(text for text, _ in self._legend())

    def _legend(self) -> list[tuple[str, str]]:
        parts = []
        if self._losses:
            parts.append((f"loss {self._losses[-1][1]:.3g}", self._palette.muted))
        if self._accuracies:
            last = self._accuracies[-1][1]
            best = max(value for _, value in self._accuracies)
            text = f"validation {last:.1%}"
            if best > last:
                text += f" (best {best:.1%})"
            parts.append((text, self._palette.gain))
        return parts

    def sizeHint(self) -> QSize:
        """Ask for a line of text and three lines of curve."""
        em = self.fontMetrics().height()
        return QSize(20 * em, round(4.6 * em))

    def minimumSizeHint(self) -> QSize:
        """Allow a narrow dock."""
        return QSize(10 * self.fontMetrics().height(), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the curves and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em = self.fontMetrics().height()
        area = QRectF(self.rect()).adjusted(2, em * 1.4, -em * 0.4, -3)
        painter.setPen(outline(to_qcolor(self._palette.line), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if not self._losses and not self._accuracies:
            painter.setPen(to_qcolor(self._palette.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.words())
            return
        left = 2.0
        for text, colour in self._legend():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(colour))
            painter.drawEllipse(
                QPointF(left + em * 0.22, em * 0.55), em * 0.22, em * 0.22
            )
            left += em * 0.7
            painter.setPen(to_qcolor(self._palette.text))
            room = max(0, round(self.width() - left))
            shown = self.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, room
            )
            painter.drawText(
                QRectF(left, 0, room, em * 1.1), Qt.AlignmentFlag.AlignVCenter, shown
            )
            left += self.fontMetrics().horizontalAdvance(text) + em
        ends = [s[i][0] for s in (self._losses, self._accuracies) if s for i in (0, -1)]
        span = (min(ends), max(ends))
        self._paint_curve(painter, self._losses, area, span, self._palette.muted)
        self._paint_curve(painter, self._accuracies, area, span, self._palette.gain)

    def _paint_curve(
        self,
        painter: QPainter,
        series: list[tuple[float, float]],
        area: QRectF,
        span: tuple[float, float],
        colour: str,
    ) -> None:
        if not series:
            return
        steps, values = thin_out(np.array(series), round(area.width()))
        low, high = float(values.min()), float(values.max())
        x = area.left() + area.width() * (steps - span[0]) / max(
            span[1] - span[0], 1e-12
        )
        y = area.bottom() - area.height() * (values - low) / max(high - low, 1e-12)
        points = [QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        painter.setPen(outline(to_qcolor(colour), 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(to_qcolor(colour))
        painter.drawEllipse(points[-1], 2.5, 2.5)


def thin_out(
    series: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average (n, 2) steps and values over runs so that about `count` are left."""
    run = -(-len(series) // max(count, 1))
    if run > 1:
        whole = len(series) // run * run
        means = series[:whole].reshape(-1, run, 2).mean(axis=1)
        series = np.concatenate([means, series[-1:]])
    return series[:, 0], series[:, 1]
