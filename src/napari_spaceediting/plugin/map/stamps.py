"""Dots and pictures that are painted over and over: drawn once and then copied."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QIcon,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QTransform,
)

from napari_spaceediting.plugin.widgets.palette import Colour, to_qcolor

_AIR = 2
"""Pixels around a picture that its frame may take."""


def blank(width: int, height: int, ratio: float) -> QPixmap:
    """Return a transparent pixmap, so many pixels of the device wide and high."""
    pixmap = QPixmap(width, height)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap


def paint_around(painter: QPainter, middle: QPointF, stamp: QPixmap) -> None:
    """Paint a pixmap with its middle at a place."""
    half = stamp.deviceIndependentSize() / 2
    painter.drawPixmap(middle - QPointF(half.width(), half.height()), stamp)


def paint_discs(
    painter: QPainter,
    points: NDArray[np.floating],
    colours: NDArray[np.floating],
    radius: float,
    ink: QColor,
) -> None:
    """Paint discs with a ring around each.

    Parameters
    ----------
    painter : QPainter
        Where to.
    points : (n, 2) float array
        Pixels (x, y).
    colours : (n, 4) float array
        RGBA; the opacity does not count.
    radius : float
        In pixels.
    ink : QColor
        Of the rings.
    """
    ratio = painter.device().devicePixelRatio()
    half = _half(radius)
    corners = (points - half).tolist()
    shades = np.round(255 * colours[:, :3]).astype(int).tolist()
    for (x, y), shade in zip(corners, shades, strict=True):
        stamp = disc(tuple(shade), radius, ink.rgba(), ratio)
        painter.drawPixmap(QPointF(x, y), stamp)


def _half(radius: float) -> int:
    return int(np.ceil(1.2 * radius)) + 1


@lru_cache(512)
def disc(shade: tuple[int, ...], radius: float, ink: int, ratio: float) -> QPixmap:
    """Return a disc of RGB or RGBA (0 to 255) with a ring of `QColor.rgba` around."""
    half = _half(radius)
    stamp = blank(round(2 * half * ratio), round(2 * half * ratio), ratio)
    painter = QPainter(stamp)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor.fromRgba(ink), radius / 4))
    painter.setBrush(QColor(*shade))
    painter.drawEllipse(QPointF(half, half), radius, radius)
    painter.end()
    return stamp


def dot(colour: Colour, radius: float, ratio: float, *, filled: bool = True) -> QIcon:
    """Return a disc or a ring as an icon, which looks the same where it is chosen."""
    shade = to_qcolor(colour)
    fill = (*shade.getRgb()[:3], 255 if filled else 0)
    pixmap = disc(fill, radius, shade.rgba(), ratio)
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon


@lru_cache(512)
def writing(text: str, face: str, colour: int, paper: int, ratio: float) -> QPixmap:
    """Return a few words with a halo around them, so that they read over anything.

    Parameters
    ----------
    text : str
        The words.
    face : str
        Of the font, as `QFont.toString` has it.
    colour, paper : int
        Of the writing and of its halo, as `QColor.rgba` has them.
    ratio : float
        Device pixels per pixel.
    """
    font = QFont()
    font.fromString(face)
    metrics = QFontMetricsF(font)
    width, height = metrics.horizontalAdvance(text) + 8, 2 * metrics.height()
    stamp = blank(int(np.ceil(width * ratio)), int(np.ceil(height * ratio)), ratio)
    path = QPainterPath()
    path.addText(4, (height + metrics.capHeight()) / 2, font, text)
    halo = QColor.fromRgba(paper)
    halo.setAlphaF(0.85)
    pen = QPen(halo, 4)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter = QPainter(stamp)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.strokePath(path, pen)
    painter.fillPath(path, QColor.fromRgba(colour))
    painter.end()
    return stamp


def crowd(
    points: NDArray[np.floating],
    colours: NDArray[np.floating],
    radius: float,
    size: tuple[int, int],
) -> QImage:
    """Return a picture of any number of discs.

    A disc is a pattern of pixels without soft edges, so that none needs to be blended.

    Parameters
    ----------
    points : (n, 2) float array
        Pixels (x, y) of the picture.
    colours : (n, 4) float array
        RGBA; the opacity does not count.
    radius : float
        In pixels of the picture.
    size : (int, int)
        Width and height of the picture.

    Returns
    -------
    QImage
        With premultiplied opacity.
    """
    width, height = size
    reach = int(np.ceil(radius))
    at = np.floor(points).astype(np.int64)
    seen = ((at >= -reach) & (at < np.array(size) + reach)).all(axis=1)
    # A margin takes the parts of discs that lie beyond the edges.
    margin = 2 * reach
    stride = width + 2 * margin
    spots = (at[seen] + margin) @ [1, stride]
    shades = np.round(255 * colours[seen, :3]).astype(np.uint32)
    shades = shades @ np.array([1 << 16, 1 << 8, 1], np.uint32) | np.uint32(0xFF << 24)
    pixels = np.zeros((height + 2 * margin) * stride, np.uint32)
    steps = np.arange(-reach, reach + 1)
    disc = np.hypot(steps[:, None], steps) <= radius
    for offset in (steps[:, None] * stride + steps)[disc].tolist():
        pixels[spots + offset] = shades
    inner = pixels.reshape(-1, stride)[margin:-margin, margin:-margin]
    form = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(inner.tobytes(), width, height, 4 * width, form).copy()


def framed(
    pixmap: QPixmap, shade: tuple[int, int, int], side: int, ratio: float
) -> QPixmap:
    """Return a picture with round corners and a frame, at the size that it is shown at.

    Parameters
    ----------
    pixmap : QPixmap
        The picture.
    shade : (int, int, int)
        RGB of the frame, 0 to 255.
    side : int
        Of the picture, in pixels.
    ratio : float
        Device pixels per pixel.
    """
    whole = round((side + 2 * _AIR) * ratio)
    made = blank(whole, whole, ratio)
    brush = QBrush(pixmap)
    brush.setTransform(
        QTransform.fromTranslate(_AIR, _AIR).scale(
            side / pixmap.width(), side / pixmap.height()
        )
    )
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setBrush(brush)
    painter.setPen(QPen(QColor(*shade), max(1.5, side / 26)))
    painter.drawRoundedRect(QRectF(_AIR, _AIR, side, side), side / 9, side / 9)
    painter.end()
    return made
