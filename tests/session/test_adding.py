"""Images that come later: placed on the map as it is, with all that was done kept."""

from __future__ import annotations

import pickle
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.classes import Delete, Merge, Rename
from napari_spaceediting.editing.image_edits import Move, Pin, Reject
from napari_spaceediting.errors import DataError, SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.history import stages
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import load_session, save_session

FIRST = np.array([0])


@pytest.fixture(scope="module")
def others(small_digits):
    """Return 40 digits that the session does not have."""
    everything = digits()
    absent = np.flatnonzero(~np.isin(everything.ids, small_digits.ids))
    return everything.subset(absent[:40])


@pytest.fixture
def array(tmp_path, others) -> Path:
    path = tmp_path / "later.npz"
    pixels = np.stack([others.original(at) for at in range(len(others))])
    np.savez(path, images=pixels, labels=others.labels)
    return path


def add(session: Session, path: Path) -> None:
    session.take_images(run_job(session.adding(path)))


def test_new_images_go_to_their_likes_and_the_map_stays(
    trained_session, array, others, pin
):
    session = trained_session
    session.apply(pin(session))
    before, edits = session.shown, session.edits
    told = []
    session.images_changed.connect(lambda: told.append("images"))
    session.shown_changed.connect(lambda: told.append("shown"))
    add(session, array)
    assert told == ["images", "shown"]
    n, m = len(before.labels), len(others)
    assert len(session.dataset) == n + m
    after = session.shown
    assert_array_equal(after.map.coordinates[:n], before.map.coordinates)
    assert_array_equal(session.edits.labels[:n], edits.labels)
    assert session.edits.edited.sum() == 5
    # They train, under the labels that they came with, and nothing else is held out.
    assert not session.dataset.held_out[n:].any()
    names = np.array(session.shown.class_names)
    assert_array_equal(names[after.labels[n:]], others.labels.astype(str))
    # An image lies among those that the network finds similar.
    latents = after.network.predictions.latents
    away = np.linalg.norm(latents[n:, None] - latents[None, :n], axis=2)
    nearest = after.map.coordinates[:n][away.argsort(axis=1)[:, :5]].mean(axis=1)
    extent = np.ptp(after.map.coordinates, axis=0).max()
    assert np.median(np.abs(after.map.coordinates[n:] - nearest)) < 0.1 * extent


def test_what_rounds_say_beyond_places_does_not_travel(trained_session, array):
    session = trained_session
    job = session.adding(array)
    there = pickle.loads(pickle.dumps(job))
    (whole,), (part,) = job.checkpoints, there.checkpoints
    ours, theirs = (each.network.predictions for each in (whole, part))
    assert_array_equal(theirs.latents, ours.latents)
    assert_array_equal(part.map.neighbours, whole.map.neighbours)
    rest = part.labels, part.network.margins, theirs.probabilities
    assert [len(values) for values in rest] == [0, 0, 0]
    session.take_images(run_job(there))
    assert len(session.shown.labels) == len(job.checkpoints[0].labels) + 40


def test_everything_goes_on_after_images_were_added(
    trained_session, array, pin, tmp_path
):
    session = trained_session
    session.apply(pin(session))
    add(session, array)
    new = np.arange(len(session.dataset) - 3, len(session.dataset))
    session.apply(Pin(new, "scribble"))
    session.undo()
    session.redo()
    assert session.edits.edited[new].all()
    folder = tmp_path / "one.spaceediting"
    save_session(session.state, folder)
    again = Session(load_session(folder))
    assert_array_equal(again.edits.labels, session.edits.labels)
    mapped = run_job(again.retraining())
    assert len(mapped.result.predictions.latents) == len(again.dataset)
    again.propose(mapped)
    again.accept()
    run_job(again.guiding(5))


def test_rounds_and_what_they_go_back_to_have_the_new_images(proposed, array, tmp_path):
    session = proposed
    past = session.state.proposal
    n = len(session.dataset)
    add(session, array)
    assert session.state.proposal.evidence is past.evidence
    save_session(session.state, tmp_path / "one.spaceediting")
    session = Session(load_session(tmp_path / "one.spaceediting"))
    session.accept()
    assert len(session.shown.map.coordinates) == n + 40
    session.roll_back()
    assert session.state.rounds[-1].status is RoundStatus.ROLLED_BACK
    assert len(session.shown.network.predictions.latents) == n + 40
    assert_array_equal(session.shown.map.coordinates[:n], past.before.map.coordinates)
    # Its edits are open again, the class that they name included.
    assert "scribble" in session.edits.class_names
    assert session.edits.edited.sum() == 9
    assert len(run_job(session.retraining().retrain).predictions.latents) == n + 40


def test_what_was_rolled_back_has_no_network_that_sees_new_images(
    proposed, array, tmp_path
):
    session = proposed
    n = len(session.dataset)
    session.roll_back()
    add(session, array)
    (past,) = session.state.rounds
    assert past.after.network is past.after.map is None
    assert len(past.after.labels) == n + 40
    assert len(past.before.map.coordinates) == n + 40
    assert past.evidence is not None
    assert [stage.name for stage in stages(session.state)] == ["Start"]
    save_session(session.state, tmp_path / "one.spaceediting")
    assert load_session(tmp_path / "one.spaceediting").rounds[0].after.network is None


def test_a_round_can_be_trained_while_the_same_class_comes_with_new_images(
    proposed, others, tmp_path
):
    path = tmp_path / "later.npz"
    pixels = np.stack([others.original(at) for at in range(6)])
    np.savez(path, images=pixels, labels=np.array(["new"] * 3 + ["scribble"] * 3))
    add(proposed, path)
    shown, earlier = proposed.shown, proposed.state.rounds[0].before
    for checkpoint in (shown, earlier):
        names = np.array(checkpoint.class_names)
        assert names[checkpoint.labels[-6:]].tolist() == ["new"] * 3 + ["scribble"] * 3
    assert shown.class_names[-2:] == ("scribble", "new")
    proposed.roll_back()
    job = proposed.retraining().retrain
    assert len(set(job.class_names)) == len(job.class_names)
    assert run_job(job).predictions.probabilities.shape[1] == len(job.class_names)


def test_a_folder_that_grows_is_added_again(others, tmp_path):
    folder = tmp_path / "images"

    def put(at: int, name: str) -> None:
        (folder / name).mkdir(parents=True, exist_ok=True)
        iio.imwrite(folder / name / f"{at}.png", others.original(at).astype(np.uint8))

    for at in range(8):
        put(at, "even" if at % 2 == 0 else "odd")
    session = new_session(run_job(OpenDataset(folder)))
    put(8, "even")
    put(9, "unlabelled")
    # Before there is a network, they are simply there.
    add(session, folder)
    assert len(session.dataset) == 10
    assert session.dataset.ids[8:].tolist() == ["even/8.png", "unlabelled/9.png"]
    assert session.shown.labels[8:].tolist() == [0, -1]
    save_session(session.state, tmp_path / "one.spaceediting")
    again = Session(load_session(tmp_path / "one.spaceediting"))
    assert_array_equal(again.dataset.images([9]), session.dataset.images([9]))
    with pytest.raises(DataError, match="are in images already"):
        add(again, folder)


def test_other_images_of_the_same_name_get_one_of_their_own(trained_session, array):
    add(trained_session, array)
    ids = trained_session.dataset.ids
    assert len(np.unique(ids)) == len(ids)
    with pytest.raises(DataError, match="already"):
        add(trained_session, array)


def test_a_session_that_has_changed_takes_no_images(trained_session, array):
    added = run_job(trained_session.adding(array))
    trained_session.take_images(added)
    state = trained_session.state
    with pytest.raises(SessionError, match="add them again"):
        trained_session.take_images(added)
    assert trained_session.state is state


def test_images_of_another_kind_are_left_out(trained_session, tmp_path):
    np.save(tmp_path / "colour.npy", np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="3 channels, the others 1"):
        add(trained_session, tmp_path / "colour.npy")


def test_moves_made_before_stay_where_they_were(trained_session, array):
    session = trained_session
    at = np.flatnonzero(~session.dataset.held_out)[:2]
    start = session.edits.positions[at]
    end = start + np.float32(1)
    session.apply(Move(at, start, end, tag="3"))
    add(session, array)
    assert_array_equal(session.edits.positions[at], end)


def test_new_images_are_of_what_has_become_of_their_class(
    trained_session, array, others, pin
):
    session = trained_session
    edits = [Rename("1", "one"), Merge(("0", "8"), "round"), Delete("9"), Reject(FIRST)]
    session.replay([pin(session), *edits])
    session.propose(run_job(session.retraining()))
    session.accept()
    add(session, array)
    n = len(session.dataset) - len(others)
    names = np.array([*session.shown.class_names, ""])
    became = {"1": "one", "0": "round", "8": "round", "9": ""}
    came = others.labels.astype(str)
    wanted = [became.get(name, name) for name in came]
    assert names[session.shown.labels[n:]].tolist() == wanted
    assert not set(names) & {"0", "1", "8", "9"}
    assert session.edits.rejected.sum() == 1
    # Those that were rolled back to keep their own names.
    session.roll_back()
    own = np.array(session.dataset.class_names)
    assert own[session.state.checkpoint.labels[n:]].tolist() == came.tolist()
