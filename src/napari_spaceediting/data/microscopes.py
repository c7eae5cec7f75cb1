"""Read files of microscopes with bioio, which the extra `bio` brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import Unfit


def read_microscope(path: Path, name: str) -> NDArray[Any]:
    """Read the one image of a file, (H, W) or (H, W, C).

    Parameters
    ----------
    name : str
        Of its kind, with an article.

    Raises
    ------
    Unfit
        The readers are not there, or it holds several images or planes.
    """
    try:
        from bioio import BioImage
    except ImportError:
        raise Unfit(
            f"is {name}, which is not read: install the readers of microscopes with "
            f'pip install "napari-spaceediting[bio]", or save it as TIFF'
        ) from None
    image = BioImage(path)
    if len(image.scenes) > 1:
        raise Unfit(f"holds {len(image.scenes)} images: save each as TIFF")
    sizes = {axis: getattr(image.dims, axis) for axis in image.dims.order}
    if any(sizes[axis] > 1 for axis in sizes if axis not in "CYXS"):
        shown = " x ".join(f"{axis} {size}" for axis, size in sizes.items() if size > 1)
        raise Unfit(
            f"is a stack of planes ({shown}): open it in napari and use its layer, or "
            f"save one image per plane"
        )
    colours = sizes.get("S", 1) > 1
    if colours and sizes["C"] > 1:
        raise Unfit("has several channels of colours: save each as TIFF")
    array = np.asarray(image.get_image_data("YXS" if colours else "YXC"))
    return array[..., 0] if array.shape[-1] == 1 else array
