"""What a session holds in memory does not grow with its rounds."""

from __future__ import annotations

import gc
import pickle
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting.editing.edits import EditLog
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.history import compare, scores, stages
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import RoundStatus, SessionState
from napari_spaceediting.session.weights import Weights

Seen = dict[int, np.ndarray[Any, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "one.spaceediting"


def with_rounds(state: SessionState, n: int) -> SessionState:
    """Return a session that went through so many rounds, each with its own arrays."""
    (first,) = state.rounds
    ends, rounds = [first.before], []
    for number in range(1, n + 1):
        end, by = first.after, np.float32(number)
        drawn, network = end.map, end.network
        own = {name: values + by for name, values in network.state.items()}
        ends.append(
            replace(
                end,
                labels=end.labels.copy(),
                network=replace(
                    network,
                    state=Weights(own),
                    predictions=replace(
                        network.predictions, latents=network.predictions.latents + by
                    ),
                ),
                map=replace(drawn, coordinates=drawn.coordinates + by),
            )
        )
        status = RoundStatus.ACCEPTED
        rounds.append(replace(first, before=ends[-2], after=ends[-1], status=status))
    return replace(state, checkpoint=ends[-1], log=EditLog(), rounds=tuple(rounds))


def held(*owners: object) -> int:
    """Return the bytes of all arrays that are reached from somewhere."""
    apart = type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType
    seen: set[int] = set()
    arrays: Seen = {}
    waiting = list(owners)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, apart):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            arrays[id(one)] = one
        waiting.extend(gc.get_referents(one))
    return sum(array.nbytes for array in arrays.values())


def of_rounds(state: SessionState) -> int:
    """Return the bytes of what each round keeps: its edits and its evidence."""
    return held(*((past.edits, past.evidence, past.losses) for past in state.rounds))


@pytest.mark.parametrize("is_opened", [False, True])
def test_no_more_is_held_after_many_rounds_than_after_few(
    proposed_state, folder, is_opened
):
    found = []
    for n in (2, 12):
        state = with_rounds(proposed_state, n)
        with SessionFolder.new(folder, replaces=True) as place:
            place.save(state)
            whole = held(state, place)
            place.let_go()
        if is_opened:
            place = SessionFolder.open(folder, is_read_only=True)
            state = place.load()
        assert held(state, place) < whole
        found.append(held(state, place) - of_rounds(state))
        place.close()
    few, many = found
    assert few == many


def test_what_is_let_go_of_is_read_from_its_file(assert_equal, proposed_state, folder):
    whole, state = (with_rounds(proposed_state, 3) for _ in range(2))
    with SessionFolder.new(folder) as place:
        place.save(state)
        place.let_go()
        assert "labels" not in vars(state.rounds[0].after)
        assert "latents" not in vars(state.rounds[0].after.network.predictions)
        assert_equal(whole, state)
        sent = pickle.loads(pickle.dumps(state.rounds[0].after.network.predictions))
        assert "latents" in vars(sent)
        names = {path.name for path in folder.glob("checkpoints/*")}
        assert len(names) == 4
        place.save(state)
        assert {path.name for path in folder.glob("checkpoints/*")} == names
        # The folder may go, for what is open is still there.
        for path in folder.glob("checkpoints/*"):
            path.unlink()
        assert_equal(whole, state)
        place.save(state)
        assert {path.name for path in folder.glob("checkpoints/*")} == names
    assert_equal(whole, state)


def test_what_is_shown_stays_in_memory_with_all_that_it_shares(proposed_state, folder):
    state = with_rounds(proposed_state, 2)
    redrawn = replace(state.checkpoint, map=replace(state.checkpoint.map))
    state = replace(state, checkpoint=redrawn)
    with SessionFolder.new(folder) as place:
        place.save(state)
        place.let_go()
    shown, last = state.shown, state.rounds[-1].after
    assert last.network is shown.network
    for part, name in (
        (shown, "labels"),
        (shown.network, "margins"),
        (shown.network.predictions, "latents"),
        (shown.map, "coordinates"),
    ):
        assert name in vars(part)
    assert "coordinates" not in vars(last.map)


def test_old_rounds_are_compared_and_gone_back_to(assert_equal, proposed_state, folder):
    whole = with_rounds(proposed_state, 3)
    with SessionFolder.new(folder) as place:
        place.save(whole)
        session = Session(place.load())
        state = session.state
        over, others = stages(state), stages(whole)
        assert [stage.name for stage in over] == [stage.name for stage in others]
        assert_equal(*(tuple(scores(whole.dataset, each)) for each in (others, over)))
        assert_equal(
            compare(whole.dataset, others[0], others[2]),
            compare(state.dataset, over[0], over[2]),
        )
        for number in (2, 1, 0):
            session.roll_back()
            before = whole.rounds[number].before
            assert session.shown is state.rounds[number].before
            assert_equal(before, session.shown)
            assert "latents" in vars(session.shown.network.predictions)
            for _ in range(len(session.state.log.done)):
                session.undo()
        place.save(session.state)
        assert_equal(session.state, place.load())


def test_a_file_that_turns_out_to_be_damaged_is_told(proposed_state, folder):
    with SessionFolder.new(folder) as place:
        place.save(with_rounds(proposed_state, 2))
        session = Session(place.load())
        before = session.state
        file = before.rounds[-1].before
        # As if it were read for the first time.
        place._store.checkpoints.sound.clear()
        for path in folder.glob("checkpoints/*"):
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
        with pytest.raises(SessionError, match=r"checkpoints/.* is not what was writ"):
            _ = file.labels
        with pytest.raises(SessionError, match="restore it from a copy"):
            session.roll_back()
        assert session.state is before
