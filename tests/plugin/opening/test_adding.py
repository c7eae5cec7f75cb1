"""Images that come to an open session, in the window."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.errors import SessionError
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.session.storage import load_session

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
N_NEW = 30


@pytest.fixture
def later(tmp_path: Path, small_digits) -> Path:
    """Return a file with 30 digits that the session does not have, some of a new kind.

    The first ten have no label, the last five are of a class that is new.
    """
    everything = digits()
    absent = np.flatnonzero(~np.isin(everything.ids, small_digits.ids))[:N_NEW]
    labels = everything.labels[absent].astype(str)
    labels[:10], labels[-5:] = "", "odd"
    path = tmp_path / "later.npz"
    pixels = np.stack([everything.original(at) for at in absent])
    np.savez(path, images=pixels, labels=labels)
    return path


def add(window, path: Path, monkeypatch) -> None:
    """Add images by the menu of the Data section."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    panel = window.panels.data
    window.unfold("data")
    QApplication.processEvents()
    QTest.mouseClick(panel.add_button, LEFT)
    menu = panel.add_menu
    entry = menu.actions()[1]
    QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(entry).center())
    window.wait(lambda: window.state.training.is_running)


def test_new_images_are_added_and_selected_on_the_map(
    window, later, saved, monkeypatch, messages
):
    before = window.session
    n = len(before.dataset)
    places = window.places.copy()
    window.bench.map.naming.apply(Pin(window.movable[:2], "3"))
    window.bench.map.colour_by("label")
    assert window.panels.map.legend.visible.all()
    window.panels.map.legend.toggle(2)
    add(window, later, monkeypatch)
    assert window.editor.job_bar.cancel_button.isVisible()
    assert window.state.locked == BUSY
    assert not window.panels.data.add_button.isEnabled()
    assert BUSY in window.panels.data.add_button.toolTip()
    window.wait_idle()

    assert window.session is before
    assert len(window.session.dataset) == n + N_NEW
    np.testing.assert_array_equal(window.places[:n], places)
    assert len(window.map.layer.data) == n + N_NEW
    new = np.arange(n, n + N_NEW)
    assert window.state.selected.tolist() == new.tolist()
    assert window.map.selected.tolist() == new.tolist()
    assert window.bench.gallery.grid.items.tolist() == new.tolist()
    assert messages == [
        "Added 30 images, 20 of them labelled. They are selected, so that you see "
        "where on the map they belong."
    ]
    # Everything that knows each image has followed.
    assert len(window.state.thumbnails) == n + N_NEW
    legend = window.panels.map.legend
    assert legend.names[-1] == "odd"
    assert legend.counts[-1] == 5
    assert legend.visible.all()
    assert f"{n + N_NEW:,} images" in window.editor.section("data").status.text()
    assert f"{n + N_NEW:,} images" in window.panels.data._note.text()
    grid = window.bench.gallery.grid
    window.move(grid._tile(3).center(), widget=grid.viewport())
    ring = window.map.overlay.scene.hovered
    assert np.array_equal(ring, window.places[new[3]])

    # What was done before can be undone, what is new can be worked on.
    window.bench.map.naming.apply(Pin(new[:2], "odd"))
    window.key(Qt.Key.Key_Z, CONTROL)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert not window.session.state.log.done

    def is_saved() -> bool:
        # What is read may be what just then makes room for what is new.
        with suppress(SessionError):
            return len(load_session(saved).dataset) == n + N_NEW
        return False

    window.wait(is_saved)


def test_images_that_cannot_be_added_change_nothing(
    window, tmp_path, monkeypatch, messages
):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"nothing")
    before = window.session.state
    add(window, broken, monkeypatch)
    window.wait(lambda: messages)
    assert len(messages) == 1
    assert window.session.state is before
    assert window.state.thumbnails is not None
    assert window.panels.data.add_button.isEnabled()


def test_adding_can_be_cancelled(window, later, monkeypatch, messages):
    before = window.session.state
    add(window, later, monkeypatch)
    QTest.mouseClick(window.editor.job_bar.cancel_button, LEFT)
    window.wait_idle()
    assert window.session.state is before
    assert "nothing was changed" in window.editor.job_bar._message.text()
    assert messages == []


def test_images_can_be_added_before_there_is_a_map(window, later, small_digits):
    from napari_spaceediting.session.session import new_session

    window.state.take_session(new_session(small_digits), None)
    window.bench.opening._draw_thumbnails()
    window.wait_idle()
    window.bench.opening.add_images(later)
    window.wait(lambda: window.state.training.is_running)
    window.wait_idle()
    n = len(window.session.dataset)
    assert n == len(small_digits) + N_NEW
    window.wait(lambda: window.map.cloud is not None)
    assert len(window.map.cloud.places) == n
