"""Random changes of images, a whole batch at a time, different for each image."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def shift_and_scale(
    images: Tensor,
    generator: torch.Generator,
    *,
    shift: float = 0.1,
    scale: tuple[float, float] = (0.9, 1.1),
    rotation: float = 10.0,
) -> Tensor:
    """Move, resize and turn each image a little, about its centre.

    Nothing is mirrored: left and right may be what tells two classes apart.

    Parameters
    ----------
    images : (n, C, H, W) tensor
        What comes in from outside is what is nearest at the border.
    generator : torch.Generator
        On the CPU.
    shift : float
        At most, as a part of the side.
    scale : tuple of float
        Least and greatest part of the side that is seen; below 1 enlarges.
    rotation : float
        At most, in degrees.
    """
    n = len(images)
    angle = _uniform(n, -rotation, rotation, generator) * math.pi / 180
    size = torch.exp(_uniform(n, math.log(scale[0]), math.log(scale[1]), generator))
    cos, sin = size * angle.cos(), size * angle.sin()
    x, y = (2 * _uniform(n, -shift, shift, generator) for _ in range(2))
    affine = torch.stack([cos, -sin, x, sin, cos, y], dim=1).view(n, 2, 3)
    grid = F.affine_grid(
        affine.to(images.device), list(images.shape), align_corners=False
    )
    return F.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def jitter(
    images: Tensor,
    generator: torch.Generator,
    *,
    contrast: float = 0.4,
    brightness: float = 0.2,
) -> Tensor:
    """Change contrast (factor 1 ± `contrast`) and brightness (± `brightness`)."""
    n = len(images)
    factor = _uniform(n, 1 - contrast, 1 + contrast, generator).view(n, 1, 1, 1)
    offset = _uniform(n, -brightness, brightness, generator).view(n, 1, 1, 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    changed = (images - mean) * factor.to(images) + mean + offset.to(images)
    return changed.clamp(0, 1)


def erase(images: Tensor, generator: torch.Generator, *, part: float = 0.3) -> Tensor:
    """Replace a square of each image, `part` of the sides wide, by the image's mean."""
    n, _, height, width = images.shape
    top = _uniform(n, 0, 1 - part, generator).view(n, 1, 1, 1)
    left = _uniform(n, 0, 1 - part, generator).view(n, 1, 1, 1)
    y = (torch.arange(height) / height).view(1, 1, -1, 1)
    x = (torch.arange(width) / width).view(1, 1, 1, -1)
    inside = (y >= top) & (y < top + part) & (x >= left) & (x < left + part)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(inside.to(images.device), mean, images)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)
