"""What a user can do to images on the map, and what a list of edits adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.data.soft_labels import SoftLabels
from napari_spaceediting.editing.classes import (
    ClassEdit,
    Classes,
    Made,
    Trait,
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
    Reset,
    Restore,
    classes_of,
    flaw_of_image_edit,
    flaw_of_images,
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
    start = _Images(
        labels,
        positions,
        widened(soft_labels, width),
        rejected,
        kinds=np.zeros(len(labels), np.int8),
        tagged=np.zeros(len(labels), bool),
    )
    now = _Images(*(values.copy() for values in vars(start).values()))
    for edit, slots in standing:
        now.follow(edit, slots, start)
    if changes_classes:
        now = now.regrouped(classes)
    return EditState(
        class_names=classes.names,
        labels=now.labels,
        positions=now.positions,
        kinds=now.kinds,
        tagged=now.tagged,
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

    Return those of images that stand, each with the numbers of the classes that it
    names, and whether one stands by which there are other classes.
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
    kinds: NDArray[np.int8]
    tagged: NDArray[np.bool_]

    def follow(self, edit: ImageEdit, slots: dict[str, int], start: _Images) -> None:
        """Do what an edit says; `start` is what they were before all edits."""
        at = edit.indices
        if isinstance(edit, Reset):
            for name, values in vars(self).items():
                values[at] = getattr(start, name)[at]
        elif isinstance(edit, Reject):
            self.kinds[at], self.rejected[at] = EditKind.REJECTED, True
        elif isinstance(edit, Restore):
            at = at[self.rejected[at]]
            self.kinds[at], self.rejected[at] = EditKind.RESTORED, False
        else:
            self.kinds[at] = _kind_of(edit)
            if isinstance(edit, Move):
                self.positions[at] = edit.end
            if edit.tag is not None or not isinstance(edit, Move):
                self._name(edit, slots)
            elif edit.intent is Intent.BELONGS:
                at = at[~self.tagged[at]]
                self.labels[at], self.soft[at] = UNLABELLED, 0

    def _name(self, edit: Naming, slots: dict[str, int]) -> None:
        """Give images the class that an edit names."""
        at = edit.indices
        self.labels[at] = UNLABELLED if edit.tag is None else slots[edit.tag]
        self.rejected[at], self.tagged[at], self.soft[at] = False, True, 0
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
        is_lost = (labels < 0) & (self.kinds == EditKind.PINNED)
        kinds = np.where(is_lost, np.int8(EditKind.RELABELLED), self.kinds)
        return replace(self, labels=labels, soft=soft, kinds=kinds)


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
    n = len(held_out)
    if isinstance(edit, Withdraw):
        flaw = _flaw_of_withdrawal(edit, done)
    elif isinstance(edit, ClassEdit):
        classes = Classes(class_names)
        _followed(done, classes)
        flaw = flaw_of_class_edit(edit, classes.names)
    elif isinstance(edit, SaveSelection):
        flaw = flaw_of_name(edit.name) or flaw_of_images(edit.indices, n)
    elif not len(edit.indices):
        flaw = "The edit names no image: select one or more first."
    else:
        flaw = flaw_of_image_edit(edit, n) or _flaw_of_held_out(edit, held_out)
    if flaw:
        raise EditError(flaw)


def _flaw_of_withdrawal(edit: Withdraw, done: Sequence[Edit]) -> str:
    if not 0 <= edit.number < len(done):
        return (
            f"There is no edit number {edit.number + 1} to take back: the list has "
            f"{len(done)}."
        )
    if edit.number in withdrawn(done):
        return f"Edit number {edit.number + 1} has been taken back already."
    return ""


def _flaw_of_held_out(edit: ImageEdit, held_out: NDArray[np.bool_]) -> str:
    n_held_out = int(np.count_nonzero(held_out[edit.indices]))
    if not n_held_out or not isinstance(edit, PlacedEdit):
        return ""
    return (
        f"{n_held_out} of the {len(edit.indices)} images are held out to measure "
        "accuracy and cannot be edited: leave them out of the selection, or relabel "
        "them to correct the measurement."
    )


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
