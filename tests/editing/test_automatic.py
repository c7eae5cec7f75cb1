from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.automatic import soften_labels, spread_labels
from napari_spaceediting.editing.targets import Targets

SIZE = 25
"""Images in a cluster: more than the neighbours that are looked at."""


def clusters(*middles: float) -> np.ndarray:
    """Return latents in clusters around places on a line."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, (SIZE * len(middles), 3))
    noise[:, 0] += np.repeat(middles, SIZE)
    return noise.astype(np.float32)


def labelled(n: int, **at: int) -> np.ndarray:
    """Return labels by image, such as ``image_3=1``; none elsewhere."""
    labels = np.full(n, -1)
    for name, value in at.items():
        labels[int(name.removeprefix("image_"))] = value
    return labels


def spread(latents, labels, among=None, n_classes: int = 2) -> Targets:
    among = np.ones(len(latents), bool) if among is None else among
    return spread_labels(latents, labels, among, n_classes)


def test_labels_spread_along_their_cluster():
    latents = clusters(0, 50)
    found = spread(latents, labelled(50, image_4=0, image_30=1))
    assert_array_equal(found.indices, np.setdiff1d(np.arange(50), [4, 30]))
    assert_array_equal(found.classes.argmax(axis=1), found.indices >= SIZE)
    assert_allclose(found.classes.sum(axis=1), 1, atol=1e-6)
    # No way leads from one cluster to the other, so there is no doubt.
    assert_allclose(found.weights, 1, atol=1e-6)


def test_an_image_between_two_clusters_is_doubted():
    left, right = clusters(-5), -clusters(-5)
    latents = np.concatenate([left, right, np.zeros((1, 3), np.float32)])
    labels = np.full(51, -1)
    labels[:20], labels[SIZE : SIZE + 20] = 0, 1
    found = spread(latents, labels)
    doubted = found.indices == 50
    assert found.weights[doubted] < 0.1
    assert (found.weights[~doubted] > 0.5).all()


def test_only_unlabelled_images_that_may_be_trained_on_are_given_a_class():
    rng = np.random.default_rng(1)
    latents = clusters(0, 50)
    labels = np.where(rng.random(50) < 0.3, np.arange(50) // SIZE, -1)
    among = rng.random(50) < 0.8
    found = spread(latents, labels, among)
    assert set(found.indices) == set(np.flatnonzero(among & (labels < 0)))


def test_labels_that_are_held_out_are_not_looked_at():
    latents, labels = clusters(0, 50), labelled(50, image_4=0, image_30=1)
    among = np.ones(50, bool)
    among[[7, 8, 40]] = False
    lured = labels.copy()
    lured[[7, 8, 40]] = 1, 1, 0
    moved = latents.copy()
    moved[[7, 8, 40]] *= -3
    one, other = spread(latents, labels, among), spread(moved, lured, among)
    assert_array_equal(one.indices, other.indices)
    assert_array_equal(one.classes, other.classes)
    assert_array_equal(one.weights, other.weights)


def test_a_class_without_a_labelled_image_is_given_to_none():
    found = spread(clusters(0, 50), labelled(50, image_4=1, image_30=3), n_classes=5)
    assert_array_equal(found.classes[:, [0, 2, 4]], 0)
    assert set(found.classes.argmax(axis=1)) == {1, 3}


def test_images_that_no_label_reaches_are_left_out():
    found = spread(clusters(0, 50, 100), labelled(75, image_4=0, image_30=1))
    assert found.indices.max() < 2 * SIZE


@pytest.mark.parametrize(
    "labels",
    [
        np.full(50, -1),
        labelled(50, image_4=1, image_5=1),
        np.arange(50) // SIZE,
    ],
    ids=["no label", "a single class", "all are labelled"],
)
def test_where_nothing_can_be_said_nothing_is(labels):
    found = spread(clusters(0, 50), labels, n_classes=3)
    assert len(found) == 0
    assert found.classes.shape == (0, 3)


def test_a_label_of_one_class_among_those_that_may_be_trained_on_is_not_enough():
    among = np.ones(50, bool)
    among[30] = False
    labels = labelled(50, image_4=0, image_30=1)
    assert len(spread(clusters(0, 50), labels, among)) == 0


@pytest.mark.parametrize("n_classes", range(2, 11))
def test_knowing_nothing_has_no_weight_and_never_less(n_classes):
    # All images are equally near, so the one without a class could have any.
    latents = np.eye(n_classes + 1, dtype=np.float32)
    labels = np.append(np.arange(n_classes), -1)
    found = spread(latents, labels, n_classes=n_classes)
    assert_array_equal(found.indices, [n_classes])
    assert_allclose(found.weights, 0, atol=1e-5)
    assert (found.weights >= 0).all()


class Judged:
    """300 images of 4 classes, and networks that mostly see the right one."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.truth = np.arange(300) % 4
        expected = 0.12 * rng.dirichlet(np.ones(4), 300)
        expected[np.arange(300), self.truth] += 0.88
        self.expected = expected.astype(np.float32)
        # One in ten of each class, so that the usual belief in it is about 0.82.
        self.wrong = np.arange(0, 270, 9)
        self.labels = self.truth.copy()
        self.labels[self.wrong] = (self.truth[self.wrong] + 1) % 4


def test_planted_wrong_labels_are_found_and_softened():
    world = Judged()
    found = soften_labels(world.labels, np.arange(300), world.expected)
    assert_array_equal(found.indices, world.wrong)
    assert_array_equal(found.classes.argmax(axis=1), world.truth[world.wrong])
    own = found.classes[np.arange(30), world.labels[world.wrong]]
    assert (own > 0.39).all(), "the label keeps four tenths"
    assert (own < 0.5).all()
    assert_allclose(found.classes.sum(axis=1), 1, atol=1e-6)
    assert_array_equal(found.weights, 1)


def test_only_the_images_that_are_asked_for_are_softened():
    world = Judged()
    rows = np.arange(120, 300)
    found = soften_labels(world.labels, rows, world.expected[rows])
    assert_array_equal(found.indices, world.wrong[world.wrong >= 120])


def test_a_label_is_doubted_only_where_all_judges_clearly_prefer_the_same_class():
    labels = np.zeros(4, np.int64)
    one = np.array([[0.1, 0.8, 0.1]] * 3 + [[0.3, 0.45, 0.25]], np.float32)
    other = np.array(
        [[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]], np.float32
    )
    found = soften_labels(labels, np.arange(4), one, other)
    assert_array_equal(found.indices, [0])
    assert_allclose(found.classes, [[0.4 + 0.6 * 0.1, 0.6 * 0.75, 0.6 * 0.15]])


def test_without_images_there_is_nothing_to_soften():
    nothing = np.empty(0, np.int64)
    found = soften_labels(np.full(5, -1), nothing, np.empty((0, 3), np.float32))
    assert len(found) == 0
    assert found.classes.shape == (0, 3)
