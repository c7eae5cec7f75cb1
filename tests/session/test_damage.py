"""Files of a session that are changed at random: told in one line, or no harm."""

from __future__ import annotations

import copy
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.session.storage import load_session, save_session

VALUES: list[Any] = [
    None, True, -1, 10**30, 0.5, float("inf"), float("nan"), "", "\ud800", "../x",
    "f" * 32, [], {}, [[]], [None], ["a", "a"], {"a": 1},
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(proposed_state, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "one.spaceediting"
    save_session(proposed_state, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "one.spaceediting")


def opens(folder: Path) -> Any:
    """Return what opens, or None where it is refused in one line."""
    state, told = None, ""
    try:
        state = load_session(folder, [].append)
    except SpaceEditingError as error:
        told = str(error)
    assert "\n" not in told
    return state


def places(values: Any) -> list[tuple[Any, Any]]:
    """Return what there is at all depths, as what it is in and its key."""
    keys = values if isinstance(values, dict) else range(len(values))
    found = [(values, key) for key in keys]
    for key in keys:
        if isinstance(values[key], (dict, list)):
            found += places(values[key])
    return found


@pytest.mark.parametrize("seed", range(3))
def test_any_value_may_be_any_other(folder, seed):
    rng = np.random.default_rng(seed)
    index = folder / "session.json"
    values = json.loads(index.read_text())
    for _ in range(20):
        changed = copy.deepcopy(values)
        every = places(changed)
        within, key = every[rng.integers(len(every))]
        if rng.random() < 0.2:
            del within[key]
        else:
            within[key] = VALUES[rng.integers(len(VALUES))]
        index.write_text(json.dumps(changed).replace("Infinity", "1e400"))
        opens(folder)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_are_found(assert_equal, folder, proposed_state, seed):
    rng = np.random.default_rng(seed)
    files = sorted([*folder.glob("arrays/*"), *folder.glob("weights/*")])
    for _ in range(15):
        path = files[rng.integers(len(files))]
        data = path.read_bytes()
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        state = opens(folder)
        if state is not None:
            # Weights are read when they are asked for.
            with suppress(SpaceEditingError):
                assert_equal(proposed_state, state)
        path.write_bytes(data)
    assert_equal(proposed_state, opens(folder))


def test_a_head_of_an_array_that_never_ends_is_told(folder):
    path = max(folder.glob("arrays/*"), key=lambda path: path.stat().st_size)
    data = path.read_bytes()
    assert data[10:11] == b"{"
    path.write_bytes(data[:10] + b"(" + data[11:])
    assert opens(folder) is None
