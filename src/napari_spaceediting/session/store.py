"""Arrays and weights of a session, in files named by a digest of their content.

The arrays of a checkpoint lie in one file, as the weights of a network do; the key of
one of them is the digest of the file, and its own name behind a slash.

A file never changes once it is written, so that whatever names it finds it as it was,
and writing the same again costs nothing. Nothing is ever unpickled. A content is
compared with its name when it is first read; of an array beyond `CHECKED` bytes, only
type, shape and length are.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from napari_spaceediting.data.filed import Filed
from napari_spaceediting.errors import SessionError
from napari_spaceediting.network.spec import State
from napari_spaceediting.session.files import settle
from napari_spaceediting.session.shelf import Damaged, Shelf
from napari_spaceediting.session.weights import (
    StoredArrays,
    StoredWeights,
    Weights,
    packed,
)

SHELVES = "arrays", "checkpoints", "weights"
"""Names of the subfolders."""
CHECKED = 1 << 28
"""Bytes up to which the content of an array is compared with its name."""
_IN_FILE = re.compile(r"([0-9a-f]{32})/(\w+)")
"""The key of an array that lies in a file with others."""
_MAPPED = 1 << 20
"""Bytes from which on an array stays in its file."""
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


class Store:
    """Arrays and weights of one session folder.

    Parameters
    ----------
    folder : Path
        Resolved.

    Raises
    ------
    Damaged
        If a subfolder is a link.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays = Shelf(folder / "arrays", ".npy")
        self.checkpoints = Shelf(folder / "checkpoints", ".safetensors")
        self.weights = Shelf(folder / "weights", ".safetensors")
        self.shelves = self.arrays, self.checkpoints, self.weights
        self._known: dict[int, tuple[weakref.ref[NDArray[Any]], str]] = {}
        self._checkpoints: WeakKeyDictionary[Filed, str] = WeakKeyDictionary()
        self._networks: dict[str, Weights] = {}
        self._written: dict[int, tuple[State, str]] = {}

    # Arrays

    def put(self, array: NDArray[Any]) -> str:
        """Write an array, unless it is there; return its digest."""
        known = self._key_of(array)
        key = known or _digest(_plain(array))
        shelf = self.arrays
        # What was there before is trusted when it was read, but not by its name.
        if shelf.holds(key) and (known or self._is_intact(key)):
            shelf.used.add(key)
        else:
            shelf.write(key, lambda file: _write_array(file, _plain(array)))
        self._remember(array, key)
        return key

    def get(self, key: str) -> NDArray[Any]:
        """Return an array, memory-mapped where it is large.

        Raises what `Shelf.reading` does.
        """
        if place := _IN_FILE.fullmatch(str(key)):
            file, name = place.groups()
            stored = StoredArrays(self.checkpoints, file)
            stored.check()
            with self.checkpoints.reading(file):
                return stored[name]
        array = self._read(key, CHECKED)
        self._remember(array, key)
        return array

    def path(self, key: str) -> Path:
        """Return the file of an array."""
        return self.arrays.path / self.arrays.name(key)

    def keep(self, key: str, origin: Store) -> None:
        """Take over the file of an array of this session or another one."""
        if place := _IN_FILE.fullmatch(str(key)):
            self._keep_file(self.checkpoints, origin.checkpoints, place[1])
            return
        self.arrays.name(key)
        if origin is not self:
            # One that is damaged is not missed before somebody wants to see it.
            with suppress(Damaged, PermissionError):
                self.put(origin.get(key))
        self.arrays.used.add(key)

    # Checkpoints

    def put_checkpoint(self, checkpoint: Filed) -> str:
        """Write its arrays, unless they are there; return the digest of their file."""
        key = self._checkpoints.get(checkpoint)
        key = self._put_file(self.checkpoints, lambda: checkpoint.arrays, key)
        self._checkpoints[checkpoint] = key
        return key

    def know(self, checkpoint: Filed, key: str) -> None:
        """Remember the file of a checkpoint that was read."""
        self._checkpoints[checkpoint] = key

    def let_go(self, checkpoints: Sequence[Filed], kept: Sequence[Filed]) -> None:
        """Have checkpoints that are known here read from their files from now on.

        What they share with those that are `kept` stays in memory.
        """
        stay = {id(part) for one in kept for part in one.parts}
        for checkpoint in checkpoints:
            stored = StoredArrays(self.checkpoints, self._checkpoints[checkpoint])
            stored.map()
            for part in checkpoint.parts:
                if id(part) not in stay:
                    part.let_go(stored)

    # Weights

    def put_weights(self, weights: State) -> str:
        """Write weights, unless they are there; return their digest."""
        key = self._put_file(self.weights, lambda: weights, self.key_of(weights))
        self._written[id(weights)] = weights, key
        return key

    def keep_weights(self, key: str, origin: Store) -> None:
        """Take over the file of weights, as `keep` does."""
        self._keep_file(self.weights, origin.weights, key)

    def name_weights(self, weights: State) -> str:
        """Return a digest for weights that are not kept."""
        key = self.key_of(weights) or packed(weights)[0]
        self._written.setdefault(id(weights), (weights, key))
        return key

    def get_weights(self, key: str, *, is_needed: bool = False) -> State:
        """Return weights, which are not read yet; the same object for the same.

        Those that are needed must be there, and stay; raises what `Shelf.reading` does.
        """
        if key not in self._networks:
            self._networks[key] = Weights(StoredWeights(self.weights, key))
        weights = self._networks[key]
        if is_needed and isinstance(weights.source, StoredWeights):
            weights.source.map()
        return weights

    def key_of(self, weights: State | None) -> str | None:
        """Return the digest of weights that were written or read, None for others."""
        if weights is None:
            return None
        if id(weights) in self._written:
            return self._written[id(weights)][1]
        source = weights.source if isinstance(weights, Weights) else None
        return source.key if isinstance(source, StoredWeights) else None

    def weights_of(self, key: str | None) -> State | None:
        """Return weights that were read before, None for others."""
        if key is not None:
            self.weights.name(key)
        return None if key is None else self._networks.get(key)

    def let_go_of_weights(self) -> None:
        """Have weights that were written read from their files from now on."""
        for weights, key in self._written.values():
            if isinstance(weights, Weights):
                weights.source = stored = StoredWeights(self.weights, key)
                if self.weights.holds(key):
                    stored.map()
        self._written = {}

    # All of them

    def begin(self) -> None:
        """Forget what was in use, before it is told anew."""
        self._written = {}
        known = self._known.items()
        self._known = {at: each for at, each in known if each[0]() is not None}
        for shelf in self.shelves:
            shelf.used = set()

    def settle(self) -> None:
        """Put the names of all files on disk, not just what they hold."""
        for shelf in self.shelves:
            settle(shelf.path)

    def tidy(self) -> None:
        """Delete files of ours that are not in use."""
        for shelf in self.shelves:
            shelf.tidy()

    @staticmethod
    def _put_file(
        shelf: Shelf, arrays: Callable[[], State], known: str | None = None
    ) -> str:
        """Write arrays into one file, unless they are there; return its digest.

        They are not looked at where that is known and the file is there.
        """
        if known is not None and shelf.holds(known):
            shelf.used.add(known)
            return known
        key, data = packed(arrays())
        with suppress(Damaged):
            if shelf.holds(key):
                StoredArrays(shelf, key).check()
                shelf.used.add(key)
                return key
        shelf.write(key, data)
        return key

    def _keep_file(self, shelf: Shelf, origin: Shelf, key: str) -> None:
        shelf.name(key)
        if origin is not shelf:
            with suppress(SessionError):
                self._put_file(shelf, lambda: StoredArrays(origin, key))
        shelf.used.add(key)

    def _key_of(self, array: NDArray[Any]) -> str | None:
        known = self._known.get(id(array))
        return known[1] if known and known[0]() is array else None

    def _remember(self, array: NDArray[Any], key: str) -> None:
        """Know the digest of an array for as long as it lives."""
        self._known[id(array)] = weakref.ref(array), key

    def _is_intact(self, key: str) -> bool:
        try:
            self._read(key, math.inf)
        except Damaged:
            return False
        return True

    def _read(self, key: str, checked: float) -> NDArray[Any]:
        """Read an array; of one of so many bytes, the content is what its name says."""
        with self.arrays.reading(key) as file:
            array = _read_array(file)
            if key not in self.arrays.sound and array.nbytes <= checked:
                if _digest(array) != key:
                    raise Damaged("is not what was written")
                self.arrays.sound.add(key)
        return array


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as it is written; Python objects would need pickling."""
    plain = array.astype(str) if array.dtype.hasobject else array
    return np.ascontiguousarray(plain).reshape(plain.shape)


def _content(array: NDArray[Any]) -> memoryview:
    content: memoryview = array.reshape(-1).view(np.uint8).data
    return content


def _digest(array: NDArray[Any]) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    digest = hashlib.blake2b(head, digest_size=16)
    digest.update(_content(np.ascontiguousarray(array)))
    return digest.hexdigest()


def _write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    # As `numpy.save`, which does not say why it could not write.
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
    file.write(_content(array))


def _read_array(file: BinaryIO) -> NDArray[Any]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise Damaged(f"is an array of version {version}")
    shape, is_fortran, dtype = _HEADERS[version](file)
    start, size = file.tell(), os.fstat(file.fileno()).st_size
    # Before room is made for what is not there.
    if dtype.hasobject or start + math.prod(shape) * dtype.itemsize != size:
        raise Damaged(f"does not hold {shape} of {dtype} as it says")
    order: Any = "F" if is_fortran else "C"
    if size > _MAPPED:
        return np.memmap(file, dtype, "r", start, shape, order)
    values = np.fromfile(file, dtype)
    return values.reshape(shape, order=order)
