"""Backbones of torchvision, with published, local or random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.backbones import Backbone, Prepare
from napari_spaceediting.network.spec import PUBLISHED, ClassifierSpec
from napari_spaceediting.network.weights import load_weights, read_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MIN_SIDE = 64
"""Pixels that images are enlarged to at least: these networks shrink by 32."""

Parts = tuple[nn.Module, nn.Module, int]


class _GlobalAverage(nn.Module):
    """Average over each feature map: (n, F, H, W) to (n, F)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(-2, -1))


def _resnet(model: Any) -> Parts:
    parts = list(model.children())  # the last two average and classify
    last_block = nn.Sequential(parts[-3], _GlobalAverage())
    return nn.Sequential(*parts[:-3]), last_block, model.fc.in_features


def _inverted_residuals(model: Any) -> Parts:
    # The last block and the convolution that widens its outputs.
    last_block = nn.Sequential(model.features[-2:], _GlobalAverage())
    linear = next(part for part in model.classifier if isinstance(part, nn.Linear))
    return model.features[:-2], last_block, linear.in_features


def _convnext(model: Any) -> Parts:
    norm, linear = model.classifier[0], model.classifier[-1]
    last_block = nn.Sequential(model.features[-1], model.avgpool, norm, nn.Flatten())
    return model.features[:-1], last_block, linear.in_features


def _vgg(model: Any) -> Parts:
    # Convolutions 5_1 to 5_4; averaged, for the three linear layers after them hold
    # 120 million weights.
    last_block = nn.Sequential(model.features[28:], _GlobalAverage())
    return model.features[:28], last_block, 512


def _vit(model: Any) -> Parts:
    return _VitTrunk(model), _VitEnd(model), model.hidden_dim


class _VitTrunk(nn.Module):
    """Patches, class token, positions and all layers of a transformer but the last."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.patches = model.conv_proj
        self.class_token = model.class_token
        self.positions = model.encoder.pos_embedding
        self.layers = model.encoder.layers[:-1]

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        token = self.class_token.expand(patches.shape[0], -1, -1)
        tokens: Tensor = self.layers(
            torch.cat([token, patches], dim=1) + self.positions
        )
        return tokens


class _VitEnd(nn.Module):
    """The last layer of a transformer; the class token is the feature."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.layer = model.encoder.layers[-1]
        self.norm = model.encoder.ln

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.norm(self.layer(tokens))[:, 0]
        return features


@dataclass(frozen=True)
class _Family:
    split: Callable[[Any], Parts]
    head: str  # the published classification head, which is not used
    size: tuple[int, int] | None = None


_FAMILIES = {
    "resnet18": _Family(_resnet, "fc."),
    "resnet50": _Family(_resnet, "fc."),
    "mobilenet_v3_small": _Family(_inverted_residuals, "classifier."),
    "mobilenet_v3_large": _Family(_inverted_residuals, "classifier."),
    "efficientnet_b0": _Family(_inverted_residuals, "classifier."),
    "convnext_tiny": _Family(_convnext, "classifier.2."),  # 0 is a normalisation
    "vit_b_16": _Family(_vit, "heads.", size=(224, 224)),
    "vgg19": _Family(_vgg, "classifier."),
}


def build(name: str, spec: ClassifierSpec) -> Backbone:
    """Build a backbone of torchvision.

    Images are normalised as the published weights expect. Their shorter side is
    enlarged to `MIN_SIDE` if it is below; the transformer takes 224 × 224 always. Grey
    images are repeated to three channels. For other numbers of channels, the first
    convolution gets the mean of its weights over red, green and blue for each channel,
    scaled by 3 / channels so that its outputs keep their size.

    Raises
    ------
    SpaceEditingError
        If the published weights cannot be fetched, or local ones do not fit.
    """
    family = _FAMILIES[name]
    if spec.weights == PUBLISHED:
        model = _fetch(name)
    else:
        model = get_model(name)
        if spec.weights is not None:
            load_weights(
                model,
                read_weights(spec.weights),
                Path(spec.weights).name,
                ignore=lambda key: key.startswith(family.head),
            )
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    if spec.in_channels not in (1, 3):
        _adapt_first_convolution(model, spec.in_channels)
        mean = (sum(mean) / 3,) * spec.in_channels
        std = (sum(std) / 3,) * spec.in_channels
    trunk, last_block, n_features = family.split(model)
    prepare = Prepare(mean, std, size=family.size, min_side=MIN_SIDE)
    return Backbone(nn.Sequential(prepare, trunk), last_block, n_features)


def _fetch(name: str) -> nn.Module:
    weights = get_model_weights(name).DEFAULT
    try:
        model: nn.Module = get_model(name, weights=weights)
    except (OSError, RuntimeError) as error:  # no network; a broken download
        raise SpaceEditingError(
            f"The published weights of {name} could not be fetched from {weights.url}: "
            "check the network connection, or download that file elsewhere and give "
            "its path instead."
        ) from error
    return model


def _adapt_first_convolution(model: nn.Module, in_channels: int) -> None:
    name, old = next(
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    )
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        mean = old.weight.mean(dim=1, keepdim=True)
        new.weight.copy_((mean * 3 / in_channels).expand_as(new.weight))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, new)
