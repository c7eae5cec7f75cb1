"""Selections that are saved under a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.classes import Made
from napari_spaceediting.wording import counted

LONGEST_NAME = 80
"""Characters of the name of a selection at most."""


@dataclass(frozen=True, eq=False)
class SaveSelection(Made):
    """Images that are kept under a name, to be found again; they learn nothing by it.

    Parameters
    ----------
    indices : (n,) int64 array
        Images, as positions in the data set. With none the name goes.
    name : str
        Its own; what was saved under it before is replaced.
    """

    indices: NDArray[np.int64]
    name: str


def saved_by(edits: Iterable[object]) -> dict[str, NDArray[np.int64]]:
    """Return the selections that edits leave behind, by their names, oldest first.

    Parameters
    ----------
    edits : iterable of Edit
        Those that stand, in their order.
    """
    found: dict[str, NDArray[np.int64]] = {}
    for edit in edits:
        if isinstance(edit, SaveSelection):
            found.pop(edit.name, None)
            if len(edit.indices):
                found[edit.name] = edit.indices
    return found


def flaw_of_name(name: str) -> str:
    """Say why a selection cannot be called so; "" where it can."""
    if not name.strip() or name != name.strip():
        return "The selection needs a name without blanks around it: type one."
    if len(name) > LONGEST_NAME:
        return f"The name is too long: use at most {LONGEST_NAME} characters."
    return "" if name.isprintable() else "The name must be one line of text."


def describe_selection(edit: SaveSelection) -> str:
    """Return the edit in a few words, for a list."""
    if not len(edit.indices):
        return f"Forgot the selection {edit.name}"
    images = counted(len(edit.indices), "image")
    return f"Saved {images} as the selection {edit.name}"
