"""Networks that turn images into features: what one is made of, and our own."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.spec import (
    PUBLISHED,
    PUBLISHED_BACKBONES,
    ClassifierSpec,
)

_CELLS, _MOST_NUMBERS = 4, 4_096
"""Cells along a side of the grid, and numbers that it has in all, at most."""


class Backbone(nn.Module):
    """A network from images to features, in two parts.

    Parameters
    ----------
    trunk : torch.nn.Module
        From images, float32 (n, C, H, W) in [0, 1], to activations. It begins with
        whatever the images need first, such as `Prepare`.
    last_block : torch.nn.Module
        From those activations to features (n, F). This is what trains, beside the
        head, where `trainable` is "last_block". `nn.Flatten()` if there is nothing
        to split off.
    n_features : int
        F.

    Attributes
    ----------
    layout : Layout or None
        What puts the layout of the activations beside the features, which F counts.
    """

    layout: Layout | None

    def __init__(
        self, trunk: nn.Module, last_block: nn.Module, n_features: int
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.last_block = last_block
        self.n_features = n_features
        self.layout = None

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (n, F) of images (n, C, H, W) in [0, 1]."""
        activations = self.trunk(images)
        return with_layout(self.last_block(activations), activations, self.layout)

    @property
    def is_split(self) -> bool:
        """Whether something that can train is split off the trunk."""
        return any(True for _ in self.last_block.parameters())

    def add_layout(self, shape: Sequence[int]) -> None:
        """Put the layout of the activations beside the features, where there is one.

        There is none of tokens, and of maps that the last block only averages: what
        that would bring has not been measured.

        Parameters
        ----------
        shape : sequence of int
            Of the activations of one image.
        """
        if len(shape) == 3 and self.is_split:
            self.layout = Layout(shape)
            self.n_features += self.layout.n_features


class Layout(nn.Module):
    """Where in an image things are: means of maps over the cells of a grid.

    Of each image they are scaled so that they have as much of the squared distance
    between `kernel_ridge.roots` as the features beside which they stand.

    Parameters
    ----------
    shape : sequence of int
        Channels, height and width of the maps.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        n_maps, *sides = shape
        most = min(_CELLS, isqrt(_MOST_NUMBERS // n_maps))
        cells = [max(1, min(side, most)) for side in sides]
        self.n_features = n_maps * cells[0] * cells[1]
        for name, side, count in zip(("rows", "columns"), sides, cells, strict=True):
            self.register_buffer(name, _means(side, count), persistent=False)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """Return features (n, F) and, beside them, the cells of maps, (n, F + G)."""
        cells = (self.rows @ maps @ self.columns.T).flatten(1)
        wanted, given = (one.abs().sum(1, keepdim=True) for one in (features, cells))
        return torch.cat([features, cells * (wanted / given.clamp_min(1e-12))], dim=1)


def with_layout(features: Tensor, activations: Tensor, layout: Layout | None) -> Tensor:
    """Return features, and beside them the layout of activations if it is wanted."""
    if layout is None:
        return features
    found: Tensor = layout(features, activations)
    return found


def _means(side: int, count: int) -> Tensor:
    """Return the (count, side) matrix by which parts of a side are averaged."""
    means = torch.zeros(count, side)
    for part in range(count):
        inside = slice(part * side // count, -(-(part + 1) * side // count))
        means[part, inside] = 1 / (inside.stop - inside.start)
    return means


class Foreign(nn.Module):
    """A network of others as a part of a backbone; its children are stages of that.

    Parameters
    ----------
    network : torch.nn.Module
        How it is run is for who inherits this to say.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class Prepare(nn.Module):
    """Bring images to the size, channels and value range that a network expects.

    Parameters
    ----------
    mean, std : sequence of float
        Per channel; images become (image - mean) / std.
    size : tuple of int, optional
        Height and width that every image is brought to.
    min_side : int
        Images whose shorter side is below it are enlarged, keeping their aspect.
    mode : {"bilinear", "bicubic"}
        How both are done.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        size: tuple[int, int] | None = None,
        min_side: int = 0,
        mode: str = "bilinear",
    ) -> None:
        super().__init__()
        # Constants of the architecture, so they are no part of the weights.
        self.register_buffer(
            "mean", torch.tensor(mean).view(-1, 1, 1), persistent=False
        )
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.size = size
        self.min_side = min_side
        self.mode = mode

    def forward(self, images: Tensor) -> Tensor:
        """Return prepared images; one channel is repeated where more are expected."""
        height, width = images.shape[-2:]
        size = self.size
        if size is None and min(height, width) < self.min_side:
            factor = self.min_side / min(height, width)
            size = (round(height * factor), round(width * factor))
        if size is not None and size != (height, width):
            shrinks = size[0] < height or size[1] < width
            images = F.interpolate(images, size, mode=self.mode, antialias=shrinks)
        return (images - self.mean) / self.std


class Quarters(nn.Module):
    """Take the largest value in each quarter of a map: (n, C, H, W) to (n, 4 C).

    The same as adaptive maximum pooling to 2 × 2 (an odd middle row or column belongs
    to both halves), which Apple's GPU does not have for every size.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled features."""
        height, width = (-(-side // 2) for side in maps.shape[-2:])
        quarters = [
            half[..., columns].amax(dim=(-2, -1))
            for half in (maps[..., :height, :], maps[..., -height:, :])
            for columns in (slice(width), slice(-width, None))
        ]
        return torch.cat(quarters, dim=1)


def small_cnn(spec: ClassifierSpec) -> Backbone:
    """Return a small network for images of 8 to 96 px: 512 features.

    It sees images in `spec.image_size`; larger ones are shrunk for it.

    Three convolutions (16, 32 and 128 maps) pooled to 2 × 2. The last of them is the
    last block. Normalisation by groups (Wu & He 2018) and of the features makes it
    learn fast and from few labels and, unlike that of batches, gives an image the same
    features whatever is beside it.
    """
    if spec.weights == PUBLISHED:
        raise SpaceEditingError(
            "There are no published weights for small_cnn: leave the weights empty, or "
            f"choose one of {', '.join(PUBLISHED_BACKBONES)}."
        )
    trunk = nn.Sequential(
        Prepare(
            [0.5] * spec.in_channels, [0.25] * spec.in_channels, size=spec.image_size
        ),
        *_convolution(spec.in_channels, 16, 4, stride=2),
        *_convolution(16, 32, 3),
        nn.MaxPool2d(2),
    )
    n_features = 4 * 128
    last_block = nn.Sequential(
        *_convolution(32, 128, 3), Quarters(), nn.LayerNorm(n_features)
    )
    return Backbone(trunk, last_block, n_features)


def embeddings(spec: ClassifierSpec) -> Backbone:
    """Return what hands embeddings on, each an image (1, 1, F), as features."""
    channels, (height, width) = spec.in_channels, spec.image_size
    return Backbone(nn.Identity(), nn.Flatten(), channels * height * width)


def _convolution(
    n_inputs: int, n_outputs: int, side: int, stride: int = 1
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_inputs, n_outputs, side, stride, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # He et al. 2015
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution, nn.GroupNorm(8, n_outputs), nn.ReLU()
