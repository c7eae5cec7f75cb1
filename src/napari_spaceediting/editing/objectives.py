"""The editing loss: what the places of edited images ask of a network that descends.

It is added to the cross-entropy on the classes. SpaceEditing (Wei et al., arXiv
2212.04065) gives no formulas; those here are ours. Distances are over v, the variance
of the old latents summed over dimensions, so that weights do not depend on the scale of
a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.settings import Weights
from napari_spaceediting.network.device import tensor_on


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
    anchors: Anchors | None
    untouched: NDArray[np.int64]
    variance: Tensor
    weights: Weights
    batch_size: int
    device: torch.device

    def tensor(self, array: NDArray[np.generic]) -> Tensor:
        """Return an array as a tensor on the device."""
        return tensor_on(self.device, array)


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


def follow(space: Space, anchors: Anchors) -> Objective:
    """Return ``a * |f - anchor|^2 / v``, weighted by the support of each place."""
    targets = anchors.among(space.old)

    def loss(rng: np.random.Generator) -> Tensor:
        rows = rng.choice(len(anchors), space.batch_size)
        away = regression(
            space.latents_of(anchors.indices[rows]),
            space.tensor(targets[rows]),
            space.variance,
            space.tensor(anchors.weights[rows]),
        )
        return space.weights.anchor * away

    return loss


def objectives_of(space: Space) -> list[Objective]:
    """Return the parts of the editing loss that have something to say, to be summed."""
    parts: list[Objective] = []
    if not len(space.untouched):
        return parts
    if space.weights.keep > 0:
        parts.append(stay(space))
    anchors = space.anchors
    if anchors is not None and space.weights.anchor > 0 and anchors.weights.any():
        parts.append(follow(space, anchors))
    return parts
