"""A larger look at the image under the pointer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QFontMetrics, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QWidget

from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    bold,
    outline,
    rounded_pixmap,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor

SIDE = 128
"""Side of the enlarged image, in logical pixels."""
_AWAY = 16
"""Distance from the pointer, in logical pixels."""


class HoverCard(QWidget):
    """A card over its parent that lets the mouse through.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget
        What the card lies over, such as the canvas.
    """

    def __init__(self, palette: Palette, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._pixmap: QPixmap | None = None
        self._lines: tuple[str, ...] = ()
        self._border: Colour = ""
        self.set_theme(palette)
        self.hide()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.update()

    def show_image(
        self,
        thumbnail: NDArray[np.uint8],
        lines: Sequence[str],
        border: Colour,
        position: QPoint,
        bounds: QRect | None = None,
    ) -> None:
        """Show an image near a place.

        Parameters
        ----------
        thumbnail : (s, s, 3) uint8 array
            Enlarged to `SIDE`.
        lines : sequence of str
            Written beneath; the first one stands out.
        border : colour
            Frame, such as the colour of the class; "" for none.
        position : QPoint
            Of the pointer or the point, in the parent's coordinates.
        bounds : QRect, optional
            Where the card may lie; the whole parent by default.
        """
        self._pixmap = rounded_pixmap(thumbnail, SIDE, 4, self.devicePixelRatioF())
        self._lines, self._border = tuple(lines), border
        self._fit()
        if bounds is None:
            bounds = self.parentWidget().rect()
        self.move(self._place(position, bounds))
        self.show()
        self.raise_()
        self.update()

    def hide_card(self) -> None:
        """Take the card away."""
        self.hide()

    def _margin(self) -> int:
        return round(self.fontMetrics().height() * 0.5)

    def _fit(self) -> None:
        line = self.fontMetrics().height()
        margin = self._margin()
        height = SIDE + 2 * margin + len(self._lines) * line
        metrics = QFontMetrics(bold(self.font()))
        widths = [metrics.horizontalAdvance(text) + 2 for text in self._lines]
        width = min(max([SIDE, *widths]), round(1.7 * SIDE))
        self.resize(width + 2 * margin, height + (margin // 2 if self._lines else 0))

    def _place(self, position: QPoint, bounds: QRect) -> QPoint:
        """Return the top left: above the pointer if it fits, else beside it."""
        x = position.x() - self.width() // 2
        y = position.y() - self.height() - _AWAY
        if y < bounds.top():
            x = position.x() + _AWAY
            if x + self.width() > bounds.right():
                x = position.x() - _AWAY - self.width()
            y = position.y() - self.height() // 2
        left = max(bounds.left(), bounds.right() + 1 - self.width())
        top = max(bounds.top(), bounds.bottom() + 1 - self.height())
        return QPoint(min(max(x, bounds.left()), left), min(max(y, bounds.top()), top))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the card."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(outline(to_qcolor(self._palette.line), 1))
        painter.setBrush(to_qcolor(self._palette.background, 0.96))
        painter.drawRoundedRect(
            QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6
        )
        margin = self._margin()
        left = (self.width() - SIDE) // 2
        if self._pixmap is not None:
            painter.drawPixmap(left, margin, self._pixmap)
        if len(self._border):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(outline(to_qcolor(self._border), 2.5))
            painter.drawRoundedRect(QRectF(left, margin, SIDE, SIDE), 4, 4)
        line = self.fontMetrics().height()
        width = self.width() - 2 * margin
        top = margin + SIDE + margin // 2
        for number, text in enumerate(self._lines):
            first = number == 0
            font = bold(self.font()) if first else self.font()
            painter.setFont(font)
            painter.setPen(
                to_qcolor(self._palette.text if first else self._palette.muted)
            )
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, width
            )
            painter.drawText(
                QRectF(margin, top + number * line, width, line),
                Qt.AlignmentFlag.AlignCenter,
                shown,
            )
