"""How raw intensities become numbers between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError

Mode = Literal["dtype", "percentile", "range"]

PERCENTILES = (0.1, 99.9)
"""Lower and upper percentile that become 0 and 1: robust to hot pixels."""

_PIXELS_PER_IMAGE = 10_000
"""Pixels of one image that percentiles are judged from."""


@dataclass(frozen=True)
class IntensityScaling:
    """A linear stretch of intensities to [0, 1], the same for every image.

    Parameters
    ----------
    mode : {"dtype", "percentile", "range"}
        `dtype` divides integers by the largest value of their type and takes
        floats as they are; `percentile` and `range` stretch from `low` to `high`,
        which came from percentiles, or from the smallest and largest value.
    low, high : tuple of float
        One value per channel, or one for all channels; empty for `dtype`.

    Raises
    ------
    DataError
        The mode is unknown, or `low` and `high` do not fit together.
    """

    mode: Mode = "dtype"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

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
        """Scale raw intensities.

        Parameters
        ----------
        images : (..., C) array of any real dtype
            Channels last; with at most one value in `low`, any shape.

        Returns
        -------
        float32 array of the same shape, clipped to [0, 1]
        """
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
        """Return one sentence about the scaling."""
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

    @classmethod
    def from_percentiles(cls, images: Iterable[NDArray[Any]]) -> IntensityScaling:
        """Judge the scaling from examples: (H, W, C) arrays without NaN."""
        pixels = [_thinned(image.reshape(-1, image.shape[-1])) for image in images]
        low, high = np.percentile(np.concatenate(pixels), PERCENTILES, axis=0)
        low, high = low.astype(float), high.astype(float)
        high = np.where(high > low, high, low + 1.0)  # a constant channel
        return cls("percentile", tuple(low.tolist()), tuple(high.tolist()))


def suits_its_type(dtypes: set[np.dtype[Any]]) -> bool:
    """Whether images of these types fill them, so that no pixel need be looked at.

    Those of 8 bits do, and booleans; so must integers of several types together.
    """
    if dtypes <= {np.dtype(np.uint8), np.dtype(np.bool_)}:
        return True
    return len(dtypes) > 1 and all(dtype.kind in "iub" for dtype in dtypes)


def _thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return at most `_PIXELS_PER_IMAGE` rows, spread evenly."""
    if len(pixels) <= _PIXELS_PER_IMAGE:
        return pixels
    return pixels[np.linspace(0, len(pixels) - 1, _PIXELS_PER_IMAGE, dtype=np.intp)]
