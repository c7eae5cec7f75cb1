"""How quick each way of answering was, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.session.habits import (
    PAUSE,
    Habits,
    Pace,
    Way,
    describe_paces,
)
from napari_spaceediting.session.storage import load_session, save_session


def answered(way, n_answers, n_images, seconds, start=None):
    habits = start or Habits()
    for _ in range(n_answers):
        habits = habits.with_answer(way, n_images, seconds)
    return habits


def test_answers_add_up_and_pauses_are_left_out():
    habits = answered(Way.SINGLE, 3, 1, 2.0).with_answer(Way.SINGLE, 1, PAUSE + 1)
    assert habits.paces == {"single": Pace(3, 3, 6.0)}
    assert habits.paces["single"].per_minute == 30


def test_what_is_taken_back_has_cost_its_time():
    habits = answered(Way.GROUP, 2, 8, 10.0).without_answer(Way.GROUP, 8)
    assert habits.paces["group"] == Pace(1, 8, 20.0)
    again = habits.without_answer(Way.GROUP, 12).without_answer(Way.GROUP, 1)
    assert again.paces["group"] == Pace(0, 0, 20.0)


def test_nothing_is_said_of_what_was_hardly_measured():
    assert describe_paces(answered(Way.SINGLE, 4, 1, 2.0).paces) == ""
    both = answered(Way.GROUP, 4, 8, 10.0, answered(Way.SINGLE, 5, 1, 3.0))
    assert describe_paces(both.paces) == (
        "Measured, in images a minute: one at a time 20."
    )


@pytest.mark.parametrize(
    ("size", "better"), [(8, "Groups named more."), (1, "One at a time named more.")]
)
def test_the_quicker_way_is_told(size, better):
    habits = answered(Way.GROUP, 5, size, 12.0, answered(Way.SINGLE, 5, 1, 3.0))
    habits = answered(Way.REVIEW, 5, 2, 10.0, habits)
    text = describe_paces(habits.paces)
    assert text.startswith(f"Measured, in images a minute: groups {5 * size}")
    assert "one at a time 20, labels reviewed 12." in text
    assert text.endswith(better)


@pytest.mark.parametrize(("seconds", "figure"), [(14.6, "4.1"), (0.25, "240")])
def test_figures_are_as_fine_as_they_need_be(seconds, figure):
    text = describe_paces(answered(Way.SINGLE, 5, 1, seconds).paces)
    assert text.endswith(f"one at a time {figure}.")


def test_an_answer_without_time_divides_by_nothing():
    paces = answered(Way.SINGLE, 5, 1, 0.0).paces
    assert describe_paces(paces).endswith("one at a time 0.0.")


def test_habits_are_saved_with_the_session(trained_state, tmp_path):
    habits = answered(Way.REVIEW, 2, 1, 2.5)
    save_session(replace(trained_state, habits=habits), tmp_path / "a.spaceediting")
    notes: list[str] = []
    assert load_session(tmp_path / "a.spaceediting", notes.append).habits == habits
    assert notes == []
    assert np.isfinite(habits.paces["review"].per_minute)
