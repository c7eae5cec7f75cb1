from __future__ import annotations

import numpy as np
import torch

from napari_spaceediting.traversal.lbfgs import Minimiser


def parabolas(n: int = 4, size: int = 6):
    """Return a function with n convex parabolas, and their matrices and centres."""
    rng = np.random.default_rng(0)
    factors = torch.tensor(rng.normal(size=(n, size, size)))
    matrices = factors @ factors.transpose(1, 2) + 0.1 * torch.eye(size)
    centres = torch.tensor(rng.uniform(-0.5, 1.5, (n, size)))

    def function(points, rows):
        away = points - centres[rows]
        slopes = torch.einsum("nij,nj->ni", matrices[rows], away)
        return 0.5 * (away * slopes).sum(dim=1), slopes

    return function, matrices, centres


def last(steps):
    *_, (points, losses) = steps
    return points, losses


def test_it_finds_the_lowest_point_of_the_box():
    function, matrices, centres = parabolas()
    start = torch.full((4, 6), 0.5, dtype=torch.float64)
    points, _ = last(Minimiser(0.0, 1.0).minimise(function, start, 200))
    assert ((points >= 0) & (points <= 1)).all()
    slopes = torch.einsum("nij,nj->ni", matrices, points - centres)
    inside = (points > 1e-9) & (points < 1 - 1e-9)
    assert slopes[inside].abs().max() < 1e-4
    # At the border it would only get lower outside.
    assert (slopes[points <= 1e-9] > -1e-4).all()
    assert (slopes[points >= 1 - 1e-9] < 1e-4).all()
    assert not inside.all()


def test_a_bent_valley_is_followed_to_its_end():
    def function(points, rows):
        free = points.detach().requires_grad_()
        x, y = free.T
        losses = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        (gradients,) = torch.autograd.grad(losses.sum(), free)
        return losses.detach(), gradients

    start = torch.tensor([[-1.2, 1.0], [0.0, 0.0]], dtype=torch.float64)
    points, _ = last(Minimiser(-2.0, 2.0).minimise(function, start, 200))
    np.testing.assert_allclose(points, np.ones((2, 2)), atol=1e-3)


def test_losses_never_rise_and_the_start_is_left_alone():
    function, *_ = parabolas()
    start = torch.full((4, 6), 0.5, dtype=torch.float64)
    losses = [function(start, torch.arange(4))[0]]
    losses += [loss for _, loss in Minimiser(0.0, 1.0).minimise(function, start, 30)]
    assert (torch.stack(losses).diff(dim=0) <= 1e-12).all()
    assert (start == 0.5).all()


def test_one_problem_does_not_change_another():
    function, *_ = parabolas()
    start = torch.full((4, 6), 0.5, dtype=torch.float64)
    together, _ = last(Minimiser(0.0, 1.0).minimise(function, start, 15))
    for at in range(4):

        def alone(points, rows, at=at):
            return function(points, rows + at)

        one, _ = last(Minimiser(0.0, 1.0).minimise(alone, start[:1], 15))
        np.testing.assert_allclose(one[0], together[at], atol=1e-6)


def test_at_the_lowest_point_it_stays():
    def function(points, rows):
        return points.square().sum(dim=1), 2 * points

    start = torch.zeros(2, 3, dtype=torch.float64)
    points, losses = last(Minimiser(-1.0, 1.0).minimise(function, start, 5))
    assert not points.any()
    assert not losses.any()


def test_what_is_learnt_of_the_curvature_serves_the_next_call():
    function, matrices, centres = parabolas()

    def moved(points, rows):
        away = points - centres[rows] - 0.05
        slopes = torch.einsum("nij,nj->ni", matrices[rows], away)
        return 0.5 * (away * slopes).sum(dim=1), slopes

    start = torch.zeros((4, 6), dtype=torch.float64)
    minimiser = Minimiser()
    points, _ = last(minimiser.minimise(function, start, 20))
    _, knowing = last(minimiser.minimise(moved, points, 3))
    _, anew = last(Minimiser().minimise(moved, points, 3))
    assert (knowing < 0.2 * anew).all()
