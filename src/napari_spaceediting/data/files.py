"""Read one image file, or its header alone."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError, reason_of

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from tifffile import TiffPageSeries

PHOTO_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
IMAGE_SUFFIXES = PHOTO_SUFFIXES | TIFF_SUFFIXES

MOST_CHANNELS = 8
"""An axis that has no name is taken for channels only if it is this short."""


def is_image_file(path: Path) -> bool:
    """Tell whether the file's suffix is that of an image we read."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


_JPEG_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
"""A marker within or after compressed data, other than those to restart by."""
_LATE_EXIF = re.compile(rb"eXIf|exif|xmp")
"""What may tell, behind the pixels of a PNG, how it is turned."""


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
    with reading("image", path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _read_tiff(path)
        return _read_photo(path)


def read_header(path: Path) -> Header | None:
    """Tell what `read_image` would give, without decoding it.

    Returns
    -------
    Header or None
        None where only decoding tells whether the file is whole: where it does not end
        as its kind must, or its kind has nothing to tell by.

    Raises
    ------
    DataError
        As for `read_image`.
    """
    with reading("image", path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _header_of_tiff(path)
        return _header_of_photo(path)


@contextmanager
def reading(what: str, path: Path) -> Iterator[None]:
    """Say in words why a file cannot be read, such as an "image".

    Raises
    ------
    DataError
        In place of any other exception.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            # Whoever opens a pipe waits for somebody to write into it.
            raise no_file(what, path)
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"The {what} {path} is missing: put it back, or open the data from where "
            f"it is now."
        ) from error
    except DataError:
        raise
    except Exception as error:
        # Readers raise anything from OSError to struct.error on a broken file.
        raise DataError(
            f"The {what} {path} cannot be read ({reason_of(error)})."
        ) from error


def no_file(what: str, path: Path) -> DataError:
    """Say that what has the name of a file is a pipe, a device or the like."""
    return DataError(f"The {what} {path} is no file: leave it out.")


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


def with_channels(image: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Return an image as (H, W, C); grey is repeated where there are more channels."""
    image = image if image.ndim == 3 else image[..., None]
    grey = image.shape[-1] == 1 < n_channels
    return np.repeat(image, n_channels, axis=-1) if grey else image


def _read_photo(path: Path) -> NDArray[Any]:
    from PIL import Image, ImageOps

    with Image.open(path) as photo:
        mode = _mode(photo)
        ImageOps.exif_transpose(photo, in_place=True)
        image = np.array(photo if photo.mode == mode else photo.convert(mode))
    if mode in ("LA", "RGBA"):
        image = over_black(image)
    return image[..., 0] if mode == "LA" else image


def _header_of_photo(path: Path) -> Header | None:
    from PIL import ExifTags, Image, ImageMode

    with Image.open(path) as photo:
        mode = _mode(photo)
        width, height = photo.size
        # That of a PNG would decode it, to look for what stands behind the pixels.
        exif = Image.Image.getexif(photo)
        if not _is_whole(photo):
            return None
    if exif.get(ExifTags.Base.Orientation, 1) > 4:
        width, height = height, width
    shape = (height, width, 3) if mode in ("RGB", "RGBA") else (height, width)
    return Header(shape, np.dtype(ImageMode.getmode(mode).typestr))


def _mode(photo: ImageFile) -> str:
    """Return the mode in which a photograph is read: colours of print are not kept."""
    if photo.mode == "P":
        return str(photo.palette.mode) if photo.palette else "RGB"
    return "RGB" if photo.mode == "CMYK" else photo.mode


def _is_whole(photo: ImageFile) -> bool:
    """Tell whether a photograph that was just opened can be decoded for sure."""
    assert photo.fp is not None
    rest = photo.fp.read()
    if photo.format == "JPEG":
        # After the start of the only scan, the next mark is that of the end.
        mark = _JPEG_MARK.search(rest)
        return mark is not None and mark[0] == b"\xff\xd9"
    if photo.format == "PNG" and not _LATE_EXIF.search(rest):
        try:
            photo.verify()  # the sums of its chunks
        except (OSError, SyntaxError):
            return False
        return True
    return False


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        channels = _channel_axis(path, series)
        image: NDArray[Any] = series.asarray()
    return image if channels is None else np.moveaxis(image, channels, -1)


def _header_of_tiff(path: Path) -> Header | None:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        channels = _channel_axis(path, series)
        begin, end = series.dataoffset, tiff.filehandle.size
    if begin is None or begin + series.nbytes > end:  # compressed, or cut off
        return None
    shape = list(series.shape)
    if channels is not None:
        shape.append(shape.pop(channels))
    return Header(tuple(shape), series.dtype)


def _channel_axis(path: Path, series: TiffPageSeries) -> int | None:
    """Return the axis of channels, None if there is none, or refuse a stack."""
    axes, shape = series.axes, series.shape
    if len(shape) == 2:
        return None
    if len(shape) == 3:
        kind, position = next(
            (axis, at) for at, axis in enumerate(axes) if axis not in "YX"
        )
        unnamed = kind in "IQ" and shape[position] <= MOST_CHANNELS
        if kind in "CS" or unnamed:
            return position
    shown = " x ".join(map(str, shape))
    raise DataError(
        f"The image {path} is a stack of planes ({axes}, {shown}): open it in napari "
        f"and use its layer, or save one image per plane."
    )
