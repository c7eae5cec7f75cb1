"""Values on their way between processes, the content of large arrays in blocks.

To pickle an array is to copy it in one go, and to unpickle it another time; until that
is done Python runs no other thread. At 300 MB (thumbnails of 100,000 images) the window
would stand still for a third of a second each time. So pickle's fifth protocol leaves
large contents out, and they follow in blocks.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

_BLOCK = 1 << 20
"""Bytes that are copied in one go; smaller contents are pickled with the rest."""


@dataclass(frozen=True, eq=False)
class Parcel:
    """A pickled value.

    Parameters
    ----------
    pickled : bytes
        All of it but for large contents.
    contents : sequence of buffers
        Those contents, in the order in which they occur.
    """

    pickled: bytes
    contents: Sequence[memoryview]

    @classmethod
    def pack(cls, value: object) -> Parcel:
        """Pack a value; its large arrays are not copied and must not change."""
        contents: list[memoryview] = []

        def keeps(buffer: pickle.PickleBuffer) -> bool:
            content = buffer.raw()
            if content.nbytes < _BLOCK:
                return True
            contents.append(content)
            return False

        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=keeps)
        return cls(pickled, contents)

    def unpack(self) -> Any:
        """Return the value; it shares the memory of this parcel."""
        return pickle.loads(self.pickled, buffers=self.contents)

    def send(self, connection: Connection[Any, Any], kind: str, number: int) -> None:
        """Send it as a message of a kind, on the job of a number, to `receive`."""
        sizes = [content.nbytes for content in self.contents]
        connection.send((kind, number, self.pickled, sizes))
        for content in self.contents:
            for start in range(0, content.nbytes, _BLOCK):
                connection.send_bytes(content[start : start + _BLOCK])

    @classmethod
    def receive(cls, connection: Connection[Any, Any]) -> tuple[str, int, Parcel]:
        """Wait for a message: its kind, the number of its job, and a parcel.

        Raises
        ------
        EOFError, OSError
            The connection broke.
        """
        kind, number, pickled, sizes = connection.recv()
        contents = []
        for size in sizes:
            content = np.empty(size, np.uint8).data  # unlike a bytearray, not cleared
            for start in range(0, size, _BLOCK):
                connection.recv_bytes_into(content[start : start + _BLOCK])
            contents.append(content)
        return kind, number, cls(pickled, contents)
