"""The docks below the map are folded and unfolded."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

LEFT = Qt.MouseButton.LeftButton
GALLERY, EVIDENCE = "Image Gallery", "Evidence"


@pytest.fixture
def small(make_window, saved):
    """Return a window of a small screen with a session."""
    window = make_window()
    window.viewer.window.resize(1366, 740)
    QApplication.processEvents()
    window.bench.docks._arrange()
    window.open(saved)
    QApplication.processEvents()
    return window


def press(window, name: str) -> None:
    QTest.mouseClick(window.bench.docks._bar.buttons[name], LEFT)
    QApplication.processEvents()


def down(window) -> list[str]:
    bar = window.bench.docks._bar
    return [name for name, button in bar.buttons.items() if button.isChecked()]


def test_a_large_window_has_the_gallery_at_once(window):
    assert window.bench.gallery.isVisible()
    assert down(window) == [GALLERY]


def test_a_small_window_has_it_as_soon_as_something_is_in_it(small):
    gallery = small.bench.gallery
    assert not gallery.isVisible()
    assert down(small) == []
    whole = small.canvas.height()
    small.state.select(small.movable[:3])
    QApplication.processEvents()
    assert gallery.isVisible()
    assert down(small) == [GALLERY]
    assert small.canvas.height() < whole
    assert small.canvas.width() * small.canvas.height() > 0.25 * 1366 * 740


def test_what_the_user_folds_stays_folded_until_it_is_asked_for(window):
    before = window.canvas.height()
    press(window, GALLERY)
    assert not window.bench.gallery.isVisible()
    assert window.canvas.height() > before
    assert down(window) == []
    window.state.select(window.movable[:3])
    QApplication.processEvents()
    assert not window.bench.gallery.isVisible()
    window.bench.galleries.show(np.array([1, 2]))
    QApplication.processEvents()
    assert window.bench.gallery.isVisible()


def test_a_button_brings_its_dock_to_the_front(window):
    press(window, EVIDENCE)
    assert not window.bench.evidence.visibleRegion().isEmpty()
    assert down(window) == [EVIDENCE]
    press(window, GALLERY)
    assert not window.bench.gallery.visibleRegion().isEmpty()
    press(window, GALLERY)
    assert down(window) == []
    press(window, EVIDENCE)
    assert down(window) == [EVIDENCE]
