"""What a user can do to images on the map, and what a list of edits adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.data.soft_labels import SoftLabels
from napari_spaceediting.editing.classes import (
    ClassEdit,
    Classes,
    Delete,
    Made,
    Merge,
    Rename,
    Reorder,
    Trait,
    TraitKind,
    Traits,
    describe_class_edit,
    flaw_of_class_edit,
    regrouped,
)
from napari_spaceediting.editing.image_edits import (
    ImageEdit,
    Intent,
    Move,
    Naming,
    Pin,
    PlacedEdit,
    Reject,
    Relabel,
    Reset,
    Restore,
    classes_of,
    flaw_of_shares,
    name_images,
    named,
    shares,
)
from napari_spaceediting.editing.selections import (
    SaveSelection,
    describe_selection,
    flaw_of_name,
)
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.errors import EditError

__all__ = [
    "ClassEdit",
    "Delete",
    "Edit",
    "EditKind",
    "EditLog",
    "EditState",
    "ImageEdit",
    "Intent",
    "Merge",
    "Move",
    "Naming",
    "Pin",
    "PlacedEdit",
    "Reject",
    "Relabel",
    "Rename",
    "Reorder",
    "Reset",
    "Restore",
    "SaveSelection",
    "Trait",
    "TraitKind",
    "Withdraw",
    "check_edit",
    "describe",
    "flaw_of_shares",
    "fold",
    "images_of",
    "name_images",
    "named",
    "shares",
    "standing_in",
    "withdrawn",
]


@dataclass(frozen=True, eq=False)
class Withdraw(Made):
    """An earlier edit taken out of the list, wherever it stands.

    Withdrawing a `Withdraw` brings back what it had taken out.

    Parameters
    ----------
    number : int
        Position of that edit in the list, from 0.
    """

    number: int


Edit = ImageEdit | ClassEdit | SaveSelection | Withdraw


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


class EditKind(IntEnum):
    """The last thing that was done to an image."""

    NONE = 0
    MOVED = 1
    ARRANGED = 2
    PINNED = 3
    RELABELLED = 4
    REJECTED = 5
    RESTORED = 6


NO_EDITS = "There is no edit to learn from: move, pin or relabel images first."
ONLY_ARRANGED = (
    "Images that are only arranged teach no class: make an axis of them, or move, pin "
    "or relabel images first."
)


@dataclass(frozen=True, eq=False)
class EditState:
    """What a list of edits adds up to, image by image.

    Parameters
    ----------
    class_names : tuple of str
        What has become of the classes, and those that edits have named: after the
        others, unless the user has put them in another order.
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
    rejected : (N,) bool array
        Images that are taken out.
    places : (c + 1,) int64 array
        Where each of the c classes before the edits is now, -1 for one that is gone;
        and -1 at the end, for no class.
    traits : mapping
        What the classes have beside their names.
    changes_classes : bool
        Whether an edit of classes stands.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    positions: NDArray[np.float32]
    kinds: NDArray[np.int8]
    tagged: NDArray[np.bool_]
    soft_labels: SoftLabels
    rejected: NDArray[np.bool_]
    places: NDArray[np.int64]
    traits: Traits
    changes_classes: bool

    @property
    def edited(self) -> NDArray[np.bool_]:
        """Images that an edit has touched, as an (N,) mask."""
        edited: NDArray[np.bool_] = self.kinds != EditKind.NONE
        return edited

    @property
    def why_no_lesson(self) -> str:
        """Why a network can learn nothing from the edits; "" where it can."""
        done = {EditKind(kind) for kind in np.unique(self.kinds)} - {EditKind.NONE}
        if self.changes_classes or done - {EditKind.ARRANGED}:
            return ""
        return ONLY_ARRANGED if done else NO_EDITS


def fold(
    edits: Sequence[Edit],
    labels: NDArray[np.int64],
    positions: NDArray[np.float32],
    class_names: tuple[str, ...],
    soft_labels: SoftLabels = None,
    rejected: NDArray[np.bool_] | None = None,
    traits: Traits | None = None,
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
    rejected : (N,) bool array, optional
        Images that are taken out before the edits.
    traits : mapping, optional
        What the classes have before the edits.
    """
    classes = Classes(class_names, traits)
    standing, changes_classes = _followed(edits, classes)
    is_soft = any(isinstance(edit, Naming) and edit.also for edit, _ in standing)
    if soft_labels is None:
        # Where nothing is soft, there is nothing to keep.
        soft_labels = np.zeros((len(labels), int(is_soft)), np.float32)
    if rejected is None:
        rejected = np.zeros(len(labels), bool)
    width = soft_labels.shape[1] and classes.n_slots
    start = _Images(labels, positions, widened(soft_labels, width), rejected)
    now = _Images(*(values.copy() for values in vars(start).values()))
    kinds, tagged = np.zeros(len(labels), np.int8), np.zeros(len(labels), bool)
    for edit, slots in standing:
        at = edit.indices
        if isinstance(edit, Reset):
            kinds[at], tagged[at] = EditKind.NONE, False
            now.take(at, start)
        elif isinstance(edit, Reject):
            kinds[at], now.rejected[at] = EditKind.REJECTED, True
        elif isinstance(edit, Restore):
            at = at[now.rejected[at]]
            kinds[at], now.rejected[at] = EditKind.RESTORED, False
        else:
            kinds[at] = _kind_of(edit)
            if isinstance(edit, Move):
                now.positions[at] = edit.end
            if edit.tag is not None or not isinstance(edit, Move):
                now.name(at, edit, slots)
                tagged[at] = True
            elif edit.intent is Intent.BELONGS:
                at = at[~tagged[at]]
                now.labels[at], now.soft[at] = UNLABELLED, 0
    if changes_classes:
        now = now.regrouped(classes)
        kinds[(now.labels < 0) & (kinds == EditKind.PINNED)] = EditKind.RELABELLED
    return EditState(
        class_names=classes.names,
        labels=now.labels,
        positions=now.positions,
        kinds=kinds,
        tagged=tagged,
        soft_labels=now.soft if now.soft.any() else None,
        rejected=now.rejected,
        places=np.append(classes.places()[: len(class_names)], UNLABELLED),
        traits=classes.traits(),
        changes_classes=changes_classes,
    )


def _followed(
    edits: Sequence[Edit], classes: Classes
) -> tuple[list[tuple[ImageEdit, dict[str, int]]], bool]:
    """Follow the classes through edits.

    Returns
    -------
    list of (edit, dict)
        The edits of images that stand, each with the numbers of the classes that it
        names.
    bool
        Whether an edit stands by which there are other classes.
    """
    gone, standing, changes = withdrawn(edits), [], False
    for number, edit in enumerate(edits):
        stands = number not in gone
        if isinstance(edit, ClassEdit):
            classes.follow(edit, stands=stands)
            changes |= stands and not isinstance(edit, Trait)
        elif stands and isinstance(edit, ImageEdit):
            slots = {name: classes.slot(name) for name in classes_of(edit)}
            standing.append((edit, slots))
    return standing, changes


@dataclass(frozen=True, eq=False)
class _Images:
    """What is known of images, with classes by the numbers that they keep."""

    labels: NDArray[np.int64]
    positions: NDArray[np.float32]
    soft: NDArray[np.float32]
    rejected: NDArray[np.bool_]

    def take(self, at: NDArray[np.int64], other: _Images) -> None:
        """Be as another one at some images."""
        for name, values in vars(self).items():
            values[at] = getattr(other, name)[at]

    def name(self, at: NDArray[np.int64], edit: Naming, slots: dict[str, int]) -> None:
        """Give images the class that an edit names."""
        self.labels[at] = UNLABELLED if edit.tag is None else slots[edit.tag]
        self.rejected[at] = False
        self.soft[at] = 0
        for name, share in shares(edit.tag, edit.also).items():
            self.soft[at, slots[name]] = share

    def regrouped(self, classes: Classes) -> _Images:
        """Return them with classes by their places, as these are now."""
        places, n_classes = classes.places(), len(classes.names)
        soft = regrouped(self.soft, places, n_classes * (self.soft.shape[1] > 0))
        labels = places[self.labels]
        left = np.flatnonzero((labels < 0) & soft.any(axis=1))
        if len(left):
            labels[left] = soft[left].argmax(axis=1)
        return _Images(labels, self.positions, soft, self.rejected)


def _kind_of(edit: Naming) -> EditKind:
    if isinstance(edit, Move):
        is_arranged = edit.intent is Intent.ARRANGE
        return EditKind.ARRANGED if is_arranged else EditKind.MOVED
    return EditKind.PINNED if isinstance(edit, Pin) else EditKind.RELABELLED


def images_of(edit: Edit) -> NDArray[np.int64]:
    """Return the images that an edit names, none for an edit of classes or edits."""
    return edit.indices if isinstance(edit, ImageEdit) else np.empty(0, np.int64)


def withdrawn(edits: Sequence[Edit]) -> set[int]:
    """Return the numbers of the edits that later ones have taken out."""
    gone: set[int] = set()
    for number in range(len(edits) - 1, -1, -1):
        edit = edits[number]
        if isinstance(edit, Withdraw) and number not in gone:
            gone.add(edit.number)
    return gone


def standing_in(edits: Sequence[Edit]) -> list[tuple[int, Edit]]:
    """Return the edits that stand, each with its number from 0."""
    gone = withdrawn(edits)
    return [
        (number, edit)
        for number, edit in enumerate(edits)
        if not isinstance(edit, Withdraw) and number not in gone
    ]


def check_edit(
    edit: Edit,
    done: Sequence[Edit],
    held_out: NDArray[np.bool_],
    class_names: Sequence[str] = (),
) -> None:
    """Refuse an edit that cannot be applied.

    Parameters
    ----------
    edit : Edit
        The edit.
    done : sequence of Edit
        The edits before it.
    held_out : (N,) bool array
        Images kept apart for measuring.
    class_names : sequence of str
        Classes before all of these edits.

    Raises
    ------
    EditError
        If it names images that do not exist, names none or one twice, moves
        held-out images, has positions that do not fit or are not finite, gives shares
        to classes that cannot be, changes classes that there are not, or takes back an
        edit that is not there.
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
    if isinstance(edit, ClassEdit):
        classes = Classes(class_names)
        _followed(done, classes)
        if flaw := flaw_of_class_edit(edit, classes.names):
            raise EditError(flaw)
        return
    n = len(held_out)
    at = edit.indices
    if isinstance(edit, SaveSelection) and (flaw := flaw_of_name(edit.name)):
        raise EditError(flaw)
    if not len(at) and not isinstance(edit, SaveSelection):
        raise EditError("The edit names no image: select one or more first.")
    missing = at[(at < 0) | (at >= n)]
    if len(missing):
        raise EditError(
            f"The edit names image number {missing[0]}, but the data set has only "
            f"{n} images: check that the edits belong to this data set."
        )
    if len(np.unique(at)) != len(at):
        raise EditError("The edit names an image twice: name each image once.")
    if isinstance(edit, Move | Pin) and held_out[at].any():
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
    if not isinstance(edit, Naming):
        return
    if edit.tag is not None and not edit.tag.strip():
        raise EditError("The class has no name: type one, or choose one of the list.")
    if flaw := flaw_of_shares(edit):
        raise EditError(flaw)


_DONE = {Reset: "Reset", Reject: "Rejected", Restore: "Restored"}


def describe(edit: Edit) -> str:
    """Return the edit in a few words, for a list."""
    if isinstance(edit, Withdraw):
        return f"Took back edit {edit.number + 1}"
    if isinstance(edit, ClassEdit):
        return describe_class_edit(edit)
    if isinstance(edit, SaveSelection):
        return describe_selection(edit)
    n = len(edit.indices)
    images = "1 image" if n == 1 else f"{n} images"
    if not isinstance(edit, Naming):
        return f"{_DONE[type(edit)]} {images}"
    name = named(edit.tag, edit.also)
    if isinstance(edit, Move):
        if edit.intent is Intent.ARRANGE:
            return f"Arranged {images}"
        return f"Moved {images}" + (f" to {name}" if name else "")
    if isinstance(edit, Pin):
        return f"Pinned {images} as {name}"
    return f"Labelled {images} {name}" if name else f"Unlabelled {images}"
