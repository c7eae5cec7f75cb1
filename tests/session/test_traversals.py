"""Traversals that the session keeps, in memory and on disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.history import describe_kept, stage_of
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Network, SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.traversals import StoredTraversal
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import BY_IMAGE, Traversal
from napari_spaceediting.traversal.settings import TraverseSettings

QUICK = TraverseSettings(
    budgets=(0.3, 0.1), layers=("trunk.3",), iterations=0, device="cpu"
)


@pytest.fixture(scope="module")
def outcome(trained_state: SessionState) -> tuple[Traverse, Traversal]:
    """Return a job that moves three threes to the eights, and what came of it."""
    session = Session(trained_state)
    truth = session.dataset.columns["truth"]
    network = session.kinds(np.arange(len(truth)))
    threes = np.flatnonzero((truth == 3) & (network == 3))[:3]
    job = session.traversing(threes, "8", QUICK)
    return job, run_job(job)


@pytest.fixture
def session(trained_session: Session, outcome) -> Session:
    """Return a session that has kept it."""
    trained_session.keep(*outcome)
    return trained_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "one.spaceediting"


def retrained(state: SessionState) -> SessionState:
    """Return a session whose network was trained anew."""
    old = state.checkpoint.network
    new = Network(old.spec, dict(old.state), old.predictions, old.margins)
    return replace(state, checkpoint=replace(state.checkpoint, network=new))


def assert_same(one: Traversal, other: Traversal) -> None:
    for name in (*BY_IMAGE, "budgets"):
        wanted, found = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(wanted, found)
        assert wanted.dtype == found.dtype
    for name in ("layers", "settings", "notes", "seconds", "regime"):
        assert getattr(one, name) == getattr(other, name)


def arrays(folder: Path) -> set[str]:
    return {path.name for path in (folder / "arrays").iterdir()}


def test_it_is_kept_until_it_is_removed(trained_session, outcome):
    heard: list[int] = []
    trained_session.traversals_changed.connect(
        lambda: heard.append(len(trained_session.state.traversals))
    )
    job, done = outcome
    before = trained_session.state
    first = trained_session.keep(job, done)
    part = trained_session.keep(job, done.part(slice(0, 1)))
    assert trained_session.state.traversals == (first, part)
    assert describe_kept(first, trained_session.state) == "3 → 8, 3 images, start"
    assert describe_kept(part, trained_session.state) == "3 → 8, 1 image, start"
    assert first.outcome.read() is done
    trained_session.remove(first)
    trained_session.remove(part)
    assert heard == [1, 2, 1, 0]
    after = trained_session.state
    assert (after.log, after.checkpoint) == (before.log, before.checkpoint)


def test_all_of_it_comes_back_from_disk_and_not_before_it_is_asked_for(
    session, outcome, folder
):
    job, done = outcome
    group = np.flatnonzero(session.dataset.labels == 8)
    session.keep(session.traversing(job.sets.images, group), done)
    with SessionFolder.new(folder) as place:
        place.save(session.state)
        assert session.state.traversals[0].outcome.read() is done
        place.let_go()
    for state in (session.state, load_session(folder)):
        for kept in state.traversals:
            assert isinstance(kept.outcome.source, StoredTraversal), "not in memory"
            assert_same(done, kept.outcome.read())
    first, second = load_session(folder).traversals
    assert first.asked.group is None
    np.testing.assert_array_equal(second.asked.group, group)
    assert first.asked.sources.tolist() == [3, 3, 3]
    assert (first.asked.target, first.asked.goal) == (8, "8")
    assert first.asked.class_names == session.shown.class_names
    assert first.created == session.state.traversals[0].created


def test_saving_again_and_elsewhere_keeps_its_files(session, outcome, folder):
    save_session(session.state, folder)
    before = arrays(folder)
    state = load_session(folder)
    save_session(state, folder)
    assert arrays(folder) == before
    other = folder.with_name("two.spaceediting")
    with SessionFolder.new(other) as place:
        place.save(state)
        place.let_go()
    shutil.rmtree(folder)
    for again in (state, load_session(other)):
        assert_same(outcome[1], again.traversals[0].outcome.read())
    emptied = Session(state)
    emptied.remove(state.traversals[0])
    save_session(emptied.state, other)
    assert len(arrays(other)) < len(before)


def test_the_stage_follows_the_rounds(proposed, trained_state, outcome, folder):
    job, done = outcome
    assert job.state is trained_state.checkpoint.network.state
    proposed.keep(job, done)
    later = replace(job, state=proposed.shown.network.state)
    proposed.keep(later, done)

    def stages(state: SessionState) -> list[str]:
        save_session(state, folder)
        found = [stage_of(kept, state) for kept in state.traversals]
        again = load_session(folder)
        assert [stage_of(kept, again) for kept in again.traversals] == found
        return found

    assert stages(proposed.state) == ["start", "round 1"]
    proposed.roll_back()
    assert stages(proposed.state) == ["start", "round 1, rolled back"]
    anew = retrained(replace(proposed.state, rounds=()))
    kept = anew.traversals[0]
    assert stage_of(kept, anew) == "a network that is gone"
    assert describe_kept(kept, anew) == "3 → 8, 3 images, a network that is gone"


def test_without_its_network_it_comes_back_as_such(session, outcome, folder):
    state = session.state
    network = state.checkpoint.network
    weights = {name: value + 1 for name, value in network.state.items()}
    other = Network(network.spec, weights, network.predictions, network.margins)
    state = replace(state, checkpoint=replace(state.checkpoint, network=other))
    save_session(state, folder)
    again = load_session(folder)
    assert stage_of(again.traversals[0], again) == "a network that is gone"
    assert_same(outcome[1], again.traversals[0].outcome.read())


def test_images_that_come_later_change_nothing_of_it(session, outcome, tmp_path):
    stack = np.random.default_rng(0).integers(0, 17, (4, 28, 28), np.uint8)
    np.save(tmp_path / "more.npy", stack)
    before = session.state.traversals
    session.take_images(run_job(session.adding(tmp_path / "more.npy")))
    assert session.state.traversals == before
    (kept,) = before
    assert stage_of(kept, session.state) == "start"
    route = kept.outcome.read().route(session.edits.positions)
    np.testing.assert_allclose(
        route[:, 0], session.edits.positions[outcome[0].sets.images], atol=1e-3
    )


def test_a_session_from_before_traversals_were_kept_has_none(session, folder):
    save_session(session.state, folder)
    index = folder / "session.json"
    values = json.loads(index.read_text())
    del values["traversals"]
    index.write_text(json.dumps(values | {"version": 1}))
    assert load_session(folder).traversals == ()


@pytest.mark.parametrize("how", ["gone", "short", "other"])
def test_a_damaged_file_is_told_and_loses_nothing_else(session, outcome, folder, how):
    session.keep(outcome[0], outcome[1].part(slice(0, 2)))
    save_session(session.state, folder)
    entry = json.loads((folder / "session.json").read_text())["traversals"][0]
    path = folder / "arrays" / f"{entry['outcome']['arrays']['images']}.npy"
    if how == "gone":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        np.save(path, np.zeros((7, 3, 1, 28, 28), np.float32))
    state = load_session(folder)
    damaged, sound = state.traversals
    with pytest.raises(SessionError, match=r"cannot be read .*remove it and run it"):
        damaged.outcome.read()
    assert_same(outcome[1].part(slice(0, 2)), sound.outcome.read())
    # It can be saved, here and elsewhere, and the rest of it is there.
    other = folder.with_name("two.spaceediting")
    for place in (folder, other):
        save_session(state, place)
        again = load_session(place)
        assert_same(outcome[1].part(slice(0, 2)), again.traversals[1].outcome.read())
        with pytest.raises(SessionError, match="cannot be read"):
            again.traversals[0].outcome.read()


def test_a_new_class_keeps_its_name_after_it_was_rolled_back(
    trained_session, pin, outcome, folder
):
    trained_session.apply(pin(trained_session, tag="scribble", n=12))
    images = outcome[0].sets.images
    job = trained_session.traversing(images, "scribble", QUICK)
    trained_session.keep(job, run_job(job))
    trained_session.undo()
    trained_session.apply(pin(trained_session, tag="blot", n=12))
    save_session(trained_session.state, folder)
    state = load_session(folder)
    (kept,) = state.traversals
    assert describe_kept(kept, state) == "3 → scribble, 3 images, start"
    assert kept.asked.name(kept.asked.target) == "scribble"
