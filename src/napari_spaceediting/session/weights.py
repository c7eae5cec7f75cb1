"""Weights of networks, in memory until they are saved, and then in their files."""

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


class StoredWeights(Mapping[str, NDArray[Any]]):
    """Weights in a file, read when they are asked for.

    Parameters
    ----------
    shelf : Shelf
        Where the file is.
    key : str
        Its digest.
    """

    def __init__(self, shelf: Shelf, key: str) -> None:
        self.shelf = shelf
        self.key = key
        shelf.name(key)
        self._mapped: Any = None

    def map(self) -> None:
        """Map the file, so that it can be read whatever becomes of its name.

        Raises
        ------
        Damaged
            If it is missing or damaged.
        PermissionError
            If it may not be read.
        """
        if self._mapped is None:
            with self.shelf.reading(self.key):
                path = self.shelf.path / self.shelf.name(self.key)
                # It holds no file open, however many are mapped.
                self._mapped = safe_open(path, framework="np")

    def __getitem__(self, name: str) -> NDArray[Any]:
        file = self._read()
        if name not in file.keys():
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
            raise SessionError(
                f"The weights of a network cannot be read ({error}): those of a round "
                "that was rolled back are not kept; restore others from a copy."
            ) from error
        return self._mapped

    def check(self) -> None:
        """Compare the content with its name, once.

        Raises
        ------
        Damaged
            If it is missing, or not what was written.
        PermissionError
            If it may not be read.
        """
        if self.shelf.is_sound(self.key):
            return
        with self.shelf.reading(self.key) as file:
            if hashlib.file_digest(file, _digest).hexdigest() != self.key:
                raise Damaged("is not what was written")
        self.shelf.found_sound(self.key)


class Weights(Mapping[str, NDArray[Any]]):
    """Weights of a network that belongs to a session.

    Their identity says which network they are of. To another process they travel as a
    plain dictionary.

    Parameters
    ----------
    source : mapping
        In memory or in a file.
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


def packed(weights: State) -> tuple[str, bytes]:
    """Return the digest of weights, and what their file holds."""
    arrays = {name: np.asarray(value, order="C") for name, value in weights.items()}
    data = save(arrays)
    return _digest(data).hexdigest(), data


def _digest(data: bytes = b"") -> Any:
    return hashlib.blake2b(data, digest_size=16)
