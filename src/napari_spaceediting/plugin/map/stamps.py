"""Dots that are painted by the thousand: each kind is drawn once and then copied."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPixmap


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
        stamp = _disc(tuple(shade), radius, ink.rgba(), ratio)
        painter.drawPixmap(QPointF(x, y), stamp)


def _half(radius: float) -> int:
    return int(np.ceil(1.2 * radius)) + 1


@lru_cache(512)
def _disc(
    shade: tuple[int, int, int], radius: float, ink: int, ratio: float
) -> QPixmap:
    half = _half(radius)
    stamp = QPixmap(round(2 * half * ratio), round(2 * half * ratio))
    stamp.setDevicePixelRatio(ratio)
    stamp.fill(Qt.GlobalColor.transparent)
    painter = QPainter(stamp)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor.fromRgba(ink), radius / 4))
    painter.setBrush(QColor(*shade))
    painter.drawEllipse(QPointF(half, half), radius, radius)
    painter.end()
    return stamp


def crowd(
    points: NDArray[np.floating],
    colours: NDArray[np.floating],
    radius: float,
    size: tuple[int, int],
) -> QImage:
    """Return a picture of any number of discs.

    A disc is a pattern of pixels, the opaque ones written after those of the edges,
    so that no pixel needs to be blended.

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
    inside = ((at >= -reach) & (at < [width + reach, height + reach])).all(axis=1)
    # A margin takes the parts of discs that lie beyond the edges.
    margin = 2 * reach
    stride = width + 2 * margin
    spots, first = np.unique((at[inside] + margin) @ [1, stride], return_index=True)
    shades = colours[inside][first, :3]
    pixels = np.zeros((height + 2 * margin) * stride, np.uint32)
    for cover, offsets in _pattern(radius, reach, stride):
        values = _premultiplied(shades, cover)
        for offset in offsets:
            pixels[spots + offset] = values
    seen = pixels.reshape(-1, stride)[margin:-margin, margin:-margin]
    form = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(seen.tobytes(), width, height, 4 * width, form).copy()


def _pattern(radius: float, reach: int, stride: int) -> list[tuple[float, list[int]]]:
    """Return opacities, the faintest first, and the offsets of a disc that have them."""
    steps = np.arange(-reach, reach + 1)
    cover = np.round(np.clip(radius + 0.5 - np.hypot(steps[:, None], steps), 0, 1), 2)
    offsets = steps[:, None] * stride + steps
    return [
        (float(value), offsets[cover == value].tolist())
        for value in np.unique(cover[cover > 0])
    ]


def _premultiplied(shades: NDArray[np.floating], cover: float) -> NDArray[np.uint32]:
    red, green, blue = np.round(255 * cover * shades.T).astype(np.uint32)
    return np.uint32(round(255 * cover)) << 24 | red << 16 | green << 8 | blue
