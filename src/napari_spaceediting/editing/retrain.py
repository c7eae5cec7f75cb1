"""The job of a round: the network that is taken, and what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
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

        start = time.monotonic()
        settings = self.settings
        if not ((self.labels >= 0) & ~self.dataset.held_out).any():
            raise TrainingFailed(
                "No training image has a class yet: name at least one group on the map "
                "before retraining."
            )
        expected = None
        if needs_expected(self, settings.arms):
            expected = yield from left_out_classes(self)
        to_learn = lessons(self, settings.arms, expected, settings.seed)
        networks = [name for name in to_learn if ARMS[name].is_network]
        repeats = settings.repeats if settings.descends else 1
        total = len(networks) * repeats * settings.steps
        losses: list[float] = []
        number, taken = 0, None

        def count(progress: Progress) -> Progress:
            if not progress.metrics:
                return progress  # the images are being read
            if number == 0:
                losses.append(progress.metrics["loss"])
            return Progress(
                number * settings.steps + progress.done,
                total,
                f"Training {ARMS[name].how}",
                progress.metrics if number == 0 else {},
            )

        predicted: list[dict[str, NDArray[np.int64]]] = []
        _, held_out = measured_images(self.dataset.split, self.labels)
        certainty = {BEFORE: self.predictions.probabilities[held_out]}
        redrawn: dict[str, NDArray[np.int64]] = {}
        for seed in range(settings.seed, settings.seed + repeats):
            if predicted:
                to_learn = lessons(self, settings.arms, expected, seed)
            predicted.append({})
            for name in networks:
                lesson = to_learn[name]
                if not settings.descends:
                    n_done, how = number * settings.steps, ARMS[name].how
                    yield Progress(n_done, total, f"Training {how}")
                learnt = yield from relayed(learn(self, lesson, seed), count)
                said = yield from self._said(learnt.classifier)
                predicted[-1][name] = predicted_classes(said)
                certainty.setdefault(name, said.probabilities[held_out])
                if learnt.redrawn is not None:
                    redrawn.setdefault(name, learnt.redrawn)
                taken = taken or (learnt, said)
                number += 1
        for name, lesson in to_learn.items():
            if name not in networks:
                yield Progress(total, total, f"Training {ARMS[name].how}")
                probabilities = yield from rival_classes(self, lesson)
                predicted[0][name] = probabilities.argmax(axis=1)
                certainty[name] = probabilities[held_out]
        assert taken is not None
        first, after = taken
        return RetrainResult(
            spec=first.classifier.spec,
            state=state_of(first.classifier),
            predictions=after,
            evidence=self._evidence(predicted, certainty, redrawn, after),
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

    def _evidence(
        self,
        predicted: list[dict[str, NDArray[np.int64]]],
        said: dict[str, NDArray[np.floating]],
        redrawn: dict[str, NDArray[np.int64]],
        after: Predictions,
    ) -> Evidence:
        tags = self.anchors.tags
        part, held_out = measured_images(self.dataset.split, self.labels)
        untouched = ~self.anchors.mask(len(self.dataset))
        before = self.predictions
        return gather_evidence(
            measured_on=part.name.lower(),
            held_out=held_out,
            truth=self.labels[held_out],
            class_names=self.class_names,
            predicted={BEFORE: predicted_classes(before), **predicted[0]},
            again=predicted[1:],
            redrawn=redrawn,
            groups=groups_of(self.dataset.columns, len(self.dataset)),
            chance=self.settings.descends,
            looks=self.looks,
            drift=mean_drift(before.latents[untouched], after.latents[untouched]),
            edited=self.anchors.indices[tags >= 0],
            tags=tags[tags >= 0],
            said=said,
            soft_truth=rows_of(self.soft_labels, held_out),
        )
