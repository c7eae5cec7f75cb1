from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.kernel_ridge import KernelRidge as Reference

from napari_spaceediting.network import kernel_ridge
from napari_spaceediting.network.kernel_ridge import KernelRidge, LeftOut, fit, roots


def some(n: int, seed: int = 0, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return roots of features of n images, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    features = np.abs(rng.normal(size=(n, 20)))
    features[np.arange(n), labels] += 1.5
    rooted = roots(torch.from_numpy(features.astype(np.float32))).numpy()
    return rooted, np.eye(n_classes, dtype=np.float32)[labels]


def said(model: KernelRidge, rooted: np.ndarray) -> np.ndarray:
    squared = 2 - 2 * rooted @ model.landmarks.T
    return np.exp(-model.gamma * squared) @ model.weights + model.bias


def fitted(
    rooted: np.ndarray, classes: np.ndarray, weights: np.ndarray | None = None
) -> KernelRidge:
    every = np.ones(len(rooted), np.float32)
    return fit(rooted, classes, every if weights is None else weights)


def test_roots_keep_the_sign_and_have_length_one():
    features = torch.tensor([[4.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    rooted = roots(features)
    assert rooted[0].norm() == pytest.approx(1)
    assert float(rooted[0, 0] / rooted[0, 1]) == pytest.approx(-2, rel=1e-3)
    assert not rooted[1].any()


def test_roots_have_a_slope_everywhere():
    features = torch.zeros(1, 4, requires_grad=True)
    with torch.no_grad():
        features[0, 0] = 1
    roots(features).sum().backward()
    assert torch.isfinite(features.grad).all()


def test_it_is_the_regression_of_the_textbook():
    rooted, classes = some(60)
    model = fitted(rooted, classes)
    kernel = np.exp(-model.gamma * (2 - 2 * rooted @ rooted.T))
    mean = classes.mean(axis=0)
    # Scores are divided by a temperature, which the bias tells.
    temperature = mean[0] / model.bias[0]
    errors = {}
    for ridge in kernel_ridge._RIDGES:
        reference = Reference(alpha=ridge, kernel="precomputed")
        reference.fit(kernel, classes - mean)
        scores = (reference.predict(kernel) + mean) / temperature
        errors[ridge] = np.abs(scores - said(model, rooted)).max()
    assert min(errors.values()) < 1e-3


@pytest.mark.parametrize("chosen_on", [500, 30])
def test_an_image_left_out_is_judged_as_if_it_were_not_there(monkeypatch, chosen_on):
    monkeypatch.setattr(kernel_ridge, "_CHOSEN_ON", chosen_on)
    rooted, classes = some(60)
    model = fitted(rooted, classes)
    mean = classes.mean(axis=0)
    gamma = model.gamma
    others = np.arange(60) != 7
    best = []
    for ridge in kernel_ridge._RIDGES:
        reference = Reference(alpha=ridge, kernel="rbf", gamma=gamma)
        reference.fit(rooted[others], classes[others] - mean)
        scores = reference.predict(rooted[[7]]) + mean
        best.append(np.abs(scores - model.left_out.scores[7]).max())
    assert min(best) < 0.01


@pytest.mark.parametrize("chosen_on", [500, 30])
def test_other_draws_are_what_would_be_without_an_image(monkeypatch, chosen_on):
    monkeypatch.setattr(kernel_ridge, "_CHOSEN_ON", chosen_on)
    rooted, classes = some(60)
    draws = np.zeros((3, 60), np.float32)
    draws[1, 7], draws[2, 7] = -1, 1
    model = fit(rooted, classes, np.ones(60, np.float32), draws)
    same, without, twice = (
        said(replace(model, weights=weights), rooted) for weights in model.redrawn
    )
    assert_allclose(same, said(model, rooted), atol=1e-4)
    assert_allclose(twice - same, same - without, atol=1e-3)
    left_out = model.left_out
    assert_allclose(
        without[7], left_out.scores[7] / left_out.temperature, atol=5e-3, rtol=1e-3
    )


def test_many_images_are_interpolated_between_some(monkeypatch):
    rooted, classes = some(400)
    new, truth = some(300, seed=1)
    exact = said(fitted(rooted, classes), new)
    monkeypatch.setattr(kernel_ridge, "_CHOSEN_ON", 100)
    monkeypatch.setattr(kernel_ridge, "_LANDMARKS", 200)
    model = fitted(rooted, classes)
    assert len(model.landmarks) == 200
    right = [
        np.mean(scores.argmax(axis=1) == truth.argmax(axis=1))
        for scores in (exact, said(model, new))
    ]
    assert right[1] > right[0] - 0.02
    agree = said(model, rooted).argmax(axis=1) == model.left_out.scores.argmax(axis=1)
    assert agree.mean() > 0.8


def test_wrong_labels_are_outvoted():
    rooted, classes = some(300)
    wrong = np.arange(0, 300, 5)
    given = classes.copy()
    given[wrong] = np.roll(classes[wrong], 1, axis=1)
    model = fitted(rooted, given)
    outvoted = model.left_out.scores.argmax(axis=1) != given.argmax(axis=1)
    assert outvoted[wrong].mean() > 0.8
    assert outvoted.mean() < 0.35


def test_a_rare_class_counts_as_much_as_others():
    rooted, classes = some(300, n_classes=2)
    rare = np.flatnonzero(classes[:, 1])[:6]
    at = np.concatenate([np.flatnonzero(classes[:, 0]), rare])
    new, truth = some(400, seed=1, n_classes=2)
    found = said(fitted(rooted[at], classes[at]), new).argmax(axis=1) == 1
    assert found[truth[:, 1] == 1].mean() > 0.5


def test_an_image_that_hardly_counts_hardly_matters():
    rooted, classes = some(60)
    weights = np.ones(60, np.float32)
    weights[::2] = 1e-4
    other = classes.copy()
    other[::2] = np.roll(classes[::2], 1, axis=1)
    one, two = (said(fitted(rooted, c, weights), rooted) for c in (classes, other))
    assert (one.argmax(axis=1) == two.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_image_a_class_is_enough(n):
    rooted, classes = some(n)
    model = fitted(rooted, classes[:, :n])
    assert (said(model, rooted).argmax(axis=1) == np.arange(n)).all()
    assert np.isfinite(model.left_out.scores).all()


def test_equal_images_are_no_trouble():
    rooted, classes = some(12)
    same = np.repeat(rooted[:1], 12, axis=0)
    assert_allclose(np.ptp(said(fitted(same, classes), same), axis=0), 0, atol=1e-4)


def test_a_class_that_nobody_has_is_never_said():
    rooted, classes = some(60)
    wide = np.concatenate([classes, np.zeros((60, 2), np.float32)], axis=1)
    assert said(fitted(rooted, wide), rooted).argmax(axis=1).max() == 2


def test_margins_are_of_scores_and_of_labels_that_others_have():
    scores = np.array([[0.9, 0.1], [0.2, 0.7], [0.6, 0.5]], np.float32)
    left_out = LeftOut(scores, 0.1)
    found = left_out.margins(np.array([0, 0, 1]))
    assert_allclose(found, [0.8, -0.5, np.nan], atol=1e-6)
    assert_allclose(left_out.probabilities().sum(axis=1), 1, atol=1e-6)
    assert left_out.probabilities()[0, 0] == pytest.approx(1 / (1 + np.exp(-8)))
