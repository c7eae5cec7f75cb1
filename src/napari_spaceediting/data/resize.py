"""Resize many images at once, with numpy alone.

Bilinear interpolation is separable and linear, so that each axis is one small
matrix: a stack of images is resized by two matrix products.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def fit(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring images to one size, keeping their aspect ratio.

    Parameters
    ----------
    images : (n, H, W, C) float32
    size : (height, width) in pixels
        What is left over at two sides is padded with 0.

    Returns
    -------
    (n, height, width, C) float32
        Bilinear, antialiased where images shrink.
    """
    height, width = images.shape[1:3]
    if (height, width) == size:
        return images
    scale = min(size[0] / height, size[1] / width)
    inner = (
        min(size[0], max(1, round(height * scale))),
        min(size[1], max(1, round(width * scale))),
    )
    resized = _resize(images, inner)
    if inner == size:
        return resized
    fitted = np.zeros((len(images), *size, images.shape[-1]), np.float32)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    fitted[:, top : top + inner[0], left : left + inner[1]] = resized
    return fitted


def _resize(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (n, H, W, C) images resized to (n, *size, C)."""
    n, height, width, channels = images.shape
    rows: NDArray[np.float32] = _interpolation(height, size[0]) @ images.reshape(
        n, height, -1
    )
    # Channels go before columns, so that one large product does the second axis.
    rows = np.moveaxis(rows.reshape(n, size[0], width, channels), -1, 2)
    resized = rows.reshape(-1, width) @ _interpolation(width, size[1]).T
    return np.moveaxis(resized.reshape(n, size[0], channels, size[1]), 2, -1)


@lru_cache(maxsize=512)
def _interpolation(n_in: int, n_out: int) -> NDArray[np.float32]:
    """Return the (n_out, n_in) matrix of bilinear, antialiased interpolation.

    Pixel centres are at half integers; a triangle as wide as the coarser of the
    two grids weighs the input, and every row sums to 1.
    """
    scale = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * scale - 0.5
    # Outside the image the nearest pixel counts, as at its centre.
    centres = np.clip(centres, 0, n_in - 1)
    distance = np.abs(np.arange(n_in)[None, :] - centres[:, None])
    weights = np.clip(1.0 - distance / max(scale, 1.0), 0.0, None)
    matrix: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    matrix = matrix.astype(np.float32)
    matrix.flags.writeable = False
    return matrix
