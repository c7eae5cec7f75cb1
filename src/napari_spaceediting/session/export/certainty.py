"""How far the certainty of a session's network can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Network

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


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a network says of images that nothing was learnt from, and what they are.

    Parameters
    ----------
    probabilities, classes : (n, C) float32 arrays
        Of the images with a label, as for `calibrate`.
    learnt : (n,) bool array
        Those that the calibration is told from.
    measured_on : str
        "test" or "validation": where its error is measured.
    share : float
        Of images of known classes, that may be called none of these.
    """

    probabilities: NDArray[np.float32]
    classes: NDArray[np.float32]
    learnt: NDArray[np.bool_]
    measured_on: str
    share: float

    def certainty(self) -> Certainty:
        """Calibrate the network; with many images it takes seconds."""
        said, classes, learnt = self.probabilities, self.classes, self.learnt
        before, after = errors(said, classes, learnt)
        made = calibrate(said[learnt], classes[learnt], self.share)
        return Certainty(made, before, after, self.measured_on)


def held_out_of(session: Preparing, share: float = SHARE) -> HeldOut:
    """Return what the network that a session shows is calibrated on.

    Parameters
    ----------
    session : Preparing
        The session; images that are rejected do not count.
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
    probabilities = knowing(session).predictions.probabilities
    edits, split = session.edits, session.dataset.split
    n_classes = len(edits.class_names)
    measures = np.isin(split, (Split.VALIDATION, Split.TEST))
    at = np.flatnonzero((edits.labels >= 0) & measures)
    soft = rows_of(edits.soft_labels, at)
    learnt = split[at] == Split.VALIDATION
    return HeldOut(
        widened(probabilities[at], n_classes),
        believed(edits.labels[at], soft, n_classes),
        learnt if learnt.any() else ~learnt,
        "validation" if learnt.all() else "test",
        share,
    )


def knowing(session: Preparing) -> Network:
    """Return the network that a session shows.

    Raises
    ------
    SessionError
        If there is none, or it knows no class.
    """
    network = session.shown.network
    if network is None:
        raise SessionError("There is no network yet: train one first.")
    if not network.predictions.probabilities.shape[1]:
        raise SessionError(
            "The network knows no class yet: name some images, and retrain."
        )
    return network
