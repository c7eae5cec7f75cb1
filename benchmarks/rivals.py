"""Objectives that others have published, beside those that the program offers.

In the scenario "objectives" none of them taught more than the classes alone.

============ ==========================================================================
name         what edited images are asked for
============ ==========================================================================
`regression` SpaceEditing of 2022 as its abstract words it (arXiv 2212.04065): the
             features found for the new place are fed back.
`projective` Projective Latent Interventions (Hinterreiter et al., arXiv 2006.12902): a
             frozen parametric projector puts the image where it was dropped.
`distill`    HILL (Geissler et al., arXiv 2505.06325): the edited space is the teacher
             of the whole space.
============ ==========================================================================
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.objectives import Space, regression
from napari_spaceediting.editing.settings import ObjectiveKind

_PROJECTOR_STEPS = 400
_PROJECTOR_WIDTH = 64


class Projective:
    """``a * |P(f) - place|^2 / v_map`` through a frozen parametric projector P.

    P is a network with one hidden layer of 64 units, fitted to the map of the
    untouched images before the training.
    """

    def __init__(self, space: Space, anchors: Anchors) -> None:
        self.space = space
        self.anchors = anchors
        places = space.positions[space.untouched]
        self._middle = places.mean(axis=0)
        self._spread = max(float(places.std()), 1e-12)
        self._projector = self._fit(np.random.default_rng(0))

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        rows = rng.choice(len(self.anchors), self.space.batch_size)
        at = self.anchors.indices[rows]
        shown = self._projector(self.space.latents_of(at))
        away: Tensor = (shown - self._places(at)).square().sum(dim=1)
        weights = self.space.tensor(self.anchors.weights[rows])
        return self.space.weights.anchor * (weights * away).mean()

    def _places(self, at: NDArray[np.int64]) -> Tensor:
        scaled = (self.space.positions[at] - self._middle) / self._spread
        return self.space.tensor(scaled.astype(np.float32))

    def _fit(self, rng: np.random.Generator) -> nn.Module:
        space = self.space
        projector = nn.Sequential(
            nn.Linear(space.old.shape[1], _PROJECTOR_WIDTH),
            nn.ReLU(),
            nn.Linear(_PROJECTOR_WIDTH, 2),
        ).to(space.device)
        optimiser = torch.optim.Adam(projector.parameters(), 3e-3)
        for _ in range(_PROJECTOR_STEPS):
            at = rng.choice(space.untouched, 256)
            shown = projector(space.tensor(space.old[at]))
            loss = F.mse_loss(shown, self._places(at))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return projector.requires_grad_(False)


class Distill:
    """``a * |f - teacher|^2 / v`` over all training images alike.

    The teacher is the old space with the edited images moved towards their anchors,
    by the share that the support of their places allows.
    """

    def __init__(self, space: Space, anchors: Anchors) -> None:
        self.space = space
        self._teacher = space.old.copy()
        way = anchors.latents - space.old[anchors.indices]
        self._teacher[anchors.indices] += anchors.weights[:, None] * way
        self._students = np.concatenate([space.untouched, anchors.indices])

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of one step."""
        batch = rng.choice(self._students, 2 * self.space.batch_size)
        teacher = self.space.tensor(self._teacher[batch])
        away = regression(self.space.latents_of(batch), teacher, self.space.variance)
        return self.space.weights.anchor * away


RIVALS = {
    "regression": ObjectiveKind(
        "Regression",
        "Be like the neighbours at the drop",
        "napari_spaceediting.editing.objectives:anchor",
    ),
    "projective": ObjectiveKind(
        "Projective",
        "Be projected to where it was dropped",
        "rivals:Projective",
        anchor_weight=1.0,
    ),
    "distill": ObjectiveKind(
        "Distillation",
        "The edited space teaches the whole space",
        "rivals:Distill",
        anchor_weight=1.0,
    ),
}
"""Entries of `OBJECTIVES`, while the benchmark runs."""
