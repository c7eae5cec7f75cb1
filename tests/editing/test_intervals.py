from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.editing.intervals import compare, share

Z = 1.959964


def paired(fixed: int, broken: int, n: int, **others):
    right = np.zeros(n, bool)
    reference = np.zeros(n, bool)
    right[:fixed] = True
    reference[fixed : fixed + broken] = True
    return compare(right, reference, **others)


def width(difference) -> float:
    return difference.high - difference.low


def test_a_difference_is_paired_by_image():
    # Bonett and Price (2012): (f - b) / (n + 2) and its Wald interval, with one added
    # to fixed and broken, here 12 and 4 of 102.
    difference = paired(11, 3, 100)
    half = Z * np.sqrt((16 / 102 - (8 / 102) ** 2) / 102)
    assert difference.value == 0.08
    assert_allclose(
        [difference.low, difference.high], [8 / 102 - half, 8 / 102 + half], rtol=1e-6
    )


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


def test_the_k_th_look_may_miss_in_a_k_th_of_the_cases():
    # Quantiles of the normal distribution at 0.975 and 1 - 0.025 / 5.
    once, fifth = paired(11, 3, 100), paired(11, 3, 100, looks=5)
    assert width(fifth) / width(once) == pytest.approx(2.575829 / Z, rel=1e-6)


def test_chance_that_is_not_known_is_allowed_for():
    surely, once = paired(11, 3, 4_000), paired(11, 3, 4_000, chance=True)
    assert width(once) > 2 * 1.96 * 0.005 > width(surely)
    assert once.value == surely.value


def several(*changes: list[int], **others):
    """Compare trainings, each by its changes: 1 for fixed, -1 for broken."""
    change = np.array(changes)
    return compare(change > 0, change < 0, **others)


def test_trainings_that_agree_are_as_sure_as_one():
    one = [1, 1, 1, -1, *[0] * 96]
    assert several(one, one, one) == several(one)


def test_trainings_that_differ_are_samples_too():
    # By hand: no image differs on average, so that all is by the seeds.
    up, down = [1] * 30 + [0] * 70, [-1] * 30 + [0] * 70
    found = several(up, down, [0] * 100)
    assert found.value == 0
    students = 4.302653 * 0.3 / 3**0.5  # of 0.3, -0.3 and 0
    assert_allclose([found.low, found.high], [-students, students], rtol=1e-6)


def test_more_trainings_make_surer():
    rng = np.random.default_rng(0)
    many = rng.choice([-1, 0, 1], (12, 400), p=[0.05, 0.85, 0.1])
    assert width(several(*many)) < width(several(*many[:3]))


def test_images_that_belong_together_count_once():
    # Groups of five, all of them alike: a fifth of the images, but for the two added.
    groups = np.repeat(np.arange(40), 5)
    change = np.repeat([1] * 8 + [0] * 32, 5)
    apart, together = several(change), several(change, groups=groups)
    assert together.value == apart.value
    assert width(together) / width(apart) == pytest.approx(5**0.5, rel=0.1)
    # In any order and by any number.
    order = np.random.default_rng(0).permutation(200)
    again = several(change[order], groups=7 * groups[order])
    assert_allclose([again.low, again.high], [together.low, together.high])


def test_groups_of_one_are_no_groups():
    change = [1] * 8 + [-1] * 2 + [0] * 40
    assert several(change, groups=np.arange(50)[::-1]) == several(change)


def test_a_single_group_says_nothing():
    found = several([1] * 30, groups=np.zeros(30, int))
    assert (found.value, found.low, found.high) == (1, -1, 1)


def test_a_share_of_groups_is_less_sure():
    right = np.repeat([True] * 30 + [False] * 10, 5)
    low, high = share(right, np.repeat(np.arange(40), 5))
    fewer = share(right[::5])
    assert_allclose([low, high], fewer, atol=0.005)
    alone = share(right)
    assert low < alone[0] < alone[1] < high
    assert share(right, np.arange(200)) == alone
    assert share(right, np.zeros(200, int)) == pytest.approx(
        share(np.array([True])), abs=0.3
    )


@pytest.mark.parametrize("name", ["group", "Groups", " GROUP "])
def test_groups_come_from_a_column(name):
    found = groups_of({"area": np.ones(4), name: np.array(["a", "b", "a", ""])}, 4)
    assert found[0] == found[2]
    assert len(np.unique(found)) == 3


def test_images_without_a_group_stand_alone():
    assert_array_equal(groups_of({"truth": np.zeros(3)}, 3), [0, 1, 2])
    found = groups_of({"group": np.array([1.0, np.nan, 1.0, np.nan])}, 4)
    assert len(np.unique(found)) == 3
    assert len(np.unique(groups_of({"group": np.array([3, 3, 4])}, 3))) == 2


# What is called clear


def rates(draw, count: int = 400, seed: int = 0, **others) -> float:
    """Return the share of rounds that are called clear."""
    rng = np.random.default_rng(seed)
    return float(
        np.mean([several(*draw(rng), **others).is_clear for _ in range(count)])
    )


def trainings(rng, n: int, seeds: int, gain: float, chance: float, differ: float):
    """Return the changes of trainings whose true gain varies by chance.

    Some images change in all of them, as many by the seed; n images.
    """
    always = rng.choice([-1, 0, 1], n, p=[differ / 4, 1 - differ / 2, differ / 4])
    for shift in rng.normal(gain, chance, seeds):
        better, worse = (np.clip(differ / 4 + s * shift / 2, 0, 1) for s in (1, -1))
        now = rng.choice([-1, 0, 1], n, p=[worse, 1 - better - worse, better])
        yield np.where(always == 0, now, always)


# 400 rounds of which one in twenty is clear by chance: 33 at most in 999 of 1,000.
AT_MOST = 33 / 400


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("chance", [0, 0.004, 0.012])
def test_trainings_that_teach_nothing_are_rarely_called_clear(seeds, chance):
    assert rates(lambda rng: trainings(rng, 600, seeds, 0, chance, 0.06)) <= AT_MOST


def test_one_training_that_teaches_nothing_is_rarely_called_clear():
    def draw(rng):
        return trainings(rng, 1_200, 1, 0, 0.0054, 0.03)

    assert rates(draw, chance=True) <= AT_MOST
    # What the interval of the images alone would say.
    assert rates(draw) > 2 * AT_MOST


def test_groups_that_change_together_are_rarely_called_clear():
    groups = np.repeat(np.arange(60), 10)

    def draw(rng):
        yield np.repeat(rng.choice([-1, 0, 1], 60, p=[0.1, 0.8, 0.1]), 10)

    assert rates(draw, groups=groups) <= AT_MOST
    assert rates(draw) > 4 * AT_MOST


def test_ten_looks_fool_no_more_than_a_few():
    def fooled(rng, corrected: bool) -> bool:
        changes = rng.choice([-1, 0, 1], (10, 600), p=[0.05, 0.9, 0.05])
        return any(
            several(change, looks=look if corrected else 1).is_clear
            for look, change in enumerate(changes, 1)
        )

    rng = np.random.default_rng(0)
    found = np.array([[fooled(rng, c) for c in (True, False)] for _ in range(200)])
    corrected, as_if_first = found.mean(axis=0)
    # 5% times the sum of 1 / k is 15%; as if each were the first it is 40%.
    assert corrected < 0.22
    assert as_if_first > 0.3


@pytest.mark.parametrize(("differ", "least"), [(0.06, 0.95), (0.12, 0.72)])
def test_a_gain_of_three_points_is_called_clear(differ, least):
    # Of 1,000 images 60 or 120 change; with 120 theory has 78%.
    def draw(rng):
        up, down = (differ + 0.03) / 2, (differ - 0.03) / 2
        yield rng.choice([-1, 0, 1], 1_000, p=[down, 1 - differ, up])

    assert rates(draw) >= least
