"""Zarr stores on disk, of which only plain files are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from napari_spaceediting.data.reading import no_file
from napari_spaceediting.errors import DataError


def array_keys(path: Path) -> tuple[str, ...] | None:
    """Return the names of the arrays in a store, or None if it is one array."""
    node = zarr.open(_PlainFiles(path, read_only=True), mode="r")
    return tuple(node.array_keys()) if isinstance(node, zarr.Group) else None


def open_zarr(path: Path, key: str) -> zarr.Array[Any]:
    """Open the array that a store is, or that of this name in a group."""
    store = _PlainFiles(path, read_only=True)
    array = zarr.open_array(store, mode="r", path=key)
    codecs = *array.filters, *array.compressors
    if any(getattr(codec, "codec_id", None) == "pickle" for codec in codecs):
        raise DataError(
            f"The array {path} is pickled, and could run code: save it as numbers."
        )
    return array


class _PlainFiles(LocalStore):
    """Asks of each file what it is before it is read: a pipe would be waited for."""

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        self._check(key)
        return await super().get(key, *args, **options)

    def get_sync(self, key: str, *args: Any, **options: Any) -> Any:
        self._check(key)
        return super().get_sync(key, *args, **options)

    def _check(self, key: str) -> None:
        path = self.root / key
        # What is not there is a piece that holds nothing.
        if path.exists() and not path.is_file():
            raise no_file("array", path)
