"""A small curve of a training as it runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QLabel

from napari_spaceediting.plugin.widgets.controls import set_role
from napari_spaceediting.plugin.widgets.painting import outline
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor


class TrainingCurve(QLabel):
    """Loss and validation accuracy, each on a scale of its own, and in words.

    It is seen once there is something to see.
    """

    def __init__(self) -> None:
        super().__init__()
        set_role(self, "text")
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setMinimumWidth(1)
        self.setFixedHeight(round(4.6 * self.fontMetrics().height()))
        self.setAccessibleName("Training")
        self.setToolTip(
            "Loss on the training images (falls as the network learns) and "
            "accuracy on the validation images (rises)"
        )
        self._losses: list[tuple[float, float]] = []
        self._accuracies: list[tuple[float, float]] = []
        self.clear()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._write()

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
        self._write()
        self.setVisible(bool(self._losses or self._accuracies))

    def clear(self) -> None:
        """Forget all figures."""
        self._losses.clear()
        self._accuracies.clear()
        self.hide()

    def words(self) -> str:
        """Return the last figures in words."""
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

    def _write(self) -> None:
        """Write the last figures above the curves, each behind its colour."""
        said = (f'<font color="{ink}">•</font> {text}' for text, ink in self._legend())
        self.setText("&nbsp; ".join(said))
        self.setAccessibleDescription(self.words())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the curves below the words."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em = self.fontMetrics().height()
        area = QRectF(self.rect()).adjusted(2, em * 1.4, -em * 0.4, -3)
        painter.setPen(outline(to_qcolor(self._palette.line), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        steps = [step for step, _ in (*self._losses, *self._accuracies)]
        for series, colour in (
            (self._losses, self._palette.muted),
            (self._accuracies, self._palette.gain),
        ):
            if series:
                points = np.array(series)
                x = _scaled(points[:, 0], min(steps), max(steps))
                y = _scaled(points[:, 1], points[:, 1].min(), points[:, 1].max())
                x, y = thin_out(np.column_stack([x, y]), round(area.width()))
                self._paint_curve(painter, area, x, y, colour)

    @staticmethod
    def _paint_curve(
        painter: QPainter,
        area: QRectF,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        colour: str,
    ) -> None:
        x, y = area.left() + area.width() * x, area.bottom() - area.height() * y
        points = [QPointF(*at) for at in zip(x.tolist(), y.tolist(), strict=True)]
        painter.setPen(outline(to_qcolor(colour), 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(to_qcolor(colour))
        painter.drawEllipse(points[-1], 2.5, 2.5)


def _scaled(
    values: NDArray[np.float64], low: float, high: float
) -> NDArray[np.float64]:
    return (values - low) / max(high - low, 1e-12)


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
