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
SAME, BRIGHTER, DARKER = (128, 128, 128), (255, 176, 0), (28, 60, 200)
"""Of the difference image; told apart by all kinds of colour vision."""
LEGEND = ("darker", DARKER), ("lighter", BRIGHTER)
"""What its colours say of a step beside the original."""
_LEAST_SIDE = 140
"""Pixels that small images are enlarged to at least, by a whole factor."""


def draw_filmstrip(
    steps: NDArray[np.float32],
    goal: NDArray[np.float32],
    captions: Sequence[Sequence[str]],
    path: Path,
) -> None:
    """Draw the steps of an image and a real one in a row, and what differs below.

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
    differences = differences_to_rgb(steps)
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
        if 0 < at < len(differences):
            paste(differences[at], left, below)
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


def differences_to_rgb(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return by how much images (n, C, H, W) differ from the first, (n, H, W, 3).

    Grey where nothing differs, `BRIGHTER` and `DARKER` at the largest difference of the
    mean of the channels that occurs in any of them.
    """
    change = (images - images[:1]).mean(axis=1)
    most = np.abs(change).max() or 1.0
    share = (change / most)[..., None]
    ends = np.where(share > 0, BRIGHTER, DARKER).astype(np.float32)
    same = np.array(SAME, np.float32)
    shades = same + np.abs(share) * (ends - same)
    rounded: NDArray[np.uint8] = np.rint(shades).astype(np.uint8)
    return rounded
