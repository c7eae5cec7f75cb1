"""Weights that are read when they are asked for, and those that are not kept."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.history import stages
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Round, RoundStatus, SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.weights import StoredWeights, Weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "one.spaceediting"


@pytest.fixture
def rolled_back(proposed: Session) -> SessionState:
    proposed.roll_back()
    return proposed.state


def weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("weights/*"))


def test_a_network_of_a_round_that_was_rolled_back_keeps_no_weights(
    assert_equal, rolled_back, proposed_state, folder
):
    save_session(proposed_state, folder)
    assert len(weights(folder)) == 2
    with SessionFolder.open(folder) as place:
        session = Session(place.load())
        session.roll_back()
        place.save(session.state)
        assert len(weights(folder)) == 1
    state = load_session(folder)
    assert_equal(rolled_back, state)
    # What it did is still there to look at.
    (past,) = state.rounds
    assert past.evidence.verdict() == proposed_state.rounds[0].evidence.verdict()
    assert past.after.map.coordinates.shape == (300, 2)
    assert [stage.name for stage in stages(state)] == ["Start", "Round 1, rolled back"]
    with pytest.raises(SessionError, match="rolled back are not kept"):
        dict(past.after.network.state)
    # And the same edits lead there again.
    again = run_job(Session(state).retraining())
    before = proposed_state.rounds[0].after.network.predictions
    np.testing.assert_array_equal(again.result.predictions.latents, before.latents)


def test_it_can_be_saved_again_and_elsewhere(assert_equal, rolled_back, folder):
    save_session(rolled_back, folder)
    other = folder.with_name("two.spaceediting")
    for place in (folder, other):
        save_session(load_session(folder), place)
        assert_equal(rolled_back, load_session(place))
        assert len(weights(place)) == 1


def test_weights_in_memory_are_let_go_of_when_they_are_saved(
    assert_equal, proposed_state, trained_state, folder
):
    def copied(past: Round) -> Round:
        network = past.after.network
        own = replace(network, state=Weights(dict(network.state)))
        return replace(past, after=replace(past.after, network=own))

    (past,) = map(copied, proposed_state.rounds)
    state = replace(proposed_state, rounds=(past,))
    own = past.after.network.state
    with SessionFolder.new(folder) as place:
        place.save(state)
        assert isinstance(own.source, dict)
        place.let_go()
        assert isinstance(own.source, StoredWeights)
        before = own.source
        place.save(state)
        place.let_go()
        assert own.source.key == before.key
    assert_equal(proposed_state, state)
    assert pickle.loads(pickle.dumps(own)).keys() == own.keys()
    assert type(pickle.loads(pickle.dumps(own))) is dict


def test_weights_that_were_opened_survive_their_name(
    assert_equal, proposed_state, folder
):
    save_session(proposed_state, folder)
    state = load_session(folder)
    for path in weights(folder):
        path.unlink()
    assert_equal(proposed_state, state)
    with pytest.raises(SessionError, match=r"weights/.*safetensors is missing"):
        load_session(folder)


def test_a_flipped_bit_is_found_when_they_are_read(trained_state, folder):
    save_session(trained_state, folder)
    (path,) = weights(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    state = load_session(folder)
    with pytest.raises(SessionError, match=r"weights/.* is not what was written"):
        dict(state.checkpoint.network.state)


@pytest.fixture
def open_files() -> Callable[[], int]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system does not tell which files are open")

    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    return count


def test_many_rounds_hold_no_more_files_open_than_few(
    proposed_state, folder, open_files
):
    def state_after(n: int) -> SessionState:
        (past,) = proposed_state.rounds
        rounds = []
        for number in range(n):
            network = past.after.network
            own = {k: v + np.float32(number) for k, v in network.state.items()}
            after = replace(past.after, network=replace(network, state=Weights(own)))
            rounds.append(replace(past, after=after, status=RoundStatus.ACCEPTED))
        return replace(proposed_state, rounds=tuple(rounds))

    opened = []
    for n in (1, 40):
        before = open_files()
        with SessionFolder.new(folder, replaces=True) as place:
            place.save(state_after(n))
        state = load_session(folder)
        assert len(weights(folder)) == n + 1
        assert all(len(past.after.network.state) for past in state.rounds)
        opened.append(open_files() - before)
        del state
    few, many = opened
    assert many <= few
