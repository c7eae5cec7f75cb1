from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.editing.places import Surroundings
from napari_spaceediting.errors import MapFailed
from napari_spaceediting.jobs.job import Progress, StandIn, run_job
from napari_spaceediting.network import processes
from napari_spaceediting.projection import layout, umap_fit
from napari_spaceediting.projection.layout import NOT_DRAWN, MapJob
from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.projection.quality import trustworthiness
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.codec import Codec
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.training import (
    AS_IT_WAS,
    MappedRound,
    RetrainAndMap,
)


@pytest.fixture
def edited(trained_session: Session, pin) -> Session:
    """Return a session with an edit, whose next map is a quick UMAP."""
    trained_session.set_map_settings(MapSettings(epochs=5))
    trained_session.apply(pin(trained_session))
    return trained_session


def stopped_at(job: RetrainAndMap, message: str) -> MappedRound:
    """Return what is kept of a round that is interrupted at some progress."""

    def stop(progress: Progress) -> None:
        if progress.message == message:
            raise KeyboardInterrupt

    return run_job(job, stop)


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def cancelled(job: RetrainAndMap, _patch: pytest.MonkeyPatch) -> MappedRound:
    return stopped_at(job, "Loading UMAP")


def failed(job: RetrainAndMap, patch: pytest.MonkeyPatch) -> MappedRound:
    patch.setattr(umap_fit, "fuzzy_graph", failing(RuntimeError("no graph today")))
    return run_job(job)


def test_a_round_is_a_retraining_and_its_map_from_where_the_images_lie(edited):
    positions, touched = edited.edits.positions, edited.edits.edited
    job = edited.retraining()
    mapped = run_job(job)
    assert not mapped.map.note
    again = run_job(job.retrain)
    assert_array_equal(mapped.result.predictions.latents, again.predictions.latents)
    drawn = run_job(
        MapJob(
            again.predictions.latents,
            edited.state.map,
            previous=positions,
            fixed_weight=(~touched).astype(np.float32),
        )
    )
    assert_array_equal(mapped.map.coordinates, drawn.coordinates)
    edited.propose(mapped)
    assert_array_equal(edited.shown.map.coordinates, drawn.coordinates)


@pytest.mark.parametrize("stop", [cancelled, failed])
def test_a_round_without_its_map_has_every_image_among_its_neighbours(
    edited, stop, monkeypatch
):
    kept = stop(edited.retraining(), monkeypatch)
    assert kept.map.note.startswith(NOT_DRAWN)
    assert ("no graph today" in kept.map.note) == (stop is failed)
    latents, places = kept.result.predictions.latents, kept.map.coordinates
    assert places.shape == (len(edited.dataset), 2)
    near, _ = nearest(latents, 5)
    assert_array_equal(kept.map.neighbours[:, :5], near)
    away = np.linalg.norm(places[near] - places[:, None], axis=2).mean(axis=1)
    anywhere = np.linalg.norm(places[:, None] - places, axis=2).mean(axis=1)
    assert (away < 0.5 * anywhere).mean() > 0.9
    assert trustworthiness(latents, places, 15) > 0.8


@pytest.mark.parametrize("stop", [cancelled, failed])
def test_a_round_without_its_map_is_a_round_like_others(
    edited, stop, monkeypatch, tmp_path
):
    whole = run_job(edited.retraining())
    kept = stop(edited.retraining(), monkeypatch)
    monkeypatch.undo()
    evidence = Codec().unstructure(kept.result.evidence)
    assert evidence == Codec().unstructure(whole.result.evidence)
    before = edited.state.checkpoint
    edited.propose(kept)
    save_session(edited.state, tmp_path / "one.spaceediting")
    again = Session(load_session(tmp_path / "one.spaceediting"))
    assert_array_equal(again.shown.map.coordinates, kept.map.coordinates)
    assert Codec().unstructure(again.state.proposal.evidence) == evidence
    again.accept()
    again.take_map(run_job(again.mapping()))
    assert edited.state.checkpoint is before
    edited.roll_back()
    assert edited.state.rounds[-1].status is RoundStatus.ROLLED_BACK
    assert edited.edits.edited.sum() == 5


def test_a_round_that_is_cancelled_at_once_leaves_the_images_where_they_lie(edited):
    kept = stopped_at(edited.retraining(), "Finding neighbours")
    assert kept.map.note == AS_IT_WAS
    edited.propose(kept)
    past = edited.state.rounds[-1]
    assert_array_equal(past.after.map.coordinates, kept.map.coordinates)
    edited.accept()
    # Nothing needs the neighbours that nobody has looked for.
    run_job(edited.guiding(5))
    assert run_job(edited.mapping()).note == ""


def test_a_map_that_cannot_be_drawn_costs_no_training(edited, monkeypatch):
    monkeypatch.setattr(layout, "nearest", failing(MapFailed("Too far apart.")))
    kept = run_job(edited.retraining())
    assert kept.map.note == f"{AS_IT_WAS} The reason was: Too far apart."
    assert_array_equal(kept.map.coordinates, edited.edits.positions)


@pytest.mark.parametrize("step", [1, 10])
def test_a_training_that_is_cancelled_leaves_nothing(edited, step):
    def stop(progress: Progress) -> None:
        assert not isinstance(progress.finished, StandIn)
        if progress.metrics and progress.done == step:
            raise KeyboardInterrupt

    descent = replace(edited.state.retrain, recipe="descent")
    edited.set_retrain_settings(descent)
    with pytest.raises(KeyboardInterrupt):
        run_job(edited.retraining(), stop)


def test_of_several_processes_the_first_draws(edited, monkeypatch):
    class Second(processes.Processes):
        rank = 1

        def share(self, n: int) -> slice:
            return slice(0, n)

    job = edited.retraining()
    run_job(job)  # as the first process does, which computes the features
    monkeypatch.setattr(processes, "_here", Second())
    assert run_job(job).map.note == AS_IT_WAS


def test_preparing_a_retraining_asks_nothing_of_the_edits(edited, monkeypatch):
    asked, whole = [], Surroundings.at

    def at(self, places, *args):
        asked.append(len(places))
        return whole(self, places, *args)

    monkeypatch.setattr(Surroundings, "at", at)
    job = edited.retraining()
    assert not asked
    count = np.count_nonzero(edited.edits.edited & ~edited.dataset.held_out)
    assert len(job.retrain.anchors) == count
    assert asked == [count]
