"""The network: backbone, embedding layer (the latents) and classification head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.network.backbones import Backbone
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.device import mixed_precision
from napari_spaceediting.network.spec import ClassifierSpec, State, Trainable
from napari_spaceediting.network.weights import load_weights


class LatentClassifier(nn.Module):
    """A classifier whose embedding layer gives the latents that are edited.

    ``latents = ReLU(embedding(backbone(images)))``, ``logits = head(latents)``. The
    backbone computes in `mixed_precision`, the two layers behind it in float32.

    Parameters
    ----------
    spec : ClassifierSpec
        With C = `spec.n_classes`, which may be 0, and D = `spec.latent_dim`.
    backbone : Backbone
        From images to F features.
    """

    def __init__(self, spec: ClassifierSpec, backbone: Backbone) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = backbone
        self.embedding = nn.Linear(backbone.n_features, spec.latent_dim)
        self.head = _linear(spec.latent_dim, spec.n_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents (n, D) and logits (n, C) of images (n, channels, H, W)."""
        with mixed_precision(images.device):
            features = self.backbone(images)
        return self.classify(features.float())

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents (n, D) and logits (n, C) of features (n, F)."""
        latents = torch.relu(self.embedding(features))
        return latents, self.head(latents)

    def body(self, trainable: Trainable) -> nn.Module:
        """Return the frozen part, whose outputs stay the same during a training.

        Its modules are those of this network, put into evaluation mode. It gives
        features (n, F) for "head", the trunk's activations for "last_block" and the
        images themselves for "all".
        """
        frozen: dict[Trainable, nn.Module] = {
            "head": self.backbone,
            "last_block": self.backbone.trunk,
            "all": nn.Identity(),
        }
        return frozen[trainable].eval()

    def tail(self, trainable: Trainable) -> nn.Module:
        """Return the part that trains, from the outputs of `body` to latents, logits.

        Its modules are those of this network, under the same parameter names, so
        training it trains this network.
        """
        if trainable == "all":
            return self
        return _Tail(self, with_last_block=trainable == "last_block")

    def renew_end(self) -> None:
        """Begin anew with random embedding and head, from torch's global generator."""
        spec, n_features = self.spec, self.backbone.n_features
        self.embedding = nn.Linear(n_features, spec.latent_dim)
        self.head = _linear(spec.latent_dim, spec.n_classes)

    def grow_head(self, n_classes: int) -> None:
        """Give the head more classes; what it has learnt of the others stays.

        The rows of new classes are random, from torch's global generator.

        Raises
        ------
        ValueError
            If there would be fewer classes than before.
        """
        old = self.head
        if n_classes < old.out_features:
            raise ValueError(
                f"a head of {old.out_features} cannot shrink to {n_classes}"
            )
        head = _linear(old.in_features, n_classes).to(old.weight.device)
        with torch.no_grad():
            head.weight[: old.out_features] = old.weight
            head.bias[: old.out_features] = old.bias
        self.head = head
        self.spec = replace(self.spec, n_classes=n_classes)


class _Tail(nn.Module):
    """The trained end of a `LatentClassifier`."""

    def __init__(self, classifier: LatentClassifier, *, with_last_block: bool) -> None:
        super().__init__()
        last_block = (
            classifier.backbone.last_block if with_last_block else nn.Identity()
        )
        self.backbone = nn.ModuleDict({"last_block": last_block})
        self.embedding = classifier.embedding
        self.head = classifier.head

    def forward(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        with mixed_precision(activations.device):
            features = self.backbone["last_block"](activations)
        latents = torch.relu(self.embedding(features.float()))
        return latents, self.head(latents)


def _linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a linear layer that may have no outputs at all."""
    layer = nn.Linear(n_inputs, max(n_outputs, 1))  # torch warns of empty weights
    if n_outputs == 0:
        layer.out_features = 0
        layer.weight = nn.Parameter(layer.weight[:0].detach().clone())
        layer.bias = nn.Parameter(layer.bias[:0].detach().clone())
    return layer


def classifier_from(
    spec: ClassifierSpec, state: State | None = None, *, seed: int = 0
) -> LatentClassifier:
    """Build the network of a spec on the CPU, in evaluation mode.

    Parameters
    ----------
    spec : ClassifierSpec
        What to build.
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
        classifier = LatentClassifier(known, build_backbone(known))
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
