from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_spaceediting.editing.anchors import Anchors, find_anchors
from napari_spaceediting.editing.edits import Edit, Intent, Move, Pin, fold
from napari_spaceediting.editing.objectives import (
    Objective,
    Space,
    objectives_of,
    regression,
    sammon_stress,
    scale_of,
    stay,
    total_variance,
    triplet,
)
from napari_spaceediting.editing.settings import (
    OBJECTIVES,
    ObjectiveKind,
    RetrainSettings,
    Weights,
    weights_for,
)
from napari_spaceediting.errors import TrainingFailed

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

    def space(self, *edits: Edit, weights: Weights | None = None) -> Space:
        state = fold(edits, self.labels, self.positions, ("left", "right"))
        anchors = find_anchors(
            state,
            self.old,
            np.eye(2, dtype=np.float32)[self.labels],
            np.zeros(N, bool),
            self.positions,
        )
        return Space(
            latents_of=lambda at: self.latents[torch.as_tensor(at)],
            old=self.old,
            positions=state.positions,
            anchors=anchors,
            untouched=np.flatnonzero(~state.edited),
            variance=total_variance(torch.tensor(self.old)),
            weights=weights or Weights(1.0, 0.0, 1.0, 0.9, 1e-3),
            batch_size=32,
            device=CPU,
        )

    def move(self, *at: int, **options) -> Move:
        indices = np.array(at)
        end = np.tile(np.float32([10, 10]), (len(at), 1))
        return Move(indices, self.positions[indices], end, **options)

    def train(self, *parts: Objective, steps: int = 150) -> None:
        optimiser = torch.optim.Adam([self.latents], 0.1)
        rng = np.random.default_rng(0)
        for _ in range(steps):
            optimiser.zero_grad()
            loss: Tensor = sum(part(rng) for part in parts)
            loss.backward()
            optimiser.step()


def towards_right(latents: np.ndarray) -> np.ndarray:
    """How far latents have come from the left cluster (0) to the right one (1)."""
    return ((latents[:, 1] - latents[:, 0]) / 5 + 1) / 2


@pytest.mark.parametrize("name", OBJECTIVES)
def test_moved_images_follow_to_where_they_were_dropped(name):
    world = World()
    moved = [0, 2, 4]
    world.train(*objectives_of(name, world.space(world.move(*moved, tag="right"))))
    latents = world.latents.detach().numpy()
    assert (towards_right(world.old[moved]) < 0.2).all()
    assert (towards_right(latents[moved]) > 0.35).all()
    assert (towards_right(latents[moved]) > towards_right(world.old[moved]) + 0.3).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_drop_into_a_void_asks_for_little(name):
    pull = {}
    for place in ([10, 10], [500, -500]):
        world = World()
        end = np.array([place], np.float32)
        space = world.space(Move(np.array([0]), world.positions[[0]], end, tag="right"))
        loss = sum(
            part(np.random.default_rng(0)) for part in objectives_of(name, space)
        )
        (gradient,) = torch.autograd.grad(loss, world.latents)
        pull[place[0]] = float(gradient[0].norm())
    assert pull[500] < 0.05 * pull[10]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_agree_with_finite_differences(name):
    world = World()
    space = world.space(world.move(0, 2, tag="right"), Pin(np.array([5]), "right"))
    values = torch.tensor(world.old, dtype=torch.float64, requires_grad=True)
    space = replace(space, latents_of=lambda at: values[torch.as_tensor(at)])
    parts = objectives_of(name, space)

    def loss() -> Tensor:
        return sum(part(np.random.default_rng(7)) for part in parts)

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


@pytest.mark.parametrize("name", OBJECTIVES)
def test_without_edits_nothing_is_asked_but_to_stay(name):
    world = World()
    space = replace(world.space(), anchors=None)
    assert objectives_of(name, space) == []
    weights = replace(space.weights, keep=0.5)
    (held,) = objectives_of(name, replace(space, weights=weights))
    assert float(held(np.random.default_rng(0)).detach()) == 0


def test_untouched_images_stay_with_ours_and_drift_with_a_triplet():
    drift = {}
    for name in ("anchor", "triplet"):
        world = World()
        settings = RetrainSettings(objective=name)
        weights = weights_for(settings, labelled_share=1.0)
        space = world.space(world.move(0, 2, 4, 6, 8, tag="right"), weights=weights)
        world.train(*objectives_of(name, space))
        moved = np.abs(world.latents.detach().numpy() - world.old).max(axis=1)
        drift[name] = moved[space.untouched].max()
    assert drift["anchor"] < 0.2 < drift["triplet"]


def test_arranged_images_take_the_distances_of_the_map():
    world = World()
    at = np.arange(0, 20)
    line = np.stack([np.linspace(0, 30, 20), np.zeros(20)], axis=1).astype(np.float32)
    space = world.space(Move(at, world.positions[at], line, Intent.ARRANGE))
    world.train(*objectives_of("anchor", space), steps=400)
    apart = torch.pdist(world.latents.detach()[torch.as_tensor(at)])
    wanted = torch.pdist(torch.as_tensor(line))
    before = torch.pdist(torch.as_tensor(world.old[at]))

    def correlation(one: Tensor, other: Tensor) -> float:
        return float(torch.corrcoef(torch.stack([one, other]))[0, 1])

    assert correlation(before, wanted) < 0.5 < 0.95 < correlation(apart, wanted)


def test_an_unknown_objective_is_named_with_those_that_exist():
    with pytest.raises(TrainingFailed, match="'magic': choose one of anchor, "):
        RetrainSettings(objective="magic")


def test_the_recipe_keeps_untouched_images_only_in_our_objective():
    few = {n: weights_for(RetrainSettings(objective=n), 0.1) for n in OBJECTIVES}
    assert few["anchor"].keep > 0
    assert all(few[name].keep == 0 for name in OBJECTIVES if name != "anchor")
    assert weights_for(RetrainSettings(anchor_weight=7.0), 0.1).anchor == 7


def test_an_objective_of_ones_own_is_an_entry_in_the_table(monkeypatch):
    own = ObjectiveKind(
        "Own", "Be like those at the drop", f"{triplet.__module__}:triplet", 0.7, True
    )
    monkeypatch.setitem(OBJECTIVES, "own", own)
    weights = weights_for(RetrainSettings(objective="own"), labelled_share=1.0)
    assert (weights.anchor, weights.keep) == (0.7, 1.0)
    world = World()
    space = world.space(world.move(0, tag="right"), weights=weights)
    losses = [
        [float(part(np.random.default_rng(0)).detach()) for part in parts]
        for parts in (
            objectives_of("own", space),
            [stay(space), triplet(space, space.anchors)],
        )
    ]
    assert losses[0] == losses[1]


def test_anchors_can_be_empty():
    world = World()
    space = world.space()
    assert isinstance(space.anchors, Anchors)
    assert objectives_of("anchor", space) == []


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


def test_the_gradient_of_the_stress():
    places = some(6, 2, grad=False)
    scale = torch.tensor(1.7, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda f: sammon_stress(f, places, scale), some(6, 5)
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


def test_an_isometric_arrangement_has_no_stress():
    places = some(8, 2, grad=False)
    turn, _ = torch.linalg.qr(some(5, 5, grad=False))
    latents = (3 * places @ turn[:2] + 7).requires_grad_()
    loss = sammon_stress(latents, places, torch.tensor(3.0, dtype=torch.float64))
    loss.backward()
    assert loss.item() < 1e-20
    assert latents.grad.abs().max() < 1e-9


def test_another_arrangement_has_stress():
    places = some(8, 2, grad=False)
    assert sammon_stress(some(8, 5), places, torch.tensor(1.0)).item() > 0.01


def test_the_scale_keeps_the_mean_distance():
    latents, places = some(8, 5), some(8, 2)
    mean = torch.nn.functional.pdist(places).mean() * scale_of(latents, places)
    torch.testing.assert_close(mean, torch.nn.functional.pdist(latents).mean())


@pytest.mark.parametrize("latents", [torch.zeros(4, 3), torch.randn(4, 3)])
@pytest.mark.parametrize("places", [torch.zeros(4, 2), torch.zeros(4, 2) + 5])
def test_an_arrangement_in_one_place_says_nothing(latents, places):
    latents = latents.clone().requires_grad_()
    loss = sammon_stress(latents, places, scale_of(latents.detach(), places))
    loss.backward()
    assert loss.item() == 0
    assert not latents.grad.any()


def test_some_images_in_one_place_are_no_trouble():
    places = torch.tensor([[0.0, 0], [0, 0], [1, 1], [1, 1], [2, 0]])
    latents = torch.randn(5, 3, requires_grad=True)
    loss = sammon_stress(latents, places, scale_of(latents.detach(), places))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(latents.grad).all()


def test_equal_latents_give_a_finite_gradient():
    latents = torch.ones(4, 3, requires_grad=True)
    sammon_stress(latents, torch.randn(4, 2), torch.tensor(1.0)).backward()
    assert torch.isfinite(latents.grad).all()


def test_the_variance_is_never_nothing():
    assert total_variance(torch.ones(5, 3)) > 0
    latents = some(50, 3)
    expected = (latents - latents.mean(dim=0)).square().sum(dim=1).mean()
    torch.testing.assert_close(total_variance(latents), expected)
