"""How much memory work may take: a setting, whatever the number of images.

The environment variable `SPACEEDITING_MEMORY` holds it, such as ``2GB``. Processes that
are started from here have it too. The limit is for what grows with the number of
images; the libraries themselves (torch, numba) take about 0.5 GB beside it.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import SpaceEditingError

VARIABLE = "SPACEEDITING_MEMORY"

_DEFAULT = 4 << 30
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_ARRAY = 4
"""A single array may take this part of the limit; beyond it, it lies in a file."""
_BLOCK = 64
"""What is worked on at once may take this part of it."""


def bytes_of(text: str) -> int:
    """Return the bytes that a text such as ``2GB``, ``500 MB`` or ``1e9`` means.

    Raises
    ------
    SpaceEditingError
        If it means none.
    """
    found = re.fullmatch(
        r"\s*([\d.]+(?:e\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE
    )
    try:
        size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    except (ValueError, OverflowError):
        size = 0
    if not 1 <= size <= sys.maxsize:
        raise SpaceEditingError(
            f"{text!r} is no amount of memory: write it as 500MB or 4GB."
        )
    return size


def memory_limit() -> int:
    """Return the bytes that work may take, 4 GiB unless the environment says else."""
    text = os.environ.get(VARIABLE)
    return bytes_of(text) if text else _DEFAULT


@contextmanager
def limited_to(text: str | None) -> Iterator[None]:
    """Let work inside take that much memory, as for `bytes_of`; None changes nothing.

    Raises
    ------
    SpaceEditingError
        If the text means no amount.
    """
    if text is None:
        yield
        return
    with environment(VARIABLE, str(bytes_of(text))):
        yield


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Let a variable of the environment have another value inside."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def array_limit() -> int:
    """Return the bytes that a single array may take in memory."""
    return memory_limit() // _ARRAY


def rows_at_once(bytes_per_row: int) -> int:
    """Return how many rows may be worked on at once, at least 1."""
    return max(1, memory_limit() // _BLOCK // max(bytes_per_row, 1))


def blocks(n_rows: int, bytes_per_row: int) -> Iterator[slice]:
    """Yield slices that cover `n_rows` rows and each fit into memory."""
    step = rows_at_once(bytes_per_row)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def room(shape: tuple[int, ...], dtype: type[np.generic], folder: Path) -> NDArray[Any]:
    """Return an array in memory or, if it is large, in a temporary file without a name.

    Parameters
    ----------
    folder : Path
        Where the file is made; made itself if need be.

    Raises
    ------
    SpaceEditingError
        If the disk has no room for it.
    """
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if needed <= array_limit():
        return np.empty(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < needed:
        raise SpaceEditingError(
            f"The disk has no room for {needed / 1e9:.1f} GB in {folder}: free some "
            "space."
        )
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=shape)
