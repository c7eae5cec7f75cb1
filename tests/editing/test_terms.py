from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_spaceediting.editing.terms import (
    regression,
    sammon_stress,
    scale_of,
    total_variance,
)


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
