"""Images, networks and judges for the traversal benchmark, none of them shared.

Fashion-MNIST is cut in two halves, one for tuning and one for the reported run. Of
each half a seed deals out the training images among the network that is traversed, the
judge and the neighbours, and draws the images that are moved from the test images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from skimage.metrics import structural_similarity
from sklearn.neighbors import NearestNeighbors
from torch import nn

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.fashion_mnist import CLASSES, load_fashion_mnist
from napari_spaceediting.data.pixels import select
from napari_spaceediting.data.splits import Split, stratified_split
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.backbones import Backbone, Prepare
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.jobs import TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust

PAIRS = (
    ("Pullover", "Coat"),
    ("Shirt", "T-shirt/top"),
    ("Trouser", "Dress"),
    ("Sandal", "Sneaker"),
    ("Bag", "Ankle boot"),
)
"""From and to: of all pairings of the ten classes, the one whose mean images are
nearest together."""

TUNING_SEEDS = 100
"""Seeds from here on take the half for tuning."""

_SIZES = 6000, 14_000, 9000
"""Images that the network, the judge and the neighbours know."""
_NEAREST = 7
_FOR_SPREAD = 200
_REALISTIC = 95
"""Percent of held-out real images that are as near to real ones as is asked for."""

Images = NDArray[np.float32]


JUDGE = "judges:judge_cnn"


def judge_cnn(spec: ClassifierSpec) -> Backbone:
    """Return two wide convolutions with batch normalisation: unlike `small_cnn`."""
    side = spec.image_size[0] // 4
    trunk = nn.Sequential(
        Prepare([0.0] * spec.in_channels, [1.0] * spec.in_channels),
        nn.Conv2d(spec.in_channels, 32, 5, stride=2, padding=2),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.1),
        nn.Conv2d(32, 64, 5, stride=2, padding=2),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.1),
    )
    n_features = 64 * side * side
    return Backbone(trunk, nn.Sequential(nn.Flatten(), nn.Dropout(0.3)), n_features)


@dataclass(frozen=True, eq=False)
class Arena:
    """What one seed deals out.

    Parameters
    ----------
    learn : ImageDataset
        What the network that is traversed has learnt from, and the only images that a
        method may use.
    judge, neighbours : ImageDataset
        What each of the judges knows.
    test : ImageDataset
        Images that nothing has learnt from.
    network, judge_network : LatentClassifier
    seed : int
    """

    learn: ImageDataset
    judge: ImageDataset
    neighbours: ImageDataset
    test: ImageDataset
    network: LatentClassifier
    judge_network: LatentClassifier
    seed: int

    @property
    def accuracies(self) -> tuple[float, float]:
        """Of the network and of the judge, on the test images."""
        network, judge = (
            float((labels_of(network, self.pixels) == self.test.labels).mean())
            for network in (self.network, self.judge_network)
        )
        return network, judge

    @cached_property
    def pixels(self) -> Images:
        """The test images."""
        return self.test.images(np.arange(len(self.test)))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which test images both networks see as what they are."""
        seen = [
            labels_of(network, self.pixels) == self.test.labels
            for network in (self.network, self.judge_network)
        ]
        return np.logical_and(*seen)

    def originals(self, source: str, count: int) -> NDArray[np.int64]:
        """Return places in `test` of images that are moved."""
        members = np.flatnonzero(
            (self.test.labels == CLASSES.index(source)) & self.right
        )
        rng = np.random.default_rng((self.seed, CLASSES.index(source)))
        return np.sort(rng.choice(members, count, replace=False))


def deal(seed: int, *, quick: bool = False) -> Arena:
    """Deal out the images of a seed and train its networks."""
    trust(JUDGE)
    epochs = 1 if quick else 8
    sizes = [size // 3 for size in _SIZES] if quick else _SIZES
    everything = finish(load_fashion_mnist(60_000, 10_000))
    # In the order of the authors' files: halves do not depend on any seed.
    order = np.argsort(everything.ids)
    is_test = everything.split[order] == Split.TEST
    halves = [np.array_split(order[part], 2) for part in (~is_test, is_test)]
    train, test = (half[0 if seed >= TUNING_SEEDS else 1] for half in halves)
    rng = np.random.default_rng(seed)
    dealt = np.split(rng.permutation(train), np.cumsum(sizes))[:3]
    learn, judge, neighbours = (
        _part(everything, rows, rng if at < 2 else None)
        for at, rows in enumerate(dealt)
    )
    return Arena(
        learn,
        judge,
        neighbours,
        _part(everything, test, None),
        _trained(learn, "small_cnn", 2 * epochs, seed),
        _trained(judge, JUDGE, epochs, seed + 1000),
        seed,
    )


def _part(
    whole: ImageDataset, rows: NDArray[np.int64], rng: np.random.Generator | None
) -> ImageDataset:
    split = np.full(len(rows), Split.TEST, np.int8)
    if rng is not None:
        split = stratified_split(whole.labels[rows], rng, (0.9, 0.1, 0.0))
    return replace(
        whole,
        ids=whole.ids[rows],
        labels=whole.labels[rows],
        split=split,
        pixels=select(whole.pixels, rows),
        columns={},
    )


def _trained(
    dataset: ImageDataset, backbone: str, epochs: int, seed: int
) -> LatentClassifier:
    job = TrainNetwork(
        dataset,
        ClassifierSpec(backbone),
        TrainSettings(epochs=epochs, seed=seed, device="cpu"),
    )
    trained = run_job(job)
    return classifier_from(trained.spec, trained.train.state)


def outputs_of(
    network: LatentClassifier, images: Images
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return latents and probabilities."""
    found = []
    with torch.inference_mode():
        for block in np.array_split(images, max(1, len(images) // 500)):
            latents, logits = network(torch.from_numpy(block))
            found.append((latents.numpy(), logits.softmax(dim=1).numpy()))
    latents, probabilities = map(np.concatenate, zip(*found, strict=True))
    return latents, probabilities


def labels_of(network: LatentClassifier, images: Images) -> NDArray[np.int64]:
    """Return the class that a network sees most in each image."""
    return outputs_of(network, images)[1].argmax(axis=1)


class Jury:
    """What judges say of images that were moved to a class.

    Parameters
    ----------
    arena : Arena
    target : int
        The class.
    """

    def __init__(self, arena: Arena, target: int) -> None:
        self.arena, self.target = arena, target
        known = arena.neighbours
        images = known.images(np.arange(len(known)))
        self._labels = known.labels
        self._voters = _fitted(_flat(images), _NEAREST)
        mine = images[known.labels == target]
        latents, _ = outputs_of(arena.judge_network, mine)
        self._near = _fitted(_flat(mine), 1), _fitted(latents, 1)
        real = arena.pixels[arena.test.labels == target]
        self._far = [np.percentile(far, _REALISTIC) for far in self._distances(real)]
        self._real_spread = _spread(real[:_FOR_SPREAD])
        self.real = self.verdict(real)

    def verdict(self, images: Images) -> dict[str, NDArray[np.bool_]]:
        """Return what the judges say of each image.

        Returns
        -------
        dict
            Of (n,) bool arrays: "judge" and "neighbours" see the target, it is as
            "near" to real ones, and all of it: it is "convincing". "network" is what
            the network says that was traversed.
        """
        images = np.ascontiguousarray(images, np.float32)
        votes = self._labels[self._voters.kneighbors(_flat(images))[1]]
        counts = (votes[:, :, None] == np.arange(len(CLASSES))).sum(axis=1)
        found = {
            "judge": labels_of(self.arena.judge_network, images) == self.target,
            "neighbours": counts.argmax(axis=1) == self.target,
            "near": np.logical_and(
                *(
                    far <= most
                    for far, most in zip(
                        self._distances(images), self._far, strict=True
                    )
                )
            ),
        }
        return {
            "convincing": np.logical_and.reduce(list(found.values())),
            **found,
            "network": labels_of(self.arena.network, images) == self.target,
        }

    def figures(self, images: Images, originals: Images) -> dict[str, float]:
        """Return the means of all that is measured.

        Beside the verdict: "L2" and "SSIM" to the original, "identity" (the share whose
        nearest original, by L2, is their own) and "diversity" (the mean distance
        between two of them, over that of two real ones).
        """
        moved, flat = _flat(images), _flat(originals)
        far = np.linalg.norm(moved[:, None] - flat[None], axis=2)
        likeness = [
            structural_similarity(one[0], other[0], data_range=1.0)
            for one, other in zip(images, originals, strict=True)
        ]
        return {
            **{name: float(v.mean()) for name, v in self.verdict(images).items()},
            "L2": float(np.diag(far).mean()),
            "SSIM": float(np.mean(likeness)),
            "identity": float((far.argmin(axis=1) == np.arange(len(far))).mean()),
            "diversity": _spread(images) / self._real_spread,
        }

    def _distances(self, images: Images) -> tuple[NDArray[np.float64], ...]:
        """Return those to the nearest real image, in pixels and to the judge."""
        latents, _ = outputs_of(self.arena.judge_network, images)
        return tuple(
            near.kneighbors(places)[0][:, 0]
            for near, places in zip(self._near, (_flat(images), latents), strict=True)
        )


def _flat(images: Images) -> Images:
    return images.reshape(len(images), -1)


def _fitted(places: Images, count: int) -> NearestNeighbors:
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(places)


def _spread(images: Images) -> float:
    """Return the mean distance between two images."""
    return float(pdist(_flat(images)).mean())
