"""Pictures of images: small ones of all, and one as large as it is looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.kept import KeptRows
from napari_spaceediting.data.looks import STEPS
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.data.resize import fit
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

_FINER = 4
"""Times the wanted size; of a larger image only every so many pixels are used."""

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
    size : int
        Height and width in pixels.
    """

    dataset: ImageDataset
    size: int = 64
    name: ClassVar[str] = "Draw thumbnails"

    def run(self) -> Generator[Progress, None, NDArray[np.uint8]]:
        """Draw them.

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
        shape = self.size, self.size, 3
        few = total * math.prod(shape) <= min(_FEW, array_limit())
        if few and not files_of(self.dataset.pixels):
            tiles = np.empty((total, *shape), np.uint8)
            yield from self._draw_all(np.arange(total), tiles.__setitem__)
            return tiles
        kept = KeptRows(self.dataset, self._path_of, shape, np.uint8)
        kept.begin(_CACHE_LIMIT, "thumbnails")
        missing = yield from kept.missing()
        yield from self._draw_all(missing, kept.put)
        return kept.array()

    def _path_of(self, dataset: ImageDataset) -> Path:
        folder = cache_dir() / "thumbnails"
        return folder / f"{dataset.content_key()}-{self.size}.npy"

    def _draw_all(
        self,
        missing: NDArray[np.intp],
        put: Callable[[NDArray[np.intp], NDArray[np.uint8]], None],
    ) -> Generator[Progress, None, None]:
        total = len(self.dataset)
        prepared = Prepared(self.dataset)
        with_images = prepared.is_wanted

        def draw(part: range) -> list[_Drawn]:
            return self._draw(missing[part.start : part.stop], with_images=with_images)

        for start, block in in_threads(draw, len(missing)):
            at = missing[start : start + len(block)]
            put(at, np.stack([tile for tile, _ in block]))
            images = {
                index: image
                for index, (_, image) in zip(at, block, strict=True)
                if image is not None
            }
            if images:
                prepared.put(np.array([*images]), np.stack([*images.values()]))
            done = total - len(missing) + start + len(block)
            yield Progress(done, total, "Drawing thumbnails")

    def _draw(self, at: NDArray[np.intp], *, with_images: bool) -> list[_Drawn]:
        dataset = self.dataset
        try:
            if not with_images:
                return [(tile, None) for tile in dataset.thumbnails(at, self.size)]
            images, tiles = dataset.images_and_thumbnails(at, self.size)
            return list(zip(tiles, images, strict=True))
        except DataError:
            if len(at) == 1:
                grey = np.full((self.size, self.size, 3), _GREY, np.uint8)
                return [(grey, None)]
        return [self._draw(one, with_images=with_images)[0] for one in at[:, None]]


def sized(
    dataset: ImageDataset, index: int, side: int
) -> tuple[NDArray[np.uint16], bool]:
    """Read an image as large as it is to be looked at.

    Parameters
    ----------
    side : int
        Height or width in pixels, whichever is larger; a smaller image stays as it is.

    Returns
    -------
    (h, w, C) uint16 array, bool
        Scaled intensities, 65535 for 1, and whether this is the image in full size.

    Raises
    ------
    DataError
        The image is missing or cannot be read.
    """
    image = dataset.raw(index)
    longest = max(image.shape[:2])
    step = max(1, longest // (_FINER * side))
    scaled = dataset.scaling.apply(image[::step, ::step])
    if longest > side:
        height, width = (max(1, round(n * side / longest)) for n in image.shape[:2])
        scaled = fit(scaled[None], (height, width))[0]
    return np.rint(scaled * (STEPS - 1)).astype(np.uint16), longest <= side
