"""What the images of a path will look like, before they are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.traversal.witness import Array


def preview_images(
    coefficients: Array, images: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mix real images as the places in feature space are mixed from theirs.

    A place is ``F^T c`` with the features F of real images; its preview has the same c
    over their pixels. It shows at once where a path leads, without its fine detail, and
    is what `reconstruct` would give if the features were the pixels.

    Parameters
    ----------
    coefficients : (n, K) float64 array
        Each row sums to 1, as from `traverse_path` or `interpolate_path`.
    images : (K, C, H, W) float32 array
        The real images, in [0, 1].

    Returns
    -------
    (n, C, H, W) float32 array
        In [0, 1].
    """
    used = np.flatnonzero(coefficients.any(axis=0))
    weights = coefficients[:, used].astype(np.float32)
    mixed = np.tensordot(weights, images[used], axes=1)
    return np.clip(mixed, 0, 1, out=mixed)
