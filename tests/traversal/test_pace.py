from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_spaceediting.jobs.job import finish
from napari_spaceediting.traversal.pace import find_pace, shared_pace
from napari_spaceediting.traversal.settings import (
    BUDGETS,
    TO_ARRIVAL,
    TraverseSettings,
)
from napari_spaceediting.traversal.witness import make_problem

STEPS = TraverseSettings().steps
FEATURES = np.random.default_rng(0).normal(size=(63, 4))
FEATURES[30:60, 0] += 4
"""30 of the source, 30 of the target, with a larger first feature, and 3 that move."""


def problem(neighbours: int | None):
    rows = np.arange(len(FEATURES))
    return make_problem(
        FEATURES @ FEATURES.T,
        rows[60:],
        np.broadcast_to(rows < 30, (3, len(rows))),
        (rows >= 30) & (rows < 60),
        neighbours=neighbours,
    )


def beyond(limits):
    """Return a trial: arrived is what has come so far along the first feature."""
    places = []

    def trial(coefficients):
        moved = coefficients @ FEATURES
        places.append(moved)
        change = ((moved - FEATURES[60:]) ** 2).sum(axis=1)
        return moved[:, 0] >= limits, change

    return trial, places


def test_every_image_arrives_at_the_same_step_and_not_before():
    settings = TraverseSettings(neighbours=(None,))
    limits = FEATURES[60:, 0] + [1.0, 2.0, 3.0]
    trial, _ = beyond(limits)
    pace = finish(find_pace([problem(None)], settings, trial))
    assert pace.budgets.shape == (STEPS, 3)
    path = list(pace.path())
    assert len(path) == 1 + STEPS
    arrived = np.stack([trial(places)[0] for places in path], axis=1)
    assert not arrived[:, :TO_ARRIVAL].any()
    assert arrived[:, TO_ARRIVAL:].all()
    # Not much further than needed.
    there = (path[TO_ARRIVAL] @ FEATURES)[:, 0]
    np.testing.assert_allclose(there, limits, atol=0.5)
    assert len(set(pace.budgets[0].tolist())) == 3


def test_an_image_takes_the_neighbours_by_which_it_changes_least():
    settings = TraverseSettings(neighbours=(5, None))
    trial, _ = beyond(FEATURES[60:, 0] + 1.5)
    both = [problem(number) for number in settings.neighbours]
    pace = finish(find_pace(both, settings, trial))
    alone = [
        finish(find_pace([one], replace(settings, neighbours=(number,)), trial))
        for one, number in zip(both, settings.neighbours, strict=True)
    ]

    def change(pace):
        return trial(list(pace.path())[TO_ARRIVAL])[1]

    changes = np.stack([change(one) for one in alone])
    np.testing.assert_array_equal(pace.which, changes.argmin(axis=0))
    np.testing.assert_allclose(change(pace), changes.min(axis=0), rtol=0.02)


def test_what_arrives_nowhere_goes_as_far_as_is_tried():
    settings = TraverseSettings(neighbours=(5, None))
    trial, places = beyond(np.full(3, np.inf))
    pace = finish(find_pace([problem(5), problem(None)], settings, trial))
    assert pace.which.tolist() == [0, 0, 0]
    np.testing.assert_allclose(pace.budgets[-1], BUDGETS[-1])
    assert (np.diff(pace.budgets, axis=0) < 0).all()
    last = list(pace.path())[-1] @ FEATURES
    np.testing.assert_allclose(last, places[len(BUDGETS) - 1], atol=0.01)


def test_budgets_that_were_asked_for_are_kept():
    settings = TraverseSettings(budgets=(0.05, 0.2), neighbours=(5, None))
    trial, places = beyond(FEATURES[60:, 0] + 0.5)
    pace = finish(find_pace([problem(5), problem(None)], settings, trial))
    assert pace.budgets.T.tolist() == [[0.2, 0.05]] * 3
    assert places
    one = replace(settings, neighbours=(5,))
    places.clear()
    pace = finish(find_pace([problem(5)], one, trial))
    assert not places
    expected = shared_pace(problem(5), one)
    np.testing.assert_array_equal(pace.budgets, expected.budgets)


def test_the_progress_counts_through_all_batches():
    settings = TraverseSettings(neighbours=(5, None))
    trial, _ = beyond(FEATURES[60:, 0] + 1.0)
    both = [problem(5), problem(None)]
    seen = [
        progress
        for turn in range(2)
        for progress in find_pace(both, settings, trial, (turn, 2))
    ]
    assert len({progress.total for progress in seen}) == 1
    done = [progress.done for progress in seen]
    assert done == sorted(set(done))
    assert done[-1] < seen[0].total
