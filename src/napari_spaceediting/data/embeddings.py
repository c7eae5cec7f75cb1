"""Embeddings that others have computed: a row of numbers for each image or point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.pixels import JoinedPixels, PixelSource, SelectedPixels
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

Features = NDArray[np.float32] | None
"""Embeddings (N, F), or None where there are none."""


def are_images(source: PixelSource) -> bool:
    """Whether there are images, and not pictures of texts in their place."""
    if isinstance(source, JoinedPixels):
        return all(map(are_images, source.sources))
    inner = source.source if isinstance(source, SelectedPixels) else source
    return not isinstance(inner, TextPixels)


def as_embeddings(rows: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return a matrix as embeddings.

    Raises
    ------
    DataError
        It holds no numbers, or one for each row only.
    """
    if rows.dtype.kind not in "iuf" or rows.shape[1] < 2:
        raise DataError(
            f"{name} has {' x '.join(map(str, rows.shape))} values of {rows.dtype}: an "
            "embedding is a row of at least two numbers."
        )
    return np.ascontiguousarray(rows, np.float32)


def flaw_of(row: NDArray[np.float32]) -> str:
    """Say in a few words why an embedding cannot be used; "" if it can."""
    if np.isnan(row).all():
        return "has no embedding"
    if not np.isfinite(row).all():
        return "has an embedding with NaN or infinite numbers"
    return "" if row.any() else "has an embedding of zeros only"
