"""The network: a backbone, and behind it what gives latents and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.network.backbones import Backbone, with_layout
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.device import mixed_precision
from napari_spaceediting.network.kernel_ridge import roots
from napari_spaceediting.network.spec import ClassifierSpec, State, Trainable
from napari_spaceediting.network.weights import load_weights


class _End(nn.Module):
    """From what is given to features, and on to latents and logits in one of two ways.

    *Trained*: ``latents = ReLU(embedding(features))``, ``logits = head(latents)``.
    *Solved*, in closed form (see `solving`): of the roots of the features, the
    embedding gives components, the kernel and the head the logits. The latents are the
    components and, beside them, the roots of the classes' probabilities: so images are
    near each other which look alike and are of one class.
    """

    embedding: nn.Linear
    head: nn.Linear
    kernel: Kernel | None

    def features(self, given: Tensor) -> Tensor:
        """Return the features (n, F), in float32."""
        raise NotImplementedError

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents and logits of what is given, as `classify`."""
        return self.classify(self.features(given))

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents (n, D), or (n, D + C) if solved, and logits (n, C).

        Parameters
        ----------
        features : (n, F) tensor
            Outputs of the backbone.
        """
        if self.kernel is None:
            latents = torch.relu(self.embedding(features))
            return latents, self.head(latents)
        rooted = roots(features)
        logits = self.head(self.kernel(rooted))
        root_probabilities = torch.exp(logits.log_softmax(dim=1) / 2)
        return torch.cat([self.embedding(rooted), root_probabilities], dim=1), logits


class Kernel(nn.Module):
    """How alike images are to landmarks: a Gaussian of the distance between roots.

    Parameters
    ----------
    n_landmarks, n_features : int
        m and F; all are 0 at first.

    Attributes
    ----------
    landmarks : (m, F) buffer
        Roots of the features of images. They stay as the rest trains: a step that suits
        other weights carries them away from all images.
    gamma : scalar buffer
        Over the squared distance.
    """

    landmarks: Tensor
    gamma: Tensor

    def __init__(self, n_landmarks: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("landmarks", torch.zeros(n_landmarks, n_features))
        self.register_buffer("gamma", torch.zeros(()))

    def forward(self, rooted: Tensor) -> Tensor:
        """Return the kernel (n, m) of roots (n, F), all of length 1."""
        return torch.exp(-self.gamma * (2 - 2 * rooted @ self.landmarks.T))


class LatentClassifier(_End):
    """A classifier whose latents are edited.

    Its end from features to latents and logits is trained or solved. The backbone
    computes in `mixed_precision`, what is behind it in float32.

    Parameters
    ----------
    spec : ClassifierSpec
        With C = `spec.n_classes`, which may be 0, and D = `spec.latent_dim`.
    backbone : Backbone
        From images to F features.
    n_landmarks : int, optional
        Of an end that is solved; by default the end is to be trained.
    """

    def __init__(
        self, spec: ClassifierSpec, backbone: Backbone, n_landmarks: int | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = backbone
        n_features = backbone.n_features
        self.embedding = nn.Linear(n_features, spec.latent_dim)
        self.kernel = None
        if n_landmarks is not None:
            self.kernel = Kernel(n_landmarks, n_features)
        n_inputs = spec.latent_dim if n_landmarks is None else n_landmarks
        self.head = linear(n_inputs, spec.n_classes)

    def features(self, given: Tensor) -> Tensor:
        """Return the features (n, F) of images (n, channels, H, W), in float32."""
        with mixed_precision(given.device):
            found: Tensor = self.backbone(given)
            if self.spec.mirror:
                found = (found + self.backbone(given.flip(-1))) / 2
        return found.float()

    @property
    def latent_width(self) -> int:
        """Length of a latent: D, and C more where the end is solved."""
        return self.spec.latent_dim + (self.kernel is not None) * self.spec.n_classes

    def body(self, trainable: Trainable) -> nn.Module:
        """Return the frozen part, whose outputs stay the same during a training.

        Its modules are those of this network, put into evaluation mode. It gives
        features (n, F) for "head", the trunk's activations for "last_block" (those of
        the image and of its mirror image, (n, 2, ...), with `spec.mirror`) and the
        images themselves for "all".
        """
        frozen: dict[Trainable, nn.Module] = {
            "head": self.backbone,
            "last_block": self.backbone.trunk,
            "all": nn.Identity(),
        }
        body = frozen[trainable].eval()
        if self.spec.mirror and trainable != "all":
            return _Mirrored(body, averages=trainable == "head").eval()
        return body

    def tail(self, trainable: Trainable) -> _End:
        """Return the part that trains, from the outputs of `body` to latents, logits.

        Its modules are those of this network, under the same parameter names, so
        training it trains this network.
        """
        if trainable == "all":
            return self
        return _Tail(self, with_last_block=trainable == "last_block")

    def grow_head(self, n_classes: int) -> None:
        """Give the head more classes; what it has learnt of the others stays.

        The rows of new classes are random, from torch's global generator.
        """
        old = self.head
        head = linear(old.in_features, n_classes).to(old.weight.device)
        with torch.no_grad():
            head.weight[: old.out_features] = old.weight
            head.bias[: old.out_features] = old.bias
        self.head = head
        self.spec = replace(self.spec, n_classes=n_classes)


class _Tail(_End):
    """The trained end of a `LatentClassifier`."""

    def __init__(self, classifier: LatentClassifier, *, with_last_block: bool) -> None:
        super().__init__()
        last_block = (
            classifier.backbone.last_block if with_last_block else nn.Identity()
        )
        self.backbone = nn.ModuleDict({"last_block": last_block})
        self.layout = classifier.backbone.layout if with_last_block else None
        self.mirror = with_last_block and classifier.spec.mirror
        self.embedding = classifier.embedding
        self.kernel = classifier.kernel
        self.head = classifier.head

    def features(self, given: Tensor) -> Tensor:
        given = given.flatten(0, 1) if self.mirror else given
        with mixed_precision(given.device):
            last = self.backbone["last_block"](given)
            found = with_layout(last, given, self.layout)
        if self.mirror:
            found = (found[::2] + found[1::2]) / 2
        return found.float()


class _Mirrored(nn.Module):
    """What a module makes of images and their mirror images: each, or the mean."""

    def __init__(self, module: nn.Module, *, averages: bool) -> None:
        super().__init__()
        self.module = module
        self.averages = averages

    def forward(self, images: Tensor) -> Tensor:
        both = torch.stack([self.module(images), self.module(images.flip(-1))], dim=1)
        return both.mean(dim=1) if self.averages else both


def linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a linear layer that may have no inputs or no outputs."""
    # torch warns of empty weights.
    layer = nn.Linear(max(n_inputs, 1), max(n_outputs, 1))
    layer.in_features, layer.out_features = n_inputs, n_outputs
    layer.weight = nn.Parameter(layer.weight[:n_outputs, :n_inputs].detach().clone())
    layer.bias = nn.Parameter(layer.bias[:n_outputs].detach().clone())
    return layer


def classifier_from(
    spec: ClassifierSpec, state: State | None = None, *, seed: int = 0
) -> LatentClassifier:
    """Build the network of a spec on the CPU, in evaluation mode.

    Parameters
    ----------
    state : mapping of str to array, optional
        All its weights, as from `state_of`; `spec.weights` is then not read. The
        state may have fewer classes than the spec: the head grows by random rows.
        Without a state the backbone starts as `spec.weights` says and the rest at
        random.
    seed : int
        Of the random weights; torch's global generator is left as it was.

    Raises
    ------
    SpaceEditingError
        If the backbone is unknown, or its weights or the state do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if state is None:
            return LatentClassifier(spec, build_backbone(spec)).eval()
        n_known = len(state["head.bias"]) if "head.bias" in state else 0
        known = replace(spec, weights=None, n_classes=min(n_known, spec.n_classes))
        landmarks = state.get("kernel.landmarks")
        n_landmarks = None if landmarks is None else len(landmarks)
        classifier = LatentClassifier(known, build_backbone(known), n_landmarks)
        load_state(classifier, state)
        classifier.grow_head(spec.n_classes)
        classifier.spec = spec
        return classifier.eval()


def state_of(classifier: nn.Module) -> dict[str, NDArray[Any]]:
    """Return copies of all weights and buffers by name, as arrays of their dtype."""
    return {
        name: value.detach().cpu().numpy().copy()
        for name, value in classifier.state_dict().items()
    }


def load_state(module: nn.Module, state: Mapping[str, NDArray[Any]]) -> None:
    """Put copies of arrays from `state_of` into a module of the same shape.

    Raises
    ------
    SpaceEditingError
        If names or shapes differ.
    """
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
    load_weights(module, tensors, "the saved network")
