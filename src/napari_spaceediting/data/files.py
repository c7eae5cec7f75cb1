"""Read one image file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError

PHOTO_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
IMAGE_SUFFIXES = PHOTO_SUFFIXES | TIFF_SUFFIXES

_MOST_PAGES_AS_CHANNELS = 8
"""A TIFF that does not name its pages holds channels up to here, then a stack."""


def is_image_file(path: Path) -> bool:
    """Tell whether the file's suffix is that of an image we read."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_image(path: Path) -> NDArray[Any]:
    """Read one image.

    Parameters
    ----------
    path : Path
        A file whose suffix is one of `IMAGE_SUFFIXES`.

    Returns
    -------
    (H, W) or (H, W, C) array of the file's own dtype
        Transparent images are laid over black; photographs are turned as their
        EXIF data say; of an animation the first frame is taken.

    Raises
    ------
    DataError
        The file is missing, cannot be read, or holds no single image.
    """
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _read_tiff(path)
        return _read_photo(path)
    except FileNotFoundError as error:
        raise DataError(
            f"The image {path} is missing: put it back, or open the data from where "
            f"it is now."
        ) from error
    except DataError:
        raise
    except Exception as error:
        # Decoders raise anything from OSError to struct.error on a broken file.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"The image {path} cannot be read ({reason}).") from error


def over_black(rgba: NDArray[Any]) -> NDArray[Any]:
    """Lay (..., 4) RGBA, or (..., 2) grey with alpha, over black.

    Returns
    -------
    (..., 3) or (..., 1) array of the same dtype
    """
    top = np.iinfo(rgba.dtype).max if np.issubdtype(rgba.dtype, np.integer) else 1
    alpha = rgba[..., -1:].astype(np.float32) / np.float32(top)
    colour = rgba[..., :-1] * alpha
    if np.issubdtype(rgba.dtype, np.integer):
        colour = np.rint(colour)
    laid: NDArray[Any] = colour.astype(rgba.dtype)
    return laid


def _read_photo(path: Path) -> NDArray[Any]:
    import imageio.v3 as iio

    image: NDArray[Any] = iio.imread(path, plugin="pillow", index=0, rotate=True)
    if image.ndim == 2:
        return image
    channels = image.shape[-1]
    if channels == 4 and path.suffix.lower() in {".jpg", ".jpeg"}:  # CMYK, for print
        return np.asarray(iio.imread(path, plugin="pillow", index=0, mode="RGB"))
    if channels in (2, 4):
        image = over_black(image)
    return np.asarray(image[..., 0] if channels == 2 else image)


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        axes = series.axes
        image: NDArray[Any] = series.asarray()
    if image.ndim == 2:
        return image
    if image.ndim == 3:
        kind, position = next(
            (axis, at) for at, axis in enumerate(axes) if axis not in "YX"
        )
        unnamed = kind in "IQ" and image.shape[position] <= _MOST_PAGES_AS_CHANNELS
        if kind in "CS" or unnamed:
            moved: NDArray[Any] = np.moveaxis(image, position, -1)
            return moved
    shape = " x ".join(map(str, image.shape))
    raise DataError(
        f"The image {path} is a stack of planes ({axes}, {shape}): open it in napari "
        f"and use its layer, or save one image per plane."
    )
