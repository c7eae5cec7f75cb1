"""Arrays that lie in one file, read when they are asked for; so do weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from napari_spaceediting.errors import SessionError
from napari_spaceediting.network.spec import State
from napari_spaceediting.session.shelf import DAMAGE, Damaged, Shelf


class StoredArrays(Mapping[str, NDArray[Any]]):
    """Arrays in one file, read when they are asked for.

    Parameters
    ----------
    shelf : Shelf
        Where the file is.
    key : str
        Its digest.
    """

    problem = "What a round led to cannot be read ({}): restore it from a copy."
    """What the user is told."""

    def __init__(self, shelf: Shelf, key: str) -> None:
        self.shelf = shelf
        self.key = key
        shelf.name(key)
        self._mapped: Any = None

    def map(self) -> None:
        """Map the file, so that it can be read whatever becomes of its name.

        Raises what `Shelf.reading` does.
        """
        if self._mapped is None:
            with self.shelf.reading(self.key):
                path = self.shelf.path / self.shelf.name(self.key)
                # It holds no file open, however many are mapped.
                self._mapped = safe_open(path, framework="np")

    def __getitem__(self, name: str) -> NDArray[Any]:
        file = self._read()
        if name not in tuple(self):
            raise KeyError(name)
        found: NDArray[Any] = file.get_tensor(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._read().keys())

    def __len__(self) -> int:
        return len(self._read().keys())

    def _read(self) -> Any:
        try:
            self.map()
            # As long as it has a name.
            if self.shelf.holds(self.key):
                self.check()
        except DAMAGE as error:
            raise SessionError(self.problem.format(error)) from error
        return self._mapped

    def check(self) -> None:
        """Compare the content with its name, once; raises what `Shelf.reading` does."""
        if self.key not in self.shelf.sound:
            with self.shelf.reading(self.key) as file:
                if hashlib.file_digest(file, _digest).hexdigest() != self.key:
                    raise Damaged("is not what was written")
            self.shelf.sound.add(self.key)


class StoredWeights(StoredArrays):
    """Weights of a network in a file."""

    problem = (
        "The weights of a network cannot be read ({}): those of a round that was "
        "rolled back are not kept; restore others from a copy."
    )


class Weights(Mapping[str, NDArray[Any]]):
    """Weights of a network that belongs to a session.

    Their identity says which network they are of. To another process they travel as a
    plain dictionary.
    """

    def __init__(self, source: State) -> None:
        self.source = source

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.source[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.source)

    def __len__(self) -> int:
        return len(self.source)

    def __reduce__(self) -> tuple[type, tuple[dict[str, NDArray[Any]]]]:
        return dict, (dict(self.source),)


def packed(arrays: State) -> tuple[str, bytes]:
    """Return the digest of arrays, and what their file holds."""
    data = save({name: np.asarray(each, order="C") for name, each in arrays.items()})
    return _digest(data).hexdigest(), data


def _digest(data: bytes = b"") -> Any:
    return hashlib.blake2b(data, digest_size=16)
