"""Colours: of the theme, of classes and of continuous values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtGui import QColor

Colour = str | Sequence[float]
"""A colour name or "#rrggbb", or 3 or 4 shares of 1 (RGB or RGBA)."""

UNLABELLED_COLOUR = (0.55, 0.55, 0.57, 1.0)
"""Grey RGBA of images without a class."""

# Okabe and Ito (2008), "Color Universal Design": sky blue, orange, bluish green,
# reddish purple, blue, vermillion. Their yellow is darkened to show on white.
_SEEDS = (
    "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#2F7FC1", "#D55E00", "#B5A800",
)  # fmt: skip

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
_PROTAN = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
_DEUTAN = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)

# Ottosson (2020), "A perceptual color space for image processing" (OKLab).
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True)
class Palette:
    """The colours of a napari theme, and a few derived from them.

    Parameters
    ----------
    canvas, background, foreground, primary, secondary, highlight : str
        Surfaces, from the canvas to what is hovered, as "#rrggbb".
    text, icon : str
        Writing and glyphs.
    warning, error : str
        Of notices; see `warning_text` and `loss` for writing in them.
    current : str
        Fill of what is selected or pressed.
    font_size : float
        Size of plain text in points.
    """

    canvas: str
    background: str
    foreground: str
    primary: str
    secondary: str
    highlight: str
    text: str
    icon: str
    warning: str
    error: str
    current: str
    font_size: float = 9.0

    @classmethod
    def from_theme_id(cls, theme_id: str) -> Palette:
        """Return the palette of the napari theme "dark", "light", "system", ..."""
        from napari.utils.theme import get_theme

        theme = get_theme(theme_id)
        names = (
            "canvas", "background", "foreground", "primary", "secondary",
            "highlight", "text", "icon", "warning", "error", "current",
        )  # fmt: skip
        colours = {
            name: QColor(*getattr(theme, name).as_rgb_tuple()[:3]).name()
            for name in names
        }
        return cls(**colours, font_size=float(theme.font_size.removesuffix("pt")))

    @property
    def is_dark(self) -> bool:
        """Whether the theme shows light writing on a dark surface."""
        return _luminance(self.background) < _luminance(self.text)

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
    def primary_button(self) -> str:
        """Stylesheet of the one button of a view that matters most."""
        return (
            f"QPushButton:enabled {{background-color: {self.current};"
            f" color: {self.text}; font-weight: 600;}}"
            f"QPushButton:enabled:hover {{background-color: {self.accent};"
            f" color: {self.background};}}"
        )


def to_qcolor(colour: Colour, alpha: float | None = None) -> QColor:
    """Return a QColor, at the opacity `alpha` (0 to 1) where it is given."""
    if isinstance(colour, str):
        result = QColor(colour)
    else:
        result = QColor.fromRgbF(*(float(np.clip(part, 0, 1)) for part in colour))
    if alpha is not None:
        result.setAlphaF(alpha)
    return result


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


def class_colours(n: int) -> NDArray[np.float32]:
    """Return distinct colours that suit dark and light surfaces.

    The first are those of Okabe and Ito (2008). Each further one is, among
    candidates of middle lightness on a golden-angle walk around the OKLab hue
    circle, the one that differs most from all before it to normal, protanopic
    and deuteranopic eyes. So a new class never changes the colours of others.

    Parameters
    ----------
    n : int
        Number of classes, 0 or more.

    Returns
    -------
    (n, 4) float32 array
        RGBA, 0 to 1.
    """
    rgb = _ordered_colours(64 * -(-max(n, 1) // 64))[:n]
    return np.column_stack([rgb, np.ones(n)]).astype(np.float32)


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
        span = known.max() - known.min()
        level = (known - known.min()) / span if span else np.full(len(known), 0.5)
        colours[finite] = ensure_colormap("cividis").map(0.2 + 0.8 * level)
    return colours


@lru_cache(maxsize=4)
def _ordered_colours(n: int) -> NDArray[np.float64]:
    """Return (n, 3) sRGB colours, each as far as can be from those before."""
    grey = np.array([UNLABELLED_COLOUR[:3]])
    seeds = np.array([QColor(seed).getRgbF()[:3] for seed in _SEEDS])
    candidates = np.concatenate([grey, seeds, _candidates(4000)])
    seen = _as_seen(candidates)
    distance = np.full(len(candidates), np.inf)
    chosen: list[int] = []
    for step in range(n + 1):
        pick = step if step <= len(seeds) else int(distance.argmax())
        chosen.append(pick)
        # Colours need to differ to every kind of eye.
        apart = np.linalg.norm(seen - seen[:, pick, None], axis=2).min(axis=0)
        distance = np.minimum(distance, apart)
    return candidates[chosen[1:]]


def _candidates(n: int) -> NDArray[np.float64]:
    """Return the sRGB colours within the gamut of n steps of the walk."""
    step = np.arange(n)
    hue = np.deg2rad(step * 137.50776)
    lightness = np.array([0.62, 0.72, 0.54, 0.67, 0.77, 0.58])[step % 6]
    chroma = np.array([0.13, 0.09, 0.17, 0.11, 0.07])[step % 5]
    lab = np.column_stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    lms = (lab @ np.linalg.inv(_LMS_TO_LAB).T) ** 3
    linear = lms @ np.linalg.inv(_RGB_TO_LMS).T
    linear = linear[((linear >= 0) & (linear <= 1)).all(axis=1)]
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )


def _as_seen(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (3, n, 3) OKLab colours as normal, protan and deutan eyes see them."""
    linear = _to_linear(rgb)
    views = [linear, linear @ _PROTAN.T, linear @ _DEUTAN.T]
    lms = np.clip(np.stack(views), 0, 1) @ _RGB_TO_LMS.T
    return np.cbrt(lms) @ _LMS_TO_LAB.T


def _to_linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the transfer function of sRGB (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _luminance(colour: str) -> float:
    linear = _to_linear(np.array(QColor(colour).getRgbF()[:3]))
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
