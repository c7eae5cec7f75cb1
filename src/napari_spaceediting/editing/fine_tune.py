"""Fine-tuning with the editing loss."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_spaceediting.editing.arms import Lesson
from napari_spaceediting.editing.objectives import EditingLoss, total_variance
from napari_spaceediting.editing.settings import (
    RetrainSettings,
    Weights,
    weights_for,
)
from napari_spaceediting.editing.targets import Targets
from napari_spaceediting.editing.task import Task
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import Fetch, tail_inputs
from napari_spaceediting.network.classifier import (
    LatentClassifier,
    classifier_from,
)
from napari_spaceediting.network.device import (
    pick_device,
    tensor_on,
    torch_errors_in_words,
)
from napari_spaceediting.network.processes import processes
from napari_spaceediting.network.standardise import feature_sample, standardised
from napari_spaceediting.network.training import rows_that_fit


def fine_tune(
    task: Task,
    lesson: Lesson,
    seed: int,
    start: LatentClassifier | None = None,
    old: NDArray[np.float32] | None = None,
) -> Generator[Progress, None, LatentClassifier]:
    """Train the network of a round on from where it is.

    Parameters
    ----------
    start : LatentClassifier, optional
        Trained in place; by default the network before the round, with as many classes
        as the lesson has.
    old : (N, D) float32 array, optional
        Latents of `start`; by default those before the round.

    Yields
    ------
    Progress
        In steps, with the "loss" of each.

    Raises
    ------
    TrainingFailed
        If the loss is not finite, or torch fails.
    """
    settings = task.settings
    training = task.training
    untouched = training
    if lesson.anchors is not None:
        untouched = training & ~lesson.anchors.mask(len(training))
    old = task.predictions.latents if old is None else old
    device = pick_device(settings.device)
    editing = EditingLoss(
        old=old,
        anchors=lesson.anchors,
        untouched=np.flatnonzero(untouched),
        variance=total_variance(torch.as_tensor(old[training], device=device)),
        weights=weights_for(settings, task.labelled_share),
        batch_size=settings.edit_batch_size,
        device=device,
    )
    with torch_errors_in_words(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout
        if start is None:
            spec = replace(task.spec, n_classes=lesson.n_classes)
            start = classifier_from(spec, task.state, seed=seed)
        yield from _fit(task, start, lesson.targets, editing, seed)
    if settings.trainable != "head":
        start.spec = replace(start.spec, knows_labels=True)
    return start


def _fit(
    task: Task,
    classifier: LatentClassifier,
    targets: Targets,
    editing: EditingLoss,
    seed: int,
) -> Generator[Progress, None, None]:
    """Minimise cross-entropy and editing loss; the averaged weights are kept."""
    settings, device = task.settings, editing.device
    classifier.to(device)
    fetch = yield from tail_inputs(
        classifier,
        task.dataset,
        settings.trainable,
        device=settings.device,
    )
    training = np.flatnonzero(task.training)
    conditioned: AbstractContextManager[None] = nullcontext()
    if classifier.kernel is None:
        conditioned = standardised(
            classifier,
            feature_sample(classifier, fetch, settings.trainable, training, device),
        )
    with conditioned, processes().one_batch(classifier):
        tail = classifier.tail(settings.trainable)
        some = tensor_on(device, fetch(targets.indices[:2]))
        wanted = settings.batch_size + 2 * settings.edit_batch_size
        share = min(1, rows_that_fit(tail, some) / wanted)
        n, n_edited = (
            max(2, int(share * size))
            for size in (settings.batch_size, settings.edit_batch_size)
        )
        settings = replace(settings, batch_size=n)
        editing = replace(editing, batch_size=n_edited)
        losses = _losses(tail, fetch, targets, editing, settings, seed)
        yield from _descend(tail, losses, settings, editing.weights)
    classifier.eval()


def _losses(
    tail: nn.Module,
    fetch: Fetch,
    targets: Targets,
    editing: EditingLoss,
    settings: RetrainSettings,
    seed: int,
) -> Iterator[Tensor]:
    """Draw one batch after the other; yield its loss."""
    crew, device, rng = processes(), editing.device, np.random.default_rng(seed)
    chances = targets.chances()

    def latents_of(indices: NDArray[np.int64]) -> Tensor:
        n = len(indices)
        latents, _ = tail(tensor_on(device, fetch(indices[crew.share(n)])))
        return crew.gathered(latents, n)

    while True:
        n = settings.batch_size
        rows = rng.choice(len(targets), n, p=chances)
        mixed, classes = _mixed(
            fetch, targets, rows, settings.mixup, rng, crew.share(n)
        )
        logits = crew.gathered(tail(tensor_on(device, mixed))[1], n)
        loss = F.cross_entropy(logits, tensor_on(device, classes))
        yield sum(editing.terms(latents_of, rng), start=loss)


def _descend(
    tail: nn.Module,
    losses: Iterator[Tensor],
    settings: RetrainSettings,
    weights: Weights,
) -> Generator[Progress, None, None]:
    """Take a step down each loss; leave the average of all weights."""
    crew = processes()
    optimiser = torch.optim.AdamW(
        tail.parameters(), weights.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = OneCycleLR(optimiser, weights.learning_rate, total_steps=settings.steps)
    ema = get_ema_multi_avg_fn(weights.averaging)  # type: ignore[no-untyped-call]
    average = AveragedModel(tail, multi_avg_fn=ema)
    tail.train()
    for step, loss in zip(range(settings.steps), losses, strict=False):
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss is no longer a number at step {step + 1}: lower the "
                "learning rate, or look for odd images among the edited ones."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        crew.sum_gradients(tail.parameters())
        optimiser.step()
        schedule.step()
        average.update_parameters(tail)
        figures = {"loss": float(loss.detach())}
        yield Progress(step + 1, settings.steps, "Training", figures)
    tail.load_state_dict(average.module.state_dict())


def _mixed(
    fetch: Fetch,
    targets: Targets,
    rows: NDArray[np.int64],
    alpha: float,
    rng: np.random.Generator,
    part: slice = slice(None),
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mix images, and what they are believed to be, in pairs (Zhang et al. 2018).

    Of the images a part of the rows is returned, of the beliefs all.
    """
    share = np.float32(rng.beta(alpha, alpha) if alpha > 0 else 1)
    partners = rng.permutation(rows)
    one, other = (fetch(targets.indices[at[part]]) for at in (rows, partners))
    classes = share * targets.classes[rows] + (1 - share) * targets.classes[partners]
    return share * one + (1 - share) * other, classes
