"""Where on an image two kinds differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from napari_spaceediting.traversal.table import FeatureTable

_CHANCE = 3.0
"""How many times the difference by chance a difference must be to count at all."""


def envelope(
    table: FeatureTable,
    shapes: Sequence[tuple[int, ...]],
    source: NDArray[np.intp],
    target: NDArray[np.intp],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return how much each pixel may change.

    At each place of the maps of a layer stand the mean squared difference between the
    means of both kinds, over its features, and what would come of chance: the
    variances of these means. From 0, where the difference is at most 3 times as large
    as by chance, it rises to 1 with the share that is no chance (a positive-part
    shrinkage, James & Stein 1961). Layers are averaged, and the largest becomes 1.

    Parameters
    ----------
    table : FeatureTable
        Features of K images.
    shapes : sequence of tuple of int
        Of each layer for one image, in turn; only those of maps tell places.
    source, target : (n,) int array
        Rows of the images of both kinds.
    size : tuple of int
        Height and width of the images.

    Returns
    -------
    (H, W) float32 array
        In [0, 1]; 1 everywhere if no place differs, or no layer has places.
    """
    found, start = [], 0
    for shape in shapes:
        part = slice(start, start + int(np.prod(shape)))
        start = part.stop
        if len(shape) != 3:
            continue
        scale = table.scale[part]
        kinds = [table.rows[rows, part] / scale for rows in (source, target)]
        difference = np.square(kinds[0].mean(axis=0) - kinds[1].mean(axis=0))
        chance = sum(kind.var(axis=0) / len(kind) for kind in kinds)
        difference, chance = (
            values.reshape(shape).mean(axis=0) for values in (difference, chance)
        )
        tiny = np.finfo(np.float32).tiny
        share = np.maximum(1 - _CHANCE * chance / np.maximum(difference, tiny), 0)
        maps = torch.from_numpy(share.astype(np.float32))[None, None]
        found.append(F.interpolate(maps, size, mode="bilinear")[0, 0].numpy())
    mean = np.mean(found, axis=0) if found else np.zeros(size, np.float32)
    highest = mean.max()
    result: NDArray[np.float32] = mean / highest if highest else np.ones_like(mean)
    return result
