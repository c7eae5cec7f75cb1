from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.editing.axis import LEAST_ARRANGED, Axis
from napari_spaceediting.editing.find_axes import FindAxes
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import ClassifierSpec

N, SIDE = 160, 20
SPEC = ClassifierSpec(latent_dim=8, n_classes=1, image_size=(SIDE, SIDE))


def dots(places: np.ndarray) -> ImageDataset:
    """Return images of a dot on noisy ground, a quarter of them held out."""
    rng = np.random.default_rng(0)
    at = np.arange(SIDE)
    far = (at - places[:, :1])[:, None, :] ** 2 + (at - places[:, 1:])[:, :, None] ** 2
    images = np.exp(-far / 8) + rng.uniform(0, 0.2, (len(places), SIDE, SIDE))
    return ImageDataset(
        name="Dots",
        ids=np.arange(len(places)).astype(str),
        labels=np.zeros(len(places), np.int64),
        class_names=("dot",),
        split=np.where(np.arange(len(places)) % 4, Split.TRAIN, Split.TEST).astype(
            "i1"
        ),
        pixels=ArrayPixels(images.astype(np.float32)),
        scaling=IntensityScaling("range", (0.0,), (1.2,)),
        image_size=(SIDE, SIDE),
    )


def arranged(dataset: ImageDataset, places: np.ndarray, n: int = 80) -> FindAxes:
    at = np.flatnonzero(~dataset.held_out)[:n]
    state = state_of(classifier_from(SPEC))
    return FindAxes(dataset, SPEC, state, at, places[at].astype(np.float32))


@pytest.fixture
def across() -> np.ndarray:
    """Return where dots lie from left to right."""
    return np.random.default_rng(1).uniform(3, SIDE - 3, N)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1])


def test_images_have_values_in_the_order_in_which_others_are_arranged(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    (axis,) = run_job(arranged(dataset, np.c_[across, np.zeros(N)]))
    assert axis.holds
    assert axis.n_arranged == 80
    assert axis.values.shape == (N,)
    assert axis.values.dtype == np.float32
    assert np.isfinite(axis.values).all()
    assert spearman(axis.values[dataset.held_out], across[dataset.held_out]) > 0.9


def test_two_directions_are_two_axes():
    places = np.random.default_rng(1).uniform(3, SIDE - 3, (N, 2))
    places[:, 1] = SIDE / 2 + (places[:, 1] - SIDE / 2) * 0.7
    axes = run_job(arranged(dots(places), places, n=110))
    assert len(axes) == 2
    for axis, along in zip(axes, places.T, strict=True):
        assert axis.holds
        assert spearman(axis.values, along) > 0.8


def test_images_in_a_ring_have_angles():
    angles = np.random.default_rng(1).uniform(-np.pi, np.pi, N)
    places = np.c_[np.cos(angles), np.sin(angles)]
    (axis,) = run_job(arranged(dots(SIDE / 2 + 6 * places), places, n=110))
    assert axis.is_circular
    assert axis.holds
    away = np.angle(np.exp(1j * (np.radians(axis.values) - angles)))
    assert np.median(np.abs(np.degrees(away))) < 20


def test_the_gate_is_closed_where_places_are_shuffled(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    shuffled = np.random.default_rng(2).permutation(across)
    (axis,) = run_job(arranged(dataset, np.c_[shuffled, np.zeros(N)]))
    assert not axis.holds
    assert "do not follow" in axis.verdict


def test_left_and_right_are_told_apart_whatever_the_network_does(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    job = arranged(dataset, np.c_[across, np.zeros(N)])
    assert_same(run_job(job), run_job(replace(job, spec=replace(SPEC, mirror=True))))


def test_nothing_is_learnt_from_held_out_images(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    job = arranged(dataset, np.c_[across, np.zeros(N)])
    lured = np.flatnonzero(dataset.held_out)
    astray = np.full((len(lured), 2), 999, np.float32)
    more = replace(
        job,
        indices=np.concatenate([lured, job.indices]),
        places=np.concatenate([astray, job.places]),
    )
    assert_same(run_job(job), run_job(more))


def test_the_same_seed_gives_the_same_axis(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    job = arranged(dataset, np.c_[across, np.zeros(N)])
    assert_same(run_job(job), run_job(job))


def test_groups_are_left_out_together(across):
    """Images of one group lie in one place, whatever they show."""
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    group = (across * 2).astype(int)
    places = np.random.default_rng(3).permutation(100)[group]
    job = arranged(dataset, np.c_[places, np.zeros(N)], n=110)
    (alone,) = run_job(job)
    grouped = replace(dataset, columns={"group": group})
    (apart,) = run_job(replace(job, dataset=grouped))
    assert apart.r2 < alone.r2 - 0.2


def test_few_images_say_too_little(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    places = np.c_[across, np.zeros(N)]
    (axis,) = run_job(arranged(dataset, places, n=LEAST_ARRANGED - 1))
    assert not axis.holds
    assert np.isfinite(axis.values).all()


def test_images_in_one_place_are_no_axis(across):
    dataset = dots(np.c_[across, np.full(N, SIDE / 2)])
    assert run_job(arranged(dataset, np.zeros((N, 2)))) == ()


def assert_same(some: tuple[Axis, ...], others: tuple[Axis, ...]) -> None:
    assert len(some) == len(others) == 1
    assert_array_equal(some[0].values, others[0].values)
    assert some[0].verdict == others[0].verdict
