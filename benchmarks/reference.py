"""The data, the network and the starting point that editing is measured on.

The reference: five classes of Fashion-MNIST that look alike, and a small network that
learnt from the other five; from then on only its embedding and head train.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import nn

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.fashion_mnist import (
    CLASSES,
    LOOK_ALIKES,
    load_fashion_mnist,
)
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.backbones import Backbone, Prepare, Quarters
from napari_spaceediting.network.jobs import ExtractPredictions, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, State, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.session.session import Session, new_session

N_TEST = 5000
_N_OTHERS = 12_000
_CONFUSED = {
    "T-shirt/top": "Shirt",
    "Pullover": "Coat",
    "Dress": "T-shirt/top",
    "Coat": "Pullover",
    "Shirt": "T-shirt/top",
}
"""What a careless annotator takes each class for."""


def reference_cnn(spec: ClassifierSpec) -> Backbone:
    """Return three convolutions (16, 32, 128) pooled to 2 x 2: 512 features.

    Like `small_cnn` without its normalisation.
    """
    trunk = nn.Sequential(
        Prepare([0.0] * spec.in_channels, [1.0] * spec.in_channels),
        nn.Conv2d(spec.in_channels, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    last_block = nn.Sequential(nn.Conv2d(32, 128, 3, padding=1), nn.ReLU(), Quarters())
    return Backbone(trunk, last_block, 512)


REFERENCE = "reference:reference_cnn"


@dataclass(frozen=True, eq=False)
class Start:
    """Where a trial starts.

    Parameters
    ----------
    session : Session
        With a trained network and its map, on training images only.
    test : ImageDataset
        What accuracy is measured on, apart from the session.
    """

    session: Session
    test: ImageDataset

    @property
    def truth(self) -> NDArray[np.int64]:
        """True classes of the session's images."""
        truth: NDArray[np.int64] = self.session.dataset.columns["truth"]
        return truth

    def accuracy(self, spec: ClassifierSpec, state: State) -> float:
        """Return the percentage of the test images that a network classifies right."""
        said = run_job(ExtractPredictions(self.test, spec, state, device="cpu"))
        right = said.probabilities.argmax(axis=1) == self.test.labels
        return float(100 * right.mean())

    def now(self) -> float:
        """Return the same of the session's own network."""
        network = self.session.shown.network
        assert network is not None
        return self.accuracy(network.spec, network.state)


def look_alikes(
    n_train: int, seed: int, classes: tuple[str, ...] = LOOK_ALIKES
) -> tuple[ImageDataset, ImageDataset]:
    """Return training and test images of Fashion-MNIST, the test images always those.

    The training images are drawn by `seed`.
    """
    # A part of them would be for validation, which nothing here looks at.
    whole = finish(load_fashion_mnist(n_train, N_TEST, classes, seed))
    return split_off(whole)


def split_off(dataset: ImageDataset) -> tuple[ImageDataset, ImageDataset]:
    """Return the training and validation images to train on, and the test images."""
    is_test = dataset.split == Split.TEST
    train = dataset.subset(np.flatnonzero(~is_test))
    train = replace(train, split=np.full(len(train), Split.TRAIN, np.int8))
    return train, dataset.subset(np.flatnonzero(is_test))


def noisy(dataset: ImageDataset, share: float, seed: int) -> ImageDataset:
    """Take a share of the labels of every class for the one that it looks like."""
    names = list(dataset.class_names)
    taken_for = np.array([names.index(_CONFUSED[name]) for name in names])
    wrong = np.random.default_rng(seed).random(len(dataset)) < share
    labels = np.where(wrong, taken_for[dataset.labels], dataset.labels)
    return replace(dataset, labels=labels)


def trunk(folder: Path, seed: int, backbone: str = REFERENCE) -> Path:
    """Return a file of weights that learnt from the five other classes."""
    trust(backbone)
    path = folder / f"trunk-{backbone.rpartition(':')[2]}-{seed}.safetensors"
    if not path.exists():
        others = tuple(name for name in CLASSES if name not in LOOK_ALIKES)
        dataset = finish(load_fashion_mnist(_N_OTHERS, 10, others, 1000 + seed))
        job = TrainNetwork(
            dataset=dataset,
            spec=ClassifierSpec(backbone, n_classes=5),
            settings=TrainSettings(epochs=8, seed=seed, device="cpu"),
        )
        state = run_job(job).train.state
        prefix = "backbone."
        weights = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
        write_file(path, save(weights))
    return path


def start(
    train: ImageDataset,
    test: ImageDataset,
    spec: ClassifierSpec,
    settings: TrainSettings,
    seed: int,
) -> Start:
    """Train the network and draw its map."""
    trust(spec.backbone)
    session = new_session(
        train,
        train=settings,
        retrain=RetrainSettings(arms=(), seed=seed, device="cpu"),
        seed=seed,
    )
    session.take_network(run_job(session.training(spec)))
    session.take_map(run_job(session.mapping()))
    return Start(session, test)


def frozen_start(
    train: ImageDataset,
    test: ImageDataset,
    seed: int,
    folder: Path,
    backbone: str = REFERENCE,
) -> Start:
    """Start with the trunk of the reference, of which only the end trains."""
    return start(
        train,
        test,
        ClassifierSpec(backbone, weights=str(trunk(folder, seed, backbone))),
        TrainSettings(trainable="head", seed=seed, device="cpu"),
        seed,
    )
