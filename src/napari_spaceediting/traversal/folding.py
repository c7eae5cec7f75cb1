"""Convolutions that do what the normalisations behind them do: the same, sooner."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

_CLOSE = 1e-3


def fold_normalisations(
    backbone: nn.Module, image: Tensor, kept: Collection[str]
) -> None:
    """Fold each batch normalisation into the convolution before it.

    Both are linear while nothing is learnt. Where an output of a convolution goes
    elsewhere, too, so that the network would say something else, all is left as it was.

    Parameters
    ----------
    backbone : Module
        In evaluation mode; is changed.
    image : (1, C, H, W) float32 tensor
        Shows what follows what.
    kept : collection of str
        Names of modules whose outputs must stay as they are.
    """
    names = {module: name for name, module in backbone.named_modules()}
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(module, nn.Conv2d):
            outputs[id(output)] = module, output  # kept, so that no other has its id
        elif type(module) is nn.BatchNorm2d and id(inputs[0]) in outputs:
            pairs.append((outputs[id(inputs[0])][0], module))

    hooks = [module.register_forward_hook(note) for module in names]
    with torch.no_grad():
        before = backbone(image)
    for hook in hooks:
        hook.remove()
    folded = []
    for convolution, normalisation in pairs:
        mean, variance = normalisation.running_mean, normalisation.running_var
        if names[convolution] in kept or mean is None or variance is None:
            continue
        folded.append((convolution, convolution.weight, convolution.bias))
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            mean,
            variance,
            normalisation.eps,
            normalisation.weight,
            normalisation.bias,
        )
        _put(backbone, names[normalisation], nn.Identity())
    with torch.no_grad():
        far = (backbone(image) - before).abs().max()
    if not far <= _CLOSE * before.abs().max():
        for convolution, weight, bias in reversed(folded):
            convolution.weight, convolution.bias = weight, bias
        for _, normalisation in pairs:
            _put(backbone, names[normalisation], normalisation)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
