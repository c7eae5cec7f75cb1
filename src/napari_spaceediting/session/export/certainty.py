"""How far the certainty of a session's network can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.soft_labels import believed, rows_of
from napari_spaceediting.editing.calibration import (
    NONE_OF_THESE,
    Calibration,
    calibrate,
    errors,
)
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.export.results import standing_edits
from napari_spaceediting.session.state import Network, SessionState

SHARE = 0.05
"""Of images of known classes, that are called none of these by default."""


@dataclass(frozen=True)
class Certainty:
    """How a session's network is calibrated, and what that is worth.

    Parameters
    ----------
    calibration : Calibration
        Told from the validation images, or from the test images where only these have
        labels.
    before, after : float
        Expected calibration error, 0 to 1; NaN where it cannot be measured.
    measured_on : str
        "test" or "validation".
    """

    calibration: Calibration
    before: float
    after: float
    measured_on: str

    def describe(self) -> tuple[str, ...]:
        """Return what the user should know, a sentence each."""
        made = self.calibration
        if not made.n_images:
            return (
                "No held-out image has a label, so nothing is known of how far the "
                "network's certainty can be trusted: label some of them.",
            )
        said = [
            f"Certainty is calibrated on {made.n_images:,} held-out images "
            f"(temperature {made.temperature:.2f})."
        ]
        if np.isfinite(self.after):
            said.append(
                f"On {self.measured_on} images its expected error is {self.after:.1%}, "
                f"before the calibration {self.before:.1%}."
            )
        if made.threshold:
            said.append(
                f"Below a certainty of {made.threshold:.2f} an image is "
                f"“{NONE_OF_THESE}”: by chance, so are at most {made.share:.0%} of "
                "those of known classes."
            )
        return tuple(filter(None, [*said, made.caution]))


def certainty_of(state: SessionState, share: float = SHARE) -> Certainty:
    """Calibrate the network that a session shows.

    Parameters
    ----------
    state : SessionState
        The session.
    share : float
        As for `calibrate`.

    Raises
    ------
    SessionError
        If there is no network that knows a class, or the share is out of its range.
    """
    if not 0 <= share < 1:
        raise SessionError(
            f"A share of {share:g} cannot be called none of these: choose one from 0 "
            "to below 1, such as 0.05."
        )
    probabilities = knowing(state).predictions.probabilities
    edits, split = standing_edits(state), state.dataset.split
    at = np.flatnonzero((edits.labels >= 0) & (split != Split.TRAIN))
    soft = rows_of(edits.soft_labels, at)
    classes = believed(edits.labels[at], soft, len(edits.class_names))
    said = widened(probabilities[at], len(edits.class_names))
    learnt = split[at] == Split.VALIDATION
    measured_on = "validation" if learnt.all() else "test"
    if not learnt.any():
        learnt = ~learnt
    before, after = errors(said, classes, learnt)
    made = calibrate(said[learnt], classes[learnt], share)
    return Certainty(made, before, after, measured_on)


def knowing(state: SessionState) -> Network:
    """Return the network that a session shows.

    Raises
    ------
    SessionError
        If there is none, or it knows no class.
    """
    network = state.shown.network
    if network is None:
        raise SessionError("There is no network yet: train one first.")
    if not network.predictions.probabilities.shape[1]:
        raise SessionError(
            "The network knows no class yet: name some images, and retrain."
        )
    return network
