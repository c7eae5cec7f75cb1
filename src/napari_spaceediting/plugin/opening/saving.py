"""Saving: by hand, by itself, and copies of what was never saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.errors import SessionError, SpaceEditingError
from napari_spaceediting.plugin.opening import recovery
from napari_spaceediting.plugin.opening.panel import DataPanel
from napari_spaceediting.plugin.opening.recovery import RecoveryCopy
from napari_spaceediting.plugin.state import (
    Change,
    WindowState,
    complain,
    complaining,
    preferences,
    warn,
)
from napari_spaceediting.plugin.widgets.controls import agrees, once
from napari_spaceediting.session.folder import SUFFIX, SessionFolder
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState

_SOON_MS = 2000
"""Milliseconds from a change until it is saved by itself."""
_REST = 10
"""Times as long as saving took that it then rests at least."""
_SAVED_SOON = (
    Change.IMAGES
    | Change.EDITS
    | Change.ANSWERS
    | Change.SHOWN
    | Change.TRAVERSALS
    | Change.HABITS
    | Change.AXES
    | Change.LOOK
)


@dataclass(frozen=True, eq=False)
class _Wish:
    """What is to be written, and where; the state is taken when its turn comes."""

    session: Session = field(repr=False)
    folder: SessionFolder | Path
    """One that is open, or where a new one is to be made."""
    is_copy: bool = False
    is_asked: bool = False
    """Whether the user waits for it."""


class SavingController:
    """Writes the session, beside the window, and says whether all of it is saved.

    A session that has a folder is saved there after every change; of another one a
    copy is kept in the folder of caches. The next window offers it, if this one ends
    without saving.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : DataPanel
        The view, as far as it speaks of saving.
    """

    def __init__(self, window: WindowState, panel: DataPanel) -> None:
        self._window = window
        self._panel = panel
        self._saved: SessionState | None = None
        self._copied: SessionState | None = None
        self._folder: SessionFolder | None = None
        self._left: list[SessionFolder] = []
        self._copy: RecoveryCopy | None = None
        self._offers: list[RecoveryCopy] = []
        self._spent: list[RecoveryCopy] = []
        self._wish: _Wish | None = None
        self._is_saving = False
        self._told_when_saved: Callable[[], None] = lambda: None
        self._complained = ""
        self._written = threading.Event()
        self._written.set()
        self._later = once(None, _SOON_MS, self.autosave)
        panel.save_button.clicked.connect(self.save)
        panel.save_as_button.clicked.connect(self.save_as)
        panel.discard_button.clicked.connect(self.discard)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._on_session()
        if Change.ROUNDS in change:
            # A round took long: it does not wait.
            self.autosave()
        elif change & _SAVED_SOON:
            self._update()
            # Not put off by more changes, or steady work would never be saved.
            if not self._later.isActive():
                self._later.start()

    # What is not saved

    @property
    def is_unsaved(self) -> bool:
        """Whether there is work of the user that is not in the session's folder."""
        session = self._window.session
        return (
            session is not None
            and session.state is not self._saved
            and _has_work(session.state)
        )

    @property
    def _writable(self) -> SessionFolder | None:
        """The session's folder, if it may be saved there."""
        folder = self._window.folder
        return None if folder is None or folder.is_read_only else folder

    @property
    def _saves_itself(self) -> bool:
        return self._writable is not None and bool(preferences().storage.autosave)

    def may_leave(self) -> bool:
        """Save what saves itself; offer to save other work before it is left behind."""
        session = self._window.session
        if self._saves_itself:
            self.autosave()
            return True
        if session is None or not self.is_unsaved:
            return True
        kinds = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._panel,
            "Unsaved work",
            f"The session on {session.dataset.name} has edits, answers, rounds or "
            "traversals that are not saved. Save them before they are left?",
            kinds.Save | kinds.Discard | kinds.Cancel,
            kinds.Save,
        )
        if answer == kinds.Save:
            return self.save() and self._has_saved()
        return answer == kinds.Discard

    def _has_saved(self) -> bool:
        """Wait until all is saved, while the window is drawn; return whether it is."""
        loop = QEventLoop()
        self._told_when_saved = loop.quit
        if self._is_saving:
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        self._told_when_saved = lambda: None
        return not self.is_unsaved

    def wait(self) -> None:
        """Wait until what is being written has been written."""
        self._written.wait()

    # By hand

    def save(self) -> bool:
        """Save the session where it was before, or ask where; return if it is saved."""
        if self._writable is None:
            return self.save_as()
        self._want_asked(self._writable)
        return True

    def save_as(self) -> bool:
        """Ask where to save the session; return whether a place was chosen."""
        session = self._window.session
        if session is None:
            return False
        start = str(self._window.path or f"{session.dataset.name}{SUFFIX}")
        chosen, _ = QFileDialog.getSaveFileName(
            self._panel, "Save the session", start, f"Session (*{SUFFIX})"
        )
        if not chosen:
            return False
        path = Path(chosen)
        if path.suffix != SUFFIX:
            path = path.with_name(path.name + SUFFIX)
            # The dialog has asked for the name without the ending only.
            question = f"Replace the session {path.name}?"
            if path.exists() and not agrees(self._panel, "Save the session", question):
                return False
        self.save_to(path)
        return True

    def save_to(self, path: Path) -> None:
        """Save the session in a folder, beside the window; it is replaced."""
        path = path.resolve()
        if path == self._window.path:
            self.save()
        else:
            self._want_asked(path)

    def _want_asked(self, folder: SessionFolder | Path) -> None:
        if self._window.session is not None:
            self._want(_Wish(self._window.session, folder, is_asked=True))

    # By itself

    def autosave(self) -> None:
        """Save what has changed, or a copy of what was never saved."""
        self._update()
        wish = self._due()
        if wish is not None:
            self._want(wish)

    def finish(self) -> None:
        """Save at once what waits, and leave the copy to the next window."""
        self._later.stop()
        self.wait()
        last = [wish for wish in (self._wish, self._due()) if wish is not None]
        # Each folder once: both would write the state as it is now.
        for wish in {wish.folder: wish for wish in last}.values():
            with complaining():
                folder = _write(wish, wish.session.state, warn)
                if folder is not wish.folder:
                    folder.close()
        self._close_left()
        if self._folder is not None:
            self._folder.close()
        for copy in self._spent:
            copy.delete()
        held = [*self._offers, *([self._copy] if self._copy else [])]
        for copy in held:
            copy.release()
        self._wish, self._copy, self._offers, self._spent = None, None, [], []

    def _due(self) -> _Wish | None:
        """Return what is to be saved unasked."""
        session, folder = self._window.session, self._writable
        if session is None or not preferences().storage.autosave:
            return None
        if folder is not None:
            return None if session.state is self._saved else _Wish(session, folder)
        if not self.is_unsaved or session.state is self._copied:
            return None
        copy = self._own_copy(session)
        return None if copy is None else _Wish(session, copy.folder, is_copy=True)

    def _own_copy(self, session: Session) -> RecoveryCopy | None:
        if self._copy is None:
            try:
                self._copy = recovery.make(cache_dir(), session.dataset.name)
            except SessionError as error:
                self._complain_once(f"No copy of unsaved work can be kept: {error}")
        return self._copy

    # Copies of what was never saved

    def offer(self) -> None:
        """Offer the work of windows that ended without saving it."""
        self._offers = recovery.find(cache_dir())
        self._show_offer()

    def discard(self) -> None:
        """Delete the copy that is offered."""
        if self._offers:
            self._offers.pop(0).delete()
        self._show_offer()

    @property
    def offered(self) -> RecoveryCopy | None:
        """The copy that is offered, if there is one."""
        return self._offers[0] if self._offers else None

    def adopt(self, copy: RecoveryCopy) -> None:
        """Go on with a copy as that of the session that was just opened from it."""
        if copy in self._offers:
            self._offers.remove(copy)
        self._copy, self._copied = copy, self._window.opened.state
        self._show_offer()

    def _show_offer(self) -> None:
        copy = self.offered
        if copy is None:
            self._panel.offer_recovery("")
        else:
            when = copy.written.strftime("%d %B, %H:%M")
            self._panel.offer_recovery(
                f"Work on {copy.name} of {when} was not saved when its window ended."
            )

    # Within

    def _on_session(self) -> None:
        """Have another session; a copy of the last one was left, or saved."""
        self._need_no_copy()
        self._move_to(self._window.folder)
        session = self._window.opened
        self._saved = session.state if self._window.path is not None else None
        self._update()

    def _want(self, wish: _Wish) -> None:
        """Write one after the other: what is wanted while that goes on waits."""
        if self._wish is None or wish.is_asked or not self._wish.is_asked:
            self._wish = wish
        if not self._is_saving:
            self._next()

    def _next(self) -> None:
        wish, self._wish = self._wish, None
        self._is_saving = wish is not None
        if wish is None:
            self._close_left()
            self._told_when_saved()
            return
        state = wish.session.state
        started = time.monotonic()
        self._written.clear()

        said: list[str] = []

        def write() -> SessionFolder:
            try:
                return _write(wish, state, said.append)
            finally:
                self._written.set()

        def done(folder: SessionFolder) -> None:
            self._complained = ""
            for sentence in said:
                warn(sentence)
            if wish.session is self._window.session:
                self._take(wish, folder, state)
            elif folder is not wish.folder:
                folder.close()
            took = 1000 * (time.monotonic() - started)
            self._later.setInterval(max(_SOON_MS, round(_REST * took)))
            self._next()

        def failed(error: SpaceEditingError) -> None:
            if wish.is_asked:
                complain(error)
            else:
                self._complain_once(str(error))
            self._update()
            self._next()

        self._window.in_thread(write, done, failed)

    def _take(self, wish: _Wish, folder: SessionFolder, state: SessionState) -> None:
        if wish.is_copy:
            self._copied = state
        else:
            if self._wish is not None and self._wish.folder is wish.folder:
                self._wish = replace(self._wish, folder=folder)
            self._saved, self._window.folder = state, folder
            self._move_to(folder)
            self._need_no_copy()
        folder.let_go()
        self._update()

    def _move_to(self, folder: SessionFolder | None) -> None:
        """Leave the last folder, as soon as nothing is to be written there any more."""
        if self._folder is not None and self._folder is not folder:
            self._left.append(self._folder)
        self._folder = folder
        if not self._is_saving:
            self._close_left()

    def _close_left(self) -> None:
        for folder in self._left:
            folder.close()
        self._left = []

    def _need_no_copy(self) -> None:
        """Delete the copy when the window ends: the session may still read from it."""
        if self._copy is not None:
            self._spent.append(self._copy)
        self._copy = self._copied = None

    def _complain_once(self, text: str) -> None:
        """Complain of what will fail again and again only once."""
        if text != self._complained:
            self._complained = text
            complain(text)

    def _update(self) -> None:
        window, session = self._window, self._window.session
        if session is None:
            return
        self._panel.show_saved(
            window.path,
            session.state is not self._saved,
            is_read_only=window.folder is not self._writable,
        )
        window.at_risk = self.is_unsaved and (
            not self._saves_itself or bool(self._complained)
        )
        window.notify(Change.SAVED)


def _write(
    wish: _Wish, state: SessionState, say: Callable[[str], object]
) -> SessionFolder:
    """Write a state where it is wished for; return the folder, which is open."""
    folder = wish.folder
    if isinstance(folder, SessionFolder):
        return folder.save(state, say)
    new = SessionFolder.new(folder, replaces=True, program=recovery.PROGRAM)
    try:
        new.save(state, say)
    except BaseException:
        new.close()
        raise
    return new


def _has_work(state: SessionState) -> bool:
    """Whether there is what a user would miss."""
    return bool(state.log.done or state.rounds or state.answers or state.traversals)
