"""Colours of classes and channels, for any surface and every eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def class_colours(
    n: int, chosen: Mapping[int, str] | None = None
) -> NDArray[np.float32]:
    """Return distinct colours that suit dark and light surfaces.

    The first are those of Okabe and Ito (2008). Each further one is, among
    candidates of middle lightness on a golden-angle walk around the OKLab hue
    circle, the one that differs most from all before it to normal, protanopic
    and deuteranopic eyes. So a new class never changes the colours of others.

    Parameters
    ----------
    n : int
        Number of classes, 0 or more.
    chosen : mapping of int to str, optional
        Colours that some classes have, as "#rrggbb". None of the others has one of
        these.

    Returns
    -------
    (n, 4) float32 array
        RGBA, 0 to 1.
    """
    chosen = chosen or {}
    taken = {colour.lower() for colour in chosen.values()}
    usual = _ordered_colours(64 * -(-max(n + len(taken), 1) // 64))
    spare = (colour for colour in usual[n:] if to_hex(colour) not in taken)
    rgb = usual[:n].copy()
    for number in range(n):
        if number in chosen:
            rgb[number] = np.array([*bytes.fromhex(chosen[number][1:])]) / 255
        elif to_hex(rgb[number]) in taken:
            rgb[number] = next(spare)
    return np.column_stack([rgb, np.ones(n)]).astype(np.float32)


def to_hex(colour: ArrayLike) -> str:
    """Return a colour of shares of 1 as "#rrggbb"."""
    values = np.rint(np.asarray(colour, float)[:3] * 255).astype(int)
    return "#" + "".join(f"{value:02x}" for value in values.tolist())


def named_colours(
    names: Sequence[str], chosen: Mapping[str, str] | None = None
) -> NDArray[np.float32]:
    """Return the colours of classes, and of none at the end, so that labels index them.

    Parameters
    ----------
    names : sequence of str
        C classes.
    chosen : mapping of str to str, optional
        Colours that some of them have, as "#rrggbb".

    Returns
    -------
    (C + 1, 4) float32 array
        RGBA, 0 to 1.
    """
    chosen = chosen or {}
    own = {at: chosen[name] for at, name in enumerate(names) if name in chosen}
    table = np.vstack([class_colours(len(names), own), UNLABELLED_COLOUR])
    return table.astype(np.float32)


def label_colours(labels: ArrayLike, n_classes: int) -> NDArray[np.float32]:
    """Return the colour of each label: of its class, or grey for none (-1).

    Parameters
    ----------
    labels : (m,) int array_like
        Classes, -1 for none.
    n_classes : int
        Number of classes.

    Returns
    -------
    (m, 4) float32 array
        RGBA, 0 to 1.
    """
    table = np.vstack([class_colours(n_classes), UNLABELLED_COLOUR])
    return table.astype(np.float32)[np.asarray(labels, np.int64)]


@lru_cache(maxsize=4)
def _ordered_colours(n: int) -> NDArray[np.float64]:
    """Return (n, 3) sRGB colours, each as far as can be from those before."""
    grey = np.array([UNLABELLED_COLOUR[:3]])
    seeds = np.array([list(bytes.fromhex(seed[1:])) for seed in _SEEDS]) / 255
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
    rgb: NDArray[np.float64] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return rgb


def _as_seen(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (3, n, 3) OKLab colours as normal, protan and deutan eyes see them."""
    linear = to_linear(rgb)
    views = [linear, linear @ _PROTAN.T, linear @ _DEUTAN.T]
    lms = np.clip(np.stack(views), 0, 1) @ _RGB_TO_LMS.T
    lab: NDArray[np.float64] = np.cbrt(lms) @ _LMS_TO_LAB.T
    return lab


def to_linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the transfer function of sRGB (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def channels_to_rgb(images: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return images (..., C) in [0, 1] as (..., 3) for the screen.

    Grey is repeated; two channels are green and magenta, which colour-blind people can
    tell apart; of more than three channels the first three are red, green and blue.
    """
    shown = {1: [0, 0, 0], 2: [1, 0, 1]}.get(images.shape[-1], [0, 1, 2])
    pixels = np.rint(images * 255).clip(0, 255).astype(np.uint8)
    return np.asarray(pixels[..., shown])
