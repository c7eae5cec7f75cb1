"""What a network learns in one arm of a round."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import nn

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.arms import Lesson
from napari_spaceediting.editing.draws import draws_of
from napari_spaceediting.editing.fine_tune import fine_tune
from napari_spaceediting.editing.targets import Targets, joined, known
from napari_spaceediting.editing.task import Task
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.kernel_ridge import LeftOut
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.solving import Draws, Solved, rooted, solve_end

_RIDGE = 0.1
"""That keeps the components from bending, for roots of length 1."""
_STAYING = 1_000
"""Images at most that hold the others where they are."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What came of an arm.

    Parameters
    ----------
    classifier : LatentClassifier
        Its network.
    margins : (N,) float32 array or None
        As of `TrainResult`; None where they are as before.
    redrawn : (B, a) int64 array or None
        Classes of held-out images, had other images been edited (see `draws`). Of what
        is fine-tuned those of its teacher; None where there is none.
    """

    classifier: LatentClassifier
    margins: NDArray[np.float32] | None = None
    redrawn: NDArray[np.int64] | None = None


def learn(task: Task, lesson: Lesson, seed: int) -> Generator[Progress, None, Learnt]:
    """Learn a lesson, in closed form as far as that goes.

    Where only the head trains, the end is solved on the frozen features (`solving`),
    and where edits ask for places, its components are bent towards them. Where more of
    the network trains, the solution is the teacher: what it says of all training images
    is what the network is fine-tuned to.

    Parameters
    ----------
    task : Task
        The round.
    lesson : Lesson
        What to learn from.
    seed : int
        Of every random choice.

    Raises
    ------
    TrainingFailed
        If the loss is not finite, or torch fails.
    """
    if task.settings.recipe == "descent":
        return Learnt((yield from fine_tune(task, lesson, seed)))
    training = np.flatnonzero(task.training)
    targets, anchors = _with_places(lesson), lesson.anchors
    was_solved = "kernel.landmarks" in task.state
    classifier, features, solved = yield from _solved(
        task, targets, lesson.n_classes, seed, draws_of(task)
    )
    # Features that know the labels by heart cannot be asked what others say of them.
    margins = None
    if not task.spec.knows_labels:
        margins = _margins(task.labels, targets, solved.left_out)
    if task.settings.trainable == "head":
        if anchors is not None:
            untouched = training[~np.isin(training, anchors.indices)]
            _bend(classifier.embedding, features, anchors, untouched)
        return Learnt(classifier, margins, solved.redrawn)
    said = yield from predict(classifier, task.dataset, device=task.settings.device)
    taught = Targets(
        training, said.probabilities[training], np.ones(len(training), np.float32)
    )
    lesson = replace(lesson, targets=taught)
    if was_solved:
        tuning = fine_tune(task, lesson, seed, classifier, said.latents)
    else:
        tuning = fine_tune(task, lesson, seed)
    return Learnt((yield from tuning), margins, solved.redrawn)


def _solved(
    task: Task,
    targets: Targets,
    n_classes: int,
    seed: int,
    draws: Draws | None = None,
) -> Generator[Progress, None, tuple[LatentClassifier, NDArray[np.float32], Solved]]:
    """Solve the end for targets; return the network, its features and the rest."""
    spec = replace(task.spec, n_classes=n_classes)
    classifier = classifier_from(spec, task.state, seed=seed)
    features = yield from activations(
        classifier, task.dataset, device=task.settings.device
    )
    solved = solve_end(
        classifier,
        features,
        np.flatnonzero(task.training),
        targets.indices,
        targets.classes,
        targets.weights,
        draws,
    )
    return classifier, features, solved


def _with_places(lesson: Lesson) -> Targets:
    """Let a place speak for the class of images that were moved without a name."""
    anchors = lesson.anchors
    if anchors is None:
        return lesson.targets
    nameless = (anchors.tags < 0) & (anchors.weights > 0) & anchors.votes.any(axis=1)
    if not nameless.any():
        return lesson.targets
    votes = anchors.votes[nameless]
    return joined(
        lesson.targets,
        Targets(anchors.indices[nameless], votes, anchors.weights[nameless]),
    )


def _margins(
    labels: NDArray[np.int64], targets: Targets, left_out: LeftOut
) -> NDArray[np.float32]:
    """Return the (N,) margins of what is learnt of images that have a label."""
    margins = np.full(len(labels), np.nan, np.float32)
    named = labels[targets.indices] >= 0
    scores = replace(left_out, scores=left_out.scores[named])
    learnt = targets.classes[named].argmax(axis=1)
    margins[targets.indices[named]] = scores.margins(learnt)
    return margins


def _bend(
    embedding: nn.Linear,
    features: NDArray[np.float32],
    anchors: Anchors,
    untouched: NDArray[np.int64],
) -> None:
    """Move the components of edited images to their anchors, and let others stay.

    The editing loss, which a ridge regression minimises: of the way that each image has
    to go, on the roots. The others have none to go.
    """
    placed = anchors.weights > 0
    if not placed.any() or not len(untouched):
        return
    at, few = anchors.indices[placed], -(-len(untouched) // _STAYING)
    rows = np.concatenate([at, untouched[::few]])
    moved = rooted(features, rows)
    near = rooted(features, anchors.near[placed].ravel())
    near = near.reshape(len(at), -1, near.shape[1])
    goals = np.einsum("mk,mkf->mf", anchors.speaking[placed], near)
    ways = np.zeros((len(rows), embedding.out_features), np.float32)
    weight = embedding.weight.detach().cpu().numpy()
    ways[: len(at)] = (goals - moved[: len(at)]) @ weight.T
    weights = np.ones(len(rows))
    weights[: len(at)] = anchors.weights[placed]
    bent = Ridge(_RIDGE, fit_intercept=False, solver="cholesky")
    bent.fit(moved, ways, weights)
    with torch.no_grad():
        embedding.weight += torch.from_numpy(bent.coef_).to(embedding.weight)


def left_out_classes(task: Task) -> Generator[Progress, None, NDArray[np.float32]]:
    """Return what the other labels say of each labelled training image.

    Parameters
    ----------
    task : Task
        The round; its labels before the edits are used.

    Returns
    -------
    (N, c) float32 array
        Probabilities of the c classes before the edits; 0 for all other images.
    """
    dataset = task.dataset
    targets = known(
        dataset.labels, task.training, dataset.n_classes, dataset.soft_labels
    )
    _, _, solved = yield from _solved(
        task, targets, dataset.n_classes, task.settings.seed
    )
    expected = np.zeros((len(dataset), dataset.n_classes), np.float32)
    expected[targets.indices] = solved.left_out.probabilities()
    return expected
