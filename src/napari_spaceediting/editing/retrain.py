"""The job of a round: the network that is taken, and what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.data.soft_labels import rows_of
from napari_spaceediting.editing.arms import ARMS, BEFORE, lessons, needs_expected
from napari_spaceediting.editing.evidence import (
    Evidence,
    gather_evidence,
    mean_drift,
    measured_images,
    predicted_classes,
)
from napari_spaceediting.editing.task import RetrainResult, Task
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress, relayed
from napari_spaceediting.network.spec import Predictions

if TYPE_CHECKING:
    from napari_spaceediting.network.classifier import LatentClassifier


@dataclass(frozen=True, eq=False)
class _Found:
    """What arms say: classes of all images for each seed; of held-out ones the rest."""

    predicted: tuple[dict[str, NDArray[np.int64]], ...]
    said: dict[str, NDArray[np.floating]] = field(default_factory=dict)
    redrawn: dict[str, NDArray[np.int64]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Retrain(Task):
    """Retrain a network with what edits ask of it."""

    name = "Retrain with edits"

    def run(self) -> Generator[Progress, None, RetrainResult]:
        """Train what a round takes, and what it is compared with.

        Raises
        ------
        TrainingFailed
            If no training image has a class, the loss is not finite, or torch fails.
        """
        from napari_spaceediting.editing.learning import learn, left_out_classes
        from napari_spaceediting.editing.rival import rival_classes
        from napari_spaceediting.network.classifier import state_of

        start, settings = time.monotonic(), self.settings
        if not ((self.labels >= 0) & ~self.dataset.held_out).any():
            raise TrainingFailed(
                "No training image has a class yet: name at least one group on the map "
                "before retraining."
            )
        expected = None
        if needs_expected(self, settings.arms):
            expected = yield from left_out_classes(self)
        seeds = range(settings.repeats if settings.descends else 1)
        to_learn = [
            (seed, name, lesson)
            for seed in seeds
            for name, lesson in lessons(
                self, settings.arms, expected, settings.seed + seed
            ).items()
        ]
        networks = [one for one in to_learn if ARMS[one[1]].is_network]
        total, losses = len(networks) * settings.steps, list[float]()
        found = _Found(tuple({} for _ in seeds))
        _, held_out = measured_images(self.dataset.split, self.labels)
        found.said[BEFORE] = self.predictions.probabilities[held_out]
        taken = None
        for number, (seed, name, lesson) in enumerate(networks):
            count = _counted(name, number * settings.steps, total, losses)
            if not settings.descends:
                yield Progress(number * settings.steps, total, _training(name))
            learning = learn(self, lesson, settings.seed + seed)
            learnt = yield from relayed(learning, count)
            said = yield from self._said(learnt.classifier)
            found.predicted[seed][name] = predicted_classes(said)
            found.said.setdefault(name, said.probabilities[held_out])
            if learnt.redrawn is not None:
                found.redrawn.setdefault(name, learnt.redrawn)
            taken = taken or (learnt, said)
        for seed, name, lesson in to_learn:
            if seed == 0 and not ARMS[name].is_network:
                yield Progress(total, total, _training(name))
                probabilities = yield from rival_classes(self, lesson)
                found.predicted[0][name] = probabilities.argmax(axis=1)
                found.said[name] = probabilities[held_out]
        assert taken is not None
        first, after = taken
        return RetrainResult(
            spec=first.classifier.spec,
            state=state_of(first.classifier),
            predictions=after,
            evidence=self._evidence(found, after),
            margins=first.margins,
            losses=np.array(losses, np.float32),
            settings=settings,
            seconds=time.monotonic() - start,
        )

    def _said(
        self, classifier: LatentClassifier
    ) -> Generator[Progress, None, Predictions]:
        from napari_spaceediting.network.predict import predict

        last_block = self.settings.trainable == "last_block"
        return (
            yield from predict(
                classifier,
                self.dataset,
                frozen_up_to="last_block" if last_block else "head",
                device=self.settings.device,
            )
        )

    def _evidence(self, found: _Found, after: Predictions) -> Evidence:
        tags = self.anchors.tags
        part, held_out = measured_images(self.dataset.split, self.labels)
        untouched = ~self.anchors.mask(len(self.dataset))
        before = self.predictions
        return gather_evidence(
            measured_on=part.name.lower(),
            held_out=held_out,
            truth=self.labels[held_out],
            class_names=self.class_names,
            predicted={BEFORE: predicted_classes(before), **found.predicted[0]},
            again=found.predicted[1:],
            redrawn=found.redrawn,
            groups=groups_of(self.dataset.columns, len(self.dataset)),
            chance=self.settings.descends,
            looks=self.looks,
            drift=mean_drift(before.latents[untouched], after.latents[untouched]),
            edited=self.anchors.indices[tags >= 0],
            tags=tags[tags >= 0],
            said=found.said,
            soft_truth=rows_of(self.soft_labels, held_out),
        )


def _training(name: str) -> str:
    return f"Training {ARMS[name].how}"


def _counted(
    name: str, done: int, total: int, losses: list[float]
) -> Callable[[Progress], Progress]:
    """Return what counts an arm's steps among all; the first one's losses are kept."""

    def count(progress: Progress) -> Progress:
        if not progress.metrics:
            return progress  # the images are being read
        if not done:
            losses.append(progress.metrics["loss"])
        return Progress(
            done + progress.done,
            total,
            _training(name),
            {} if done else progress.metrics,
        )

    return count
