"""A round of retraining: the network that is taken, and what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.arms import (
    AFTER,
    ARMS,
    BEFORE,
    Lesson,
    lessons,
    needs_expected,
)
from napari_spaceediting.editing.evidence import (
    Evidence,
    gather_evidence,
    mean_drift,
    measured_images,
    predicted_classes,
)
from napari_spaceediting.editing.fine_tune import expected_classes, fine_tune
from napari_spaceediting.editing.task import RetrainResult, Task
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress, relayed
from napari_spaceediting.network.classifier import LatentClassifier, state_of
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import Predictions


def retrain(task: Task) -> Generator[Progress, None, RetrainResult]:
    """Train what a round takes, and what it is compared with.

    Raises
    ------
    TrainingFailed
        If no training image has a class, the loss is not finite, or torch fails.
    """
    start = time.monotonic()
    settings = task.settings
    if not ((task.labels >= 0) & ~task.dataset.held_out).any():
        raise TrainingFailed(
            "No training image has a class yet: name at least one group on the map "
            "before retraining."
        )
    expected = None
    if needs_expected(task, settings.arms):
        expected = yield from expected_classes(task)
    first, *more = range(settings.seed, settings.seed + settings.repeats)
    to_learn = lessons(task, settings.arms, expected, first)
    n_trainings = len(to_learn) * settings.repeats
    losses: list[float] = []
    number = 0

    def train(
        name: str, lesson: Lesson, seed: int
    ) -> Generator[Progress, None, LatentClassifier]:
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
                f"Training {ARMS[name].how}",
                progress.metrics if is_taken else {},
            )

        return (yield from relayed(fine_tune(task, lesson, seed), count))

    classifier = yield from train(AFTER, to_learn.pop(AFTER), first)
    after = yield from _predict(task, classifier)
    predicted = {
        BEFORE: predicted_classes(task.predictions),
        AFTER: predicted_classes(after),
    }
    for name, lesson in to_learn.items():
        other = yield from train(name, lesson, first)
        predicted[name] = predicted_classes((yield from _predict(task, other)))
    again: list[dict[str, NDArray[np.int64]]] = []
    for seed in more:
        again.append({})
        for name, lesson in lessons(task, settings.arms, expected, seed).items():
            other = yield from train(name, lesson, seed)
            again[-1][name] = predicted_classes((yield from _predict(task, other)))
    return RetrainResult(
        spec=classifier.spec,
        state=state_of(classifier),
        predictions=after,
        evidence=_evidence(task, predicted, again, after),
        losses=np.array(losses, np.float32),
        settings=settings,
        seconds=time.monotonic() - start,
    )


def _predict(
    task: Task, classifier: LatentClassifier
) -> Generator[Progress, None, Predictions]:
    last_block = task.settings.trainable == "last_block"
    return (
        yield from predict(
            classifier,
            task.dataset,
            frozen_up_to="last_block" if last_block else "head",
            device=task.settings.device,
        )
    )


def _evidence(
    task: Task,
    predicted: dict[str, NDArray[np.int64]],
    again: list[dict[str, NDArray[np.int64]]],
    after: Predictions,
) -> Evidence:
    dataset, tags = task.dataset, task.anchors.tags
    part, held_out = measured_images(dataset.split, task.labels)
    untouched = ~task.anchors.mask(len(dataset))
    tagged = tags >= 0
    return gather_evidence(
        measured_on=part.name.lower(),
        held_out=held_out,
        truth=task.labels[held_out],
        class_names=task.class_names,
        predicted=predicted,
        again=again,
        drift=mean_drift(task.predictions.latents[untouched], after.latents[untouched]),
        edited=task.anchors.indices[tagged],
        tags=tags[tagged],
    )
