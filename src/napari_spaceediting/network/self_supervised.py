"""Latents for images of which none is labelled."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import activations, tail_inputs
from napari_spaceediting.network.augment import erase, jitter, shift_and_scale
from napari_spaceediting.network.classifier import LatentClassifier, state_of
from napari_spaceediting.network.device import (
    describe_device,
    mixed_precision,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.spec import EpochLog, TrainResult, TrainSettings
from napari_spaceediting.network.training import (
    descent,
    epoch_plan,
    reader,
    shuffled_batches,
)

_PROJECTION = 64
"""Width of the outputs that are compared; only the features below them are kept."""

_PCA_IMAGES = 20_000


def train_without_labels(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    settings: TrainSettings | None = None,
) -> Generator[Progress, None, TrainResult]:
    """Learn features from the training images alone, then project them.

    SimCLR (Chen et al. 2020): two random views of an image shall be nearer to each
    other than to views of other images, by the NT-Xent loss. The embedding layer is
    then set by `embed_by_pca`.

    Parameters
    ----------
    classifier : LatentClassifier
        Trained in place, all of its backbone, and moved to the device.
    dataset : ImageDataset
        N images; held-out images are not learnt from.
    settings : TrainSettings, optional
        All epochs are run: there is nothing to stop early by.

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
    started = time.perf_counter()
    train_at = _training_images(dataset)
    n = len(train_at)
    device = pick_device(settings.device)
    batch_size, n_steps = epoch_plan(n, settings.batch_size)
    total = settings.epochs * n_steps
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    history = []
    with torch.random.fork_rng(devices=[]), torch_errors_in_words():
        torch.manual_seed(settings.seed)
        backbone = classifier.to(device).backbone.train()
        fetch = yield from tail_inputs(classifier, dataset, "all")
        inputs = yield from reader(fetch, train_at, device)
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
                views = [_view(images, generator) for _ in range(2)]
                with mixed_precision(device):
                    features = [backbone(view).float() for view in views]
                losses.append(step(nt_xent(*map(projection, features))))
                yield Progress(
                    epoch * n_steps + len(losses),
                    total,
                    f"Epoch {epoch + 1} of {settings.epochs}, without labels",
                    {"loss": float(np.mean(losses))},
                )
            history.append(EpochLog(epoch, float(np.mean(losses)), float("nan")))
    result = yield from project_features(classifier, dataset, device=settings.device)
    seconds = time.perf_counter() - started
    last = max(settings.epochs - 1, 0)
    return replace(result, history=tuple(history), best_epoch=last, seconds=seconds)


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


def project_features(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    *,
    device: str = "auto",
) -> Generator[Progress, None, TrainResult]:
    """Leave the backbone as it is, and set the embedding layer by `embed_by_pca`.

    Parameters
    ----------
    classifier : LatentClassifier
        Its embedding layer is changed in place.
    dataset : ImageDataset
        N images; the projection is that of the training images.
    device
        As for `activations`.

    Raises
    ------
    TrainingFailed
        If there are fewer than two training images, or torch cannot run the network.
    """
    started = time.perf_counter()
    train_at = _training_images(dataset)
    classifier.eval()
    features = yield from activations(classifier, dataset, device=device)
    stride = -(-len(train_at) // _PCA_IMAGES)
    embed_by_pca(classifier, features[train_at[::stride]])
    return TrainResult(
        state=state_of(classifier),
        history=(),
        best_epoch=0,
        margins=np.full(len(dataset), np.nan, np.float32),
        device=describe_device(pick_device(device)),
        seconds=time.perf_counter() - started,
    )


def embed_by_pca(classifier: LatentClassifier, features: NDArray[np.float32]) -> None:
    """Make the embedding layer a projection on principal components.

    The layer ends in a ReLU, so each component is shifted until it is positive for
    all of `features`: distances between latents are those between the projected
    features. One scale for all components makes their mean variance 1.

    Parameters
    ----------
    classifier : LatentClassifier
        Its embedding layer is changed in place.
    features : (n, F) float32 array
        Outputs of the backbone.
    """
    latent_dim = classifier.spec.latent_dim
    features = features.astype(np.float64)
    pca = PCA(min(latent_dim, *features.shape), svd_solver="covariance_eigh")
    projected = pca.fit_transform(features)
    scale = np.sqrt(projected.var(axis=0).sum() / latent_dim) or 1.0
    weight = np.zeros((latent_dim, features.shape[1]))
    weight[: pca.n_components_] = pca.components_ / scale
    bias = -weight @ pca.mean_
    bias[: pca.n_components_] -= projected.min(axis=0) / scale
    embedding = classifier.embedding
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
        embedding.bias.copy_(torch.from_numpy(bias.astype(np.float32)))


def _training_images(dataset: ImageDataset) -> NDArray[np.intp]:
    train_at = np.flatnonzero(dataset.split == Split.TRAIN)
    if len(train_at) < 2:
        raise TrainingFailed(
            "Fewer than two images are for training: add images, or move some from the "
            "validation and test sets."
        )
    return train_at


def _view(images: Tensor, generator: torch.Generator) -> Tensor:
    moved = shift_and_scale(
        images, generator, shift=0.15, scale=(0.6, 1.1), rotation=15.0
    )
    return erase(jitter(moved, generator), generator)
