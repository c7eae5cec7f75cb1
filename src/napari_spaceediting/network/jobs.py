"""Work on a network that takes long, as jobs; torch is imported when they run."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.jobs import enough
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.learnable import has_classes, what_trains
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    EpochLog,
    Predictions,
    State,
    TrainResult,
    TrainSettings,
)

_ALL_EPOCHS = (
    "No validation image is labelled, so all epochs were run and the last weights kept."
)


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network and what it says of all images.

    Parameters
    ----------
    spec : ClassifierSpec
        With the final number of classes: those of the data set, or 0 if no training
        image is labelled.
    train : TrainResult
        Its weights, and how they came about.
    predictions : Predictions
        For all images, in the data set's order.
    notes : tuple of str
        What the user should know, one sentence each.
    """

    spec: ClassifierSpec
    train: TrainResult
    predictions: Predictions
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainNetwork:
    """Train a network, or let it learn without labels if there are none.

    Where only the head trains it is solved (`solving`). Without any labelled training
    image, a backbone with weights is kept as it is; one without weights learns from the
    images themselves (`self_supervised`).

    Parameters
    ----------
    spec : ClassifierSpec
        The network; its `n_classes` is set by the data set.
    """

    name: ClassVar[str] = "Train the network"

    dataset: ImageDataset
    spec: ClassifierSpec
    settings: TrainSettings = field(default_factory=TrainSettings)

    def run(self) -> Generator[Progress, None, TrainedNetwork]:
        """Train, then predict all images."""
        from napari_spaceediting.network.activations import activations
        from napari_spaceediting.network.classifier import classifier_from
        from napari_spaceediting.network.predict import predict
        from napari_spaceediting.network.self_supervised import learn_features
        from napari_spaceediting.network.solving import rooted, solve
        from napari_spaceediting.network.training import train
        from napari_spaceediting.network.twins import note_on_twins

        dataset, settings = self.dataset, self.settings
        labelled = dataset.is_labelled & (dataset.split == Split.TRAIN)
        with_labels = has_classes(dataset)
        trains = what_trains(dataset, self.spec, settings)
        learns_features = with_labels and trains != "head"
        spec = replace(
            self.spec,
            n_classes=dataset.n_classes if with_labels else 0,
            knows_labels=learns_features,
        )
        classifier = classifier_from(spec, seed=settings.seed)
        notes = _notes_on_labels(dataset) if with_labels else ()
        history: list[EpochLog] = []
        if not with_labels:
            few = _too_few_labels(dataset, labelled)
            if not spec.sees_images:
                how = "the latents are embeddings"
            elif trains == "head":
                how = f"the latents are the features of {spec.backbone} as it is"
            else:
                how = "the network learnt from the images alone"
            notes = (f"{few}, so {how}.",)
        if not with_labels and trains == "all":
            history = yield from learn_features(classifier, dataset, settings)
        if learns_features:
            if not (dataset.is_labelled & (dataset.split == Split.VALIDATION)).any():
                notes = (*notes, _ALL_EPOCHS)
            result = yield from train(classifier, dataset, settings)
        else:
            result = yield from solve(classifier, dataset, device=settings.device)
            last = max(len(history) - 1, 0)
            result = replace(result, history=tuple(history), best_epoch=last)
        if enough.is_wanted():
            notes = (
                *notes,
                f"Training was stopped in epoch {len(result.history)} of "
                f"{settings.epochs}, and kept as it was.",
            )
        trained_on_trunk = trains == "last_block"
        predictions = yield from predict(
            classifier,
            dataset,
            frozen_up_to="last_block" if trained_on_trunk else "head",
            device=settings.device,
            batch_size=settings.batch_size,
        )
        if not trained_on_trunk:  # else there are no features on disk
            features = yield from activations(
                classifier, dataset, device=settings.device
            )
            twins = note_on_twins(lambda at: rooted(features, at), dataset)
            notes = (*notes, *twins)
        return TrainedNetwork(spec, result, predictions, notes)


@dataclass(frozen=True, eq=False)
class _Extract:
    """What a network, with weights or as its spec says, makes of all images."""

    dataset: ImageDataset
    spec: ClassifierSpec
    state: State | None = field(repr=False)
    device: str = "auto"


class ExtractPredictions(_Extract):
    """Compute latents and probabilities of all images."""

    name: ClassVar[str] = "Predict all images"

    def run(self) -> Generator[Progress, None, Predictions]:
        """Predict all images."""
        from napari_spaceediting.network.classifier import classifier_from
        from napari_spaceediting.network.predict import predict

        return (
            yield from predict(
                classifier_from(self.spec, self.state),
                self.dataset,
                device=self.device,
            )
        )


@dataclass(frozen=True)
class Extracted:
    """Activations that are on disk.

    Parameters
    ----------
    shape : tuple of int
        N, and what the frozen part gives of each image.
    n_computed : int
        Images that were not on disk already.
    """

    shape: tuple[int, ...]
    n_computed: int
    seconds: float


@dataclass(frozen=True, eq=False)
class ExtractActivations(_Extract):
    """Compute what the frozen part of a network gives, or go on with it.

    Parameters
    ----------
    trainable : {"head", "last_block"}
        What is to train later; the rest is frozen.
    """

    name: ClassVar[str] = "Read the images"

    trainable: Literal["head", "last_block"] = "head"

    def run(self) -> Generator[Progress, None, Extracted]:
        """Compute them."""
        from napari_spaceediting.network.activations import activations, n_unfinished
        from napari_spaceediting.network.classifier import classifier_from

        started = time.perf_counter()
        classifier = classifier_from(self.spec, self.state)
        where = (classifier, self.dataset, self.trainable)
        n_computed = n_unfinished(*where)
        found = yield from activations(*where, device=self.device)
        return Extracted(found.shape, n_computed, time.perf_counter() - started)


def _too_few_labels(dataset: ImageDataset, labelled: NDArray[np.bool_]) -> str:
    """Say which labels there are, none or those of one class."""
    if not labelled.any():
        return "No training image is labelled"
    name = dataset.class_names[dataset.labels[labelled][0]]
    return f"All labels for training are of one class, {name}"


def _notes_on_labels(dataset: ImageDataset) -> tuple[str, ...]:
    """Say what the labels do not allow."""
    notes = []
    labelled = dataset.labels[dataset.is_labelled & (dataset.split == Split.TRAIN)]
    counts = np.bincount(labelled, minlength=dataset.n_classes)
    empty = [dataset.class_names[index] for index in np.flatnonzero(counts == 0)]
    if empty:
        names = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
        notes.append(f"No training image is labelled {names}: it cannot be predicted.")
    return tuple(notes)
