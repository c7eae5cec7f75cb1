"""What the controllers of one viewer share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from napari.utils.notifications import show_error, show_info, show_warning
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.runner import JobRunner, in_thread
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.session.preparing import folded
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Checkpoint
from napari_spaceediting.traversal.jobs import Traverse

if TYPE_CHECKING:
    from napari.viewer import Viewer

R = TypeVar("R")

NOTHING = np.empty(0, np.int64)
BUSY = "Wait until the running work is done, or cancel it."
TO_DECIDE = "Accept or roll back the last round first (Evidence)."


@dataclass(frozen=True, eq=False)
class Past:
    """An earlier network and map that the user looks back at.

    Parameters
    ----------
    checkpoint : Checkpoint
        It has a network and a map.
    title : str
        Such as "The map before round 3".
    compared : Checkpoint
        What it is compared with.
    """

    checkpoint: Checkpoint
    title: str
    compared: Checkpoint

    @property
    def refusal(self) -> str:
        """Why nothing can be edited on it."""
        return (
            f"{self.title} is only to look at: go back to the present one first "
            "(key V)."
        )

    @cached_property
    def edits(self) -> EditState:
        """Of none: all images lie where the map has them."""
        return folded((), self.checkpoint)


class Desk(QObject):
    """The open session, the selection, the pictures and the background work.

    Signals
    -------
    opening
        Images or a session are being opened.
    session_changed
        Another session is open, or it was replaced.
    images_changed, edits_changed, answers_changed, shown_changed, rounds_changed,
    traversals_changed
        As the session's own, of whichever session is open.
    past_changed
        The user looks back at what was, or at the present again.
    selection_changed(object)
        Who selected: the view that asked, or None.
    thumbnails_changed
        There are other pictures.
    theme_changed(Palette)
        napari has another theme.
    change_wanted(int64 array, str)
        Somebody wants to see what would make images those of a class.
    question_waits(str)
        What waits for a decision that was put off; "" for nothing any more.
    """

    opening = Signal()
    session_changed = Signal()
    images_changed = Signal()
    edits_changed = Signal()
    answers_changed = Signal()
    shown_changed = Signal()
    rounds_changed = Signal()
    traversals_changed = Signal()
    past_changed = Signal()
    selection_changed = Signal(object)
    thumbnails_changed = Signal()
    theme_changed = Signal(object)
    change_wanted = Signal(object, str)
    question_waits = Signal(str)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.reading = JobRunner(self)
        self.training = JobRunner(self)
        self.session: Session | None = None
        self.path: Path | None = None
        self.selected = NOTHING
        self.thumbnails: NDArray[np.uint8] | None = None
        self._past: Past | None = None
        self._is_shut = False

    @property
    def palette(self) -> Palette:
        """Colours of napari's theme."""
        return Palette.from_theme_id(self.viewer.theme)

    @property
    def past(self) -> Past | None:
        """What the user looks back at; None for the present."""
        return self._past

    @property
    def shown(self) -> Checkpoint:
        """What the map and the gallery show."""
        assert self.session is not None
        return self._past.checkpoint if self._past else self.session.shown

    @property
    def edits(self) -> EditState:
        """What the edits add up to on what is shown; in the past, none are open."""
        assert self.session is not None
        return self._past.edits if self._past else self.session.edits

    @property
    def has_map(self) -> bool:
        """Whether there is a map to work on."""
        return self.session is not None and self.session.shown.map is not None

    @property
    def is_busy(self) -> bool:
        """Whether work is going on."""
        return self.training.is_running or self.reading.is_running

    @property
    def locked(self) -> str:
        """Why nothing can be edited now; "" where it can."""
        if self.training.running not in ("", Traverse.name):
            return BUSY
        if self._past is not None:
            return self._past.refusal
        awaits = self.session is not None and self.session.state.proposal is not None
        return TO_DECIDE if awaits else ""

    def take_session(self, session: Session, path: Path | None) -> None:
        """Work on a session from now on."""
        self.training.cancel()
        self.session, self.path = session, path
        self.selected, self.thumbnails, self._past = NOTHING, None, None
        session.images_changed.connect(self._on_images)
        session.edits_changed.connect(self.edits_changed.emit)
        session.answers_changed.connect(self.answers_changed.emit)
        session.shown_changed.connect(self._on_shown)
        session.rounds_changed.connect(self.rounds_changed.emit)
        session.traversals_changed.connect(self.traversals_changed.emit)
        self.session_changed.emit()
        self.thumbnails_changed.emit()
        self.selection_changed.emit(None)

    def select(self, indices: NDArray[np.int64], source: object = None) -> None:
        """Select images, everywhere."""
        self.selected = np.asarray(indices, np.int64)
        self.selection_changed.emit(source)

    def look_at(self, past: Past | None) -> None:
        """Show what was, or the present again for None; nothing is changed by it."""
        self._past = past
        self.past_changed.emit()

    def _on_shown(self) -> None:
        self._past = None
        self.shown_changed.emit()

    def _on_images(self) -> None:
        """Have no pictures of fewer images than there are."""
        self.thumbnails, self._past = None, None
        self.thumbnails_changed.emit()
        self.images_changed.emit()

    def in_thread(
        self,
        work: Callable[[], R],
        then: Callable[[R], None],
        failed: Callable[[SpaceEditingError], None],
    ) -> None:
        """Do short work in a thread, see `runner.in_thread`.

        What comes of it after `shutdown` is dropped: the window is gone.
        """

        def take(result: R) -> None:
            if not self._is_shut:
                then(result)

        def complain_of(error: SpaceEditingError) -> None:
            if not self._is_shut:
                failed(error)

        in_thread(work, take, complain_of)

    def shutdown(self) -> None:
        """End all background work."""
        self._is_shut = True
        self.reading.shutdown()
        self.training.shutdown()


def tell(text: str) -> None:
    """Show a message that needs nothing to be done."""
    show_info(text)


def warn(text: str) -> None:
    """Show a message about something that was not done."""
    show_warning(text)


def complain(error: SpaceEditingError | str) -> None:
    """Show what failed."""
    show_error(str(error))
