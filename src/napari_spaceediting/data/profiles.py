"""Colours as they are seen, in sRGB: what ICC profiles are for."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import of_print, top_of

_SRGB_NAMES = b"sRGB", "sRGB".encode("utf-16-be")


def to_srgb(
    image: NDArray[Any], profile: bytes | None = None, bits: int | None = None
) -> NDArray[Any]:
    """Return colours as they are seen, (H, W, 3) of the same dtype.

    Parameters
    ----------
    image : (H, W, 3) RGB or (H, W, 4) CMYK array
    profile : bytes, optional
        ICC profile. RGB without one is taken for sRGB, as are floats. One that is
        broken, or of other colours, is none.
    bits : int, optional
        Of a number, where they are fewer than those of its type.
    """
    is_print = image.shape[-1] == 4
    if profile and any(name in profile for name in _SRGB_NAMES):
        profile = None
    if profile and image.dtype in (np.uint8, np.uint16):
        import imagecodecs

        top, bits_top = np.iinfo(image.dtype).max, top_of(image.dtype, bits)
        full = image if top == bits_top else image * (top / bits_top)
        try:
            seen = imagecodecs.cms_transform(
                np.ascontiguousarray(full, image.dtype),
                profile,
                _srgb(),
                colorspace="cmyk" if is_print else "rgb",
                outcolorspace="rgb",
                intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
                # Its tables are too coarse for more than 8 bits.
                flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE if image.itemsize > 1 else None,
            )
        except imagecodecs.CmsError:
            pass
        else:
            scaled = seen if top == bits_top else np.rint(seen * (bits_top / top))
            return scaled.astype(image.dtype)
    return of_print(image, bits) if is_print else image


def lab_to_srgb(lab: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return (H, W, 3) RGB of L*a*b* under D50, L from 0 to 100, a and b around 0."""
    import imagecodecs

    seen: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(lab),
        imagecodecs.cms_profile("lab4"),
        _srgb(),
        colorspace="lab",
        outcolorspace="rgb",
        outdtype=dtype,
    )
    return seen


@cache
def _srgb() -> bytes:
    from PIL import ImageCms

    made = ImageCms.createProfile("sRGB")
    return ImageCms.ImageCmsProfile(made).tobytes()
