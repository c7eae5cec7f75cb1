"""Read OME-Zarr: images, of which each plane is one, and plates with their wells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.found import Found
from napari_spaceediting.data.meaning import Header
from napari_spaceediting.data.pixels import (
    BROKEN,
    StoredPixels,
    digest,
    open_array,
)
from napari_spaceediting.data.stores import images_of
from napari_spaceediting.errors import DataError, reason_of


@dataclass(frozen=True, eq=False)
class PlanePixels:
    """Planes of the arrays in a zarr store.

    Parameters
    ----------
    arrays : tuple of str
        Their names in it.
    axes : tuple of str
        Those of each array, a letter for each: t, c, z, y, x.
    planes : (N, 3) int64 array
        Of each image the number of its array, its time and its depth.
    """

    path: Path
    arrays: tuple[str, ...]
    axes: tuple[str, ...]
    planes: NDArray[np.int64]
    n_channels: int

    def __len__(self) -> int:
        return len(self.planes)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_open"}

    @cached_property
    def _open(self) -> dict[int, Any]:
        return {}

    def _array(self, number: int) -> Any:
        if number not in self._open:
            self._open[number] = open_array(self.path, self.arrays[number])
        return self._open[number]

    def read(self, index: int) -> NDArray[Any]:
        """Return plane `index`, (H, W) or (H, W, C)."""
        number, time, depth = self.planes[index].tolist()
        axes = self.axes[number]
        at = {"t": time, "z": depth}
        try:
            where = tuple(at.get(axis, slice(None)) for axis in axes)
            image = np.asarray(self._array(number)[where])
        except BROKEN as error:
            raise DataError(
                f"A plane of {self.path / self.arrays[number]} cannot be read "
                f"({reason_of(error)})."
            ) from error
        left = [axis for axis in axes if axis not in at]
        return image.transpose([left.index(axis) for axis in "yxc" if axis in left])

    def header(self, index: int) -> Header:
        """Return shape and type of plane `index`."""
        number = int(self.planes[index, 0])
        array, axes = self._array(number), self.axes[number]
        sizes = dict(zip(axes, array.shape, strict=True))
        shape = tuple(sizes[axis] for axis in "yxc" if axis in sizes)
        return Header(shape, np.dtype(array.dtype))

    def some(self, indices: NDArray[np.intp]) -> PlanePixels:
        """Return a source of only the planes at `indices`, in that order."""
        return replace(self, planes=self.planes[indices])

    def key(self) -> str:
        """Return a digest of the files, and of the planes."""
        keys = (
            StoredPixels(self.path / key, None, "NYX", 1, 1).key().encode()
            for key in self.arrays
        )
        return digest((*keys, "".join(self.axes).encode(), self.planes.tobytes()))


def find_in_ome_zarr(path: Path) -> Found:
    """Find the images of an OME-Zarr store.

    Parameters
    ----------
    path : Path
        The folder of an image or of a plate, of any version.

    Returns
    -------
    Found
        Each plane of each image, of the finest level, unlabelled. Columns: `t` and `z`
        where there are several; `well`, `row`, `column` and `field` of a plate.

    Raises
    ------
    DataError
        Axes cannot be told, or images differ in their channels.
    """
    path = path.resolve()
    images = images_of(path)
    planes: list[tuple[int, int, int]] = []
    ids: list[str] = []
    channels: set[int] = set()
    for number, image in enumerate(images):
        shape = open_array(path, image.key).shape
        if len(shape) != len(image.axes) or not {"y", "x"} <= set(image.axes):
            raise DataError(
                f"The axes {image.axes} of {path / image.key} do not fit its shape "
                f"{' x '.join(map(str, shape))}: save it anew as OME-Zarr."
            )
        sizes = dict(zip(image.axes, shape, strict=True))
        channels.add(sizes.get("c", 1))
        for time in range(sizes.get("t", 1)):
            for depth in range(sizes.get("z", 1)):
                planes.append((number, time, depth))
                named = [image.field["id"]] if "id" in image.field else []
                named += [f"t{time}"] * (sizes.get("t", 1) > 1)
                named += [f"z{depth}"] * (sizes.get("z", 1) > 1)
                ids.append("/".join(named) or path.name)
    if len(channels) != 1:
        numbers = ", ".join(map(str, sorted(channels)))
        raise DataError(
            f"The images of {path.name} have different numbers of channels "
            f"({numbers}): open those of one number apart."
        )
    at = np.array(planes, np.int64).reshape(-1, 3)
    keys, axes = tuple(i.key for i in images), tuple(i.axes for i in images)
    fields = [images[number].field for number in at[:, 0]]
    columns = {
        name: np.array([field[name] for field in fields])
        for name in fields[0]
        if name != "id"
    }
    columns |= {name: at[:, k] for k, name in ((1, "t"), (2, "z")) if at[:, k].any()}
    return Found(
        name=path.name.removesuffix(".zarr").removesuffix(".ome"),
        pixels=PlanePixels(path, keys, axes, at, channels.pop()),
        ids=ids,
        labels=[None] * len(ids),
        columns=columns,
        notes=(f"Each plane of {len(images):,} OME-Zarr images is an image.",),
    )
