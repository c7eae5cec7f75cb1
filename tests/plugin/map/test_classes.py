"""Classes are changed in the legend, and images are rejected."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QColorDialog, QInputDialog, QLineEdit, QMenu

from napari_spaceediting.editing.image_edits import Relabel

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def menu_of(window):
    """Return a function that opens the menu of a class in the legend."""
    window.bench.map.colour_by("label")
    window.unfold("map")
    legend = window.panels.map.legend

    def open_menu(row: int) -> QMenu:
        at = legend.chips.visualItemRect(legend.chips.item(row)).center()
        there = legend.chips.viewport().mapToGlobal(at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, there)
        QApplication.sendEvent(legend.chips.viewport(), event)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        return menu

    return open_menu


def choose(menu: QMenu, *titles: str) -> None:
    """Choose what a menu and those below it offer."""
    title, *below = titles
    (action,) = [each for each in menu.actions() if each.text() == title]
    if below:
        choose(action.menu(), *below)
    else:
        action.trigger()
    menu.close()


def say(window, text: str) -> None:
    dialog = window.panels.map.legend.findChild(QInputDialog)
    window.wait(dialog.isVisible)
    edit = dialog.findChild(QLineEdit)
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(dialog, Qt.Key.Key_Return)


def chip(window, row: int) -> str:
    return window.panels.map.legend.chips.item(row).text()


def test_a_class_is_renamed_everywhere_and_undone(window, menu_of):
    choose(menu_of(3), "Rename…")
    say(window, "three")
    assert window.session.edits.class_names[3] == "three"
    assert chip(window, 3).startswith("three (")
    assert window.bench.gallery.class_keys.buttons["3"].text() == "three"
    assert window.panels.edits.list.item(0).text() == "Renamed 3 to three"
    window.bench.edits.undo()
    assert chip(window, 3).startswith("3 (")


def test_classes_are_merged_deleted_and_put_in_order(window, menu_of):
    choose(menu_of(0), "Merge into", "8")
    choose(menu_of(0), "Delete")
    choose(menu_of(0), "Move back")
    assert window.session.edits.class_names[:3] == ("3", "2", "4")
    assert not (set("019") - {"9"}) & set(window.session.edits.class_names)
    # There is something to learn from, though no image was edited.
    assert not window.state.facts.no_lesson
    assert window.panels.retrain.isEnabled()


def test_a_chosen_colour_is_that_of_the_points(window, menu_of):
    choose(menu_of(3), "Choose its colour…")
    dialog = window.panels.map.legend.findChild(QColorDialog)
    dialog.colorSelected.emit(dialog.currentColor().fromString("#12ab34"))
    dialog.close()
    threes = window.session.edits.labels == 3
    colours = window.map.cloud.colours[threes]
    np.testing.assert_allclose(
        colours[:, :3] * 255, [[0x12, 0xAB, 0x34]] * len(colours)
    )
    assert window.state.class_colours[3, 1] == pytest.approx(0xAB / 255)


def test_a_rank_is_given_and_taken_away(window, menu_of):
    choose(menu_of(3), "Put below…")
    say(window, "odd")
    assert window.session.classes()[3].above == "odd"


def test_rejected_images_leave_the_map_and_come_back(window):
    at = window.movable[:4]
    window.state.select(at)
    window.key("X")
    assert window.map.cloud.hidden[at].all()
    assert window.panels.edits.reject_button.text() == "Restore"
    window.state.select(window.movable[5:6])
    assert window.panels.edits.reject_button.text() == "Reject"
    window.bench.map.select_like("rejected")
    np.testing.assert_array_equal(window.state.selected, at)
    window.key("X")
    assert not window.map.cloud.hidden[at].any()
    assert not window.session.edits.rejected.any()


def test_all_images_of_a_class_are_rejected(window, menu_of):
    threes = window.session.edits.labels == 3
    choose(menu_of(3), "Reject its images")
    np.testing.assert_array_equal(window.session.edits.rejected, threes)
    assert chip(window, 3).startswith("3 (0)")


def test_held_out_images_without_a_class_are_named_in_the_gallery(window):
    held_out = window.held_out
    window.session.apply(Relabel(held_out, None))
    window.bench.map.select_like("to_name")
    grid = window.bench.gallery.grid
    assert sorted(grid.items) == sorted(held_out)
    first = int(grid.items[0])
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, "7")
    assert window.session.edits.labels[first] == 7
    assert window.session.dataset.held_out[first]


def test_what_cannot_be_is_said(window, menu_of, messages):
    choose(menu_of(3), "Rename…")
    say(window, "4")
    assert messages == ['There is a class "4" already: merge the two instead.']
