"""Where the raw pixels of a data set come from.

Sources read one image at a time and can be pickled: file-backed ones travel to
a worker process as paths, not as pixels.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from lzma import LZMAError
from pathlib import Path
from struct import error as StructError
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.files import read_header, read_image
from napari_spaceediting.data.meaning import Header, over_black
from napari_spaceediting.data.reading import reading
from napari_spaceediting.errors import DataError, reason_of

BROKEN = (
    OSError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
    LZMAError,
    StructError,
)
"""What codecs raise on pieces that are not what was written."""


class PixelSource(Protocol):
    """Raw images, read when they are asked for."""

    @property
    def n_channels(self) -> int:
        """Channels of every image; a grey image may still be read as (H, W)."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index` as (H, W) or (H, W, C) of its own dtype.

        Raises
        ------
        DataError
            The image is missing or cannot be read.
        """

    def header(self, index: int) -> Header | None:
        """Tell shape and type of image `index` without its pixels.

        Returns
        -------
        Header or None
            None where only `read` tells whether there is an image.

        Raises
        ------
        DataError
            As for `read`.
        """

    def key(self) -> str:
        """Return a short text that changes when the pixels change."""


@dataclass(frozen=True)
class FilePixels:
    """One file per image.

    Parameters
    ----------
    paths : tuple of Path
        Absolute paths.
    """

    paths: tuple[Path, ...]
    n_channels: int

    def __len__(self) -> int:
        return len(self.paths)

    def files(self) -> list[Path]:
        """Return the real paths."""
        folders = {
            folder: folder.resolve() for folder in {p.parent for p in self.paths}
        }
        return [folders[path.parent] / path.name for path in self.paths]

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`, read from its file."""
        return read_image(self.paths[index])

    def header(self, index: int) -> Header | None:
        """Return what the head of its file tells of image `index`."""
        return read_header(self.paths[index])

    def key(self) -> str:
        """Return a digest of paths, sizes and times of change."""
        return digest(file_stamp(path) for path in self.paths)


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """Images in memory.

    Parameters
    ----------
    array : (N, H, W) or (N, H, W, C) array, or list of N (H, W, C) arrays
        Anything that is indexed like a numpy array, such as a dask array; or a list
        where sizes differ, of one number of channels and one dtype.
    """

    array: Any

    def __post_init__(self) -> None:
        if not isinstance(self.array, list) and self.array.ndim not in (3, 4):
            shape = " x ".join(map(str, self.array.shape))
            raise DataError(
                f"A stack of images needs the axes (images, height, width) or "
                f"(images, height, width, channels), but this array is {shape}."
            )

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return self.header(0).n_channels

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`."""
        return np.asarray(self.array[index])

    def header(self, index: int) -> Header:
        """Return shape and type of image `index`."""
        if isinstance(self.array, list):
            return Header(self.array[index].shape, self.array[index].dtype)
        return Header(tuple(self.array.shape[1:]), np.dtype(self.array.dtype))

    def key(self) -> str:
        """Return a digest of all pixels."""
        images = (self.read(index) for index in range(len(self)))
        if isinstance(self.array, list):
            shape: Any = [image.shape for image in self.array]
        else:
            shape = self.array.shape
        head = f"{shape}{self.header(0).dtype}".encode()
        return digest((head, *map(np.ascontiguousarray, images)))


Axes = Literal["NYX", "NYXC", "NCYX", "NYXA"]
"""Order of the axes of a stored array; A stands for RGBA, laid over black."""


@dataclass(frozen=True)
class StoredPixels:
    """A stack of images in a .npy, .npz or zarr file, opened at the first read.

    Parameters
    ----------
    path : Path
        The file, or the folder of a zarr store. `.npy` is memory-mapped.
    key_in_file : str or None
        Name of the array in an `.npz` file or a zarr group.
    axes : {"NYX", "NYXC", "NCYX", "NYXA"}
        Order of the array's axes.
    length, n_channels : int
        Number of images, and of their channels.
    """

    path: Path
    key_in_file: str | None
    axes: Axes
    length: int
    n_channels: int

    def __len__(self) -> int:
        return self.length

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_array"}

    @cached_property
    def _array(self) -> Any:
        return open_array(self.path, self.key_in_file)

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`."""
        array = self._array
        try:
            image = np.asarray(array[index])
        except BROKEN as error:
            # A damaged piece of a zarr store is noticed now.
            raise DataError(
                f"Image {index} of {self.path} cannot be read ({reason_of(error)})."
            ) from error
        if self.axes == "NCYX":
            return np.moveaxis(image, 0, -1)
        return over_black(image) if self.axes == "NYXA" else image

    def header(self, index: int) -> Header:
        """Return shape and type of every image."""
        shape = tuple(self._array.shape[1:])
        if self.axes == "NCYX":
            shape = *shape[1:], shape[0]
        elif self.axes == "NYXA":
            shape = *shape[:2], 3
        return Header(shape, np.dtype(self._array.dtype))

    def key(self) -> str:
        """Return a digest of path, size and time of change."""
        return digest(
            (f"{self.key_in_file}{self.axes}".encode(), file_stamp(self.path))
        )


@dataclass(frozen=True, eq=False)
class SelectedPixels:
    """Some images of another source.

    Parameters
    ----------
    indices : (N,) intp
        Which images of the source these are, in this order.
    """

    source: PixelSource
    indices: NDArray[np.intp]

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return self.source.n_channels

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index` of the selection."""
        return self.source.read(int(self.indices[index]))

    def header(self, index: int) -> Header | None:
        """Return shape and type of image `index` of the selection."""
        return self.source.header(int(self.indices[index]))

    def key(self) -> str:
        """Return a digest of the source's key and the indices."""
        return digest((self.source.key().encode(), self.indices.tobytes()))


@dataclass(frozen=True, eq=False)
class JoinedPixels:
    """The images of several sources, one source after the other.

    Parameters
    ----------
    sources : tuple of PixelSource
        None of them joined itself, see `join`. Their number of channels may differ
        only where one of them is grey.
    """

    sources: tuple[PixelSource, ...]

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.cumsum([0, *map(len, self.sources)])

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return max(source.n_channels for source in self.sources)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`."""
        source, at = self._found(index)
        return source.read(at)

    def header(self, index: int) -> Header | None:
        """Return shape and type of image `index`."""
        source, at = self._found(index)
        return source.header(at)

    def _found(self, index: int) -> tuple[PixelSource, int]:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.sources[number], index - int(self._starts[number])

    def key(self) -> str:
        """Return a digest of the sources' keys."""
        return digest(source.key().encode() for source in self.sources)


def join(*sources: PixelSource) -> PixelSource:
    """Return one source with the images of all, in that order."""
    flat: list[PixelSource] = []
    for source in sources:
        flat += source.sources if isinstance(source, JoinedPixels) else [source]
    return flat[0] if len(flat) == 1 else JoinedPixels(tuple(flat))


def files_of(source: PixelSource) -> list[Path]:
    """Return the image files of a source, by their real paths, in its order.

    One for each image: what tells it from others. Of an array, none.
    """
    if isinstance(source, JoinedPixels):
        return [path for part in source.sources for path in files_of(part)]
    if isinstance(source, SelectedPixels):
        files = files_of(source.source)
        return [files[at] for at in source.indices] if files else []
    found: list[Path] = source.files() if hasattr(source, "files") else []
    return found


def select(source: PixelSource, indices: NDArray[np.intp]) -> PixelSource:
    """Return a source of only the images at `indices`, in that order."""
    if isinstance(source, FilePixels):
        return FilePixels(tuple(source.paths[i] for i in indices), source.n_channels)
    if hasattr(source, "some"):
        some: PixelSource = source.some(indices)
        return some
    if isinstance(source, SelectedPixels):
        return SelectedPixels(source.source, source.indices[indices])
    return SelectedPixels(source, indices)


def open_array(path: Path, key: str | None = None) -> Any:
    """Open a .npy (memory-mapped), .npz or zarr array.

    Parameters
    ----------
    path : Path
        The file, or the folder of a zarr store.
    key : str, optional
        Name of the array in an `.npz` file or a zarr group.

    Raises
    ------
    DataError
        The file is missing or cannot be read.
    """
    with reading("array", path):
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return arrays[key]
        from napari_spaceediting.data.zarr_store import open_zarr  # zarr: slow

        return open_zarr(path, key or "")


def file_stamp(path: Path) -> bytes:
    """Return path, size and time of change of a file, or of all files in a folder."""
    try:
        status = path.stat()
    except OSError:
        return os.fsencode(f"{path}|missing")
    if stat.S_ISDIR(status.st_mode):
        files = sorted(entry for entry in path.rglob("*") if entry.is_file())
        return b"".join(map(file_stamp, files))
    return os.fsencode(f"{path}|{status.st_size}|{status.st_mtime_ns}")


def digest(parts: Iterable[Any]) -> str:
    """Return a digest over bytes or contiguous arrays."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:24]
