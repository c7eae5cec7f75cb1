"""Arrays and weights of a session, in files named by a digest of their content.

A file never changes once it is written, so that whatever names it finds it as it was,
and writing the same again costs nothing. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from napari_spaceediting.network.spec import State

DAMAGE = (
    OSError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    SafetensorError,
)
"""What reading a file of a session may raise that is not what was written."""

_MAPPED = 1 << 20
"""Bytes from which on an array stays in its file."""


class Store:
    """Arrays and weights of one session folder.

    Parameters
    ----------
    folder : Path
        ``NAME.spaceediting``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays = folder / "arrays"
        self._weights = folder / "weights"
        self._used: set[Path] = set()
        self._known: dict[int, tuple[Any, str]] = {}
        self._networks: dict[str, State] = {}

    def put(self, array: NDArray[Any]) -> str:
        """Write an array, unless it is there; return its digest."""

        def write() -> str:
            # Python objects would need pickling.
            plain = array.astype(str) if array.dtype.hasobject else array
            contiguous = np.ascontiguousarray(plain)
            head = f"{contiguous.dtype.str}{contiguous.shape}".encode()
            digest = hashlib.blake2b(head, digest_size=16)
            digest.update(contiguous.reshape(-1).view(np.uint8).data)
            key = digest.hexdigest()
            self._write_once(
                self.path(key),
                lambda file: np.save(file, contiguous, allow_pickle=False),
            )
            return key

        return self._once(array, write)

    def get(self, key: str) -> NDArray[Any]:
        """Return an array, memory-mapped where it is large."""
        path = self.path(key)
        mode: Literal["r"] | None = "r" if path.stat().st_size > _MAPPED else None
        found: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return found

    def path(self, key: str) -> Path:
        """Return the file of an array."""
        return self.arrays / f"{key}.npy"

    def keep(self, path: Path) -> None:
        """Take over the file of an array, of this session or another one."""

        def copy(file: Any) -> None:
            with path.open("rb") as original:
                shutil.copyfileobj(original, file)

        self._write_once(self.arrays / path.name, copy)

    def put_weights(self, weights: State) -> str:
        """Write weights, unless they are there; return their digest."""

        def write() -> str:
            arrays = {k: np.asarray(v, order="C") for k, v in weights.items()}
            data = save(arrays)
            key = hashlib.blake2b(data, digest_size=16).hexdigest()
            self._write_once(
                self._weights / f"{key}.safetensors", lambda file: file.write(data)
            )
            return key

        return self._once(weights, write)

    def get_weights(self, key: str) -> State:
        """Return weights; the same object for the same weights."""
        if key not in self._networks:
            self._networks[key] = load_file(self._weights / f"{key}.safetensors")
        return self._networks[key]

    def key_of(self, weights: State | None) -> str | None:
        """Return the digest of weights that were written, None for others."""
        return self._known.get(id(weights), (None, None))[1]

    def weights_of(self, key: str | None) -> State | None:
        """Return weights that were read before, None for others."""
        return None if key is None else self._networks.get(key)

    def settle(self) -> None:
        """Put the names of all files on disk, not just what they hold."""
        for folder in (self.arrays, self._weights):
            if folder.exists():
                settle(folder)

    def forget_the_rest(self) -> None:
        """Delete arrays and weights that the session no longer names.

        What cannot be deleted, such as a file that is open on Windows, waits for the
        next time.
        """
        for folder in (self.arrays, self._weights):
            for path in folder.glob("*"):
                if path not in self._used:
                    with suppress(OSError):
                        path.unlink()

    def _once(self, value: Any, write: Callable[[], str]) -> str:
        """Write an object only once; it is kept alive, so that its id stays its own."""
        if id(value) not in self._known:
            self._known[id(value)] = (value, write())
        return self._known[id(value)][1]

    def _write_once(self, path: Path, write: Callable[[Any], object]) -> None:
        self._used.add(path)
        if not path.exists():
            replace_file(path, write)


def replace_file(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file beside its place and put it there when all of it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def settle(folder: Path) -> None:
    """Put the names in a folder on disk, where the file system knows how to."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
