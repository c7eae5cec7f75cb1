"""Axes that a session keeps, by the names that the user gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.errors import SessionError


@dataclass(frozen=True, eq=False)
class KeptAxis:
    """An axis with a name.

    Parameters
    ----------
    name : str
        Its own among the axes of a session.
    axis : Axis
        What images have along it, and how well it holds.
    """

    name: str
    axis: Axis = field(repr=False)


def named(
    axes: Sequence[Axis], name: str, kept: Sequence[KeptAxis]
) -> tuple[KeptAxis, ...]:
    """Give axes that hold a name; the second of an arrangement has a number behind it.

    Raises
    ------
    SessionError
        If none of them holds, or the name is empty or taken.
    """
    holding = [axis for axis in axes if axis.holds]
    if not holding:
        raise SessionError(axes[0].verdict if axes else NO_ARRANGEMENT)
    name = name.strip()
    if not name:
        raise SessionError("The axis has no name: type one first.")
    names = [name, *(f"{name} {number}" for number in range(2, len(holding) + 1))]
    taken = {one.name for one in kept}.intersection(names)
    if taken:
        raise SessionError(
            f"There is an axis “{min(taken)}” already: choose another name, or remove "
            "it first."
        )
    return tuple(map(KeptAxis, names, holding))


NO_ARRANGEMENT = "The arranged images all lie in one place: lay them out along a line."
