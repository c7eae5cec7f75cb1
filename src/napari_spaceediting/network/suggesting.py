"""Which network to begin with, and why: the same for the window and the terminal."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    LARGEST_FROM_SCRATCH,
    PUBLISHED,
    PUBLISHED_BACKBONES,
    SELF_SUPERVISED,
    ClassifierSpec,
    TrainSettings,
    seen_size,
)

_TIMED = 32
"""Images with which it is timed how long a training takes."""
_WHY = {
    SELF_SUPERVISED: "It has learnt from 142 million photographs without any labels, "
    "and its features suit most photographs.",
    "resnet18": "It has learnt from a million photographs; a small one that is quick.",
}


@dataclass(frozen=True)
class Suggestion:
    """A network to begin with.

    Parameters
    ----------
    spec : ClassifierSpec
        The network, but for what follows from the data set.
    why : str
        One or two sentences.
    is_quick : bool
        Whether it needs nothing from elsewhere and trains in a minute or so.
    """

    spec: ClassifierSpec
    why: str
    is_quick: bool = False


def suggested_at_once(dataset: ImageDataset) -> Suggestion | None:
    """Return what to begin with where nothing needs to be looked for, else None."""
    if dataset.features is not None:
        return Suggestion(
            ClassifierSpec(EMBEDDINGS),
            "The embeddings that came with the data are its features.",
            is_quick=True,
        )
    if max(dataset.image_size) <= LARGEST_FROM_SCRATCH:
        return Suggestion(
            ClassifierSpec(),
            f"Images of up to {LARGEST_FROM_SCRATCH} px teach a small network quickly.",
            is_quick=True,
        )
    return None


@dataclass(frozen=True, eq=False)
class Suggest:
    """Look for a network to begin with: one that is in reach.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    settings : TrainSettings
        How a small network would train, where there is no other.
    """

    name: ClassVar[str] = "Look for networks"

    dataset: ImageDataset = field(repr=False)
    settings: TrainSettings = field(default_factory=TrainSettings)

    def run(self) -> Generator[Progress, None, Suggestion]:
        """Look for it.

        Returns
        -------
        Suggestion
            For photographs a self-supervised transformer before a classifier, and
            whatever was fetched before where the network cannot be reached; else a
            small network for copies of the images, with the time that it takes here.

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        found = suggested_at_once(self.dataset)
        if found is not None:
            return found
        yield Progress(0, 0, "Looking for networks that are in reach")
        from napari_spaceediting.network.reach import (
            cached_weights,
            has_timm,
            is_in_reach,
        )

        wanted = [SELF_SUPERVISED] * has_timm() + ["resnet18"]
        for backbone in wanted:
            if is_in_reach(backbone):
                return _published(backbone, _WHY[backbone])
        for backbone in PUBLISHED_BACKBONES:
            if cached_weights(backbone) is not None:
                why = "The network cannot be reached; this one was fetched before."
                return _published(backbone, why)
        yield Progress(0, 0, "Timing a small network")
        return self._from_scratch()

    def _from_scratch(self) -> Suggestion:
        seconds = _seconds(self.dataset, self.settings)
        takes = (
            "a minute or less"
            if seconds < 60
            else f"{round(seconds / 60):,} min at most"
        )
        return Suggestion(
            ClassifierSpec(),
            "No published network is in reach. A small one can learn from copies of "
            f"{LARGEST_FROM_SCRATCH} px, which takes {takes} here; weights in a file, "
            "or an exported network, need no connection and know more.",
            is_quick=seconds < 60,
        )


def _published(backbone: str, why: str) -> Suggestion:
    return Suggestion(ClassifierSpec(backbone, PUBLISHED), why)


def _seconds(dataset: ImageDataset, settings: TrainSettings) -> float:
    """Return about how long a small network trains at most, from scratch."""
    from napari_spaceediting.network.classifier import classifier_from
    from napari_spaceediting.network.device import pick_device
    from napari_spaceediting.network.training import epoch_plan

    some = np.linspace(0, len(dataset) - 1, min(len(dataset), _TIMED), dtype=np.intp)
    started = time.perf_counter()
    images = dataset.images(some)
    reading = (time.perf_counter() - started) / len(some)
    spec = replace(
        ClassifierSpec(),
        n_classes=max(dataset.n_classes, 2),
        in_channels=dataset.n_channels,
        image_size=seen_size("small_cnn", dataset.image_size),
    )
    device = pick_device(settings.device)
    classifier = classifier_from(spec).to(device).train()
    import torch

    batch = torch.from_numpy(images).to(device)
    for _ in range(2):  # the first one prepares
        started = time.perf_counter()
        classifier(batch)[1].square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        step = (time.perf_counter() - started) / len(some)
    labelled = dataset.is_labelled & (dataset.split == Split.TRAIN)
    n_learnt = int(labelled.sum()) or int((dataset.split == Split.TRAIN).sum())
    batch_size, n_steps = epoch_plan(n_learnt, settings.batch_size)
    # Forward alone takes about a third.
    judged = int((dataset.split == Split.VALIDATION).sum()) / 3
    passes = settings.epochs * (batch_size * n_steps + judged) + len(dataset) / 3
    return reading * len(dataset) + step * passes
