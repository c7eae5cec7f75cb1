"""Latents for images of which none is labelled."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs import enough
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import tail_inputs
from napari_spaceediting.network.augment import erase, jitter, shift_and_scale
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import (
    mixed_precision,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.learnable import training_images
from napari_spaceediting.network.spec import EpochLog, TrainSettings
from napari_spaceediting.network.training import (
    descent,
    plan_that_fits,
    reader,
    shuffled_batches,
)

VIEWS = 2
"""Of each image, that are compared."""
_PROJECTION = 64
"""Width of the outputs that are compared; only the features below them are kept."""


def learn_features(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    settings: TrainSettings | None = None,
) -> Generator[Progress, None, list[EpochLog]]:
    """Learn features from the training images alone.

    SimCLR (Chen et al. 2020): two random views of an image shall be nearer to each
    other than to views of other images, by the NT-Xent loss.

    Parameters
    ----------
    classifier : LatentClassifier
        Trained in place, all of its backbone, and moved to the device.
    dataset : ImageDataset
        N images; held-out images are not learnt from.
    settings : TrainSettings, optional
        All epochs are run, unless fewer are `enough`: there is nothing else to stop
        early by.

    Yields
    ------
    Progress
        In steps, with the mean "loss" of the epoch so far.

    Raises
    ------
    TrainingFailed
        If there are fewer than two training images, the loss is not a number, or
        torch cannot run the network.
    DataError
        If an image cannot be read.
    """
    settings = TrainSettings() if settings is None else settings
    train_at = training_images(dataset)
    n = len(train_at)
    device = pick_device(settings.device)
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    history = []
    with torch.random.fork_rng(devices=[]), torch_errors_in_words():
        torch.manual_seed(settings.seed)
        backbone = classifier.to(device).backbone
        fetch = yield from tail_inputs(classifier, dataset, "all")
        inputs = yield from reader(fetch, train_at, device)
        batch_size, n_steps = plan_that_fits(
            backbone, inputs(np.arange(2)), n, settings.batch_size, VIEWS
        )
        total = settings.epochs * n_steps
        backbone.train()
        projection = nn.Sequential(
            nn.Linear(backbone.n_features, backbone.n_features),
            nn.ReLU(),
            nn.Linear(backbone.n_features, _PROJECTION),
        ).to(device)
        parameters = [*backbone.parameters(), *projection.parameters()]
        step = descent(parameters, settings, total)
        for epoch in range(settings.epochs):
            losses: list[float] = []
            for at in shuffled_batches(n, batch_size, n_steps, rng):
                images = inputs(at)
                views = [_view(images, generator) for _ in range(VIEWS)]
                with mixed_precision(device):
                    features = [backbone(view).float() for view in views]
                losses.append(step(nt_xent(*map(projection, features))))
                yield Progress(
                    epoch * n_steps + len(losses),
                    total,
                    f"Epoch {epoch + 1} of {settings.epochs}, without labels",
                    {"loss": float(np.mean(losses))},
                )
                if enough.is_wanted():
                    break
            history.append(EpochLog(epoch, float(np.mean(losses)), float("nan")))
            if enough.is_wanted():
                break
    return history


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.2) -> Tensor:
    """Return the NT-Xent loss (Chen et al. 2020) of two views of the same images.

    Each view shall find the other one of its image among all views by their cosine
    similarity. Its cost is that of one matrix product; pytorch-metric-learning's,
    which lists all negatives of each pair, grows with the cube of the batch.

    Parameters
    ----------
    first, second : (n, P) tensors
        Row by row of the same image.
    temperature : float
        Similarities are divided by it.
    """
    views = F.normalize(torch.cat([first, second]))
    similarity = (views @ views.T / temperature).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return F.cross_entropy(similarity, partner)


def _view(images: Tensor, generator: torch.Generator) -> Tensor:
    moved = shift_and_scale(
        images, generator, shift=0.15, scale=(0.6, 1.1), rotation=15.0
    )
    return erase(jitter(moved, generator), generator)
