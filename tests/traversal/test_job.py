from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.export import write_traversal
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Asked, join
from napari_spaceediting.traversal.sets import TraversalSets, choose_sets
from napari_spaceediting.traversal.settings import (
    BUDGETS,
    NEIGHBOURS,
    TO_ARRIVAL,
    TraversalError,
    TraverseSettings,
)

QUICK = TraverseSettings(
    budgets=(0.2, 0.07),
    neighbours=(None,),
    regime="mixtures",
    iterations=12,
    device="cpu",
)


@pytest.fixture(scope="module")
def digits(trained_state):
    """Return the data set with all of its labels."""
    dataset = trained_state.dataset
    return dataset.with_labels(dataset.columns["truth"])


@pytest.fixture(scope="module")
def threes_to_eights(digits):
    threes = np.flatnonzero((digits.labels == 3) & digits.held_out)[:3]
    sets, _ = choose_sets(
        threes,
        8,
        labels=digits.labels,
        held_out=digits.held_out,
        probabilities=np.zeros((300, 10), np.float32),
    )
    return sets


@pytest.fixture
def job(trained_state, digits, threes_to_eights, tmp_path) -> Traverse:
    network = trained_state.checkpoint.network
    return Traverse(
        digits, network.spec, network.state, threes_to_eights, QUICK, tmp_path
    )


@pytest.mark.parametrize(
    "settings",
    [
        QUICK,
        replace(QUICK, neighbours=(6,)),
    ],
    ids=["all", "nearest"],
)
def test_threes_become_eights(job, settings):
    seen = []
    done = run_job(replace(job, settings=settings), seen.append)
    assert done.images.shape == (3, 3, 1, 28, 28)
    assert done.images.dtype == np.float32
    assert done.images.min() >= 0
    assert done.images.max() <= 1
    np.testing.assert_array_equal(done.images[:, 0], job.dataset.images(done.indices))
    assert done.probabilities.shape == (3, 3, 10)
    np.testing.assert_allclose(done.probabilities.sum(axis=2), 1, atol=1e-4)
    gained = done.probabilities[:, -1, 8] - done.probabilities[:, 0, 8]
    lost = done.probabilities[:, -1, 3] - done.probabilities[:, 0, 3]
    assert gained.mean() > 0.2
    assert lost.mean() < 0
    assert (np.diff(done.witness, axis=1) < 0).all()
    assert np.isin(done.nearest, job.sets.target).all()
    assert done.nearest.shape == (3, 3, 5)
    assert done.arrived.shape == (3, 3)
    assert not done.arrived[:, 0].any()
    assert done.budgets.tolist() == [list(settings.path)] * 3

    making = [progress for progress in seen if progress.message == "Make the images"]
    assert [progress.done for progress in making] == list(range(1, 25))
    assert {progress.total for progress in making} == {24}
    assert all(np.isfinite(progress.metrics["loss"]) for progress in making)


def test_each_image_has_a_path_of_its_own(job):
    settings = TraverseSettings(regime="mixtures", iterations=0, device="cpu")
    done = run_job(replace(job, settings=settings))
    assert done.images.shape == (3, 1 + settings.steps, 1, 28, 28)
    assert done.budgets.shape == (3, settings.steps)
    assert set(done.neighbours.tolist()) <= {0, NEIGHBOURS}
    lands = done.arrived[:, TO_ARRIVAL]
    # Where it did not land, it went as far as is tried.
    ends = np.isclose(done.budgets[:, -1], BUDGETS[-1])
    np.testing.assert_array_equal(lands, ~ends)


def test_the_arrival_is_the_first_step_that_passes(job):
    done = run_job(job)
    passed = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    assert replace(done, arrived=passed).arrival.tolist() == [2, 2, -1]


def test_without_iterations_the_images_are_mixtures_of_real_ones(job):
    done = run_job(replace(job, settings=replace(QUICK, iterations=0)))
    rows = [job.sets.images, *job.sets.sources, job.sets.target]
    real = job.dataset.images(np.unique(np.concatenate(rows)))
    mixed = done.images[0, -1].ravel()
    inside = (mixed > 0) & (mixed < 1)
    assert inside.sum() > 2 * len(real)
    pixels = real.reshape(len(real), -1).T[inside]
    shares = np.linalg.lstsq(pixels, mixed[inside], rcond=None)[0]
    np.testing.assert_allclose(pixels @ shares, mixed[inside], atol=1e-4)
    assert np.abs(mixed - done.images[0, 0].ravel()).max() > 0.1


def test_batches_of_one_give_the_same_and_are_handed_over_as_they_are_done(job):
    together = run_job(job)
    seen = []
    alone = run_job(replace(job, settings=replace(QUICK, batch_size=1)), seen.append)
    handed = [p.finished for p in seen if p.finished is not None]
    previews, parts = handed[:3], handed[3:]
    assert [part.is_preview for part in handed] == [True] * 3 + [False] * 3
    np.testing.assert_array_equal(join(previews).indices, alone.indices)
    assert np.abs(join(previews).images - alone.images)[:, 1:].any()
    for whole in (alone, join(parts)):
        np.testing.assert_array_equal(whole.images, alone.images)
        np.testing.assert_array_equal(whole.probabilities, alone.probabilities)
        np.testing.assert_array_equal(whole.around, alone.around)
    np.testing.assert_array_equal(join(parts[:2]).indices, alone.indices[:2])
    np.testing.assert_allclose(together.witness, alone.witness, atol=1e-3)
    np.testing.assert_array_equal(together.nearest[:, :, 0], alone.nearest[:, :, 0])
    difference = np.abs(together.images - alone.images).mean()
    assert (
        difference
        < 0.1 * np.abs(together.images[:, 1:] - together.images[:, :1]).mean()
    )


def test_the_route_leads_from_the_image_to_the_target(job, digits):
    done = run_job(job)
    np.testing.assert_allclose(done.closeness.sum(axis=2), 1)
    rows = np.unique(np.concatenate([job.sets.images, *job.sets.sources]))
    assert np.isin(done.around, np.concatenate([rows, job.sets.target])).all()
    # Of a map on which the target lies on the right, all else on the left.
    positions = np.zeros((300, 2), np.float32)
    positions[job.sets.target, 1] = 1
    positions[done.indices, 0] = [1, 2, 3]
    route = done.route(positions)
    assert route.shape == (3, 3, 2)
    np.testing.assert_allclose(route[:, 0], positions[done.indices], atol=1e-4)
    assert (route[:, -1, 1] > 0.5).all()


CHANGING = replace(QUICK, regime="features", iterations=6)


def test_by_their_features_threes_become_eights_step_by_step(job):
    seen = []
    done = run_job(replace(job, settings=CHANGING), seen.append)
    handed = [p.finished for p in seen if p.finished is not None]
    assert [part.made.tolist() for part in handed] == [[0] * 3, [1] * 3, [2] * 3]
    originals, first, last = handed
    start = job.dataset.images(done.indices)
    assert originals.is_preview
    for step in range(3):
        np.testing.assert_array_equal(originals.images[:, step], start)
    # What is not made yet shows the last that is.
    np.testing.assert_array_equal(first.images[:, 2], first.images[:, 1])
    np.testing.assert_array_equal(first.images[:, 1], last.images[:, 1])
    np.testing.assert_array_equal(last.images, done.images)
    assert done.regime == "features"
    assert (done.made == 2).all()
    assert done.own[:, 0].all()
    assert done.images.min() >= 0
    assert done.images.max() <= 1
    gained = done.probabilities[:, -1, 8] - done.probabilities[:, 0, 8]
    assert gained.mean() > 0.2
    assert np.isin(done.nearest, job.sets.target).all()
    assert (np.diff(done.witness, axis=1) < 0).all()
    assert "learnt from nothing but these images" in done.notes[0]


def test_while_large_sets_are_read_a_few_images_show_the_first_step(job, monkeypatch):
    monkeypatch.setattr("napari_spaceediting.traversal.walk._FEW", 5)
    monkeypatch.setattr("napari_spaceediting.traversal.table._LAST", {})
    job = replace(job, settings=CHANGING)
    seen = []
    done = run_job(job, seen.append)
    handed = [p.finished for p in seen if p.finished is not None]
    assert [part.made.tolist() for part in handed] == [[0], [1], [1] * 3, [2] * 3]
    look, first = handed[1], handed[2]
    assert look.indices.tolist() == done.indices[:1].tolist()
    changed = look.images[0, 1] - look.images[0, 0]
    later = first.images[0, 1] - first.images[0, 0]
    assert np.corrcoef(changed.ravel(), later.ravel())[0, 1] > 0.3
    assert np.abs(changed - later).max() > 0.01
    # Once they are read, nothing is to be bridged.
    seen.clear()
    again = run_job(job, seen.append)
    handed = [p.finished for p in seen if p.finished is not None]
    assert [part.made.tolist() for part in handed] == [[0] * 3, [1] * 3, [2] * 3]
    np.testing.assert_array_equal(again.images, done.images)


def test_features_take_even_steps_unless_budgets_are_given(job):
    settings = TraverseSettings(regime="features", iterations=0, device="cpu")
    done = run_job(replace(job, settings=settings))
    assert done.budgets.shape == (3, settings.steps)
    assert (np.diff(done.budgets, axis=1) < 0).all()
    given = run_job(replace(job, settings=replace(CHANGING, iterations=0)))
    assert given.budgets.tolist() == [[0.2, 0.07]] * 3


def test_batches_do_not_change_what_comes_of_features(job):
    settings = replace(CHANGING, budgets=(0.1,))
    together = run_job(replace(job, settings=settings))
    seen = []
    alone = run_job(replace(job, settings=replace(settings, batch_size=1)), seen.append)
    made = [p.finished.made.tolist() for p in seen if p.finished is not None]
    assert made == [[0], [0], [0], [1], [1], [1]]
    np.testing.assert_array_equal(together.nearest, alone.nearest)
    far = np.abs(together.images - alone.images).mean()
    assert far < 0.1 * np.abs(together.images[:, 1] - together.images[:, 0]).mean()


def test_the_regime_is_chosen_and_told(job):
    settings = replace(QUICK, regime=None, iterations=1)
    done = run_job(replace(job, settings=settings))
    assert done.regime == "mixtures", "digits lie alike"
    assert "lie alike" in done.notes[0]


def test_images_of_many_channels_that_are_not_square_change_where_kinds_differ():
    rng = np.random.default_rng(0)
    pixels = rng.integers(20_000, 30_000, (60, 40, 64, 5), np.uint16)
    pixels[30:, :16, :24, 2] += 25_000
    dataset = ImageDataset(
        name="Channels",
        ids=np.arange(60).astype(str),
        labels=np.repeat([0, 1], 30),
        class_names=("dark", "bright"),
        split=np.zeros(60, np.int8),
        pixels=ArrayPixels(pixels),
        scaling=IntensityScaling(),
        image_size=(40, 64),
    )
    spec = ClassifierSpec(in_channels=5, image_size=(40, 64))
    sets = TraversalSets(np.array([0]), (np.arange(1, 30),), np.arange(30, 60))
    settings = TraverseSettings(regime="features", iterations=10, device="cpu")
    done = run_job(
        Traverse(dataset, spec, state_of(classifier_from(spec)), sets, settings)
    )
    assert done.images.shape == (1, 9, 5, 40, 64)
    change = done.images[0, -1] - done.images[0, 0]
    assert change[2, :16, :24].mean() > 0.1
    assert np.abs(change[:, 28:, 40:]).mean() < 0.1 * np.abs(change[2, :16, :24]).mean()


def test_too_many_images_for_the_memory_are_refused(job, monkeypatch):
    monkeypatch.setattr("napari_spaceediting.traversal.jobs.MOST_BYTES", 1000)
    with pytest.raises(TraversalError, match="choose fewer"):
        next(job.run())


def test_images_of_several_classes_move_at_once(job, digits):
    sevens = np.flatnonzero((digits.labels == 7) & digits.held_out)[:1]
    both = np.concatenate([job.sets.images[:1], sevens])
    sets, classes = choose_sets(
        both,
        8,
        labels=digits.labels,
        held_out=digits.held_out,
        probabilities=np.zeros((300, 10), np.float32),
    )
    assert classes.tolist() == [3, 7]
    done = run_job(replace(job, sets=sets))
    assert (done.probabilities[:, -1, 8] > done.probabilities[:, 0, 8]).all()


@pytest.mark.parametrize("regime", ["mixtures", "features"])
def test_it_can_be_cancelled_and_leaves_nothing(job, tmp_path, regime):
    job = replace(job, settings=replace(QUICK, regime=regime))
    weights = {name: value.copy() for name, value in job.state.items()}
    steps = job.run()
    while "loss" not in next(steps).metrics:
        pass
    steps.close()
    for name, value in weights.items():
        np.testing.assert_array_equal(job.state[name], value)
    assert not list(tmp_path.iterdir())


def test_colours_and_few_images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (12, 16, 12, 3), np.uint8)
    pixels[6:, ..., 0] += 150
    dataset = ImageDataset(
        name="Colours",
        ids=np.array([f"folder {at}/é.png" for at in range(12)]),
        labels=np.repeat([0, 1], 6),
        class_names=("dark", "red"),
        split=np.zeros(12, np.int8),
        pixels=ArrayPixels(pixels),
        scaling=IntensityScaling("range", (0.0,) * 3, (255.0,) * 3),
        image_size=(16, 12),
    )
    spec = ClassifierSpec(in_channels=3, image_size=(16, 12))
    sets = TraversalSets(np.array([0]), (np.arange(1, 6),), np.arange(6, 10))
    job = Traverse(dataset, spec, state_of(classifier_from(spec)), sets, QUICK)
    done = run_job(job)
    assert done.images.shape == (1, 3, 3, 16, 12)
    red = done.images[0, :, 0].mean(axis=(1, 2))
    assert red[-1] > red[0] + 0.2
    assert done.probabilities.shape == (1, 3, 0)
    assert done.nearest.shape == (1, 3, 4)
    assert len(done.notes) == 2


def test_files_are_written_under_safe_names(job, digits, tmp_path):
    renamed = replace(digits, ids=np.array([f"a/b {at}" for at in range(300)]))
    done = run_job(replace(job, dataset=renamed))
    names = [*digits.class_names[:8], "new"]
    # A class that the network does not know yet.
    done = replace(done, probabilities=done.probabilities[:, :, :8])
    folder = tmp_path / "deep" / "out"
    asked = Asked(np.full(3, 3), 8, "new", tuple(names))
    values = write_traversal(done, asked, renamed, folder)
    assert json.loads((folder / "traversal.json").read_text("utf-8")) == values
    files = {path.name for path in folder.iterdir()}
    pictures = {entry["picture"] for entry in values["images"]}
    stacks = {entry["full size"] for entry in values["images"]}
    assert files == {*pictures, *stacks, "images.npy", "traversal.json"}
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.") for name in pictures
    )
    np.testing.assert_array_equal(np.load(folder / "images.npy"), done.images)
    first = values["images"][0]
    assert first["id"] == renamed.ids[done.indices[0]]
    assert first["probabilities"]["to"] is None
    assert len(first["probabilities"]["from"]) == 3
    assert first["to"] == "new"

    part = write_traversal(done.part(slice(0, 1)), asked, renamed, tmp_path / "part")
    assert part["images"] == values["images"][:1]

    (tmp_path / "file").write_text("")
    with pytest.raises(TraversalError, match="could not be written"):
        write_traversal(done, asked, renamed, tmp_path / "file")


def test_errors_come_before_any_work(job):
    sets = replace(job.sets, target=np.array([], np.int64))
    with pytest.raises(TraversalError, match="target has 0 images"):
        replace(job, sets=sets)
    bad = replace(QUICK, layers=("conv9",))
    with pytest.raises(TraversalError, match="conv9"):
        next(replace(job, settings=bad).run())


def test_a_broken_network_is_told(job):
    state = {name: np.full_like(value, np.nan) for name, value in job.state.items()}
    with pytest.raises(TraversalError, match="not finite"):
        run_job(replace(job, state=state))


def test_a_job_can_be_sent(job):
    assert pickle.loads(pickle.dumps(job)).settings == job.settings
