"""Data sets to try the plugin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.splits import stratified_split


@dataclass(frozen=True)
class Sample:
    """A data set that comes with the plugin, or that it fetches.

    Parameters
    ----------
    title : str
        What the user reads in the menu.
    open : callable
        Returns the data set; called without arguments, or with a `seed`.
    """

    title: str
    open: Callable[..., ImageDataset]


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
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    bunch = load_digits()
    rng = np.random.default_rng(seed)
    labels = bunch.target.astype(np.int64)
    dataset = ImageDataset(
        name="Digits",
        ids=np.array([f"digit-{index:04d}" for index in range(len(labels))]),
        labels=labels,
        class_names=tuple("0123456789"),
        split=stratified_split(labels, rng),
        pixels=ArrayPixels(bunch.images.astype(np.uint8)),
        scaling=IntensityScaling("range", (0.0,), (16.0,)),
        image_size=(28, 28),
        columns={"truth": labels},
    )
    if labels_per_class is None:
        return dataset
    return dataset.keep_labels(labels_per_class, rng)


SAMPLES = {"digits": Sample("Digits", digits)}
"""Samples by name."""
