"""What a user can do to images on the map, and what a list of edits adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.errors import EditError


class Intent(StrEnum):
    """What a move says.

    `BELONGS`: the images are of the kind that they were put among.
    `ARRANGE`: the distances between the images are right as they lie now.
    """

    BELONGS = "belongs"
    ARRANGE = "arrange"


@dataclass(frozen=True, eq=False)
class Move:
    """One image, or a lassoed group, moved on the map.

    Parameters
    ----------
    indices : (n,) int64 array
        Images, as positions in the data set.
    start, end : (n, 2) float32 arrays
        Map coordinates before and after.
    intent : Intent
        What the move says.
    tag : str or None
        Class that the user saw and confirmed. None where only the place counts: the
        class that an image came with is then no longer believed, unless the images
        are arranged.
    """

    indices: NDArray[np.int64]
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    intent: Intent = Intent.BELONGS
    tag: str | None = None


@dataclass(frozen=True, eq=False)
class Pin:
    """Images that lie where they belong, with the class that they have there."""

    indices: NDArray[np.int64]
    tag: str


@dataclass(frozen=True, eq=False)
class Relabel:
    """Images given a class, or none, without a word about their place.

    The only edit that held-out images allow: their class is then used to
    measure, never to train.
    """

    indices: NDArray[np.int64]
    tag: str | None


@dataclass(frozen=True, eq=False)
class Reset:
    """Images put back to where they were, with the class that they had."""

    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Withdraw:
    """An earlier edit taken out of the list, wherever it stands.

    Withdrawing a `Withdraw` brings back what it had taken out.

    Parameters
    ----------
    number : int
        Position of that edit in the list, from 0.
    """

    number: int


ImageEdit = Move | Pin | Relabel | Reset
Edit = ImageEdit | Withdraw


@dataclass(frozen=True)
class EditLog:
    """Edits since the last accepted round, and those undone that can be redone.

    A log is a value: every change returns a new one.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    def append(self, edit: Edit) -> EditLog:
        """Add an edit; what was undone can no longer be redone."""
        return EditLog((*self.done, edit))

    def undo(self) -> EditLog:
        """Take the last edit back; the same log where there is none."""
        if not self.done:
            return self
        return EditLog(self.done[:-1], (self.done[-1], *self.undone))

    def redo(self) -> EditLog:
        """Do the last undone edit again; the same log where there is none."""
        if not self.undone:
            return self
        return EditLog((*self.done, self.undone[0]), self.undone[1:])


def name_images(
    indices: NDArray[np.int64],
    tag: str,
    positions: NDArray[np.float32],
    place: NDArray[np.float32] | None,
) -> Move | Pin:
    """Return the edit that gives images a class and puts them where it is at home.

    Parameters
    ----------
    indices : (n,) int64 array
        The images.
    tag : str
        Their class.
    positions : (N, 2) float32 array
        Map coordinates of all images.
    place : (2,) float32 array or None
        Where their middle shall lie, the group keeping its shape; None to pin them
        where they are.
    """
    if place is None:
        return Pin(indices, tag)
    start = positions[indices]
    end = (start + (place - start.mean(axis=0))).astype(np.float32)
    return Move(indices, start, end, Intent.BELONGS, tag)


class EditKind(IntEnum):
    """The last thing that was done to an image."""

    NONE = 0
    MOVED = 1
    ARRANGED = 2
    PINNED = 3
    RELABELLED = 4


@dataclass(frozen=True, eq=False)
class EditState:
    """What a list of edits adds up to, image by image.

    Parameters
    ----------
    class_names : tuple of str
        The data set's classes and then those that edits have named.
    labels : (N,) int64 array
        Class of every image after the edits, -1 where there is none.
    positions : (N, 2) float32 array
        Map coordinates after the edits.
    kinds : (N,) int8 array
        `EditKind` of every image.
    tagged : (N,) bool array
        Images whose class, or whose having none, an edit has said.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    positions: NDArray[np.float32]
    kinds: NDArray[np.int8]
    tagged: NDArray[np.bool_]

    @property
    def edited(self) -> NDArray[np.bool_]:
        """Images that an edit has touched, as an (N,) mask."""
        edited: NDArray[np.bool_] = self.kinds != EditKind.NONE
        return edited


def fold(
    edits: Sequence[Edit],
    labels: NDArray[np.int64],
    positions: NDArray[np.float32],
    class_names: tuple[str, ...],
) -> EditState:
    """Replay edits over the state they started from.

    Parameters
    ----------
    edits : sequence of Edit
        In the order in which they were made.
    labels : (N,) int64 array
        Classes before the edits, -1 for none.
    positions : (N, 2) float32 array
        Map coordinates before the edits.
    class_names : tuple of str
        Names of the classes before the edits.
    """
    names = list(class_names)
    start_labels, start_positions = labels, positions
    labels, positions = labels.copy(), positions.copy()
    kinds = np.zeros(len(labels), np.int8)
    tagged = np.zeros(len(labels), bool)

    def class_of(tag: str | None) -> int:
        if tag is None:
            return UNLABELLED
        if tag not in names:
            names.append(tag)
        return names.index(tag)

    gone = withdrawn(edits)
    for number, edit in enumerate(edits):
        if isinstance(edit, Withdraw) or number in gone:
            continue
        at = edit.indices
        if isinstance(edit, Move):
            arranged = edit.intent is Intent.ARRANGE
            kinds[at] = EditKind.ARRANGED if arranged else EditKind.MOVED
            positions[at] = edit.end
            if edit.tag is not None:
                labels[at] = class_of(edit.tag)
                tagged[at] = True
            elif not arranged:
                labels[at[~tagged[at]]] = UNLABELLED
        elif isinstance(edit, Pin | Relabel):
            is_pin = isinstance(edit, Pin)
            kinds[at] = EditKind.PINNED if is_pin else EditKind.RELABELLED
            labels[at] = class_of(edit.tag)
            tagged[at] = True
        else:
            kinds[at] = EditKind.NONE
            tagged[at] = False
            labels[at] = start_labels[at]
            positions[at] = start_positions[at]
    return EditState(tuple(names), labels, positions, kinds, tagged)


def withdrawn(edits: Sequence[Edit]) -> set[int]:
    """Return the numbers of the edits that later ones have taken out."""
    gone: set[int] = set()
    for number in range(len(edits) - 1, -1, -1):
        edit = edits[number]
        if isinstance(edit, Withdraw) and number not in gone:
            gone.add(edit.number)
    return gone


def check_edit(edit: Edit, done: Sequence[Edit], held_out: NDArray[np.bool_]) -> None:
    """Refuse an edit that cannot be applied.

    Parameters
    ----------
    edit : Edit
        The edit.
    done : sequence of Edit
        The edits before it.
    held_out : (N,) bool array
        Images kept apart for measuring.

    Raises
    ------
    EditError
        If it names images that do not exist, names none or one twice, moves
        held-out images, has positions that do not fit or are not finite, or takes
        back an edit that is not there.
    """
    if isinstance(edit, Withdraw):
        if not 0 <= edit.number < len(done):
            raise EditError(
                f"There is no edit number {edit.number + 1} to take back: the list "
                f"has {len(done)}."
            )
        if edit.number in withdrawn(done):
            raise EditError(
                f"Edit number {edit.number + 1} has been taken back already."
            )
        return
    n = len(held_out)
    at = edit.indices
    if not len(at):
        raise EditError("The edit names no image: select one or more first.")
    missing = at[(at < 0) | (at >= n)]
    if len(missing):
        raise EditError(
            f"The edit names image number {missing[0]}, but the data set has only "
            f"{n} images: check that the edits belong to this data set."
        )
    if len(np.unique(at)) != len(at):
        raise EditError("The edit names an image twice: name each image once.")
    if not isinstance(edit, Relabel | Reset) and held_out[at].any():
        raise EditError(
            f"{np.count_nonzero(held_out[at])} of the {len(at)} images are held out "
            "to measure accuracy and cannot be edited: leave them out of the "
            "selection, or relabel them to correct the measurement."
        )
    if isinstance(edit, Move) and not (
        edit.start.shape == edit.end.shape == (len(at), 2)
        and np.isfinite(edit.start).all()
        and np.isfinite(edit.end).all()
    ):
        raise EditError(
            f"The move of {len(at)} images needs a finite x and y for each of them."
        )
    if not isinstance(edit, Reset) and edit.tag is not None and not edit.tag.strip():
        raise EditError("The class has no name: type one, or choose one of the list.")


def describe(edit: Edit) -> str:
    """Return the edit in a few words, for a list."""
    if isinstance(edit, Withdraw):
        return f"Took back edit {edit.number + 1}"
    n = len(edit.indices)
    images = "1 image" if n == 1 else f"{n} images"
    if isinstance(edit, Move):
        if edit.intent is Intent.ARRANGE:
            return f"Arranged {images}"
        return f"Moved {images}" + (f" to {edit.tag}" if edit.tag else "")
    if isinstance(edit, Pin):
        return f"Pinned {images} as {edit.tag}"
    if isinstance(edit, Relabel):
        return f"Labelled {images} {edit.tag}" if edit.tag else f"Unlabelled {images}"
    return f"Reset {images}"
