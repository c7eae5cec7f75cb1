"""Images side by side, with words under them, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_spaceediting.colours import channels_to_rgb

_PAGE, _TEXT = (38, 41, 48), (240, 241, 242)
_GAP, _SIZE, _LINE = 10, 13, 18
LIGHTER, DARKER = (255, 176, 0), (28, 60, 200)
"""Of what changed; told apart by all kinds of colour vision."""
LEGEND = ("darker", DARKER), ("lighter", LIGHTER)
"""What these colours say of a step beside the original."""
_GREYS = 30, 210
"""Black and white of an image under them."""
_COVER = 0.85
"""Opacity of the largest change."""
_LEAST_SIDE = 140
"""Pixels that small images are enlarged to at least, by a whole factor."""


def draw_filmstrip(
    steps: NDArray[np.float32],
    goal: NDArray[np.float32],
    captions: Sequence[Sequence[str]],
    path: Path,
) -> None:
    """Draw the steps of an image and a real one in a row, and what changed below.

    Parameters
    ----------
    steps : (s, C, H, W) float32 array
        In [0, 1]; the first is the original, below which the colours are explained.
    goal : (C, H, W) float32 array
        A real image to compare with, at the end of the row.
    captions : sequence of s + 1 sequences of str
        The lines under each image; what does not fit is cut off.
    path : Path
        PNG file to write.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    pixels = to_rgb(np.concatenate([steps, goal[None]]))
    changes = changes_to_rgb(steps, largest_change(steps))
    n, height, width = pixels.shape[:3]
    factor = max(1, -(-_LEAST_SIDE // min(height, width)))
    height, width = height * factor, width * factor
    below = 2 * _GAP + height + max(map(len, captions)) * _LINE
    strip = Image.new("RGB", (_GAP + n * (width + _GAP), below + height + _GAP), _PAGE)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(_SIZE)

    def paste(image: NDArray[np.uint8], left: int, top: int) -> None:
        enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
        strip.paste(Image.fromarray(enlarged), (left, top))

    for at, (image, caption) in enumerate(zip(pixels, captions, strict=True)):
        left = _GAP + at * (width + _GAP)
        paste(image, left, _GAP)
        if 0 < at < len(changes):
            paste(changes[at], left, below)
        for number, words in enumerate(caption):
            while draw.textlength(words, font) > width:
                words = f"{words[:-2]}…"
            top = _GAP + height + 4 + number * _LINE
            draw.text((left, top), words, fill=_TEXT, font=font)
    for number, (words, colour) in enumerate(LEGEND):
        middle = below + height // 2 + round((number + 0.5 - len(LEGEND) / 2) * _LINE)
        half = _SIZE // 2 - 1
        chip = (_GAP, middle - half, _GAP + 2 * half, middle + half)
        draw.rectangle(chip, fill=colour)
        place = (_GAP + _SIZE + 4, middle)
        draw.text(place, words, fill=_TEXT, font=font, anchor="lm")
    strip.save(path, format="PNG")


def to_rgb(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return images (n, C, H, W) in [0, 1] as (n, H, W, 3) for the screen."""
    return channels_to_rgb(np.moveaxis(images, 1, -1))


def largest_change(images: NDArray[np.float32]) -> float:
    """Return by how much, at most, a pixel of images (n, C, H, W) left the first."""
    return float(np.abs(_changes(images)).max()) or 1.0


def changes_to_rgb(images: NDArray[np.float32], most: float) -> NDArray[np.uint8]:
    """Return images with what changed since the first drawn over them.

    Parameters
    ----------
    images : (n, C, H, W) float32 array
        In [0, 1]; they turn grey.
    most : float
        The change of the mean of the channels that is drawn in full colour.

    Returns
    -------
    (n, H, W, 3) uint8 array
    """
    shares = (_changes(images) / most).clip(-1, 1)[..., None]
    black, white = _GREYS
    shade = to_rgb(images).mean(axis=-1, dtype=np.float32, keepdims=True)
    grey = black + (white - black) / 255 * shade
    lighter, darker = np.array([LIGHTER, DARKER], np.float32)
    ends = np.where(shares > 0, lighter, darker)
    drawn = grey + _COVER * np.abs(shares) * (ends - grey)
    return np.asarray(np.rint(drawn), np.uint8)


def _changes(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the mean of the channels is more than in the first, (n, H, W)."""
    grey = images.mean(axis=1)
    return np.asarray(grey - grey[:1])
