"""An axis is made of what the user has arranged."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spaceediting.editing.image_edits import Intent, Move

LEFT = Qt.MouseButton.LeftButton


def ink(dataset) -> np.ndarray:
    """Return how bright images are."""
    return dataset.images(np.arange(len(dataset))).mean(axis=(1, 2, 3))


def arrange(window, along: np.ndarray) -> None:
    at = window.movable[:100]
    places = np.c_[20 * along[at], np.zeros(len(at))].astype(np.float32)
    edit = Move(at, window.places[at], places, Intent.ARRANGE)
    assert window.bench.map.naming.apply(edit)


def make(window, name: str = "") -> None:
    panel = window.panels.edits
    window.unfold("edits")
    assert panel.axis_button.isVisible()
    panel.axis_name.setText(name)
    QTest.mouseClick(panel.axis_button, LEFT)
    assert window.state.is_busy
    window.wait_idle()


@pytest.fixture
def with_axis(window):
    """Return a window with an axis "ink"."""
    arrange(window, ink(window.session.dataset))
    make(window, "ink")
    return window


def test_an_axis_is_offered_where_images_are_arranged(window):
    window.unfold("edits")
    assert not window.panels.edits.axis_button.isVisible()
    arrange(window, ink(window.session.dataset))
    assert window.panels.edits.axis_button.isVisible()


def test_an_axis_that_holds_colours_the_map(with_axis):
    window = with_axis
    (kept,) = window.session.state.axes
    assert kept.name == "ink"
    combo = window.panels.map.colour_combo
    assert combo.currentText() == "ink"
    assert combo.currentData() == "axis:ink"
    colours = window.map.cloud.colours
    lowest, highest = kept.axis.values.argmin(), kept.axis.values.argmax()
    # Cividis goes from blue to yellow.
    assert colours[highest, 0] > colours[lowest, 0] + 0.3
    assert "rank correlation" in window.panels.edits._axis_verdict.text()
    window.unfold("map")
    assert window.panels.map.axis_note.text() == kept.axis.verdict


def test_images_lie_along_an_axis_on_request(with_axis):
    window = with_axis
    window.unfold("map")
    before = window.map.cloud.places
    window.panels.map.along_check.click()
    values = window.session.state.axes[0].axis.values
    places = window.map.cloud.places
    from_left = window.map.viewport.to_canvas(places)[:, 0]
    assert np.corrcoef(from_left, values)[0, 1] > 0.999
    assert_array_equal(places[:, 0], before[:, 0])
    assert "untick" in window.map.refusal
    # It is a way to look: the edits have the places of the map.
    assert_array_equal(window.places, before)
    window.panels.map.along_check.click()
    assert_array_equal(window.map.cloud.places, before)
    assert window.map.refusal == ""


def test_an_axis_can_be_removed(with_axis):
    window = with_axis
    window.unfold("map")
    window.panels.map.along_check.click()
    QTest.mouseClick(window.panels.map.remove_button, LEFT)
    assert window.session.state.axes == ()
    assert window.panels.map.colour_combo.findText("ink") < 0
    assert not window.panels.map.along_check.isVisible()
    assert_array_equal(window.map.cloud.places, window.places)


def test_places_that_follow_from_nothing_are_told_as_such(window):
    along = ink(window.session.dataset)
    arrange(window, np.random.default_rng(0).permutation(along))
    make(window)
    said = window.panels.edits._axis_verdict
    assert said.isVisible()
    assert "do not follow from the images" in said.text()
    assert window.session.state.axes == ()
    window.session.undo()
    assert not said.isVisible()


def test_an_axis_without_a_name_gets_one(window):
    arrange(window, ink(window.session.dataset))
    make(window)
    make(window)
    assert [one.name for one in window.session.state.axes] == ["axis 1", "axis 2"]
