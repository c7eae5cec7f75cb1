"""Find pixels again by what their sources said of themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_spaceediting.data.channels import ChannelPixels
from napari_spaceediting.data.ome_zarr import PlanePixels
from napari_spaceediting.data.packed import PackedPixels
from napari_spaceediting.data.pixels import (
    FilePixels,
    PixelSource,
    SelectedPixels,
    StoredPixels,
    join,
)
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError


def pixels_from_spec(spec: Mapping[str, Any], base: Path) -> PixelSource:
    """Rebuild a source from what its `to_spec` returned.

    Parameters
    ----------
    spec : mapping
        Values from `to_spec`.
    base : Path
        The folder that the paths are relative to now. Where nothing is found
        there, the absolute paths of old are tried.

    Raises
    ------
    DataError
        The kind of source is unknown. A file that is missing shows when it is read.
    """
    match spec["kind"]:
        case "files":
            root = _found(spec["root"], base)
            paths = tuple(root / path for path in spec["paths"])
            return FilePixels(paths, spec["n_channels"])
        case "array":
            return StoredPixels(
                _found(spec["path"], base),
                spec["key"],
                spec["axes"],
                spec["length"],
                spec["n_channels"],
            )
        case "selection":
            source = pixels_from_spec(spec["source"], base)
            return SelectedPixels(source, np.asarray(spec["indices"], dtype=np.intp))
        case "channels":
            parts = (pixels_from_spec(part, base) for part in spec["channels"])
            return ChannelPixels(tuple(p for p in parts if isinstance(p, FilePixels)))
        case "packed":
            return PackedPixels(
                _found(spec["path"], base),
                spec["column"],
                np.asarray(spec["rows"], dtype=np.int64),
                spec["n_channels"],
            )
        case "texts":
            return TextPixels(tuple(spec["texts"]))
        case "planes":
            return PlanePixels(
                _found(spec["path"], base),
                tuple(spec["arrays"]),
                tuple(spec["axes"]),
                np.asarray(spec["planes"], dtype=np.int64),
                spec["n_channels"],
            )
        case "joined":
            return join(*(pixels_from_spec(part, base) for part in spec["sources"]))
        case kind:
            raise DataError(
                f"The saved images are of the kind {kind!r}, which this version does "
                f"not know: open them with a newer one."
            )


def _found(location: Mapping[str, str | None], base: Path) -> Path:
    """Return the path that `_location` described, as seen from `base` now."""
    absolute = Path(location["absolute"] or "")
    if location["relative"] is None:
        return absolute
    moved = Path(os.path.normpath(base.absolute() / location["relative"]))
    return absolute if absolute.exists() and not moved.exists() else moved
