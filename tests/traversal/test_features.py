from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_spaceediting.network.backbones import Backbone
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.features import (
    LayerFeatures,
    default_layers,
    usable_layers,
)
from napari_spaceediting.traversal.settings import TraversalError


def small(layers=None, **more) -> LayerFeatures:
    return LayerFeatures(classifier_from(ClassifierSpec(**more)), layers)


def images(n: int = 2, channels: int = 1, side: int = 28) -> torch.Tensor:
    values = np.random.default_rng(0).random((n, channels, side, side), np.float32)
    return torch.from_numpy(values)


def test_of_the_small_network_the_image_and_all_convolutions_are_taken():
    features = small()
    some = images()
    image, first, second, third = features.parts(some)
    torch.testing.assert_close(image, ((some - 0.5) / 0.25).flatten(1))
    trunk, last = features.backbone.trunk, features.backbone.last_block
    torch.testing.assert_close(first, trunk[:4](some).flatten(1))
    torch.testing.assert_close(second, trunk[:7](some).flatten(1))
    torch.testing.assert_close(third, last[:3](trunk(some)).flatten(1))
    assert features.sizes == (784, 16 * 14 * 14, 32 * 14 * 14, 128 * 7 * 7)
    torch.testing.assert_close(
        features(some), torch.cat([image, first, second, third], dim=1)
    )


def test_of_vgg19_the_layers_of_the_paper_are_taken():
    with torch.device("meta"):
        backbone = build_backbone(ClassifierSpec("vgg19", in_channels=3))
    spec = ClassifierSpec("vgg19", in_channels=3)
    classifier = LatentClassifier(spec, backbone)
    names = default_layers(classifier)
    modules = dict(backbone.named_modules())
    widths = []
    for name in names:
        parent, _, number = name.rpartition(".")
        assert isinstance(modules[name], nn.ReLU)
        widths.append(modules[f"{parent}.{int(number) - 1}"].out_channels)
    assert widths == [256, 512, 512]
    # The first convolution of each block comes after its pooling.
    before = modules["trunk.1.9"], modules["trunk.1.18"], modules["trunk.1.27"]
    assert all(isinstance(module, nn.MaxPool2d) for module in before)


def test_for_other_networks_sizes_from_fine_to_coarse_are_chosen():
    spec = ClassifierSpec("resnet18", in_channels=3, image_size=(64, 64))
    features = LayerFeatures(classifier_from(spec))
    # Maps of 16, 8 and 4 pixels, after the blocks of 64, 128 and 256 maps.
    assert features.sizes == (64 * 16**2, 128 * 8**2, 256 * 4**2)


def test_layers_that_work_in_place_are_kept_as_they_were():
    trunk = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True))
    spec = ClassifierSpec("own", image_size=(8, 8))
    classifier = LatentClassifier(spec, Backbone(trunk, nn.Flatten(), 4 * 36))
    features = LayerFeatures(classifier, ["trunk.0"])
    assert (features(images(side=8)) < 0).any()


def test_a_layer_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(TraversalError, match=r'"conv9".*trunk\.3'):
        small(["trunk.3", "conv9"])
    with pytest.raises(TraversalError, match=r"no layer chosen.*trunk\.3"):
        small([])


def test_a_network_without_maps_asks_for_names():
    spec = ClassifierSpec("own", image_size=(8, 8))
    backbone = Backbone(nn.Flatten(), nn.Linear(64, 5), 5)
    with pytest.raises(TraversalError, match="name the layers"):
        LayerFeatures(LatentClassifier(spec, backbone))
    named = LayerFeatures(LatentClassifier(spec, backbone), ["last_block"])
    assert named.sizes == (5,)


def test_gradients_reach_the_images_only():
    features = small(in_channels=3)
    some = images(channels=3).requires_grad_()
    features(some).square().sum().backward()
    assert some.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in features.parameters())


class Residual(nn.Module):
    """A trunk of a class of its own, as users' networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1))
        self.blocks = nn.ModuleList(
            [nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1)]
        )
        self.again = self.stem[1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.stem(images)
        for block in self.blocks:
            maps = block(maps)
        return maps


def own(side: int = 64) -> LatentClassifier:
    last = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.Flatten())
    spec = ClassifierSpec("own", image_size=(side, side))
    return LatentClassifier(spec, Backbone(Residual(), last, 8 * (side // 32) ** 2))


def test_of_a_trunk_of_any_class_strides_4_8_and_16_are_taken():
    assert default_layers(own()) == ("trunk.stem.1", "trunk.blocks.0", "trunk.blocks.1")


def test_what_is_behind_the_last_layer_is_not_computed():
    classifier = own()
    features = LayerFeatures(classifier, ["trunk.stem.1", "trunk.blocks.0"])
    ran = []
    classifier.backbone.trunk.blocks[1].register_forward_hook(
        lambda *_: ran.append(True)
    )
    some = images(side=64)
    alone = features.parts(some)
    assert not ran
    with torch.no_grad():
        parts, latents, _ = features.look(some)
        expected, _ = classifier(some)
    assert ran
    torch.testing.assert_close(latents, expected)
    for part, same in zip(parts, alone, strict=True):
        torch.testing.assert_close(part, same)
    assert features.shapes == ((4, 16, 16), (6, 8, 8))


def test_the_order_of_calls_does_not_change_the_parts():
    classifier = own()
    features = LayerFeatures(classifier)
    some = images(side=64)
    before = features.parts(some)
    # Runs the network on another image, with the hooks in place.
    default_layers(classifier)
    for part, same in zip(features.parts(some), before, strict=True):
        torch.testing.assert_close(part, same)


def test_the_stages_of_a_model_of_timm_can_be_chosen():
    spec = ClassifierSpec("timm:test_resnet", image_size=(64, 64))
    classifier = classifier_from(spec)
    layers = {layer.name: layer.shape for layer in usable_layers(classifier)}
    sides = [layers[name][-1] for name in default_layers(classifier)]
    assert sides == [40, 20, 10]
