from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from napari_spaceediting.traversal.solver import even_path, minimise, traverse_path
from napari_spaceediting.traversal.witness import WitnessProblem, make_problem


@pytest.fixture
def features():
    """Return 8 sources, 8 targets and 3 images to move, 5 features each."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            rng.normal(size=(8, 5)),
            rng.normal(size=(8, 5)) + 1.5,
            rng.normal(size=(3, 5)),
        ]
    )


@pytest.fixture
def problem(features) -> WitnessProblem:
    rows = np.arange(len(features))
    return make_problem(
        features @ features.T,
        rows[16:],
        np.broadcast_to(rows < 8, (3, len(rows))),
        (rows >= 8) & (rows < 16),
    )


def loss(problem, coefficients, budget):
    return problem.value(coefficients, coefficients @ problem.gram, budget).loss


def test_the_optimum_is_that_of_a_generic_optimiser(features, problem):
    budget = 0.02
    found = minimise(problem, problem.start(), budget)
    for at in range(3):
        x, variance = features[problem.rows[at]], problem.variances[at]

        def objective(z, x=x, variance=variance):
            kernels = np.exp(-((z - features) ** 2).sum(axis=1) / (2 * variance))
            witness = kernels[:8].mean() - kernels[8:16].mean()
            return witness + budget * ((z - x) ** 2).sum()

        best = minimize(objective, x, method="Nelder-Mead", tol=1e-10,
                        options={"maxiter": 20_000, "maxfev": 20_000})  # fmt: skip
        np.testing.assert_allclose(
            loss(problem, found, budget)[at], best.fun, atol=1e-6
        )
        np.testing.assert_allclose(found[at] @ features, best.x, atol=5e-3)


def slopes(features, problem, coefficients, budget):
    """Return the gradient of the loss by the places, (3, 5)."""
    rows, variances = torch.tensor(features), torch.tensor(problem.variances)
    places = torch.tensor(coefficients @ features, requires_grad=True)
    squared = (places[:, None] - rows).square().sum(dim=2)
    kernels = torch.exp(-squared / (2 * variances[:, None]))
    change = (places - rows[problem.rows]).square().sum(dim=1)
    loss = (torch.tensor(problem.weights) * kernels).sum(dim=1) + budget * change
    loss.sum().backward()
    return places.grad


def test_the_gradient_is_zero_at_the_optimum(features, problem):
    for budget, coefficients in zip(
        (0.1, 0.03), traverse_path(problem, (0.1, 0.03)), strict=True
    ):
        there = slopes(features, problem, coefficients, budget).abs().max()
        here = slopes(features, problem, problem.start(), budget).abs().max()
        assert there < 1e-3 * here


def test_with_a_wide_kernel_it_is_the_difference_of_the_means(features, problem):
    # The kernel becomes a parabola, so that z - x = (mean Q - mean P) / (2 budget s^2).
    variance = 1e4
    wide = replace(problem, variances=np.full(3, variance))
    found = minimise(wide, wide.start(), 1 / (2 * variance))
    expected = features[8:16].mean(axis=0) - features[:8].mean(axis=0)
    moved = found @ features - features[16:]
    np.testing.assert_allclose(moved, np.broadcast_to(expected, (3, 5)), atol=0.05)


def test_along_the_path_the_witness_falls_and_the_change_grows(problem):
    path = [problem.start(), *traverse_path(problem, (0.1, 0.05, 0.02, 0.01))]
    values = [problem.value(c, c @ problem.gram, 0.0) for c in path]
    assert (np.diff([value.witness for value in values], axis=0) < 0).all()
    assert (np.diff([value.change for value in values], axis=0) > 0).all()
    for coefficients in path:
        np.testing.assert_allclose(coefficients.sum(axis=1), 1)


def test_where_the_source_pushes_hardest_it_still_descends(features, problem):
    # The images lie amid the source and far from the target, and change is cheap.
    far = features.copy()
    far[8:16] += 20
    gram = far @ far.T
    hard = replace(problem, gram=gram, variances=np.full(3, 1.0))
    found = minimise(hard, hard.start(), 1e-3)
    assert (loss(hard, found, 1e-3) < loss(hard, hard.start(), 1e-3)).all()
    assert np.isfinite(found).all()


def test_a_batch_is_the_same_as_one_by_one(problem):
    together = minimise(problem, problem.start(), 0.03)
    for at in range(3):
        one = slice(at, at + 1)
        alone = replace(
            problem,
            rows=problem.rows[one],
            weights=problem.weights[one],
            variances=problem.variances[one],
        )
        np.testing.assert_allclose(
            minimise(alone, alone.start(), 0.03)[0], together[at], atol=1e-3
        )


def test_the_steps_of_an_even_path_are_of_the_same_length(problem):
    budgets, path = even_path(problem, 5)
    lengths = np.array([problem.length(places) for places in path])
    np.testing.assert_allclose(
        lengths, lengths[-1] * np.arange(1, 6)[:, None] / 5, rtol=0.02
    )
    assert budgets.shape == (5, 3)
    assert (np.diff(budgets, axis=0) < 0).all()
    assert np.isfinite(budgets).all()
    for places in path:
        np.testing.assert_allclose(places.sum(axis=1), 1)
        # What only the image has stays.
        np.testing.assert_allclose(places[np.arange(3), problem.rows], 1)
    there = problem.value(path[-1], path[-1] @ problem.gram, 0.0).witness
    start = problem.start()
    assert (there < problem.value(start, start @ problem.gram, 0.0).witness).all()
