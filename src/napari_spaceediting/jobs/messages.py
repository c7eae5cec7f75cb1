"""Messages between processes: values, the content of their arrays beside them.

To pickle an array is to copy it in one go, and to unpickle it another time; until that
is done Python runs no other thread. At 300 MB (thumbnails of 100,000 images) the window
would stand still for a third of a second each time. So pickle's fifth protocol leaves
contents out, and each goes through the pipe from where it is to where it will be.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import IO, Any

import numpy as np

BROKEN = (EOFError, OSError, pickle.UnpicklingError)
"""What `receive` raises when the other side is gone."""

Message = tuple[str, Callable[[], Any]]
"""Its kind, and what unpickles its value."""


def send(pipe: IO[bytes], kind: str, value: object = None) -> None:
    """Send a value to `receive`; nothing is sent of one that cannot be pickled.

    Raises
    ------
    OSError
        The other side is gone.
    """
    parts: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=parts.append)
    contents = [part.raw() for part in parts]
    pickle.dump((kind, pickled, [content.nbytes for content in contents]), pipe)
    for content in contents:
        pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message:
    """Wait for a message."""
    kind, pickled, sizes = pickle.load(pipe)
    # Unlike bytearrays, these are not cleared, and are let go of in no time.
    contents = [np.empty(size, np.uint8) for size in sizes]
    for content in contents:
        if pipe.readinto(content) < content.nbytes:  # type: ignore[attr-defined]
            raise EOFError
    return kind, partial(pickle.loads, pickled, buffers=contents)
