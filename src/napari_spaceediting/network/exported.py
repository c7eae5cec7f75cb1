"""Networks in files of torch: exported programs (.pt2) and TorchScript (.pt)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_spaceediting.errors import SpaceEditingError, reason_of
from napari_spaceediting.network.backbones import Backbone, Prepare
from napari_spaceediting.network.spec import FILE, ClassifierSpec


def build(spec: ClassifierSpec) -> Backbone:
    """Build the network in the file that a spec names as "file:PATH".

    It maps images, float32 (n, C, H, W) in [0, 1], to vectors (n, F), and brings
    whatever else it needs, such as the normalisation of intensities. Of several outputs
    the first is taken. Where an exported program is for one size, images are brought to
    it, and grey ones are repeated where it takes three channels.

    Raises
    ------
    SpaceEditingError
        If the file is missing, holds no such network, or fits no batch of these images.
    """
    path = Path(spec.backbone.removeprefix(FILE))
    if not path.is_file():
        raise SpaceEditingError(
            f"The network {path} is missing: put it back, or train another one."
        )
    module, shape = _opened(path)
    channels = shape[0] or (3 if spec.in_channels == 1 else spec.in_channels)
    if spec.in_channels not in (1, channels):
        raise SpaceEditingError(
            f"{path.name} takes images of {channels} channels, and these have "
            f"{spec.in_channels}: choose another network."
        )
    height, width = spec.image_size
    size = shape[1] or height, shape[2] or width
    trunk = nn.Sequential(
        Prepare([0.0] * channels, [1.0] * channels, size=size), _Whole(module)
    )
    try:
        with torch.no_grad():
            found = trunk(torch.zeros(2, spec.in_channels, height, width))
    except Exception as error:  # whatever it does
        raise SpaceEditingError(
            f"{path.name} cannot take two images at once, {channels} x {size[0]} x "
            f"{size[1]} px ({reason_of(error)}): export it with a dynamic batch size "
            "and for such images."
        ) from error
    if not isinstance(found, Tensor) or found.ndim < 2 or len(found) != 2:
        raise SpaceEditingError(
            f"{path.name} makes no vector of each image: export what maps images to "
            "features, (n, channels, height, width) to (n, features)."
        )
    return Backbone(trunk, nn.Flatten(), found[0].numel())


def _opened(path: Path) -> tuple[Any, tuple[int | None, int | None, int | None]]:
    """Return a network, and channels, height and width where they are fixed."""
    try:
        if path.suffix.lower() != ".pt2":
            with warnings.catch_warnings():
                # Files of it will be there longer than it is made.
                warnings.filterwarnings("ignore", ".*is deprecated", FutureWarning)
                script = torch.jit.load(  # type: ignore[no-untyped-call]
                    path, map_location="cpu"
                )
            return script, (None, None, None)
        program = torch.export.load(path)
    except Exception as error:  # whatever a broken file gives rise to
        raise SpaceEditingError(
            f"{path.name} cannot be read as a network ({reason_of(error)}): save it "
            "with torch.export.save as .pt2, or with torch.jit.save."
        ) from error
    (name, *_) = program.graph_signature.user_inputs
    taken = next(node for node in program.graph.nodes if node.name == name)
    sides = [
        side if isinstance(side, int) else None for side in taken.meta["val"].shape
    ]
    if len(sides) != 4:
        raise SpaceEditingError(
            f"{path.name} takes {len(sides)} axes: export what takes images, (n, "
            "channels, height, width)."
        )
    return program.module(), (sides[1], sides[2], sides[3])


class _Whole(nn.Module):
    """A network as it was exported, which trains and is judged in the same way."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> _Whole:
        """Take note; what was exported knows no other mode."""
        self.training = mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        found = self.network(images)
        if isinstance(found, (tuple, list)):
            found = found[0]
        return found  # type: ignore[no-any-return]
