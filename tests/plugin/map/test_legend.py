from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu

from napari_spaceediting.plugin.map.legend import ClassLegend
from napari_spaceediting.plugin.widgets.controls import dress

LEFT = Qt.MouseButton.LeftButton
ALT = Qt.KeyboardModifier.AltModifier
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def legend(qtbot, palette):
    widget = ClassLegend()
    qtbot.addWidget(widget)
    dress(widget, palette)
    widget.resize(350, 200)
    widget.show()
    qtbot.waitExposed(widget)
    fill(widget, 4)
    return widget


@pytest.fixture
def told(legend):
    """Return a list of which classes were visible after each change."""
    calls = []
    legend.changed.connect(
        lambda: calls.append(np.flatnonzero(legend.visible).tolist())
    )
    return calls


def fill(legend, n):
    names = [f"class {i}" for i in range(n)]
    legend.set_classes(names, range(n))


def rect(legend, index):
    return legend.chips.visualItemRect(legend.chips.item(index))


def shown(legend):
    chips = legend.chips
    return [i for i in range(chips.count()) if not chips.isRowHidden(i)]


def place(legend, index):
    return rect(legend, index).center()


def test_click_hides_and_shows(legend, told):
    for _ in range(2):
        QTest.mouseClick(legend.chips.viewport(), LEFT, NONE, place(legend, 2))
    assert told == [[0, 1, 3], [0, 1, 2, 3]]


def test_alt_click_isolates_and_a_second_one_brings_all_back(legend, told):
    QTest.mouseClick(legend.chips.viewport(), LEFT, ALT, place(legend, 1))
    QTest.mouseClick(legend.chips.viewport(), LEFT, ALT, place(legend, 1))
    assert told == [[1], [0, 1, 2, 3]]


def test_double_click_isolates_whatever_its_first_click_did(legend, told):
    QTest.mouseClick(legend.chips.viewport(), LEFT, NONE, place(legend, 3))
    QTest.mouseDClick(legend.chips.viewport(), LEFT, NONE, place(legend, 3))
    assert told[-1] == [3]


def test_keyboard_walks_toggles_and_isolates(legend, told):
    QTest.keyClick(legend.chips, Qt.Key.Key_Down)
    QTest.keyClick(legend.chips, Qt.Key.Key_Right)
    QTest.keyClick(legend.chips, Qt.Key.Key_Space)
    QTest.keyClick(legend.chips, Qt.Key.Key_Return)
    assert told == [[0, 2, 3], [1]]


def test_show_all_appears_when_something_is_hidden(legend, told):
    assert not legend._show_all.isVisible()
    QTest.mouseClick(legend.chips.viewport(), LEFT, NONE, place(legend, 1))
    # It stays hidden while the same classes are counted again.
    fill(legend, 4)
    assert legend._show_all.isVisible()
    QTest.mouseClick(legend._show_all, LEFT)
    assert told == [[0, 2, 3], [0, 1, 2, 3]]
    assert not legend._show_all.isVisible()


def test_filter_comes_with_many_classes_and_maps_back_to_them(legend, told):
    assert not legend._filter.isVisible()
    fill(legend, 200)
    assert legend._filter.isVisible()
    QTest.keyClicks(legend._filter, "CLASS 17")
    assert shown(legend) == [17, *range(170, 180)]
    QTest.mouseClick(legend.chips.viewport(), LEFT, NONE, place(legend, 170))
    assert told == [[i for i in range(200) if i != 170]]
    # What the user typed stays while other images are counted.
    fill(legend, 200)
    assert shown(legend) == [17, *range(170, 180)]
    QTest.keyClicks(legend._filter, "xyz")
    assert shown(legend) == []
    assert legend._nothing.text() == "No class has this in its name."


@pytest.mark.parametrize("width", [120, 350, 900])
def test_chips_stay_within_the_width(legend, width):
    fill(legend, 30)
    legend.resize(width, 200)
    legend.grab()
    rects = [rect(legend, index) for index in range(30)]
    assert rects[0].left() == 0
    assert all(r.right() < legend.chips.viewport().width() for r in rects)
    assert not any(a.intersects(b) for a, b in pairwise(rects))


def test_counts_can_change(legend):
    names = [f"class {i}" for i in range(4)]
    legend.set_classes(names, [5, 6, 7, 1234])
    assert "1,234" in legend.chips.item(3).toolTip()


@pytest.fixture
def menu_of(legend):
    """Return a function that opens the menu of a class, by the right button."""

    def open_menu(index):
        at = place(legend, index)
        there = legend.chips.viewport().mapToGlobal(at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, there)
        QApplication.sendEvent(legend.chips.viewport(), event)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        return menu

    return open_menu


def click(menu, position):
    at = menu.actionGeometry(menu.actions()[position]).center()
    QTest.mouseClick(menu, LEFT, NONE, at)


def test_the_menu_of_a_class_selects_isolates_and_hides(legend, told, menu_of):
    legend.select_requested.connect(lambda index: told.append(("select", index)))
    click(menu_of(2), 0)
    click(menu_of(1), 2)
    click(menu_of(3), 1)
    assert told == [("select", 2), [0, 2, 3], [3]]
    menu = menu_of(1)
    assert not menu.actions()[0].isEnabled()
    assert "hidden" in menu.actions()[0].toolTip()
    assert [a.text() for a in menu.actions()][2] == "Show"
    menu.close()
    menu = menu_of(3)
    assert menu.actions()[1].text() == "Show all classes"
    menu.close()


def test_no_menu_beside_the_classes(legend):
    at = QPoint(legend.chips.width() - 2, legend.chips.height() + 40)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, at)
    QApplication.sendEvent(legend.chips.viewport(), event)
    assert QApplication.activePopupWidget() is None


def test_each_chip_has_room_for_its_words_where_there_is_any(legend):
    names = ["Coat", "T-shirt/top", "Pullover", "Dress"]
    legend.resize(400, 200)
    legend.set_classes(names, [0] * 4)
    legend.grab()
    legend.set_classes(names, [9, 819, 1768, 656])
    legend.grab()
    metrics = legend.chips.fontMetrics()
    for index in range(4):
        words = legend.chips.item(index).text()
        room = rect(legend, index).width() - legend.chips.iconSize().width()
        assert room >= metrics.horizontalAdvance(words)
