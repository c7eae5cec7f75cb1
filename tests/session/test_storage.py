from __future__ import annotations

import errno
import json
import math
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.objects import find_objects
from napari_spaceediting.data.open import OpenDataset, OpenLayers
from napari_spaceediting.data.pixels import FilePixels, StoredPixels
from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import RoundStatus, SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.store import SHELVES, Store
from napari_spaceediting.session.versions import VERSION

NAME = "one.spaceediting"


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return all arrays and weights with what shows that they were written."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
        )
        for path in folder.glob("*/*")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / NAME


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for at in range(12):
            image = rng.integers(0, 255, (20 + at, 24, 3), np.uint8)
            iio.imwrite(tmp_path / "images" / name / f"{at}.png", image)
    return tmp_path / "images"


def test_everything_comes_back(assert_equal, proposed_state, folder):
    save_session(proposed_state, folder)
    assert_equal(proposed_state, load_session(folder))


def test_a_session_without_a_network_comes_back(assert_equal, small_digits, folder):
    state = new_session(small_digits, seed=4).state
    save_session(state, folder)
    assert_equal(state, load_session(folder))


def test_edits_done_and_undone_come_back(assert_equal, trained_session, pin, folder):
    trained_session.apply(pin(trained_session))
    trained_session.apply(pin(trained_session, 5, 2))
    trained_session.undo()
    save_session(trained_session.state, folder)
    state = load_session(folder)
    assert_equal(trained_session.state.log, state.log)
    again = Session(state)
    again.redo()
    assert again.edits.edited.sum() == 7


def test_soft_labels_come_back(assert_equal, small_digits, trained_state, pin, folder):
    soft = np.zeros((len(small_digits), 10), np.float32)
    soft[3, :2] = 0.75, 0.25
    dataset = replace(small_digits, soft_labels=soft)
    start = replace(trained_state.checkpoint, soft_labels=soft)
    session = Session(replace(trained_state, dataset=dataset, checkpoint=start))
    at = pin(session).indices
    session.apply(Pin(at, "3", {"5": 0.25, "scribble": 0.25}))
    session.propose(run_job(session.retraining()))
    session.accept()
    assert session.shown.soft_labels[at[0]].max() == 0.5
    save_session(session.state, folder)
    assert_equal(session.state, load_session(folder))
    session.roll_back()
    assert_array_equal(session.shown.soft_labels, soft)
    session.undo()
    assert (
        session.edits.soft_labels is session.shown.soft_labels
        or (session.edits.soft_labels == soft).all()
    )


def test_a_session_from_before_soft_labels_has_none(
    assert_equal, proposed_state, folder
):
    save_session(proposed_state, folder)
    index = folder / "session.json"
    values = json.loads(index.read_text())
    past = values["rounds"][0]
    for part in (
        values["dataset"],
        values["checkpoint"],
        past["before"],
        past["after"],
    ):
        del part["soft_labels"]
    for arm in past["evidence"]["arms"].values():
        del arm["log_loss"], arm["calibration"]
    index.write_text(json.dumps(values))
    state = load_session(folder)
    assert_equal(proposed_state.checkpoint, state.checkpoint)
    assert state.rounds[0].evidence.arms["after"].log_loss is None


def test_answers_come_back(assert_equal, trained_session, folder):
    for answer in (
        Answer(ProposalKind.GROUP, np.array([3, 1, 2]), False),
        Answer(ProposalKind.MISLABELLED, np.array([7]), True, (0.1, 1 / 3, 1.0)),
    ):
        trained_session.answer(answer)
    save_session(trained_session.state, folder)
    assert_equal(trained_session.state, load_session(folder))
    values = json.loads((folder / "session.json").read_text())
    ids = trained_session.dataset.ids
    assert values["answers"][0]["images"] == [ids[3], ids[1], ids[2]]


def test_a_session_from_before_answers_were_kept_has_none(
    assert_equal, trained_state, folder
):
    save_session(trained_state, folder)
    index = folder / "session.json"
    values = json.loads(index.read_text())
    del values["answers"]
    index.write_text(json.dumps(values | {"version": 1}))
    assert_equal(trained_state, load_session(folder))


def test_what_came_back_goes_on_as_before(proposed_state, folder):
    save_session(proposed_state, folder)
    session = Session(load_session(folder))
    session.accept()
    assert run_job(session.guiding())
    session.roll_back()
    assert session.edits.edited.sum() == 9


def test_a_round_from_disk_gives_the_same_weights(proposed_state, folder):
    save_session(proposed_state, folder)
    session = Session(load_session(folder))
    past = session.state.rounds[-1]
    session.roll_back()
    session.set_retrain_settings(past.settings)
    mapped = run_job(session.retraining())
    for name, values in past.after.network.state.items():
        assert_array_equal(mapped.result.state[name], values, err_msg=name)
    assert_array_equal(mapped.result.losses, past.losses)
    assert_array_equal(mapped.map.coordinates, past.after.map.coordinates)


def test_pixels_in_memory_are_kept_and_those_in_files_stay_there(
    assert_equal, image_folder, small_digits, tmp_path
):
    for dataset, kind in (
        (small_digits, StoredPixels),
        (run_job(OpenDataset(image_folder)), FilePixels),
    ):
        state = new_session(dataset).state
        target = tmp_path / f"{dataset.name}.spaceediting"
        save_session(state, target)
        back = load_session(target)
        assert isinstance(back.dataset.pixels, kind)
        assert_equal(state, back)


def test_a_session_moves_with_its_images(image_folder, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    shutil.move(image_folder, here / "images")
    dataset = run_job(OpenDataset(here / "images"))
    expected = dataset.images(np.arange(24))
    save_session(new_session(dataset).state, here / NAME)
    shutil.move(here, there)
    back = load_session(there / NAME).dataset
    assert_array_equal(back.images(np.arange(24)), expected)


def test_a_session_with_its_pixels_can_be_moved_alone(
    assert_equal, trained_state, tmp_path, folder
):
    save_session(trained_state, folder)
    moved = tmp_path / "elsewhere" / "two.spaceediting"
    moved.parent.mkdir()
    folder.rename(moved)
    assert_equal(trained_state, load_session(moved))


def test_a_copy_under_another_name_stands_alone(
    assert_equal, trained_state, tmp_path, folder
):
    save_session(trained_state, folder)
    other = tmp_path / "two.spaceediting"
    save_session(load_session(folder), other)
    shutil.rmtree(folder)
    assert_equal(trained_state, load_session(other))


def test_a_part_of_a_stored_session_stands_alone(trained_state, tmp_path, folder):
    save_session(trained_state, folder)
    part = load_session(folder).dataset.subset(np.arange(0, 300, 3))
    expected = part.images(np.arange(100))
    # Over the session that it comes from, whose own pixels are then garbage.
    for target in (tmp_path / "two.spaceediting", folder):
        save_session(new_session(part).state, target)
    shutil.rmtree(folder)
    back = load_session(tmp_path / "two.spaceediting").dataset
    assert_array_equal(back.images(np.arange(100)), expected)


def crops(image):
    """Return nine objects of three sizes."""
    objects = np.zeros((60, 60), np.int32)
    for number, (top, size) in enumerate(((0, 5), (15, 9), (30, 14)), 1):
        for left in (0, 20, 40):
            objects[top : top + size, left : left + size] = 10 * number + left
    return run_job(OpenLayers(partial(find_objects, image, objects, name="cells")))


NOISE = np.random.default_rng(0).random((60, 60))


@pytest.mark.parametrize(
    "image",
    [
        (NOISE * 255).astype(np.uint8),
        (NOISE * 3000 - 1024).astype(np.int16),
        NOISE.astype(np.float32) * 4 - 2,
        NOISE > 0.8,
        np.dstack([NOISE, NOISE**2, -NOISE]),
    ],
    ids=["uint8", "int16", "float", "bool", "channels"],
)
def test_crops_of_different_sizes_come_back_bit_for_bit(folder, tmp_path, image):
    dataset = crops(image)
    at = np.arange(len(dataset))
    expected, tiles = dataset.images(at), dataset.thumbnails(at, 16)
    save_session(new_session(dataset).state, folder)
    save_session(load_session(folder), folder)
    back = load_session(folder).dataset
    for again in (back, pickle.loads(pickle.dumps(back))):
        assert_array_equal(again.images(at), expected)
        assert_array_equal(again.thumbnails(at, 16), tiles)
        for index in at:
            assert_array_equal(again.original(index), dataset.original(index))
            assert again.pixels.header(index) == dataset.pixels.header(index)
    save_session(
        new_session(back.subset(at[1:4])).state, tmp_path / "part.spaceediting"
    )
    shutil.rmtree(folder)
    part = load_session(tmp_path / "part.spaceediting").dataset
    assert_array_equal(part.images([0, 1, 2]), expected[1:4])


def test_crops_that_are_fewer_than_said_are_told(folder):
    save_session(new_session(crops(NOISE)).state, folder)
    index = json.loads((folder / "session.json").read_text())
    pixels = index["dataset"]["pixels"]
    pixels["sizes"] = Store(folder).put(np.ones((9, 2), np.int64))
    (folder / "session.json").write_text(json.dumps(index))
    with pytest.raises(SessionError, match="images that it says"):
        load_session(folder)


def test_columns_of_objects_are_saved_as_text(small_digits, folder):
    notes = np.array([f"note {n}" for n in range(300)], dtype=object)
    dataset = replace(small_digits, columns={"notes": notes})
    save_session(new_session(dataset).state, folder)
    found = load_session(folder).dataset.columns["notes"]
    assert found.tolist() == notes.tolist()


def test_large_arrays_are_not_read_at_once(small_digits, folder):
    wide = np.zeros(300, "U2000")
    dataset = replace(small_digits, columns={"wide": wide})
    save_session(new_session(dataset).state, folder)
    assert isinstance(load_session(folder).dataset.columns["wide"], np.memmap)


def test_saving_again_writes_nothing_new(proposed_state, folder):
    save_session(proposed_state, folder)
    before = files(folder)
    save_session(proposed_state, folder)
    assert files(folder) == before
    save_session(load_session(folder), folder)
    assert files(folder) == before


def test_what_is_no_longer_needed_is_deleted(
    assert_equal, proposed_state, trained_state, folder
):
    save_session(proposed_state, folder)
    many = files(folder)
    (folder / "arrays" / "0123456789abcdef.part").write_bytes(b"left behind")
    save_session(trained_state, folder)
    few = files(folder)
    assert few.keys() < many.keys()
    assert all(many[name] == when for name, when in few.items())
    assert_equal(trained_state, load_session(folder))


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_at_any_step_leaves_the_last_good_state(
    assert_equal, trained_state, proposed_state, tmp_path, monkeypatch, call
):
    saved = tmp_path / NAME
    save_session(trained_state, saved)
    working = getattr(os, call)
    done = 0

    def save_with_room_for(calls: float, folder: Path) -> None:
        nonlocal done
        done = 0

        def fail(*arguments, **options):
            nonlocal done
            done += 1
            if done > calls:
                raise OSError(errno.ENOSPC, "No space left on device")
            return working(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            save_session(proposed_state, folder)

    new = tmp_path / "probe.spaceediting"
    shutil.copytree(saved, new)
    save_with_room_for(math.inf, new)
    # Who holds it, a file for each of these, and the index.
    fresh = files(new).keys() - files(saved).keys()
    assert {Path(name).parent.name for name in fresh} == {*SHELVES}
    steps = len(fresh) + 2
    # The names of files are put on disk too, where the system knows how to.
    names = len(SHELVES) + 1 if call == "fsync" and sys.platform != "win32" else 0
    assert done == steps + names
    # When the last names are put there, it is saved.
    for calls in range(done - bool(names)):
        folder = tmp_path / f"{calls}.spaceediting"
        shutil.copytree(saved, folder)
        with pytest.raises(SessionError, match="disk is full") as caught:
            save_with_room_for(calls, folder)
        assert "\n" not in str(caught.value)
        assert_equal(trained_state, load_session(folder))
        assert not list(folder.rglob("*.part")), "room is given back"
        # With room again, the same folder takes the new state.
        save_session(proposed_state, folder)
        assert_equal(proposed_state, load_session(folder))


def test_a_folder_that_cannot_be_written_is_named(trained_state, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SessionError, match="could not be saved"):
        save_session(trained_state, tmp_path / "file" / NAME)


def test_a_file_that_cannot_be_deleted_does_not_fail_the_saving(
    assert_equal, proposed_state, trained_state, folder, monkeypatch
):
    def refuse(self, missing_ok=False):
        raise PermissionError(errno.EACCES, "in use")

    save_session(proposed_state, folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        save_session(trained_state, folder)
    assert_equal(trained_state, load_session(folder))


def refused(folder: Path, words: str) -> None:
    with pytest.raises(SessionError, match=words) as caught:
        load_session(folder)
    assert "\n" not in str(caught.value)


def test_what_is_no_session_is_refused(tmp_path):
    refused(tmp_path / "nothing.spaceediting", "not a saved session")
    refused(tmp_path, "not a saved session")


def test_a_session_of_a_newer_version_is_refused(trained_state, folder):
    save_session(trained_state, folder)
    values = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps(values | {"version": VERSION + 1}))
    refused(folder, "newer version.*update")


Damage = Callable[[Path], object]


def _first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def _change(**values: Any) -> Damage:
    def damage(folder: Path) -> None:
        index = folder / "session.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | values))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "session.json").write_text('{"version": 1, '),
        lambda f: (f / "session.json").write_bytes(b"\xff\xfe\x00"),
        lambda f: (f / "session.json").write_text("[]"),
        lambda f: (f / "session.json").write_text("{}"),
        _change(rounds=5),
        _change(answers=5),
        _change(answers=[{"kind": "group", "images": ["nowhere"]}]),
        _change(checkpoint={}),
        _change(dataset=[]),
        _change(version="one"),
        _change(version=0),
        _change(version=None),
        lambda f: _first(f, "arrays/*").unlink(),
        lambda f: _first(f, "arrays/*").write_bytes(b""),
        lambda f: [p.write_bytes(p.read_bytes()[:100]) for p in f.glob("arrays/*")],
        lambda f: _first(f, "weights/*").write_bytes(b"damaged"),
        lambda f: _first(f, "weights/*").unlink(),
    ],
)
def test_a_damaged_session_is_refused(trained_state, folder, damage: Damage):
    save_session(trained_state, folder)
    damage(folder)
    refused(folder, "damaged.*copy")


class Trap:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.putenv, ("SPACEEDITING_TRAP", "sprung"))


def test_nothing_is_unpickled(trained_state, folder, monkeypatch):
    monkeypatch.delenv("SPACEEDITING_TRAP", raising=False)
    save_session(trained_state, folder)
    pickled = np.array([Trap()] * 300, dtype=object)
    for path in folder.glob("arrays/*"):
        np.save(path, pickled, allow_pickle=True)
    refused(folder, "damaged")
    for path in folder.glob("arrays/*"):
        path.write_bytes(pickle.dumps(Trap()))
    refused(folder, "damaged")
    assert "SPACEEDITING_TRAP" not in os.environ


def test_the_index_is_readable_by_people(proposed_state, folder):
    save_session(proposed_state, folder)
    values = json.loads((folder / "session.json").read_text())
    assert values["rounds"][0]["status"] == RoundStatus.PROPOSED.value
    first = values["rounds"][0]["edits"][0]
    assert first["kind"] == "pin"
    assert first["images"][0] in proposed_state.dataset.ids


def test_a_whole_state_is_what_is_compared(assert_equal, trained_state, proposed_state):
    """Guard the comparison that the tests above lean on."""
    with pytest.raises(AssertionError):
        assert_equal(trained_state, proposed_state)
    other: SessionState = replace(trained_state, seed=1)
    with pytest.raises(AssertionError):
        assert_equal(trained_state, other)


def test_weights_of_every_shape_come_back(trained_state, tmp_path):
    network = trained_state.checkpoint.network
    # A batch norm counts its batches in a number without axes.
    odd = {"count": np.array(3), "turned": np.arange(6.0).reshape(2, 3).T}
    network = replace(network, state={**network.state, **odd})
    checkpoint = replace(trained_state.checkpoint, network=network)
    save_session(replace(trained_state, checkpoint=checkpoint), tmp_path / "a")
    found = load_session(tmp_path / "a").checkpoint.network.state
    for name, weights in odd.items():
        assert found[name].shape == weights.shape
        assert_array_equal(found[name], weights)
