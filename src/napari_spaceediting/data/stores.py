"""What a zarr store says of itself, and the one image that it may be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import MOST_CHANNELS, Unfit, over_black
from napari_spaceediting.errors import DataError

STORE = ".zarr"
"""What the names of stores end in that lie among images."""
_OLD_AXES = "tczyx"
"""Those of versions before 0.3, which did not name them."""


class StoredImage(NamedTuple):
    """One image of a store.

    Parameters
    ----------
    key : str
        The array of its finest level.
    axes : str
        A letter for each axis.
    field : dict
        Values of the columns for it, such as its well.
    """

    key: str
    axes: str
    field: dict[str, str]


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr store."""
    marks = ("zarr.json", ".zarray", ".zgroup")
    return path.is_dir() and any((path / mark).exists() for mark in marks)


def is_ome_zarr(path: Path) -> bool:
    """Tell whether a folder is an image or a plate of OME-Zarr."""
    return path.is_dir() and bool({"multiscales", "plate"} & _attributes(path).keys())


def images_of(path: Path) -> list[StoredImage]:
    """Return the images of an OME-Zarr store, of a plate those of all its wells.

    Raises
    ------
    DataError
        One does not say where its levels are.
    """
    return list(_plate(path) if "plate" in _attributes(path) else _images(path))


def read_store(path: Path) -> NDArray[Any]:
    """Read the one image of a store, (H, W) or (H, W, C).

    Raises
    ------
    Unfit
        It holds several images, or planes.
    """
    from napari_spaceediting.data.zarr_store import array_keys, open_zarr  # zarr: slow

    images = images_of(path) if is_ome_zarr(path) else []
    keys = [i.key for i in images] if images else array_keys(path)
    if keys is not None and len(keys) != 1:
        raise Unfit(f"holds {len(keys)} images: open it by itself")
    array = open_zarr(path, keys[0] if keys else "")
    axes = images[0].axes if images else _guessed(array.shape)
    sizes = zip(axes, array.shape, strict=True)
    if any(size > 1 for axis, size in sizes if axis not in "cyx"):
        shown = " x ".join(map(str, array.shape))
        raise Unfit(f"is a stack of planes ({axes}, {shown}): open it by itself")
    kept = tuple(slice(None) if axis in "cyx" else 0 for axis in axes)
    left = [axis for axis in axes if axis in "cyx"]
    order = [left.index(axis) for axis in "yxc" if axis in left]
    image: NDArray[Any] = np.asarray(array[kept]).transpose(order)
    if not images and image.dtype == np.uint8 and image.shape[2:] == (4,):
        return over_black(image)
    return image[..., 0] if image.shape[2:] == (1,) else image


def _guessed(shape: tuple[int, ...]) -> str:
    """Return the axes of an array that has no names for them."""
    if len(shape) == 3 and shape[-1] <= MOST_CHANNELS:
        return "yxc"
    if len(shape) == 3 and shape[0] <= MOST_CHANNELS:
        return "cyx"
    return "yx" if len(shape) == 2 else "?" * len(shape)


def _attributes(path: Path) -> Mapping[str, Any]:
    """Return what a group says of itself, whatever its version."""
    for name in ("zarr.json", ".zattrs"):
        file = path / name
        if file.is_file():
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                return {}
            found = found.get("attributes", found)
            inner = found.get("ome", found)
            return inner if isinstance(inner, dict) else {}
    return {}


def _images(path: Path, below: str = "") -> Iterator[StoredImage]:
    """Yield the first image of a group."""
    try:
        about = _attributes(path / below)["multiscales"][0]
        named = about.get("axes", _OLD_AXES)
        axes = "".join(a["name"] if isinstance(a, dict) else a for a in named)
        key = f"{below}/{about['datasets'][0]['path']}".lstrip("/")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise DataError(
            f"The image {path / below} does not say where its levels are: save it anew "
            f"as OME-Zarr."
        ) from error
    yield StoredImage(key, axes.lower(), {})


def _plate(path: Path) -> Iterator[StoredImage]:
    """Yield the fields of all wells of a plate."""
    for well in _attributes(path)["plate"].get("wells", ()):
        row, _, column = well["path"].partition("/")
        images = _attributes(path / well["path"]).get("well", {}).get("images", ())
        for field in images:
            below = f"{well['path']}/{field['path']}"
            known = {"well": f"{row}{column}", "row": row, "column": column}
            known |= {"field": str(field["path"]), "id": below}
            yield from (i._replace(field=known) for i in _images(path, below))
