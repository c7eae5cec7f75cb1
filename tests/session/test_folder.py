"""A session's folder that is copied, linked, moved and changed while it is open."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.store import SHELVES


@pytest.fixture
def folder(tmp_path: Path, trained_state) -> Path:
    (tmp_path / "here").mkdir()
    save_session(trained_state, tmp_path / "here" / "one.spaceediting")
    return tmp_path / "here" / "one.spaceediting"


@pytest.fixture
def later(trained_state) -> SessionState:
    """Return the same session after an edit."""
    return edited(trained_state)


def edited(state: SessionState, tag: str = "3") -> SessionState:
    session = Session(state)
    free = np.flatnonzero(~session.dataset.held_out & ~session.dataset.is_labelled)
    session.apply(Pin(free[:5], tag))
    return session.state


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


# Whatever its name is


@pytest.mark.parametrize(
    "name", ["b.backup", "x.spaceediting (copy)", "plain", "ü ñ.spaceediting"]
)
def test_a_copy_of_any_name_keeps_its_images(assert_equal, folder, name):
    copy = shutil.copytree(folder, folder.with_name(name))
    with SessionFolder.open(copy) as place:
        state = edited(place.load())
        place.save(state)
    before = names(folder)
    shutil.rmtree(folder)
    assert_equal(state, load_session(copy))
    assert names(copy) == before


def test_a_link_or_a_dot_is_the_folder_itself(assert_equal, folder, later, monkeypatch):
    current = folder.with_name("current")
    current.symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(folder)
    for path in (current, Path(), Path("..") / folder.name):
        with SessionFolder.open(path) as place:
            assert place.path == folder
            place.save(edited(place.load()))
    assert len(load_session(folder).log.done) == 3
    assert_equal(later.dataset, load_session(folder).dataset)


def test_pixels_that_lie_in_another_session_are_copied(assert_equal, folder):
    index = json.loads((folder / "session.json").read_text())
    path = folder / "arrays" / f"{index['dataset']['pixels']['stored']}.npy"
    dataset = run_job(OpenDataset(path))
    other = folder.with_name("other")
    save_session(new_session(dataset).state, other)
    expected = dataset.original(3)
    shutil.rmtree(folder)
    np.testing.assert_array_equal(load_session(other).dataset.original(3), expected)


def test_absolute_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("stack.npy", np.zeros((12, 8, 8), np.uint8))
    save_session(new_session(run_job(OpenDataset(Path("stack.npy")))).state, Path("a"))
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree("a", tmp_path / "elsewhere" / "b" / "c")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_session(Path("b/c")).dataset.original(3).shape == (8, 8)


# Changed by others while it is open


def test_what_others_have_saved_is_not_overwritten(assert_equal, folder, later):
    told: list[str] = []
    with SessionFolder.open(folder) as place:
        state = place.load()
        index = folder / "session.json"
        index.write_bytes(index.read_bytes() + b"\n")
        files = [index, *folder.glob("*/*")]
        theirs = [file.stat().st_mtime_ns for file in files]
        other = place.save(edited(state), told.append)
        assert [file.stat().st_mtime_ns for file in files] == theirs
        assert place.path == folder
        with pytest.raises(SessionError, match="is closed"):
            place.save(edited(state))
    # It goes on there, and keeps others out of there.
    beside = other.path
    assert other.save(edited(edited(state), "5")) is other
    with pytest.raises(SessionError, match="is open in"):
        SessionFolder.open(beside)
    other.close()
    SessionFolder.open(folder).close()
    assert len(told) == 1
    assert folder.name in told[0]
    assert beside.name in told[0]
    assert beside.name.startswith("one (conflict 2")
    assert len(load_session(beside).log.done) == 2
    assert_equal(state.checkpoint, load_session(folder).checkpoint)


def test_an_index_that_was_deleted_is_not_made_anew(folder, later):
    with SessionFolder.open(folder) as place:
        place.load()
        (folder / "session.json").unlink()
        before = names(folder)
        with place.save(later, [].append) as other:
            pass
    assert names(folder) == before - {"session.holder.json"}
    assert len(load_session(other.path).log.done) == 1


def test_where_nothing_can_go_beside_it_that_is_said(folder, later, monkeypatch):
    with SessionFolder.open(folder) as place:
        place.load()
        (folder / "session.json").write_text("{}")

        def refuse(self: Path, *_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "mkdir", refuse)
            words = r"changed by another program.*save it elsewhere"
            with pytest.raises(SessionError, match=words):
                place.save(later)
    assert (folder / "session.json").read_text() == "{}"


def test_what_others_write_meanwhile_is_not_deleted(folder, trained_state, later):
    with SessionFolder.open(folder) as place:
        place.load()
        fresh = folder / "arrays" / f"{'ab' * 16}.npy"
        fresh.write_bytes(b"of somebody whose index is not there yet")
        place.save(later)
        assert fresh.exists()
    with SessionFolder.open(folder) as place:
        place.save(place.load())
    assert not fresh.exists(), "it was there before the opening, and nothing names it"


# What is deleted, and what is not


def test_only_names_of_our_own_pattern_are_deleted(folder, later):
    foreign = [
        "weights/best.pth",
        "weights/best.safetensors",
        "arrays/mine.npy",
        "arrays/thesis.txt",
        "arrays/left behind.npy.part",
        "notes.txt",
    ]
    ours = [f"arrays/{'0' * 32}.npy", f"weights/{'0' * 16}.part", f"{'1' * 16}.part"]
    for name in (*foreign, *ours):
        (folder / name).write_bytes(b"something")
    with SessionFolder.open(folder) as place:
        place.load()
        place.save(later)
    assert names(folder) >= set(foreign)
    assert not names(folder) & set(ours)


def test_a_folder_with_other_files_becomes_no_session(tmp_path, trained_state):
    place = tmp_path / "mine.spaceediting"
    (place / "weights").mkdir(parents=True)
    (place / "weights" / "best.pth").write_bytes(b"mine")
    for replaces in (True, False):
        with pytest.raises(SessionError, match=r"other files in it, such as best.pth"):
            SessionFolder.new(place, replaces=replaces)
    assert names(place) == {"weights", "weights/best.pth"}
    (place / "weights" / "best.pth").unlink()
    (place / "session.json").write_text('{"of": "another program"}')
    with pytest.raises(SessionError, match="none of a session"):
        save_session(trained_state, place)


def test_a_session_is_replaced_only_by_choice(
    assert_equal, folder, later, proposed_state
):
    with pytest.raises(SessionError, match="exists already"):
        SessionFolder.new(folder)
    with SessionFolder.new(folder, replaces=True):
        pass
    assert not load_session(folder).rounds, "nothing was saved"
    with SessionFolder.new(folder, replaces=True) as place:
        place.save(proposed_state)
    assert_equal(proposed_state, load_session(folder))


# Links


@pytest.mark.parametrize("name", SHELVES)
def test_a_linked_subfolder_is_refused(folder, name):
    mine = folder.parent / "mine"
    (folder / name).rename(mine)
    (mine / "thesis.txt").write_text("precious")
    (folder / name).symlink_to(mine, target_is_directory=True)
    before = names(mine)
    for open_it in (SessionFolder.open, load_session):
        with pytest.raises(SessionError, match=f"“{name}” in .* is a link") as caught:
            open_it(folder)
        assert "\n" not in str(caught.value)
    with pytest.raises(SessionError, match="is a link"):
        SessionFolder.new(folder, replaces=True)
    assert names(mine) == before


@pytest.mark.parametrize(
    "name", ["session.json", "session.lock", "session.holder.json"]
)
def test_a_linked_file_is_refused(folder, name):
    target = folder.parent / "target"
    shutil.copy(folder / "session.json", target)
    before = target.read_bytes()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)
    with pytest.raises(SessionError, match="is a link"):
        SessionFolder.open(folder)
    assert target.read_bytes() == before


def test_a_link_that_comes_later_is_not_followed(folder, later):
    mine = folder.parent / "mine"
    with SessionFolder.open(folder) as place:
        place.load()
        (folder / "arrays").rename(mine)
        (folder / "arrays").symlink_to(mine, target_is_directory=True)
        before = names(mine)
        array = np.arange(5.0, dtype=np.float32)
        columns = {**later.dataset.columns, "new": np.resize(array, 300)}
        other = replace(later, dataset=replace(later.dataset, columns=columns))
        with pytest.raises(SessionError, match=r"could not be saved .*link"):
            place.save(other)
    assert names(mine) == before


def test_nothing_is_written_through_a_link_in_the_place_of_a_file(folder, later):
    target = folder.parent / "target"
    target.write_bytes(b"mine")
    (folder / "session.json.part").symlink_to(target)
    with SessionFolder.open(folder) as place:
        place.load()
        place.save(later)
    assert target.read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(folder):
    for path in (folder / "arrays").iterdir():
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(SessionError, match="no plain file"):
        load_session(folder)


# Moved while it is open

Moving = Callable[[Path], Path]


def rename(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved.spaceediting"))


def move_all(folder: Path) -> Path:
    folder.parent.rename(folder.parent.with_name("there"))
    return folder.parent.with_name("there") / folder.name


@pytest.mark.skipif(os.name == "nt", reason="an open folder cannot be moved")
@pytest.mark.parametrize("moving", [rename, move_all])
def test_a_session_that_was_moved_is_saved_elsewhere_whole(
    assert_equal, proposed_state, folder, moving: Moving
):
    elsewhere = folder.parent.parent / "elsewhere.spaceediting"
    save_session(proposed_state, folder)
    with SessionFolder.open(folder) as place:
        session = Session(place.load())
        moved = moving(folder)
        before = names(moved)
        session.accept()
        with pytest.raises(SessionError, match=r"is gone: .*Save elsewhere"):
            place.save(session.state)
        assert not folder.exists(), "no stub"
        with SessionFolder.new(elsewhere) as other:
            other.save(session.state)
        assert_equal(session.state, load_session(elsewhere))
    assert names(moved) == before
    assert_equal(proposed_state, load_session(moved))


@pytest.mark.skipif(os.name == "nt", reason="an open folder cannot be moved")
def test_what_was_put_back_is_saved_to(folder, later):
    with SessionFolder.open(folder) as place:
        place.load()
        moved = rename(folder)
        moved.rename(folder)
        place.save(later)
        assert place.path == folder
    assert load_session(folder).log.done


@pytest.mark.skipif(os.name == "nt", reason="an open folder cannot be moved")
def test_another_session_in_its_place_is_left_alone(folder, later, proposed_state):
    with SessionFolder.open(folder) as place:
        place.load()
        rename(folder)
        save_session(proposed_state, folder)
        before = names(folder)
        with place.save(later, [].append) as other:
            assert other.path != folder
    assert names(folder) == before
    assert len(load_session(folder).rounds) == 1


# New ones


def test_what_was_opened_in_vain_leaves_nothing(tmp_path, later):
    with SessionFolder.new(tmp_path / "a" / "one.spaceediting"):
        pass
    assert not (tmp_path / "a" / "one.spaceediting").exists()


def test_a_killed_new_does_not_block_its_name(tmp_path, folder, later):
    left = tmp_path / "left.spaceediting"
    shutil.copytree(folder, left)
    (left / "session.json").unlink()
    (left / "0123456789abcdef.part").write_bytes(b"{")
    with pytest.raises(SessionError, match="not a saved session"):
        SessionFolder.open(left)
    with SessionFolder.new(left) as place:
        place.save(new_session(later.dataset).state)
    assert not list(left.glob("*.part"))
    assert not list((left / "weights").iterdir())
    assert load_session(left).seed == 0


def test_a_new_one_that_could_not_be_saved_leaves_nothing(tmp_path, later, monkeypatch):
    path = tmp_path / "one.spaceediting"

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with SessionFolder.new(path) as place:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SessionError, match="disk is full"):
            place.save(later)
    assert not path.exists()


def test_a_closed_one_is_not_saved_to(folder, later):
    place = SessionFolder.open(folder)
    place.close()
    place.close()
    with pytest.raises(SessionError, match="is closed: save elsewhere"):
        place.save(later)


def test_the_index_says_what_is_in_use(folder, later):
    with SessionFolder.open(folder) as place:
        place.save(edited(place.load()))
    index = json.loads((folder / "session.json").read_text())
    named = set(str(index).replace("'", " ").replace("/", " ").split())
    for path in (path for shelf in SHELVES for path in folder.glob(f"{shelf}/*")):
        assert path.stem in named
