from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.evidence import (
    Evidence,
    compare,
    evidence_from_dict,
    evidence_to_dict,
    gather_evidence,
    score,
)

NAMES = ("cat", "dog", "owl")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])


def evidence(
    before=None, after=None, control=None, truth=TRUTH, n_classes: int = 3
) -> Evidence:
    """Return evidence on images 10 to 19 of a data set of 20."""
    n = len(truth)
    predicted = {}
    for name, classes in (("before", before), ("after", after), ("control", control)):
        if classes is not None:
            predicted[name] = np.concatenate([np.zeros(10, int), classes])
    return gather_evidence(
        measured_on="test",
        held_out=np.arange(10, 10 + n),
        truth=truth,
        class_names=NAMES[:n_classes],
        predicted=predicted,
        drift=0.25,
        edited=np.array([3, 5]),
        tags=np.array([0, 1]),
    )


def flip(classes, *at: int):
    """Return the classes, wrong at some places."""
    wrong = np.array(classes)
    wrong[list(at)] = 1 - wrong[list(at)]
    return wrong


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I: method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_of_an_accuracy_is_wilsons(right, n, low, high):
    predicted = np.repeat([0, 1], [right, n - right])
    arm = score(predicted, np.zeros(n, int), 2)
    assert arm.accuracy == right / n
    assert_allclose(arm.interval, (low, high), atol=1e-4)


def test_confusion_and_recall_by_class():
    arm = score(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 3)
    assert_array_equal(arm.confusion, [[1, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert_array_equal(arm.recall, [0.5, 1, np.nan])


def paired(fixed: int, broken: int, n: int):
    right = np.zeros(n, bool)
    reference = np.zeros(n, bool)
    right[:fixed] = True
    reference[fixed : fixed + broken] = True
    return compare(right, reference)


def test_a_difference_is_paired_by_image():
    # Bonett and Price (2012): (f - b) / (n + 2) and its Wald interval, with one added
    # to fixed and broken, here 12 and 4 of 102.
    difference = paired(11, 3, 100)
    half = 1.96 * np.sqrt((16 / 102 - (8 / 102) ** 2) / 102)
    assert difference.value == 0.08
    assert_allclose([difference.low, difference.high], [8 / 102 - half, 8 / 102 + half])


@pytest.mark.parametrize(
    ("fixed", "broken", "n", "is_clear"),
    [
        (0, 0, 50, False),
        (1, 0, 1, False),  # a single image proves nothing
        (4, 0, 300, False),  # exact McNemar p = 0.125
        (8, 0, 300, True),
        (0, 8, 300, True),
        (30, 25, 300, False),
        (40, 12, 300, True),
    ],
)
def test_a_difference_is_clear_where_mcnemar_would_say_so(fixed, broken, n, is_clear):
    assert paired(fixed, broken, n).is_clear == is_clear


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200))
def test_a_difference_lies_in_its_interval(fixed, broken, more):
    difference = paired(fixed, broken, fixed + broken + more)
    assert -1 <= difference.low <= difference.value <= difference.high <= 1
    reverse = paired(broken, fixed, fixed + broken + more)
    assert_allclose(-reverse.low, difference.high)


def test_fixed_and_broken_images_are_named_by_their_place_in_the_data_set():
    found = evidence(flip(TRUTH, 0, 5), flip(TRUTH, 9))
    assert found.fixed.tolist() == [10, 15]
    assert found.broken.tolist() == [19]
    assert found.n_images == 10
    assert set(found.arms) == {"before", "after"}
    assert found.over_control is None


def test_whether_the_network_follows_the_edits():
    found = evidence(TRUTH, TRUTH)
    assert found.edited.tolist() == [3, 5]
    assert found.followed.tolist() == [True, False]


def test_a_class_without_held_out_images_has_no_recall():
    arm = evidence(TRUTH, TRUTH, TRUTH).arms["after"]
    assert np.isnan(arm.recall[2])
    assert arm.recall[:2].tolist() == [1, 1]


def test_without_labelled_held_out_images_nothing_is_measured():
    none = np.empty(0, int)
    found = evidence(none, none, none, truth=none)
    assert found.arms == {}
    assert found.over_before is None
    assert len(found.fixed) == len(found.broken) == 0
    assert "label some held-out images" in found.verdict()
    assert found.followed.tolist() == [True, False]


def test_a_network_that_knew_no_class_is_nothing_to_compare_with():
    found = evidence(np.full(10, -1), flip(TRUTH, 0))
    assert set(found.arms) == {"after"}
    assert found.over_before is None
    assert len(found.fixed) == len(found.broken) == 0
    assert "90%" in found.verdict()
    assert "nothing to compare with" in found.verdict()


LONG = np.tile(TRUTH, 20)
SOME = tuple(range(0, 60, 2))


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ((flip(LONG, *SOME), LONG, flip(LONG, *SOME)), "15.0 points better"),
        ((LONG, flip(LONG, *SOME), LONG), "15.0 points worse"),
        ((flip(LONG, *SOME), LONG, LONG), "Within noise"),
        ((flip(LONG, *SOME), LONG, None), "better than before .*Run the control"),
        ((LONG, LONG, None), "Within noise: .* from before"),
    ],
)
def test_the_verdict_goes_by_the_control_where_it_ran(arms, words):
    found = evidence(*arms, truth=LONG)
    assert re.search(words, found.verdict())


def same(one: Evidence, other: Evidence) -> None:
    for name in ("measured_on", "n_images", "class_names", "drift"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("over_before", "over_control"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("fixed", "broken", "edited", "followed"):
        assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert set(one.arms) == set(other.arms)
    for name, arm in one.arms.items():
        assert arm.accuracy == other.arms[name].accuracy
        assert arm.interval == other.arms[name].interval
        assert_array_equal(arm.recall, other.arms[name].recall)
        assert_array_equal(arm.confusion, other.arms[name].confusion)


@pytest.mark.parametrize(
    "found",
    [
        evidence(flip(TRUTH, 0), TRUTH, flip(TRUTH, 3)),
        evidence(TRUTH, TRUTH),
        evidence(np.full(10, -1), TRUTH),
        evidence(*[np.empty(0, int)] * 2, truth=np.empty(0, int)),
    ],
    ids=["control", "no control", "from scratch", "nothing measured"],
)
def test_evidence_survives_json(found):
    text = json.dumps(evidence_to_dict(found), allow_nan=False)
    back = evidence_from_dict(json.loads(text))
    same(found, back)
    assert back.verdict() == found.verdict()
