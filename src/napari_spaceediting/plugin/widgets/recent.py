"""What was used of late, as far as there is room for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by keys; those unused for longest go where there is no room.

    Parameters
    ----------
    room : int
        Bytes that they may take together.
    """

    def __init__(self, room: int) -> None:
        self._room, self._taken = room, 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return a value, or None if there is none any more."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: K, value: V, size: int) -> list[K]:
        """Keep a value of a size in bytes, and return the keys of what had to go."""
        self._taken += size - self._kept.pop(key, (None, 0))[1]
        self._kept[key] = value, size
        gone = []
        while self._taken > self._room and len(self._kept) > 1:
            oldest, (_, freed) = self._kept.popitem(last=False)
            self._taken -= freed
            gone.append(oldest)
        return gone

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._taken = 0
