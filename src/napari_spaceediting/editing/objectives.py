"""What the places of edited images shall teach: one objective beside another.

Every objective is added to the cross-entropy on the classes after the edits, so that
they differ only in what they make of the *places*. As published, the rivals know no
class of a move; moves without a class show them so.

=============== ===================================================================
name            what edited images are asked for
=============== ===================================================================
`anchor`        Ours: be where the neighbours at the drop are, and let untouched images
                stay.
`triplet`       SpaceEditing of 2024 (IUI) as its abstract words it: be nearer to the
                neighbours at the drop than to those at the origin.
`inverse_mds`   ImageSI (Lin et al., arXiv 2408.03845): distances among latents follow
                those on the map.
=============== ===================================================================

They are listed in `OBJECTIVES` (`settings`), to which others can be added. No source
gives SpaceEditing's formulas; those here are ours. All distances are over v, the
variance of the old latents summed over dimensions, so that weights do not depend on
the scale of a network.
Arranged images add their stress to every objective.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.settings import OBJECTIVES, Weights
from napari_spaceediting.network.device import tensor_on

_ARRANGED_PER_STEP = 64
_ARRANGED_FOR_SCALE = 1000
_MARGIN = 0.3
"""Of the triplets, in standard deviations of the latents."""


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


@dataclass(frozen=True, eq=False)
class Space:
    """The space that is edited, during one training.

    Parameters
    ----------
    latents_of : callable
        From dataset indices (m,) to the latents now, (m, D).
    old : (N, D) float32 array
        Latents before.
    positions : (N, 2) float32 array
        Map coordinates after the edits.
    anchors : Anchors or None
        What the edits ask; None for a training without them.
    untouched : (n,) int64 array
        Training images that no edit has touched.
    variance : scalar tensor
        Of the old latents of training images, summed over dimensions.
    weights : Weights
        Of the terms.
    batch_size : int
        Images per step.
    device : torch.device
        Where the network is.
    """

    latents_of: Callable[[NDArray[np.int64]], Tensor]
    old: NDArray[np.float32]
    positions: NDArray[np.float32]
    anchors: Anchors | None
    untouched: NDArray[np.int64]
    variance: Tensor
    weights: Weights
    batch_size: int
    device: torch.device

    def tensor(self, array: NDArray[np.generic]) -> Tensor:
        """Return an array as a tensor on the device."""
        return tensor_on(self.device, array)

    def scale(self, images: NDArray[np.int64]) -> Tensor:
        """Return the latent distance per map distance of some of these images."""
        some = images[:_ARRANGED_FOR_SCALE]
        return scale_of(self.tensor(self.old[some]), self.tensor(self.positions[some]))


Objective = Callable[[np.random.Generator], Tensor]
"""A part of the loss: of one step, on images drawn by the generator, a scalar."""


def stay(space: Space) -> Objective:
    """Return ``keep * |f - f_old|^2 / v`` of untouched images."""

    def loss(rng: np.random.Generator) -> Tensor:
        batch = rng.choice(space.untouched, space.batch_size)
        old = space.tensor(space.old[batch])
        away = regression(space.latents_of(batch), old, space.variance)
        return space.weights.keep * away

    return loss


def arrange(space: Space, anchors: Anchors) -> Objective:
    """Return Sammon's stress of the arranged images, see `sammon_stress`."""
    at = anchors.indices[anchors.arranged]
    scale = space.scale(at)

    def loss(rng: np.random.Generator) -> Tensor:
        some = rng.permutation(at)[:_ARRANGED_PER_STEP]
        places = space.tensor(space.positions[some])
        return space.weights.arrange * sammon_stress(
            space.latents_of(some), places, scale
        )

    return loss


def anchor(space: Space, anchors: Anchors) -> Objective:
    """Return ``a * |f - anchor|^2 / v``, weighted by the support of each place."""

    def loss(rng: np.random.Generator) -> Tensor:
        rows = rng.choice(len(anchors), space.batch_size)
        away = regression(
            space.latents_of(anchors.indices[rows]),
            space.tensor(anchors.latents[rows]),
            space.variance,
            space.tensor(anchors.weights[rows]),
        )
        return space.weights.anchor * away

    return loss


def triplet(space: Space, anchors: Anchors) -> Objective:
    """Return ``a * max(0, |f - p| - |f - n| + margin)``, over the deviation.

    p and n are the latents now of an image near the drop and of one near the origin.
    """

    def loss(rng: np.random.Generator) -> Tensor:
        rows = rng.choice(len(anchors), space.batch_size)
        pick = rng.integers(0, anchors.near.shape[1], len(rows))
        near, away = anchors.near[rows, pick], anchors.away[rows, pick]
        deviation = space.variance.sqrt()
        moved, positive, negative = (
            space.latents_of(at) / deviation
            for at in (anchors.indices[rows], near, away)
        )
        each = F.triplet_margin_loss(
            moved, positive, negative, margin=_MARGIN, reduction="none"
        )
        weights = space.tensor(anchors.weights[rows])
        differs = space.tensor((near != away).astype(np.float32))
        return space.weights.anchor * (weights * differs * each).mean()

    return loss


def inverse_mds(space: Space, anchors: Anchors) -> Objective:
    """Return ``a * sum (s d_map - d_latent)^2 / sum (s d_map)^2`` over pairs.

    The pairs are those of edited images and images near their drops.
    """
    scale = space.scale(np.concatenate([space.untouched, anchors.indices]))

    def loss(rng: np.random.Generator) -> Tensor:
        rows = np.unique(rng.choice(len(anchors), space.batch_size))
        pick = rng.integers(0, anchors.near.shape[1], len(rows))
        at = np.union1d(anchors.indices[rows], anchors.near[rows, pick])
        places = space.tensor(space.positions[at])
        away = stress(space.latents_of(at), places, scale)
        return space.weights.anchor * space.tensor(anchors.weights[rows]).mean() * away

    return loss


def objectives_of(name: str, space: Space) -> list[Objective]:
    """Return the parts of an objective, to be summed.

    Parameters
    ----------
    name : str
        One of `OBJECTIVES`.
    space : Space
        What is trained. Parts that have nothing to say of it are left out.
    """
    parts: list[Objective] = []
    if space.weights.keep > 0 and len(space.untouched):
        parts.append(stay(space))
    anchors = space.anchors
    if anchors is None or not len(anchors):
        return parts
    if space.weights.anchor > 0 and anchors.weights.any() and len(space.untouched):
        on_places = resolve_name(OBJECTIVES[name].on_places)
        parts.append(on_places(space, anchors))
    if np.count_nonzero(anchors.arranged) >= 3:
        parts.append(arrange(space, anchors))
    return parts
