"""What only an older round needs may be damaged: the session opens without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.history import stages
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session


@pytest.fixture(scope="module")
def accepted(proposed_state, tmp_path_factory) -> tuple[Path, SessionState]:
    """Return a session that went on from its only round, and its folder."""
    session = Session(proposed_state)
    session.accept()
    folder = tmp_path_factory.mktemp("accepted") / "one.spaceediting"
    save_session(session.state, folder)
    return folder, session.state


@pytest.fixture
def folder(accepted, tmp_path: Path) -> Path:
    return shutil.copytree(accepted[0], tmp_path / "one.spaceediting")


def file_of(folder: Path, *names: str) -> Path:
    """Return the file that the index names at a place of the first round."""
    key: Any = json.loads((folder / "session.json").read_text())["rounds"][0]
    for name in names:
        key = key[name]
    key, _, is_together = key.partition("/")
    if is_together:
        return folder / "checkpoints" / f"{key}.safetensors"
    if names[-1] == "weights":
        return folder / "weights" / f"{key}.safetensors"
    return folder / "arrays" / f"{key}.npy"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


Damage = Callable[[Path], object]


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, turn_into_a_folder])
@pytest.mark.parametrize("part", [("map", "coordinates"), ("network", "latents")])
def test_a_damaged_array_of_an_older_round_closes_that_round_alone(
    assert_equal, accepted, folder, part, damage: Damage
):
    state = accepted[1]
    path = file_of(folder, "before", *part)
    whole = path.read_bytes()
    damage(path)
    told: list[str] = []
    with SessionFolder.open(folder) as place:
        session = Session(place.load(told.append))
        for name in ("dataset", "checkpoint", "log"):
            assert_equal(getattr(state, name), getattr(session.state, name))
        (past,) = session.state.rounds
        assert len(told) == 1
        assert told[0].startswith(f"Round 1 is damaged (checkpoints/{path.name}")
        assert past.damage in told[0]
        assert past.evidence.verdict() == state.rounds[0].evidence.verdict()
        assert [stage.name for stage in stages(session.state)] == ["Round 1"]
        with pytest.raises(SessionError, match=r"what was before it is damaged.*copy"):
            session.roll_back()
        assert session.shown is session.state.checkpoint
        # It goes on, and forgets nothing of what a copy could bring back.
        session.apply(past.edits[0])
        place.save(session.state)
        elsewhere = folder.with_name("two")
        save_session(session.state, elsewhere)
    for saved in (folder, elsewhere):
        assert load_session(saved, [].append).rounds[0].damage
        back = saved / "checkpoints" / path.name
        if back.is_dir():
            back.rmdir()
        back.write_bytes(whole)
        session = Session(load_session(saved))
        session.undo()
        session.roll_back()
        assert_equal(state.rounds[0].before, session.shown)


def test_missing_weights_of_an_older_round_close_that_round_alone(folder):
    path = file_of(folder, "before", "network", "weights")
    whole = path.read_bytes()
    path.unlink()
    told: list[str] = []
    with SessionFolder.open(folder) as place:
        session = Session(place.load(told.append))
        assert f"weights/{path.name} is missing" in told[0]
        with pytest.raises(SessionError, match="is damaged"):
            session.roll_back()
        place.save(session.state)
    path.write_bytes(whole)
    session = Session(load_session(folder))
    session.roll_back()
    assert len(session.shown.network.state)


def test_weights_that_turn_out_to_be_damaged_are_not_gone_back_to(folder):
    flip(file_of(folder, "before", "network", "weights"))
    session = Session(load_session(folder))
    before = session.state
    with pytest.raises(SessionError, match="is not what was written"):
        session.roll_back()
    assert session.state is before


def test_damaged_losses_are_left_out(folder):
    file_of(folder, "losses").unlink()
    told: list[str] = []
    session = Session(load_session(folder, told.append))
    assert len(told) == 1
    assert told[0].startswith("The losses of round 1 are left out")
    session.roll_back()


@pytest.mark.parametrize("part", [("map", "coordinates"), ("network", "weights")])
def test_what_is_shown_must_be_whole(proposed_state, folder, part):
    path = file_of(folder, "after", *part)
    path.unlink()
    with pytest.raises(SessionError, match=f"{path.name} is missing"):
        load_session(folder)
    # A round that awaits a decision can be accepted and rolled back.
    save_session(proposed_state, folder.with_name("two"))
    for end in ("before", "after"):
        other = shutil.copytree(folder.with_name("two"), folder.with_name(end))
        path = file_of(other, end, *part)
        path.unlink()
        with pytest.raises(SessionError, match=f"{path.name} is missing"):
            load_session(other)


def test_images_join_a_session_whose_older_round_is_damaged(folder, tmp_path):
    file_of(folder, "before", "map", "coordinates").unlink()
    rng = np.random.default_rng(0)
    np.save(tmp_path / "more.npy", rng.integers(0, 255, (3, 28, 28), np.uint8))
    session = Session(load_session(folder, [].append))

    session.take_images(run_job(session.adding(tmp_path / "more.npy")))
    assert session.state.rounds[0].damage
    assert session.shown.map.coordinates.shape == (303, 2)
    save_session(session.state, folder)
    state = load_session(folder, [].append)
    assert state.rounds[0].damage
    assert len(state.dataset) == 303
