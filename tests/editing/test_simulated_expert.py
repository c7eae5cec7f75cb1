from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.guidance import Proposal, ProposalKind
from napari_spaceediting.editing.image_edits import Move, Pin
from napari_spaceediting.editing.places import Homes, Surroundings, beliefs
from napari_spaceediting.editing.simulated_expert import SimulatedExpert

NAMES = ("left", "right")


class World:
    """Two clusters of 40 images each, 10 apart on the map."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.truth = np.repeat([0, 1], 40)
        self.positions = rng.normal(size=(80, 2)).astype(np.float32)
        self.positions[40:, 0] += 10
        self.homes = self.homes_of(self.truth, np.eye(2, dtype=np.float32)[self.truth])

    def homes_of(self, labels, probabilities) -> Homes:
        believed = beliefs(labels, probabilities, 2)
        return Homes(Surroundings(self.positions, np.arange(80), believed))

    def expert(self, seed: int = 0, truth=None) -> SimulatedExpert:
        truth = self.truth if truth is None else truth
        return SimulatedExpert(truth, NAMES, np.random.default_rng(seed))

    def decide(self, *indices: int, truth=None, seed: int = 0):
        proposal = Proposal(ProposalKind.GROUP, np.array(indices), "", None, None, 1.0)
        return self.expert(seed, truth).decide(proposal, self.positions, self.homes)


@pytest.fixture
def world() -> World:
    return World()


def test_homes_are_well_inside_their_class(world):
    left = world.homes.near(0, world.positions[40])
    right = world.homes.near(1, world.positions[0])
    assert left[0] < 5 < right[0]


def test_there_is_no_place_to_go_for_what_is_at_home(world):
    assert world.homes.near(0, world.positions[0]) is None
    place = world.homes.near(1, world.positions[0])
    assert place[0] > 5
    nearest = np.linalg.norm(world.positions[40:] - world.positions[0], axis=1).min()
    assert np.linalg.norm(place - world.positions[0]) < nearest + 2


def test_a_class_that_lives_nowhere_has_no_place(world):
    nowhere = world.homes_of(np.zeros(80, int), np.empty((80, 0), np.float32))
    assert nowhere.near(1, world.positions[0]) is None


def test_without_images_there_are_no_homes(world):
    nobody = np.empty(0, np.int64)
    around = Surroundings(world.positions, nobody, np.ones((80, 1), np.float32))
    assert Homes(around).near(0, world.positions[0]) is None


def test_what_lies_at_home_is_pinned(world):
    edit = world.decide(3, 4, 5)
    assert isinstance(edit, Pin)
    assert edit.tag == "left"
    assert edit.indices.tolist() == [3, 4, 5]


def test_what_lies_elsewhere_is_moved_as_it_lies(world):
    truth = world.truth.copy()
    truth[[3, 4, 5]] = 1
    edit = world.decide(3, 4, 5, truth=truth)
    assert isinstance(edit, Move)
    assert edit.tag == "right"
    np.testing.assert_array_equal(edit.start, world.positions[[3, 4, 5]])
    steps = edit.end - edit.start
    np.testing.assert_allclose(steps, np.tile(steps[0], (3, 1)), atol=1e-5)
    assert edit.end[:, 0].mean() > 5


def test_of_a_mixed_group_only_the_first_is_named(world):
    edit = world.decide(45, 3, 4, 46)
    assert edit.indices.tolist() == [45]
    assert edit.tag == "right"


def test_some_that_differ_are_left_out_and_some_overlooked(world):
    sizes = [
        len(world.decide(*range(8), 45, 46, seed=seed).indices) for seed in range(40)
    ]
    assert set(sizes) == {8, 9, 10}
    assert 8.5 < np.mean(sizes) < 9.5
    for seed in range(5):
        assert world.decide(*range(8), 45, 46, seed=seed).tag == "left"
