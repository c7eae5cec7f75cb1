"""Real images in two halves, and sessions that begin on them with a frozen network.

The sets lie in the folder of data: photographs of garbage (TrashNet), oracle bone
characters (Oracle-MNIST) and CIFAR-10N, whose labels people gave. Whatever is chosen is
chosen on the tuning half, and reported on the other.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.soft_labels import shared
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    ClassifierSpec,
    State,
    TrainSettings,
)
from napari_spaceediting.network.trust import trust
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from photo_networks import LITE0, MOBILE, mobile_weights

Half = Literal["tuning", "reporting", "whole"]

SETS = {
    "garbage": ("trashnet", (192, 256)),
    "oracle bones": ("oracle_mnist", (28, 28)),
    "CIFAR-10N": ("cifar10n", (32, 32)),
}
"""Folder of each set, and the size that its images are brought to."""
NETWORKS = {"EfficientNet-lite0": LITE0, "MobileNetV2": MOBILE}
CLEAN, WORSE, ONE_PERSON = "clean_label", "worse_label", "random_label1"
PEOPLE = ONE_PERSON, "random_label2", "random_label3"
"""Columns of CIFAR-10N."""
_TEST = 0.4
"""Share of a half that measures."""


@dataclass(frozen=True, eq=False)
class Begun:
    """A session, and what is known of its images.

    Parameters
    ----------
    session : Session
        Its network has learnt what is labelled.
    truth : (N,) int64 array
        True class of every image.
    features : (N, F) float32 array
        Of the frozen network.
    """

    session: Session
    truth: NDArray[np.int64]
    features: NDArray[np.float32]

    @property
    def test(self) -> NDArray[np.int64]:
        """Images that measure."""
        return np.flatnonzero(self.session.dataset.split == Split.TEST)

    @property
    def pool(self) -> NDArray[np.int64]:
        """Images that may be learnt from."""
        return np.flatnonzero(self.session.dataset.split == Split.TRAIN)

    def now(self) -> float:
        """Return the percentage of the test images that the network names rightly."""
        network = self.session.shown.network
        assert network is not None
        return self.accuracy(network.predictions.probabilities)

    def accuracy(self, said: NDArray[np.floating]) -> float:
        """Return the same of what is said of all images, (N, C)."""
        right = said[self.test].argmax(axis=1) == self.truth[self.test]
        return float(100 * right.mean())


@cache
def _whole(data: Path, name: str) -> ImageDataset:
    """Return a set with its true classes as labels."""
    folder, size = SETS[name]
    dataset = replace(run_job(OpenDataset(data / folder)), image_size=size)
    table = data / folder / "labels.csv"
    if name == "CIFAR-10N":
        with table.open(encoding="utf-8") as lines:
            rows = {row["file"]: row for row in csv.DictReader(lines)}
        columns = {
            column: _indexed(dataset, [rows[one][column] for one in dataset.ids])
            for column in (CLEAN, WORSE, *PEOPLE)
        }
        dataset = replace(dataset, labels=columns[CLEAN], columns=columns)
    return dataset


def _indexed(dataset: ImageDataset, names: list[str]) -> NDArray[np.int64]:
    return np.array([dataset.class_names.index(name) for name in names], np.int64)


@cache
def half_of(data: Path, name: str, half: Half) -> ImageDataset:
    """Return one half of a set, the same for all seeds, or the whole of it."""
    whole = _whole(data, name)
    if half == "whole":
        return whole
    order = np.random.default_rng(0).permutation(len(whole))
    middle = len(whole) // 2
    at = order[:middle] if half == "tuning" else order[middle:]
    return whole.subset(np.sort(at))


def begin(
    data: Path,
    work: Path,
    name: str,
    network: str,
    half: Half,
    seed: int,
    *,
    labels_per_class: int | None = None,
    noise: str | None = None,
    shares: bool = False,
    layout: bool = False,
) -> Begun:
    """Begin a session: few labels, or all of which some are wrong.

    Parameters
    ----------
    data, work : Path
        Folders of the sets, and for what is computed once.
    name, network : str
        Of `SETS` and `NETWORKS`.
    half : str
        Which images.
    seed : int
        Of the split and the labels that are known.
    labels_per_class : int, optional
        How many are known; by default all.
    noise : str, optional
        The column of labels to begin with in place of the true ones.
    shares : bool
        Whether what `PEOPLE` say apart of an image is known, beside its label.
    layout : bool
        Whether features have their layout beside them.
    """
    session, truth = opened(
        data,
        name,
        half,
        seed,
        labels_per_class=labels_per_class,
        noise=noise,
        shares=shares,
    )
    weights = str(mobile_weights(data, work)) if NETWORKS[network] == MOBILE else None
    trust(NETWORKS[network])
    spec = ClassifierSpec(NETWORKS[network], weights or "pretrained", layout=layout)
    session.take_network(run_job(session.training(spec)))
    return Begun(session, truth, features_of(session))


def without_layout(begun: Begun) -> Begun:
    """Return the same, begun on the features alone, as on a user's embeddings."""
    from napari_spaceediting.network.classifier import classifier_from

    network = begun.session.shown.network
    assert network is not None
    laid_out = classifier_from(network.spec, network.state).backbone.layout
    assert laid_out is not None
    pooled = np.ascontiguousarray(begun.features[:, : -laid_out.n_features])
    dataset = replace(begun.session.dataset, features=pooled)
    session = frozen_session(dataset, begun.session.state.seed)
    session.take_network(run_job(session.training(ClassifierSpec(EMBEDDINGS))))
    return Begun(session, begun.truth, pooled)


def opened(
    data: Path,
    name: str,
    half: Half,
    seed: int,
    *,
    labels_per_class: int | None = None,
    noise: str | None = None,
    shares: bool = False,
) -> tuple[Session, NDArray[np.int64]]:
    """Return a session without a network, and the truth; what it takes as `begin`."""
    dataset = half_of(data, name, half)
    truth, n = dataset.labels, len(dataset)
    rng = np.random.default_rng(seed)
    split = np.full(n, Split.TRAIN, np.int8)
    split[rng.permutation(n)[: round(_TEST * n)]] = Split.TEST
    labels = truth if noise is None else dataset.columns[noise]
    labels = np.where(split == Split.TEST, truth, labels)
    if labels_per_class is not None:
        known = split == Split.TEST
        for number in range(dataset.n_classes):
            of_class = np.flatnonzero((split == Split.TRAIN) & (truth == number))
            known[rng.permutation(of_class)[:labels_per_class]] = True
        labels = np.where(known, labels, UNLABELLED)
    soft = None
    if shares:
        names = np.array(dataset.class_names)
        votes = np.stack([names[dataset.columns[one]] for one in PEOPLE], axis=1)
        soft = shared(votes.tolist(), dataset.class_names)
        assert soft is not None
        soft[split == Split.TEST] = 0
        labels = np.where(soft.any(axis=1), soft.argmax(axis=1), labels)
    dataset = replace(
        dataset,
        split=split,
        labels=labels,
        soft_labels=soft,
        columns={"truth": truth},
    )
    return frozen_session(dataset, seed), truth


def frozen_session(dataset: ImageDataset, seed: int) -> Session:
    """Return a session whose head alone learns, without arms, mapped by PCA."""
    return new_session(
        dataset,
        train=TrainSettings(trainable="head", seed=seed, device="cpu"),
        retrain=RetrainSettings(arms=(), seed=seed, device="cpu"),
        map_settings=MapSettings(method="pca"),
        seed=seed,
    )


def features_of(session: Session) -> NDArray[np.float32]:
    """Return what the frozen part of a session's network gives of its images."""
    network = session.shown.network
    assert network is not None
    return frozen(network.spec, network.state, session.dataset)


def frozen(
    spec: ClassifierSpec, state: State, dataset: ImageDataset
) -> NDArray[np.float32]:
    """Return what the frozen part of a network gives of images."""
    from napari_spaceediting.jobs.job import finish
    from napari_spaceediting.network.activations import activations
    from napari_spaceediting.network.classifier import classifier_from

    classifier = classifier_from(spec, state)
    return np.array(finish(activations(classifier, dataset, device="cpu")))
