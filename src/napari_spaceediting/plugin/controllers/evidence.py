"""The evidence of the rounds, and the decision on the last one."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.editing.evidence import AFTER, BEFORE
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.controllers.gallery import (
    BROKEN,
    CHOSEN,
    FIXED,
    GalleryController,
)
from napari_spaceediting.plugin.desk import BUSY, Desk, warn
from napari_spaceediting.plugin.views.evidence_panel import EvidencePanel, RoundRow
from napari_spaceediting.session.state import Round, RoundStatus

_STATES = {RoundStatus.PROPOSED: "to decide"}


class EvidenceController:
    """Connects the Evidence dock with the session.

    Parameters
    ----------
    desk : Desk
        What the controllers share.
    panel : EvidencePanel
        The view.
    gallery : GalleryController
        Shows the images that are clicked on.
    """

    def __init__(
        self, desk: Desk, panel: EvidencePanel, gallery: GalleryController
    ) -> None:
        self._desk = desk
        self._panel = panel
        self._gallery = gallery
        self._round = -1
        panel.accept_requested.connect(self.accept)
        panel.roll_back_requested.connect(self.roll_back)
        panel.round_selected.connect(self._show_round)
        panel.show_images.connect(self._show_images)
        panel.confusion_cell_clicked.connect(self._show_cell)
        desk.session_changed.connect(self.refresh)
        desk.rounds_changed.connect(self.refresh)

    def accept(self) -> None:
        """Go on from the last round."""
        self._decide("accept")

    def roll_back(self) -> None:
        """Go back to before the last round."""
        self._decide("roll_back")

    def refresh(self) -> None:
        """Show the last round."""
        session = self._desk.session
        rounds = session.state.rounds if session else ()
        self._panel.set_rounds([_row(n, past) for n, past in enumerate(rounds, 1)])
        self._show_round(len(rounds) - 1)
        awaits = session is not None and session.state.proposal is not None
        self._panel.set_decision_enabled(
            awaits,
            "This round is decided already."
            if rounds
            else "Retrain first: then there is something to decide.",
        )

    def _show_round(self, number: int) -> None:
        session = self._desk.session
        rounds = session.state.rounds if session else ()
        self._round = number
        shown = rounds[number].evidence if 0 <= number < len(rounds) else None
        self._panel.show_evidence(shown)

    def _show_images(self, key: str) -> None:
        past = self._shown_round()
        if past is None:
            return
        evidence = past.evidence
        images = {
            "fixed": evidence.fixed,
            "broken": evidence.broken,
            "not_followed": evidence.edited[~evidence.followed],
        }[key]
        assert self._desk.session is not None
        is_last = past is self._desk.session.state.rounds[-1]
        source = {"fixed": FIXED, "broken": BROKEN}.get(key, CHOSEN)
        self._gallery.show(images, source if is_last else CHOSEN)

    def _show_cell(self, arm: str, true: int, predicted: int) -> None:
        past, session = self._shown_round(), self._desk.session
        if past is None or session is None:
            return
        checkpoint = {BEFORE: past.before, AFTER: past.after}.get(arm)
        if checkpoint is None or checkpoint.network is None:
            return
        guesses = checkpoint.network.predictions.probabilities.argmax(axis=1)
        part = session.dataset.split == Split[past.evidence.measured_on.upper()]
        cell = part & (past.after.labels == true) & (guesses == predicted)
        self._gallery.show(np.flatnonzero(cell))

    def _shown_round(self) -> Round | None:
        session = self._desk.session
        rounds = session.state.rounds if session else ()
        return rounds[self._round] if 0 <= self._round < len(rounds) else None

    def _decide(self, what: str) -> None:
        if self._desk.session is None:
            return
        if self._desk.training.is_running:
            warn(BUSY)
            return
        try:
            getattr(self._desk.session, what)()
        except SpaceEditingError as error:
            warn(str(error))


def _row(number: int, past: Round) -> RoundRow:
    evidence = past.evidence
    after = evidence.arms.get(AFTER)
    gain = evidence.gain_over(evidence.reference)
    return RoundRow(
        title=f"Round {number}",
        accuracy_after=after.accuracy if after else None,
        gain=gain.value if gain else None,
        state=_STATES.get(past.status, past.status.value),
    )
