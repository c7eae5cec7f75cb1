"""The images that a network can learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Trainable,
    TrainSettings,
    usually_trains,
)


def training_images(dataset: ImageDataset) -> NDArray[np.int64]:
    """Return the places of all training images in a data set, (n,).

    Raises
    ------
    TrainingFailed
        If there are fewer than two.
    """
    found = np.flatnonzero(dataset.split == Split.TRAIN)
    if len(found) < 2:
        raise TrainingFailed(
            "Fewer than two images are for training: add images, or move some from the "
            "validation and test sets."
        )
    return found


def labelled_images(dataset: ImageDataset) -> NDArray[np.int64]:
    """Return the places of the training images that have a label, (n,).

    Raises
    ------
    TrainingFailed
        If fewer than two classes have any.
    """
    found = np.flatnonzero(dataset.is_labelled & (dataset.split == Split.TRAIN))
    if len(np.unique(dataset.labels[found])) < 2:
        raise TrainingFailed(
            "Fewer than two classes have labelled training images: give some images "
            "of a second class a label first."
        )
    return found


def has_classes(dataset: ImageDataset) -> bool:
    """Return whether training images of two classes are labelled."""
    learnt = dataset.labels[dataset.is_labelled & (dataset.split == Split.TRAIN)]
    return len(np.unique(learnt)) > 1


def what_trains(
    dataset: ImageDataset, spec: ClassifierSpec, settings: TrainSettings
) -> Trainable:
    """Return what of a network is descended; "head" where it is solved, or stays.

    Without classes one that has learnt stays as it is, and so does one of which only
    the head shall train.
    """
    if has_classes(dataset) or settings.trainable == "head":
        return settings.trainable
    return usually_trains(spec)
