"""What a saved session says that is left out when it is opened, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from napari_spaceediting.errors import SpaceEditingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


class Leftovers:
    """Picks out of a file what can be used, and remembers the rest.

    What is missing takes its default. So options can come and go without a new
    version of the format, as long as what stays means the same.
    """

    def __init__(self) -> None:
        self._unknown: dict[str, None] = {}
        self._said: dict[str, None] = {}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the user should know of it, each thing once."""
        if not self._unknown:
            return tuple(self._said)
        rest = ", ".join(self._unknown)
        return *self._said, f"Left out, as this version does not know it: {rest}."

    def say(self, sentence: str) -> None:
        """Remember a sentence for the user."""
        self._said[sentence] = None

    def known(
        self, values: Mapping[str, Any], names: Iterable[str], where: str
    ) -> dict[str, Any]:
        """Return the values that have one of these names.

        Parameters
        ----------
        values : mapping
            As they were read.
        names : iterable of str
            What is known.
        where : str
            What the values belong to, such as "the map".
        """
        names = set(names)
        for name in values.keys() - names:
            self._unknown[f"“{name}” of {where}"] = None
        return {name: value for name, value in values.items() if name in names}

    def settings(self, kind: type[T], values: Mapping[str, Any], where: str) -> T:
        """Build settings; what is impossible takes its default.

        Parameters
        ----------
        kind : type
            A dataclass with a default for each of its fields.
        values : mapping
            As from `asdict`.
        where : str
            Whose settings they are, such as "round 1".
        """
        found = usual = kind()
        for name, value in self.known(values, names_of(kind), where).items():
            try:
                fitting = _types(kind)[name].validate_python(value)
                found = replace(found, **{name: fitting})
            except (ValidationError, SpaceEditingError):
                self.say(
                    f"“{name}” of {where} is {value!r}, which cannot be: "
                    f"{getattr(usual, name)!r} takes its place."
                )
        return found


def names_of(kind: type[DataclassInstance]) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in fields(kind)]


@cache
def _types(kind: type[DataclassInstance]) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(kind).items()}
