"""Edits that contradict each other, as the list of edits shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spaceediting.editing.edits import Pin, Withdraw
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
    window.editor.open_section("edits")
    return window


def name(window, image: int, tag: str) -> None:
    assert window.bench.map.apply(Pin(np.array([image]), tag))


def warning(window) -> str:
    panel = window.editor.edits
    seen = panel._contradiction.isVisible()
    assert seen == panel.contradiction_button.isVisible()
    return panel._contradiction.text() if seen else ""


def test_contradictions_are_shown_until_they_are_resolved(with_twins, twins):
    window, ids = with_twins, with_twins.session.dataset.ids
    assert warning(window) == ""
    for number, image in enumerate(twins):
        name(window, image, "37"[number % 2])
    window.wait(lambda: "2 more" in warning(window))
    assert warning(window) == (
        f"Image {ids[twins[0]]} and image {ids[twins[1]]} look the same to the "
        "network, but were called 3 and 7. There are 2 more such pairs."
    )
    QTest.mouseClick(window.editor.edits.contradiction_button, LEFT)
    assert window.desk.selected.tolist() == twins[:2].tolist()
    assert window.bench.gallery.grid.items.tolist() == twins[:2].tolist()

    window.bench.map.apply(Withdraw(1))
    window.wait(lambda: "one more" in warning(window))
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
    assert window.bench.edits._checking
    window.viewer.close()
    # What is found now has no window to be shown in; pytest-qt would see it fail.
    assert QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()
    assert window.bench.edits._checking, "the result is dropped"
