"""What the evidence of real rounds calls clear, and how often its intervals miss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.session.session import Session


def with_settings(job: Retrain, **changes) -> Retrain:
    return replace(job, settings=replace(job.settings, **changes))


@pytest.fixture
def job(trained_session: Session) -> Retrain:
    """Return a round in which labels are said again."""
    dataset = trained_session.dataset
    labelled = np.flatnonzero(dataset.is_labelled & ~dataset.held_out)[:30]
    for c in np.unique(dataset.labels[labelled]):
        pinned = labelled[dataset.labels[labelled] == c]
        trained_session.apply(Pin(pinned, dataset.class_names[c]))
    return with_settings(trained_session.retraining().retrain, arms=("control",))


def test_what_was_known_teaches_a_solved_head_nothing(job):
    gain = run_job(job).evidence.over["control"]
    assert gain.value == 0
    assert not gain.is_clear


def test_what_was_known_is_rarely_called_clear_where_chance_plays_a_part(job):
    by_steps = {"recipe": "descent", "steps": 15, "repeats": 2}
    rounds = [with_settings(job, seed=10 * n, **by_steps) for n in range(12)]
    gains = [run_job(one).evidence.over["control"] for one in rounds]
    assert any(gain.value != 0 for gain in gains)
    # Of 12 at 5%, more than 2 in one of fifty.
    assert sum(gain.is_clear for gain in gains) <= 2


def relabelled(indices: np.ndarray, tags: np.ndarray, n_classes: int) -> Anchors:
    """Return what edits ask that name classes, or none, and no place."""
    return Anchors(
        indices,
        weights=np.zeros(len(indices), np.float32),
        votes=np.zeros((len(indices), n_classes), np.float32),
        tags=tags,
        near=indices[:, None],
        speaking=np.ones((len(indices), 1), np.float32),
    )


@pytest.fixture
def everything(job):
    """Return all digits, and the round with what its network says of them."""
    dataset = digits()
    seen = run_job(ExtractPredictions(dataset, job.spec, job.state, "cpu"))
    nobody = relabelled(np.empty(0, int), np.empty(0, int), dataset.n_classes)
    return dataset, replace(job, predictions=seen, anchors=nobody)


def test_labels_exchanged_for_others_are_rarely_called_clear(everything):
    everything, job = everything
    truth, n = everything.labels, len(everything)
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(60):
        order = rng.permutation(n)
        split = np.full(n, Split.VALIDATION, np.int8)
        split[order[:400]], split[order[400:800]] = Split.TEST, Split.TRAIN
        before, after = truth.copy(), truth.copy()
        taken, given = order[400:430], order[430:460]
        before[order[430:800]] = after[order[460:800]] = after[taken] = -1
        # 30 more stay as they are.
        kept = order[460:490]
        before[kept] = after[kept] = truth[kept]
        edited = np.sort(np.concatenate([taken, given]))
        done = replace(
            job,
            dataset=replace(everything, split=split).with_labels(before),
            labels=after,
            anchors=relabelled(edited, after[edited], everything.n_classes),
        )
        gains.append(run_job(done).evidence.over["control"])
    # Of 60 at 5%, more than 7 in one of a hundred.
    assert sum(gain.is_clear for gain in gains) <= 7


def test_intervals_rarely_miss_what_is_true_of_other_images(everything):
    # Each round learns other labels and is measured on other images.
    everything, job = everything
    truth, n = everything.labels, len(everything)
    was = job.predictions.probabilities.argmax(axis=1) == truth
    job = with_settings(job, arms=())
    rng = np.random.default_rng(0)
    training = rng.permutation(n)[:150]
    held_out = np.setdiff1d(np.arange(n), training)
    n_missed = 0
    for _ in range(60):
        split = np.full(n, Split.VALIDATION, np.int8)
        split[training] = Split.TRAIN
        split[rng.permutation(held_out)[:150]] = Split.TEST
        labels = truth.copy()
        labels[rng.permutation(training)[:90]] = -1
        dataset = replace(everything, split=split).with_labels(labels)
        done = run_job(replace(job, dataset=dataset, labels=labels))
        gain = done.evidence.over["before"]
        now = done.predictions.probabilities.argmax(axis=1) == truth
        others = split == Split.VALIDATION
        true_gain = now[others].mean() - was[others].mean()
        n_missed += not gain.low <= true_gain <= gain.high
    # Of 60 at 5%, more than 7 in one of a hundred.
    assert n_missed <= 7
