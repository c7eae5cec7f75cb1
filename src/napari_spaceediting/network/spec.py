"""What a network is and how it trains, as plain values without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.filed import Filed
from napari_spaceediting.errors import SpaceEditingError

Trainable = Literal["head", "last_block", "all"]
"""Which part trains: embedding and head; the last block too; everything."""

PUBLISHED_BACKBONES = (
    "resnet18",
    "resnet50",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_b_16",
    "vgg19",
)
"""Backbones of torchvision, whose published weights can be had."""

BACKBONES = ("small_cnn", *PUBLISHED_BACKBONES)
"""Backbones that come with the program."""

PUBLISHED = "pretrained"
"""The value of `ClassifierSpec.weights` that asks for the published weights."""

LARGEST_FROM_SCRATCH = 96
"""Longer side, in pixels, of the images that the small network sees; larger ones are
shrunk for it."""

SELF_SUPERVISED = "timm:vit_small_patch14_dinov2.lvd142m"
"""DINOv2 (Oquab et al. 2024)."""

TIMM, FILE = "timm:", "file:"
"""What the names of backbones begin with that are models of timm, or lie in a file."""

EMBEDDINGS = "embeddings"
"""In place of a backbone: the embeddings of a data set are the features."""

State = Mapping[str, NDArray[Any]]
"""Weights of a network by name, as plain arrays."""


@dataclass(frozen=True)
class ClassifierSpec:
    """Everything that is needed to build a `LatentClassifier` but its weights.

    Parameters
    ----------
    backbone : str
        One of `BACKBONES`, "timm:NAME" for a model of timm, "file:PATH" for an exported
        one, "package.module:function" for one's own, or `EMBEDDINGS`, which are then of
        one channel and a height of 1.
    weights : str or None
        "pretrained" for the published weights, the path of a local file, or
        None to start from random ones.
    latent_dim : int
        Width D of the embedding layer.
    n_classes : int
        Number of classes C; 0 while there are none.
    in_channels : int
        Channels of the images.
    image_size : tuple of int
        Height and width of the images, pixels; for the small network, those in which
        it sees them.
    mirror : bool
        Whether the features of an image are averaged with those of its mirror image,
        for images whose left and right mean nothing; it takes twice the time.
    layout : bool
        Whether where things are in an image stands beside its features, if a last block
        is split off the backbone that takes maps.
    knows_labels : bool
        Whether its backbone has been trained on the labels. Features that know a label
        by heart cannot be asked what the others say of it.
    """

    backbone: str = "small_cnn"
    weights: str | None = None
    latent_dim: int = 64
    n_classes: int = 0
    in_channels: int = 1
    image_size: tuple[int, int] = (28, 28)
    mirror: bool = False
    layout: bool = False
    knows_labels: bool = False

    @property
    def sees_images(self) -> bool:
        """Whether it is computed from images, and not from what others computed."""
        return self.backbone != EMBEDDINGS


def seen_size(backbone: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size, in pixels, in which a backbone sees images of a size."""
    if backbone != "small_cnn" or max(size) <= LARGEST_FROM_SCRATCH:
        return size
    scale = LARGEST_FROM_SCRATCH / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Passes over the labelled training images at most.
    batch_size : int
        Images per step.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov & Hutter 2019).
    patience : int
        Epochs without a better validation score before training stops.
    trainable : {"head", "last_block", "all"}
        Which part trains.
    class_weights : bool
        Weight the loss by inverse class frequency.
    augment : bool
        Shift, scale and turn the images a little where the whole network trains.
        They are never mirrored: left and right may be what tells two classes apart.
    seed : int
        Of every random choice.
    device : str
        "auto", "cpu", "cuda" or "mps".
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    patience: int = 6
    trainable: Trainable = "all"
    class_weights: bool = True
    augment: bool = False
    seed: int = 0
    device: str = "auto"


def usually_trains(spec: ClassifierSpec) -> Trainable:
    """Return what of a network trains where nothing is said: the head if it has learnt.

    That is so with weights, in an exported network and on embeddings.
    """
    has_learnt = spec.weights is not None or spec.backbone.startswith(FILE)
    return "head" if has_learnt or not spec.sees_images else "all"


def with_usual_layout(spec: ClassifierSpec, trainable: Trainable) -> ClassifierSpec:
    """Return a spec with its layout as it is where nothing is said of it.

    It stands beside features that have been learnt before and stay as they are.
    """
    return replace(spec, layout=spec.weights is not None and trainable == "head")


def check_trains(spec: ClassifierSpec, trainable: Trainable) -> None:
    """Refuse to train of a network what it does not have.

    Raises
    ------
    SpaceEditingError
        If it starts from embeddings, and more than the head is to train or mirror
        images are to be seen.
    """
    if spec.sees_images:
        return
    if trainable != "head":
        raise SpaceEditingError(
            "The features of this network are embeddings that came with the data, so "
            "only its head can train: choose that, or a backbone that sees images."
        )
    if spec.mirror:
        raise SpaceEditingError(
            "Embeddings have no mirror image: leave it out, or choose a backbone that "
            "sees images."
        )


@dataclass(frozen=True)
class EpochLog:
    """Figures of one epoch; the accuracy is NaN without validation images."""

    epoch: int
    loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Parameters
    ----------
    state : mapping
        Weights of the best epoch.
    history : tuple of EpochLog
        One entry an epoch; fewer than asked for if the validation score ended it.
    best_epoch : int
        Epoch whose weights were kept.
    margins : (N,) float32 array
        By how much the other labels speak for that of each labelled training image, as
        of `LeftOut`; NaN elsewhere.
    """

    state: State
    history: tuple[EpochLog, ...]
    best_epoch: int
    margins: NDArray[np.float32] = field(repr=False)
    device: str
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """The best on validation images, 0 to 1; None where it was not measured."""
        measured = (epoch.validation_accuracy for epoch in self.history)
        return max((each for each in measured if each == each), default=None)


@dataclass(frozen=True)
class Predictions(Filed):
    """What a network says of images.

    Parameters
    ----------
    latents : (N, D) float32 array
        Outputs of the embedding layer.
    probabilities : (N, C) float32 array
        Softmax of the head; C is 0 while there are no classes.
    """

    latents: NDArray[np.float32]
    probabilities: NDArray[np.float32]
