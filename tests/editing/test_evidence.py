from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.evidence import Evidence, gather_evidence, score

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
    again=(), looks: int = 1, chance: bool = False, redrawn=None, **others,
) -> Evidence:  # fmt: skip
    """Return evidence on the images from number 10 on.

    Which images were edited makes no difference, if nothing else is said.
    """
    n = len(truth)
    predicted = predictions(before=before, after=after, control=control, **others)
    if redrawn is None:
        taught = predicted.keys() & {"after", "control"}
        redrawn = {name: [predicted[name][10:]] * 2 for name in taught}
    return gather_evidence(
        measured_on="test",
        held_out=np.arange(10, 10 + n),
        truth=truth,
        class_names=NAMES[:n_classes],
        predicted=predicted,
        again=[predictions(**arms) for arms in again],
        chance=chance or bool(again),
        looks=looks,
        redrawn={name: np.array(classes) for name, classes in redrawn.items()},
        drift=0.25,
        edited=np.array([3, 5]),
        tags=np.array([0, 1]),
    )


def test_certainty_is_measured_beside_accuracy():
    truth, sure = np.array([0, 0, 1, 1]), np.eye(2, dtype=np.float32)
    said = {
        "before": sure[[0, 0, 1, 0]] * 0.8 + 0.1,
        "after": np.full((4, 2), 0.5, np.float32),
    }
    found = gather_evidence(
        measured_on="test",
        held_out=np.arange(4),
        truth=truth,
        class_names=("cat", "dog"),
        predicted={name: each.argmax(axis=1) for name, each in said.items()},
        drift=0.0,
        edited=np.empty(0, int),
        tags=np.empty(0, int),
        said=said,
        soft_truth=np.array([[0, 0]] * 3 + [[0.4, 0.6]], np.float32),
    )
    before, after = found.arms["before"], found.arms["after"]
    logs = 3 * np.log(0.9) + 0.4 * np.log(0.9) + 0.6 * np.log(0.1)
    assert before.log_loss == pytest.approx(-logs / 4)
    # All are 90% sure, and three and 40% of the fourth are right.
    assert before.calibration == pytest.approx(0.9 - 3.4 / 4)
    assert after.log_loss == pytest.approx(np.log(2))
    # The first class is named: right twice, and as far as people say so.
    assert after.calibration == pytest.approx(abs(0.5 - 2.4 / 4))


def test_a_network_that_does_not_know_a_class_yet_is_measured():
    one, both = np.ones((2, 1)), np.full((2, 2), 0.5)
    found = gather_evidence(
        measured_on="test",
        held_out=np.arange(2),
        truth=np.array([0, 1]),
        class_names=("cat", "dog"),
        predicted={"before": np.zeros(2, int), "after": np.zeros(2, int)},
        drift=0.0,
        edited=np.empty(0, int),
        tags=np.empty(0, int),
        said={"before": one, "after": both},
    )
    assert 7 < found.arms["before"].log_loss < 9
    assert found.arms["before"].calibration == pytest.approx(0.5)


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
        (
            (flip(LONG, *SOME), LONG, None),
            "better than the one before .*Run the control",
        ),
        ((LONG, LONG, None), "Within noise: .* from the one before"),
    ],
)
def test_the_verdict_goes_by_the_control_where_it_ran(arms, words):
    found = evidence(*arms, truth=LONG)
    assert re.search(words, found.verdict())


def test_over_repetitions_a_difference_is_their_mean():
    found = evidence(
        flip(TRUTH, 0, 5), TRUTH, flip(TRUTH, 9), ceiling=flip(TRUTH, 3),
        again=[
            {"after": flip(TRUTH, 0), "control": flip(TRUTH, 1)},
            {"after": flip(TRUTH, 0), "control": flip(TRUTH, 1, 2, 3)},
        ],
    )  # fmt: skip
    assert found.seeds == 3
    assert found.over["control"].value == pytest.approx(0.1)  # of 0.1, 0 and 0.2
    # What has no seeds is the same in all repetitions.
    assert found.over["before"].value == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert found.over["ceiling"].value == pytest.approx((0.1 + 0 + 0) / 3)
    # What is shown of single images is of the first.
    assert found.arms["after"].accuracy == 1
    assert len(found.broken) == 0


def test_what_leaves_nothing_to_chance_has_no_seeds():
    found = evidence(TRUTH, TRUTH, TRUTH)
    assert found.seeds == 0
    assert found.cautions() == ""


def test_of_one_training_with_chance_less_is_sure():
    few = tuple(range(12))
    solved = evidence(LONG, LONG, flip(LONG, *few), truth=LONG)
    once = evidence(LONG, LONG, flip(LONG, *few), truth=LONG, chance=True)
    assert once.seeds == 1
    assert "repeat it over seeds" in once.cautions()
    one, other = solved.over["control"], once.over["control"]
    assert one.value == other.value
    assert one.high - one.low < other.high - other.low


def test_who_looks_again_needs_more_to_be_sure():
    few = tuple(range(0, 14, 2))
    first = evidence(LONG, LONG, flip(LONG, *few), truth=LONG)
    assert first.over["control"].is_clear
    ninth = evidence(LONG, LONG, flip(LONG, *few), truth=LONG, looks=9)
    assert not ninth.over["control"].is_clear
    assert ninth.verdict().startswith("Within noise")
    assert ninth.cautions().startswith("Number 9 of the rounds on these images")
    assert first.cautions() == ""


def test_less_is_sure_where_it_matters_which_images_were_edited():
    few = tuple(range(0, 14, 2))
    now, then = LONG, flip(LONG, *few)
    other = {"after": [now, flip(now, *few)], "control": [then, then]}
    usual, found, unknown = (
        evidence(LONG, now, then, truth=LONG, redrawn=redrawn)
        for redrawn in (None, other, {})
    )
    assert usual.over["control"].is_clear
    assert not found.over["control"].is_clear
    assert found.draws == 2
    # What was not redrawn stays as it is; the images alone tell of the rest.
    assert found.over["before"].low < usual.over["before"].low
    assert unknown.over["control"] == usual.over["control"]
    assert "happened to be edited" in unknown.cautions()


def test_what_was_edited_in_both_arms_cancels_out():
    few = tuple(range(0, 14, 2))
    now, then = LONG, flip(LONG, *few)
    both = {"after": [now, flip(now, 1, 3)], "control": [then, flip(then, 1, 3)]}
    usual, found = (
        evidence(LONG, now, then, truth=LONG, redrawn=redrawn)
        for redrawn in (None, both)
    )
    assert found.over["control"] == usual.over["control"]


def test_images_of_a_group_count_together():
    n = 10 + len(LONG)
    few = tuple(range(20))
    apart = evidence(LONG, LONG, flip(LONG, *few), truth=LONG)
    held_out = np.arange(10, n)
    together = gather_evidence(
        measured_on="test", held_out=held_out, truth=LONG, class_names=NAMES,
        predicted=predictions(before=LONG, after=LONG, control=flip(LONG, *few)),
        groups=np.arange(n) // 10, drift=0.0, edited=held_out[:0], tags=held_out[:0],
    )  # fmt: skip
    assert apart.over["control"].is_clear
    assert not together.over["control"].is_clear
    (low, high), (lowest, highest) = (
        one.arms["control"].interval for one in (apart, together)
    )
    assert lowest < low < high < highest


def test_the_verdict_goes_by_the_repetitions_where_there_are_some():
    lucky = {"after": LONG, "control": flip(LONG, *SOME)}
    unlucky = {"after": flip(LONG, *SOME), "control": LONG}
    first = evidence(LONG, LONG, flip(LONG, *SOME), truth=LONG)
    assert "15.0 points better" in first.verdict()
    both = evidence(LONG, LONG, flip(LONG, *SOME), truth=LONG, again=[unlucky, lucky])
    assert "Within noise" in both.verdict()
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


@pytest.mark.parametrize("control", [True, False])
@pytest.mark.parametrize(
    ("wrong", "noise"), [(40, ""), (1, ", within noise")], ids=["clear", "noise"]
)
def test_the_verdict_leads_with_what_was_lost_since_before(control, wrong, noise):
    worst = flip(LONG, *range(80)) if control else None
    found = evidence(LONG, flip(LONG, *range(wrong)), worst, truth=LONG).verdict()
    lost = f"Now {wrong / 2:.1f} points below where this round began{noise} (95% "
    assert found.startswith(lost)
    assert ("points better than the training without edits" in found) == control
    assert ("Run the control" in found) != control


OTHERS = {
    "rival": "logistic regression on the same features and labels",
    "automatic": "what can be corrected without a human",
    "placebo": "edits dealt out at random",
}


@pytest.mark.parametrize(("arm", "what"), OTHERS.items())
def test_the_verdict_goes_by_the_strongest_and_tells_the_rest(arm, what):
    worst, control = flip(LONG, *range(40)), flip(LONG, *SOME)
    said = {
        "worst": evidence(LONG, LONG, control, truth=LONG, **{arm: worst}),
        "best": evidence(LONG, control, control, truth=LONG, **{arm: LONG}),
        "equal": evidence(control, LONG, control, truth=LONG, **{arm: flip(LONG, 3)}),
    }
    told = {name: found.verdict().partition(" (")[0] for name, found in said.items()}
    rest = {name: found.verdict().partition("). ")[2] for name, found in said.items()}
    assert told["worst"] == (
        "The network is now 15.0 points better than the training without edits"
    )
    assert rest["worst"].startswith(f"It is 20.0 points better than {what}.")
    assert told["best"] == "Now 15.0 points below where this round began"
    assert f"The network is now 15.0 points worse than {what} (" in rest["best"]
    assert told["equal"] == f"Within noise: the network cannot be told from {what}"
    assert rest["equal"].startswith(
        "It is 15.0 points better than the training without edits."
    )
    assert what not in evidence(LONG, LONG, control, truth=LONG).verdict()


@pytest.mark.parametrize("arm", ["ceiling", "relabel"])
def test_all_labels_right_and_the_same_classes_are_no_control(arm):
    found = evidence(
        LONG, flip(LONG, *SOME), flip(LONG, *range(40)), truth=LONG, **{arm: LONG}
    )
    assert found.reference == "control"


def test_a_share_stands_beside_the_control_that_it_is_of():
    found = evidence(
        LONG, flip(LONG, *range(10)), flip(LONG, *range(40)),
        ceiling=LONG, placebo=flip(LONG, *range(80)), truth=LONG,
    ).verdict()  # fmt: skip
    places = [found.index(words) for words in ("without edits", "75%", "at random")]
    assert places == sorted(places)


def test_the_verdict_names_classes_of_which_nothing_is_known():
    assert "Nothing is measured of owl" in evidence(TRUTH, TRUTH, TRUTH).verdict()
    two = evidence(TRUTH, TRUTH, TRUTH, n_classes=2)
    assert "Nothing is measured" not in two.verdict()
