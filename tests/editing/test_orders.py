"""Orders of single images."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Guide
from napari_spaceediting.editing.orders import (
    OneAtATime,
    Order,
    by_clusters,
    margins,
    typicality,
)
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import Predictions

NAMES = ("coat", "shirt", "bag")


def test_the_margin_is_that_of_the_two_likeliest():
    probabilities = np.array([[0.5, 0.1, 0.4], [0.1, 0.8, 0.1]], np.float32)
    assert margins(probabilities) == pytest.approx([0.1, 0.7])


@pytest.mark.parametrize("n_classes", [0, 1])
def test_without_two_classes_there_is_no_doubt(n_classes):
    assert margins(np.ones((3, n_classes))).tolist() == [1, 1, 1]


def crowds(sizes, spread, seed=0):
    """Return latents of some crowds, each farther out than the one before."""
    chance = np.random.default_rng(seed)
    return np.concatenate(
        [
            chance.normal(10 * place, width, (size, 4))
            for place, (size, width) in enumerate(zip(sizes, spread, strict=True))
        ]
    ).astype(np.float32)


def test_typical_images_lie_in_dense_crowds():
    latents = crowds((30, 30, 30), (4.0, 0.1, 0.5))
    first = np.argsort(-typicality(latents))
    assert set(first[:30].tolist()) == set(range(30, 60))
    assert set(first[:60].tolist()) == set(range(30, 90))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_images_have_some_typicality(n):
    assert typicality(np.ones((n, 4), np.float32)).shape == (n,)


def test_clusters_take_turns_the_largest_first_from_the_middle_outwards():
    latents = crowds((40, 20, 30), (0.5, 0.5, 0.5))
    rows = by_clusters(latents, 3)
    assert sorted(rows.tolist()) == list(range(90))
    crowd = np.repeat([0, 1, 2], (40, 20, 30))[rows]
    assert crowd[:60].reshape(20, 3).tolist() == [[0, 2, 1]] * 20
    centre = latents[:40].mean(axis=0)
    away = np.linalg.norm(latents[rows[crowd == 0]] - centre, axis=1)
    assert away[0] < np.median(away) < away[-1]


def guide(n=60, **changes):
    latents = crowds((n // 3,) * 3, (0.5, 0.5, 0.5))
    chance = np.random.default_rng(0)
    probabilities = chance.dirichlet(np.ones(3), n).astype(np.float32)
    values = {
        "class_names": NAMES,
        "labels": np.full(n, -1),
        "settled": np.zeros(n, bool),
        "held_out": np.zeros(n, bool),
        "predictions": Predictions(latents, probabilities),
        "margins": np.full(n, np.nan, np.float32),
        "positions": latents[:, :2],
    }
    return Guide(**values | changes)


@pytest.mark.parametrize("order", [Order.MARGIN, Order.TYPICALITY, Order.CLUSTER])
def test_unlabelled_images_are_proposed_one_by_one(order):
    labels, settled, held_out = np.full(60, -1), np.zeros(60, bool), np.zeros(60, bool)
    labels[:10], settled[10:20], held_out[20:30] = 1, True, True
    there = guide(labels=labels, settled=settled, held_out=held_out)
    found = run_job(OneAtATime(there, order))
    images = [int(one.indices[0]) for one in found]
    assert sorted(images) == list(range(30, 60))
    probabilities = there.predictions.probabilities
    assert [one.tag for one in found] == [
        NAMES[probabilities[image].argmax()] for image in images
    ]
    assert found[0].place is None
    if order is Order.MARGIN:
        assert (np.diff(margins(probabilities[images])) >= 0).all()
    assert len(run_job(OneAtATime(guide(n_proposals=7), order))) == 7


@pytest.mark.parametrize("order", list(Order))
def test_where_nothing_is_left_nothing_is_proposed(order):
    done = guide(settled=np.ones(60, bool))
    assert run_job(OneAtATime(done, order)) == []


def test_without_classes_it_asks_what_they_are():
    there = guide()
    nothing = Predictions(there.predictions.latents, np.empty((60, 0), np.float32))
    found = run_job(OneAtATime(guide(class_names=(), predictions=nothing), "margin"))
    assert (found[0].tag, found[0].reason) == (None, "What is it?")


def test_doubted_labels_come_one_by_one_as_guidance_doubts_them():
    labels = np.repeat([0, 1, 2], 20)
    labels[[3, 4, 5]] = 1
    probabilities = np.full((60, 3), 0.05, np.float32)
    probabilities[np.arange(60), np.repeat([0, 1, 2], 20)] = 0.9
    predictions = Predictions(guide().predictions.latents, probabilities)
    there = guide(labels=labels, predictions=predictions, n_proposals=200)
    found = run_job(OneAtATime(there, Order.DOUBTED))
    assert {int(one.indices[0]) for one in found[:3]} == {3, 4, 5}
    assert all(len(one.indices) == 1 for one in found)
    assert {one.kind for one in found} == {ProposalKind.MISLABELLED}
    assert found[0].reason.startswith(
        "Labelled shirt; the network speaks for coat, by 0.8"
    )
    sure = found[-1]
    assert sure.signs[0] > 0
    assert "the network agrees" in sure.reason
