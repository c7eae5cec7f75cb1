"""Small helpers that the painted views share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QWidget

from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor

_PIXEL_ART = 48


def apply_font(widget: QWidget, palette: Palette) -> None:
    """Give a painted widget the text size of the theme."""
    font = QFont(widget.font())
    font.setPointSizeF(palette.font_size)
    widget.setFont(font)


def smaller(font: QFont, factor: float = 0.88) -> QFont:
    """Return the font at `factor` times its size."""
    result = QFont(font)
    result.setPointSizeF(font.pointSizeF() * factor)
    return result


def bold(font: QFont) -> QFont:
    """Return the font in semi-bold."""
    result = QFont(font)
    result.setWeight(QFont.Weight.DemiBold)
    return result


def to_image(thumbnail: NDArray[np.uint8]) -> QImage:
    """Return the (h, w, 3) uint8 array as a QImage with pixels of its own."""
    pixels = np.ascontiguousarray(thumbnail)
    height, width, _ = pixels.shape
    return QImage(
        pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
    ).copy()


def squared(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture in the middle of a black square, as thumbnails are."""
    height, width, _ = picture.shape
    side = max(height, width)
    if height == width:
        return picture
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def rounded_pixmap(
    thumbnail: NDArray[np.uint8], side: int, radius: float, ratio: float
) -> QPixmap:
    """Return a thumbnail as a square pixmap with rounded corners.

    Parameters
    ----------
    thumbnail : (h, w, 3) uint8 array
        Small images are enlarged by a whole factor first, so that their pixels
        stay crisp; what remains is smoothed.
    side, radius : int, float
        Of the result, in logical pixels.
    ratio : float
        Device pixels per logical pixel.
    """
    pixels = round(side * ratio)
    image = to_image(thumbnail)
    whole = -(-pixels // max(image.width(), 1))
    if max(image.width(), image.height()) <= _PIXEL_ART and whole > 1:
        image = image.scaled(image.width() * whole, image.height() * whole)
    image = image.scaled(
        pixels,
        pixels,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    result = QPixmap(pixels, pixels)
    result.fill(QColor(0, 0, 0, 0))
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    left, top = (pixels - image.width()) // 2, (pixels - image.height()) // 2
    painter.translate(left, top)
    painter.setBrush(QBrush(image))
    painter.drawRoundedRect(
        QRectF(0, 0, image.width(), image.height()), radius * ratio, radius * ratio
    )
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result


def outline(colour: QColor, width: float) -> QPen:
    """Return a pen with round joins."""
    pen = QPen(colour, width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    return pen


def paint_plate(
    painter: QPainter, rect: QRectF, fill: Colour, radius: float = 4
) -> None:
    """Paint the rounded ground of what is chosen or under the pointer."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(to_qcolor(fill))
    painter.drawRoundedRect(rect, radius, radius)


def write(
    painter: QPainter,
    rect: QRectF,
    text: str,
    colour: Colour,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    """Write a line in the painter's font, cut where it is too long."""
    painter.setPen(to_qcolor(colour))
    painter.drawText(
        rect,
        Qt.AlignmentFlag.AlignVCenter | align,
        painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, round(rect.width())
        ),
    )
