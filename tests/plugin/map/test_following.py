"""The preview of what would follow the edits, in a real window."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_spaceediting.editing.edits import Pin, Relabel, Spare
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.plugin.map.following import summarise
from napari_spaceediting.plugin.widgets.palette import class_colours

LEFT = Qt.MouseButton.LeftButton


def pin_some(window, start=0, count=12):
    """Pin unlabelled images as what they are."""
    session = window.session
    unlabelled = session.edits.labels[window.movable] < 0
    some = window.movable[unlabelled][start : start + count]
    truth = session.dataset.columns["truth"][some]
    for number in np.unique(truth).tolist():
        session.apply(Pin(some[truth == number], session.dataset.class_names[number]))
    return some


def press(window, button):
    window.editor.open_section("retrain")
    QApplication.processEvents()
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


def marked(window):
    return window.map.overlay.scene.followers.places


def wait_settled(window):
    """Wait until what is previewed is what the session says."""
    expected = run_job(window.session.propagating())
    window.wait(
        lambda: (
            not window.desk.is_busy
            and np.array_equal(marked(window), window.places[expected.indices])
        )
    )
    return expected


@pytest.fixture
def panel(window):
    # Other tests open the same folder: nothing is to be saved there.
    window.desk.path = None
    # It still says what opening has done.
    window.editor.job_bar.hide()
    return window.editor.retrain


@pytest.fixture
def expected(window, panel):
    """Switch a preview on; return what it shows."""
    pin_some(window)
    press(window, panel.preview_button)
    found = wait_settled(window)
    assert len(found) > 3
    return found


def test_what_would_follow_is_marked_by_class_and_weight(window, panel, expected):
    marks = window.map.overlay.scene.followers
    names = window.session.edits.class_names
    assert np.allclose(
        marks.colours[:, :3], class_colours(len(names))[expected.classes][:, :3]
    )
    order = np.argsort(expected.weights)
    assert (np.diff(marks.colours[order, 3]) >= 0).all()
    assert panel._found.text() == summarise(expected.classes, names)
    assert panel._found.isVisible()
    # A look at it is no edit, and does not choose anything.
    assert not panel.settings().propagate
    assert not window.editor.job_bar.isVisible()


def test_selected_and_hovered_ones_are_tied_to_their_edit(window, panel, expected):
    places, scene = window.places, window.map.overlay.scene
    assert not len(scene.links.starts)
    press(window, panel.select_button)
    assert window.desk.selected.tolist() == sorted(expected.indices.tolist())
    assert set(window.bench.gallery.grid.items.tolist()) == set(expected.indices)
    links = window.map.overlay.scene.links
    assert np.array_equal(links.starts, places[expected.sources])
    assert np.array_equal(links.ends, places[expected.indices])

    one = int(window.loners(expected.indices)[0])
    row = expected.indices.tolist().index(one)
    window.move(window.of_image(one))
    link = window.map.overlay.scene.hovered_link
    assert np.array_equal(link.starts[0], places[expected.sources[row]])
    card = window.bench.map.card
    window.wait(card.isVisible)
    name = window.session.edits.class_names[expected.classes[row]]
    assert f"Would follow an edit: {name}" in card._lines[-1]
    window.move(window.empty_ground())
    assert not len(window.map.overlay.scene.hovered_link.starts)


def test_selected_ones_can_be_left_out_and_taken_in_again(window, panel, expected):
    assert not panel.leave_out_button.isEnabled()
    stranger = np.setdiff1d(window.movable, expected.indices)[:1]
    window.desk.select(stranger)
    assert not panel.leave_out_button.isEnabled()
    window.desk.select(np.concatenate([expected.indices[:2], stranger]))
    press(window, panel.leave_out_button)
    edit = window.session.state.log.done[-1]
    assert isinstance(edit, Spare)
    assert sorted(edit.indices.tolist()) == sorted(expected.indices[:2].tolist())
    left = wait_settled(window)
    assert not np.isin(expected.indices[:2], left.indices).any()
    assert not panel.leave_out_button.isEnabled()
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    again = wait_settled(window)
    assert np.array_equal(again.indices, expected.indices)


def test_it_follows_the_edits_until_none_has_a_class(window, panel, expected):
    own = expected.indices[:1]
    window.session.apply(Relabel(own, "0"))
    assert not (marked(window) == window.places[own]).all(axis=1).any(), "at once"
    wait_settled(window)
    pin_some(window, start=12)
    assert len(wait_settled(window)) != len(expected)
    while window.session.state.log.done:
        window.session.undo()
    assert not panel.preview_button.isChecked()
    assert not len(marked(window))
    assert not panel._found.isVisible()


def test_it_is_switched_off_by_hand_and_by_another_session(
    window, panel, expected, saved, monkeypatch
):
    press(window, panel.preview_button)
    assert not len(marked(window))
    assert not panel._found.isVisible()
    press(window, panel.preview_button)
    wait_settled(window)
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    window.open(saved)
    assert not len(marked(window))
    assert not panel.preview_button.isChecked()


def test_a_round_ends_it(window, panel, expected):
    session = window.session
    result = run_job(session.retraining())
    session.propose(result, run_job(session.remapping(result)))
    assert not len(marked(window))
    assert not panel.preview_button.isChecked()
    assert not panel.preview_button.isEnabled()
    session.roll_back()
    assert not panel.preview_button.isChecked()
    press(window, panel.preview_button)
    wait_settled(window)


def test_it_waits_while_something_else_is_read(window, panel):
    pin_some(window)
    press(window, panel.preview_button)
    window.bench.review.find()
    window.wait(lambda: window.bench.review.proposal is not None)
    assert len(wait_settled(window))
    # An edit in the meantime is not forgotten.
    window.bench.review.find()
    pin_some(window, start=12)
    wait_settled(window)
    assert panel.preview_button.isChecked()


def test_a_preview_that_is_cancelled_is_off(window, panel):
    pin_some(window)
    press(window, panel.preview_button)
    window.desk.reading.cancel()
    window.wait(lambda: not window.desk.is_busy)
    assert not panel.preview_button.isChecked()
    assert not window.editor.job_bar.isVisible()
    press(window, panel.preview_button)
    wait_settled(window)


def test_without_an_edit_that_has_a_class_it_says_what_to_do(window, panel):
    assert not panel.preview_button.isEnabled()
    window.session.apply(Relabel(window.movable[:2], None))
    assert not panel.preview_button.isEnabled()
    assert "a class first" in panel.preview_button.toolTip()
    window.session.apply(Relabel(window.held_out[:2], "3"))
    assert not panel.preview_button.isEnabled()
    pin_some(window)
    assert panel.preview_button.isEnabled()


def test_hidden_classes_are_not_ringed(window, panel, expected):
    hidden = np.zeros(len(window.places), bool)
    hidden[expected.indices[0]] = True
    cloud = window.map.cloud
    window.map.show_cloud(
        type(cloud)(cloud.places, cloud.colours, cloud.held_out, hidden)
    )
    assert np.array_equal(marked(window), window.places[expected.indices[1:]])


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ([], "No other image is like enough to follow your edits."),
        ([2], "1 image would follow: c"),
        ([1, 0, 1], "3 images would follow: 2 × b, 1 × a"),
        (
            [0, 1, 2, 3, 4, 5, 5],
            "7 images would follow: 2 × f, 1 × a, 1 × b, 1 × c, 2 of 2 more classes",
        ),
    ],
)
def test_what_would_follow_in_words(classes, text):
    assert summarise(np.array(classes, np.int64), "abcdefg") == text
