"""Backbones for the tests of several processes, which import this module."""

from __future__ import annotations

import os
import signal

from torch import Tensor, nn

from napari_spaceediting.network.backbones import Backbone
from napari_spaceediting.network.spec import ClassifierSpec

STOP_AFTER = "TEST_STOP_AFTER_CALLS"


class Fatal(nn.Module):
    """Kills its process at one of its calls, where the environment says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > int(os.environ.get(STOP_AFTER, 1_000_000)):
            os.kill(os.getpid(), signal.SIGKILL)
        return inputs


def normed(spec: ClassifierSpec) -> Backbone:
    """Return a small network whose batches are normalised in both of its parts."""
    # A bias before a batch norm has no effect, and a gradient of rounding errors alone.
    first = nn.Conv2d(spec.in_channels, 4, 3, stride=2, bias=False)
    trunk = nn.Sequential(Fatal(), first, nn.BatchNorm2d(4))
    last_block = nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )
    return Backbone(trunk, last_block, 24)
