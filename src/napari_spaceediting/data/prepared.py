"""Images ready for a network, kept so that files need not be decoded again."""

from __future__ import annotations

import io
import math
from collections.abc import Generator
from contextlib import suppress

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import ArrayLike, NDArray

from napari_spaceediting.data.cache import cache_dir, make_room
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.data.steps import in_threads
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress

_CACHE_LIMIT = 8 << 30
"""Bytes of images that are kept; beyond it, those unused for longest go."""


class Prepared:
    """What `ImageDataset.images` gives, from a file as far as it was put there.

    Whoever decodes the images first, in their order, puts them there. Several processes
    may do so at once: they write the same numbers to the same places, so that what
    the file has is right. Images that do not lie in files, or are too many, are not
    kept.

    Parameters
    ----------
    dataset : ImageDataset
        N images.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset
        self._shape = dataset.n_channels, *dataset.image_size
        head = io.BytesIO()
        shape = len(dataset), *self._shape
        write_array_header_1_0(
            head, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        self._head = head.getvalue()
        self._row = 4 * math.prod(self._shape)
        size = self._row * len(dataset)
        self._keeps = size <= _CACHE_LIMIT and bool(files_of(dataset.pixels))
        folder = cache_dir() / "images"
        key = dataset.content_key() if self._keeps else ""
        self._path = folder / f"{key}.npy"

    @property
    def n_finished(self) -> int:
        """How many images the file has: the first ones."""
        if not self._keeps:
            return 0
        try:
            return max(0, self._path.stat().st_size - len(self._head)) // self._row
        except OSError:
            return 0

    @property
    def is_wanted(self) -> bool:
        """Whether there are images to be kept that the file does not have."""
        return self._keeps and self.n_finished < len(self._dataset)

    def images(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return images ready for a network; as `ImageDataset.images`."""
        chosen = np.atleast_1d(np.asarray(indices, dtype=np.intp))
        if len(chosen) and chosen.max() < self.n_finished:
            # Another process may just have deleted the file, to make room.
            with suppress(OSError, ValueError):
                return self._read(chosen)
        return self._dataset.images(chosen)

    def put(self, start: int, images: NDArray[np.float32]) -> None:
        """Keep images from index `start` on, if those before are there and room is."""
        if not self.is_wanted or start > self.n_finished:
            return
        with suppress(OSError, SpaceEditingError):
            if start == 0:
                self._begin()
            with self._path.open("r+b") as file:
                file.seek(len(self._head) + start * self._row)
                file.write(np.ascontiguousarray(images, "<f4").data)

    def fill(self) -> Generator[Progress, None, None]:
        """Keep all images, unless they are there or not to be kept.

        Yields
        ------
        Progress
            In images.

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        if not self.is_wanted:
            return
        known, total = self.n_finished, len(self._dataset)

        def read(at: range) -> list[NDArray[np.float32]]:
            return list(self._dataset.images(range(known + at.start, known + at.stop)))

        for start, block in in_threads(read, total - known):
            self.put(known + start, np.stack(block))
            yield Progress(known + start + len(block), total, "Read the images")

    def _begin(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        make_room(self._path, self._row * len(self._dataset), _CACHE_LIMIT, "images")
        with suppress(FileExistsError), self._path.open("xb") as file:
            file.write(self._head)

    def _read(self, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        n_values = self._row // 4
        images = np.empty((len(indices), n_values), np.float32)
        for image, index in zip(images, indices.tolist(), strict=True):
            at = len(self._head) + index * self._row
            image[:] = np.fromfile(self._path, "<f4", n_values, offset=at)
        if self._shape[0] > 1:
            return images.reshape(-1, *self._shape)
        # By strides, torch chooses how to compute: these are as those of the data set.
        return np.moveaxis(images.reshape(-1, *self._shape[1:], 1), -1, 1)
