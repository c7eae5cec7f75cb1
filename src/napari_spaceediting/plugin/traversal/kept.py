"""The traversals that the session keeps: chosen, told of, removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qtpy.QtWidgets import QMessageBox

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.state import Change, WindowState
from napari_spaceediting.plugin.traversal.panel import TraversalPanel
from napari_spaceediting.session.history import describe_kept, stage_of
from napari_spaceediting.session.traversals import KeptTraversal
from napari_spaceediting.traversal.result import Asked, Traversal

_METHODS = {"dmt": "Deep Manifold Traversal", "dfi": "Deep Feature Interpolation"}


class KeptResults:
    """Offers what the session keeps, and tells of the one that is shown.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : TraversalPanel
        Its list of results belongs here.
    show : callable
        Shows a result, or nothing for None.
    """

    def __init__(
        self,
        window: WindowState,
        panel: TraversalPanel,
        show: Callable[[Asked | None, Traversal | None], None],
    ) -> None:
        self._window = window
        self._panel = panel
        self._show = show
        self._chosen: KeptTraversal | None = None
        self._traversal: Traversal | None = None
        panel.kept_chosen.connect(self._on_chosen)
        panel.remove_requested.connect(self._ask_to_remove)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.SHOWN | Change.ROUNDS | Change.TRAVERSALS):
            self._list()
        if Change.SHOWN in change:
            self._tell()

    def choose(
        self, kept: KeptTraversal | None, traversal: Traversal | None = None
    ) -> None:
        """Take note of what is shown; None for what is not kept, or not yet."""
        self._chosen, self._traversal = kept, traversal
        if kept is None:
            self._panel.show_details("")
        self._list()
        self._tell()

    def _all(self) -> list[KeptTraversal]:
        """Return what is kept, the newest first."""
        session = self._window.session
        return [] if session is None else list(session.state.traversals[::-1])

    def _list(self) -> None:
        session, kept = self._window.session, self._all()
        if self._chosen not in kept:
            self._chosen = self._traversal = None
        words = [
            describe_kept(one, session.state) for one in kept if session is not None
        ]
        # What sounds alike is told apart by the time.
        results = [
            (f"{text}, {_made(one):%X}" if words.count(text) > 1 else text, _when(one))
            for text, one in zip(words, kept, strict=True)
        ]
        chosen = -1 if self._chosen is None else kept.index(self._chosen)
        self._panel.show_kept(results, chosen)

    def _on_chosen(self, number: int) -> None:
        kept, traversal = self._all()[number], None
        self._panel.show_notice("")
        try:
            traversal = kept.outcome.read()
        except SpaceEditingError as error:
            self._panel.show_notice(str(error))
        self._show(kept.asked, traversal)
        self.choose(kept, traversal)

    def _ask_to_remove(self) -> None:
        session, kept = self._window.session, self._chosen
        if session is None or kept is None:
            return
        answer = QMessageBox.question(
            self._panel,
            "Remove a result",
            f"Remove “{describe_kept(kept, session.state)}”? "
            "It cannot be brought back.",
        )
        if answer == QMessageBox.StandardButton.Yes:
            self._panel.show_notice("")
            self._show(None, None)
            session.remove(kept)

    def _tell(self) -> None:
        """Say what the user should know of what is shown."""
        session, kept, traversal = self._window.session, self._chosen, self._traversal
        if session is None or kept is None or traversal is None:
            return
        notes = list(traversal.notes)
        network = session.shown.network
        if network is None or network.state is not kept.weights:
            notes.append(
                f"Made by an earlier network ({stage_of(kept, session.state)}): to the "
                "present one it may be otherwise."
            )
        self._panel.show_notice(" ".join(notes))
        self._panel.show_details(
            f"{_when(kept)} in {traversal.seconds:.0f} s by "
            f"{_METHODS[traversal.settings.method]}.\n"
            f"Network: {stage_of(kept, session.state)}. Layers: "
            f"{', '.join(traversal.layers)}."
        )


def _made(kept: KeptTraversal) -> datetime:
    """Return when a result was made, in local time."""
    return datetime.fromisoformat(kept.created).astimezone()


def _when(kept: KeptTraversal) -> str:
    made = _made(kept)
    return f"Made on {made.day} {made:%B %Y, %H:%M}"
