"""Small pictures of all images, for the map and the gallery."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_spaceediting.data.cache import cache_dir, make_room, mapped
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.data.steps import in_threads
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import array_limit

_GREY = 128
"""Shown in place of an image that cannot be read any more."""

_CACHE_LIMIT = 4 << 30
"""Bytes of thumbnails that are kept; beyond it, those unused for longest go."""

_FEW = 64 << 20
"""Bytes of thumbnails that are not worth a file: they are drawn in a second or two,
unless images must be decoded."""

_Drawn = tuple[NDArray[np.uint8], NDArray[np.float32] | None]
"""A thumbnail, and the image as a network needs it if that is to be kept."""


@dataclass(frozen=True, eq=False)
class PackThumbnails:
    """Job: draw a thumbnail of every image.

    Those of many images, or of image files, are drawn once and kept in a file, which is
    found again as long as the images are the same; when others have joined them, only
    those are drawn. What a network needs of image files is kept on the way, see
    `Prepared`.

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
            Memory-mapped and read-only where they are kept. An image that cannot be
            read any more is a grey tile.

        Raises
        ------
        SpaceEditingError
            If the disk has no room for them.
        """
        total = len(self.dataset)
        shape = total, self.size, self.size, 3
        few = np.prod(shape) <= min(_FEW, array_limit())
        if few and not files_of(self.dataset.pixels):
            tiles = np.empty(shape, np.uint8)
            yield from self._fill(tiles, 0)
            return tiles
        path = self._path(self.dataset)
        if path.exists():
            path.touch()
            return mapped(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        make_room(path, int(np.prod(shape)), _CACHE_LIMIT, "thumbnails")
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            tiles = open_memmap(unfinished, "w+", np.uint8, shape)
            before = self.dataset.before_joined()
            known = 0
            if before is not None and self._path(before).exists():
                known = len(before)
                tiles[:known] = mapped(self._path(before))
            yield from self._fill(tiles, known)
            tiles.flush()
            del tiles
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return mapped(path)

    def _path(self, dataset: ImageDataset) -> Path:
        folder = cache_dir() / "thumbnails"
        return folder / f"{dataset.content_key()}-{self.size}.npy"

    def _fill(
        self, tiles: NDArray[np.uint8], known: int
    ) -> Generator[Progress, None, None]:
        total = len(tiles)
        prepared = Prepared(self.dataset)
        with_images = prepared.is_wanted and known <= prepared.n_finished

        def draw(at: range) -> list[_Drawn]:
            indices = range(at.start + known, at.stop + known)
            return self._draw(indices, with_images=with_images)

        for start, block in in_threads(draw, total - known):
            start, done = known + start, known + start + len(block)
            tiles[start:done] = [tile for tile, _ in block]
            images = [image for _, image in block if image is not None]
            if len(images) == len(block):
                prepared.put(start, np.stack(images))
            yield Progress(done, total, "Drawing thumbnails")

    def _draw(self, indices: range, *, with_images: bool) -> list[_Drawn]:
        dataset, n = self.dataset, len(indices)
        try:
            if not with_images:
                tiles = dataset.thumbnails(indices, self.size)
                return list(zip(tiles, [None] * n, strict=True))
            images, tiles = dataset.images_and_thumbnails(indices, self.size)
            return list(zip(tiles, images, strict=True))
        except DataError:
            if n == 1:
                grey = np.full((self.size, self.size, 3), _GREY, np.uint8)
                return [(grey, None)]
        alone = (range(index, index + 1) for index in indices)
        return [self._draw(one, with_images=with_images)[0] for one in alone]
