"""Read photographs and the like: with Pillow, and what is deeper than 8 bits.

Pillow has no colours of more than 8 bits. Where it would drop bits, it only tells what
there is, and imagecodecs decodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import (
    TOO_LARGE,
    Header,
    Unfit,
    over_black,
    turned,
)
from napari_spaceediting.data.profiles import to_srgb

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_JPEG_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
"""A marker within or after compressed data, other than those to restart by."""
_LATE_EXIF = (b"eXIf", b"exif", b"xmp")
"""What may tell, behind the pixels of a PNG, how it is turned."""
_JPEG_FRAME = re.compile(
    rb"\xff([\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7])..(.)....(.)", re.DOTALL
)
"""What a JPEG says of its pixels: the kind of coding, their bits, their channels."""
_JPEG_2000_SIZE = re.compile(rb"\xff\x51.{36}(..)(.)", re.DOTALL)
"""The number of channels, and the bits of the first one less 1."""
_AVIF_BITS = re.compile(rb"av1C..(.)", re.DOTALL)
_FAR_IN = 1 << 16
"""Where what a file says of its pixels has begun, in bytes."""

_READ_AS = {
    "CMYK": "CMYK",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "I;16B": "I;16",
    "I;16L": "I;16",
    "I;16N": "I;16",
}
"""Modes of Pillow that are read in another one."""
_WITH_ALPHA = {"1": "LA", "L": "LA", "RGB": "RGBA"}

_ORIENTATION = 274
"""The number of the tag."""


def read_photo(file: IO[bytes], frame: int = 0) -> NDArray[Any]:
    """Read one frame of what Pillow recognises.

    Parameters
    ----------
    file : binary file
        At its beginning.
    frame : int
        Which of them, where there are several.

    Returns
    -------
    (H, W) or (H, W, C) array
        Transparent images lie over black, and all are turned as their Exif data say.

    Raises
    ------
    Unfit
        It has too many pixels, or colours that cannot be told.
    """
    with _opened(file) as photo:
        if frame:
            photo.seek(frame)
        if _is_deep(photo, file):
            image = _deep(photo, file)
        else:
            mode = _mode(photo)
            image = np.array(photo if photo.mode == mode else photo.convert(mode))
            if mode == "I" and photo.format == "PPM":  # its 16 bits, handed out as 32
                image = image.astype(np.uint16)
            image = _seen(image, photo.info, is_print=mode == "CMYK")
        # At the end, because a PNG may say it behind its pixels.
        return turned(image, photo.getexif().get(_ORIENTATION, 1))


def header_of_photo(file: IO[bytes]) -> Header | None:
    """Tell what `read_photo` would give, None where only decoding tells."""
    from PIL import Image, ImageMode

    with _opened(file) as photo:
        if photo.format not in ("JPEG", "PNG") or _is_deep(photo, file):
            return None
        mode = _mode(photo)
        width, height = photo.size
        # That of a PNG would decode it, to look for what stands behind the pixels.
        orientation = Image.Image.getexif(photo).get(_ORIENTATION, 1)
        if not _is_whole(photo):
            return None
    if orientation > 4:
        width, height = height, width
    coloured = mode in ("RGB", "RGBA", "CMYK")
    shape = (height, width, 3) if coloured else (height, width)
    return Header(shape, np.dtype(ImageMode.getmode(mode).typestr))


def read_codec(data: bytes) -> NDArray[Any]:
    """Read what imagecodecs alone does: JPEG XR and JPEG XL.

    Raises
    ------
    Unfit
        It is an animation, or its channels cannot be told.
    """
    import imagecodecs

    if data.startswith(b"II"):
        return _seen(imagecodecs.jpegxr_decode(data))
    image = imagecodecs.jpegxl_decode(data)
    if image.ndim == 4 or (image.ndim == 3 and image.shape[-1] > 4):
        raise Unfit("is an animation: save its frames as images")
    return _seen(image)


def read_heic(file: IO[bytes]) -> NDArray[Any]:
    """Read the main image of what telephones write, with the extra `heic`.

    Raises
    ------
    Unfit
        Its reader is not there.
    """
    try:
        from pi_heif import open_heif
    except ImportError:
        raise Unfit(
            "is a HEIC, which is not read: save it as JPEG, or install its reader with "
            'pip install "napari-spaceediting[heic]"'
        ) from None
    # It is turned already.
    photo = open_heif(file, convert_hdr_to_8bit=False)
    image = np.array(photo)  # its memory goes with it
    if photo.premultiplied_alpha and image.shape[-1] == 4:
        image = image[..., :3]
    return _seen(image, photo.info)


def _opened(file: IO[bytes]) -> ImageFile:
    from PIL import Image

    try:
        return Image.open(file)
    except Image.DecompressionBombError as error:
        raise Unfit(TOO_LARGE) from error


def read_rare_jpeg(data: bytes) -> NDArray[Any] | None:
    """Read a JPEG that Pillow does not: lossless, JPEG-LS, or of 12 bits.

    Returns
    -------
    array or None
        None where it is none of these.
    """
    import imagecodecs

    frame = _JPEG_FRAME.search(data[:_FAR_IN])
    if frame is None:
        return None
    coding, bits = frame[1][0], frame[2][0]
    if coding == 0xF7:
        image = imagecodecs.jpegls_decode(data)
    elif coding == 0xC3:
        image = imagecodecs.ljpeg_decode(data)
    elif bits == 12:
        image = imagecodecs.jpeg_decode(data, bitspersample=12)
    else:
        return None
    if image.ndim == 3 and image.shape[-1] not in (1, 3):
        raise Unfit(f"is a JPEG of {image.shape[-1]} channels: save it as TIFF")
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def _mode(photo: ImageFile) -> str:
    """Return the mode in which a photograph is decoded."""
    mode = photo.mode
    if mode in ("P", "PA"):
        if photo.has_transparency_data:
            return "RGBA"
        return str(photo.palette.mode) if photo.palette else "RGB"
    if "transparency" in photo.info:
        return _WITH_ALPHA.get(mode, mode)
    return _READ_AS.get(mode, mode)


def _is_deep(photo: ImageFile, file: IO[bytes]) -> bool:
    """Tell whether Pillow would drop bits, or what is transparent."""
    if photo.format == "PNG":
        return bool(photo.tile) and (
            str(photo.tile[0].args).endswith(";16B")
            and (photo.mode != "I;16" or "transparency" in photo.info)
        )
    if photo.format == "JPEG2000":
        return _jpeg_2000_bits(file) > 8
    if photo.format == "AVIF":
        found = _AVIF_BITS.search(_begin(file))
        return found is not None and bool(found[1][0] & 0x40)
    if photo.format == "PPM" and photo.mode == "RGB":
        codec, *_, what = photo.tile[0]
        return codec != "raw" and isinstance(what, tuple) and what[1] > 255
    return False


def _deep(photo: ImageFile, file: IO[bytes]) -> NDArray[Any]:
    """Decode colours of more than 8 bits."""
    import imagecodecs

    file.seek(0)
    data = file.read()
    if photo.format == "PNG":
        return _seen(imagecodecs.png_decode(data), photo.info)
    if photo.format == "AVIF":
        bits = 12 if _AVIF_BITS.search(data[:_FAR_IN])[1][0] & 0x20 else 10  # type: ignore[index]
        return _seen(imagecodecs.avif_decode(data, index=0), photo.info, bits)
    if photo.format == "JPEG2000":
        bits = _jpeg_2000_bits(file)
        image = imagecodecs.jpeg2k_decode(data)
        return _seen(image, photo.info, bits, is_print=photo.mode == "CMYK")
    codec, _, start, _ = photo.tile[0]
    if codec != "ppm":
        raise Unfit("has colours of more than 8 bits, written as text: save it as PNG")
    (width, height), n_values = photo.size, 3 * photo.width * photo.height
    values = np.frombuffer(data, ">u2", n_values, start)
    return values.reshape(height, width, 3).astype(np.uint16)


def _seen(
    image: NDArray[Any],
    about: Mapping[Any, Any] | None = None,
    bits: int | None = None,
    *,
    is_print: bool = False,
) -> NDArray[Any]:
    """Return decoded channels as they are seen: in sRGB, and without alpha."""
    if image.ndim == 2:
        return image
    n_colours = 4 if is_print else 3 if image.shape[-1] > 2 else 1
    colours, alpha = image[..., :n_colours], image[..., n_colours:]
    if n_colours > 1:
        colours = to_srgb(colours, (about or {}).get("icc_profile"), bits)
    if alpha.shape[-1]:
        colours = over_black(np.concatenate([colours, alpha], axis=-1), bits)
    return colours[..., 0] if n_colours == 1 else colours


def _jpeg_2000_bits(file: IO[bytes]) -> int:
    found = _JPEG_2000_SIZE.search(_begin(file))
    return 8 if found is None else (found[2][0] & 0x7F) + 1


def _begin(file: IO[bytes]) -> bytes:
    """Return the beginning of a file, and leave it where it is."""
    where = file.tell()
    file.seek(0)
    begin = file.read(_FAR_IN)
    file.seek(where)
    return begin


def _is_whole(photo: ImageFile) -> bool:
    """Tell whether a photograph that was just opened can be decoded for sure."""
    assert photo.fp is not None
    rest = photo.fp.read()
    if photo.format == "JPEG":
        # After the start of the only scan, the next mark is that of the end.
        mark = _JPEG_MARK.search(rest)
        return mark is not None and mark[0] == b"\xff\xd9"
    if any(mark in rest for mark in _LATE_EXIF):
        return False
    try:
        photo.verify()  # the sums of its chunks
    except (OSError, SyntaxError):
        return False
    return True
