"""Outputs of several layers of a network, as one vector for each image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from napari_spaceediting.network.backbones import Foreign, Prepare
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import torch_errors_in_words
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.folding import fold_normalisations
from napari_spaceediting.traversal.layers import Layer
from napari_spaceediting.traversal.settings import TraversalError

_LAYERS = {
    "small_cnn": ("trunk.0", "trunk.3", "trunk.6", "last_block.2"),
    "vgg19": ("trunk.1.11", "trunk.1.20", "last_block.0.29"),
}
"""The image and after the ReLU of each convolution; conv3_1, conv4_1 and conv5_1."""

_STRIDES = 2, 3, 4
"""As powers of 2."""

_SMOOTHING = (
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.BatchNorm2d,
    nn.Dropout,
)
"""What belongs to the layer before it, whose outcome it is."""


class _Enough(Exception):
    """The last layer that is wanted has given its output."""


class LayerFeatures(nn.Module):
    """The outputs of some modules of a backbone, flattened and concatenated.

    Parameters
    ----------
    classifier : LatentClassifier
        Put into evaluation mode, without gradients for its weights; it and this module
        share them, and it must be used for nothing else.
    layers : sequence of str, optional
        Names of modules in `classifier.backbone`; `default_layers` if not given.

    Attributes
    ----------
    layers : tuple of str
        Those names.
    shapes : tuple of tuple of int
        Of the output of each layer for one image.
    sizes : tuple of int
        Features of each layer; D is their sum.

    Raises
    ------
    TraversalError
        If there is no such module; the sentence lists those that there are.
    """

    def __init__(
        self, classifier: LatentClassifier, layers: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.backbone = classifier.backbone.eval().requires_grad_(requires_grad=False)
        for module in self.backbone.modules():
            # What works in place would overwrite the outputs that are kept.
            if hasattr(module, "inplace"):
                setattr(module, "inplace", False)  # noqa: B010
        # Processors filter much sooner what lies together by pixel.
        self.backbone.to(memory_format=torch.channels_last)
        image = _blank(classifier.spec)
        if layers is None:
            layers = default_layers(classifier)
        known = [name for name, _ in self.backbone.named_modules() if name]
        unknown = [name for name in layers if name not in known]
        if unknown or not layers:
            wanted = f'no layer "{unknown[0]}"' if unknown else "no layer chosen"
            usable = [layer.name for layer in usable_layers(classifier)]
            raise TraversalError(f"There is {wanted}: choose from {', '.join(usable)}.")
        self.layers = tuple(layers)
        with torch_errors_in_words():
            slope = torch.linspace(0, 1, image.numel()).view_as(image)
            fold_normalisations(self.backbone, slope, self.layers)
        self._classifier = [classifier]  # no part of this module
        self._outputs: dict[str, Tensor] = {}
        self._stops = False
        for name in self.layers:
            self.backbone.get_submodule(name).register_forward_hook(
                partial(self._keep, name)
            )
        self.shapes: tuple[tuple[int, ...], ...] = ()
        with torch_errors_in_words(), torch.no_grad():
            self.sizes = tuple(part.shape[1] for part in self.parts(image))

    def parts(self, images: Tensor) -> list[Tensor]:
        """Return the features of images (n, C, H, W), (n, D_l) for each layer.

        What is behind the last of these layers is not computed.
        """
        self._outputs.clear()
        self._stops = True
        try:
            self.backbone(images.contiguous(memory_format=torch.channels_last))
        except _Enough:
            pass
        finally:
            self._stops = False
        return self._taken()

    def look(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Return the `parts` of images and what the network makes of them.

        Returns
        -------
        parts : list of (n, D_l) tensor
        latents : (n, D) tensor
        probabilities : (n, classes) tensor
        """
        self._outputs.clear()
        latents, logits = self._classifier[0](
            images.contiguous(memory_format=torch.channels_last)
        )
        return self._taken(), latents, logits.softmax(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (n, D) of images (n, C, H, W) in [0, 1]."""
        return torch.cat(self.parts(images), dim=1)

    def _keep(self, name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._outputs[name] = output
        if self._stops and len(self._outputs) == len(set(self.layers)):
            raise _Enough

    def _taken(self) -> list[Tensor]:
        outputs = [self._outputs[name] for name in self.layers]
        self.shapes = tuple(tuple(output.shape[1:]) for output in outputs)
        return [output.flatten(1) for output in outputs]


def default_layers(classifier: LatentClassifier) -> tuple[str, ...]:
    """Choose some layers of a backbone.

    For `small_cnn`, those after each convolution and the image itself: the first of its
    convolutions halves the resolution and its normalisation takes away the contrast,
    so that these would be made up else. For `vgg19`, those of the paper (Gardner et
    al., arXiv 1511.06421: conv3_1, conv4_1 and conv5_1, after the ReLU). For others,
    the last with maps of a 4th, an 8th and a 16th of the size of the image that the
    network sees; where there are none, the last of each size.

    Raises
    ------
    TraversalError
        If no module gives maps.
    """
    name = classifier.spec.backbone
    if name in _LAYERS:
        return _LAYERS[name]
    outputs = _outputs(classifier)
    side = min(classifier.spec.image_size)
    for _, module, shape in outputs:
        if isinstance(module, Prepare):
            side = min(shape[1:])
    found = {
        shape[1:] or shape[:1]: layer
        for layer, module, shape in outputs
        if len(shape) >= 2 and not isinstance(module, Prepare)
    }
    strides = {
        round(math.log2(side / min(size))): layer
        for size, layer in found.items()
        if len(size) == 2
    }
    if wanted := [strides[power] for power in _STRIDES if power in strides]:
        return tuple(wanted)
    if not found:
        raise TraversalError(
            f"No layer of {name} gives maps: name the layers that make the features."
        )
    return tuple(found.values())


def usable_layers(classifier: LatentClassifier) -> tuple[Layer, ...]:
    """Return the layers of a backbone that can make features, from the image on.

    A normalisation or activation stands for the layer before it as well. Further
    modules, within the blocks of a network, can be used by their names.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network.
    """
    try:
        defaults = default_layers(classifier)
    except TraversalError:
        defaults = ()
    outputs = _outputs(classifier)
    following = [*((module, shape) for _, module, shape in outputs[1:]), (None, ())]
    return tuple(
        Layer(name, shape, isinstance(module, Prepare), name in defaults)
        for (name, module, shape), (next_module, next_shape) in zip(
            outputs, following, strict=True
        )
        if name in defaults
        or not (isinstance(next_module, _SMOOTHING) and shape == next_shape)
    )


def _outputs(
    classifier: LatentClassifier,
) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Return stages that give a tensor, with its shape for one image, in order."""
    backbone = classifier.backbone.eval()
    found: list[tuple[str, nn.Module, tuple[int, ...]]] = []

    def note(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found.append((name, module, tuple(output.shape[1:])))

    seen: set[nn.Module] = set()
    hooks = [
        module.register_forward_hook(partial(note, name))
        for part in ("trunk", "last_block")
        for name, module in _stages(part, backbone.get_submodule(part), seen, True)
    ]
    try:
        with torch_errors_in_words(), torch.no_grad():
            backbone(_blank(classifier.spec))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _stages(
    name: str, module: nn.Module, seen: set[nn.Module], is_root: bool = False
) -> Iterator[tuple[str, nn.Module]]:
    """Yield what a part and the sequences within it are made of, each once."""
    if isinstance(module, Foreign):
        name, module, is_root = f"{name}.network", module.network, True
    children = list(module.named_children())
    if module in seen:
        return
    seen.add(module)
    if children and (is_root or type(module) in (nn.Sequential, nn.ModuleList)):
        for child, inner in children:
            yield from _stages(f"{name}.{child}", inner, seen)
    else:
        yield name, module


def _blank(spec: ClassifierSpec) -> Tensor:
    return torch.zeros(1, spec.in_channels, *spec.image_size)
