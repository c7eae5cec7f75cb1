"""Read TIFF files: tifffile decodes, and here is what their numbers mean."""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import (
    ENDS_EARLY,
    MOST_CHANNELS,
    MOST_PIXELS,
    TOO_LARGE,
    Header,
    Unfit,
    over_black,
    top_of,
    turned,
)
from napari_spaceediting.data.profiles import lab_to_srgb, to_srgb

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_REDUCED, _MASK = 1, 4
"""Bits of what a page says that it is."""
_GUESSED = {"generic", "uniform"}
"""How tifffile calls files that say nothing of which pages belong together."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_PRINT, _YCBCR, _LAB, _ICC_LAB = 5, 6, 8, 9
"""Photometric interpretations."""
_COLOURS = {_RGB: 3, _YCBCR: 3, _PRINT: 4, _LAB: 3, _ICC_LAB: 3}
"""How many samples make a colour."""
_PROFILE = 34675
"""The tag of the ICC profile."""
_JPEGS = {6, 7, 34892, 33007}
"""Compressions that give RGB where the page has YCbCr."""
_FAX_AND_OLD_JPEG = {2, 3, 4, 6}
_STRANGE = {
    4: "is a mask of transparency",
    10: "has the colours of ITU L*a*b*",
    32803: "is raw data of a camera",
    32844: "has logarithmic intensities",
    32845: "has logarithmic colours",
    34892: "is raw data of a camera",
    51177: "is a depth map",
}
_PREMULTIPLIED, _ALPHA = 1, 2
"""Kinds of extra samples that say how opaque a pixel is."""


def read_tiff(file: IO[bytes]) -> NDArray[Any]:
    """Read the one image of a TIFF file.

    Returns
    -------
    (H, W) or (H, W, C) array
        In intensities: colours of palettes, inks and L*a*b* are RGB, white is high,
        alpha is laid over black, what has fewer than 8 bits fills them, and all is
        turned as the file says. Other extra samples are channels.

    Raises
    ------
    Unfit
        It holds a stack, several images, raw data, or none of the kinds above.
    """
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        chosen = _main(tiff)
        page = chosen.keyframe
        channels = _channel_axis(chosen)
        _check(page, channels is not None and chosen.axes[channels] != "S")
        if _needs_pillow(page):
            return _by_pillow(file, tiff, page)
        image = _decoded(chosen, tiff.filehandle.size)
        if channels is not None:
            image = np.moveaxis(image, channels, -1)
        return turned(_meant(image, page), _orientation(page))


def header_of_tiff(file: IO[bytes]) -> Header | None:
    """Tell what `read_tiff` would give, None where only decoding tells."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        chosen = _main(tiff)
        page = chosen.keyframe
        channels = _channel_axis(chosen)
        _check(page, channels is not None and chosen.axes[channels] != "S")
        begin, end = chosen.dataoffset, tiff.filehandle.size
        is_plain = (
            begin is not None  # neither compressed nor in pieces
            and begin + chosen.nbytes <= end
            and _photometric(page) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
            and page.bitspersample in (8, 16, 32, 64)
            and not {_PREMULTIPLIED, _ALPHA} & set(map(int, page.extrasamples))
            and _orientation(page) == 1
        )
        if not is_plain:
            return None
        shape = list(_without_ones(chosen)[1])
    if channels is not None:
        shape.append(shape.pop(channels))
    assert chosen.dtype is not None
    return Header(tuple(shape), np.dtype(chosen.dtype))


def _main(tiff: TiffFile) -> TiffPageSeries:
    """Return what holds the image.

    Pages that say that they are thumbnails or masks are not it, nor what is at most
    half as large as another, as the steps of a pyramid are.
    """
    if not len(tiff.pages):
        raise Unfit(ENDS_EARLY)
    first: Any = tiff.pages.first
    if tiff.is_ome and len(tiff.pages) == 1 and not _is_beside(first):
        return _alone(first)  # others of its data set may lie in further files
    if tiff.series[0].kind in _GUESSED and any(map(_is_beside, tiff.pages)):
        # They may be as large as the image, and seem to be planes of one stack.
        series = [_alone(page) for page in tiff.pages]
    else:
        series = tiff.series
    whole = [each for each in series if not _is_beside(each.keyframe)]
    if not whole:
        inner = [page for page in first.pages or () if not _is_beside(page)]
        if len(inner) != 1:
            raise Unfit("holds nothing but thumbnails: save the image itself as TIFF")
        return _alone(inner[0])
    whole.sort(key=lambda series: -math.prod(_size(series)))
    width, _ = _size(whole[0])
    if any(2 * _size(series)[0] > width + 1 for series in whole[1:]):
        raise Unfit(
            f"holds {len(whole)} images of different sizes or types: save each as a "
            f"file of its own"
        )
    return whole[0]


def _is_beside(page: Any) -> bool:
    """Tell whether a page says that it is a thumbnail or a mask."""
    return bool(page.subfiletype & (_REDUCED | _MASK))


def _alone(page: Any) -> TiffPageSeries:
    from tifffile import TiffPageSeries

    return TiffPageSeries([page], page.shape, page.dtype, page.axes)


def _size(series: TiffPageSeries) -> tuple[int, int]:
    return series.keyframe.imagewidth, series.keyframe.imagelength


def _decoded(series: TiffPageSeries, file_size: int) -> NDArray[Any]:
    try:
        return np.asarray(series.asarray()).reshape(_without_ones(series)[1])
    except Exception as error:
        page = series.keyframe
        parts = zip(page.dataoffsets, page.databytecounts, strict=True)
        if any(start + length > file_size for start, length in parts):
            raise Unfit(ENDS_EARLY) from error
        raise


def _without_ones(chosen: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape without the axes of length 1 that stand for a stack."""
    kept = [
        (axis, size)
        for axis, size in zip(chosen.axes, chosen.shape, strict=True)
        if axis in "YX" or size > 1
    ]
    return "".join(axis for axis, _ in kept), tuple(size for _, size in kept)


def _channel_axis(chosen: TiffPageSeries) -> int | None:
    """Return the axis of channels, None if there is none, or refuse a stack."""
    axes, shape = _without_ones(chosen)
    if axes == "YX":
        return None
    if len(shape) == 3 and "Y" in axes and "X" in axes:
        position, kind = next((at, a) for at, a in enumerate(axes) if a not in "YX")
        unnamed = kind in "IQ" and shape[position] <= MOST_CHANNELS
        if kind in "CS" or unnamed:
            return position
    shown = " x ".join(map(str, shape))
    raise Unfit(
        f"is a stack of planes ({axes}, {shown}): open it in napari and use its layer, "
        f"or save one image per plane"
    )


def _photometric(page: TiffPage) -> int:
    return int(page.photometric) if 262 in page.tags else _BLACK_IS_ZERO


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get(274)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _check(page: TiffPage, has_planes: bool) -> None:
    """Refuse what cannot be told, and what is too large."""
    photometric = _photometric(page)
    if page.imagewidth * page.imagelength > MOST_PIXELS:
        raise Unfit(TOO_LARGE)
    if photometric in _STRANGE:
        raise Unfit(f"{_STRANGE[photometric]}: save it in RGB or grey")
    if photometric == _WHITE_IS_ZERO and (
        page.dtype is None or page.dtype.kind in "if"
    ):
        raise Unfit(
            f"has white for the number 0 in {page.dtype} numbers, so that black cannot "
            f"be told: save it with black for 0"
        )
    if photometric in (_PALETTE, *_COLOURS) and has_planes:
        raise Unfit("is a stack of coloured planes: save one image per plane")
    if photometric == _PRINT and page.samplesperpixel < 4:
        raise Unfit(f"has {page.samplesperpixel} inks: save it in RGB or grey")
    if photometric in (_LAB, _ICC_LAB) and page.dtype not in (np.uint8, np.uint16):
        raise Unfit(f"has L*a*b* colours of {page.dtype}: save it in RGB")


def _needs_pillow(page: TiffPage) -> bool:
    photometric = _photometric(page)
    if page.compression in _FAX_AND_OLD_JPEG:
        return True
    return photometric == _YCBCR and page.compression not in _JPEGS


def _by_pillow(file: IO[bytes], tiff: TiffFile, page: TiffPage) -> NDArray[Any]:
    """Have Pillow read a page: it knows subsampled colours."""
    from napari_spaceediting.data.photos import read_photo

    at = [each.offset for each in tiff.pages].index(page.offset)
    file.seek(0)
    return read_photo(file, at)


def _meant(image: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Return intensities of an array whose channels are last."""
    photometric, bits = _photometric(page), page.bitspersample
    if photometric == _PALETTE:
        return _coloured(image, page)
    n_colours = _COLOURS.get(photometric, 1)
    extra = tuple(map(int, page.extrasamples))
    if extra and image.ndim == 3 and image.shape[-1] == n_colours + len(extra):
        colours, others = image[..., :n_colours], image[..., n_colours:]
        image = _without_alpha(_as_seen(colours, page), others, extra, bits)
    else:
        image = _as_seen(image, page)
    if bits < 8 and image.dtype.kind == "u":
        image = image * np.uint8(255 / top_of(image.dtype, bits))
    return image


def _as_seen(colours: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Return grey whose white is high, and colours in sRGB."""
    photometric, bits = _photometric(page), page.bitspersample
    if photometric == _WHITE_IS_ZERO:
        inverted: NDArray[Any] = (
            ~colours if colours.dtype == bool else top_of(colours.dtype, bits) - colours
        )
        return inverted
    if photometric in (_LAB, _ICC_LAB):
        return _of_lab(colours, is_signed=photometric == _LAB)
    if photometric in _COLOURS and colours.ndim == 3:
        profile = page.tags.get(_PROFILE)
        return to_srgb(colours, profile and bytes(profile.value), bits)
    return colours


def _of_lab(numbers: NDArray[Any], *, is_signed: bool) -> NDArray[Any]:
    """Return RGB of L*a*b*, whose a and b are signed numbers or lie around a half."""
    bits = 8 * numbers.itemsize
    lightness, around = numbers[..., :1], numbers[..., 1:]
    if is_signed:
        top, middle = (1 << bits) - 1, 0
        around = around.view(f"{numbers.dtype.byteorder}i{numbers.itemsize}")
    else:
        top, middle = 255 << bits - 8, 1 << bits - 1
    around = (around.astype(np.float64) - middle) / (1 << bits - 8)
    lab = np.concatenate([lightness * (100 / top), around], axis=-1)
    return lab_to_srgb(lab, numbers.dtype)


def _without_alpha(
    colours: NDArray[Any], others: NDArray[Any], extra: tuple[int, ...], bits: int
) -> NDArray[Any]:
    """Lay colours over black where one of the extra samples is their alpha."""
    for at, kind in enumerate(extra):
        if kind in (_PREMULTIPLIED, _ALPHA):
            if kind == _ALPHA:
                seen = np.concatenate([colours, others[..., at : at + 1]], axis=-1)
                colours = over_black(seen, bits)
            others = np.delete(others, at, axis=-1)
            break
    image = np.concatenate([colours, others], axis=-1)
    return image[..., 0] if image.shape[-1] == 1 else image


def _coloured(image: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Return the colours of a palette: of 8 bits if it has no more."""
    palette = page.colormap
    if palette is None or image.ndim != 2:
        raise Unfit("has no palette, or samples beside it: save it as RGB")
    colours = np.moveaxis(palette, 0, -1)
    low, high = colours & 0xFF, colours >> 8
    if not high.any():
        colours = low.astype(np.uint8)
    elif (low == 0).all() or (low == high).all():
        colours = high.astype(np.uint8)
    coloured: NDArray[Any] = colours[image]
    return coloured
