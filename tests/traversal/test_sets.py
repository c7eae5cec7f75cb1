from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.traversal.sets import TraversalSets, choose_sets
from napari_spaceediting.traversal.settings import TraversalError

IDS = np.array([f"im{at}" for at in range(100)])


def make(images, source, target) -> TraversalSets:
    arrays = [np.array(list(some), np.int64) for some in (images, source, target)]
    return TraversalSets(arrays[0], (arrays[1],) * len(arrays[0]), arrays[2])


@pytest.mark.parametrize(
    ("images", "source", "target", "says"),
    [
        ([], range(10), range(20, 30), "at least one"),
        ([0], [], range(20, 30), "source has 0 images"),
        ([0], range(10), [], "target has 0 images"),
        ([0], range(10), [20, 21], "target has 2 images"),
        ([0], [0, 1, 2], range(20, 30), "source has 2 images"),
        ([0], range(10), [20, 20, 20, 20], "target has 1 images"),
        ([0, 25], range(10), range(20, 30), "im25 is in the target already"),
    ],
)
def test_sets_that_cannot_be_used_are_told(images, source, target, says):
    with pytest.raises(TraversalError, match=says):
        make(images, source, target).check(IDS)


def test_small_sets_are_allowed_with_a_warning():
    assert make([0], range(1, 20), range(20, 40)).check(IDS) == ()
    (note,) = make([0], range(1, 20), range(20, 25)).check(IDS)
    assert "target has only 5 images" in note


def test_an_image_is_no_part_of_its_own_source():
    drawn = make([3, 50], range(10), range(20, 30)).drawn(300, seed=0)
    assert 3 not in drawn.sources[0]
    assert len(drawn.sources[0]) == 9
    assert len(drawn.sources[1]) == 10


def test_sets_are_drawn_without_repetition_and_by_the_seed():
    sets = make([99, 98], range(50), range(50, 90))
    drawn = sets.drawn(12, seed=1)
    assert len(np.unique(drawn.target)) == len(np.unique(drawn.sources[0])) == 12
    assert np.isin(drawn.target, sets.target).all()
    np.testing.assert_array_equal(drawn.sources[0], drawn.sources[1])
    np.testing.assert_array_equal(drawn.target, sets.drawn(12, seed=1).target)
    assert not np.array_equal(drawn.target, sets.drawn(12, seed=2).target)


def test_each_image_moves_away_from_its_own_class():
    labels = np.array([0, 0, 1, 1, 2, 2, -1, 0])
    held_out = np.array([0, 0, 0, 0, 0, 1, 0, 1], bool)
    probabilities = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2, 1, 0]]
    sets, classes = choose_sets(
        [0, 6], 2, labels=labels, held_out=held_out, probabilities=probabilities
    )
    assert classes.tolist() == [0, 1]
    assert [source.tolist() for source in sets.sources] == [[0, 1], [2, 3]]
    assert sets.target.tolist() == [4]
    assert labels[6] == -1

    with pytest.raises(TraversalError, match="already"):
        choose_sets(
            [6], 1, labels=labels, held_out=held_out, probabilities=probabilities
        )
    with pytest.raises(TraversalError, match="no class to move away from"):
        choose_sets(
            [6], 1, labels=labels, held_out=held_out, probabilities=np.ones((8, 0))
        )


def test_what_is_not_the_target_is_all_other_classes():
    labels = np.array([0] * 5 + [1] * 5 + [2] * 5 + [-1] * 2)
    held_out = np.zeros(17, bool)
    held_out[[5, 14]] = True
    sets, _ = choose_sets(
        [0],
        1,
        labels=labels,
        held_out=held_out,
        probabilities=np.zeros((17, 3), np.float32),
    )
    assert sets.unlike.tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13]
    assert len(sets.drawn(2, seed=0).unlike) == 4
    alone = TraversalSets(sets.images, sets.sources, sets.target)
    assert alone.unlike.tolist() == [0, 1, 2, 3, 4]
