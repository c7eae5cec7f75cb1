from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spaceediting.traversal.witness import (
    WitnessProblem,
    bandwidth,
    make_problem,
)


def cloud(n: int, d: int, shift: float, seed: int):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def two_clouds(n: int = 8, d: int = 5, n_images: int = 3):
    """Return features (2 n + n_images, d) and masks of source and target."""
    features = np.concatenate(
        [cloud(n, d, 0, 0), cloud(n, d, 1.5, 1), cloud(n_images, d, 0, 2)]
    )
    rows = np.arange(len(features))
    return features, rows < n, (rows >= n) & (rows < 2 * n)


def problem_of(features, source, target, **more) -> WitnessProblem:
    rows = np.flatnonzero(~source & ~target)
    sources = np.broadcast_to(source, (len(rows), len(source)))
    return make_problem(features @ features.T, rows, sources, target, **more)


def test_the_test_vector_of_the_authors_code():
    # deepmanifold, matchmmd.py: two sources, two targets and the image, r = 0.
    features = np.arange(1.0, 11).reshape(5, 2)
    problem = WitnessProblem(
        features @ features.T,
        np.array([4]),
        np.array([[0.5, 0.5, -0.5, -0.5, 0]]),
        np.array([50.0]),
    )
    start = problem.start()
    value = problem.value(start, start @ problem.gram, 0.1)
    np.testing.assert_allclose(value.loss, -0.44223791352358049, rtol=1e-12)


def test_the_loss_from_the_gram_matrix_is_that_of_the_features():
    features, source, target = two_clouds()
    problem = problem_of(features, source, target)
    coefficients = problem.start() + 0.2 * cloud(*problem.weights.shape, 0, 3)
    budget = 0.07

    rows = torch.tensor(features)
    places = torch.tensor(coefficients) @ rows
    variances = torch.tensor(problem.variances)[:, None]
    kernels = torch.exp(-torch.cdist(places, rows).square() / (2 * variances))
    witness = kernels[:, source].mean(dim=1) - kernels[:, target].mean(dim=1)
    change = (places - rows[problem.rows]).square().sum(dim=1)
    loss = witness + budget * change

    value = problem.value(coefficients, coefficients @ problem.gram, budget)
    np.testing.assert_allclose(value.witness, witness, atol=1e-10)
    np.testing.assert_allclose(value.change, change, rtol=1e-9)
    np.testing.assert_allclose(value.loss, loss, rtol=1e-9)


@pytest.mark.parametrize("mean", [0.1, 0.5, 0.9])
def test_the_bandwidth_gives_the_mean_kernel(mean):
    distances = np.random.default_rng(0).random(9)
    kernels = np.exp(-distances / (2 * bandwidth(distances, mean)))
    np.testing.assert_allclose(kernels.mean(), mean, rtol=1e-6)


def test_each_image_has_a_bandwidth_of_its_own():
    features, source, target = two_clouds()
    problem = problem_of(features, source, target)
    start = problem.start()
    pulls = problem.value(start, start @ problem.gram, 1.0).pulls
    np.testing.assert_allclose(-pulls[:, target].sum(axis=1), 0.5, rtol=1e-6)
    assert len(np.unique(problem.variances)) == len(problem.rows)


def test_a_duplicate_of_the_image_leaves_the_bandwidth_finite():
    assert bandwidth(np.array([0.0, 1.0, 2.0]), 0.5) > 0
    assert np.isfinite(bandwidth(np.zeros(3), 0.5))
    assert bandwidth(np.zeros(3), 0.5) > 0


def test_only_the_nearest_count_where_that_is_asked():
    features, source, target = two_clouds()
    problem = problem_of(features, source, target, neighbours=3)
    distances = np.linalg.norm(features[problem.rows, None] - features, axis=2)
    for far, weights in zip(distances, problem.weights, strict=True):
        for members, sign in ((source, 1), (target, -1)):
            near = np.flatnonzero(members)[np.argsort(far[members])[:3]]
            np.testing.assert_allclose(weights[near], sign / 3)
        assert (weights != 0).sum() == 6
