from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spaceediting.editing.contradictions import (
    Contradiction,
    describe,
    find_contradictions,
)
from napari_spaceediting.editing.edits import Edit, Withdraw, fold
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel

N = 120
NAMES = ("coat", "shirt")
TWINS = (10, 20)
quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


class Scene:
    """Random images on a random map, some of which are copies of others."""

    def __init__(self, seed: int = 0, copies: Sequence[tuple[int, int]] = (TWINS,)):
        rng = np.random.default_rng(seed)
        self.latents = rng.normal(size=(N, 6)).astype(np.float32)
        self.places = rng.uniform(0, 10, (N, 2)).astype(np.float32)
        self.held_out = np.arange(N) % 5 == 4
        for one, other in copies:
            self.latents[other] = self.latents[one]
            self.places[other] = self.places[one]

    def move(self, image: int, place, tag: str | None = None) -> Move:
        at = np.array([image])
        end = np.array([place], np.float32)
        return Move(at, self.places[at], end, Intent.BELONGS, tag)

    def find(self, *edits: Edit) -> list[Contradiction]:
        state = fold(edits, np.full(N, -1), self.places, NAMES)
        return find_contradictions(state, self.latents, self.places, self.held_out)


def pin(image: int, tag: str) -> Pin:
    return Pin(np.array([image]), tag)


def relabel(image: int, tag: str | None) -> Relabel:
    return Relabel(np.array([image]), tag)


COAT_AND_SHIRT = [Contradiction(*TWINS, ("coat", "shirt"))]


@pytest.mark.parametrize("edit", [pin, relabel])
def test_copies_with_two_classes_contradict_each_other(edit):
    assert Scene().find(edit(10, "coat"), edit(20, "shirt")) == COAT_AND_SHIRT
    assert Scene().find(edit(20, "shirt"), pin(10, "coat")) == COAT_AND_SHIRT


def test_what_agrees_or_says_nothing_of_the_class_is_no_contradiction():
    scene = Scene()
    assert scene.find() == []
    assert scene.find(pin(10, "coat")) == []
    assert scene.find(pin(10, "coat"), pin(20, "coat")) == []
    assert scene.find(pin(10, "coat"), relabel(20, None)) == []
    assert scene.find(pin(10, "coat"), pin(11, "shirt")) == [], "they look different"


def test_only_the_last_word_counts():
    scene = Scene()
    edits = pin(10, "coat"), pin(20, "shirt")
    assert scene.find(*edits, pin(20, "coat")) == []
    assert scene.find(*edits, Withdraw(1)) == []
    assert scene.find(*edits, Withdraw(1), Withdraw(2)) == COAT_AND_SHIRT


def test_near_identical_is_measured_by_the_usual_distances():
    scene = Scene()
    offsets = np.linalg.norm(scene.latents[:, None] - scene.latents[None], axis=2)
    trained = offsets[~scene.held_out][:, ~scene.held_out]
    usual = np.median(np.sort(trained, axis=1)[:, 15])
    direction = np.eye(6, dtype=np.float32)[0]
    edits = pin(10, "coat"), pin(20, "shirt")
    for scale in (1e-3, 1, 1e3):
        for share, found in ((0.07, COAT_AND_SHIRT), (0.14, [])):
            apart = Scene()
            apart.latents[20] += share * usual * direction
            apart.latents *= scale
            assert apart.find(*edits) == found


def test_copies_among_nothing_but_copies_count():
    scene = Scene()
    scene.latents[:] = 1
    found = scene.find(pin(10, "coat"), pin(20, "shirt"), pin(30, "coat"))
    assert found == COAT_AND_SHIRT


def test_copies_dropped_far_apart_contradict_each_other():
    scene = Scene()
    apart = [Contradiction(*TWINS)]
    corners = scene.move(10, (0, 0)), scene.move(20, (9, 9))
    assert scene.find(*corners) == apart
    assert scene.find(scene.move(10, (0, 0), "coat"), corners[1]) == apart
    near = scene.move(20, (1, 1))
    assert scene.find(corners[0], near) == []
    assert scene.find(corners[0], relabel(20, "coat")) == [], "without a place"
    named = [scene.move(10, (0, 0), "coat"), scene.move(20, (9, 9), "shirt")]
    assert scene.find(*named) == COAT_AND_SHIRT, "the classes say it all"


def test_places_contradict_each_other_where_there_are_no_classes():
    scene = Scene()
    edits = scene.move(10, (0, 0)), scene.move(20, (9, 9))
    state = fold(edits, np.full(N, -1), scene.places, ())
    found = find_contradictions(state, scene.latents, scene.places, scene.held_out)
    assert found == [Contradiction(*TWINS)]


def test_copies_that_lay_apart_may_stay_so():
    scene = Scene()
    scene.places[10], scene.places[20] = (0, 0), (9, 9)
    assert scene.find(pin(10, "coat"), pin(20, "coat")) == []
    at = np.array(TWINS)
    # Moved together by what rounds, and closer together.
    for end in (scene.places[at] + np.float32(0.1), scene.places[at] * 0.9):
        together = Move(at, scene.places[at], end.astype(np.float32))
        assert scene.find(together) == []


def test_every_image_is_in_one_contradiction_the_nearest_first():
    scene = Scene(copies=[(1, 2), (1, 3), (5, 6)])
    scene.latents[2] += 1e-3
    scene.latents[3] += 2e-3
    scene.latents[6] += 5e-4
    found = scene.find(
        pin(1, "coat"), pin(2, "shirt"), pin(3, "shirt"), pin(5, "coat"),
        pin(6, "shirt"),
    )  # fmt: skip
    assert [(c.first, c.second) for c in found] == [(5, 6), (1, 2)]


def test_many_copies_with_one_that_differs():
    copies = [(0, other) for other in range(1, 80)]
    scene = Scene(copies=copies)
    for odd in (0, 40, 79):
        edits = [pin(at, "shirt" if at == odd else "coat") for at in range(80)]
        (found,) = scene.find(*edits)
        assert odd in (found.first, found.second)


@quick
@given(seeds)
def test_the_order_of_images_and_where_the_map_lies_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    scene = Scene(seed, copies=[(at, at + 1) for at in range(0, 40, 2)])
    # One distance for each pair, so that there is one nearest pair.
    scene.latents[1:40:2] += np.arange(20)[:, None] * np.float32(1e-4)
    images = rng.permutation(40)
    places = rng.uniform(0, 10, (40, 2)).astype(np.float32)
    tags = [(None, *NAMES)[rng.integers(3)] for _ in images]
    edits = [scene.move(*it) for it in zip(images, places, tags, strict=True)]
    found = scene.find(*edits)
    assert {c.first + 1 for c in found} == {c.second for c in found}

    order = rng.permutation(N)
    other = Scene(seed)
    other.latents = scene.latents[order]
    other.held_out = scene.held_out[order]
    shift = rng.uniform(-5, 5, 2).astype(np.float32)
    other.places = scene.places[order] + shift
    row = np.argsort(order)
    again = other.find(
        *(
            other.move(row[image], place + shift, tag)
            for image, place, tag in zip(images, places, tags, strict=True)
        )
    )

    def told(found, name):
        return [
            {(name[c.first], c.classes and c.classes[0]),
             (name[c.second], c.classes and c.classes[1])}
            for c in found
        ]  # fmt: skip

    assert told(again, order) == told(found, np.arange(N))


def test_a_contradiction_in_words():
    ids = np.array([f"{at}.png" for at in range(N)])
    assert describe(Contradiction(1, 2, ("coat", "shirt")), ids) == (
        "Image 1.png and image 2.png look the same to the network, but were called "
        "coat and shirt."
    )
    assert describe(Contradiction(1, 2), ids).endswith("but were put far apart.")
