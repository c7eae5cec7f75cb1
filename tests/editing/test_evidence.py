from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.evidence import (
    Evidence,
    compare,
    gather_evidence,
    score,
)

NAMES = ("cat", "dog", "owl")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])


def predictions(**arms):
    """Return what arms say of images that follow on ten that are not held out."""
    return {
        name: np.concatenate([np.zeros(10, int), classes])
        for name, classes in arms.items()
        if classes is not None
    }


def evidence(
    before=None, after=None, control=None, truth=TRUTH, n_classes: int = 3,
    again=(), **others,
) -> Evidence:  # fmt: skip
    """Return evidence on the images from number 10 on."""
    n = len(truth)
    predicted = predictions(before=before, after=after, control=control, **others)
    return gather_evidence(
        measured_on="test",
        held_out=np.arange(10, 10 + n),
        truth=truth,
        class_names=NAMES[:n_classes],
        predicted=predicted,
        again=[predictions(**arms) for arms in again],
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
    assert found.over.keys() == {"before"}


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
    assert found.over == {}
    assert len(found.fixed) == len(found.broken) == 0
    assert "label some held-out images" in found.verdict()
    assert found.followed.tolist() == [True, False]


def test_a_network_that_knew_no_class_is_nothing_to_compare_with():
    found = evidence(np.full(10, -1), flip(TRUTH, 0))
    assert set(found.arms) == {"after"}
    assert found.over == {}
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


def test_over_repetitions_the_interval_is_students():
    # All of it by hand, with t = 4.302653 for two degrees of freedom.
    found = evidence(
        flip(TRUTH, 0, 5), TRUTH, flip(TRUTH, 9),
        again=[
            {"after": flip(TRUTH, 0), "control": flip(TRUTH, 1)},
            {"after": flip(TRUTH, 0), "control": flip(TRUTH, 1, 2, 3)},
        ],
    )  # fmt: skip
    assert found.seeds == 3
    control, before = found.over_seeds["control"], found.over_seeds["before"]
    half = 4.302653 * 0.1 / 3**0.5  # of 0.1, 0 and 0.2
    assert_allclose(
        [control.value, control.low, control.high], [0.1, 0.1 - half, 0.1 + half],
        atol=1e-6,
    )  # fmt: skip
    half = 4.302653 / 30  # of 0.2, 0.1 and 0.1, whose mean has an error of 1/30
    assert_allclose(
        [before.value, before.low, before.high], [2 / 15, 2 / 15 - half, 2 / 15 + half],
        atol=1e-6,
    )  # fmt: skip
    # What is shown of single images is of the first.
    assert found.arms["after"].accuracy == 1
    assert found.over["control"].value == 0.1


def test_a_single_training_has_no_repetitions():
    found = evidence(TRUTH, TRUTH, TRUTH)
    assert found.seeds == 1
    assert found.over_seeds == {}


def test_the_verdict_goes_by_the_repetitions_where_there_are_some():
    lucky = {"after": LONG, "control": flip(LONG, *SOME)}
    unlucky = {"after": flip(LONG, *SOME), "control": LONG}
    first = evidence(LONG, LONG, flip(LONG, *SOME), truth=LONG)
    assert "15.0 points better" in first.verdict()
    both = evidence(LONG, LONG, flip(LONG, *SOME), truth=LONG, again=[unlucky, lucky])
    assert both.verdict().startswith("Within noise")
    assert "over 3 repetitions" in both.verdict()


def test_the_share_of_what_there_was_to_gain():
    found = evidence(
        LONG, flip(LONG, *range(10)), flip(LONG, *range(40)), ceiling=LONG, truth=LONG
    )
    assert found.headroom_share == pytest.approx(0.75)
    assert "That is 75% of what all labels right would have gained" in found.verdict()


@pytest.mark.parametrize(
    ("control", "ceiling"),
    [
        (flip(LONG, *SOME), None),
        (None, LONG),
        (LONG, LONG),
        (LONG, flip(LONG, *SOME)),
        (flip(LONG, 0), LONG),  # half a point, of an interval of some points
    ],
    ids=["truth unknown", "no control", "nothing", "worse", "less than noise"],
)
def test_there_is_no_share_of_a_gain_that_there_is_not(control, ceiling):
    found = evidence(LONG, LONG, control, ceiling=ceiling, truth=LONG)
    assert found.headroom_share is None
    assert "all labels right" not in found.verdict()


@pytest.mark.parametrize("wrong", [29, 31], ids=["noise", "negative"])
def test_no_share_is_claimed_where_the_edits_cannot_be_told_from_nothing(wrong):
    found = evidence(
        LONG, flip(LONG, *range(wrong)), flip(LONG, *range(30)), ceiling=LONG,
        truth=LONG,
    )  # fmt: skip
    assert found.headroom_share == pytest.approx((30 - wrong) / 30)
    assert "all labels right" not in found.verdict()


@pytest.mark.parametrize(
    ("arm", "what"),
    [
        ("relabel", "the same classes without the places"),
        ("automatic", "what can be corrected without a human"),
        ("placebo", "edits dealt out at random"),
    ],
)
def test_the_verdict_says_what_the_other_arms_show(arm, what):
    control = flip(LONG, *SOME)
    better = evidence(LONG, LONG, control, truth=LONG, **{arm: control})
    assert f"They did 15.0 points better than {what}." in better.verdict()
    worse = evidence(LONG, control, control, truth=LONG, **{arm: LONG})
    assert f"They did 15.0 points worse than {what}." in worse.verdict()
    equal = evidence(LONG, LONG, control, truth=LONG, **{arm: flip(LONG, 3)})
    assert f"They cannot be told from {what}." in equal.verdict()
    assert what not in evidence(LONG, LONG, control, truth=LONG).verdict()


def test_a_share_stands_beside_the_control_that_it_is_of():
    found = evidence(
        LONG, flip(LONG, *range(10)), flip(LONG, *range(40)),
        ceiling=LONG, placebo=flip(LONG, *range(80)), truth=LONG,
    ).verdict()  # fmt: skip
    places = [found.index(words) for words in ("without them", "75%", "at random")]
    assert places == sorted(places)


def test_the_verdict_names_classes_of_which_nothing_is_known():
    assert "Nothing is measured of owl" in evidence(TRUTH, TRUTH, TRUTH).verdict()
    two = evidence(TRUTH, TRUTH, TRUTH, n_classes=2)
    assert "Nothing is measured" not in two.verdict()
