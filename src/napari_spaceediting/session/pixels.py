"""The pixels of a session's images, which lie in its folder or where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.meaning import Header
from napari_spaceediting.data.pixels import (
    JoinedPixels,
    PixelSource,
    SelectedPixels,
    StoredPixels,
    join,
)
from napari_spaceediting.data.specs import pixels_from_spec, spec_of
from napari_spaceediting.session.files import is_session
from napari_spaceediting.session.shelf import Damaged
from napari_spaceediting.session.store import Store


class SessionPixels(StoredPixels):
    """A stack of images that a session keeps.

    It is open from the start, so that it can be read after the session was moved.
    """

    @property
    def stack(self) -> NDArray[Any]:
        """All of it, memory-mapped where it is large."""
        found: NDArray[Any] = self._array
        return found


@dataclass(frozen=True, eq=False)
class SessionCrops:
    """Images of several sizes that a session keeps, as they were.

    Parameters
    ----------
    rows : SessionPixels
        The pixels of all images one after the other, (M, C).
    sizes : (N, 2) int array
        Height and width of each image.
    """

    rows: SessionPixels
    sizes: NDArray[np.int64]

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *self.sizes.prod(axis=1)])

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return self.rows.n_channels

    def __len__(self) -> int:
        return len(self.sizes)

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`, (H, W, C)."""
        start, stop = self._starts[index : index + 2]
        return np.asarray(self.rows.stack[start:stop].reshape(self._shape(index)))

    def header(self, index: int) -> Header:
        """Return shape and type of image `index`."""
        return Header(self._shape(index), self.rows.stack.dtype)

    def key(self) -> str:
        """Return a digest of the file's key and the sizes."""
        content = self.rows.key().encode() + self.sizes.tobytes()
        return hashlib.sha256(content).hexdigest()[:24]

    def _shape(self, index: int) -> tuple[int, int, int]:
        height, width = self.sizes[index].tolist()
        return height, width, self.n_channels


def pixels_to_values(dataset: ImageDataset, store: Store) -> dict[str, Any]:
    """Return what it takes to find pixels again; store those in memory only."""
    pixels = dataset.pixels
    if isinstance(pixels, JoinedPixels):
        return {"joined": [pixels_to_values(part, store) for part in dataset.parts()]}
    values: dict[str, Any] = {"length": len(pixels), "n_channels": pixels.n_channels}
    if isinstance(pixels, SessionPixels):
        return {"stored": store.put(pixels.stack), **values}
    if isinstance(pixels, SessionCrops):
        values["sizes"] = store.put(pixels.sizes)
        return {"stored": store.put(pixels.rows.stack), **values}
    spec = None if _may_go(pixels) else spec_of(pixels, store.folder)
    if spec is not None:
        return spec
    images = dataset.raw_images()
    sizes = np.array([image.shape[:2] for image in images])
    if len(np.unique(sizes, axis=0)) > 1:
        rows = np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])
        return {"stored": store.put(rows), "sizes": store.put(sizes), **values}
    is_flat = pixels.n_channels == 1 and pixels.read(0).ndim == 2
    stack = np.stack(images)
    return {"stored": store.put(stack[..., 0] if is_flat else stack), **values}


def pixels_from_values(values: Mapping[str, Any], store: Store) -> PixelSource:
    """Find pixels again."""
    if "joined" in values:
        return join(*(pixels_from_values(part, store) for part in values["joined"]))
    if "stored" not in values:
        return pixels_from_spec(values, store.folder)
    key = values["stored"]
    stack = store.get(key)
    pixels = SessionPixels(
        store.path(key),
        None,
        "NYXC" if stack.ndim == 4 else "NYX",
        values["length"],
        values["n_channels"],
    )
    # Opened here, and not when they are read first, they survive their name.
    vars(pixels)["_array"] = stack
    if "sizes" not in values:
        return pixels
    sizes = store.get(values["sizes"])
    if sizes.shape != (len(pixels), 2) or sizes.prod(axis=1).sum() != len(stack):
        raise Damaged("does not have the images that it says")
    return SessionCrops(pixels, sizes)


def _may_go(pixels: PixelSource) -> bool:
    """Whether the pixels lie in a session, which may delete them."""
    if isinstance(pixels, SelectedPixels):
        return _may_go(pixels.source)
    if isinstance(pixels, JoinedPixels):
        return any(map(_may_go, pixels.sources))
    if not isinstance(pixels, StoredPixels):
        return False
    folder = pixels.path.resolve().parent
    return folder.name == "arrays" and is_session(folder.parent)
