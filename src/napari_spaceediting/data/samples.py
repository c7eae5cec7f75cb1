"""Data sets to try the plugin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.fashion_mnist import LOOK_ALIKES, load_fashion_mnist
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.poses import render_poses
from napari_spaceediting.data.splits import stratified_split
from napari_spaceediting.data.steps import Steps, finish
from napari_spaceediting.jobs.job import Progress


def digits(labels_per_class: int | None = None, seed: int = 0) -> ImageDataset:
    """Return 1,797 handwritten digits of 8 x 8 px, shown to networks at 28 x 28 px.

    Parameters
    ----------
    labels_per_class : int, optional
        Training labels that each class keeps; the others are hidden. By default all.
    seed : int
        Chooses the split and the labels that are kept.

    Notes
    -----
    The test part of the Optical Recognition of Handwritten Digits data (E. Alpaydin
    and C. Kaynak, UCI Machine Learning Repository, 1998), as scikit-learn ships it.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = bunch.target.astype(np.int64)
    dataset = ImageDataset(
        name="Digits",
        ids=np.array([f"digit-{index:04d}" for index in range(len(labels))]),
        labels=labels,
        class_names=tuple("0123456789"),
        split=stratified_split(labels, np.random.default_rng(seed)),
        pixels=ArrayPixels(bunch.images.astype(np.uint8)),
        scaling=IntensityScaling("range", (0.0,), (16.0,)),
        image_size=(28, 28),
        columns={"truth": labels},
    )
    return _with_few_labels(dataset, labels_per_class, seed)


def fashion_mnist(
    n_train: int = 2000,
    n_test: int = 2000,
    classes: Sequence[str] | None = None,
    labels_per_class: int | None = None,
    seed: int = 0,
) -> ImageDataset:
    """Return a balanced part of Fashion-MNIST; see `load_fashion_mnist`.

    Parameters
    ----------
    n_train, n_test : int
        Images of the authors' training part (an eighth of them is for validation)
        and of their test part.
    classes : sequence of str, optional
        Some of its ten classes; by default all.
    labels_per_class : int, optional
        Training labels that each class keeps; the others are hidden. By default all.
    seed : int
        Chooses the images, the split and the labels that are kept.
    """
    steps = load_fashion_mnist(n_train, n_test, classes, seed)
    return _with_few_labels(finish(steps), labels_per_class, seed)


def poses(
    n: int = 1500, identities: int = 12, size: int = 32, seed: int = 0
) -> ImageDataset:
    """Return rendered heads that turn; see `render_poses`."""
    return finish(render_poses(n, identities, size, seed))


@dataclass(frozen=True)
class Sample:
    """A data set that comes with the plugin, or that it fetches.

    Parameters
    ----------
    title : str
        What the user reads in the menu.
    open : callable
        Returns the data set; takes `seed` and further options, all by name.
    steps : callable
        Takes `seed`, yields progress and returns the data set.
    """

    title: str
    open: Callable[..., ImageDataset]
    steps: Callable[[int], Steps]


def _digits_steps(seed: int) -> Steps:
    yield Progress(0, 1, "Reading digits")
    return digits(seed=seed)


SAMPLES = {
    "digits": Sample("Digits", digits, _digits_steps),
    "fashion_mnist": Sample(
        "Fashion-MNIST", fashion_mnist, lambda seed: load_fashion_mnist(seed=seed)
    ),
    "fashion_look_alikes": Sample(
        "Fashion-MNIST, five look-alikes",
        partial(fashion_mnist, classes=LOOK_ALIKES),
        lambda seed: load_fashion_mnist(classes=LOOK_ALIKES, seed=seed),
    ),
    "poses": Sample("Poses", poses, lambda seed: render_poses(seed=seed)),
}
"""Samples by name."""


def _with_few_labels(
    dataset: ImageDataset, labels_per_class: int | None, seed: int
) -> ImageDataset:
    """Hide labels, if that is wanted."""
    if labels_per_class is None:
        return dataset
    return dataset.keep_labels(labels_per_class, np.random.default_rng(seed))
