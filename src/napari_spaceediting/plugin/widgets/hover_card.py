"""A larger look at the image under the pointer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QFontMetrics, QPainter
from qtpy.QtWidgets import QFrame, QLabel, QWidget

from napari_spaceediting.plugin.widgets.controls import column
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


class HoverCard(QFrame):
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
        self._picture, self._first, self._others = QLabel(), QLabel(), QLabel()
        layout = column(self, 0)
        for label in (self._picture, self._first, self._others):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setTextFormat(Qt.TextFormat.PlainText)
            layout.addWidget(label)
        self.set_theme(palette)
        self.hide()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        apply_font(self, palette)
        margin = round(self.fontMetrics().height() * 0.5)
        self.layout().setContentsMargins(margin, margin, margin, margin)
        self._picture.setContentsMargins(0, 0, 0, margin // 2)
        ground = to_qcolor(palette.background, 0.96).getRgb()
        self.setStyleSheet(
            f"HoverCard {{background-color: rgba{ground}; border-radius: 6px;"
            f" border: 1px solid {palette.line};}}"
            f"QLabel {{background: transparent; padding: 0px; color: {palette.muted};"
            f" font-size: {palette.font_size}pt;}}"
        )
        self._first.setStyleSheet(f"color: {palette.text}; font-weight: 600;")

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
        pixmap = rounded_pixmap(thumbnail, SIDE, 4, self.devicePixelRatioF())
        if len(border):
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(outline(to_qcolor(border), 2.5))
            inside = QRectF(0, 0, SIDE, SIDE).adjusted(1.25, 1.25, -1.25, -1.25)
            painter.drawRoundedRect(inside, 4, 4)
            painter.end()
        self._picture.setPixmap(pixmap)
        metrics = QFontMetrics(bold(self.font()))
        shown = [
            metrics.elidedText(line, Qt.TextElideMode.ElideRight, round(1.7 * SIDE))
            for line in lines
        ]
        self._first.setText("".join(shown[:1]))
        self._others.setText("\n".join(shown[1:]))
        for label in (self._first, self._others):
            label.setVisible(bool(label.text()))
        self.adjustSize()
        self.move(self._place(position, bounds or self.parentWidget().rect()))
        self.show()
        self.raise_()

    def hide_card(self) -> None:
        """Take the card away."""
        self.hide()

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
