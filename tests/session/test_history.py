from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.editing.evidence import AFTER, BEFORE
from napari_spaceediting.session.history import (
    Stage,
    compare,
    predicted_among,
    scores,
    stages,
    verdict,
)
from napari_spaceediting.session.state import Checkpoint


def knowing(checkpoint: Checkpoint, classes, names=None) -> Checkpoint:
    """Return a checkpoint whose network predicts given classes."""
    names = names or checkpoint.class_names
    network = checkpoint.network
    probabilities = np.eye(len(names), dtype=np.float32)[classes]
    predictions = replace(network.predictions, probabilities=probabilities)
    return replace(
        checkpoint,
        class_names=names,
        network=replace(network, predictions=predictions),
    )


def test_without_rounds_there_is_only_the_start(trained_session):
    (stage,) = stages(trained_session.state)
    assert (stage.name, stage.round) == ("Start", None)
    assert stage.checkpoint is trained_session.shown


def test_a_round_has_a_start_and_an_end(proposed):
    state = proposed.state
    start, end = stages(state)
    assert (start.name, start.checkpoint) == ("Start", state.rounds[0].before)
    assert (end.name, end.checkpoint, end.round) == ("Round 1", proposed.shown, 0)


def test_a_round_that_was_rolled_back_stays(proposed):
    proposed.roll_back()
    start, end = stages(proposed.state)
    assert start.checkpoint is proposed.shown
    assert end.name == "Round 1, rolled back"


def test_a_network_trained_between_rounds_stands_before_the_next(proposed):
    proposed.accept()
    state = proposed.state
    anew = replace(state.checkpoint)
    assert [stage.name for stage in stages(replace(state, checkpoint=anew))] == [
        "Start",
        "Round 1",
        "Now",
    ]
    again = replace(state.rounds[0], before=anew, after=replace(anew))
    state = replace(state, rounds=(*state.rounds, again), checkpoint=again.after)
    assert [stage.name for stage in stages(state)] == [
        "Start",
        "Round 1",
        "Before round 2",
        "Round 2",
    ]


@pytest.fixture
def truth(trained_session):
    return trained_session.dataset.labels.clip(0)


@pytest.fixture
def measured(trained_session):
    dataset = trained_session.dataset
    return np.flatnonzero((dataset.split == Split.TEST) & dataset.is_labelled)


def test_the_images_that_differ_are_counted(trained_session, truth, measured):
    start, dataset = trained_session.shown, trained_session.dataset
    worse = truth.copy()
    worse[measured[:7]] = (worse[measured[:7]] + 1) % 10
    better = truth.copy()
    better[measured[7:9]] = (better[measured[7:9]] + 1) % 10
    earlier = Stage("Start", knowing(start, worse))
    later = Stage("Round 3", knowing(start, better), 2)
    evidence = compare(dataset, earlier, later)
    assert evidence.fixed.tolist() == measured[:7].tolist()
    assert evidence.broken.tolist() == measured[7:9].tolist()
    n = len(measured)
    assert evidence.arms[BEFORE].accuracy == pytest.approx((n - 7) / n)
    assert evidence.over[BEFORE].value == pytest.approx(5 / n)
    assert evidence.drift == 0
    assert not len(evidence.edited)
    # Each image that is wrong was held to be impossible.
    losses = [evidence.arms[arm].log_loss for arm in (BEFORE, "after")]
    assert losses == pytest.approx([7 * 15.94 / n, 2 * 15.94 / n], rel=0.01)
    every = scores(dataset, (earlier, later))
    assert [one.accuracy for one in every] == [
        pytest.approx((n - 7) / n),
        pytest.approx((n - 2) / n),
    ]


def test_the_verdict_names_both_and_promises_no_cause(trained_session, truth, measured):
    start, dataset = trained_session.shown, trained_session.dataset
    wrong = truth.copy()
    wrong[measured] = (wrong[measured] + 1) % 10
    earlier = Stage("Start", knowing(start, wrong))
    later = Stage("Round 3", knowing(start, truth), 2)
    told = verdict(compare(dataset, earlier, later), earlier, later)
    assert "Round 3 is 100.0 points better than Start" in told
    assert "not only edits" in told
    same = verdict(compare(dataset, later, later), later, later)
    assert same.startswith("Within noise")


def test_classes_are_matched_by_name(trained_session, truth):
    start = trained_session.shown
    names = (*start.class_names, "glove")
    gone = knowing(start, np.full(len(truth), 10), names)
    others = (*start.class_names, "hat")
    later = knowing(start, np.full(len(truth), 10), others)
    evidence = compare(
        trained_session.dataset, Stage("Round 1", gone), Stage("Round 2", later)
    )
    assert evidence.class_names == (*others, "glove")
    assert set(predicted_among(gone, evidence.class_names)) == {11}
    assert set(predicted_among(later, evidence.class_names)) == {10}
    assert evidence.arms[BEFORE].confusion[:, 11].sum() == evidence.n_images
    assert evidence.arms[AFTER].confusion[:, 10].sum() == evidence.n_images
