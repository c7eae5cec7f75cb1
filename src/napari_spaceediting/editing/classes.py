"""What a user can do to the classes themselves, and what becomes of each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.colours import class_colours, to_hex
from napari_spaceediting.data.dataset import UNLABELLED


class TraitKind(StrEnum):
    """What a class can have beside its name.

    `COLOUR` is "#rrggbb", `KEY` the key that names images, `ABOVE` the class of a
    higher rank, such as the genus of a species.
    """

    COLOUR = "colour"
    KEY = "key"
    ABOVE = "above"


Traits = Mapping[str, Mapping[str, str]]
"""By `TraitKind`, what classes have by their names; in the order of their choice."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """Something that somebody did.

    Parameters
    ----------
    author : str
        Who; "" where that is not known.
    made : str
        When, ISO 8601 with time zone; "" where that is not known.
    """

    author: str = ""
    made: str = ""


@dataclass(frozen=True, eq=False)
class Rename(Made):
    """A class called otherwise from now on."""

    name: str
    to: str


@dataclass(frozen=True, eq=False)
class Merge(Made):
    """Several classes that become one, which may be one of them or be new."""

    names: tuple[str, ...]
    into: str


@dataclass(frozen=True, eq=False)
class Delete(Made):
    """A class that there is no more; its images are left without one."""

    name: str


@dataclass(frozen=True, eq=False)
class Reorder(Made):
    """Classes in another order: those named here come first."""

    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trait(Made):
    """What some classes have beside their names.

    Parameters
    ----------
    what : TraitKind
        The colour, the key or the class above.
    values : mapping of str to str
        By the names of classes; "" for what one would have by itself.
    """

    what: TraitKind
    values: Mapping[str, str]


ClassEdit = Rename | Merge | Delete | Reorder | Trait


class Classes:
    """Follows classes through edits: each has a number, whatever it is called.

    Parameters
    ----------
    names : sequence of str
        The c classes before the edits.
    traits : mapping
        What they have.
    """

    def __init__(self, names: Sequence[str], traits: Traits | None = None) -> None:
        self._n_before = len(names)
        self._names = list(names)
        self._into = list(range(len(names)))
        self._order = list(self._into)
        self._slots = {name: slot for slot, name in enumerate(names)}
        self._traits: dict[str, dict[int, str]] = {kind: {} for kind in TraitKind}
        for kind, chosen in (traits or {}).items():
            self._traits[kind] = {
                self._slots[name]: value
                for name, value in chosen.items()
                if name in self._slots
            }

    @property
    def n_slots(self) -> int:
        """How many numbers are given, to classes that are gone, too."""
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that there are, in their order."""
        return tuple(self._names[slot] for slot in self._order)

    def slot(self, name: str) -> int:
        """Return the number of a class, which there may not have been so far."""
        if name not in self._slots:
            self._slots[name] = len(self._names)
            self._order.append(len(self._names))
            self._into.append(len(self._names))
            self._names.append(name)
        return self._slots[name]

    def follow(self, edit: ClassEdit, *, stands: bool = True) -> None:
        """Follow an edit; of one that does not stand, later names are still understood.

        What is said of classes that there are not is passed over.
        """
        if isinstance(edit, Merge):
            self._merge(edit, stands)
            return
        if isinstance(edit, Trait):
            chosen = self._traits[edit.what]
            for name, value in edit.values.items():
                if stands and name in self._slots:
                    chosen.pop(self._slots[name], None)
                    if value:
                        chosen[self._slots[name]] = value
            return
        if isinstance(edit, Reorder):
            if stands:
                first = [self._slots[n] for n in edit.names if n in self._slots]
                rest = [slot for slot in self._order if slot not in first]
                self._order = [*first, *rest]
            return
        slot = self._slots.get(edit.name)
        if slot is None:
            return
        if isinstance(edit, Rename):
            if edit.to in self.names:
                return
            if stands:
                del self._slots[edit.name]
                self._names[slot] = edit.to
            self._slots[edit.to] = slot
        elif stands:
            self._leave(slot, UNLABELLED)

    def _merge(self, edit: Merge, stands: bool) -> None:
        parts = [self._slots[name] for name in edit.names if name in self._slots]
        if not parts:
            return
        if not stands:
            self._slots.setdefault(edit.into, parts[0])
            return
        if edit.into not in self._slots:
            self.follow(Rename(self._names[parts[0]], edit.into))
        whole = self._slots[edit.into]
        for slot in parts:
            if slot != whole and slot in self._order:
                self._leave(slot, whole)

    def _leave(self, slot: int, into: int) -> None:
        self._into[slot] = into
        self._order.remove(slot)
        for name in [name for name, at in self._slots.items() if at == slot]:
            del self._slots[name]

    def places(self) -> NDArray[np.int64]:
        """Return where the class of each number is now, -1 for one that is gone.

        One more at the end is -1, so that this leads from labels to labels.
        """
        index = {slot: at for at, slot in enumerate(self._order)}
        found = []
        for slot in range(self.n_slots):
            while slot not in index and slot != UNLABELLED:
                slot = self._into[slot]
            found.append(index.get(slot, UNLABELLED))
        return np.array([*found, UNLABELLED], np.int64)

    def traits(self) -> dict[str, dict[str, str]]:
        """Return what the classes have by their names.

        One whose place is another than it was keeps its colour all the same.
        """
        usual = class_colours(self.n_slots)
        colours = {
            slot: to_hex(usual[slot])
            for at, slot in enumerate(self._order)
            if slot != at and slot < self._n_before
        }
        chosen = self._traits | {
            TraitKind.COLOUR: colours | self._traits[TraitKind.COLOUR]
        }
        named = {
            str(kind): {
                self._names[slot]: value
                for slot, value in values.items()
                if slot in self._order
            }
            for kind, values in chosen.items()
        }
        return {kind: values for kind, values in named.items() if values}


def flaw_of_class_edit(edit: ClassEdit, names: Iterable[str]) -> str:
    """Return what is wrong with an edit of classes in a sentence, "" for nothing."""
    known = set(names)
    asked = _asked(edit)
    absent = [name for name in asked if name not in known]
    if absent:
        others = ", ".join(sorted(known))
        return f'There is no class "{absent[0]}": choose one of {others}.'
    if len(set(asked)) != len(asked):
        return "A class is named twice: name each class once."
    if isinstance(edit, Rename):
        if edit.to in known:
            return f'There is a class "{edit.to}" already: merge the two instead.'
        return "" if edit.to.strip() else "The class needs a name: type one."
    if isinstance(edit, Merge):
        parts = [name for name in edit.names if name != edit.into]
        if not edit.into.strip() or not parts:
            return "Name the classes to merge, and the one that they become."
        if len(edit.names) == 1 and edit.into not in known:
            return f'There is no class "{edit.into}" to merge into: rename it instead.'
    if isinstance(edit, Trait):
        flaws = (flaw_of_trait(edit.what, value) for value in edit.values.values())
        return next(filter(None, flaws), "")
    return ""


def texts_of(edit: ClassEdit) -> tuple[str, ...]:
    """Return all names and values that an edit has."""
    asked = _asked(edit)
    if isinstance(edit, Trait):
        return *asked, *edit.values.values()
    return *asked, getattr(edit, "to", ""), getattr(edit, "into", "")


def _asked(edit: ClassEdit) -> tuple[str, ...]:
    """Return the classes that an edit takes to be there."""
    if isinstance(edit, Merge | Reorder):
        return edit.names
    return tuple(edit.values) if isinstance(edit, Trait) else (edit.name,)


def flaw_of_trait(what: TraitKind, value: str) -> str:
    """Return why a class cannot have this in a sentence, "" where it can."""
    if not value:
        return ""
    if what is TraitKind.COLOUR and not re.fullmatch("#[0-9a-fA-F]{6}", value):
        return f'"{value}" is no colour: write it as "#rrggbb".'
    if what is TraitKind.KEY and (len(value) != 1 or value.isspace()):
        return "The key of a class is one character, such as 3 or A."
    if what is TraitKind.ABOVE and not value.strip():
        return "The class above needs a name: type one."
    return ""


def describe_class_edit(edit: ClassEdit) -> str:
    """Return the edit in a few words, for a list."""
    if isinstance(edit, Rename):
        return f"Renamed {edit.name} to {edit.to}"
    if isinstance(edit, Merge):
        others = [name for name in edit.names if name != edit.into]
        return f"Merged {', '.join(others)} into {edit.into}"
    if isinstance(edit, Delete):
        return f"Deleted the class {edit.name}"
    if isinstance(edit, Reorder):
        return f"Put the classes in the order {', '.join(edit.names)}"
    name, value = next(iter(edit.values.items()), ("no class", ""))
    more = f" and {len(edit.values) - 1} more" * (len(edit.values) > 1)
    if edit.what is TraitKind.KEY:
        more = ""  # these only keep theirs
    if edit.what is TraitKind.ABOVE:
        return f"Put {name}{more} below {value or 'no other class'}"
    return f"Gave {name}{more} the {edit.what} {value or 'that it had by itself'}"


def regrouped(
    shares: NDArray[np.float32], places: NDArray[np.int64], n_classes: int
) -> NDArray[np.float32]:
    """Return shares of classes as those, (n, C), of what has become of the classes.

    Parameters
    ----------
    shares : (n, c) float32 array
        Rows sum to 1, or to 0 where nothing is known.
    places : (c or more,) int64 array
        Where each class is now, -1 for one that is gone; the others have its share.
    n_classes : int
        Classes C that there are now.
    """
    found = np.zeros((len(shares), n_classes), np.float32)
    for column, place in zip(shares.T, places, strict=False):
        if place >= 0:
            found[:, place] += column
    total = found.sum(axis=1, keepdims=True)
    known = shares.any(axis=1, keepdims=True)
    np.divide(found, total, out=found, where=total > 0)
    return np.where(known, found, np.float32(0))
