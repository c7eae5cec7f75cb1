"""Fine-tuning with the editing loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.evidence import (
    AFTER,
    BEFORE,
    CONTROL,
    Evidence,
    gather_evidence,
)
from napari_spaceediting.editing.objectives import Space, objectives_of
from napari_spaceediting.editing.retrain import Retrain, RetrainResult
from napari_spaceediting.editing.settings import RetrainSettings, weights_for
from napari_spaceediting.editing.terms import mixed_cross_entropy, total_variance
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import Fetch, tail_inputs
from napari_spaceediting.network.classifier import (
    LatentClassifier,
    classifier_from,
    state_of,
)
from napari_spaceediting.network.device import pick_device, torch_errors_in_words
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import Predictions


@dataclass(frozen=True, eq=False)
class _Arm:
    """What one training learns from.

    `labels` are the classes it believes, of which there are `n_classes`; `anchors`
    are the edits it follows (None for the control).
    """

    name: str
    n_classes: int
    labels: NDArray[np.int64]
    anchors: Anchors | None


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
    dataset = job.dataset
    arms = [_Arm(AFTER, len(job.class_names), job.labels, job.anchors)]
    if settings.control and (dataset.labels[~dataset.held_out] >= 0).any():
        arms.append(_Arm(CONTROL, dataset.n_classes, dataset.labels, None))

    predicted = {BEFORE: _classes(job.predictions.probabilities)}
    outcomes: dict[str, tuple[LatentClassifier, Predictions, list[float]]] = {}
    for number, arm in enumerate(arms):
        outcome = yield from _train_arm(job, arm, number, len(arms))
        outcomes[arm.name] = outcome
        predicted[arm.name] = _classes(outcome[1].probabilities)
    classifier, predictions, losses = outcomes[AFTER]
    evidence = _evidence(job, predicted, predictions)
    return RetrainResult(
        spec=replace(job.spec, n_classes=len(job.class_names)),
        state=state_of(classifier),
        predictions=predictions,
        evidence=evidence,
        losses=np.array(losses, np.float32),
        settings=settings,
        seconds=time.monotonic() - start,
    )


def _train_arm(
    job: Retrain, arm: _Arm, number: int, n_arms: int
) -> Generator[Progress, None, tuple[LatentClassifier, Predictions, list[float]]]:
    settings = job.settings
    device = pick_device(settings.device)
    spec = replace(job.spec, n_classes=arm.n_classes)
    with torch_errors_in_words(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # dropout
        classifier = classifier_from(spec, job.state, seed=settings.seed).to(device)
        fetch = yield from tail_inputs(
            classifier,
            job.dataset,
            settings.trainable,
            cache_dir=job.cache_dir,
            device=settings.device,
        )
        tail = classifier.tail(settings.trainable)
        averaged, losses = yield from _optimise(
            tail, fetch, job, arm, number, n_arms, device
        )
        tail.load_state_dict(averaged.state_dict())
        predictions = yield from predict(
            classifier,
            job.dataset,
            frozen_up_to="last_block" if settings.trainable == "last_block" else "head",
            cache_dir=job.cache_dir,
            device=settings.device,
        )
    return classifier, predictions, losses


def _optimise(
    tail: nn.Module,
    fetch: Fetch,
    job: Retrain,
    arm: _Arm,
    number: int,
    n_arms: int,
    device: torch.device,
) -> Generator[Progress, None, tuple[nn.Module, list[float]]]:
    """Minimise the editing loss; return the averaged tail and the losses."""
    settings = job.settings
    training = ~job.dataset.held_out
    labelled = np.flatnonzero((arm.labels >= 0) & training)
    # Judged before the edits, so that the control differs in nothing but them.
    weights = weights_for(settings, float(job.dataset.is_labelled[training].mean()))
    rng = np.random.default_rng(settings.seed)
    ema = get_ema_multi_avg_fn(weights.averaging)  # type: ignore[no-untyped-call]
    average = AveragedModel(tail, multi_avg_fn=ema)
    optimiser = torch.optim.AdamW(
        tail.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    latents_of, cross_entropy = _forward(tail, fetch, arm.labels, settings, device)
    untouched = training.copy()
    if arm.anchors is not None:
        untouched[arm.anchors.indices] = False
    old = job.predictions.latents
    space = Space(
        latents_of=latents_of,
        old=old,
        positions=job.positions,
        anchors=arm.anchors,
        untouched=np.flatnonzero(untouched),
        variance=total_variance(torch.as_tensor(old[training], device=device)),
        weights=weights,
        batch_size=settings.edit_batch_size,
        device=device,
    )
    objectives = objectives_of(settings.objective, space)
    chances = _balanced(arm.labels[labelled])
    tail.train()
    losses: list[float] = []
    for done in range(settings.steps):
        batch = rng.choice(labelled, settings.batch_size, p=chances)
        loss = cross_entropy(batch, rng)
        for objective in objectives:
            loss = loss + objective(rng)
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss is no longer a number at step {done + 1}: lower the "
                "learning rate, or look for odd images among the edited ones."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        average.update_parameters(tail)
        losses.append(float(loss.detach()))
        yield Progress(
            number * settings.steps + done + 1,
            n_arms * settings.steps,
            "Training the control" if arm.anchors is None else "Training with edits",
            {"loss": losses[-1]} if arm.anchors is not None else {},
        )
    tail.eval()
    return average.module, losses


def _forward(
    tail: nn.Module,
    fetch: Fetch,
    labels: NDArray[np.int64],
    settings: RetrainSettings,
    device: torch.device,
) -> tuple[
    Callable[[NDArray[np.int64]], Tensor],
    Callable[[NDArray[np.int64], np.random.Generator], Tensor],
]:
    """Return functions of dataset indices: the latents now, the cross-entropy."""

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=device)

    def latents_of(indices: NDArray[np.int64]) -> Tensor:
        latents: Tensor = tail(tensor(fetch(indices)))[0]
        return latents

    def cross_entropy(batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        alpha = settings.mixup
        share = float(rng.beta(alpha, alpha)) if alpha > 0 else 1.0
        partners = rng.permutation(batch)
        mixed = share * fetch(batch) + (1 - share) * fetch(partners)
        _, logits = tail(tensor(mixed.astype(np.float32)))
        return mixed_cross_entropy(
            logits, tensor(labels[batch]), tensor(labels[partners]), share
        )

    return latents_of, cross_entropy


def _balanced(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chance of each labelled image, so that every class is seen equally often."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    chances: NDArray[np.float64] = (1 / counts / len(counts))[classes]
    return chances


def _classes(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    if probabilities.shape[1] == 0:
        return np.full(len(probabilities), -1, np.int64)
    classes: NDArray[np.int64] = probabilities.argmax(axis=1)
    return classes


def measured_split(dataset: ImageDataset, labels: NDArray[np.int64]) -> Split:
    """Choose the images that measure: test, or validation where none is labelled."""
    has_test = ((dataset.split == Split.TEST) & (labels >= 0)).any()
    return Split.TEST if has_test else Split.VALIDATION


def _evidence(
    job: Retrain, predicted: dict[str, NDArray[np.int64]], after: Predictions
) -> Evidence:
    dataset, tags = job.dataset, job.anchors.tags
    part = measured_split(dataset, job.labels)
    held_out = np.flatnonzero((dataset.split == part) & (job.labels >= 0))
    old = job.predictions.latents
    untouched = np.ones(len(dataset), bool)
    untouched[job.anchors.indices] = False
    moved = np.linalg.norm(after.latents - old, axis=1)[untouched]
    size = np.linalg.norm(old, axis=1)[untouched]
    tagged = tags >= 0
    return gather_evidence(
        measured_on=part.name.lower(),
        held_out=held_out,
        truth=job.labels[held_out],
        class_names=job.class_names,
        predicted=predicted,
        drift=float(moved.mean() / max(size.mean(), 1e-12)) if len(moved) else 0.0,
        edited=job.anchors.indices[tagged],
        tags=tags[tagged],
    )
