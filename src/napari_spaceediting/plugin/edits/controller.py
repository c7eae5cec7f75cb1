"""The list of edits, undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing import contradictions
from napari_spaceediting.editing.contradictions import (
    Contradiction,
    find_contradictions,
)
from napari_spaceediting.editing.edits import (
    Edit,
    Move,
    Pin,
    Relabel,
    Reset,
    Withdraw,
    describe,
)
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.edits.list import EditRow
from napari_spaceediting.plugin.edits.look import Look
from napari_spaceediting.plugin.edits.panel import NOTHING_TO_PLAY
from napari_spaceediting.plugin.edits.replay import Replay
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.display import LOW_SUPPORT
from napari_spaceediting.plugin.space_editor import EDITS, SpaceEditor
from napari_spaceediting.plugin.state import NOTHING, Desk, warn
from napari_spaceediting.plugin.widgets.section import ACTIVE, TODO
from napari_spaceediting.session.session import Session

_ICONS = {Move: "move", Pin: "pin", Relabel: "relabel"}


class EditsController:
    """Connects the edits panel with the session.

    Parameters
    ----------
    desk : Desk
        What the controllers share.
    editor : SpaceEditor
        Its edits panel belongs here.
    on_map : MapController
        Asks for classes and applies edits.
    """

    def __init__(self, desk: Desk, editor: SpaceEditor, on_map: MapController) -> None:
        self._desk = desk
        self._editor = editor
        self._map = on_map
        self._contradiction: Contradiction | None = None
        self._poor = 0
        self._looks = (
            Look(desk, _support, self._take_support),
            Look(desk, _contradictions, self._warn_of),
        )
        panel = editor.edits
        self.replay = Replay(desk, panel, on_map)
        panel.undo_requested.connect(self.undo)
        panel.redo_requested.connect(self.redo)
        panel.reset_requested.connect(self.reset_all)
        panel.reset_selected_requested.connect(self.reset_selected)
        panel.pin_requested.connect(on_map.name_selected)
        panel.relabel_requested.connect(on_map.relabel_selected)
        panel.jump_requested.connect(self._jump)
        panel.delete_requested.connect(lambda number: on_map.apply(Withdraw(number)))
        panel.contradiction_requested.connect(self._show_contradiction)
        desk.session_changed.connect(self._forget)
        for signal in (
            desk.session_changed,
            desk.edits_changed,
            desk.shown_changed,
            desk.training.started,
            desk.training.finished,
            desk.training.cancelled,
            desk.training.failed,
        ):
            signal.connect(self.refresh)
        desk.selection_changed.connect(self._show_selection)

    def undo(self) -> None:
        """Take the last edit back."""
        self._change("undo")

    def redo(self) -> None:
        """Do the last undone edit again."""
        self._change("redo")

    def reset_all(self) -> None:
        """Put all images back."""
        if self._desk.session is not None and self._desk.has_map:
            self._reset(np.flatnonzero(self._desk.session.edits.edited))

    def reset_selected(self) -> None:
        """Put the selected images back."""
        self._reset(self._desk.selected)

    def refresh(self, *_: object) -> None:
        """Show the edits as they are now."""
        session, panel = self._desk.session, self._editor.edits
        if session is None or not self._desk.has_map:
            return
        log = session.state.log
        withdrawn = {edit.number for edit in log.done if isinstance(edit, Withdraw)}
        decided = () if session.state.proposal else log.done
        panel.set_rows(
            [
                _row(edit, gone=number in withdrawn)
                for number, edit in enumerate(decided)
            ]
            + [_row(edit, gone=True) for edit in log.undone]
        )
        free = not self._desk.locked
        panel.set_history(
            describe(decided[-1]) if free and decided else "",
            describe(log.undone[0]) if free and log.undone else "",
        )
        panel.block_replay("" if self.replay.steps(decided) else NOTHING_TO_PLAY)
        count = int(np.count_nonzero(session.edits.edited))
        self._summarise()
        self._editor.set_status(
            EDITS, _count(len(decided), "edit"), ACTIVE if count else TODO
        )
        self._show_selection()
        for look in self._looks:
            look.refresh()

    def _forget(self) -> None:
        """Know nothing of the edits of another session."""
        self._poor = 0
        self._warn_of(())

    def _take_support(self, support: NDArray[np.float32]) -> None:
        self._poor = int(np.count_nonzero(support < LOW_SUPPORT))
        self._summarise()

    def _warn_of(self, found: Sequence[Contradiction]) -> None:
        session = self._desk.session
        assert session is not None
        self._contradiction = found[0] if found else None
        text = ""
        if found:
            text = contradictions.describe(found[0], session.dataset.ids)
        if len(found) == 2:
            text += " There is one more such pair."
        elif found[2:]:
            text += f" There are {len(found) - 1:,} more such pairs."
        self._editor.edits.show_contradiction(text)

    def _show_contradiction(self) -> None:
        pair = self._contradiction
        if pair is not None:
            self._desk.select(np.array([pair.first, pair.second]))
            self._map.zoom_to_selection()

    def _show_selection(self, *_: object) -> None:
        session = self._desk.session
        if session is None or not self._desk.has_map:
            return
        chosen = self._desk.selected
        held = bool(len(chosen)) and bool(session.dataset.held_out[chosen].all())
        self._editor.edits.set_selection(
            len(chosen),
            self._desk.locked,
            pin_reason="Held-out images can be relabelled, not pinned." if held else "",
        )

    def _summarise(self) -> None:
        """Say how many edits there are, and of how many little is to be learnt."""
        session = self._desk.session
        assert session is not None
        done = () if session.state.proposal else session.state.log.done
        n_images = int(np.count_nonzero(session.edits.edited))
        summary = f"{_count(len(done), 'edit')} on {_count(n_images, 'image')}"
        poor = f"; {self._poor:,} with little support" if self._poor else ""
        self._editor.edits.show_summary(summary + poor if done else "")

    def _jump(self, number: int) -> None:
        session = self._desk.session
        assert session is not None
        log = session.state.log
        edit = (*log.done, *log.undone)[number]
        at = NOTHING if isinstance(edit, Withdraw) else edit.indices
        self._desk.select(at)
        self._map.zoom_to_selection()

    def _reset(self, at: np.ndarray) -> None:
        session = self._desk.session
        if session is None or not self._desk.has_map:
            return
        at = at[session.edits.edited[at]]
        if len(at):
            self._map.apply(Reset(at))

    def _change(self, what: str) -> None:
        if self._desk.session is None or not self._desk.has_map:
            return
        if self._desk.locked:
            warn(self._desk.locked)
            return
        try:
            getattr(self._desk.session, what)()
        except SpaceEditingError as error:
            warn(str(error))


def _support(session: Session) -> Callable[[], NDArray[np.float32]]:
    """Ask how well the places of edited images are supported."""
    edits, around = session.edits, session.surroundings
    return lambda: around.at(edits.positions[edits.edited]).support


def _contradictions(session: Session) -> Callable[[], list[Contradiction]]:
    """Look for edits that contradict each other."""
    edits, network, drawn = session.edits, session.shown.network, session.shown.map
    assert network is not None
    assert drawn is not None
    latents, start = network.predictions.latents, drawn.coordinates
    held_out = session.dataset.held_out
    return lambda: find_contradictions(edits, latents, start, held_out)


def _row(edit: Edit, *, gone: bool) -> EditRow:
    return EditRow(describe(edit), icon=_ICONS.get(type(edit), "relabel"), undone=gone)


def _count(n: int, noun: str) -> str:
    """Return a number with its noun; nothing for 0."""
    return f"{n:,} {noun}{'s' if n > 1 else ''}" if n else ""
