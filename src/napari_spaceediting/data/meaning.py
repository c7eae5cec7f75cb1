"""What the numbers of an image mean, and how they are brought to intensities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CHANNELS = 8
"""An axis that has no name is taken for channels only if it is this short."""

MOST_PIXELS = 178_956_970
"""Images with more are not read: what is small on the disk may fill the memory. It is
the limit of Pillow."""

TOO_LARGE = (
    f"has more than {MOST_PIXELS // 10**6} million pixels, which is too many: crop or "
    f"shrink it"
)

ENDS_EARLY = "ends too early: fetch or save it again"


class Unfit(ValueError):
    """Why an image cannot be used, as the rest of a sentence that begins with it."""


class Header(NamedTuple):
    """What is known of an image before its pixels are read.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, C), as it will be read.
    dtype : numpy.dtype
        Type of its pixels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def n_channels(self) -> int:
        """1 where the image is (H, W)."""
        return self.shape[2] if len(self.shape) == 3 else 1


def top_of(dtype: np.dtype[Any], bits: int | None = None) -> int:
    """Return the number that stands for white: 1 for floats and booleans."""
    if dtype.kind not in "iu":
        return 1
    return int(np.iinfo(dtype).max) if bits is None else (1 << bits) - 1


def over_black(rgba: NDArray[Any], bits: int | None = None) -> NDArray[Any]:
    """Lay (..., 4) RGBA, or (..., 2) grey with alpha, over black: (..., 3) or (..., 1).

    Parameters
    ----------
    rgba : array of unsigned integers or floats
        Whose last channel says how opaque each pixel is, and did not go into the
        others.
    bits : int, optional
        Of a number, where they are fewer than those of its type.
    """
    alpha = _wide(rgba[..., -1:]) / top_of(rgba.dtype, bits)
    colour = rgba[..., :-1] * alpha
    if np.issubdtype(rgba.dtype, np.integer):
        colour = np.rint(colour)
    laid: NDArray[Any] = colour.astype(rgba.dtype)
    return laid


def of_print(cmyk: NDArray[Any], bits: int | None = None) -> NDArray[Any]:
    """Return (..., 3) RGB of (..., 4) inks, cyan to black, that absorb light."""
    top = top_of(cmyk.dtype, bits)
    left = 1 - _wide(cmyk) / top
    rgb: NDArray[Any] = left[..., :3] * left[..., 3:] * top
    if np.issubdtype(cmyk.dtype, np.integer):
        rgb = np.rint(rgb)
    return rgb.astype(cmyk.dtype)


def _wide(image: NDArray[Any]) -> Any:
    """Return an image in floats that have room for all its numbers."""
    return image.astype(np.float32 if image.dtype.itemsize == 1 else np.float64)


def turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an image as its Exif or TIFF orientation, 1 to 8, says it is seen."""
    if orientation > 4:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def with_channels(image: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Return an image as (H, W, C); grey is repeated where there are more channels."""
    image = image if image.ndim == 3 else image[..., None]
    grey = image.shape[-1] == 1 < n_channels
    return np.repeat(image, n_channels, axis=-1) if grey else image
