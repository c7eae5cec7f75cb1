"""Frozen dataclasses whose arrays lie in memory, or in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray


class Filed:
    """A frozen dataclass whose arrays need not stay in memory.

    They do until they are let go of, and are then read whenever they are asked for. To
    another process they travel as what they are.
    """

    @property
    def parts(self) -> list[Filed]:
        """Itself, and what it has of this kind."""
        inner = (value for value in vars(self).values() if isinstance(value, Filed))
        return [self, *(part for value in inner for part in value.parts)]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of all parts, by the names of the fields."""
        every = (
            (field.name, getattr(part, field.name))
            for part in self.parts
            for field in fields(part)  # type: ignore[arg-type]
        )
        return {name: value for name, value in every if isinstance(value, np.ndarray)}

    def let_go(self, source: Mapping[str, NDArray[Any]]) -> None:
        """Have its own arrays read from here, by their names, from now on."""
        known = vars(self)
        known["_source"] = source
        for name in [n for n in known if isinstance(known[n], np.ndarray)]:
            del known[name]

    def hold(self) -> None:
        """Read its own arrays, which stay in memory then."""
        for field in fields(self):  # type: ignore[arg-type]
            vars(self)[field.name] = getattr(self, field.name)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NDArray[Any]:
            try:
                return vars(self)["_source"][name]
            except KeyError:
                raise AttributeError(f"{type(self).__name__} has no {name}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)  # type: ignore[arg-type]
        }
