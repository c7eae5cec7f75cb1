"""Training on labelled images."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
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
from napari_spaceediting.network.kernel_ridge import fit, roots
from napari_spaceediting.network.learnable import labelled_images
from napari_spaceediting.network.spec import (
    EpochLog,
    TrainResult,
    TrainSettings,
    usually_trains,
)

_MIN_STEPS = 10
"""Steps in an epoch at least, so that a few labels train a network too."""

_READ_BLOCK = 256

_EARLY = 5
"""Epochs after which a network that starts from nothing tells images apart, and knows
few labels by heart (Arpit et al., ICML 2017)."""

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
    epochs are run and the last weights are kept; it ends sooner, after a batch, when
    that is `enough`. Images without a label, and test images, are not looked at.

    In the end a network knows its labels by heart, also the wrong ones. What the others
    say of each label, its margin, is therefore asked of features that have not learnt
    it: those before the training, or early ones where the backbone starts from nothing.

    Parameters
    ----------
    classifier : LatentClassifier
        Trained in place, and moved to the device.
    dataset : ImageDataset
        N images.

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
            known = yield from _images(fetch, dataset, train_at, device)
            valid = yield from _images(fetch, dataset, valid_at, device)
            history, best_epoch, seen = yield from _fit(
                classifier, settings, known, valid
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


@dataclass(frozen=True)
class _Images:
    """Images to learn from or to judge by, with their labels on the device."""

    inputs: Reader
    labels: Tensor
    classes: Tensor
    """What they are learnt as: their labels, or probabilities of classes."""

    def __len__(self) -> int:
        return len(self.labels)


def _images(
    fetch: Fetch, dataset: ImageDataset, at: NDArray[np.intp], device: torch.device
) -> Generator[Progress, None, _Images]:
    inputs = yield from reader(fetch, at, device)
    soft = dataset.soft_labels is not None
    wanted = dataset.classes(at) if soft else dataset.labels[at]
    labels, classes = (
        torch.from_numpy(x).to(device) for x in (dataset.labels[at], wanted)
    )
    return _Images(inputs, labels, classes)


class _Training:
    """The end of a network on its way through the epochs."""

    def __init__(
        self, classifier: LatentClassifier, settings: TrainSettings, known: _Images
    ) -> None:
        self.tail = classifier.tail(settings.trainable)
        self._classifier, self._settings, self._known = classifier, settings, known
        some = known.inputs(np.arange(min(2, len(known))))
        self._plan = plan_that_fits(self.tail, some, len(known), settings.batch_size)
        self.total = settings.epochs * self._plan[1]
        self.done, self.metrics = 0, dict[str, float]()
        self._step = descent(self.tail.parameters(), settings, self.total)
        self._rng = np.random.default_rng(settings.seed)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._weights = None
        if settings.class_weights:
            n_classes = classifier.spec.n_classes
            counts = torch.bincount(known.labels, minlength=n_classes)
            # A class without images has no term in the loss, whatever its weight.
            self._weights = len(known) / ((counts > 0).sum() * counts.clamp(min=1))

    def epoch(self, number: int) -> Generator[Progress, None, float]:
        """Learn every image; return the mean loss."""
        settings, losses = self._settings, list[float]()
        self._classifier.eval()
        self.tail.train()
        for at in shuffled_batches(len(self._known), *self._plan, self._rng):
            rows = torch.from_numpy(at).to(self._known.labels.device)
            batch = self._known.inputs(at)
            if settings.augment and settings.trainable == "all":
                batch = shift_and_scale(batch, self._generator)
            _, logits = self.tail(batch)
            loss = F.cross_entropy(logits, self._known.classes[rows], self._weights)
            losses.append(self._step(loss))
            self.metrics["loss"] = float(np.mean(losses))
            self.done += 1
            yield self.progress(number)
            if enough.is_wanted():
                break
        return self.metrics["loss"]

    def progress(self, number: int) -> Progress:
        """Return how far it is, in an epoch from 0 on."""
        message = f"Epoch {number + 1} of {self._settings.epochs}"
        return Progress(self.done, self.total, message, dict(self.metrics))

    @torch.no_grad()
    def judge(
        self, valid: _Images, number: int
    ) -> Generator[Progress, None, tuple[float, float]]:
        """Return the accuracy on other images and their mean loss; NaN without any."""
        if not len(valid):
            return math.nan, math.nan
        self.tail.eval()
        right = loss = 0.0
        for block in _blocks(len(valid), self._settings.batch_size):
            labels = valid.labels[block[0] : block[-1] + 1]
            _, logits = self.tail(valid.inputs(block))
            right += (logits.argmax(dim=1) == labels).sum().item()
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            yield self.progress(number)
        self.metrics["validation_accuracy"] = right / len(valid)
        yield self.progress(number)
        return right / len(valid), loss / len(valid)

    @torch.no_grad()
    def margins(self) -> Generator[Progress, None, NDArray[np.float32]]:
        """Return by how much the others speak for the label of each image."""
        self.tail.eval()
        rooted = []
        for block in _blocks(len(self._known), self._settings.batch_size):
            features = self.tail.features(self._known.inputs(block))
            rooted.append(roots(features).cpu().numpy())
            yield Progress(
                self.done, self.total, "Comparing labels", dict(self.metrics)
            )
        labels, classes = (x.cpu() for x in (self._known.labels, self._known.classes))
        if classes.ndim == 1:
            classes = F.one_hot(classes, self._classifier.spec.n_classes).float()
        counting = np.ones(len(labels), np.float32)
        fitted = fit(np.concatenate(rooted), classes.numpy(), counting)
        return fitted.left_out.margins(labels.numpy())


def _fit(
    classifier: LatentClassifier,
    settings: TrainSettings,
    known: _Images,
    valid: _Images,
) -> Generator[Progress, None, tuple[list[EpochLog], int, NDArray[np.float32]]]:
    """Train; leave the best weights, and return epochs, the best of them, margins."""
    training = _Training(classifier, settings, known)
    early = 0 if usually_trains(classifier.spec) == "head" else _EARLY
    margins: NDArray[np.float32] | None = None
    history: list[EpochLog] = []
    best_epoch, best = 0, (-math.inf, -math.inf)
    best_weights: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        if epoch == early:
            margins = yield from training.margins()
        mean_loss = yield from training.epoch(epoch)
        accuracy, loss = yield from training.judge(valid, epoch)
        history.append(EpochLog(epoch, mean_loss, accuracy))
        if math.isnan(accuracy):
            best_epoch = epoch
        elif (accuracy, -loss) > best:
            best, best_epoch = (accuracy, -loss), epoch
            weights = training.tail.state_dict()
            best_weights = {name: value.clone() for name, value in weights.items()}
        elif epoch - best_epoch >= settings.patience:
            break
        if enough.is_wanted():
            break
    if margins is None:
        margins = yield from training.margins()
    if best_weights:
        training.tail.load_state_dict(best_weights)
    classifier.eval()
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


def rows_that_fit(tail: nn.Module, rows: Tensor) -> int:
    """Return how many rows a network may learn from at once, at least 2.

    What it keeps of them for the way back may take as much as one array (`memory`).
    The memory of a graphics card is its own affair.

    Parameters
    ----------
    tail : Module
        What learns; left in evaluation mode.
    rows : (n, ...) tensor
        A few rows of its input, by which it is measured.
    """
    if rows.device.type != "cpu":
        return sys.maxsize
    own = {weights.untyped_storage().data_ptr() for weights in tail.parameters()}
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tail.eval()
    with saved_tensors_hooks(count, lambda tensor: tensor):
        tail(rows)
    return max(2, array_limit() * len(rows) // max(sum(kept.values()), 1))


def plan_that_fits(
    tail: nn.Module, rows: Tensor, n: int, batch_size: int, views: int = 1
) -> tuple[int, int]:
    """Return `epoch_plan` with batches that fit, see `rows_that_fit`.

    Of each image so many `views` are learnt from at once.
    """
    fitting = max(rows_that_fit(tail, rows) // views, 2)
    return epoch_plan(n, min(batch_size, fitting))


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
