"""Training on labelled images."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs import enough
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import array_limit
from napari_spaceediting.network.activations import Fetch, tail_inputs
from napari_spaceediting.network.augment import shift_and_scale
from napari_spaceediting.network.classifier import LatentClassifier, state_of
from napari_spaceediting.network.device import (
    describe_device,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.learnable import labelled_images
from napari_spaceediting.network.margins import leads
from napari_spaceediting.network.spec import EpochLog, TrainResult, TrainSettings

_MIN_STEPS = 10
"""Steps in an epoch at least, so that a few labels train a network too."""

_READ_BLOCK = 256

Reader = Callable[[NDArray[np.intp]], Tensor]
"""From places in a list of images to their inputs, on the device."""


def train(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    settings: TrainSettings | None = None,
) -> Generator[Progress, None, TrainResult]:
    """Train on the labelled training images of a data set.

    Minimises the cross-entropy, with soft labels where there are some, by AdamW
    (Loshchilov & Hutter 2019) with a learning rate that falls as half a cosine. After
    each epoch the labelled validation images are classified; the weights of the epoch
    with the best accuracy (of equal ones, the lowest loss) are kept, and training stops
    after `settings.patience` epochs without a better one. Without validation images all
    epochs are run and the last weights are kept. Images without a label, and test
    images, are not looked at.

    Parameters
    ----------
    classifier : LatentClassifier
        Trained in place, and moved to the device.
    dataset : ImageDataset
        N images.
    settings : TrainSettings, optional

    It ends sooner, after a batch, when that is `enough`.

    Yields
    ------
    Progress
        In steps, after each batch, with the mean "loss" of the epoch so far and the
        "validation_accuracy" of the last finished epoch.

    Raises
    ------
    TrainingFailed
        If fewer than two classes have labelled training images, the loss is not a
        number, or torch cannot run the network.
    DataError
        If an image cannot be read.
    """
    settings = TrainSettings() if settings is None else settings
    started = time.perf_counter()
    train_at = labelled_images(dataset)
    valid_at = np.flatnonzero(dataset.is_labelled & (dataset.split == Split.VALIDATION))
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # dropout
        fetch = yield from tail_inputs(
            classifier,
            dataset,
            settings.trainable,
            device=settings.device,
            batch_size=settings.batch_size,
        )
        with torch_errors_in_words():
            classifier.to(device)
            inputs = yield from reader(fetch, train_at, device)
            valid_inputs = yield from reader(fetch, valid_at, device)
            history, best_epoch, seen = yield from _fit(
                classifier,
                settings,
                inputs,
                torch.from_numpy(dataset.labels[train_at]).to(device),
                _wanted(dataset, train_at).to(device),
                valid_inputs,
                torch.from_numpy(dataset.labels[valid_at]).to(device),
            )
    margins = np.full(len(dataset), np.nan, np.float32)
    margins[train_at] = seen
    return TrainResult(
        state=state_of(classifier),
        history=tuple(history),
        best_epoch=best_epoch,
        margins=margins,
        device=describe_device(device),
        seconds=time.perf_counter() - started,
    )


def _wanted(dataset: ImageDataset, at: NDArray[np.int64]) -> Tensor:
    """Return what images are learnt as: their labels, or probabilities of classes."""
    soft = dataset.soft_labels is not None
    return torch.from_numpy(dataset.classes(at) if soft else dataset.labels[at])


def _fit(
    classifier: LatentClassifier,
    settings: TrainSettings,
    inputs: Reader,
    labels: Tensor,
    wanted: Tensor,
    valid_inputs: Reader,
    valid_labels: Tensor,
) -> Generator[Progress, None, tuple[list[EpochLog], int, NDArray[np.float32]]]:
    """Train; leave the best weights, and return epochs, the best of them, margins."""
    tail = classifier.tail(settings.trainable)
    n = len(labels)
    batch_size, n_steps = epoch_plan(n, settings.batch_size)
    total = settings.epochs * n_steps
    step = descent(tail.parameters(), settings, total)
    weights = None
    if settings.class_weights:
        counts = torch.bincount(labels, minlength=classifier.spec.n_classes)
        # A class without images has no term in the loss, whatever its weight.
        weights = n / ((counts > 0).sum() * counts.clamp(min=1))
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    margin_sum, times_seen = np.zeros(n), np.zeros(n)
    metrics: dict[str, float] = {}
    accuracy = valid_loss = math.nan
    history: list[EpochLog] = []
    best_epoch, best = 0, (-math.inf, -math.inf)
    best_weights: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        message = f"Epoch {epoch + 1} of {settings.epochs}"
        losses: list[float] = []
        classifier.eval()
        tail.train()
        for at in shuffled_batches(n, batch_size, n_steps, rng):
            rows = torch.from_numpy(at).to(labels.device)
            given = labels[rows]
            batch = inputs(at)
            if settings.augment and settings.trainable == "all":
                batch = shift_and_scale(batch, generator)
            _, logits = tail(batch)
            loss = F.cross_entropy(logits, wanted[rows], weights)
            losses.append(step(loss))
            # An image may be in a small batch more than once.
            np.add.at(margin_sum, at, _margins(logits.detach(), given))
            np.add.at(times_seen, at, 1)
            metrics["loss"] = float(np.mean(losses))
            done = epoch * n_steps + len(losses)
            yield Progress(done, total, message, dict(metrics))
            if enough.is_wanted():
                break
        tail.eval()
        sums = np.zeros(2)
        for block in _blocks(len(valid_labels), settings.batch_size):
            its_labels = valid_labels[block[0] : block[-1] + 1]
            sums += _judge(tail, valid_inputs(block), its_labels)
            yield Progress(done, total, message, dict(metrics))
        if len(valid_labels):
            accuracy, valid_loss = (sums / len(valid_labels)).tolist()
            metrics["validation_accuracy"] = accuracy
            yield Progress(done, total, message, dict(metrics))
        history.append(EpochLog(epoch, metrics["loss"], accuracy))
        if math.isnan(accuracy):
            best_epoch = epoch
        elif (accuracy, -valid_loss) > best:
            best, best_epoch = (accuracy, -valid_loss), epoch
            best_weights = {k: v.clone() for k, v in tail.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break
        if enough.is_wanted():
            break
    if best_weights:
        tail.load_state_dict(best_weights)
    classifier.eval()
    margins = (margin_sum / np.maximum(times_seen, 1)).astype(np.float32)
    return history, best_epoch, margins


def descent(
    parameters: Iterable[nn.Parameter], settings: TrainSettings, n_steps: int
) -> Callable[[Tensor], float]:
    """Return what makes a step of AdamW down a loss, whose value it returns.

    The learning rate falls as half a cosine, over `n_steps`. A loss that is no number
    raises `TrainingFailed`.
    """
    optimiser = torch.optim.AdamW(
        parameters, settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)

    def step(loss: Tensor) -> float:
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingFailed(
                "The loss is not a number any more: lower the learning rate, or check "
                "the images for values that are not finite."
            )
        return value

    return step


def epoch_plan(n: int, batch_size: int) -> tuple[int, int]:
    """Return the batch size and the number of steps in an epoch of n images."""
    batch_size = min(batch_size, n)
    return batch_size, max(_MIN_STEPS, math.ceil(n / batch_size))


def shuffled_batches(
    n: int, batch_size: int, n_steps: int, rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Return the batches of one epoch: places of images among n, in random order.

    Each image comes once; several times where there are too few for all steps.
    """
    rounds = max(1, n_steps * batch_size // n)
    order = np.concatenate([rng.permutation(n) for _ in range(rounds)])
    return np.array_split(order, n_steps)


def reader(
    fetch: Fetch,
    indices: NDArray[np.intp],
    device: torch.device,
) -> Generator[Progress, None, Reader]:
    """Return a reader of those images' inputs, read ahead if they are not too many."""
    nbytes = fetch(indices[:1]).nbytes * len(indices)
    if nbytes > array_limit():
        return lambda at: torch.from_numpy(np.array(fetch(indices[at]))).to(device)
    parts = []
    for block in _blocks(len(indices), _READ_BLOCK):
        parts.append(torch.from_numpy(np.array(fetch(indices[block]))).to(device))
        yield Progress(int(block[-1]) + 1, len(indices), "Read the images")
    inputs = torch.cat(parts) if parts else torch.empty(0, device=device)
    return lambda at: inputs[torch.from_numpy(at).to(device)]


def _blocks(n: int, size: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


@torch.no_grad()
def _judge(tail: nn.Module, inputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Return the number of right answers and the summed loss."""
    _, logits = tail(inputs)
    right = (logits.argmax(dim=1) == labels).sum().item()
    return np.array([right, F.cross_entropy(logits, labels, reduction="sum").item()])


def _margins(logits: Tensor, labels: Tensor) -> NDArray[np.float32]:
    """Return the given class's probability less the largest other one.

    Pleiss et al. (2020) take logits. These have no bounds, so that late epochs
    outweigh all others where a network fits its labels fast.
    """
    return leads(logits.softmax(dim=1).cpu().numpy(), labels.cpu().numpy())
