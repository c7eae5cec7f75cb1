"""A small curve of a training as it runs."""

from __future__ import annotations

from collections.abc import Sequence

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
                points = thin_out(np.array(series), round(area.width()))
                across = (area.left(), area.right())
                x = np.interp(points[:, 0], _span(steps), across)
                up = (area.bottom(), area.top())
                y = np.interp(points[:, 1], _span([v for _, v in series]), up)
                line = [QPointF(*at) for at in zip(x.tolist(), y.tolist(), strict=True)]
                painter.setPen(outline(to_qcolor(colour), 1.6))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawPolyline(QPolygonF(line))
                painter.setBrush(to_qcolor(colour))
                painter.drawEllipse(line[-1], 2.5, 2.5)


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(max(values), min(values) + 1e-12)


def thin_out(series: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Average (n, 2) steps and values over runs: `count` are left, and the last."""
    if len(series) <= count:
        return series
    runs = np.array_split(series, max(count, 1))
    return np.vstack([*(run.mean(axis=0) for run in runs), series[-1]])
