"""How long a training takes on this machine, measured with a few of its images."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.pixels import files_of
from napari_spaceediting.jobs.job import Progress, in_words
from napari_spaceediting.network.learnable import has_classes, what_trains
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings

if TYPE_CHECKING:
    import torch

LONG = 120.0
"""Seconds from which on it is asked or said before a training begins."""
_SAMPLE_SECONDS, _FEWEST = 60.0, 1_000
_TIMED = 32
"""Images at most with which it is timed."""
_ENOUGH = 0.2
"""Seconds that tell how long an image takes."""
_WITHOUT_LABELS = 4
"""Times as long that a step takes at most where there is no label: there are two views
of each image, which are made anew."""


@dataclass(frozen=True)
class Duration:
    """About how long a training takes, and why.

    Parameters
    ----------
    seconds : float
        At most; it ends sooner where more epochs do not help.
    what : str
        What it does and how long that takes for an image, in a sentence.
    depends : str
        What it depends on, in a sentence.
    """

    seconds: float
    what: str
    depends: str

    @property
    def is_long(self) -> bool:
        """Whether it takes more than two minutes."""
        return self.seconds > LONG

    def __str__(self) -> str:
        """Return all of it in words."""
        return f"This takes {in_words(self.seconds)}. {self.what} {self.depends}"


@dataclass(frozen=True, eq=False)
class HowLong:
    """Job: find out how long a training takes here; features that are kept count not.

    Parameters
    ----------
    spec : ClassifierSpec
        The network, filled in for them.
    n_seen : int or None
        Images that are learnt from, each as often as it is seen; None for those of
        all epochs.
    """

    name: ClassVar[str] = "Work out how long it takes"

    dataset: ImageDataset = field(repr=False)
    spec: ClassifierSpec
    settings: TrainSettings
    n_seen: int | None = None

    def run(self) -> Generator[Progress, None, Duration]:
        """Run a few images through the network.

        Raises
        ------
        SpaceEditingError
            If the network cannot be had.
        DataError
            If an image cannot be read.
        """
        yield Progress(0, 0, "Timing the network on a few images")
        return _duration(self.dataset, self.spec, self.settings, self.n_seen)


def sample_size(n_images: int, seconds: float) -> int:
    """Return how many images train in about a minute, in thousands; 0 if that is most.

    Parameters
    ----------
    n_images : int
        Images of which it is known how long all take.
    seconds : float
        That they take.
    """
    thousands = int(n_images * _SAMPLE_SECONDS / max(seconds, 1e-9)) // _FEWEST
    size = max(thousands, 1) * _FEWEST
    return size if 2 * size <= n_images else 0


def sample(dataset: ImageDataset, size: int, seed: int) -> ImageDataset:
    """Return some images of a data set at random, in its order; its name says so."""
    rng, n = np.random.default_rng(seed), len(dataset)
    some = dataset.subset(np.sort(rng.choice(n, size, replace=False)))
    # Only files can be told from those that are there already.
    how = "adding the same images brings" if files_of(some.pixels) else "opening brings"
    note = f"These are {size:,} of {n:,} images, at random: {how} the others."
    return replace(
        some, name=f"{size:,} of {dataset.name}", notes=(*dataset.notes, note)
    )


def _duration(
    dataset: ImageDataset,
    spec: ClassifierSpec,
    settings: TrainSettings,
    n_seen: int | None,
) -> Duration:
    import torch

    from napari_spaceediting.network.activations import n_unfinished
    from napari_spaceediting.network.classifier import classifier_from
    from napari_spaceediting.network.device import describe_device, pick_device

    trains = what_trains(dataset, spec, settings)
    if not spec.sees_images:
        return Duration(0, "The features are there already.", "")
    device = pick_device(settings.device)
    classifier = classifier_from(spec).to(device)
    frozen: Literal["head", "last_block"] = "head" if trains == "head" else "last_block"
    n = len(dataset)
    unread = n if trains == "all" else n_unfinished(classifier, dataset, frozen)
    some = np.linspace(0, n - 1, min(n, _TIMED), dtype=np.intp)
    body = classifier.body(frozen)
    started = time.perf_counter()
    images = torch.from_numpy(dataset.images(some)).to(device)
    reading = (time.perf_counter() - started) / len(some)
    reading += _per_image(lambda at: _forward(body, images[at]), len(some), device)
    seconds, where = unread * reading, describe_device(device)
    if trains == "head":
        return Duration(
            seconds,
            f"{spec.backbone} reads {unread:,} images once, {_ms(reading)} each "
            f"on {where}; what is read stays, whatever is cancelled.",
            "It grows with the number of images, their size and the network.",
        )
    inputs = images if trains == "all" else _forward(body, images)
    tail = classifier.tail(trains).train()

    def step(at: slice) -> None:
        tail(inputs[at])[0].square().mean().backward()

    each = _per_image(step, len(some), device)
    if n_seen is not None:
        return Duration(
            seconds + each * n_seen,
            f"{spec.backbone} sees {n_seen:,} images, many of them several times, "
            f"{_ms(each)} each on {where}.",
            "It grows with what is compared, the size of the images and the network; "
            "where the head alone trains it takes seconds.",
        )
    n_learnt, passes = _passes(dataset, settings, tail, inputs[:2])
    views = 1 if has_classes(dataset) else _WITHOUT_LABELS
    return Duration(
        seconds + each * views * passes,
        f"{spec.backbone} learns from {n_learnt:,} images in up to "
        f"{settings.epochs} epochs, and looks at an image {passes:,.0f} times in all, "
        f"for {_ms(each * views)} each on {where}.",
        "It grows with the number of images, their size, the epochs and the network; "
        "one with weights whose head alone trains sees each image only once.",
    )


def _passes(
    dataset: ImageDataset,
    settings: TrainSettings,
    tail: torch.nn.Module,
    rows: torch.Tensor,
) -> tuple[int, float]:
    """Return how many images are learnt from, and how many looks they get in all."""
    from napari_spaceediting.network.self_supervised import VIEWS
    from napari_spaceediting.network.training import plan_that_fits

    with_labels = has_classes(dataset)
    known = dataset.is_labelled if with_labels else np.True_
    n_learnt = int((known & (dataset.split == Split.TRAIN)).sum())
    batch_size, n_steps = plan_that_fits(
        tail, rows, n_learnt, settings.batch_size, 1 if with_labels else VIEWS
    )
    # Forward alone takes about a third.
    judged = int((dataset.split == Split.VALIDATION).sum()) / 3 * with_labels
    return n_learnt, settings.epochs * (batch_size * n_steps + judged)


def _forward(body: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    import torch

    from napari_spaceediting.network.device import (
        mixed_precision,
        torch_errors_in_words,
    )

    with torch_errors_in_words(), torch.no_grad(), mixed_precision(images.device):
        found: torch.Tensor = body(images).float()
    return found


def _per_image(
    act: Callable[[slice], object], n_images: int, device: torch.device
) -> float:
    """Return the seconds that something takes for an image; n images are there."""
    import torch

    act(slice(0, min(2, n_images)))  # the first time prepares
    for n in (2, _TIMED):
        n = min(n, n_images)
        started = time.perf_counter()
        act(slice(0, n))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
        if seconds > _ENOUGH:
            break
    return seconds / n


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{1e3 * seconds:.0f} ms"
