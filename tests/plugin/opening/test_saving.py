"""Work is saved by itself, and what was never saved is offered to the next window."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.errors import SessionBusy
from napari_spaceediting.plugin.opening import recovery
from napari_spaceediting.plugin.state import preferences
from napari_spaceediting.plugin.threads import in_thread
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import load_session, save_session

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
NOT_SAVED = "not saved"


def status(window) -> str:
    return window.editor.section("data").status.text()


def pin(window, image: int = 0, tag: str = "3") -> None:
    assert window.bench.map.naming.apply(Pin(window.movable[image : image + 1], tag))


def never_saved(window, state=None) -> None:
    """Let the session that is open, or one in a state, be one without a folder."""
    session = Session(state or window.session.state)
    window.state.take_session(session, None)
    window.bench.opening._draw_thumbnails()
    window.wait_idle()


def copies() -> list[Path]:
    return [*(cache_dir() / "recovery").glob("*/*.spaceediting/session.json")]


def offer_of(window) -> str:
    panel = window.panels.data
    seen = panel._offer.isVisible()
    return panel._found.text() if seen else ""


# A session with a folder


def test_edits_answers_and_what_was_undone_are_saved_soon(window, saved):
    pin(window)
    assert NOT_SAVED not in status(window), "it is about to be saved"
    window.wait(lambda: len(load_session(saved).log.done) == 1)
    window.wait(lambda: window.bench.saving._saved is window.session.state)
    window.key(Qt.Key.Key_Z, CONTROL)
    window.wait(lambda: len(load_session(saved).log.undone) == 1)
    said = Answer(ProposalKind.GROUP, window.movable[:2], accepted=False)
    window.session.answer(said)
    window.wait(lambda: load_session(saved).answers)
    assert not copies(), "it has a folder of its own"


def test_steady_work_does_not_put_saving_off(window, saved):
    later = window.bench.saving._later
    pin(window, 0)
    assert later.isActive()
    left = later.remainingTime()
    window.qtbot.wait(200)
    pin(window, 1)
    assert later.remainingTime() < left


def test_the_last_edits_are_saved_when_the_window_closes(window, saved):
    pin(window)
    assert not load_session(saved).log.done
    window.viewer.close()
    window.wait(lambda: load_session(saved).log.done)


def test_autosave_can_be_switched_off(window, saved, monkeypatch):
    monkeypatch.setattr(preferences().storage, "autosave", False)
    pin(window)
    assert NOT_SAVED in status(window)
    window.bench.saving.autosave()
    window.viewer.close()
    assert not load_session(saved).log.done


def test_what_cannot_be_saved_is_told_once_and_stays_marked(window, saved, messages):
    away = saved.rename(saved.with_name("away"))
    for image in range(2):
        pin(window, image)
        window.bench.saving.autosave()
        window.wait(lambda: not window.bench.saving._is_saving)
    assert len(messages) == 1
    assert NOT_SAVED in status(window)
    away.rename(saved)
    window.bench.saving.autosave()
    window.wait(lambda: NOT_SAVED not in status(window))


def test_saving_does_not_wait_for_jobs(window, saved):
    gate = threading.Event()
    ended = []
    for _ in range(9):
        in_thread(gate.wait, ended.append, ended.append)
    try:
        pin(window)
        window.bench.saving.save()
        window.wait(lambda: load_session(saved).log.done)
    finally:
        gate.set()
        window.wait(lambda: len(ended) == 9)


def test_the_ending_is_added_to_a_name_with_a_dot(window, tmp_path, monkeypatch):
    other = tmp_path / "exp.spaceediting"
    save_session(window.session.state, other)
    before = (other / "session.json").read_bytes()
    chosen = [str(tmp_path / "exp.v2"), ""]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    pin(window)
    window.bench.saving.save_as()
    path = tmp_path / "exp.v2.spaceediting"
    window.wait(lambda: window.state.path == path)
    assert (other / "session.json").read_bytes() == before
    assert len(load_session(path).log.done) == 1


@pytest.mark.parametrize("answer", ["Save", "Discard", "Cancel", "Save, but nowhere"])
def test_unsaved_work_is_saved_before_it_is_left_if_one_wants(
    window, saved, tmp_path, monkeypatch, answer
):
    unsaved = replace(window.session.state)
    window.state.take_session(Session(unsaved), None)
    pin(window)
    left = window.session
    kinds, path = QMessageBox.StandardButton, tmp_path / "kept.spaceediting"
    kind = getattr(kinds, answer.partition(",")[0])
    monkeypatch.setattr(QMessageBox, "question", lambda *_: kind)
    chosen = [str(path) if answer == "Save" else "", ""]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    window.bench.opening.open_session(saved)
    if answer in ("Save", "Discard"):
        window.wait(lambda: window.session is not left)
    window.wait(lambda: not window.state.is_busy)
    assert (window.session is left) == (answer not in ("Save", "Discard"))
    assert path.exists() == (answer == "Save")
    if answer == "Save":
        assert len(load_session(path).log.done) == 1


@pytest.mark.parametrize("agrees", [True, False])
def test_a_session_is_replaced_only_after_a_question(
    window, saved, tmp_path, monkeypatch, answer_with, agrees
):
    other = tmp_path / "other.spaceediting"
    save_session(window.session.state, other)
    pin(window)
    # The dialog does not know of the ending, and so has not asked.
    chosen = [str(tmp_path / "other"), ""]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    asked = answer_with(agrees)
    window.bench.saving.save_as()
    window.wait(lambda: not window.bench.saving._is_saving)
    window.wait(lambda: window.state.path == (other if agrees else saved))
    assert "other.spaceediting" in asked[0]
    assert len(load_session(other).log.done) == agrees


@pytest.mark.parametrize("agrees", [True, False])
def test_what_is_open_elsewhere_can_be_looked_at(
    window, make_window, saved, tmp_path, answer_with, agrees
):
    other = make_window()
    asked = answer_with(agrees)
    other.bench.opening.open_session(saved)
    other.wait(lambda: asked)
    assert "is open in napari on" in asked[0]
    if not agrees:
        assert other.state.session is None
        return
    other.wait(lambda: other.state.session is not None)
    other.wait_idle()
    pin(other)
    other.bench.saving.autosave()
    assert NOT_SAVED in status(other)
    assert not load_session(saved).log.done
    elsewhere = tmp_path / "elsewhere.spaceediting"
    other.bench.saving.save_to(elsewhere)
    other.wait(lambda: other.state.path == elsewhere)
    assert len(load_session(elsewhere).log.done) == 1
    pin(window, 1)
    window.wait(lambda: load_session(saved).log.done)


def test_a_session_is_free_when_another_one_is_open(window, saved, tmp_path):
    other = tmp_path / "other.spaceediting"
    save_session(window.session.state, other)
    pin(window)
    window.open(other)
    with SessionFolder.open(saved) as folder:
        assert len(folder.load().log.done) == 1, "it was saved when it was left"
    with pytest.raises(SessionBusy):
        SessionFolder.open(other)
    window.bench.shutdown()
    SessionFolder.open(other).close()


def test_the_session_that_is_open_can_be_opened_again(window, saved):
    pin(window)
    session = window.session
    window.bench.opening.open_session(saved)
    window.wait(lambda: window.session is not session)
    window.wait_idle()
    assert len(window.session.state.log.done) == 1
    pin(window, 1)
    window.wait(lambda: len(load_session(saved).log.done) == 2)


def test_what_others_have_changed_is_left_and_the_work_goes_beside(
    window, saved, messages
):
    text = (saved / "session.json").read_text()
    (saved / "session.json").write_text(text + "\n")
    pin(window)
    window.bench.saving.save()
    window.wait(lambda: messages)
    assert (saved / "session.json").read_text() == text + "\n"
    assert "conflict" in window.state.path.name
    assert window.state.path.name in messages[0]
    assert len(load_session(window.state.path).log.done) == 1


def test_what_is_wanted_while_work_goes_beside_goes_there_too(window, saved, messages):
    with (saved / "session.json").open("a") as file:
        file.write("\n")
    pin(window)
    window.bench.saving.save()
    pin(window, 1)
    window.bench.saving.save()
    window.wait(
        lambda: window.state.path != saved and not window.bench.saving.is_unsaved
    )
    assert len(load_session(window.state.path).log.done) == 2
    assert len(messages) == 1


def test_a_session_that_was_moved_is_saved_elsewhere(window, saved, messages, tmp_path):
    moved = saved.rename(saved.with_name("moved.spaceediting"))
    pin(window)
    window.bench.saving.save()
    window.wait(lambda: messages)
    assert "is gone" in messages[0]
    assert not saved.exists()
    elsewhere = tmp_path / "elsewhere.spaceediting"
    window.bench.saving.save_to(elsewhere)
    window.wait(lambda: window.state.path == elsewhere)
    state = load_session(elsewhere)
    assert len(state.log.done) == 1
    np.testing.assert_array_equal(
        state.dataset.original(5), load_session(moved).dataset.original(5)
    )


# A session without a folder


def test_a_copy_of_what_was_never_saved_is_offered_and_restored(
    window, make_window, tmp_path
):
    never_saved(window)
    assert not copies()
    assert NOT_SAVED not in status(window), "there is nothing to miss"
    pin(window)
    assert NOT_SAVED in status(window)
    window.wait(copies)
    window.wait(lambda: not window.bench.saving._is_saving)
    other = make_window()
    assert offer_of(other) == "", "the first window lives"
    other.bench.shutdown()
    pin(window, 1)
    places = window.places
    window.bench.shutdown()

    next_one = make_window()
    assert "was not saved" in offer_of(next_one)
    QTest.mouseClick(next_one.panels.data.restore_button, LEFT)
    next_one.wait(lambda: next_one.state.session is not None)
    next_one.wait_idle()
    assert len(next_one.session.state.log.done) == 2, "all of it, not what was copied"
    np.testing.assert_array_equal(next_one.places, places)
    assert next_one.state.path is None
    assert NOT_SAVED in status(next_one)
    next_one.unfold("data")
    assert offer_of(next_one) == ""

    # It goes on in the same copy, until it is saved.
    pin(next_one, 2)
    (copy,) = copies()
    next_one.wait(lambda: len(load_session(copy.parent).log.done) == 3)
    folder = tmp_path / "kept.spaceediting"
    next_one.bench.saving.save_to(folder)
    next_one.wait(lambda: next_one.state.path == folder)
    assert NOT_SAVED not in status(next_one)
    next_one.session.dataset.original(5)
    next_one.bench.shutdown()
    assert not copies()
    assert not [*(cache_dir() / "recovery").iterdir()]
    load_session(folder).dataset.original(5)


def test_what_is_offered_can_be_discarded(window, make_window):
    never_saved(window)
    pin(window)
    window.bench.shutdown()
    assert len(copies()) == 1
    other = make_window()
    QTest.mouseClick(other.panels.data.discard_button, LEFT)
    assert offer_of(other) == ""
    assert not copies()


def test_what_is_not_decided_on_is_offered_again(window, make_window):
    never_saved(window)
    pin(window)
    window.bench.shutdown()
    other = make_window()
    assert offer_of(other)
    other.bench.shutdown()
    assert offer_of(make_window())


def test_no_copy_is_left_of_what_the_user_left(window, saved, monkeypatch):
    never_saved(window)
    pin(window)
    window.wait(copies)
    discard = QMessageBox.StandardButton.Discard
    monkeypatch.setattr(QMessageBox, "question", lambda *_: discard)
    window.wait(lambda: not window.bench.saving._is_saving)
    window.open(saved)
    window.bench.shutdown()
    assert not copies()


def test_what_is_looked_back_at_lies_in_the_copy(window, tmp_path):
    window.take_round(RoundStatus.ACCEPTED)
    state = window.session.state
    before = replace(state.checkpoint, labels=state.checkpoint.labels.copy())
    rounds = (replace(state.rounds[0], before=before),)
    never_saved(window, replace(state, rounds=rounds))
    pin(window)
    window.wait(lambda: "labels" not in vars(before))
    np.testing.assert_array_equal(before.labels, state.checkpoint.labels)
    assert "labels" in vars(window.session.shown)
    folder = tmp_path / "kept.spaceediting"
    window.bench.saving.save_to(folder)
    window.wait(lambda: window.state.path == folder)
    window.bench.shutdown()
    assert not copies()
    np.testing.assert_array_equal(before.labels, state.checkpoint.labels)


# The folders of copies


def test_a_copy_belongs_to_one_process_and_is_free_when_that_is_killed(tmp_path, qapp):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from napari_spaceediting.plugin.opening import recovery\n"
        "copy = recovery.make(Path(sys.argv[1]), 'a/b: c')\n"
        "(copy.folder.path / 'session.json').write_text('{}')\n"
        "print(copy.name, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "a_b_ c"
        assert recovery.find(tmp_path) == []
        process.kill()
    (found,) = recovery.find(tmp_path)
    assert found.name == "a_b_ c"
    assert recovery.find(tmp_path) == [], "held by this process now"
    found.release()
    (found,) = recovery.find(tmp_path)
    found.delete()
    assert not [*(tmp_path / "recovery").iterdir()]


def test_folders_without_a_session_are_swept(tmp_path, qapp):
    begun = recovery.make(tmp_path, "begun").folder.path
    # What a killed window leaves of one that it has just begun.
    (begun / "arrays").mkdir()
    assert recovery.find(tmp_path) == []
    assert not [*(tmp_path / "recovery").iterdir()]


@pytest.mark.parametrize("name", ["", "...", "x" * 300])
def test_any_name_makes_a_folder(tmp_path, qapp, name):
    copy = recovery.make(tmp_path, name)
    assert copy.folder.path.suffix == ".spaceediting"
    copy.delete()
