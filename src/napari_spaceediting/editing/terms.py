"""The terms of the editing loss.

`objectives` makes of them what the user chose, and `fine_tune` adds it to the
cross-entropy.
v is the variance of the old latents, summed over dimensions, so that the weights need
no tuning to the scale of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def regression(
    latents: Tensor, targets: Tensor, variance: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Mean squared distance of latents to their targets, over the variance.

    Parameters
    ----------
    latents, targets : (m, D) tensors
        Where the images are and where they shall be.
    variance : scalar tensor
        Variance of the old latents, summed over dimensions.
    weights : (m,) tensor, optional
        Of each image.
    """
    squared = (latents - targets).square().sum(dim=1) / variance
    return squared.mean() if weights is None else (weights * squared).mean()


def sammon_stress(latents: Tensor, positions: Tensor, scale: Tensor) -> Tensor:
    """Sammon's stress between latent distances and those of an arrangement.

    Sum over pairs of (d_latent - d)^2 / d, over the sum of d, with d the distance on
    the map times `scale` (Sammon 1969, used as inverse multidimensional scaling as in
    Lin et al., arXiv 2408.03845, which has no weights). Distances below a thousandth
    of their mean count as that; an arrangement in a single place has no stress.

    Parameters
    ----------
    latents : (m, D) tensor
        Of the arranged images.
    positions : (m, 2) tensor
        Their place on the map.
    scale : scalar tensor
        Latent distance per map distance.
    """
    wanted = F.pdist(positions) * scale
    if not wanted.any():
        return 0 * latents.sum()
    wanted = wanted.clamp_min(1e-3 * wanted.mean())
    distances = F.pdist(latents)
    return ((distances - wanted).square() / wanted).sum() / wanted.sum()


def stress(latents: Tensor, positions: Tensor, scale: Tensor) -> Tensor:
    """Plain stress: sum over pairs of (d_latent - d)^2, over the sum of d^2.

    Parameters
    ----------
    latents, positions, scale
        As for `sammon_stress`; at least two images.
    """
    wanted = F.pdist(positions) * scale
    away = (F.pdist(latents) - wanted).square().sum()
    return away / wanted.square().sum().clamp_min(1e-12)


def scale_of(latents: Tensor, positions: Tensor) -> Tensor:
    """Latent distance per map distance, so that an arrangement keeps its mean size.

    Parameters
    ----------
    latents : (m, D) tensor
        Of the arranged images before the retraining; m at least 2.
    positions : (m, 2) tensor
        Their place on the map.
    """
    return F.pdist(latents).mean() / F.pdist(positions).mean().clamp_min(1e-12)


def total_variance(latents: Tensor) -> Tensor:
    """Variance of (N, D) latents, summed over dimensions, never 0."""
    return latents.var(dim=0, correction=0).sum().clamp_min(torch.finfo().tiny)
