"""Colours of the theme, and what mixes and measures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtGui import QColor

from napari_spaceediting.colours import UNLABELLED_COLOUR, to_linear

Colour = str | Sequence[float]
"""A colour name or "#rrggbb", or 3 or 4 shares of 1 (RGB or RGBA)."""


@dataclass(frozen=True)
class Palette:
    """The colours of a napari theme, and a few derived from them.

    Parameters
    ----------
    canvas, background, foreground, primary, secondary : str
        Surfaces, from the canvas on, as "#rrggbb".
    text, icon : str
        Writing and glyphs.
    warning : str
        Of notices; see `warning_text` for writing in it.
    current : str
        Fill of what is selected or pressed.
    font_size : float
        Size of plain text in points.
    theme : str
        Id of the theme.
    """

    canvas: str
    background: str
    foreground: str
    primary: str
    secondary: str
    text: str
    icon: str
    warning: str
    current: str
    font_size: float = 9.0
    theme: str = "dark"

    @classmethod
    def from_theme_id(cls, theme_id: str) -> Palette:
        """Return the palette of the napari theme "dark", "light", "system", ..."""
        from napari.utils.theme import get_theme

        theme = get_theme(theme_id)
        names = (
            "canvas", "background", "foreground", "primary", "secondary",
            "text", "icon", "warning", "current",
        )  # fmt: skip
        colours = {
            name: QColor(*getattr(theme, name).as_rgb_tuple()[:3]).name()
            for name in names
        }
        font_size = float(theme.font_size.removesuffix("pt"))
        return cls(**colours, font_size=font_size, theme=theme.id)

    @property
    def window_sheet(self) -> str:
        """Napari's stylesheet, for windows of their own, which inherit none."""
        from napari.qt import get_stylesheet

        return str(get_stylesheet(self.theme))

    @property
    def muted(self) -> str:
        """Writing of second rank."""
        return readable(mix(self.text, self.background, 0.35), self.background)

    @property
    def line(self) -> str:
        """Thin rules and outlines."""
        return mix(self.text, self.background, 0.78)

    @property
    def accent(self) -> str:
        """Marks that stand for "now" or "chosen"."""
        return readable(self.current, self.background, 3.0)

    @property
    def gain(self) -> str:
        """Writing and marks of what became better."""
        return readable("#009E73", self.background)

    @property
    def loss(self) -> str:
        """Writing and marks of what became worse or failed."""
        return readable("#D55E00", self.background)

    @property
    def warning_text(self) -> str:
        """Writing of a warning."""
        return readable(self.warning, self.background)

    @property
    def link(self) -> str:
        """Writing that leads elsewhere."""
        return readable(self.current, self.background)


def continuous_colours(values: ArrayLike) -> NDArray[np.float32]:
    """Return colours of cividis, stretched from the lowest to the highest value.

    Cividis (Nunez, Anderton and Renslow 2018) reads the same to all kinds of
    colour vision. Its darkest fifth is left out so as to show on a black canvas.

    Parameters
    ----------
    values : (N,) array_like
        Any real values; what is not finite becomes grey.

    Returns
    -------
    (N, 4) float32 array
        RGBA, 0 to 1.
    """
    from napari.utils.colormaps import ensure_colormap

    numbers = np.asarray(values, np.float64)
    colours = np.tile(np.array(UNLABELLED_COLOUR, np.float32), (len(numbers), 1))
    finite = np.isfinite(numbers)
    if finite.any():
        known = numbers[finite]
        span = np.ptp(known)
        level = (known - known.min()) / span if span else np.full(len(known), 0.5)
        # More shades than can be told apart; to map every value takes longer.
        shades = ensure_colormap("cividis").map(np.linspace(0.2, 1, 1024))
        colours[finite] = shades[np.round(1023 * level).astype(np.intp)]
    return colours


def to_qcolor(colour: Colour, alpha: float | None = None) -> QColor:
    """Return a QColor, at the opacity `alpha` (0 to 1) where it is given."""
    if isinstance(colour, str):
        result = QColor(colour)
    else:
        result = QColor.fromRgbF(*(float(np.clip(part, 0, 1)) for part in colour))
    if alpha is not None:
        result.setAlphaF(alpha)
    return result


@lru_cache(maxsize=4096)
def mix(colour: str, other: str, share: float) -> str:
    """Return `colour` blended with the share 0 to 1 of `other`, in sRGB."""
    a, b = QColor(colour), QColor(other)
    parts = zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in parts)).name()


def contrast(colour: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.1, from 1 to 21."""
    low, high = sorted((_luminance(colour), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=4096)
def readable(colour: str, surface: str, ratio: float = 4.5) -> str:
    """Return `colour`, made lighter or darker until it reads on `surface`."""
    pole = "#ffffff" if _luminance(surface) < 0.18 else "#000000"
    for share in np.linspace(0, 1, 21):
        candidate = mix(colour, pole, float(share))
        if contrast(candidate, surface) >= ratio:
            return candidate
    return pole


def _luminance(colour: str) -> float:
    linear = to_linear(np.array(QColor(colour).getRgbF()[:3]))
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
