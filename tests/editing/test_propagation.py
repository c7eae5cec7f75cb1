from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.propagation import Propagate, Propagation
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import Predictions

N = 61
EDITED = 30


def on_a_line(**changes) -> Propagate:
    """Return a job on images one apart, of whom one in the middle was edited.

    The tenth neighbour of all but those at the ends is 5 away. Nobody knows of a
    class, but for one that is far from all others.
    """
    latents = np.zeros((N + 1, 2), np.float32)
    latents[:N, 0] = np.arange(N)
    latents[N] = 0, 1000
    labels = np.full(N + 1, -1)
    labels[EDITED], labels[N] = 1, 0
    edited = np.arange(N + 1) == EDITED
    nowhere = np.zeros(N + 1, bool)
    job = Propagate(
        labels=labels,
        n_classes=2,
        edited=edited,
        said=edited,
        closed=nowhere,
        held_out=nowhere,
        predictions=Predictions(latents, np.full((N + 1, 2), 0.5, np.float32)),
    )
    return replace(job, **changes)


def mask(*at: int) -> np.ndarray:
    return np.isin(np.arange(N + 1), at)


def weights_of(found: Propagation) -> dict[int, float]:
    return dict(zip(found.indices.tolist(), found.weights.tolist(), strict=True))


def test_an_edit_speaks_for_its_near_twins_and_not_for_far_images():
    found = run_job(on_a_line())
    near = [*range(EDITED - 4, EDITED), *range(EDITED + 1, EDITED + 5)]
    assert sorted(found.indices) == near
    assert_array_equal(found.classes, 1)
    assert_array_equal(found.sources, EDITED)
    assert found.weights.dtype == np.float32


def test_its_weight_falls_with_the_distance():
    found = run_job(on_a_line())
    away = np.abs(found.indices - EDITED)
    # The network gives the class one half, which is its doubt; all votes agree.
    assert_allclose(found.weights, 0.5 * np.exp(-((away / 5) ** 2)), rtol=1e-5)
    assert (np.diff(found.weights) <= 0).all(), "the surest come first"


@pytest.mark.parametrize("closed", ["edited", "closed", "held_out"])
def test_nothing_is_said_of_images_that_are_closed(closed):
    at = (EDITED - 1, EDITED + 2)
    marked = mask(*at) if closed != "edited" else mask(EDITED, *at)
    found = run_job(on_a_line(**{closed: marked}))
    assert len(found)
    assert not set(at) & set(found.indices)


def test_an_image_that_was_pinned_keeps_to_what_was_said_of_it():
    job = on_a_line()
    labels, pinned = job.labels.copy(), EDITED + 1
    labels[pinned] = 0
    both = mask(EDITED, pinned)
    found = run_job(replace(job, labels=labels, edited=both, said=both))
    assert pinned not in found.indices
    # Its other neighbours lie nearer to it, and it speaks for them.
    assert found.classes[found.indices == EDITED + 2] == 0
    assert found.sources[found.indices == EDITED + 2] == pinned
    assert found.classes[found.indices == EDITED - 1] == 1


@pytest.mark.parametrize(("belief", "spoken_for"), [(0.9, False), (0.1, True)])
def test_a_label_that_the_network_believes_stands(belief, spoken_for):
    job = on_a_line()
    labels, chances = job.labels.copy(), job.predictions.probabilities.copy()
    labels[EDITED + 1] = 0
    chances[EDITED + 1] = belief, 1 - belief
    # Enough doubt of the other class for the weight to be well above the least.
    if spoken_for:
        chances[EDITED + 1] = 0.1, 0.2
    predictions = replace(job.predictions, probabilities=chances)
    found = run_job(replace(job, labels=labels, predictions=predictions))
    assert (EDITED + 1 in found.indices) == spoken_for


def test_what_the_network_knows_already_needs_no_edit_to_say_it():
    job = on_a_line()
    chances = job.predictions.probabilities.copy()
    chances[EDITED + 1] = 0.05, 0.95
    predictions = replace(job.predictions, probabilities=chances)
    assert EDITED + 1 not in run_job(replace(job, predictions=predictions)).indices


def test_a_nearer_image_of_another_class_outvotes_an_edit():
    job = on_a_line()
    labels, chances = job.labels.copy(), job.predictions.probabilities.copy()
    labels[EDITED + 5] = 0
    chances[EDITED + 5] = 0.9, 0.1  # believed
    predictions = replace(job.predictions, probabilities=chances)
    found = run_job(replace(job, labels=labels, predictions=predictions))
    before, after = weights_of(run_job(job)), weights_of(found)
    assert EDITED + 4 in before
    assert EDITED + 4 not in after
    # The less its neighbours agree, the less it counts.
    assert after[EDITED + 1] < after[EDITED - 1] < before[EDITED - 1]


def test_held_out_images_do_not_speak():
    job = on_a_line(held_out=mask(EDITED + 1, EDITED - 2))
    labels, latents = job.labels.copy(), job.predictions.latents.copy()
    labels[[EDITED + 1, EDITED - 2]] = 0
    latents[[EDITED + 1, EDITED - 2]] += 0.3
    lured = replace(
        job, labels=labels, predictions=replace(job.predictions, latents=latents)
    )
    one, other = run_job(job), run_job(lured)
    assert len(one)
    assert weights_of(one) == weights_of(other)
    assert_array_equal(one.classes, other.classes)


def test_an_edit_of_a_held_out_image_does_not_speak():
    assert len(run_job(on_a_line(held_out=mask(EDITED)))) == 0


def test_without_an_edit_that_says_a_class_nothing_is_said():
    assert len(run_job(on_a_line(said=mask()))) == 0
    unnamed = on_a_line().labels.copy()
    unnamed[EDITED] = -1
    assert len(run_job(on_a_line(labels=unnamed))) == 0


def test_while_there_are_no_classes_nothing_is_said():
    job = on_a_line(labels=np.full(N + 1, -1), n_classes=0)
    none = replace(job.predictions, probabilities=np.empty((N + 1, 0), np.float32))
    found = run_job(replace(job, predictions=none))
    assert len(found) == 0
    assert found.targets(0).classes.shape == (0, 0)


def test_where_all_images_are_closed_nothing_is_said():
    assert len(run_job(on_a_line(closed=np.ones(N + 1, bool)))) == 0


def test_the_order_of_the_images_does_not_matter():
    rng = np.random.default_rng(3)
    n = 200
    kind = np.arange(n) % 4
    latents = (5 * np.eye(4)[kind] + rng.normal(0, 1, (n, 4))).astype(np.float32)
    edited = rng.random(n) < 0.1
    labels = np.where(edited | (rng.random(n) < 0.2), kind, -1)
    chances = rng.dirichlet(np.ones(4), n).astype(np.float32)

    def run(order) -> dict[int, tuple[float, int, int]]:
        found = run_job(
            Propagate(
                labels=labels[order],
                n_classes=4,
                edited=edited[order],
                said=edited[order],
                closed=(np.arange(n) % 17 == 0)[order],
                held_out=(np.arange(n) % 5 == 0)[order],
                predictions=Predictions(latents[order], chances[order]),
            )
        )
        of = zip(order[found.indices], found.weights, strict=True)
        said = zip(found.classes, order[found.sources], strict=True)
        return {
            int(at): (float(weight), int(kind), int(source))
            for (at, weight), (kind, source) in zip(of, said, strict=True)
        }

    one, other = run(np.arange(n)), run(rng.permutation(n))
    assert len(one) > 10
    assert one.keys() == other.keys()
    for at, (weight, *said) in one.items():
        assert other[at][0] == pytest.approx(weight, rel=1e-4)
        assert list(other[at][1:]) == said


def test_a_new_class_can_be_spoken_for():
    job = on_a_line(n_classes=3)
    labels = job.labels.copy()
    labels[EDITED] = 2
    found = run_job(replace(job, labels=labels))
    assert_array_equal(found.classes, 2)
    # The network gives it nothing yet, so that its doubt is whole.
    assert found.weights.max() == pytest.approx(np.exp(-1 / 25), rel=1e-5)


def test_exact_copies_of_an_edited_image_are_spoken_for():
    job = on_a_line()
    latents = job.predictions.latents.copy()
    latents[:20] = latents[EDITED]
    predictions = replace(job.predictions, latents=latents)
    found = run_job(replace(job, predictions=predictions))
    assert set(range(20)) <= set(found.indices)
    assert np.isfinite(found.weights).all()


def test_as_targets_they_are_sure_of_the_class_and_weighted():
    found = run_job(on_a_line())
    targets = found.targets(4)
    assert_array_equal(targets.indices, found.indices)
    assert_array_equal(targets.classes[:, 1], 1)
    assert_array_equal(targets.classes.sum(axis=1), 1)
    assert_array_equal(targets.weights, found.weights)
