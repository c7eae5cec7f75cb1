"""Arrays that can be computed anew at any time, kept in files until room is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.memory import environment

VARIABLE = "SPACEEDITING_CACHE"
"""Variable of the environment that names another folder than the user's own one."""


def cache_dir() -> Path:
    """Return the folder where caches of this program are kept."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else user_cache_path("napari-spaceediting")


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """Let what is done inside keep its caches in a folder; None changes nothing."""
    if folder is None:
        yield
        return
    with environment(VARIABLE, str(folder.absolute())):
        yield


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
    others = [other for other in path.parent.glob("*.npy") if other != path]
    in_use = sum(other.stat().st_size for other in others)
    for other in sorted(others, key=lambda other: other.stat().st_mtime):
        if in_use + needed <= limit:
            break
        in_use -= other.stat().st_size
        with suppress(OSError):  # Windows keeps a file that someone has open
            other.unlink()
    # Writing to a memory map on a full disk would end the process.
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
