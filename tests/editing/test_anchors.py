from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.anchors import Anchors, find_anchors
from napari_spaceediting.editing.edits import Edit, Withdraw, fold
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel

quick = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)
N = 80


class World:
    """Two clusters on the map whose latents are (1, 0, ...) and (0, 1, ...)."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.labels = np.arange(N) % 2
        self.positions = (10 * self.labels[:, None] + rng.normal(size=(N, 2))).astype(
            np.float32
        )
        self.latents = np.eye(4, dtype=np.float32)[self.labels]
        self.latents += rng.normal(0, 0.01, self.latents.shape).astype(np.float32)
        self.probabilities = np.eye(2, dtype=np.float32)[self.labels]
        self.held_out = np.arange(N) >= 60

    def anchors(self, *edits: Edit) -> Anchors:
        state = fold(edits, self.labels, self.positions, ("left", "right"))
        return find_anchors(state, self.probabilities, self.held_out)

    def move(self, at: list[int], to: tuple[float, float], **options) -> Move:
        indices = np.array(at)
        end = np.tile(np.array(to, np.float32), (len(at), 1))
        return Move(indices, self.positions[indices], end, **options)


def test_a_move_asks_for_the_latents_of_where_it_ends():
    anchors = World().anchors(World().move([0], (10, 10), tag="right"))
    assert anchors.indices.tolist() == [0]
    assert_allclose(anchors.among(World().latents)[0], [0, 1, 0, 0], atol=0.03)
    assert anchors.votes[0, 1] > 0.9
    assert anchors.weights[0] > 0.6
    assert anchors.tags.tolist() == [1]
    assert (World().labels[anchors.near] == 1).all()


def test_only_neighbours_of_the_named_class_speak_for_it():
    world = World()
    # Amid the left cluster, and the network takes nearly all there for left ones.
    others = [2, 4, 6]
    world.probabilities[others] = [0.1, 0.9]
    world.labels = np.full(N, -1)
    world.latents[others] = [0, 0, 1, 0]
    (pinned,) = world.anchors(Pin(np.array([0]), "right")).among(world.latents)
    (drawn,) = world.anchors(Pin(np.array([0]), "left")).among(world.latents)
    assert pinned[2] > 0.9
    assert drawn[2] < 0.1


def test_a_class_that_nobody_there_has_leaves_the_image_where_it_is():
    world = World()
    for edit in (Pin(np.array([0]), "right"), Pin(np.array([0]), "new")):
        assert world.anchors(edit).weights.tolist() == [0]


def test_where_no_class_is_known_all_neighbours_speak():
    world = World()
    world.labels = np.full(N, -1)
    world.probabilities = np.empty((N, 0), np.float32)
    anchors = world.anchors(world.move([0], (10, 10), tag="right"))
    assert_allclose(anchors.among(world.latents)[0], [0, 1, 0, 0], atol=0.03)
    assert anchors.weights[0] > 0.6


def test_a_move_into_a_void_counts_for_nothing():
    assert World().anchors(World().move([0], (60, 60))).weights[0] < 0.05


def test_a_move_without_a_class_says_none_even_of_a_labelled_image():
    assert World().anchors(World().move([0], (10, 10), tag=None)).tags.tolist() == [-1]


def test_a_relabelled_image_has_no_anchor():
    world = World()
    anchors = world.anchors(Relabel(np.array([4]), "right"))
    assert anchors.weights.tolist() == [0]
    assert anchors.tags.tolist() == [1]


def test_arranged_images_have_no_anchor():
    world = World()
    anchors = world.anchors(
        Pin(np.array([9]), "left"),
        world.move([1, 3, 5], (0, 0), intent=Intent.ARRANGE),
        world.move([7, 11], (0, 0), intent=Intent.ARRANGE),
    )
    assert anchors.indices.tolist() == [1, 3, 5, 7, 9, 11]
    arranged = anchors.indices != 9
    assert (anchors.weights[arranged] == 0).all()
    assert (anchors.tags[arranged] == -1).all()


def test_held_out_images_ask_for_nothing():
    anchors = World().anchors(Relabel(np.array([60, 4]), "right"))
    assert anchors.indices.tolist() == [4]


def test_a_withdrawn_edit_asks_for_nothing():
    assert len(World().anchors(World().move([0], (10, 10)), Withdraw(0))) == 0


def test_held_out_and_edited_images_never_speak():
    world = World()
    edits = [
        world.move([0], (10, 10), tag="right"),
        Pin(np.array([1, 3, 5]), "right"),
        Relabel(np.array([7]), "left"),
    ]
    usual = world.anchors(*edits)
    silent = world.held_out.copy()
    silent[[0, 1, 3, 5, 7]] = True
    others = World()
    others.latents[silent] = 1e6
    others.probabilities[silent] = 0.5
    found = others.anchors(*edits)
    placed = usual.weights > 0
    assert placed.sum() == 4
    wanted = usual.among(world.latents)[placed]
    assert_array_equal(found.among(others.latents)[placed], wanted)
    assert_array_equal(found.weights, usual.weights)
    # Nor do their places matter.
    others.positions[world.held_out] += 3
    found = others.anchors(*edits).among(others.latents)
    assert_array_equal(found[placed], wanted)


def test_where_everything_is_edited_nobody_is_left_to_speak():
    world = World()
    anchors = world.anchors(Pin(np.arange(60), "left"))
    assert len(anchors) == 60
    assert (anchors.weights == 0).all()
    assert_array_equal(anchors.among(world.latents), world.latents[:60])


@quick
@given(seeds, st.floats(0, 2 * np.pi), st.floats(0.1, 10), st.floats(-50, 50))
def test_anchors_do_not_change_with_the_frame_of_the_map(seed, angle, scale, shift):
    world, moved = World(seed), World(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def carry(points):
        return scale * np.asarray(points, np.float64) @ turn.T + shift

    moved.positions = carry(world.positions)
    target = (9.0, 10.5)
    one = world.anchors(world.move([0, 2], target), Pin(np.array([6]), "left"))
    other = moved.anchors(
        moved.move([0, 2], tuple(carry(target))), Pin(np.array([6]), "left")
    )
    assert_allclose(one.among(world.latents), other.among(moved.latents), atol=1e-3)
    assert_allclose(one.weights, other.weights, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_anchors_lie_within_the_latents_that_they_are_made_of(seed):
    world = World(seed)
    anchors = world.anchors(world.move([0, 1, 2], (5, 5)))
    found = anchors.among(world.latents)
    assert (found >= world.latents.min(axis=0) - 1e-5).all()
    assert (found <= world.latents.max(axis=0) + 1e-5).all()
