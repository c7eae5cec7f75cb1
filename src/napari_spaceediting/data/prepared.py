"""Images ready for a network, kept so that files need not be decoded again."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.kept import KeptRows
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.data.steps import in_threads
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress

_CACHE_LIMIT = 8 << 30
"""Bytes of images that are kept; beyond it, those unused for longest go."""


class Prepared:
    """What `ImageDataset.images` gives, from a file as far as it was put there.

    Whoever decodes images first puts them there. Those that do not lie in files, or
    are too many, are not kept.

    Parameters
    ----------
    dataset : ImageDataset
        N images.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset
        shape = dataset.n_channels, *dataset.image_size
        is_small = 4 * math.prod(shape) * len(dataset) <= _CACHE_LIMIT
        self._rows: KeptRows | None = None
        if is_small and files_of(dataset.pixels):
            self._rows = KeptRows(dataset, _path_of, shape, np.float32)

    @property
    def n_finished(self) -> int:
        """How many images the file has."""
        return 0 if self._rows is None else self._rows.n_recorded

    @property
    def is_wanted(self) -> bool:
        """Whether there are images to be kept that the file does not have."""
        return self._rows is not None and self.n_finished < len(self._dataset)

    def images(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return images ready for a network; as `ImageDataset.images`."""
        at = np.atleast_1d(np.asarray(indices, dtype=np.intp))
        if self._rows is None:
            return self._dataset.images(at)
        images, is_right = self._rows.take(at)
        if not is_right.any():
            return self._dataset.images(at)
        images[~is_right] = self._dataset.images(at[~is_right])
        if images.shape[1] > 1:
            return images
        # By strides, torch chooses how to compute: these are as those of the data set.
        return np.moveaxis(images.reshape(-1, *images.shape[2:], 1), -1, 1)

    def put(self, at: NDArray[np.intp], images: NDArray[np.float32]) -> None:
        """Keep some images, if they are to be kept and there is room."""
        if self._rows is not None:
            with suppress(SpaceEditingError):
                self._rows.begin(_CACHE_LIMIT, "images")
                self._rows.put(at, images)

    def fill(self) -> Generator[Progress, None, None]:
        """Keep all images, unless they are there or not to be kept.

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        if self._rows is None:
            return
        try:
            self._rows.begin(_CACHE_LIMIT, "images")
        except SpaceEditingError:
            return
        missing = yield from self._rows.missing()

        def read(part: range) -> list[NDArray[np.float32]]:
            return list(self._dataset.images(missing[part.start : part.stop]))

        total = len(self._dataset)
        for start, block in in_threads(read, len(missing)):
            stop = start + len(block)
            self.put(missing[start:stop], np.stack(block))
            yield Progress(total - len(missing) + stop, total, "Read the images")


def _path_of(dataset: ImageDataset) -> Path:
    return cache_dir() / "images" / f"{dataset.content_key()}.npy"
