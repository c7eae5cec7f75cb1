"""How far the certainty of a session's network can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.soft_labels import believed, rows_of
from napari_spaceediting.editing.calibration import (
    NONE_OF_THESE,
    Calibration,
    calibrate,
    errors,
)
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.classes import without_rejected
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Checkpoint, Network

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
    knowing(session)
    edits = session.edits
    now = replace(
        session.shown,
        class_names=edits.class_names,
        labels=edits.labels,
        soft_labels=edits.soft_labels,
    )
    return _held_out(session.dataset, now, share)


def calibrated_in_words(dataset: ImageDataset, checkpoint: Checkpoint) -> str:
    """Say how far the certainty of a checkpoint's network can be trusted.

    In a sentence, with what temperature scaling makes of it; "" where nothing is known.
    """
    network = checkpoint.network
    if network is None or not network.predictions.probabilities.shape[1]:
        return ""
    dataset = without_rejected(dataset, checkpoint.rejected)
    found = _held_out(dataset, checkpoint, 0.0).certainty()
    if not np.isfinite(found.after):
        return ""
    return (
        f"Calibration error on {found.measured_on} images {found.before:.1%}, after "
        f"temperature scaling {found.after:.1%}."
    )


def _held_out(dataset: ImageDataset, checkpoint: Checkpoint, share: float) -> HeldOut:
    network, split = checkpoint.network, dataset.split
    assert network is not None
    n_classes = len(checkpoint.class_names)
    measures = np.isin(split, (Split.VALIDATION, Split.TEST))
    at = np.flatnonzero((checkpoint.labels >= 0) & measures)
    soft = rows_of(checkpoint.soft_labels, at)
    learnt = split[at] == Split.VALIDATION
    return HeldOut(
        widened(network.predictions.probabilities[at], n_classes),
        believed(checkpoint.labels[at], soft, n_classes),
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
