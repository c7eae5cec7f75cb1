from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.targets import Targets, joined, known, widened

EVERYWHERE = np.ones(8, bool)


def targets(indices, classes, weights=None, n_classes: int = 3) -> Targets:
    """Return targets with certain classes."""
    rows = np.eye(n_classes, dtype=np.float32)[np.array(classes, int)]
    weights = np.ones(len(rows)) if weights is None else weights
    return Targets(np.array(indices, np.int64), rows, np.asarray(weights, np.float32))


def test_known_are_the_labelled_images_that_may_be_trained_on():
    labels = np.array([2, -1, 0, 1, 0, -1, 2, 2])
    among = np.array([True] * 6 + [False] * 2)
    found = known(labels, among, 4)
    assert_array_equal(found.indices, [0, 2, 3, 4])
    assert_array_equal(found.classes.argmax(axis=1), [2, 0, 1, 0])
    assert_array_equal(found.classes.sum(axis=1), 1)
    assert found.classes.shape == (4, 4)
    assert_array_equal(found.weights, 1)


def test_known_are_soft_where_people_disagree():
    labels, soft = np.array([0, 1, -1, 1]), np.zeros((4, 3), np.float32)
    soft[1], soft[2] = [0, 0.75, 0.25], [0.5, 0.5, 0]
    found = known(labels, np.ones(4, bool), 3, soft)
    assert_array_equal(found.indices, [0, 1, 3])
    assert_array_equal(found.classes, [[1, 0, 0], [0, 0.75, 0.25], [0, 1, 0]])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_every_class_is_drawn_equally_often(classes):
    found = targets(range(len(classes)), classes, n_classes=5)
    chances = found.chances()
    assert_allclose(chances.sum(), 1)
    present, counts = np.unique(classes, return_counts=True)
    for value, count in zip(present, counts, strict=True):
        its_own = chances[np.array(classes) == value]
        assert_allclose(its_own, 1 / (len(present) * count))


def test_within_a_class_images_are_drawn_by_their_weight():
    chances = targets(range(5), [0, 0, 0, 1, 1], [1, 0.5, 0.5, 0.2, 0]).chances()
    assert_allclose(chances, [0.25, 0.125, 0.125, 0.5, 0], atol=1e-7)


def test_an_image_between_classes_is_drawn_for_each_by_its_share():
    found = Targets(
        np.arange(3),
        np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32),
        np.ones(3, np.float32),
    )
    assert_allclose(found.chances(), [1 / 3] * 3)


def test_of_an_image_that_has_several_targets_the_last_counts():
    first = targets([4, 1, 6], [0, 1, 2])
    second = targets([6, 0], [0, 1], [0.5, 0.25])
    third = targets([0, 2], [2, 2], [0.75, 0.125])
    found = joined(first, second, third)
    assert_array_equal(found.indices, [0, 1, 2, 4, 6])
    assert_array_equal(found.classes.argmax(axis=1), [2, 1, 2, 0, 0])
    assert_array_equal(found.weights, [0.75, 1, 0.125, 1, 0.5])
    other_way = joined(second, first)
    assert_array_equal(other_way.classes.argmax(axis=1), [1, 1, 0, 2])
    assert len(found) == 5


@pytest.mark.parametrize("empty_first", [True, False])
def test_nothing_can_be_joined(empty_first):
    some, nothing = targets([3, 5], [0, 2]), known(np.full(8, -1), EVERYWHERE, 3)
    found = joined(nothing, some) if empty_first else joined(some, nothing)
    assert_array_equal(found.indices, some.indices)
    assert_array_equal(found.classes, some.classes)
    assert found.indices.dtype == np.int64
    assert found.classes.dtype == found.weights.dtype == np.float32


def test_more_classes_have_none_of_the_belief():
    classes = np.array([[0.25, 0.75], [1, 0]], np.float32)
    assert_array_equal(widened(classes, 4), [[0.25, 0.75, 0, 0], [1, 0, 0, 0]])
    assert_array_equal(widened(classes, 2), classes)
    assert widened(np.empty((3, 0), np.float32), 2).shape == (3, 2)
