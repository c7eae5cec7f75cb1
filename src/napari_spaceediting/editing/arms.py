"""What a round trains, and what it trains beside it to compare with.

=========== =====================================================================
arm         what it learns from
=========== =====================================================================
`after`     The classes after the edits and their places; this network is taken.
`control`   The classes before the edits: what more training does by itself.
`relabel`   The classes after the edits, without their places: whether the map
            taught anything beside them.
`automatic` The classes before the edits, corrected without a human (`automatic`).
`placebo`   As `after`, with what the edits say dealt out anew among the edited
            images: whether any edits would have done.
`ceiling`   The true classes of all training images, where the data set knows them
            (a column `truth`): what there was to be gained.
=========== =====================================================================

All of them take the same steps from the same network with the same regularisers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.automatic import soften_labels, spread_labels
from napari_spaceediting.editing.evidence import (
    AFTER,
    AUTOMATIC,
    CEILING,
    CONTROL,
    PLACEBO,
    RELABEL,
)
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.editing.settings import are_few
from napari_spaceediting.editing.targets import Targets, joined, known, widened


@dataclass(frozen=True, eq=False)
class Arm:
    """What one training learns from.

    Parameters
    ----------
    name : str
        See above.
    n_classes : int
        Classes that its network has.
    targets : Targets
        What it believes of images.
    anchors : Anchors or None
        The places that it follows.
    """

    name: str
    n_classes: int
    targets: Targets
    anchors: Anchors | None = None


def needs_expected(job: Retrain) -> bool:
    """Whether labels are softened, by what networks expect that have not seen them."""
    return AUTOMATIC in job.settings.arms and not _are_few(job)


def arms_of(job: Retrain, expected: NDArray[np.float32] | None, seed: int) -> list[Arm]:
    """Return what a round trains, first the network that is taken.

    What cannot be trained is left out: a control or an automatic correction where no
    training image had a class, a ceiling where the truth is not known.

    Parameters
    ----------
    job : Retrain
        The round.
    expected : (N, c) float32 array or None
        What networks say of training images that they were not trained on; needed
        where `needs_expected`.
    seed : int
        Of the placebo.
    """
    dataset, n_after = job.dataset, len(job.class_names)
    training = ~dataset.held_out
    targets = known(job.labels, training, n_after)
    arms = {
        AFTER: Arm(AFTER, n_after, targets, job.anchors),
        RELABEL: Arm(RELABEL, n_after, targets),
        PLACEBO: Arm(PLACEBO, n_after, *_dealt_anew(targets, job.anchors, seed)),
    }
    if ((dataset.labels >= 0) & training).any():
        n_before = dataset.n_classes
        control = known(dataset.labels, training, n_before)
        arms[CONTROL] = Arm(CONTROL, n_before, control)
        if AUTOMATIC in job.settings.arms:
            corrected = joined(control, _corrections(job, training, expected))
            arms[AUTOMATIC] = Arm(AUTOMATIC, n_before, corrected)
    if "truth" in dataset.columns:
        truth = dataset.columns["truth"]
        right = known(truth, training & (truth < n_after), n_after)
        if len(right):
            arms[CEILING] = Arm(CEILING, n_after, right)
    wanted = (AFTER, *job.settings.arms)
    return [arms[name] for name in wanted if name in arms]


def _corrections(
    job: Retrain, training: NDArray[np.bool_], expected: NDArray[np.float32] | None
) -> Targets:
    """Return what rules make of labels that nobody has reviewed."""
    labels, predictions = job.dataset.labels, job.predictions
    if _are_few(job):
        among = training & ~(job.confirmed & (labels < 0))
        n_classes = job.dataset.n_classes
        return spread_labels(predictions.latents, labels, among, n_classes)
    assert expected is not None
    rows = np.flatnonzero((labels >= 0) & training & ~job.confirmed)
    judges = (
        widened(said[rows], job.dataset.n_classes)
        for said in (expected, predictions.probabilities)
    )
    return soften_labels(labels, rows, *judges)


def _are_few(job: Retrain) -> bool:
    return are_few(labelled_share(job))


def labelled_share(job: Retrain) -> float:
    """Share of the training images that had a class before the edits, 0 to 1.

    Judged before the edits, so that the control differs in nothing but them.
    """
    return float(job.dataset.is_labelled[~job.dataset.held_out].mean())


def _dealt_anew(
    targets: Targets, anchors: Anchors, seed: int
) -> tuple[Targets, Anchors]:
    """Give what is said of every edited image to another one, at random."""
    order = np.random.default_rng(seed).permutation(len(anchors))
    rows = np.flatnonzero(np.isin(targets.indices, anchors.indices))
    classes = targets.classes.copy()
    classes[rows] = classes[np.random.default_rng(seed).permutation(rows)]
    return replace(targets, classes=classes), replace(
        anchors,
        latents=anchors.latents[order],
        weights=anchors.weights[order],
        tags=anchors.tags[order],
        near=anchors.near[order],
        away=anchors.away[order],
    )
