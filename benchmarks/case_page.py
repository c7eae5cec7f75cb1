"""What the pages of all case studies share: figures in words, and small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from intervals import Interval, Run, interval, paired
from napari_spaceediting.data.writing import write_file

FOLDER = Path(__file__).parents[1] / "docs" / "case-studies"
PICTURES = FOLDER / "pictures"
PAGES = Path(__file__).parent / "case_pages"
_LARGEST = 195_000
"""Bytes of a picture at most."""
_GAP, _LINE = 4, 18
_INK, _FAINT, _PAGE = (30, 30, 30), (150, 150, 150), "white"
_HUES = (200, 80, 20), (20, 110, 170), (120, 120, 120), (30, 140, 80)
Row = tuple[str, Sequence[NDArray[np.uint8]]]
"""A caption, and images (H, W, 3) or (H, W)."""


def told(runs: Run, name: str, digits: int = 1) -> str:
    """Return the mean of a figure over all seeds, with its interval."""
    found = interval([run[name] for run in runs])
    return f"{found.mean:.{digits}f} ± {found.half:.{digits}f}"


def gained(runs: Run, one: str, other: str, digits: int = 1) -> str:
    """Return how far one figure lies above another over the same seeds."""
    found: Interval = paired(runs, one, other)
    return f"{found.mean:+.{digits}f} ± {found.half:.{digits}f}"


def keep(picture: Image.Image, name: str) -> None:
    """Write a picture of a page, as good as 195 kB allow."""
    for quality in range(88, 20, -6):
        written = BytesIO()
        picture.convert("RGB").save(written, "JPEG", quality=quality, optimize=True)
        if len(written.getvalue()) <= _LARGEST:
            break
    PICTURES.mkdir(parents=True, exist_ok=True)
    write_file(PICTURES / f"{name}.jpg", written.getvalue())


def sheet(rows: Sequence[Row], side: int = 88) -> Image.Image:
    """Draw rows of images, each below its caption."""
    width = max(len(images) for _, images in rows) * (side + _GAP) + _GAP
    high = _LINE + side + _GAP
    page = Image.new("RGB", (width, len(rows) * high + _GAP), _PAGE)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for number, (caption, images) in enumerate(rows):
        pen.text((_GAP, number * high + 1), caption, _INK, font)
        for place, image in enumerate(images):
            tile = Image.fromarray(image).convert("RGB")
            tile.thumbnail((side, side)) if max(tile.size) > side else None
            scale = side / max(tile.size)
            size = round(tile.width * scale), round(tile.height * scale)
            corner = (_GAP + place * (side + _GAP), number * high + _LINE)
            page.paste(tile.resize(size, Image.Resampling.LANCZOS), corner)
    return page


def curves(
    lines: dict[str, NDArray[np.floating]], step: int, across: str, up: str
) -> Image.Image:
    """Draw curves that begin at 0, with a value for each step across."""
    size, left, top, right, below = (720, 360), 60, 20, 190, 44
    page = Image.new("RGB", size, _PAGE)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    n = max(map(len, lines.values()))
    high = max(float(line.max()) for line in lines.values())

    def at(x: float, y: float) -> tuple[float, float]:
        wide, tall = size[0] - left - right, size[1] - top - below
        return left + x / n * wide, top + (1 - y / high) * tall

    for share in (0, 0.5, 1):
        (x, base), (_, y) = at(share * n, 0), at(0, share * high)
        pen.line([at(0, share * high), at(n, share * high)], _FAINT)
        pen.text((x, base + 6), f"{share * n * step:.0f}", _INK, font, anchor="ma")
        pen.text((left - 8, y), f"{share * high:.0f}", _INK, font, anchor="rm")
    pen.text((left, 2), up, _INK, font)
    pen.text((left, size[1] - 18), across, _INK, font)
    names_at: list[float] = []
    for hue, (name, line) in zip(_HUES, lines.items(), strict=False):
        pen.line([at(0, 0), *(at(k + 1, v) for k, v in enumerate(line))], hue, 2)
        x, y = at(len(line), float(line[-1]))
        while any(abs(y - other) < 15 for other in names_at):
            y += 3
        names_at.append(y)
        pen.text((x + 6, y), name, hue, font, anchor="lm")
    return page
