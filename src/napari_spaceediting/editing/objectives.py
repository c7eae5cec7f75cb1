"""What the places of edited images shall teach: one objective beside another.

Every objective is added to the cross-entropy on the classes after the edits, so that
they differ only in what they make of the *places*. As published, the rivals know no
class of a move; moves without a class show them so.

=============== ===================================================================
name            what edited images are asked for
=============== ===================================================================
`anchor`        Ours: be where the neighbours at the drop are, and let untouched images
                stay (`AnchorObjective`).
`triplet`       SpaceEditing of 2024 (IUI) as its abstract words it: be nearer to the
                neighbours at the drop than to those at the origin.
`inverse_mds`   ImageSI (Lin et al., arXiv 2408.03845): distances among latents follow
                those on the map.
=============== ===================================================================

They are listed in `OBJECTIVES` (`settings`), to which others can be added. No source
gives SpaceEditing's formulas; those here are ours. All distances are over the
variance of the latents, so that weights do not depend on the scale of a network.
Arranged images add their stress to every objective.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.settings import OBJECTIVES, Weights
from napari_spaceediting.editing.terms import (
    regression,
    sammon_stress,
    scale_of,
    stress,
)
from napari_spaceediting.network.device import tensor_on

_ARRANGED_PER_STEP = 64
_ARRANGED_FOR_SCALE = 1000
_MARGIN = 0.3
"""Of the triplets, in standard deviations of the latents."""


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


class Objective(Protocol):
    """A part of the loss."""

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step on images drawn by `rng`, a scalar tensor."""


class Stay:
    """``keep * |f - f_old|^2 / v`` of untouched images."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        space = self._space
        batch = rng.choice(space.untouched, space.batch_size)
        old = space.tensor(space.old[batch])
        away = regression(space.latents_of(batch), old, space.variance)
        return space.weights.keep * away


class Arrange:
    """Sammon's stress of the arranged images, see `sammon_stress`."""

    def __init__(self, space: Space, anchors: Anchors) -> None:
        self._space = space
        self._at = anchors.indices[anchors.arranged]
        some = self._at[:_ARRANGED_FOR_SCALE]
        self._scale = scale_of(
            space.tensor(space.old[some]), space.tensor(space.positions[some])
        )

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        space = self._space
        some = rng.permutation(self._at)[:_ARRANGED_PER_STEP]
        places = space.tensor(space.positions[some])
        loss = sammon_stress(space.latents_of(some), places, self._scale)
        return space.weights.arrange * loss


class Placed:
    """Draws edited images; the base of objectives on their places."""

    def __init__(self, space: Space, anchors: Anchors) -> None:
        self.space = space
        self.anchors = anchors

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return rows of the anchors, with repetition."""
        return rng.choice(len(self.anchors), self.space.batch_size)

    def weights(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the weights of anchors as a tensor."""
        return self.space.tensor(self.anchors.weights[rows])


class Regression(Placed):
    """``a * |f - anchor|^2 / v``, each image weighted by the support of its place."""

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        rows = self.draw(rng)
        loss = regression(
            self.space.latents_of(self.anchors.indices[rows]),
            self.space.tensor(self.anchors.latents[rows]),
            self.space.variance,
            self.weights(rows),
        )
        return self.space.weights.anchor * loss


class Triplet(Placed):
    """``a * max(0, |f - p| - |f - n| + margin)``, distances over the deviation.

    p and n are the latents now of an image near the drop and of one near the origin.
    """

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        rows = self.draw(rng)
        pick = rng.integers(0, self.anchors.near.shape[1], len(rows))
        near, away = self.anchors.near[rows, pick], self.anchors.away[rows, pick]
        moved, positive, negative = (
            self.space.latents_of(at) for at in (self.anchors.indices[rows], near, away)
        )
        each = F.triplet_margin_loss(
            moved / self.space.variance.sqrt(),
            positive / self.space.variance.sqrt(),
            negative / self.space.variance.sqrt(),
            margin=_MARGIN,
            reduction="none",
        )
        differs = self.space.tensor((near != away).astype(np.float32))
        return self.space.weights.anchor * (self.weights(rows) * differs * each).mean()


class InverseMds(Placed):
    """``a * sum (s d_map - d_latent)^2 / sum (s d_map)^2`` over pairs.

    The pairs are those of edited images and images near their drops.
    """

    def __init__(self, space: Space, anchors: Anchors) -> None:
        super().__init__(space, anchors)
        some = np.concatenate([space.untouched, anchors.indices])[:_ARRANGED_FOR_SCALE]
        self._scale = scale_of(
            space.tensor(space.old[some]), space.tensor(space.positions[some])
        )

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        rows = np.unique(self.draw(rng))
        pick = rng.integers(0, self.anchors.near.shape[1], len(rows))
        at = np.union1d(self.anchors.indices[rows], self.anchors.near[rows, pick])
        places = self.space.tensor(self.space.positions[at])
        loss = stress(self.space.latents_of(at), places, self._scale)
        return self.space.weights.anchor * self.weights(rows).mean() * loss


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
        parts.append(Stay(space))
    anchors = space.anchors
    if anchors is None or not len(anchors):
        return parts
    if space.weights.anchor > 0 and anchors.weights.any() and len(space.untouched):
        on_places = resolve_name(OBJECTIVES[name].on_places)
        parts.append(on_places(space, anchors))
    if np.count_nonzero(anchors.arranged) >= 3:
        parts.append(Arrange(space, anchors))
    return parts
