"""A round of retraining: the network that is taken, and what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.arms import Arm, arms_of, needs_expected
from napari_spaceediting.editing.evidence import (
    AFTER,
    AUTOMATIC,
    BEFORE,
    CEILING,
    CONTROL,
    PLACEBO,
    RELABEL,
    Evidence,
    gather_evidence,
    mean_drift,
    measured_images,
    predicted_classes,
)
from napari_spaceediting.editing.fine_tune import expected_classes, fine_tune
from napari_spaceediting.editing.retrain import Retrain, RetrainResult
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress, relayed
from napari_spaceediting.network.classifier import LatentClassifier, state_of
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import Predictions

_MESSAGES = {
    AFTER: "Training with edits",
    CONTROL: "Training without edits",
    RELABEL: "Training without places",
    AUTOMATIC: "Training without a human",
    PLACEBO: "Training with random edits",
    CEILING: "Training with all labels right",
}


def retrain(job: Retrain) -> Generator[Progress, None, RetrainResult]:
    """Retrain as `Retrain` says.

    Raises
    ------
    TrainingFailed
        If no training image has a class, the loss is not finite, or torch fails.
    """
    start = time.monotonic()
    settings = job.settings
    if not ((job.labels >= 0) & ~job.dataset.held_out).any():
        raise TrainingFailed(
            "No training image has a class yet: name at least one group on the map "
            "before retraining."
        )
    expected = (yield from expected_classes(job)) if needs_expected(job) else None
    first, *more = range(settings.seed, settings.seed + settings.repeats)
    taken, *others = arms_of(job, expected, first)
    n_trainings = (1 + len(others)) * settings.repeats
    losses: list[float] = []
    number = 0

    def train(arm: Arm, seed: int) -> Generator[Progress, None, LatentClassifier]:
        nonlocal number
        before = number * settings.steps
        number += 1
        is_taken = number == 1

        def count(progress: Progress) -> Progress:
            if not progress.metrics:
                return progress  # the images are being read
            if is_taken:
                losses.append(progress.metrics["loss"])
            return Progress(
                before + progress.done,
                n_trainings * settings.steps,
                _MESSAGES[arm.name],
                progress.metrics if is_taken else {},
            )

        return (yield from relayed(fine_tune(job, arm, seed), count))

    classifier = yield from train(taken, first)
    after = yield from _predict(job, classifier)
    predicted = {
        BEFORE: predicted_classes(job.predictions),
        AFTER: predicted_classes(after),
    }
    for arm in others:
        other = yield from train(arm, first)
        predicted[arm.name] = predicted_classes((yield from _predict(job, other)))
    again: list[dict[str, NDArray[np.int64]]] = []
    for seed in more:
        again.append({})
        for arm in arms_of(job, expected, seed):
            other = yield from train(arm, seed)
            again[-1][arm.name] = predicted_classes((yield from _predict(job, other)))
    return RetrainResult(
        spec=classifier.spec,
        state=state_of(classifier),
        predictions=after,
        evidence=_evidence(job, predicted, again, after),
        losses=np.array(losses, np.float32),
        settings=settings,
        seconds=time.monotonic() - start,
    )


def _predict(
    job: Retrain, classifier: LatentClassifier
) -> Generator[Progress, None, Predictions]:
    last_block = job.settings.trainable == "last_block"
    return (
        yield from predict(
            classifier,
            job.dataset,
            frozen_up_to="last_block" if last_block else "head",
            cache_dir=job.cache_dir,
            device=job.settings.device,
        )
    )


def _evidence(
    job: Retrain,
    predicted: dict[str, NDArray[np.int64]],
    again: list[dict[str, NDArray[np.int64]]],
    after: Predictions,
) -> Evidence:
    dataset, tags = job.dataset, job.anchors.tags
    part, held_out = measured_images(dataset.split, job.labels)
    untouched = ~job.anchors.mask(len(dataset))
    tagged = tags >= 0
    return gather_evidence(
        measured_on=part.name.lower(),
        held_out=held_out,
        truth=job.labels[held_out],
        class_names=job.class_names,
        predicted=predicted,
        again=again,
        drift=mean_drift(job.predictions.latents[untouched], after.latents[untouched]),
        edited=job.anchors.indices[tagged],
        tags=tags[tagged],
    )
