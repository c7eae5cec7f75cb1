from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.places import Places, Surroundings, beliefs

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, n: int = 60, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return places without ties and what is believed of them."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), rng.dirichlet(np.ones(classes), n)


def around(positions, believed, places, k: int = 15) -> Places:
    return Surroundings(positions, np.arange(len(positions)), believed).at(places, k)


def assert_same(one: Places, other: Places) -> None:
    assert_array_equal(one.neighbours, other.neighbours)
    assert_allclose(one.votes, other.votes, atol=1e-5)
    assert_allclose(one.support, other.support, atol=1e-5)


@quick
@given(
    seeds,
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.floats(0, 2 * np.pi),
    st.floats(0.01, 100),
)
def test_shifting_turning_and_scaling_the_map_changes_nothing(seed, x, y, angle, scale):
    positions, believed = cloud(seed)
    places = 2 * np.random.default_rng(seed + 1).normal(size=(8, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def moved(points):
        return scale * points @ turn.T + (x, y)

    assert_same(
        around(positions, believed, places),
        around(moved(positions), believed, moved(places)),
    )


@quick
@given(seeds)
def test_the_order_of_the_images_does_not_matter(seed):
    positions, believed = cloud(seed)
    order = np.random.default_rng(seed).permutation(len(positions))
    one = around(positions, believed, positions[:8] + 0.01)
    other = around(positions[order], believed[order], positions[:8] + 0.01)
    assert_array_equal(one.neighbours, order[other.neighbours])
    assert_allclose(one.votes, other.votes, atol=1e-5)
    assert_allclose(one.support, other.support, atol=1e-5)


@quick
@given(seeds, st.integers(1, 80))
def test_shares_are_shares(seed, k):
    positions, believed = cloud(seed)
    found = around(positions, believed, 3 * positions[:8], k)
    assert found.neighbours.shape == (8, min(k, 60))
    assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
    assert_allclose(found.votes.sum(axis=1), 1, atol=1e-5)
    assert (np.diff(found.weights, axis=1) <= 1e-6).all(), "nearest first"
    assert ((found.support >= 0) & (found.support <= 1)).all()


def test_support_is_high_inside_a_cluster_and_nothing_far_outside():
    positions, believed = cloud(0, n=400)
    inside, edge, far = around(
        positions, believed, np.array([[0, 0], [2.5, 2.5], [40, 0]])
    ).support
    assert inside > 0.8
    assert edge < 0.5
    assert far < 0.02


def test_support_is_low_in_a_void_between_clusters():
    positions, believed = cloud(0, n=400)
    rings = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    rings *= np.random.default_rng(0).uniform(9, 10, (400, 1))
    # All around, but far away: enclosed, and yet nothing is there.
    assert around(rings, believed, np.zeros((1, 2))).support[0] < 0.5


def test_the_nearer_neighbours_decide():
    positions = np.array([[0, 0.1], [0.1, 0], [5, 5], [5, 5.1], [5.1, 5]])
    believed = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    votes = around(positions, believed, np.zeros((1, 2))).votes[0]
    assert votes[0] > votes[1], "two of the five, but near"


def test_images_in_a_single_place():
    believed = np.tile([0.25, 0.75], (20, 1))
    here, elsewhere = (
        around(np.ones((20, 2)), believed, np.full((1, 2), at)) for at in (1, 9)
    )
    assert here.support[0] == 1
    assert elsewhere.support[0] == 0
    for found in (here, elsewhere):
        assert_allclose(found.votes, [[0.25, 0.75]], atol=1e-6)
        assert np.isfinite(found.weights).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_with_few_images_all_are_asked(n):
    positions, believed = cloud(1, n=n)
    found = around(positions, believed, np.zeros((2, 2)))
    assert sorted(found.neighbours[0].tolist()) == list(range(n))
    assert np.isfinite(found.support).all()


def test_where_nobody_may_speak_nothing_is_said():
    found = Surroundings(np.zeros((5, 2)), np.empty(0, int), np.ones((5, 2))).at(
        np.zeros((3, 2))
    )
    assert found.neighbours.shape == (3, 0)
    assert_array_equal(found.votes, np.zeros((3, 2)))
    assert_array_equal(found.support, np.zeros(3))


def test_no_place_gives_no_answer():
    positions, believed = cloud(0)
    found = around(positions, believed, np.empty((0, 2)))
    assert found.votes.shape == (0, 3)
    assert found.support.shape == (0,)


def test_only_candidates_speak():
    positions, believed = cloud(0)
    candidates = np.arange(0, 60, 2)
    found = Surroundings(positions, candidates, believed).at(positions)
    assert np.isin(found.neighbours, candidates).all()


def test_neighbours_of_whom_nothing_is_known_have_no_vote():
    positions, believed = cloud(0)
    assert_array_equal(around(positions, 0 * believed, positions).votes, 0)
    believed[1:] = 0
    votes = around(positions, believed, positions[:1] + 0.001).votes
    assert_allclose(votes[0], believed[0], atol=1e-5)


def test_labels_are_certain_and_the_network_speaks_for_the_rest():
    labels = np.array([2, -1, 0])
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]], np.float32)
    assert_allclose(
        beliefs(labels, probabilities, 3),
        [[0, 0, 1], [0.3, 0.7, 0], [1, 0, 0]],
        atol=1e-6,
    )


def test_without_a_network_only_labels_are_believed():
    assert_array_equal(
        beliefs(np.array([1, -1]), np.empty((2, 0), np.float32), 2), [[0, 1], [0, 0]]
    )


@pytest.mark.parametrize("n", [1, 100, 101, 950])
def test_a_group_is_described_by_some_of_its_places(n):
    positions, believed = cloud(3)
    places = np.random.default_rng(4).normal(size=(n, 2))
    asked = Surroundings(positions, np.arange(60), believed).of_group(places)
    assert min(n, 50) <= len(asked.votes) <= 100
    step = -(-n // 100)
    assert_same(asked, around(positions, believed, places[::step].astype(np.float32)))
