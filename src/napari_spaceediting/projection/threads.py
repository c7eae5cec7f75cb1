"""Numba changes the number of torch's threads; this puts it back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Leave torch with as many threads as it had, if it is loaded.

    Both use the same OpenMP library, and the first parallel function of numba sets
    the number for the calling thread. On busy cores torch is then many times slower.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)
