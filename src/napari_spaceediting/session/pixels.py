"""The pixels of a session's images, which lie in its folder or where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.pixels import (
    JoinedPixels,
    PixelSource,
    SelectedPixels,
    StoredPixels,
    join,
)
from napari_spaceediting.data.specs import pixels_from_spec
from napari_spaceediting.session.files import is_session
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


def pixels_to_values(dataset: ImageDataset, store: Store) -> dict[str, Any]:
    """Return what it takes to find pixels again; store those in memory only."""
    pixels = dataset.pixels
    if isinstance(pixels, JoinedPixels):
        return {"joined": [pixels_to_values(part, store) for part in dataset.parts()]}
    if isinstance(pixels, SessionPixels):
        key = store.put(pixels.stack)
    else:
        spec = None if _may_go(pixels) else pixels.to_spec(store.folder)
        if spec is not None:
            return spec
        stack = dataset.raw_stack()
        is_flat = pixels.n_channels == 1 and pixels.read(0).ndim == 2
        key = store.put(stack[..., 0] if is_flat else stack)
    return {"stored": key, "length": len(pixels), "n_channels": pixels.n_channels}


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
        "NYX" if stack.ndim == 3 else "NYXC",
        values["length"],
        values["n_channels"],
    )
    # Opened here, and not when they are read first, they survive their name.
    vars(pixels)["_array"] = stack
    return pixels


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
