"""The list of edits, undo and redo."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np

from napari_spaceediting.editing import contradictions
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.contradictions import (
    Contradiction,
    find_contradictions,
)
from napari_spaceediting.editing.edits import (
    EditKind,
    EditState,
    Withdraw,
    describe,
    images_of,
)
from napari_spaceediting.editing.image_edits import Reset
from napari_spaceediting.editing.places import LOW_SUPPORT
from napari_spaceediting.plugin.edits.panel import NOTHING_TO_PLAY, EditsPanel
from napari_spaceediting.plugin.edits.replay import Replay
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.display import axis_key
from napari_spaceediting.plugin.state import (
    Change,
    WindowState,
    complain,
    complaining,
)
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.session.axes import NO_ARRANGEMENT
from napari_spaceediting.session.people import (
    Agreement,
    agreements,
    contradictions_among,
)
from napari_spaceediting.wording import counted

_OFFERS_AXIS = (
    Change.SESSION | Change.EDITS | Change.SHOWN | Change.ROUNDS | Change.PAST
    | Change.JOBS
)  # fmt: skip


class EditsController:
    """Connects the edits panel with the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : EditsPanel
        The view.
    on_map : MapController
        Asks for classes and applies edits.
    """

    def __init__(
        self, window: WindowState, panel: EditsPanel, on_map: MapController
    ) -> None:
        self._window = window
        self._panel = panel
        self._map = on_map
        self._contradiction: Contradiction | None = None
        self._agreements: Sequence[Agreement] = ()
        self._poor = 0
        self._seen: EditState | None = None
        self._is_looking = False
        self.replay = Replay(window, panel, on_map)
        panel.undo_button.clicked.connect(self.undo)
        panel.redo_button.clicked.connect(self.redo)
        panel.reset_button.clicked.connect(self.reset_all)
        panel.reset_selected_button.clicked.connect(self.reset_selected)
        panel.pin_button.clicked.connect(on_map.naming.name_selected)
        panel.relabel_button.clicked.connect(on_map.naming.relabel_selected)
        panel.part_button.clicked.connect(on_map.naming.name_part)
        panel.reject_button.clicked.connect(on_map.naming.reject_selected)
        panel.contradiction.button.clicked.connect(self._show_contradiction)
        panel.agreement.button.clicked.connect(self._show_differing)
        panel.axis_button.clicked.connect(self.make_axis)
        panel.list.chosen.connect(self._jump)
        panel.list.deleted.connect(self._delete)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._poor = 0
            self._warn_of(())
        if change & (Change.SESSION | Change.EDITS):
            self._panel.show_verdict("")
        if change & _OFFERS_AXIS:
            self._offer_axis()
        if change & (Change.SESSION | Change.EDITS | Change.SHOWN | Change.JOBS):
            self.refresh()
        elif Change.SELECTION in change:
            self._show_selection()

    def undo(self) -> None:
        """Take the last edit back."""
        self._map.naming.take_back()

    def redo(self) -> None:
        """Do the last undone edit again."""
        if session := self._window.mapped:
            # What was undone may be of places.
            self._map.naming.attempt(session.redo, is_placed=True)

    def reset_all(self) -> None:
        """Put all images back."""
        if session := self._window.mapped:
            self._reset(np.flatnonzero(session.edits.edited))

    def reset_selected(self) -> None:
        """Put the selected images back."""
        self._reset(self._window.selected)

    def refresh(self) -> None:
        """Show the edits as they are now."""
        session, panel = self._window.mapped, self._panel
        if session is None:
            return
        log = session.state.log
        withdrawn = {edit.number for edit in log.done if isinstance(edit, Withdraw)}
        decided = () if session.state.proposal else log.done
        panel.set_rows(
            [(describe(edit), n not in withdrawn) for n, edit in enumerate(decided)]
            + [(describe(edit), False) for edit in log.undone]
        )
        free = not self._window.locked
        panel.set_history(
            describe(decided[-1]) if free and decided else "",
            describe(log.undone[0]) if free and log.undone else "",
        )
        why_not = "" if self.replay.steps(decided) else NOTHING_TO_PLAY
        panel.gate.block(panel.replay_button, why_not)
        self._agreements = agreements(session.state)
        panel.agreement.show_text(
            " ".join(each.describe() for each in self._agreements),
            has_images=any(len(each.differ) for each in self._agreements),
        )
        self._summarise()
        self._show_selection()
        self._look()

    def _look(self) -> None:
        """Look in a thread, once at a time and once for the same edits, what they do.

        How well they are supported, and which contradict each other, takes too long to
        be asked in the window's thread.
        """
        session = self._window.mapped
        if self._is_looking or session is None:
            return
        edits, around = session.edits, session.surroundings
        if edits is self._seen:
            return
        network, drawn = session.shown.network, session.shown.map
        assert network is not None
        assert drawn is not None
        latents, start = network.predictions.latents, drawn.coordinates
        held_out = session.dataset.held_out
        among = contradictions_among(self._agreements, edits)

        def look() -> tuple[int, Sequence[Contradiction]]:
            support = around.at(edits.positions[edits.edited]).support
            found = find_contradictions(edits, latents, start, held_out)
            return int(np.count_nonzero(support < LOW_SUPPORT)), [*among, *found]

        def take(found: tuple[int, Sequence[Contradiction]]) -> None:
            self._is_looking, self._seen = False, edits
            now = self._window.mapped
            if now is not None and now.edits is edits:
                self._poor, contradictory = found
                self._summarise()
                self._warn_of(contradictory)
            else:
                self._look()

        self._is_looking = True
        self._window.in_thread(look, take, complain)

    def _warn_of(self, found: Sequence[Contradiction]) -> None:
        session = self._window.opened
        self._contradiction = found[0] if found else None
        text = ""
        if found:
            text = contradictions.describe(found[0], session.dataset.ids)
        if found[1:]:
            text += f" And {counted(len(found) - 1, 'more contradiction')}."
        self._panel.contradiction.show_text(text)

    def _show_contradiction(self) -> None:
        pair = self._contradiction
        if pair is not None:
            self._window.select(np.unique([pair.first, pair.second]))
            self._map.zoom_to_selection()

    def _show_differing(self) -> None:
        at = np.concatenate([each.differ for each in self._agreements])
        self._window.select(np.unique(at))

    def _show_selection(self) -> None:
        session = self._window.mapped
        if session is None:
            return
        chosen = self._window.selected
        held_out = session.state.dataset.held_out[chosen]
        held = bool(len(chosen)) and bool(held_out.all())
        rejected = self._window.edits.rejected[chosen]
        self._panel.set_selection(
            len(chosen),
            self._window.locked,
            pin_reason="Held-out images can be relabelled, not pinned." if held else "",
            are_rejected=bool(len(chosen)) and bool(rejected.all()),
        )

    def _summarise(self) -> None:
        """Say how many edits there are, and of how many little is to be learnt."""
        session = self._window.opened
        done = () if session.state.proposal else session.state.log.done
        n_images = int(np.count_nonzero(session.edits.edited))
        summary = f"{counted(len(done), 'edit')} on {counted(n_images, 'image')}"
        poor = f"; {self._poor:,} with little support" if self._poor else ""
        self._panel.summary.setText(summary + poor if done else "")

    # What images are arranged by

    def _offer_axis(self) -> None:
        window = self._window
        kinds = window.edits.kinds if window.has_map else np.empty(0)
        busy = BUSY if window.training.is_running else window.locked
        self._panel.offer_axis(bool((kinds == EditKind.ARRANGED).any()), busy)

    def make_axis(self) -> None:
        """Find axes of the arranged images, keep those that hold, colour by one."""
        session, panel = self._window.session, self._panel
        if session is None:
            return
        name = panel.axis_name.text().strip() or _free_name(
            {one.name for one in session.state.axes}
        )

        def take(axes: tuple[Axis, ...]) -> None:
            said = " ".join(axis.verdict for axis in axes) or NO_ARRANGEMENT
            holds = any(axis.holds for axis in axes)
            panel.show_verdict(said, holds=holds)
            if holds:
                kept = session.keep_axes(axes, name)
                panel.axis_name.clear()
                self._map.colour_by(axis_key(kept[0]))

        with complaining():
            self._window.training.run(session.finding_axes(), take)

    def _jump(self, number: int) -> None:
        session = self._window.opened
        log = session.state.log
        self._window.select(images_of((*log.done, *log.undone)[number]))
        self._map.zoom_to_selection()

    def _delete(self, number: int) -> None:
        self._map.naming.apply(Withdraw(number))

    def _reset(self, at: np.ndarray) -> None:
        session = self._window.mapped
        if session is None:
            return
        at = at[session.edits.edited[at]]
        if len(at):
            self._map.naming.apply(Reset(at))


def _free_name(taken: set[str]) -> str:
    numbered = (f"axis {number}" for number in count(1))
    return next(name for name in numbered if name not in taken)
