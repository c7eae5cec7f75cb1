"""One program at a time writes into a session's folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from napari_spaceediting.errors import SessionBusy, SessionError
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.lock import HOLDER, holder_of
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session

HOLDING = """
import sys
from pathlib import Path
from napari_spaceediting.session.folder import SessionFolder
folder = SessionFolder.open(Path(sys.argv[1]), program="another program")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, small_digits) -> Path:
    save_session(new_session(small_digits).state, tmp_path / "one.spaceediting")
    return tmp_path / "one.spaceediting"


@pytest.fixture
def holding(folder: Path):
    """Return another process that has the session open for writing."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_holds_it(folder, holding):
    holder = holder_of(folder)
    assert holder.pid == holding.pid
    words = rf"one.spaceediting is open in another program on {holder.host} since \d\d:"
    with pytest.raises(SessionBusy, match=words) as caught:
        SessionFolder.open(folder)
    assert "\n" not in str(caught.value)
    for replaces in (True, False):
        with pytest.raises(SessionError):
            SessionFolder.new(folder, replaces=replaces)
    with SessionFolder.open(folder, is_read_only=True) as place:
        assert place.load().seed == 0


def test_a_killed_process_holds_nothing(folder, holding):
    holding.kill()
    holding.wait()
    assert holder_of(folder) is not None, "it could not clean up"
    with SessionFolder.open(folder) as place:
        place.save(place.load())


def test_who_waits_has_it_when_it_is_closed(folder, holding):
    found: list[SessionFolder] = []
    waiting = threading.Thread(
        target=lambda: found.append(SessionFolder.open(folder, waits=True))
    )
    waiting.start()
    assert not found
    holding.stdin.close()
    waiting.join(60)
    assert holder_of(folder).pid == os.getpid()
    found[0].close()
    assert holder_of(folder) is None


def test_two_windows_of_one_process_keep_each_other_out(folder):
    with SessionFolder.open(folder, program="napari"):
        with pytest.raises(SessionBusy, match="open in napari on"):
            SessionFolder.open(folder)
        with pytest.raises(SessionBusy):
            SessionFolder.open(folder.parent / "." / folder.name)
    SessionFolder.open(folder).close()


def test_it_may_be_closed_in_another_thread(folder):
    place = SessionFolder.open(folder)
    closing = threading.Thread(target=place.close)
    closing.start()
    closing.join()
    SessionFolder.open(folder).close()


def test_a_copy_is_not_held(folder):
    with SessionFolder.open(folder):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        with SessionFolder.open(copy) as place:
            place.save(place.load())
    assert load_session(copy).seed == 0


def test_a_link_to_it_is_the_same_session(folder):
    current = folder.with_name("current")
    current.symlink_to(folder, target_is_directory=True)
    with (
        SessionFolder.open(current) as place,
        pytest.raises(SessionBusy, match=r"one.spaceediting is open"),
    ):
        SessionFolder.open(folder)
    assert place.path == folder


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "\xff", json.dumps({"program": 3}),
     '{"program": "p", "host": "h", "pid": 1, "since": "when"}'],
)  # fmt: skip
def test_who_holds_it_may_be_unknown(folder, text):
    with SessionFolder.open(folder):
        (folder / HOLDER).write_text(text, encoding="latin-1")
        with pytest.raises(SessionBusy, match="open in another program: close it"):
            SessionFolder.open(folder)


def test_a_folder_that_cannot_be_written_is_opened_read_only(folder, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("napari_spaceediting.session.lock.FileLock.acquire", refuse)
    with pytest.raises(SessionError, match=r"cannot be written .*open it read only"):
        SessionFolder.open(folder)
    with SessionFolder.open(folder, is_read_only=True) as place:
        state = place.load()
        with pytest.raises(SessionError, match="is open read only: save elsewhere"):
            place.save(state)


def test_where_there_are_no_locks_the_index_alone_is_watched(folder, monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("napari_spaceediting.session.lock.FileLock.acquire", unknown)
    with SessionFolder.open(folder) as one, SessionFolder.open(folder) as other:
        told: list[str] = []
        state, same = one.load(told.append), other.load([].append)
        assert len(told) == 1
        assert "let only one at a time save it" in told[0]
        other.save(new_session(same.dataset, seed=1).state)
        with one.save(state, told.append) as beside:
            assert beside.path != folder
        assert len(told) == 2
    assert load_session(folder).seed == 1
    assert load_session(beside.path).seed == 0
