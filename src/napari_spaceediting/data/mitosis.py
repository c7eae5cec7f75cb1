"""Nuclei of human cells, some of them in mitosis: a picture and its segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError

MITOSIS = "mitosis"
"""What the sample is called."""
_APART = 7
"""Least distance between the middles of two nuclei, in pixels."""


def human_mitosis() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the picture, (512, 512), and the numbers of its nuclei.

    Raises
    ------
    DataError
        If the picture cannot be fetched.

    Notes
    -----
    Human cells of the RNAi screen of Moffat et al., Cell 124 (2006), CC0, as
    scikit-image ships it: fetched once, with its own checksum.
    """
    from skimage import data

    try:
        picture = data.human_mitosis()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever the library that fetches it raises
        raise DataError(
            f"The nuclei could not be fetched ({type(error).__name__}): check the "
            "connection, or open a picture of your own and its segmentation."
        ) from error
    return picture, segmented(picture)


def segmented(picture: NDArray[Any]) -> NDArray[np.int32]:
    """Return the nuclei of a picture, bright ones on dark ground.

    What is brighter than the ground by Otsu's method with three classes, which dividing
    nuclei do not mislead, is parted where it is narrow.

    Parameters
    ----------
    picture : (H, W) array
        One channel.

    Returns
    -------
    (H, W) int32 array
        Numbers of the nuclei from 1 on, 0 for the ground.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_multiotsu
    from skimage.segmentation import watershed

    smooth = gaussian(picture.astype(np.float32), 1)  # type: ignore[no-untyped-call]
    inside = smooth > threshold_multiotsu(smooth)[0]  # type: ignore[no-untyped-call]
    depth = distance_transform_edt(inside)
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        depth, min_distance=_APART, labels=inside.astype(int)
    )
    seeds = np.zeros(picture.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found = watershed(-depth, seeds, mask=inside)  # type: ignore[no-untyped-call]
    return np.asarray(found, np.int32)
