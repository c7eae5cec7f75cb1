"""What the rooms of one window share: its state, and one notice of what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Flag, auto
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from napari.settings import get_plugin_settings
from napari.utils.notifications import show_error, show_info, show_warning
from numpy.typing import NDArray
from psygnal import Signal

from napari_spaceediting.colours import named_colours
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.editing.classes import TraitKind
from napari_spaceediting.editing.edits import NO_EDITS, EditState
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.trust import title_of
from napari_spaceediting.plugin import status
from napari_spaceediting.plugin.keys import class_keys
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.runner import JobRunner
from napari_spaceediting.plugin.status import Facts, Turn, Work
from napari_spaceediting.plugin.threads import in_thread
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.projection.layout import MapJob
from napari_spaceediting.session.classes import folded
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.habits import Way
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Checkpoint
from napari_spaceediting.session.training import RetrainAndMap
from napari_spaceediting.traversal.jobs import Traverse

if TYPE_CHECKING:
    from napari.viewer import Viewer

R = TypeVar("R")

NOTHING = np.empty(0, np.int64)


class Change(Flag):
    """What is other than it was."""

    SESSION = auto()
    """Another session is open; all else may be other, too."""
    IMAGES = auto()
    EDITS = auto()
    ANSWERS = auto()
    SHOWN = auto()
    ROUNDS = auto()
    TRAVERSALS = auto()
    HABITS = auto()
    AXES = auto()
    LOOK = auto()
    """These nine as the session's own signals."""
    PAST = auto()
    """The user looks back at what was, or at the present again."""
    SELECTION = auto()
    PICTURES = auto()
    JOBS = auto()
    """A job began or ended."""
    SAVED = auto()
    """How much of the session is saved, or where."""
    REVIEW = auto()
    """Which proposal is at hand."""
    PUT_OFF = auto()
    """A question was put off, or waits no more."""
    TURN = auto()
    """The work turns to something."""
    THEME = auto()


STATUS = (
    Change.SESSION
    | Change.IMAGES
    | Change.EDITS
    | Change.SHOWN
    | Change.ROUNDS
    | Change.PAST
    | Change.JOBS
    | Change.SAVED
    | Change.REVIEW
)
"""Changes of what `WindowState.facts` says."""


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


class WindowState:
    """The open session, the selection, the pictures and the background work.

    A room that changes it tells so by `notify`; every other one hears `changed`, and
    asks for what it needs.

    Signals
    -------
    changed(Change)
        What is other than it was.

    Attributes
    ----------
    session : Session or None
        What is open.
    folder : SessionFolder or None
        Where it is saved.
    selected : (n,) int64 array
        Selected images.
    selected_by : object
        The view in which they were selected, which shows them already; else None.
    thumbnails : (N, s, s, 3) uint8 array or None
        Small pictures of all images, as soon as there are any.
    pictures : Pictures
        What is drawn of them in all rooms.
    past : Past or None
        What the user looks back at; None for the present.
    at_risk : bool
        Whether there is work that is not saved and does not save itself.
    map_note : str
        How good the map is that was drawn last.
    review : (int, int)
        The proposal at hand, from 1, and how many there are; (0, 0) for none.
    put_off : str
        The question that waits for a decision; "" for none.
    turn : Turn
        What the work turned to last.
    clock : callable
        Tells the seconds that have passed.
    """

    changed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.reading = JobRunner()
        self.training = JobRunner()
        self.session: Session | None = None
        self.folder: SessionFolder | None = None
        self.selected = NOTHING
        self.selected_by: object = None
        self.thumbnails: NDArray[np.uint8] | None = None
        self.pictures = Pictures()
        self.past: Past | None = None
        self.at_risk = False
        self.map_note = ""
        self.review = (0, 0)
        self.put_off = ""
        self.turn = Turn.TRAINING
        self.clock: Callable[[], float] = time.monotonic
        self._asked_at = 0.0
        self._is_shut = False
        for runner in (self.reading, self.training):
            for signal in (
                runner.started,
                runner.finished,
                runner.cancelled,
                runner.failed,
            ):
                signal.connect(self._on_job)

    # What follows from it

    @property
    def palette(self) -> Palette:
        """Colours of napari's theme."""
        return Palette.from_theme_id(self.viewer.theme)

    @property
    def path(self) -> Path | None:
        """Where the session is saved."""
        return None if self.folder is None else self.folder.path

    @property
    def opened(self) -> Session:
        """The session, for where there is one for certain."""
        assert self.session is not None
        return self.session

    @property
    def shown(self) -> Checkpoint:
        """What the map and the gallery show."""
        return self.past.checkpoint if self.past else self.opened.shown

    @property
    def edits(self) -> EditState:
        """What the edits add up to on what is shown; in the past, none are open."""
        return self.past.edits if self.past else self.opened.edits

    @property
    def mapped(self) -> Session | None:
        """The open session, where there is a map to work on."""
        return self.session if self.session and self.session.shown.map else None

    @property
    def has_map(self) -> bool:
        """Whether there is a map to work on."""
        return self.mapped is not None

    @property
    def class_keys(self) -> tuple[str, ...]:
        """The key of each class, "" for none."""
        edits = self.edits
        return class_keys(edits.class_names, edits.traits.get(TraitKind.KEY, {}))

    @property
    def class_colours(self) -> NDArray[np.float32]:
        """The (C + 1, 4) colours of the classes, at the end that of none (-1)."""
        edits = self.edits
        return named_colours(edits.class_names, edits.traits.get(TraitKind.COLOUR))

    @property
    def is_busy(self) -> bool:
        """Whether work is going on."""
        return self.training.is_running or self.reading.is_running

    @property
    def facts(self) -> Facts:
        """What the sections of the Space Editor depend on."""
        is_reading, work = self.reading.is_running, _work(self.training)
        session = self.session
        if session is None:
            return Facts(is_reading=is_reading, work=work)
        shown, awaits = session.shown, session.state.proposal is not None
        return Facts(
            n_images=len(session.dataset),
            at_risk=self.at_risk,
            backbone=title_of(shown.network.spec.backbone) if shown.network else "",
            method=shown.map.method if shown.map else "",
            n_edits=0 if awaits else len(session.state.log.done),
            keeps_map=session.keeps_map,
            no_lesson=session.edits.why_no_lesson if shown.map else NO_EDITS,
            awaits=awaits,
            past=self.past.refusal if self.past else "",
            is_reading=is_reading,
            work=work,
            review=self.review,
        )

    @property
    def locked(self) -> str:
        """Why nothing can be edited now; "" where it can."""
        return status.locked(self.facts)

    @property
    def no_places(self) -> str:
        """Why images can neither be moved nor pinned now; "" where they can."""
        return status.no_places(self.facts)

    # Changing it

    def notify(self, change: Change) -> None:
        """Tell what is other than it was."""
        if Change.PICTURES in change and self.session is not None:
            dataset, look = self.session.dataset, self.session.state.look
            self.pictures.take(dataset, self.thumbnails, look)
        if Change.LOOK in change and self.session is not None:
            self.pictures.show_as(self.session.state.look)
        self.changed.emit(change)

    def take_session(self, session: Session, folder: SessionFolder | None) -> None:
        """Work on a session from now on, which is saved in a folder if it has one."""
        self.training.cancel()
        for signal, change in (
            (session.edits_changed, Change.EDITS),
            (session.answers_changed, Change.ANSWERS),
            (session.rounds_changed, Change.ROUNDS),
            (session.traversals_changed, Change.TRAVERSALS),
            (session.habits_changed, Change.HABITS),
            (session.axes_changed, Change.AXES),
            (session.look_changed, Change.LOOK),
        ):
            signal.connect(partial(self.notify, change))
        session.images_changed.connect(self._on_images)
        session.shown_changed.connect(self._on_shown)
        session.author = preferences().edits.author.strip() or session.author
        self.session, self.folder = session, folder
        self.selected, self.selected_by = NOTHING, None
        self.thumbnails, self.past, self.map_note = None, None, ""
        self.notify(Change.SESSION | Change.PICTURES | Change.SELECTION)

    def select(self, indices: NDArray[np.int64], by: object = None) -> None:
        """Select images, everywhere."""
        self.selected, self.selected_by = np.asarray(indices, np.int64), by
        self.notify(Change.SELECTION)

    def look_at(self, past: Past | None) -> None:
        """Show what was, or the present again for None; nothing is changed by it."""
        self.past = past
        self.notify(Change.PAST)

    def turn_to(self, turn: Turn) -> None:
        """Turn to another step of the work."""
        self.turn = turn
        self.notify(Change.TURN)

    def _on_shown(self) -> None:
        self.past = None
        self.notify(Change.SHOWN)

    def _on_images(self) -> None:
        """Have no pictures of fewer images than there are."""
        self.thumbnails, self.past = None, None
        self.notify(Change.IMAGES | Change.PICTURES)

    def _on_job(self, *_: object) -> None:
        self.notify(Change.JOBS)

    # How long answers take

    def ask(self) -> None:
        """Begin to count the time: the user sees what is to be decided."""
        self._asked_at = self.clock()

    def answered(self, way: Way, n_images: int) -> None:
        """Count the time since then, or since the last answer."""
        seconds = self.clock() - self._asked_at
        self.ask()
        habits = self.opened.state.habits
        self.opened.set_habits(habits.with_answer(way, n_images, seconds))

    def unanswered(self, way: Way, n_images: int) -> None:
        """Count an answer no more that was taken back."""
        habits = self.opened.state.habits
        self.opened.set_habits(habits.without_answer(way, n_images))

    # Work beside the window

    def cancel(self) -> None:
        """Cancel what the user waits for; pictures are drawn unasked."""
        unasked = isinstance(self.reading.running, PackThumbnails)
        if not (unasked and self.training.is_running):
            self.reading.cancel()
        self.training.cancel()

    def in_thread(
        self,
        work: Callable[[], R],
        then: Callable[[R], None],
        failed: Callable[[SpaceEditingError], None],
    ) -> None:
        """Do short work in a thread, see `threads.in_thread`.

        What comes of it after `shutdown` is dropped: the window is gone.
        """

        def unless_shut(tell: Callable[[Any], None]) -> Callable[[Any], None]:
            return lambda outcome: None if self._is_shut else tell(outcome)

        in_thread(work, unless_shut(then), unless_shut(failed))

    def shutdown(self) -> None:
        """End all background work."""
        self._is_shut = True
        self.pictures.shutdown()
        self.reading.shutdown()
        self.training.shutdown()


def _work(training: JobRunner) -> Work:
    job = training.running
    if job is None:
        return Work.NOTHING
    if isinstance(job, Traverse):
        return Work.TRAVERSAL
    if isinstance(job, MapJob):
        return Work.MAPPING
    return Work.RETRAINING if isinstance(job, RetrainAndMap) else Work.OTHER


def preferences() -> Any:
    """Return what the user chose in napari's preferences."""
    return get_plugin_settings("napari-spaceediting")


tell = show_info
"""Shows a message that needs nothing to be done."""
warn = show_warning
"""Shows a message about something that was not done."""


def complain(error: SpaceEditingError | str) -> None:
    """Show what failed."""
    show_error(str(error))


@contextmanager
def complaining() -> Iterator[None]:
    """Show what fails within, which ends there."""
    try:
        yield
    except SpaceEditingError as error:
        complain(error)
