"""The evidence of the rounds, and the decision on the last one."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.splits import ENOUGH_MEASURED
from napari_spaceediting.editing.arms import AFTER, BEFORE
from napari_spaceediting.editing.evidence import ArmScore, Evidence
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.evidence.chart import Interval
from napari_spaceediting.plugin.evidence.panel import UNNAMED, EvidencePanel
from napari_spaceediting.plugin.evidence.words import accuracy_row
from napari_spaceediting.plugin.gallery.bar import BROKEN, CHOSEN, FIXED
from napari_spaceediting.plugin.gallery.controller import GalleryController
from napari_spaceediting.plugin.state import (
    Change,
    Past,
    WindowState,
    complain,
    warn,
)
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.plugin.widgets.controls import agrees, set_text
from napari_spaceediting.session.classes import folded, reclassed
from napari_spaceediting.session.export.certainty import calibrated_in_words
from napari_spaceediting.session.history import (
    NOW,
    Stage,
    compare,
    followed,
    predicted_among,
    scores,
    stages,
    verdict,
)
from napari_spaceediting.session.state import Checkpoint, Round, RoundStatus, is_whole

_STATES = {RoundStatus.PROPOSED: "to decide"}


class EvidenceController:
    """Connects the Evidence dock with the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : EvidencePanel
        The view.
    gallery : GalleryController
        Shows the images that are clicked on.
    """

    def __init__(
        self, window: WindowState, panel: EvidencePanel, gallery: GalleryController
    ) -> None:
        self._window = window
        self._panel = panel
        self._gallery = gallery
        self._round = -1
        self._other = -1
        self._stages: tuple[Stage, ...] = ()
        self._evidence: Evidence | None = None
        panel.accept_button.clicked.connect(lambda: self._decide("accept"))
        panel.roll_back_button.clicked.connect(self._roll_back)
        panel.rounds.activated.connect(self._show_round)
        panel.history.row_clicked.connect(self._show_stage)
        panel.others.activated.connect(lambda row: self._compare_with(row - 1))
        panel.side_selected.connect(self._show_side)
        panel.show_images.connect(self._show_images)
        panel.confusion.cell_clicked.connect(self._show_cell)
        window.changed.connect(self._on_change)
        self.refresh()

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.ROUNDS):
            self.refresh()
        elif Change.PAST in change:
            self._offer_sides()

    def flip(self) -> None:
        """Flip between the two maps of what is shown; from a third one, to the last."""
        sides = self._sides()
        if len(sides) > 1:
            self._show_side(0 if self._shown_side(sides) == 1 else 1)

    def refresh(self) -> None:
        """Show the last round."""
        session, panel = self._window.session, self._panel
        rounds = self._rounds()
        self._stages = stages(session.state) if session and rounds else ()
        panel.rounds.clear()
        panel.rounds.addItems([_row(n, past) for n, past in enumerate(rounds, 1)])
        self._show_history()
        self._show_round(len(rounds) - 1)
        awaits = session is not None and session.state.proposal is not None
        no_round = "" if rounds else "Retrain first: then there is something to decide."
        decided = "" if awaits else "The last round is decided already."
        standing = self._standing()
        panel.gate.block(panel.accept_button, no_round or decided)
        panel.gate.block(
            panel.roll_back_button,
            no_round or ("" if standing else "All rounds are rolled back."),
        )
        panel.gate.add(
            panel.roll_back_button,
            f"Go back to the network before round {standing}; its edits are open again",
        )

    # What is shown

    def _rounds(self) -> tuple[Round, ...]:
        session = self._window.session
        return session.state.rounds if session else ()

    def _standing(self) -> int:
        """Return the number of the last round that stands, from 1; 0 for none."""
        gone = RoundStatus.ROLLED_BACK
        standing = [
            n for n, past in enumerate(self._rounds(), 1) if past.status != gone
        ]
        return standing[-1] if standing else 0

    def _show_round(self, number: int) -> None:
        """Show a round with its own control."""
        self._round, self._other = number, -1
        past = self._shown_round()
        self._panel.rounds.setCurrentIndex(number)
        self._panel.set_others([stage.name for stage in self._others()])
        self._evidence = past.evidence if past else None
        self._panel.show_evidence(self._evidence)
        self._offer_naming()
        self._show_calibration(past)
        self._offer_sides()

    def _offer_naming(self) -> None:
        """Offer to name held-out images where few of them have been measured on."""
        session, evidence = self._window.session, self._evidence
        if session is not None and evidence is not None:
            few = evidence.n_images < ENOUGH_MEASURED
            offered = few and len(session.held_out_to_name()) > 0
            self._panel.name_button.setVisible(offered)

    def _show_calibration(self, past: Round | None) -> None:
        """Say how far the certainty of the network after a round can be trusted."""
        session = self._window.session
        if session is None or past is None or not is_whole(past.after):
            return

        def take(said: str) -> None:
            if past is self._shown_round() and self._other < 0:
                set_text(self._panel.calibrated, said)

        # In a thread, as with `compare`.
        dataset = session.dataset
        self._window.in_thread(
            lambda: calibrated_in_words(dataset, past.after), take, complain
        )

    def _show_stage(self, row: int) -> None:
        number = self._stages[row].round
        if number is not None:
            self._show_round(number)

    def _compare_with(self, row: int) -> None:
        """Compare the round with another stage, or with its own control for -1."""
        session, later = self._window.session, self._stage()
        if session is None or later is None or row < 0:
            self._show_round(self._round)
            return
        self._other = row
        earlier = self._others()[row]
        asked = self._round, row

        def take(evidence: Evidence) -> None:
            if session is self._window.session and asked == (self._round, self._other):
                self._evidence = evidence
                told = verdict(evidence, earlier, later)
                self._panel.show_evidence(evidence, earlier.name, later.name, told)
                self._offer_naming()
                self._offer_sides()

        # In a thread: latents of many images are read from disk.
        self._window.in_thread(
            lambda: compare(session.state.dataset, earlier, later), take, complain
        )

    def _show_history(self) -> None:
        session = self._window.session
        rows: list[Interval] = []
        if session is not None and len(self._stages) > 2:
            found = scores(session.state.dataset, self._stages)
            every = list(zip(self._stages, found, strict=True))
            if all(score for _, score in every):
                rows = [_stage_row(stage, score) for stage, score in every if score]
        self._panel.history.set_rows(rows)

    def _stage(self) -> Stage | None:
        """Return the stage that the shown round led to."""
        found = [stage for stage in self._stages if stage.round == self._round]
        return found[0] if found else None

    def _others(self) -> list[Stage]:
        """Return what the shown round can be compared with."""
        past = self._shown_round()
        if past is None:
            return []
        own = past.before, past.after
        return [stage for stage in self._stages if stage.checkpoint not in own]

    # Looking back

    def _sides(self) -> list[tuple[str, str, Checkpoint]]:
        """Return the maps to choose from: name, title and what is on it."""
        session, past = self._window.session, self._shown_round()
        if session is None or past is None:
            return []
        if self._other >= 0:
            earlier = self._others()[self._other]
            later = self._stage()
            assert later is not None
            sides = [
                (stage.name, f"The map of {stage.name}", stage.checkpoint)
                for stage in (earlier, later)
            ]
        else:
            number = f"round {self._round + 1}"
            sides = [
                ("Before", f"The map before {number}", past.before),
                ("After", f"The map after {number}", past.after),
            ]
        present = session.state.shown
        if present not in [side[2] for side in sides]:
            sides.append((NOW, "", present))
        return [side for side in sides if side[2].map is not None]

    def _shown_side(self, sides: list[tuple[str, str, Checkpoint]]) -> int:
        shown = [side[2] for side in sides]
        session, past = self._window.opened, self._window.past
        now = past.checkpoint if past else session.state.shown
        return shown.index(now) if now in shown else -1

    def _offer_sides(self) -> None:
        sides = self._sides()
        names = [side[0].partition(",")[0] for side in sides] if len(sides) > 1 else []
        self._panel.set_sides(names, self._shown_side(sides) if names else -1)

    def _show_side(self, number: int) -> None:
        session, sides = self._window.opened, self._sides()
        _, title, checkpoint = sides[number]
        if checkpoint is session.state.shown:
            self._window.look_at(None)
        else:
            compared = sides[1 - number][2] if number < 2 else checkpoint
            self._window.look_at(Past(checkpoint, title, compared))

    # What is clicked

    def _show_images(self, key: str) -> None:
        past, evidence = self._shown_round(), self._evidence
        session = self._window.session
        if past is None or evidence is None or session is None:
            return
        if key == UNNAMED:
            self._window.select(session.held_out_to_name())
            return
        images = {
            "fixed": evidence.fixed,
            "broken": evidence.broken,
            "not_followed": evidence.edited[~evidence.followed],
        }[key]
        is_last = past is self._rounds()[-1] and self._other < 0
        source = {"fixed": FIXED, "broken": BROKEN}.get(key, CHOSEN)
        self._gallery.show(images, source if is_last else CHOSEN)

    def _show_cell(self, arm: str, true: int, predicted: int) -> None:
        past, evidence = self._shown_round(), self._evidence
        session = self._window.session
        if past is None or session is None or evidence is None:
            return
        checkpoint = {BEFORE: past.before, AFTER: past.after}.get(arm)
        if arm == BEFORE and self._other >= 0:
            later = self._stage()
            assert later is not None
            checkpoint = followed(self._others()[self._other], later).checkpoint
        elif arm == BEFORE and past.before.map is not None:
            # Its classes are those of the evidence only after the edits.
            checkpoint = reclassed(past.before, folded(past.edits, past.before))
        if checkpoint is None or checkpoint.network is None:
            return
        guesses = predicted_among(checkpoint, evidence.class_names)
        part = session.dataset.split == Split[evidence.measured_on.upper()]
        cell = part & (past.after.labels == true) & (guesses == predicted)
        self._gallery.show(np.flatnonzero(cell))

    def _shown_round(self) -> Round | None:
        rounds = self._rounds()
        return rounds[self._round] if 0 <= self._round < len(rounds) else None

    def _roll_back(self) -> None:
        """Go back to before the last round that stands; of an accepted one, ask."""
        session, number = self._window.session, self._standing()
        if session is None or not number:
            return
        question = (
            f"Round {number} is accepted. Go back to the network and the map before "
            "it? Its edits are open again; to have it back, retrain with them."
        )
        awaits = session.state.proposal is not None
        if awaits or agrees(self._panel, "Roll back", question):
            self._decide("roll_back")

    def _decide(self, what: str) -> None:
        if self._window.session is None:
            return
        if self._window.training.is_running:
            warn(BUSY)
            return
        try:
            getattr(self._window.session, what)()
        except SpaceEditingError as error:
            warn(str(error))


def _row(number: int, past: Round) -> str:
    """Return a round as one line."""
    after = past.evidence.arms.get(AFTER)
    gain = past.evidence.over.get(past.evidence.reference)
    parts = [
        f"Round {number}",
        f"{after.accuracy:.1%}" if after else "",
        f"{gain.value * 100:+.1f}" if gain else "",
        _STATES.get(past.status, past.status.value),
        past.damage and "damaged",
    ]
    return " · ".join(filter(None, parts))


def _stage_row(stage: Stage, score: ArmScore) -> Interval:
    name, _, gone = stage.name.partition(",")
    return accuracy_row(name, score, not gone, stage.name)
