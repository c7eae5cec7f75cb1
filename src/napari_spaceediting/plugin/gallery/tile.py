"""A tile of the gallery: an image with its frame, its badge and its caption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QRect, QRectF, Qt
from qtpy.QtGui import QFont, QFontMetrics, QPainter, QPixmap

from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.painting import (
    bold,
    outline,
    paint_plate,
    rounded_pixmap,
    smaller,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor
from napari_spaceediting.plugin.widgets.recent import Recent

_CAPTIONED = 3
"""Least side of an image with a caption, in heights of a line."""
_ROOM = 64 << 20
"""Bytes of tiles that are kept as they are painted."""


@dataclass(frozen=True)
class Caption:
    """What is written around a tile.

    Parameters
    ----------
    text : str
        Beneath the image, such as its class; cut where it is too long.
    border : colour
        Frame of the image, such as the colour of its class; "" for none.
    badge : str
        A few characters on the corner of the image; "" for none.
    detail : str
        In a second line, such as what the network says; cut where it is too long.
    figure : str
        After the detail, and never cut, such as "87%".
    is_odd : bool
        Whether the second line shall catch the eye.
    """

    text: str
    border: Colour = ""
    badge: str = ""
    detail: str = ""
    figure: str = ""
    is_odd: bool = False

    @property
    def in_full(self) -> str:
        """All of it in one line."""
        return " ".join(filter(None, [self.text, self.detail, self.figure]))


class TilePainter:
    """Paints tiles; pictures are scaled once while they are in use.

    Parameters
    ----------
    pictures : Pictures
        Indices point to them.
    is_captioned : bool
        Whether there is writing beneath images that are large enough for it.
    """

    palette: Palette

    def __init__(self, pictures: Pictures, is_captioned: bool) -> None:
        self._pictures = pictures
        self._is_captioned = is_captioned
        self._drawn: Recent[object, QPixmap] = Recent(_ROOM)

    def caption_height(self, side: int, font: QFont) -> int:
        """Return the height of two lines, or 0 where an image is too small for them."""
        line = QFontMetrics(smaller(font)).height()
        is_large = self._is_captioned and side >= _CAPTIONED * line
        return 2 * line if is_large else 0

    def paint(
        self,
        painter: QPainter,
        tile: QRect,
        plate: QRectF,
        index: int,
        caption: Caption,
        *,
        stands_out: bool,
        has_plate: bool,
        has_focus: bool,
    ) -> None:
        """Paint a tile.

        Parameters
        ----------
        painter : QPainter
            In the font of the gallery.
        tile, plate : QRect, QRectF
            Square of the image, and what is around it and its caption.
        index : int
            Of the image; there may be no picture of it.
        caption : Caption
            What is written.
        stands_out, has_plate, has_focus : bool
            Whether the plate catches the eye, is to be seen at all, and is outlined.
        """
        palette, font, side = self.palette, painter.font(), tile.width()
        radius = max(3.0, side * 0.06)
        if has_plate:
            fill = palette.current if stands_out else palette.foreground
            paint_plate(painter, plate, fill, radius + 2)
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._pixmap(index, side, radius, ratio)
        if pixmap is not None:
            painter.drawPixmap(tile.topLeft(), pixmap)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            painter.setBrush(to_qcolor(palette.foreground))
        is_framed = bool(len(caption.border))
        width = float(np.clip(side / 40, 1.5, 2.5)) if is_framed else 1.0
        frame = caption.border if is_framed else palette.line
        _draw_frame(painter, QRectF(tile), frame, width, radius)
        if caption.badge:
            self._paint_badge(painter, tile, caption.badge, font)
        if self.caption_height(side, font):
            self._paint_caption(painter, tile, caption, font, stands_out)
        if has_focus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            _draw_frame(painter, plate, palette.text, 1.5, radius + 2)
        painter.setFont(font)

    def _paint_caption(
        self,
        painter: QPainter,
        tile: QRect,
        caption: Caption,
        font: QFont,
        stands_out: bool,
    ) -> None:
        painter.setFont(smaller(font))
        metrics, palette = painter.fontMetrics(), self.palette
        figure = f" {caption.figure}" if caption.figure else ""
        room = tile.width() - metrics.horizontalAdvance(figure)
        cut = Qt.TextElideMode.ElideRight
        quiet = palette.warning_text if caption.is_odd else palette.muted
        place = QRect(tile.left(), tile.bottom() + 3, tile.width(), metrics.height())
        for text, colour in (
            (metrics.elidedText(caption.text, cut, tile.width()), palette.text),
            (metrics.elidedText(caption.detail, cut, room) + figure, quiet),
        ):
            painter.setPen(to_qcolor(palette.text if stands_out else colour))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text.strip())
            place.translate(0, metrics.height())

    def _paint_badge(
        self, painter: QPainter, tile: QRect, badge: str, font: QFont
    ) -> None:
        painter.setFont(bold(smaller(font, 0.8)))
        metrics = painter.fontMetrics()
        height = metrics.height() + 2
        width = max(height, metrics.horizontalAdvance(badge) + height // 2 + 2)
        if width > tile.width() - 4:
            return
        pill = QRectF(tile.right() - width - 2, tile.top() + 4, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(to_qcolor(self.palette.background, 0.88))
        painter.drawRoundedRect(pill, height / 2, height / 2)
        painter.setPen(to_qcolor(self.palette.text))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, badge)

    def _pixmap(
        self, index: int, side: int, radius: float, ratio: float
    ) -> QPixmap | None:
        pictures, pixels = self._pictures, round(side * ratio)
        pictures.ask(index, pixels)
        key = index, side, ratio, pictures.stamp(index)
        pixmap = self._drawn.get(key)
        if pixmap is None:
            picture = pictures.at(index, pixels)
            if picture is not None:
                pixmap = rounded_pixmap(picture, side, radius, ratio)
                self._drawn.put(key, pixmap, 4 * pixels * pixels)
        return pixmap


def _draw_frame(
    painter: QPainter, rect: QRectF, colour: Colour, width: float, radius: float
) -> None:
    painter.setPen(outline(to_qcolor(colour), width))
    inset = width / 2
    painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), radius, radius)
