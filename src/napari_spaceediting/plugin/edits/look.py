"""What takes too long to be asked of the edits in the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.plugin.state import WindowState, complain
from napari_spaceediting.session.session import Session

R = TypeVar("R")


class Look(Generic[R]):
    """Looks at the edits in a thread, once at a time and once for the same edits.

    Parameters
    ----------
    window : WindowState
        Has the session, and the thread.
    prepare : callable
        Takes the session and returns what to do in the thread.
    show : callable
        Takes what was found, unless the edits are others by then.
    """

    def __init__(
        self,
        window: WindowState,
        prepare: Callable[[Session], Callable[[], R]],
        show: Callable[[R], None],
    ) -> None:
        self._window = window
        self._prepare = prepare
        self._show = show
        self._seen: EditState | None = None
        self.is_looking = False

    def refresh(self) -> None:
        """Look, unless these edits were looked at or a look goes on."""
        session = self._window.session
        if self.is_looking or session is None or not self._window.has_map:
            return
        edits = session.edits
        if edits is not self._seen:
            self.is_looking = True
            self._window.in_thread(
                self._prepare(session), lambda found: self._take(edits, found), complain
            )

    def _take(self, edits: EditState, found: R) -> None:
        """Show what was found, or look again where the edits are others by now."""
        self.is_looking, self._seen = False, edits
        session = self._window.session
        if session is not None and self._window.has_map and session.edits is edits:
            self._show(found)
        else:
            self.refresh()
