"""Edits that contradict each other, as the list of edits shows them."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.image_edits import Move, Pin
from napari_spaceediting.editing.places import Surroundings
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import save_session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def twins(trained_state: SessionState) -> np.ndarray:
    """Return training images of which every two are to be alike."""
    return np.flatnonzero(~trained_state.dataset.held_out)[:6]


@pytest.fixture
def with_twins(make_window, trained_state: SessionState, twins, tmp_path: Path):
    """Return a window with a session in which `twins` have the same latents."""
    checkpoint = trained_state.checkpoint
    assert checkpoint.network is not None
    found = checkpoint.network.predictions
    latents = found.latents.copy()
    latents[twins[1::2]] = latents[twins[::2]]
    network = replace(
        checkpoint.network, predictions=Predictions(latents, found.probabilities)
    )
    folder = tmp_path / "twins.spaceediting"
    save_session(
        replace(trained_state, checkpoint=replace(checkpoint, network=network)), folder
    )
    window = make_window()
    window.open(folder)
    window.unfold("edits")
    return window


def name(window, image: int, tag: str) -> None:
    assert window.bench.map.naming.apply(Pin(np.array([image]), tag))


def warning(window) -> str:
    panel = window.panels.edits
    seen = panel.contradiction.label.isVisible()
    assert seen == panel.contradiction.button.isVisible()
    return panel.contradiction.label.text() if seen else ""


def test_contradictions_are_shown_until_they_are_resolved(with_twins, twins):
    window, ids = with_twins, with_twins.session.dataset.ids
    assert warning(window) == ""
    for number, image in enumerate(twins):
        name(window, image, "37"[number % 2])
    window.wait(lambda: "2 more" in warning(window))
    assert warning(window) == (
        f"Image {ids[twins[0]]} and image {ids[twins[1]]} look the same to the "
        "network, but were called 3 and 7. And 2 more contradictions."
    )
    QTest.mouseClick(window.panels.edits.contradiction.button, LEFT)
    assert window.state.selected.tolist() == twins[:2].tolist()
    assert window.bench.gallery.grid.items.tolist() == twins[:2].tolist()

    window.bench.map.naming.apply(Withdraw(1))
    window.wait(lambda: "1 more" in warning(window))
    assert str(ids[twins[2]]) in warning(window)
    name(window, twins[3], "3")
    window.wait(lambda: warning(window).endswith("3 and 7."))
    name(window, twins[4], "7")
    window.wait(lambda: warning(window) == "")


def test_edits_made_while_others_are_looked_at_count(with_twins, twins):
    window = with_twins
    name(window, twins[0], "3")
    name(window, twins[1], "7")
    name(window, twins[1], "3")
    name(window, twins[2], "3")
    name(window, twins[3], "7")
    ids = window.session.dataset.ids
    window.wait(lambda: str(ids[twins[3]]) in warning(window))
    assert str(ids[twins[1]]) not in warning(window)


def test_another_session_takes_the_warning_away(with_twins, twins, saved: Path):
    window = with_twins
    name(window, twins[0], "3")
    name(window, twins[1], "7")
    window.wait(lambda: warning(window))
    # As if they were saved: nobody is asked whether to leave them.
    window.bench.saving._saved = window.session.state
    window.open(saved)
    assert warning(window) == ""


def test_closing_the_window_while_edits_are_looked_at(with_twins, twins):
    window = with_twins
    name(window, twins[0], "3")
    name(window, twins[1], "7")
    assert window.bench.edits._is_looking
    window.viewer.close()
    # What is found now has no window to be shown in; pytest-qt would see it fail.
    for thread in threading.enumerate():
        if thread.name == "spaceediting":
            thread.join()
    QApplication.processEvents()
    assert window.bench.edits._is_looking, "the results are dropped"


def test_the_window_s_thread_asks_what_surrounds_few_places(window, monkeypatch):
    asked, whole = [], Surroundings.at

    def at(self, places, *args):
        here = threading.current_thread() is threading.main_thread()
        asked.append((here, len(places)))
        return whole(self, places, *args)

    monkeypatch.setattr(Surroundings, "at", at)
    images, panel = window.movable[:120], window.panels.edits
    void = window.places.max(axis=0) + np.float32([50, 50])
    ends = np.tile(void, (len(images), 1)).astype(np.float32)
    window.bench.map.naming.apply(Move(images, window.places[images], ends, tag="3"))
    window.wait(lambda: "120 with little support" in panel.summary.text())
    assert panel.summary.text().startswith("1 edit on 120 images")
    assert (False, 120) in asked
    assert not any(here for here, _ in asked)
    window.state.select(images)
    window.bench.map.naming.relabel_selected()
    window.answer(Qt.Key.Key_Escape)
    assert [count for here, count in asked if here] == [60], "at most 100"
    window.bench.edits.undo()
    window.wait(lambda: (False, 0) in asked)
    assert panel.summary.text() == ""


# Replaying


@pytest.fixture
def with_edits(window):
    """Return a window with a move, an edit that was taken back, and a pin."""
    images = window.movable[:4]
    places = window.places[images]
    end = places + np.float32([2, 1])
    window.bench.map.naming.apply(Move(images, places, end, tag="5"))
    window.bench.map.naming.apply(Pin(window.movable[5:6], "3"))
    window.bench.map.naming.apply(Withdraw(1))
    window.bench.map.naming.apply(Pin(window.movable[6:8], "a new class"))
    window.unfold("edits")
    window.fold("map")
    QApplication.processEvents()
    return window


def shown_places(window) -> np.ndarray:
    return np.array(window.map.layer.data)


def test_the_edits_are_played_one_after_the_other(with_edits):
    window = with_edits
    replay, button = window.bench.edits.replay, window.panels.edits.replay_button
    session, state = window.session, window.session.state
    start, end = session.shown.map.coordinates, window.places.copy()
    window.state.select(window.movable[10:12])
    camera = window.viewer.scene.camera
    camera.zoom *= 2
    before = tuple(camera.center), camera.zoom
    QTest.mouseClick(button, LEFT)
    replay._timer.stop()  # Each step is taken by hand.
    assert button.text() == "Stop"
    np.testing.assert_array_equal(shown_places(window), start)
    assert not len(window.map.overlay.scene.edited.starts)
    assert not window.map.is_active, "nothing can be taken hold of"
    rows = window.panels.edits.list

    replay._step()
    np.testing.assert_array_equal(shown_places(window), end)
    assert window.map.selected.tolist() == window.movable[:4].tolist()
    assert rows.currentRow() == 0
    replay._step()
    assert rows.currentRow() == 3, "what was taken back is passed over"
    assert window.map.selected.tolist() == window.movable[6:8].tolist()
    assert len(window.map.overlay.scene.pinned.places) == 2

    replay._step()
    assert not replay.is_running
    assert button.text() == "Replay"
    assert session.state is state
    assert window.map.is_active
    np.testing.assert_array_equal(shown_places(window), end)
    assert window.map.selected.tolist() == window.movable[10:12].tolist()
    assert (tuple(camera.center), camera.zoom) == before


@pytest.mark.parametrize("by", ["button", "edit", "undo", "selection", "session"])
def test_a_replay_ends_with_whatever_the_user_does(with_edits, saved, by):
    window = with_edits
    button = window.panels.edits.replay_button
    QTest.mouseClick(button, LEFT)
    assert window.bench.edits.replay.is_running
    if by == "button":
        QTest.mouseClick(button, LEFT)
    elif by == "edit":
        window.bench.map.naming.apply(Pin(window.movable[9:10], "1"))
    elif by == "undo":
        window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    elif by == "selection":
        window.state.select(window.movable[:1])
    else:
        window.bench.saving._saved = window.session.state
        window.open(saved)
    assert not window.bench.edits.replay.is_running
    assert button.text() == "Replay"
    assert window.map.is_active
    np.testing.assert_array_equal(shown_places(window), window.places)


def test_a_replay_plays_by_itself_to_its_end(with_edits):
    window = with_edits
    QTest.mouseClick(window.panels.edits.replay_button, LEFT)
    window.bench.edits.replay._timer.setInterval(1)
    window.wait(lambda: not window.bench.edits.replay.is_running)
    np.testing.assert_array_equal(shown_places(window), window.places)


def test_a_click_on_an_entry_leads_to_its_images(with_edits):
    window = with_edits
    rows = window.panels.edits.list
    at = rows.visualItemRect(rows.item(3)).center()
    QTest.mouseClick(rows.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    assert window.state.selected.tolist() == window.movable[6:8].tolist()
    QTest.keyClick(rows, Qt.Key.Key_Delete)
    assert not window.session.edits.edited[window.movable[6:8]].any()


def test_without_edits_there_is_nothing_to_play(window):
    window.unfold("edits")
    button = window.panels.edits.replay_button
    assert not button.isEnabled()
    assert "no edits" in button.toolTip()
    window.bench.map.naming.apply(Pin(window.movable[:1], "3"))
    assert button.isEnabled()
    window.bench.map.naming.apply(Withdraw(0))
    assert not button.isEnabled()


def test_the_first_edit_unfolds_the_retraining_and_no_other_does(window):
    retrain, guidance = map(window.editor.section, ("retrain", "guidance"))
    was_open = guidance.is_open
    assert not retrain.is_open
    one, other = window.movable[:2]
    name(window, one, window.session.edits.class_names[0])
    assert retrain.is_open
    assert guidance.is_open == was_open
    window.fold("retrain")
    name(window, other, window.session.edits.class_names[0])
    assert not retrain.is_open
