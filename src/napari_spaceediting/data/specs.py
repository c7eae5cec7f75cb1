"""Where the pixels of a source lie, as values for JSON, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from napari_spaceediting.data.channels import ChannelPixels
from napari_spaceediting.data.ome_zarr import PlanePixels
from napari_spaceediting.data.packed import PackedPixels
from napari_spaceediting.data.pixels import (
    FilePixels,
    JoinedPixels,
    PixelSource,
    SelectedPixels,
    StoredPixels,
)
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

_KINDS: dict[str, Any] = {
    "files": FilePixels,
    "array": StoredPixels,
    "selection": SelectedPixels,
    "channels": ChannelPixels,
    "packed": PackedPixels,
    "texts": TextPixels,
    "planes": PlanePixels,
    "joined": JoinedPixels,
}
"""What sources are called in saved sessions; the pixels of others live in memory."""
_CALLED = {"key_in_file": "key"}
"""Fields that have another name there."""


def spec_of(source: PixelSource, base: Path) -> dict[str, Any] | None:
    """Return JSON-ready values for `pixels_from_spec`.

    Paths are kept relative to `base` and absolute. None means that pixels live in
    memory only, so that whoever saves must store them.
    """
    kind = next((name for name, each in _KINDS.items() if type(source) is each), None)
    if kind is None:
        return None
    if isinstance(source, FilePixels):
        return {"kind": kind, **_of_files(source, base)}
    values = {
        _CALLED.get(field.name, field.name): _written(getattr(source, field.name), base)
        for field in fields(_KINDS[kind])
    }
    if None in (values.get("source", ()), *values.get("sources", ())):
        return None
    return {"kind": kind, **values}


def pixels_from_spec(spec: Mapping[str, Any], base: Path) -> PixelSource:
    """Rebuild a source from what `spec_of` returned.

    Parameters
    ----------
    spec : mapping
        Values from `spec_of`.
    base : Path
        The folder that the paths are relative to now. Where nothing is found
        there, the absolute paths of old are tried.

    Raises
    ------
    DataError
        The kind of source is unknown. A file that is missing shows when it is read.
    """
    kind = _KINDS.get(spec["kind"])
    if kind is None:
        raise DataError(
            f"The saved images are of the kind {spec['kind']!r}, which this version "
            f"does not know: open them with a newer one."
        )
    if kind is FilePixels:
        root = _found(spec["root"], base)
        return FilePixels(
            tuple(root / path for path in spec["paths"]), spec["n_channels"]
        )
    types = get_type_hints(kind)
    source: PixelSource = kind(
        *(
            _read(spec[_CALLED.get(field.name, field.name)], types[field.name], base)
            for field in fields(kind)
        )
    )
    return source


def _of_files(source: FilePixels, base: Path) -> dict[str, Any]:
    """Return the paths and the folder that they have in common."""
    try:
        root = Path(os.path.commonpath([path.parent for path in source.paths]))
        paths = [path.relative_to(root).as_posix() for path in source.paths]
    except ValueError:  # several drives, on Windows
        root, paths = base.absolute(), [path.as_posix() for path in source.paths]
    where = _written(root, base)
    return {"root": where, "paths": paths, "n_channels": source.n_channels}


def _written(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        try:
            relative = Path(os.path.relpath(value, base.absolute())).as_posix()
        except ValueError:  # another drive, on Windows
            relative = None
        return {"relative": relative, "absolute": str(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_written(each, base) for each in value]
    return value if isinstance(value, str | int | None) else spec_of(value, base)


def _read(value: Any, kind: Any, base: Path) -> Any:
    """Return the value of a field of this type."""
    row, inner = get_origin(kind), get_args(kind)
    if kind is Path:
        return _found(value, base)
    if kind in (PixelSource, FilePixels):
        return pixels_from_spec(value, base)
    if row is np.ndarray:
        return np.asarray(value, *get_args(inner[1]))
    if row is tuple:
        return tuple(_read(each, inner[0], base) for each in value)
    return value


def _found(location: Mapping[str, str | None], base: Path) -> Path:
    """Return the path that `_written` described, as seen from `base` now."""
    absolute = Path(location["absolute"] or "")
    if location["relative"] is None:
        return absolute
    moved = Path(os.path.normpath(base.absolute() / location["relative"]))
    return absolute if absolute.exists() and not moved.exists() else moved
