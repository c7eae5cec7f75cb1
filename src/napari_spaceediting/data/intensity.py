"""How raw intensities become numbers between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError

Mode = Literal["dtype", "percentile", "range"]

PERCENTILES = (0.1, 99.9)
"""Lower and upper percentile that become 0 and 1: robust to hot pixels."""

_PIXELS_PER_IMAGE = 10_000
"""Pixels of one image that percentiles are judged from."""

EIGHT_BITS = "8 bits"
"""What `kind_of_numbers` calls images that fill their type."""

_DARK = 32
"""Images of 8 bits fill them if one of them reaches this."""

_FAR_OFF, _FEW = 20, 0.02
"""So many times as far from the others is odd, if no larger share of images is."""


@dataclass(frozen=True)
class IntensityScaling:
    """A linear stretch of intensities to [0, 1], the same for every image of a type.

    Parameters
    ----------
    mode : {"dtype", "percentile", "range"}
        `dtype` divides integers by the largest value of their type and takes
        floats as they are; `percentile` and `range` stretch from `low` to `high`,
        which came from percentiles, or from the smallest and largest value.
    low, high : tuple of float
        One value per channel, or one for all channels; empty for `dtype`.
    others : mapping of str to IntensityScaling
        For images of other types, by `kind_of_numbers`.

    Raises
    ------
    DataError
        The mode is unknown, or `low` and `high` do not fit together.
    """

    mode: Mode = "dtype"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    others: Mapping[str, IntensityScaling] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise DataError(
                f"The intensity scaling {self.mode!r} is unknown: use one of "
                f"{', '.join(get_args(Mode))}."
            )
        if self.mode == "dtype":
            return
        if len(self.low) != len(self.high) or not self.low:
            raise DataError(
                f"The intensity scaling {self.mode!r} needs one low and one high "
                f"value per channel, not {len(self.low)} and {len(self.high)}."
            )
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise DataError(
                f"The intensity scaling needs every low value {self.low} below its "
                f"high value {self.high}."
            )

    def apply(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return scaled intensities, float32 of the same shape, clipped to [0, 1].

        Parameters
        ----------
        images : (..., C) array of any real dtype
            Channels last; with at most one value in `low`, any shape.
        """
        if self.others:
            other = self.others.get(kind_of_numbers(images.dtype))
            if other is not None:
                return other.apply(images)
        if self.mode == "dtype":
            scaled = images.astype(np.float32)
            if np.issubdtype(images.dtype, np.integer):
                scaled /= np.float32(np.iinfo(images.dtype).max)
        else:
            low = np.asarray(self.low)
            gain = 1.0 / (np.asarray(self.high) - low)
            # Subtract in the wider type: uint32 and float64 may need it.
            wide = np.float32 if images.dtype.itemsize <= 2 else np.float64
            scaled = ((images.astype(wide) - low.astype(wide)) * gain).astype(
                np.float32, copy=False
            )
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def unit(self, dtype: np.dtype[Any]) -> NDArray[np.float64]:
        """Return how far raw intensities of a type go from 0 to 1, one or C values."""
        if self.mode == "dtype":
            return np.array([np.iinfo(dtype).max if dtype.kind in "iu" else 1.0])
        return np.subtract(self.high, self.low, dtype=np.float64)

    def describe(self) -> str:
        """Return one sentence about the scaling, or one for each type."""
        others = (f"Of {name}: {o.describe()}" for name, o in self.others.items())
        return " ".join([self._description(), *others])

    def _description(self) -> str:
        if self.mode == "dtype":
            return "Intensities are divided by the largest value of their type."
        ranges = ", ".join(
            f"{low:.4g} to {high:.4g}"
            for low, high in zip(self.low, self.high, strict=True)
        )
        if self.mode == "range":
            return f"Intensities are stretched from their full range ({ranges})."
        lower, upper = PERCENTILES
        return (
            f"Intensities are stretched from percentile {lower:g} to {upper:g} of the "
            f"training images ({ranges})."
        )


def kind_of_numbers(dtype: np.dtype[Any]) -> str:
    """Name a type of pixels; those whose numbers mean the same have one name."""
    if dtype == np.bool_ or dtype == np.uint8:
        return EIGHT_BITS
    return "floats" if dtype.kind == "f" else dtype.newbyteorder("=").name


def is_dark(images: Iterable[NDArray[Any]]) -> bool:
    """Tell whether images of 8 bits leave nearly all of them unused.

    Only as many are looked at as it takes to find a bright one.
    """
    return all(image.dtype == np.uint8 and image.max() < _DARK for image in images)


def judge(
    images: Iterable[NDArray[Any]],
) -> tuple[IntensityScaling, NDArray[np.intp]]:
    """Judge the scaling from examples.

    Parameters
    ----------
    images : iterable of (H, W, C) arrays without NaN

    Returns
    -------
    scaling : IntensityScaling
        By percentiles; where nearly all pixels are alike, by those of the others.
    odd : (n,) intp
        Which images are so far from all others that they were not asked: with them, the
        others would be black.
    """
    pixels = [_thinned(image.reshape(-1, image.shape[-1])) for image in images]
    odd = _far_off(pixels)
    asked = [part for at, part in enumerate(pixels) if at not in odd]
    channels = np.concatenate(asked).T
    low, high = zip(*map(_range_of, channels), strict=True)
    return IntensityScaling("percentile", low, high), odd


def _range_of(values: NDArray[Any]) -> tuple[float, float]:
    """Return what becomes 0 and 1 in one channel."""
    low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    above, below = values[values > low], values[values < high]
    # Of an image with a few spots, all but the spots is one number: they alone tell.
    if len(above) and np.mean(above >= high) > 0.5:
        high = float(np.percentile(above, PERCENTILES[1]))
    if len(below) and np.mean(below <= low) > 0.5:
        low = float(np.percentile(below, PERCENTILES[0]))
    return low, high if high > low else low + 1.0  # a constant channel


def _far_off(pixels: list[NDArray[Any]]) -> NDArray[np.intp]:
    """Return which images are far brighter or darker than all but a few."""
    ends = np.array([np.percentile(part, PERCENTILES, axis=0) for part in pixels])
    low, high = np.median(ends, axis=0)
    reach = _FAR_OFF * (high - low)
    outside = (ends[:, 1] > high + reach) | (ends[:, 0] < low - reach)
    odd = np.flatnonzero((outside & (reach > 0)).any(axis=-1))
    few = max(1, _FEW * len(pixels))
    return odd if len(pixels) > 2 and len(odd) <= few else odd[:0]


def _thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return about `_PIXELS_PER_IMAGE` rows, spread evenly, with both extremes."""
    if len(pixels) <= _PIXELS_PER_IMAGE:
        return pixels
    some = np.linspace(0, len(pixels) - 1, _PIXELS_PER_IMAGE, dtype=np.intp)
    extremes = np.stack([pixels.min(axis=0), pixels.max(axis=0)])
    return np.concatenate([pixels[some], extremes])
