"""The end of a network in closed form, on features that stay as they are."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import nn

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import (
    Kernel,
    LatentClassifier,
    linear,
    state_of,
)
from napari_spaceediting.network.device import describe_device, pick_device
from napari_spaceediting.network.kernel_ridge import (
    KernelRidge,
    LeftOut,
    fit,
    roots,
)
from napari_spaceediting.network.learnable import labelled_images, training_images
from napari_spaceediting.network.spec import TrainResult

_SAMPLE = 4_096
"""Images at most that tell the components."""
_ROWS = 4_096


@dataclass(frozen=True, eq=False)
class Draws:
    """Other draws of some images that are learnt from, and what shall be asked then.

    Parameters
    ----------
    images : (M,) int64 array
        Those that might as well have been others.
    more : (B, M) float32 array
        By how much more than once each of them is there, in B draws.
    asked : (a,) int64 array
        Images to be classified.
    """

    images: NDArray[np.int64]
    more: NDArray[np.float32]
    asked: NDArray[np.int64]

    def of(self, known: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return `more` of all images that are learnt from (n,), as (B, n)."""
        _, here, there = np.intersect1d(known, self.images, return_indices=True)
        more = np.zeros((len(self.more), len(known)), np.float32)
        more[:, here] = self.more[:, there]
        return more


@dataclass(frozen=True, eq=False)
class Solved:
    """What a solution tells beside the network.

    Parameters
    ----------
    left_out : LeftOut
        What is said of the images that were learnt, each without what is known of it.
    redrawn : (B, a) int64 array or None
        Classes of the images that were asked for, in each draw.
    """

    left_out: LeftOut
    redrawn: NDArray[np.int64] | None = None


def solve(
    classifier: LatentClassifier, dataset: ImageDataset, *, device: str = "auto"
) -> Generator[Progress, None, TrainResult]:
    """Learn the labelled training images of a data set, if there are any.

    Parameters
    ----------
    classifier : LatentClassifier
        Its end is solved, by `solve_end`, and it is moved to the device.
    dataset : ImageDataset
        N images; held-out images are not learnt from.
    device
        As for `activations`.

    Returns
    -------
    TrainResult
        Its margins are those of `LeftOut`.

    Raises
    ------
    TrainingFailed
        If there are fewer than two training images, or two classes among those that
        are labelled, or torch cannot run the network.
    DataError
        If an image cannot be read.
    """
    started = time.perf_counter()
    classifier.eval()
    features = yield from activations(classifier, dataset, device=device)
    training = training_images(dataset)
    labelled = labelled_images(dataset) if classifier.spec.n_classes else training[:0]
    classes, every = dataset.classes(labelled), np.ones(len(labelled), np.float32)
    left_out = solve_end(
        classifier, features, training, labelled, classes, every
    ).left_out
    margins = np.full(len(dataset), np.nan, np.float32)
    margins[labelled] = left_out.margins(dataset.labels[labelled])
    return TrainResult(
        state=state_of(classifier),
        history=(),
        best_epoch=0,
        margins=margins,
        device=describe_device(pick_device(device)),
        seconds=time.perf_counter() - started,
    )


def solve_end(
    classifier: LatentClassifier,
    features: NDArray[np.float32],
    training: NDArray[np.int64],
    known: NDArray[np.int64],
    classes: NDArray[np.float32],
    weights: NDArray[np.float32],
    draws: Draws | None = None,
) -> Solved:
    """Give a network the end that fits what is known of some images.

    Its components are the principal ones of the roots of all training images; those
    of an end that was solved before stay, so that latents do not turn.

    Parameters
    ----------
    classifier : LatentClassifier
        Changed in place.
    features : (N, F) float32 array
        What its backbone gives.
    training : (t,) int64 array
        Images that may be learnt from.
    known : (n,) int64 array
        Those of which something is known; may be none.
    classes : (n, C) float32 array
        Probabilities of their classes.
    weights : (n,) float32 array
        How much each counts, more than 0.
    draws : Draws, optional
        What else might have been known.
    """
    if classifier.kernel is None:
        some = training[:: -(-len(training) // _SAMPLE)]
        _embed(classifier.embedding, rooted(features, some))
    device = classifier.embedding.weight.device
    n_classes = classifier.spec.n_classes
    if not len(known):
        kernel, head = Kernel(0, features.shape[1]), _empty(0, n_classes)
        solved = Solved(LeftOut(np.empty((0, n_classes), np.float32), 1.0))
    else:
        more = None if draws is None else draws.of(known)
        fitted = fit(rooted(features, known), classes, weights, more)
        kernel = Kernel(*fitted.landmarks.shape)
        head = _empty(*fitted.weights.shape)
        redrawn = None if draws is None else _redrawn(fitted, features, draws.asked)
        solved = Solved(fitted.left_out, redrawn)
        with torch.no_grad():
            kernel.landmarks.copy_(torch.from_numpy(fitted.landmarks))
            kernel.gamma.fill_(fitted.gamma)
            head.weight.copy_(torch.from_numpy(fitted.weights.T))
            head.bias.copy_(torch.from_numpy(fitted.bias))
    classifier.kernel, classifier.head = kernel.to(device), head.to(device)
    return solved


def _redrawn(
    fitted: KernelRidge, features: NDArray[np.float32], asked: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the classes of some images in each draw, (B, a)."""
    found = np.empty((len(fitted.redrawn), len(asked)), np.int64)
    for start in range(0, len(asked), _ROWS):
        rows = slice(start, start + _ROWS)
        similar = rooted(features, asked[rows]) @ fitted.landmarks.T
        kernel = np.exp(-fitted.gamma * (2 - 2 * similar))
        for draw, weights in enumerate(fitted.redrawn):
            found[draw, rows] = (kernel @ weights + fitted.bias).argmax(axis=1)
    return found


def _empty(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a layer whose values are still to be given."""
    with torch.random.fork_rng(devices=[]):
        return linear(n_inputs, n_outputs)


def rooted(
    features: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the `roots` of the features (N, F) of some images, (n, F)."""
    found: NDArray[np.float32] = roots(torch.from_numpy(features[rows])).numpy()
    return found


def _embed(embedding: nn.Linear, sample: NDArray[np.float32]) -> None:
    """Make a layer a projection on principal components, with lengths of 1 on average.

    It has as many components as there can be, and zeros beside them.
    """
    n = min(embedding.out_features, *sample.shape)
    pca = PCA(n, svd_solver="randomized", random_state=0)
    lengths = pca.fit_transform(sample).var(axis=0).sum() ** 0.5 or 1.0
    weight = np.zeros((embedding.out_features, sample.shape[1]), np.float32)
    weight[:n] = pca.components_ / lengths
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(weight))
        embedding.bias.copy_(torch.from_numpy(-weight @ pca.mean_))
