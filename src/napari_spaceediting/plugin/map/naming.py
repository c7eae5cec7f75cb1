"""Which class images are of: the question, its answer, and the edit that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.edits import Edit, images_of
from napari_spaceediting.editing.image_edits import (
    Move,
    Pin,
    PlacedEdit,
    Reject,
    Relabel,
    Restore,
)
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.map.question import ClassChoice, ClassPicker
from napari_spaceediting.plugin.map.view import MapView
from napari_spaceediting.plugin.state import NOTHING, Change, WindowState, warn
from napari_spaceediting.wording import counted, quoted

ShowChange = Callable[[NDArray[np.int64], str], None]
"""Shows what would make images those of a class."""
ONLY_PREVIEW = (
    "This is a first map, to look at: images can be named and moved when the network "
    "has learnt."
)
_REMOVE = "Remove the label"
_ONLY_MOVE = "No class, only move"
_MOVE_AND_REMOVE = "Move, and remove the label"
_NAMED = 5
"""Classes of a mixture that are told at most."""


@dataclass(frozen=True, eq=False)
class Ask:
    """Images about which the user is asked, and what becomes of the answer.

    Parameters
    ----------
    title : str
        Such as "Move 12 images: these are …".
    images : (n,) int64 array
        The images.
    start, places : (n, 2) float32 arrays
        Where they lie on the map, and where they would.
    edit : callable
        Returns the edit that an answer makes, None for none.
    none : str
        What no class means, as an answer; "" where it is none.
    is_move, is_part : bool
        Whether they may also be arranged only, and whether only parts of the class
        that they have are answers.
    is_placed : bool
        Whether the edit says something of their places.
    keeps_own : bool
        Whether the class that they have is the one that is suggested.
    then : callable
        Called when the edit was made.
    """

    title: str
    images: NDArray[np.int64]
    start: NDArray[np.float32]
    places: NDArray[np.float32]
    edit: Callable[[ClassChoice], Edit | None]
    none: str = ""
    is_move: bool = False
    is_part: bool = False
    is_placed: bool = True
    keeps_own: bool = False
    then: Callable[[], None] = lambda: None


class Naming:
    """Asks which class images have, and makes the edit.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    view : callable
        Returns the map, None while there is none.
    show_change : callable
        Shows what would make images those of a class.
    """

    def __init__(
        self,
        window: WindowState,
        view: Callable[[], MapView | None],
        show_change: ShowChange,
    ) -> None:
        self._window = window
        self._view = view
        self._show_change = show_change
        self._asked: Ask | None = None
        self._put_off: Ask | None = None
        self.picker = ClassPicker()
        self.picker.confirmed.connect(self._on_choice)
        self.picker.rejected.connect(self._on_dismissed)
        self.picker.change_requested.connect(self._on_change_requested)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.SHOWN | Change.PAST):
            self.put_back()
        elif Change.EDITS in change and self._put_off is not None:
            at, start = self._put_off.images, self._put_off.start
            if not np.array_equal(self._positions(at), start):
                # They have been moved otherwise since.
                self.put_back()
        if change & (Change.SESSION | Change.IMAGES):
            self.picker.close()
        if Change.THEME in change:
            self.picker.set_theme(self._window.palette)

    def apply(self, edit: Edit) -> bool:
        """Apply an edit, or say why it cannot be; return whether it was."""
        apply = partial(self._window.opened.apply, edit)
        return self.attempt(apply, is_placed=isinstance(edit, PlacedEdit))

    def attempt(self, change: Callable[[], object], *, is_placed: bool = False) -> bool:
        """Change the edits, or say why they cannot be; return whether they were."""
        if why_not := self._why_not(is_placed):
            warn(why_not)
            return False
        try:
            change()
        except SpaceEditingError as error:
            warn(str(error))
            return False
        return True

    def take_back(self) -> NDArray[np.int64]:
        """Undo the last edit, and return its images; none where nothing was undone."""
        session = self._window.session
        if session is None or not self._window.has_map:
            return NOTHING
        done = session.state.log.done
        if not self.attempt(session.undo) or not done:
            return NOTHING
        return images_of(done[-1])

    # What is asked

    def name_selected(self) -> None:
        """Ask which class the selected images have, where they lie, and pin them."""
        self.name(self._window.selected)

    def name(
        self, images: NDArray[np.int64], then: Callable[[], None] = lambda: None
    ) -> None:
        """Ask the same of any images; `then` is called when they have been pinned."""
        session = self._window.session
        if session is None or not len(images):
            return
        at = images[~session.dataset.held_out[images]]
        if not len(at):
            warn("These images are held out to measure accuracy: relabel them instead.")
            return
        self._ask(
            f"{counted(len(at), 'image')} right here: {_these(at)} …",
            at,
            lambda choice: Pin(at, choice.tag, choice.also) if choice.tag else None,
            keeps_own=True,
            then=then,
        )

    def relabel_selected(self) -> None:
        """Ask which class the selected images have, whatever their place."""
        at = self._window.selected
        if len(at):
            self._ask(
                f"{counted(len(at), 'image')}: {_these(at)} …",
                at,
                lambda choice: Relabel(at, choice.tag, choice.also),
                none=_REMOVE,
                is_placed=False,
            )

    def reject_selected(self) -> None:
        """Take the selected images out or, where all are out, in again."""
        at = self._window.selected
        if self._window.session is not None and self._window.has_map and len(at):
            out = self._window.edits.rejected[at]
            self.apply(Restore(at) if out.all() else Reject(at[~out]))

    def name_part(self) -> None:
        """Ask what part of their class the selected images are."""
        session, at = self._window.session, self._window.selected
        if session is None or not len(at):
            return
        if len(kinds := np.unique(session.kinds(at))) > 1 or kinds[0] < 0:
            warn("These images are not of one class: select a part of one class.")
            return
        whole = session.edits.class_names[kinds[0]]
        self._ask(
            f"{counted(len(at), 'image')} of {whole}: this part is …",
            at,
            lambda choice: Relabel(at, choice.tag, choice.also),
            is_part=True,
            is_placed=False,
        )

    def move(self, at: NDArray[np.int64], places: NDArray[np.floating]) -> None:
        """Ask what images are that were moved to other (n, 2) places on the map."""
        start, end = self._positions(at), places.astype(np.float32)
        is_labelled = (self._window.edits.labels[at] >= 0).any()
        self._ask(
            f"Move {counted(len(at), 'image')}: {_these(at)} …",
            at,
            lambda choice: Move(at, start, end, choice.intent, choice.tag, choice.also),
            places=end,
            none=_MOVE_AND_REMOVE if is_labelled else _ONLY_MOVE,
            is_move=True,
        )

    def _ask(
        self,
        title: str,
        at: NDArray[np.int64],
        edit: Callable[[ClassChoice], Edit | None],
        places: NDArray[np.float32] | None = None,
        **more: Any,
    ) -> None:
        """Ask about images, where they lie or at other places, see `Ask`."""
        start = self._positions(at)
        self._put(
            Ask(title, at, start, start if places is None else places, edit, **more)
        )

    def _put(self, asked: Ask) -> None:
        """Put a question, in place of one that was put off."""
        session, view = self._window.opened, self._view()
        assert view is not None
        self._set_put_off(None)
        if why_not := self._why_not(asked.is_placed):
            self._clear_drag()
            warn(why_not)
            return
        names, keys = session.edits.class_names, self._window.class_keys
        around = session.surroundings.of_group(asked.places)
        labels, kinds = session.edits.labels[asked.images], session.kinds(asked.images)
        is_one = len(np.unique(kinds)) == 1 and kinds[0] >= 0
        own = names[kinds[0]] if is_one else ""
        has_own = is_one and bool((labels == kinds[0]).all())
        self._asked = asked
        self.picker.options.colours = self._window.class_colours
        self.picker.ask(
            asked.title,
            names,
            around.votes.mean(axis=0),
            float(around.support.mean()) if asked.is_placed else None,
            keys=keys,
            none=asked.none,
            own=own,
            suggested=own if asked.keeps_own and has_own else "",
            mixture=mixture(labels, names),
            is_move=asked.is_move,
            is_part=asked.is_part,
        )
        self.picker.open_at(view.on_screen(asked.places))

    # What is answered

    def _on_choice(self, choice: ClassChoice) -> None:
        asked, self._asked = self._asked, None
        self._clear_drag()
        edit = asked.edit(choice) if asked is not None else None
        if asked is not None and edit is not None and self.apply(edit):
            asked.then()

    def _on_dismissed(self) -> None:
        self._asked = None
        self._clear_drag()

    def _on_change_requested(self, choice: ClassChoice) -> None:
        """Put the question off, with the drag as it is, and have the change shown."""
        asked, self._asked = self._asked, None
        if asked is not None and choice.tag is not None:
            self._set_put_off(asked)
            self._show_change(asked.images, choice.tag)

    # What is put off

    def ask_again(self) -> None:
        """Put the question that was put off."""
        if self._window.locked:
            warn(self._window.locked)
        elif self._put_off is not None:
            self._put(self._put_off)

    def put_back(self) -> None:
        """Forget the question that was put off; what was dragged goes back."""
        if self._put_off is not None:
            self._set_put_off(None)
            self._clear_drag()

    def _set_put_off(self, asked: Ask | None) -> None:
        if asked is not self._put_off:
            self._put_off = asked
            self._window.put_off = asked.title if asked else ""
            self._window.notify(Change.PUT_OFF)

    # Within

    def _why_not(self, is_placed: bool) -> str:
        window = self._window
        if not window.has_map:
            return ONLY_PREVIEW
        return window.no_places if is_placed else window.locked

    def _clear_drag(self) -> None:
        view = self._view()
        if view is not None:
            view.clear_drag()

    def _positions(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._window.edits.positions[at]


def _these(at: NDArray[np.int64]) -> str:
    return "these are" if len(at) > 1 else "this is"


def mixture(labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """Say of which classes images are, if of several: "14 coat, 3 unlabelled"."""
    kinds, counts = np.unique(labels, return_counts=True)
    if len(kinds) < 2:
        return ""
    order = sorted(range(len(kinds)), key=lambda at: (kinds[at] < 0, -counts[at]))
    parts = [
        f"{counts[at]:,} {quoted(names[kinds[at]]) if kinds[at] >= 0 else 'unlabelled'}"
        for at in order
    ]
    shown, rest = parts[:_NAMED], len(parts) - _NAMED
    if rest > 0:
        shown.append(f"and {rest} more class{'es' if rest > 1 else ''}")
    return f"Now {', '.join(shown)}: all of them get the one that you choose."
