"""What the images of a path will look like, before they are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.traversal.witness import Array

_BLOCK = 64
"""Images that are read at once: bounds the memory."""


def preview_images(
    coefficients: Array, dataset: ImageDataset, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mix real images as the places in feature space are mixed from theirs.

    A place is ``F^T c`` with the features F of real images; its preview has the same c
    over their pixels. It shows at once where a path leads, and is what `reconstruct`
    would give if the features were the pixels.

    Parameters
    ----------
    coefficients : (n, K) float64 array
        Each row sums to 1, as from `traverse_path`.
    dataset : ImageDataset
        Of the real images.
    rows : (K,) int64 array
        Dataset index of each.

    Returns
    -------
    (n, C, H, W) float32 array
        In [0, 1].

    Raises
    ------
    DataError
        If an image cannot be read.
    """
    used = np.flatnonzero(coefficients.any(axis=0))
    shape = dataset.n_channels, *dataset.image_size
    mixed = np.zeros((len(coefficients), *shape), np.float32)
    for start in range(0, len(used), _BLOCK):
        block = used[start : start + _BLOCK]
        weights = coefficients[:, block].astype(np.float32)
        mixed += np.tensordot(weights, dataset.images(rows[block]), axes=1)
    return np.clip(mixed, 0, 1, out=mixed)
