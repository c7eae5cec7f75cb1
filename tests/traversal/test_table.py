from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import VARIABLE
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.arrival import look_at
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.settings import TraversalError
from napari_spaceediting.traversal.table import FeatureTable, read_features

CPU = torch.device("cpu")


def result_of(steps):
    """Return what a generator returns, and what it yielded."""
    seen: list[Progress] = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(6, 50)) * rng.uniform(0.5, 2, 50) + 3).astype(np.float32)


def test_the_blocked_gram_matrix_is_the_direct_one(rows, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(64 * 4 * 6 * 7))
    gram, seen = result_of(FeatureTable(rows, CPU).gram())
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    np.testing.assert_allclose(gram, standard @ standard.T / 50, atol=1e-5)
    assert [progress.done for progress in seen] == [7, 14, 21, 28, 35, 42, 49, 50]


def test_combinations_are_those_of_the_features_themselves(rows, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(64 * 4 * 6 * 7))
    coefficients = np.array([[0, 1, 0, 0, 0, 0], [0.5, 0.75, 0, 0, -0.25, 0]])
    found = FeatureTable(rows, CPU).combine(coefficients)
    np.testing.assert_allclose(found, coefficients @ rows, rtol=1e-4)


def test_features_that_hardly_vary_do_not_count(rows):
    rows[:, 0] = 1
    rows[:, 1] = 1 + 1e-6 * np.arange(6)
    gram, _ = result_of(FeatureTable(rows, CPU).gram())
    without, _ = result_of(FeatureTable(rows[:, 2:], CPU).gram())
    np.testing.assert_allclose(gram * 50, without * 48, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_told(rows, value):
    rows[2, 7] = value
    with np.errstate(invalid="ignore"), pytest.raises(TraversalError, match="finite"):
        FeatureTable(rows, CPU)


def test_a_network_that_sees_no_difference_is_told():
    with pytest.raises(TraversalError, match="same features"):
        FeatureTable(np.ones((4, 9), np.float32), CPU)


def test_features_are_the_same_in_memory_and_on_disk(small_digits, monkeypatch):
    classifier = classifier_from(ClassifierSpec(n_classes=10)).eval()
    features = LayerFeatures(classifier)
    indices = np.array([1, 4, 7, 9, 200])
    more = {"device": CPU, "batch_size": 2, "key": "one"}
    (kept, looks), seen = result_of(
        read_features(features, small_digits, indices, **more)
    )
    assert [progress.done for progress in seen] == [2, 4, 5]
    with torch.no_grad():
        direct = features(torch.from_numpy(small_digits.images(indices)))
    np.testing.assert_allclose(kept.rows, direct, atol=1e-4)
    alone = look_at(classifier, small_digits.images(indices), CPU)
    for seen_at_once, seen_alone in zip(looks, alone, strict=True):
        np.testing.assert_allclose(seen_at_once, seen_alone, atol=1e-5)

    monkeypatch.setenv("SPACEEDITING_MEMORY", "4KB")
    more["key"] = "another"
    (mapped, _), _ = result_of(read_features(features, small_digits, indices, **more))
    assert isinstance(mapped.rows, np.memmap)
    np.testing.assert_array_equal(mapped.rows, kept.rows)


def test_what_was_read_last_is_not_read_again(small_digits):
    features = LayerFeatures(classifier_from(ClassifierSpec(n_classes=10)).eval())
    more = {"device": CPU, "batch_size": 2, "key": "digits"}
    result_of(read_features(features, small_digits, np.array([2, 5, 8]), **more))
    indices = np.array([1, 5, 7, 8])
    (again, looks), seen = result_of(
        read_features(features, small_digits, indices, **more)
    )
    assert [(progress.done, progress.total) for progress in seen] == [(2, 2)]
    more["key"] = "another network"
    (anew, looks_anew), seen = result_of(
        read_features(features, small_digits, indices, **more)
    )
    assert [progress.done for progress in seen] == [2, 4]
    np.testing.assert_allclose(again.rows, anew.rows, atol=1e-5)
    for known, read in zip(looks, looks_anew, strict=True):
        np.testing.assert_allclose(known, read, atol=1e-5)
