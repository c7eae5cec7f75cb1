"""Pictures of texts, for points that have no image."""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import Header

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

_SIDE, _MARGIN = 128, 6
_FONTS = ((34, 5), (26, 7), (20, 10), (15, 14))
"""Size of a font in pixels, and letters of it in a line."""
_PAPER, _INK = 40, 235


@dataclass(frozen=True)
class TextPixels:
    """A text in place of each image, drawn when it is asked for.

    Parameters
    ----------
    texts : tuple of str
        What is drawn, as far as it fits.
    """

    texts: tuple[str, ...]

    @property
    def n_channels(self) -> int:
        """One, for they are grey."""
        return 1

    def __len__(self) -> int:
        return len(self.texts)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return the picture of text `index`, (128, 128)."""
        from PIL import Image, ImageDraw

        text = self.texts[index]
        size, width = next(((s, w) for s, w in _FONTS if _fits(text, s, w)), _FONTS[-1])
        lines = textwrap.wrap(text, width)[: _n_lines(size)]
        picture = Image.new("L", (_SIDE, _SIDE), _PAPER)
        ImageDraw.Draw(picture).multiline_text(
            (_SIDE / 2, _SIDE / 2),
            "\n".join(lines),
            fill=_INK,
            font=_font(size),
            anchor="mm",
            align="center",
        )
        return np.asarray(picture)

    def header(self, index: int) -> Header:
        """Return shape and type of every picture."""
        return Header((_SIDE, _SIDE), np.dtype(np.uint8))

    def key(self) -> str:
        """Return a digest of the texts."""
        return hashlib.sha256("\0".join(self.texts).encode()).hexdigest()[:24]


def _fits(text: str, size: int, width: int) -> bool:
    return len(textwrap.wrap(text, width)) <= _n_lines(size)


def _n_lines(size: int) -> int:
    return int((_SIDE - 2 * _MARGIN) // (1.2 * size))


@cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
