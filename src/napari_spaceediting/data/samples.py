"""Data sets to try the plugin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.fashion_mnist import LOOK_ALIKES, load_fashion_mnist
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.poses import render_poses
from napari_spaceediting.data.splits import stratified_split
from napari_spaceediting.data.steps import Steps
from napari_spaceediting.jobs.job import Progress


def digits(labels_per_class: int | None = None, seed: int = 0) -> ImageDataset:
    """Return 1,797 handwritten digits of 8 x 8 px, shown to networks at 28 x 28 px.

    Parameters
    ----------
    labels_per_class : int, optional
        Training labels that each class keeps; the others are hidden. By default all.

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
    if labels_per_class is None:
        return dataset
    return dataset.keep_labels(labels_per_class, np.random.default_rng(seed))


@dataclass(frozen=True)
class Sample:
    """A data set that comes with the plugin, or that it fetches.

    Parameters
    ----------
    title : str
        What the user reads in the menu.
    steps : callable
        Takes `seed`, yields progress and returns the data set.
    """

    title: str
    steps: Callable[[int], Steps]


def _digits_steps(seed: int) -> Steps:
    yield Progress(0, 1, "Reading digits")
    return digits(seed=seed)


SAMPLES = {
    "digits": Sample("Digits", _digits_steps),
    "fashion_mnist": Sample(
        "Fashion-MNIST", lambda seed: load_fashion_mnist(seed=seed)
    ),
    "fashion_look_alikes": Sample(
        "Fashion-MNIST, five look-alikes",
        lambda seed: load_fashion_mnist(classes=LOOK_ALIKES, seed=seed),
    ),
    "poses": Sample("Poses", lambda seed: render_poses(seed=seed)),
}
"""Samples by name."""
