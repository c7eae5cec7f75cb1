"""What a user can do to images on the map, and what a list of edits adds up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.data.soft_labels import SoftLabels, in_words
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.errors import EditError


class Intent(StrEnum):
    """What a move says.

    `BELONGS`: the images are of the kind that they were put among.
    `ARRANGE`: the distances between the images are right as they lie now.
    """

    BELONGS = "belongs"
    ARRANGE = "arrange"


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """Who made an edit, and when.

    Parameters
    ----------
    author : str
        Name of the user; "" where it is not known.
    made : str
        ISO 8601 with time zone; "" where it is not known.
    """

    author: str = field(default="", compare=False)
    made: str = field(default="", compare=False)


@dataclass(frozen=True, eq=False)
class Move(Made):
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
    also : mapping of str to float
        Further classes that the images are of, each with its share; the tag has the
        rest, and the most.
    """

    indices: NDArray[np.int64]
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    intent: Intent = Intent.BELONGS
    tag: str | None = None
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Pin(Made):
    """Images that lie where they belong, with the class that they have there.

    `also` is as in `Move`.
    """

    indices: NDArray[np.int64]
    tag: str
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Relabel(Made):
    """Images given a class, or none, without a word about their place.

    The only edit that held-out images allow: their class is then used to
    measure, never to train. `also` is as in `Move`.
    """

    indices: NDArray[np.int64]
    tag: str | None
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reset(Made):
    """Images put back to where they were, with the class that they had."""

    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Withdraw(Made):
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
    soft_labels : (N, C) float32 array or None
        Soft labels after the edits.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    positions: NDArray[np.float32]
    kinds: NDArray[np.int8]
    tagged: NDArray[np.bool_]
    soft_labels: SoftLabels = None

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
    soft_labels: SoftLabels = None,
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
    soft_labels : (N, c) float32 array or None
        Soft labels before the edits.
    """
    gone = withdrawn(edits)
    standing = [
        edit
        for number, edit in enumerate(edits)
        if not isinstance(edit, Withdraw) and number not in gone
    ]
    said = [name for edit in standing for name in _classes_of(edit)]
    names = tuple(dict.fromkeys((*class_names, *said)))
    index = {name: number for number, name in enumerate(names)}
    start_labels, start_positions = labels, positions
    labels, positions = labels.copy(), positions.copy()
    kinds = np.zeros(len(labels), np.int8)
    tagged = np.zeros(len(labels), bool)
    if soft_labels is None:
        # Where nothing is soft, there is nothing to keep.
        is_soft = any(not isinstance(edit, Reset) and edit.also for edit in standing)
        soft_labels = np.zeros((len(labels), len(names) * is_soft), np.float32)
    start_soft = widened(soft_labels, soft_labels.shape[1] and len(names))
    soft = start_soft.copy()

    def give(edit: Move | Pin | Relabel) -> None:
        labels[at] = UNLABELLED if edit.tag is None else index[edit.tag]
        tagged[at] = True
        soft[at] = 0
        for name, share in shares(edit.tag, edit.also).items():
            soft[at, index[name]] = share

    for edit in standing:
        at = edit.indices
        if isinstance(edit, Move):
            arranged = edit.intent is Intent.ARRANGE
            kinds[at] = EditKind.ARRANGED if arranged else EditKind.MOVED
            positions[at] = edit.end
            if edit.tag is not None:
                give(edit)
            elif not arranged:
                at = at[~tagged[at]]
                labels[at], soft[at] = UNLABELLED, 0
        elif isinstance(edit, Pin | Relabel):
            is_pin = isinstance(edit, Pin)
            kinds[at] = EditKind.PINNED if is_pin else EditKind.RELABELLED
            give(edit)
        else:
            kinds[at] = EditKind.NONE
            tagged[at] = False
            labels[at], soft[at] = start_labels[at], start_soft[at]
            positions[at] = start_positions[at]
    left = soft if soft.any() else None
    return EditState(names, labels, positions, kinds, tagged, left)


def _classes_of(edit: ImageEdit) -> tuple[str, ...]:
    if isinstance(edit, Reset) or edit.tag is None:
        return ()
    return (edit.tag, *edit.also)


def shares(tag: str | None, also: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each class that an edit names; {} where that is one."""
    if tag is None or not also:
        return {}
    return {tag: 1 - sum(also.values()), **also}


def named(tag: str | None, also: Mapping[str, float]) -> str:
    """Return what an edit names, such as "Coat" or "Coat 60, Shirt 40"; "" for none."""
    return in_words(shares(tag, also)) or tag or ""


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
        held-out images, has positions that do not fit or are not finite, gives shares
        to classes that cannot be, or takes back an edit that is not there.
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
    if not isinstance(edit, Reset) and (flaw := flaw_of_shares(edit)):
        raise EditError(flaw)


def flaw_of_shares(edit: Move | Pin | Relabel) -> str:
    """Return what is wrong with the shares of an edit in a sentence, "" for nothing."""
    tag, also = edit.tag, edit.also
    if not also:
        return ""
    if tag is None or tag in also or not all(map(str.strip, also)):
        return "A share needs a class beside that of the edit: name both."
    given = shares(tag, also)
    if not 0 < min(given.values()) <= max(also.values()) <= given[tag] + 1e-6:
        return (
            f"{in_words(given)} are no shares of images: give each class more than 0, "
            "and let the tag be the class with the most."
        )
    return ""


def describe(edit: Edit) -> str:
    """Return the edit in a few words, for a list."""
    if isinstance(edit, Withdraw):
        return f"Took back edit {edit.number + 1}"
    n = len(edit.indices)
    images = "1 image" if n == 1 else f"{n} images"
    name = "" if isinstance(edit, Reset) else named(edit.tag, edit.also)
    if isinstance(edit, Move):
        if edit.intent is Intent.ARRANGE:
            return f"Arranged {images}"
        return f"Moved {images}" + (f" to {name}" if name else "")
    if isinstance(edit, Pin):
        return f"Pinned {images} as {name}"
    if isinstance(edit, Relabel):
        return f"Labelled {images} {name}" if name else f"Unlabelled {images}"
    return f"Reset {images}"
