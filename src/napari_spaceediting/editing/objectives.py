"""The editing loss: what the places of edited images ask of a network that descends.

It is added to the cross-entropy on the classes. SpaceEditing (Wei et al., arXiv
2212.04065) gives no formulas; those here are ours. Distances are over v, the variance
of the old latents summed over dimensions, so that weights do not depend on the scale of
a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.settings import Weights
from napari_spaceediting.network.device import tensor_on

LatentsOf = Callable[[NDArray[np.int64]], Tensor]
"""From dataset indices (m,) to the latents now, (m, D)."""


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
class EditingLoss:
    """What is asked of the space that is edited, during one training.

    Parameters
    ----------
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
    """

    old: NDArray[np.float32]
    anchors: Anchors | None
    untouched: NDArray[np.int64]
    variance: Tensor
    weights: Weights
    batch_size: int
    device: torch.device

    def terms(
        self, latents_of: LatentsOf, rng: np.random.Generator
    ) -> Iterator[Tensor]:
        """Yield the scalars of one step, to be summed, that have something to say.

        Untouched images shall stay, ``keep * |f - f_old|^2 / v``, and edited ones come
        to their anchors, ``a * |f - anchor|^2 / v``, weighted by the support of each.
        """
        if not len(self.untouched):
            return
        if self.weights.keep > 0:
            batch = rng.choice(self.untouched, self.batch_size)
            away = self._away(latents_of(batch), self.old[batch])
            yield self.weights.keep * away
        anchors = self.anchors
        if anchors is not None and self.weights.anchor > 0 and anchors.weights.any():
            rows = rng.choice(len(anchors), self.batch_size)
            now = latents_of(anchors.indices[rows])
            support = tensor_on(self.device, anchors.weights[rows])
            yield self.weights.anchor * self._away(now, self._goals[rows], support)

    @cached_property
    def _goals(self) -> NDArray[np.float32]:
        assert self.anchors is not None
        return self.anchors.among(self.old)

    def _away(
        self, now: Tensor, goals: NDArray[np.float32], weights: Tensor | None = None
    ) -> Tensor:
        return regression(now, tensor_on(self.device, goals), self.variance, weights)
