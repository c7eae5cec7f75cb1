from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_spaceediting.editing.anchors import Anchors, find_anchors
from napari_spaceediting.editing.edits import Edit, fold
from napari_spaceediting.editing.image_edits import Move, Pin
from napari_spaceediting.editing.objectives import (
    EditingLoss,
    regression,
    total_variance,
)
from napari_spaceediting.editing.settings import (
    RetrainSettings,
    Weights,
    weights_for,
)

N = 80
CPU = torch.device("cpu")


class World:
    """Two clusters, on the map and in a latent space that is free to move."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        rng = np.random.default_rng(0)
        self.labels = np.arange(N) % 2
        self.positions = 10 * self.labels[:, None] + rng.normal(size=(N, 2))
        self.positions = self.positions.astype(np.float32)
        self.old = 5 * np.eye(4)[self.labels] + rng.normal(0, 0.3, (N, 4))
        self.old = self.old.astype(np.float32)
        self.latents = torch.tensor(self.old, requires_grad=True)

    def latents_of(self, at: np.ndarray) -> Tensor:
        return self.latents[torch.as_tensor(at)]

    def asked(self, *edits: Edit, weights: Weights | None = None) -> EditingLoss:
        state = fold(edits, self.labels, self.positions, ("left", "right"))
        anchors = find_anchors(
            state,
            np.eye(2, dtype=np.float32)[self.labels],
            np.zeros(N, bool),
        )
        return EditingLoss(
            old=self.old,
            anchors=anchors,
            untouched=np.flatnonzero(~state.edited),
            variance=total_variance(torch.tensor(self.old)),
            weights=weights or Weights(1.0, 0.0, 0.9, 1e-3),
            batch_size=32,
            device=CPU,
        )

    def move(self, *at: int, **options) -> Move:
        indices = np.array(at)
        end = np.tile(np.float32([10, 10]), (len(at), 1))
        return Move(indices, self.positions[indices], end, **options)

    def train(self, asked: EditingLoss, pull: Tensor | float = 0.0) -> None:
        optimiser = torch.optim.Adam([self.latents], 0.1)
        rng = np.random.default_rng(0)
        for _ in range(150):
            optimiser.zero_grad()
            loss = sum(asked.terms(self.latents_of, rng))
            (loss + (self.latents * pull).mean()).backward()
            optimiser.step()


def towards_right(latents: np.ndarray) -> np.ndarray:
    """How far latents have come from the left cluster (0) to the right one (1)."""
    return ((latents[:, 1] - latents[:, 0]) / 5 + 1) / 2


def test_moved_images_follow_to_where_they_were_dropped():
    world = World()
    moved = [0, 2, 4]
    world.train(world.asked(world.move(*moved, tag="right")))
    latents = world.latents.detach().numpy()
    assert (towards_right(world.old[moved]) < 0.2).all()
    assert (towards_right(latents[moved]) > 0.35).all()
    assert (towards_right(latents[moved]) > towards_right(world.old[moved]) + 0.3).all()


def test_a_drop_into_a_void_asks_for_little():
    pull = {}
    for place in ([10, 10], [500, -500]):
        world = World()
        end = np.array([place], np.float32)
        asked = world.asked(Move(np.array([0]), world.positions[[0]], end, tag="right"))
        loss = sum(asked.terms(world.latents_of, np.random.default_rng(0)))
        (gradient,) = torch.autograd.grad(loss, world.latents)
        pull[place[0]] = float(gradient[0].norm())
    assert pull[500] < 0.05 * pull[10]


def test_gradients_agree_with_finite_differences():
    world = World()
    asked = world.asked(world.move(0, 2, tag="right"), Pin(np.array([5]), "right"))
    values = torch.tensor(world.old, dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        rng = np.random.default_rng(7)
        return sum(asked.terms(lambda at: values[torch.as_tensor(at)], rng))

    (gradient,) = torch.autograd.grad(loss(), values)
    rng = np.random.default_rng(1)
    for row, column in [(0, 0), (0, 1), (2, 3), (5, 1), *rng.integers(0, 4, (4, 2))]:
        step = torch.zeros_like(values)
        step[row, column] = 1e-6
        with torch.no_grad():
            values += step
            above = loss()
            values -= 2 * step
            below = loss()
            values += step
        numeric = float(above - below) / 2e-6
        assert float(gradient[row, column]) == pytest.approx(
            numeric, rel=1e-3, abs=1e-6
        )


def test_without_edits_nothing_is_asked_but_to_stay():
    world = World()
    asked, rng = replace(world.asked(), anchors=None), np.random.default_rng(0)
    assert list(asked.terms(world.latents_of, rng)) == []
    weights = replace(asked.weights, keep=0.5)
    (held,) = replace(asked, weights=weights).terms(world.latents_of, rng)
    assert float(held.detach()) == 0


def test_untouched_images_stay_where_they_are():
    moved = {}
    for keep in (0.0, None):
        world = World()
        weights = weights_for(RetrainSettings(keep_weight=keep), labelled_share=1.0)
        asked = world.asked(world.move(0, 2, 4, 6, 8, tag="right"), weights=weights)
        pull = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
        world.train(asked, pull)
        away = np.abs(world.latents.detach().numpy() - world.old).max(axis=1)
        moved[keep] = away[asked.untouched].mean()
    assert moved[None] < 0.5 * moved[0.0]


def test_a_weight_that_is_given_is_taken():
    assert weights_for(RetrainSettings(anchor_weight=7.0), 0.1).anchor == 7


def test_anchors_can_be_empty():
    world = World()
    asked = world.asked()
    assert isinstance(asked.anchors, Anchors)
    assert not list(asked.terms(world.latents_of, np.random.default_rng(0)))


# The formulas


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def some(*shape: int, grad: bool = True) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=grad)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.0, 0.3, 1.0, 0.5]).double()])
def test_the_gradient_of_the_regression(weights):
    latents, targets = some(4, 3), some(4, 3, grad=False)
    variance = torch.tensor(2.5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda f: regression(f, targets, variance, weights), latents
    )


def test_at_the_target_there_is_nothing_to_do():
    latents = some(4, 3)
    loss = regression(latents, latents.detach(), total_variance(latents.detach()))
    loss.backward()
    assert loss.item() == 0
    assert not latents.grad.any()


def test_an_image_of_weight_zero_is_left_alone():
    latents = some(2, 3)
    weights = torch.tensor([0.0, 1.0], dtype=torch.float64)
    regression(latents, some(2, 3, grad=False), torch.tensor(1.0), weights).backward()
    assert not latents.grad[0].any()
    assert latents.grad[1].any()


def test_the_regression_does_not_depend_on_the_scale_of_the_network():
    old, new, targets = some(9, 3), some(9, 3), some(9, 3)
    one = regression(new, targets, total_variance(old))
    other = regression(100 * new, 100 * targets, total_variance(100 * old))
    torch.testing.assert_close(one, other)


def test_the_variance_is_never_nothing():
    assert total_variance(torch.ones(5, 3)) > 0
    latents = some(50, 3)
    expected = (latents - latents.mean(dim=0)).square().sum(dim=1).mean()
    torch.testing.assert_close(total_variance(latents), expected)
