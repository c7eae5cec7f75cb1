"""Small pictures of all images, for the map and the gallery."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.steps import in_threads
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress

_GREY = 128
"""Shown in place of an image that cannot be read any more."""


@dataclass(frozen=True, eq=False)
class PackThumbnails:
    """Job: draw a thumbnail of every image.

    Parameters
    ----------
    dataset : ImageDataset
    size : int
        Height and width in pixels.
    """

    dataset: ImageDataset
    size: int = 64
    name: ClassVar[str] = "Draw thumbnails"

    def run(self) -> Generator[Progress, None, NDArray[np.uint8]]:
        """Draw them.

        Yields
        ------
        Progress
            In images.

        Returns
        -------
        (N, size, size, 3) uint8
            An image that cannot be read any more is a grey tile.
        """
        total = len(self.dataset)
        tiles = np.empty((total, self.size, self.size, 3), np.uint8)
        for start, block in in_threads(self._draw, total):
            tiles[start : start + len(block)] = block
            yield Progress(start + len(block), total, "Drawing thumbnails")
        return tiles

    def _draw(self, indices: range) -> list[NDArray[np.uint8]]:
        try:
            return list(self.dataset.thumbnails(indices, self.size))
        except DataError:
            return [self._draw_one(index) for index in indices]

    def _draw_one(self, index: int) -> NDArray[np.uint8]:
        try:
            tile: NDArray[np.uint8] = self.dataset.thumbnails([index], self.size)[0]
        except DataError:
            tile = np.full((self.size, self.size, 3), _GREY, np.uint8)
        return tile
