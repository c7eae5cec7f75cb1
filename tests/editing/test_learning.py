"""Rounds in which the end of the network is solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.session.session import Session


def free(session: Session) -> np.ndarray:
    dataset = session.dataset
    return np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)


def pins(session: Session, n: int = 30) -> list[Pin]:
    truth, names = session.dataset.columns["truth"], session.dataset.class_names
    at = free(session)[:n]
    return [Pin(at[truth[at] == c], names[c]) for c in np.unique(truth[at])]


def accept(session: Session, *edits: Any) -> Any:
    """Retrain with edits, go on from there, and return the retraining."""
    session.replay(edits)
    mapped = run_job(session.retraining())
    session.propose(mapped)
    session.accept()
    return mapped.result


@pytest.fixture
def job(trained_session: Session) -> Retrain:
    trained_session.replay(pins(trained_session))
    return trained_session.retraining().retrain


def changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {
        name
        for name in other
        if name not in one or not np.array_equal(one[name], other[name])
    }


def test_the_result_is_whole(job):
    result = run_job(job)
    n, c = len(job.dataset), len(job.class_names)
    assert result.predictions.latents.shape == (n, job.spec.latent_dim + c)
    assert result.predictions.probabilities.shape == (n, c)
    assert_allclose(result.predictions.probabilities.sum(axis=1), 1, atol=1e-5)
    assert not len(result.losses)
    assert set(result.evidence.arms) == {"before", "after", "control"}
    assert not any(
        name.startswith("backbone.") for name in changed(job.state, result.state)
    )


def frozen(job: Retrain) -> Retrain:
    """Return a round of a network whose features have not learnt from labels."""
    return replace(job, spec=replace(job.spec, knows_labels=False))


@pytest.mark.parametrize("trainable", ["head", "last_block", "all"])
def test_margins_follow_the_edits_until_the_features_know_the_labels(job, trainable):
    settings = replace(job.settings, trainable=trainable, steps=2)
    job = replace(job, settings=settings)
    assert job.spec.knows_labels
    assert run_job(job).margins is None
    result = run_job(frozen(job))
    learnt = (job.labels >= 0) & (job.dataset.split == Split.TRAIN)
    assert not np.isfinite(result.margins[~learnt]).any()
    assert np.isfinite(result.margins[learnt]).any()
    assert result.spec.knows_labels == (trainable != "head")


def test_soft_names_are_learnt_as_they_are_said(job):
    edited = job.anchors.indices
    soft = np.zeros((len(job.dataset), len(job.class_names)), np.float32)
    soft[edited, job.labels[edited]] = 0.55
    soft[edited, (job.labels[edited] + 1) % len(job.class_names)] = 0.45
    job = frozen(job)
    sure, unsure = (run_job(one) for one in (job, replace(job, soft_labels=soft)))
    rows = (
        sure.predictions.probabilities[edited],
        unsure.predictions.probabilities[edited],
    )
    own, other = (row[np.arange(len(edited)), job.labels[edited]] for row in rows)
    assert other.mean() < own.mean() - 0.1
    # They have a margin like others, and the control knows nothing of them.
    assert_array_equal(np.isfinite(unsure.margins), np.isfinite(sure.margins))
    assert (
        sure.evidence.arms["control"].log_loss
        == unsure.evidence.arms["control"].log_loss
    )


def test_what_is_reported_is_what_the_weights_say(job):
    result = run_job(job)
    again = run_job(ExtractPredictions(job.dataset, result.spec, result.state, "cpu"))
    assert_allclose(again.latents, result.predictions.latents, atol=1e-4)
    assert_allclose(again.probabilities, result.predictions.probabilities, atol=1e-4)


def test_nothing_of_it_is_left_to_chance(job):
    one = run_job(job)
    other = run_job(replace(job, settings=replace(job.settings, seed=7, repeats=3)))
    assert not changed(one.state, other.state)
    assert other.evidence.seeds == 0


def test_held_out_images_are_not_learnt_from(job):
    held_out = job.dataset.held_out
    labels = np.where(held_out, (job.labels + 1) % 10, job.labels)
    before = np.where(held_out, labels, job.dataset.labels)
    other = replace(job, labels=labels, dataset=job.dataset.with_labels(before))
    assert not changed(run_job(job).state, run_job(other).state)


def test_images_that_were_named_are_learnt(job):
    truth = job.dataset.columns["truth"]
    named = job.anchors.indices
    wrong = (truth[named] + 1) % 10
    labels = job.labels.copy()
    labels[named] = wrong
    said = run_job(replace(job, labels=labels)).predictions.probabilities
    usual = run_job(job).predictions.probabilities
    rows = np.arange(len(named))
    assert said[named][rows, wrong].mean() > usual[named][rows, wrong].mean() + 0.1


def test_a_new_class_is_found_in_images_like_those_that_were_named(trained_session):
    truth = trained_session.dataset.columns["truth"]
    zeros = free(trained_session)[truth[free(trained_session)] == 0]
    result = accept(trained_session, Pin(zeros[:8], "round"))
    said = result.predictions.probabilities[:, -1]
    assert result.spec.n_classes == 11
    assert said[zeros[8:]].mean() > 3 * said[truth != 0].mean()
    assert np.isnan(result.evidence.arms["after"].recall[-1])


def test_components_stay_from_round_to_round(trained_session):
    accept(trained_session, *pins(trained_session, 10))
    before = trained_session.shown.network.predictions.latents
    width = trained_session.shown.network.spec.latent_dim
    at = free(trained_session)[-8:]
    result = accept(trained_session, Relabel(at, "3"))
    assert_array_equal(result.predictions.latents[:, :width], before[:, :width])
    assert (result.predictions.latents[:, width:] != before[:, width:]).any()
    assert result.evidence.drift < 0.5


def test_an_image_that_is_moved_without_a_name_comes_to_where_it_was_put(
    trained_session,
):
    accept(trained_session, *pins(trained_session, 10))
    before = trained_session.shown.network.predictions
    at = free(trained_session)[-8:]
    places = trained_session.edits.positions
    target = trained_session.surroundings.at(places).support.argmax()
    end = np.tile(places[target], (len(at), 1))
    trained_session.apply(Move(at, places[at], end, Intent.BELONGS, None))
    job = trained_session.retraining().retrain
    assert (job.anchors.weights > 0.3).all()
    after = run_job(job).predictions
    width = job.spec.latent_dim
    goal = job.anchors.among(before.latents)[:, :width]

    def distance(latents: np.ndarray) -> float:
        return float(np.linalg.norm(latents[at, :width] - goal, axis=1).mean())

    assert distance(after.latents) < 0.8 * distance(before.latents)
    kind = job.anchors.votes.mean(axis=0).argmax()
    assert after.probabilities[at, kind].mean() > before.probabilities[at, kind].mean()
    # The others hardly move.
    others = np.setdiff1d(free(trained_session), at)
    moved = np.linalg.norm((after.latents - before.latents)[others, :width], axis=1)
    assert (
        moved.mean()
        < 0.5
        * np.linalg.norm((after.latents - before.latents)[at, :width], axis=1).mean()
    )


@pytest.mark.parametrize("trainable", ["last_block", "all"])
@pytest.mark.parametrize("solved_before", [False, True])
def test_more_of_the_network_learns_from_the_solution(
    trained_session, trainable, solved_before
):
    if solved_before:
        accept(trained_session, *pins(trained_session, 10))
    trained_session.replay(pins(trained_session, 40)[:4])
    job = trained_session.retraining().retrain
    settings = replace(job.settings, trainable=trainable, steps=4, arms=("control",))
    result = run_job(replace(job, settings=settings))
    assert any(
        name.startswith("backbone.last_block")
        for name in changed(job.state, result.state)
    )
    assert ("kernel.landmarks" in result.state) == solved_before
    assert len(result.losses) == 4
    again = run_job(ExtractPredictions(job.dataset, result.spec, result.state, "cpu"))
    assert_allclose(again.latents, result.predictions.latents, atol=1e-3)


def test_more_of_the_network_keeps_what_its_teacher_knows(trained_session):
    accept(trained_session, *pins(trained_session, 10))
    trained_session.replay(pins(trained_session, 60))
    job = trained_session.retraining().retrain
    settings = replace(job.settings, arms=(), steps=150)
    teacher, taught = (
        run_job(replace(job, settings=replace(settings, trainable=trainable)))
        for trainable in ("head", "last_block")
    )
    landmarks = "kernel.landmarks"
    assert_array_equal(taught.state[landmarks], teacher.state[landmarks])
    accuracy = taught.evidence.arms["after"].accuracy
    assert accuracy > teacher.evidence.arms["after"].accuracy - 0.05
