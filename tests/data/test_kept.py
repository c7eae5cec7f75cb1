"""Rows in a file of the cache: what was not put there whole is not believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from napari_spaceediting.data import kept as module
from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.kept import KeptRows
from napari_spaceediting.data.open import OpenLayers
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import finish, run_job

N = 50
DATASET = run_job(OpenLayers(partial(find_in_stack, np.zeros((N, 4, 4), np.uint8))))
ROWS = np.random.default_rng(0).random((N, 3, 5), np.float32)
EVERY = np.arange(N)
LIMIT = 1 << 30
NAME = f"{0:032x}.npy"


@pytest.fixture(autouse=True)
def _another_process(monkeypatch):
    monkeypatch.setattr(module, "_checked", {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows" / NAME


def kept(path: Path, dtype: type = np.float32) -> KeptRows:
    return KeptRows(DATASET, lambda _: path, (3, 5), dtype)


def filled(path: Path, at: np.ndarray = EVERY) -> KeptRows:
    rows = kept(path)
    rows.begin(LIMIT, "rows")
    rows.put(at, ROWS[at])
    return rows


def anew(path: Path) -> KeptRows:
    """Open a file as another process does."""
    module._checked.clear()
    return kept(path)


def test_what_was_put_there_is_found_and_the_rest_is_missing(path):
    at = np.array([3, 4, 5, 9, 40])
    filled(path, at)
    rows = anew(path)
    assert_array_equal(finish(rows.missing()), np.delete(np.arange(N), at))
    found, is_right = rows.take(np.array([9, 8, 40, 9]))
    assert is_right.tolist() == [True, False, True, True]
    assert_array_equal(found[is_right], ROWS[[9, 40, 9]])
    rest = finish(rows.missing())
    rows.put(rest, ROWS[rest])
    assert_array_equal(anew(path).array(), ROWS)
    assert_array_equal(np.load(path), ROWS)
    with pytest.raises(ValueError, match="read-only"):
        rows.array()[0] = 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(damage=st.data())
def test_no_damage_is_believed(path, damage):
    path.unlink(missing_ok=True)
    filled(path, np.arange(0, N, 2))
    content = bytearray(path.read_bytes())
    start = damage.draw(st.integers(0, len(content) - 1))
    content[start : start + damage.draw(st.integers(1, 300))] = damage.draw(
        st.binary(max_size=300)
    )
    path.write_bytes(content)
    rows = anew(path)
    rows.begin(LIMIT, "rows")
    missing = finish(rows.missing())
    believed = np.setdiff1d(np.arange(N), missing)
    found, is_right = rows.take(np.arange(N))
    assert_array_equal(np.flatnonzero(is_right), believed)
    assert_array_equal(found[believed], ROWS[believed])
    rows.put(missing, ROWS[missing])
    assert_array_equal(anew(path).array(), ROWS)
    assert len(finish(anew(path).missing())) == 0


def test_a_row_in_the_place_of_another_is_not_believed(path):
    filled(path)
    content = bytearray(path.read_bytes())
    size = ROWS[0].nbytes
    content[128 : 128 + size] = content[128 + size : 128 + 2 * size]
    marks = len(content) - module._ID_BYTES - 4 * N
    content[marks : marks + 4] = content[marks + 4 : marks + 8]
    path.write_bytes(content)
    assert finish(anew(path).missing()).tolist() == [0]


def objects(path: Path) -> None:
    np.save(path, np.array([{"a": 1}] * N, object))


def another_shape(path: Path) -> None:
    KeptRows(DATASET, lambda _: path, (5, 3), np.float32).begin(LIMIT, "rows")


def another_type(path: Path) -> None:
    kept(path, np.int32).begin(LIMIT, "rows")


def nothing(path: Path) -> None:
    path.touch()


def pipe(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("has no such pipes")
    os.mkfifo(path)


@pytest.mark.parametrize("plant", [objects, another_shape, another_type, nothing, pipe])
def test_what_others_have_put_there_is_replaced(path, plant):
    path.parent.mkdir()
    plant(path)
    filled(path)
    assert_array_equal(anew(path).array(), ROWS)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_what_a_link_leads_to_is_neither_read_nor_written(path, tmp_path):
    treasure = tmp_path / "treasure.npy"
    filled(treasure)
    before = treasure.read_bytes()
    path.parent.mkdir()
    path.symlink_to(treasure)
    rows = anew(path)
    assert len(finish(rows.missing())) == N
    rows.begin(LIMIT, "rows")
    rows.put(np.arange(N), ROWS + 1)
    assert treasure.read_bytes() == before
    assert not path.is_symlink()


def test_writers_of_the_same_rows_do_not_harm_each_other(path):
    first = filled(path, np.arange(20))
    second = kept(path)
    second.begin(LIMIT, "rows")  # the file stays as it is
    assert_array_equal(finish(second.missing()), np.arange(20, N))
    second.put(np.arange(30, N), ROWS[30:])
    first.put(np.arange(20, 40), ROWS[20:40])
    assert_array_equal(first.array(), ROWS)
    assert_array_equal(second.array(), ROWS)
    assert len(finish(anew(path).missing())) == 0


def test_a_file_that_is_replaced_or_deleted_stays_with_who_has_it_open(path):
    rows = filled(path, np.arange(20))
    path.unlink()
    filled(path, np.arange(30, N))
    rows.put(np.arange(20, N), ROWS[20:])
    assert_array_equal(rows.array(), ROWS)
    assert_array_equal(finish(anew(path).missing()), np.arange(30))


KILLED = """
import sys, itertools
import numpy as np
sys.path.insert(0, {folder!r})
from test_kept import DATASET, ROWS, LIMIT, filled
from pathlib import Path
rows = filled(Path({path!r}), np.arange(1))
print("begun", flush=True)
for index in itertools.cycle(range(1, 50)):
    rows.put(np.array([index]), ROWS[[index]])
"""


def test_a_killed_writer_leaves_what_can_be_gone_on_with(path):
    folder = str(Path(__file__).parent)
    code = KILLED.format(folder=folder, path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    process.stdout.close()
    rows = anew(path)
    assert rows.n_recorded > 0
    missing = finish(rows.missing())
    rows.put(missing, ROWS[missing])
    assert_array_equal(anew(path).array(), ROWS)
    assert [each.name for each in path.parent.iterdir()] == [NAME]


def test_only_own_files_are_deleted_to_make_room(path):
    path.parent.mkdir()
    others = [path.with_name(name) for name in ("thesis.npy", "0.npy", "notes.txt")]
    folder = path.with_name(f"{3:032x}.npy")
    for other in others:
        other.write_bytes(bytes(1000))
    folder.mkdir()
    ours = path.with_name(f"{1:032x}.npy"), path.with_name(f"{2:024x}-64.npy")
    for each in ours:
        filled(each)
    kept(path).begin(1, "rows")
    assert all(other.exists() for other in (*others, folder))
    assert not any(each.exists() for each in ours)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_a_full_disk_is_a_sentence(path, monkeypatch):
    rows = filled(path, np.arange(3))
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(rows, "_file", full)
        with pytest.raises(SpaceEditingError, match=r"cannot be written .*free some"):
            rows.put(np.arange(3, N), ROWS[3:])
        monkeypatch.undo()
    assert_array_equal(finish(anew(path).missing()), np.arange(3, N))
