"""Small helpers for work that reports its progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress

Steps = Generator[Progress, None, ImageDataset]
"""Yields progress, returns a data set."""

T = TypeVar("T")

_BLOCK = 32
"""Items of one task: few enough to show progress, enough to hide the overhead."""


def in_threads(
    function: Callable[[range], list[T]], total: int
) -> Iterator[tuple[int, list[T]]]:
    """Call a function on blocks of indices in threads, in order.

    Decoders and numpy release the interpreter's lock, so that threads help.

    Parameters
    ----------
    function : callable
        Takes a range of indices, returns one value for each.

    Yields
    ------
    start, values : int, list
        First index of a block, and the function's values for it.
    """
    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    blocks = [range(i, min(i + _BLOCK, total)) for i in range(0, total, _BLOCK)]
    try:
        for block, values in zip(blocks, pool.map(function, blocks), strict=True):
            yield block.start, values
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
