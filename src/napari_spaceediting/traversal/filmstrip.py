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
_LEAST_SIDE = 140
"""Pixels that small images are enlarged to at least, by a whole factor."""


def draw_filmstrip(
    images: NDArray[np.float32], captions: Sequence[Sequence[str]], path: Path
) -> None:
    """Draw images in a row, each above the lines of its caption.

    Parameters
    ----------
    images : (n, C, H, W) float32 array
        In [0, 1].
    captions : sequence of n sequences of str
        What is cut off where it does not fit.
    path : Path
        PNG file to write.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    pixels = to_rgb(images)
    n, height, width = pixels.shape[:3]
    factor = max(1, -(-_LEAST_SIDE // min(height, width)))
    height, width = height * factor, width * factor
    lines = max(map(len, captions))
    strip = Image.new(
        "RGB",
        (_GAP + n * (width + _GAP), 2 * _GAP + height + lines * _LINE),
        _PAGE,
    )
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(_SIZE)
    for at, (image, caption) in enumerate(zip(pixels, captions, strict=True)):
        left = _GAP + at * (width + _GAP)
        enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
        strip.paste(Image.fromarray(enlarged), (left, _GAP))
        for number, words in enumerate(caption):
            while draw.textlength(words, font) > width:
                words = f"{words[:-2]}…"
            top = _GAP + height + 4 + number * _LINE
            draw.text((left, top), words, fill=_TEXT, font=font)
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
