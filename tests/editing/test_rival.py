from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.arms import lessons
from napari_spaceediting.editing.evidence import measured_images
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.rival import components, logistic, rival_classes
from napari_spaceediting.jobs.job import finish, run_job


def blobs(noise: float = 2, n: int = 300):
    """Return features and classes of three overlapping clusters."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, n)
    away = rng.normal(size=(3, 40))
    features = away[classes] + noise * rng.normal(size=(n, 40)) + 100
    return features.astype(np.float32), classes


def test_components_are_of_standardised_features():
    features, _ = blobs()
    pool = np.arange(200)
    space = components(features, pool)
    assert space.shape == (300, 40)
    assert_allclose(space[pool].mean(axis=0), 0, atol=1e-3)
    scales = np.logspace(-3, 3, 40, dtype=np.float32)
    again = components(features * scales, pool)
    assert_allclose(np.abs(again), np.abs(space), atol=0.05)


def test_there_are_no_more_components_than_images():
    features, _ = blobs()
    assert components(features, np.arange(7)).shape == (300, 7)


@pytest.mark.parametrize("known", [4, 60])
def test_it_learns_what_is_known(known):
    features, classes = blobs()
    space = components(features, np.arange(300))
    at = np.concatenate([np.flatnonzero(classes == c)[: known // 2] for c in range(3)])
    labels = np.full(300, -1)
    labels[at] = classes[at]
    said = logistic(space, labels, at, 5)
    assert said.shape == (300, 5)
    assert_allclose(said.sum(axis=1), 1, rtol=1e-5)
    assert not said[:, 3:].any()
    others = np.setdiff1d(np.arange(300), at)
    assert np.mean(said[others].argmax(axis=1) == classes[others]) > 0.5


def test_how_strongly_it_is_regularised_follows_from_the_labels():
    features, classes = blobs(noise=3)
    space = components(features, np.arange(300))
    at, rest = np.arange(150), np.arange(150, 300)

    def log_loss(**how) -> float:
        said = logistic(space, classes, at, 3, **how)
        return -np.log(said[rest, classes[rest]]).mean()

    assert log_loss() < 0.9 * log_loss(by_folds=False)


def test_a_round_says_how_logistic_regression_does(trained_session):
    truth = trained_session.dataset.columns["truth"]
    at = np.flatnonzero(~trained_session.dataset.held_out)[:60]
    for c in range(10):
        trained_session.apply(Pin(at[truth[at] == c], str(c)))
    settings = replace(trained_session.state.retrain, arms=("control", "rival"))
    trained_session.set_retrain_settings(settings)
    job = trained_session.retraining().retrain
    evidence = run_job(job).evidence
    assert evidence.arms.keys() == {"before", "control", "after", "rival"}
    assert "logistic regression on the same features" in evidence.verdict()
    # It is the plain thing on what the network's backbone gives.
    lesson = lessons(job, ("rival",), None, 0)["rival"]
    said = finish(rival_classes(job, lesson)).argmax(axis=1)
    _, held_out = measured_images(job.dataset.split, job.labels)
    right = np.mean(said[held_out] == job.labels[held_out])
    assert evidence.arms["rival"].accuracy == pytest.approx(right)
    assert right > 0.3


def test_it_is_asked_once_however_often_the_network_is_trained(trained_session):
    trained_session.apply(
        Pin(np.flatnonzero(~trained_session.dataset.held_out)[:9], "3")
    )
    settings = replace(
        trained_session.state.retrain, arms=("rival",), recipe="descent", steps=2
    )
    trained_session.set_retrain_settings(settings)
    job = trained_session.retraining().retrain
    once = run_job(job).evidence
    twice = run_job(
        replace(job, settings=replace(settings, repeats=2, seed=5))
    ).evidence
    assert_array_equal(once.arms["rival"].confusion, twice.arms["rival"].confusion)
    assert twice.seeds == 2
