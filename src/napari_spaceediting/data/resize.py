"""Resize images with numpy and scipy.

Bilinear interpolation is separable and linear, so that each axis is one small, sparse
matrix. Each value is summed in the same order whatever is beside it, so that an image
comes out the same, to the last bit, alone and among others.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


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
    top, left, inner = _within((height, width), size)
    resized = _resize(images, inner)
    if inner == size:
        return resized
    fitted = np.zeros((len(images), *size, images.shape[-1]), np.float32)
    fitted[:, top : top + inner[0], left : left + inner[1]] = resized
    return fitted


def unfit(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring images that were `fit` back to the size that they had.

    Parameters
    ----------
    images : (n, height, width, C) float32
    size : (H, W) in pixels
        Before `fit`.

    Returns
    -------
    (n, H, W, C) float32
        Bilinear, without what was padded.
    """
    top, left, inner = _within(size, (images.shape[1], images.shape[2]))
    return _resize(images[:, top : top + inner[0], left : left + inner[1]], size)


def _within(
    given: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, tuple[int, int]]:
    """Return where an image comes to lie in another size: top, left, and its size."""
    scale = min(size[0] / given[0], size[1] / given[1])
    inner = (
        min(size[0], max(1, round(given[0] * scale))),
        min(size[1], max(1, round(given[1] * scale))),
    )
    return (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2, inner


def _resize(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (n, H, W, C) images resized to (n, *size, C)."""
    resized = images
    for axis in (1, 2):
        along = np.moveaxis(resized, axis, 0)
        weights = _interpolation(along.shape[0], size[axis - 1])
        summed = weights @ along.reshape(along.shape[0], -1)
        resized = np.moveaxis(summed.reshape(-1, *along.shape[1:]), 0, axis)
    return resized


@lru_cache(maxsize=512)
def _interpolation(n_in: int, n_out: int) -> csr_array:
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
    weights /= weights.sum(axis=1, keepdims=True)
    return csr_array(weights.astype(np.float32))
