"""Numbers that can be computed anew at any time, kept in files until room is needed."""

from __future__ import annotations

import io
import math
import os
import re
import secrets
import shutil
import weakref
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.writing import UNFINISHED, write_file
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import blocks

_OURS = re.compile(
    r"[0-9a-f]{24,32}(-\d+)?(\.[0-9a-f]+\.part)?\.npy|" + UNFINISHED.pattern
)
"""Names that this program gives; files with others are nobody's to delete."""

_SHAPE = re.compile(rb"'shape': \(([\d, ]+)\)")
_LONGEST_HEAD = 1 << 8
_MARK = np.dtype("<u4")
_ID_BYTES = 16

_checked: dict[tuple[Path, bytes], NDArray[np.bool_]] = {}
"""By the identity of a file, the rows that this process has found to be right."""


class KeptRows:
    """Numbers of each image of a data set, in a file as far as they were put there.

    The file is a ``.npy`` with a checksum behind it for each row, and an identity. A
    row counts if its checksum is there and right: what was cut off, lost or altered is
    missing, as if it had never been made. So a file may be gone on with after any end
    of a process, and several processes, on several machines too, may write at once
    without waiting for each other: a file comes to its place whole and is never cut,
    and of two that write the same row, either is right.

    Parameters
    ----------
    dataset : ImageDataset
        N images.
    path_of : callable
        From a data set to its file.
    row_shape : tuple of int
        Of what belongs to one image.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        path_of: Callable[[ImageDataset], Path],
        row_shape: tuple[int, ...],
        dtype: DTypeLike,
    ) -> None:
        self._dataset, self._path_of = dataset, path_of
        self.path = path_of(dataset)
        self.shape = len(dataset), *row_shape
        self._dtype = np.dtype(dtype)
        head = io.BytesIO()
        facts = {"descr": dtype_to_descr(self._dtype), "fortran_order": False}
        write_array_header_1_0(head, {**facts, "shape": self.shape})
        self._head = head.getvalue()
        self._row = self._dtype.itemsize * math.prod(row_shape)
        self._marks_at = len(self._head) + self._row * len(dataset)
        self._size = self._marks_at + _MARK.itemsize * len(dataset) + _ID_BYTES
        self.open()

    def __len__(self) -> int:
        return len(self._dataset)

    def open(self) -> bool:
        """Open the file anew; say whether there is one, of this type and shape."""
        self._file: io.FileIO | None = None
        self._right = np.zeros(len(self), bool)
        with suppress(OSError):
            # Another program may have put anything there: a link, a pipe.
            file = io.FileIO(self.path, "r+b", opener=_without_following)
            is_whole = os.fstat(file.fileno()).st_size == self._size
            if is_whole and file.read(len(self._head)) == self._head:
                file.seek(self._size - _ID_BYTES)
                which = self.path, file.read()
                self._right = _checked.setdefault(which, self._right)
                self._file = file
                weakref.finalize(self, file.close)
            else:
                file.close()
        return self._file is not None

    def begin(self, limit: int, what: str) -> None:
        """Make the file unless it is there, with what is known from fewer images.

        Parameters
        ----------
        limit, what
            As for `make_room`.

        Raises
        ------
        SpaceEditingError
            If the disk has no room for it.
        """
        if self._file is not None or self.open():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_room(self.path, self._size, limit, what)
            with suppress(OSError):
                self.path.rmdir()  # if it is an empty folder
            write_file(self.path, self._write_empty)
        except OSError as error:
            raise self._cannot_write(error) from error
        self.open()
        before = self._dataset.before_joined()
        while before is not None:
            known = KeptRows(before, self._path_of, self.shape[1:], self._dtype)
            for block in blocks(len(known), self._row):
                at = np.arange(block.start, block.stop)
                at = at[~self._right[at]]
                rows, is_right = known.take(at)
                self.put(at[is_right], rows[is_right])
            before = before.before_joined()

    def _write_empty(self, file: IO[bytes]) -> None:
        file.write(self._head)
        file.seek(self._size - _ID_BYTES)
        file.write(secrets.token_bytes(_ID_BYTES))

    @property
    def n_recorded(self) -> int:
        """How many rows the file has, right or wrong."""
        return int(np.count_nonzero(self._marks(np.arange(len(self)))))

    def missing(self) -> Generator[Progress, None, NDArray[np.intp]]:
        """Return the rows to be made; others are looked at once in a process."""
        marks = self._marks(np.arange(len(self)))
        at = np.flatnonzero((marks != 0) & ~self._right)
        for block in blocks(len(at), self._row):
            if block.start:
                yield Progress(block.start, len(at), "Look through the cache")
            self.take(at[block])
        return np.flatnonzero(~self._right)

    def take(self, at: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return some rows, and which of them are right; the others mean nothing."""
        marks = self._marks(at)
        there = np.flatnonzero(marks)
        rows = np.zeros((len(at), *self.shape[1:]), self._dtype)
        rows[there] = self._read(at[there], len(self._head), rows)
        for index in there[~self._right[at[there]]].tolist():
            self._right[at[index]] = marks[index] == _mark(rows[index], at[index])
        return rows, (marks != 0) & self._right[at]

    def put(self, at: NDArray[np.intp], rows: NDArray[Any]) -> None:
        """Write some rows.

        Raises
        ------
        SpaceEditingError
            If they cannot be written.
        """
        rows = np.ascontiguousarray(rows, self._dtype)
        marks = np.array(list(map(_mark, rows, at)), _MARK)
        try:
            assert self._file is not None
            for run in _runs(at):
                for start, part in (len(self._head), rows), (self._marks_at, marks):
                    self._file.seek(start + int(at[run.start]) * part[:1].nbytes)
                    rest = memoryview(part[run].data).cast("B")
                    while rest:
                        rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._cannot_write(error) from error
        self._right[at] = True

    def array(self) -> NDArray[Any]:
        """Return all rows, memory-mapped and read-only, as used just now."""
        with suppress(OSError):
            self.path.touch()
        assert self._file is not None
        start = len(self._head)
        found = np.memmap(self._file, self._dtype, "r", start, self.shape)
        array = found.view(MappedArray)
        array.path = self.path
        return array

    def _marks(self, at: NDArray[np.intp]) -> NDArray[np.uint32]:
        return self._read(at, self._marks_at, np.zeros(len(at), _MARK))

    def _read(
        self, at: NDArray[np.intp], start: int, like: NDArray[Any]
    ) -> NDArray[Any]:
        """Read what each row has from a place on; not by a map, which takes memory."""
        found = np.zeros((len(at), *like.shape[1:]), like.dtype)
        file = self._file
        if file is None:
            return found
        for run in _runs(at):
            file.seek(start + int(at[run.start]) * found[:1].nbytes)
            read = np.fromfile(file, like.dtype, found[run].size)
            found[run].reshape(-1)[: len(read)] = read
        return found

    def _cannot_write(self, error: OSError) -> SpaceEditingError:
        return SpaceEditingError(
            f"The cache in {self.path.parent} cannot be written "
            f"({error.strerror or error}): free some space, or choose another folder."
        )


def row_shape_of(path: Path) -> tuple[int, ...] | None:
    """Return what a file says of the shape of its rows, None where there is none.

    Whether the file is whole only `KeptRows.open` tells.
    """
    with (
        suppress(OSError, ValueError),
        io.FileIO(path, "rb", opener=_without_following) as file,
    ):
        found = _SHAPE.search(file.read(_LONGEST_HEAD))
        if found is not None:
            return tuple(int(n) for n in found[1].split(b",") if n.strip())[1:]
    return None


def _without_following(path: str, flags: int) -> int:
    """Open a file, but no link, and without waiting for who writes into a pipe."""
    if Path(path).is_symlink():
        raise OSError(f"{path} is a link")
    return os.open(
        path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    )


def _mark(row: NDArray[Any], index: int) -> int:
    """Return the checksum of a row at its place; 0 is for none."""
    return zlib.crc32(row.data, int(index)) or 1


def _runs(at: NDArray[np.intp]) -> Iterator[slice]:
    """Yield the parts of some indices that follow each other."""
    cuts = np.flatnonzero(np.diff(at) != 1) + 1
    bounds = [0, *cuts.tolist(), len(at)]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield slice(start, stop)


def make_room(path: Path, needed: int, limit: int, what: str) -> None:
    """Delete the arrays of a folder that were not used for longest, to make room.

    Parameters
    ----------
    path : Path
        The file that is to be written.
    needed : int
        Its bytes.
    limit : int
        Bytes that the folder may hold.
    what : str
        What it is, with advice after a comma, for the error.

    Raises
    ------
    SpaceEditingError
        If the disk has no room for it.
    """
    others = [
        (other, other.lstat())
        for other in path.parent.iterdir()
        if _OURS.fullmatch(other.name) and other != path and other.is_file()
    ]
    in_use = sum(found.st_size for _, found in others)
    for other, found in sorted(others, key=lambda other: other[1].st_mtime):
        if in_use + needed <= limit:
            break
        in_use -= found.st_size
        with suppress(OSError):  # Windows keeps a file that someone has open
            other.unlink()
    # A file may have holes, so that the disk would be full only much later.
    if shutil.disk_usage(path.parent).free < needed:
        name, _, advice = what.partition(", ")
        raise SpaceEditingError(
            f"The disk has no room for {needed / 1e9:.1f} GB of {name} in "
            f"{path.parent}: free some space{advice and ', or '}{advice}."
        )


class MappedArray(np.memmap[Any, Any]):
    """A memory-mapped array that travels to another process as the path of its file.

    Parts of it travel as their content.
    """

    path: Path | None = None

    def __array_finalize__(self, obj: Any) -> None:
        super().__array_finalize__(obj)
        self.path = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.path is None:
            plain = np.asarray(self)
            return plain.__reduce_ex__(protocol)
        return mapped, (self.path,)


def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a .npy file, memory-mapped and read-only."""
    found = np.load(path, mmap_mode="r").view(MappedArray)
    found.path = path
    array: NDArray[Any] = found
    return array
