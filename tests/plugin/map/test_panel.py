import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spaceediting.plugin.map.panel import SELECTIONS, MapPanel

COLOURS = [("class", "Class"), ("prediction", "Prediction")]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(shown):
    panel = shown(MapPanel)
    panel.offer_colours(COLOURS, "class")
    return panel


def test_one_tool_is_in_hand(panel, qtbot, told):
    calls = told(panel.tool_changed)
    for tool in ("lasso", "box", "move"):
        qtbot.mouseClick(panel.tool_buttons[tool], LEFT)
        in_hand = [key for key, b in panel.tool_buttons.items() if b.isChecked()]
        assert in_hand == [tool]
    assert calls == [("lasso",), ("box",), ("move",)]


def test_a_tool_taken_elsewhere_is_shown_without_an_echo(panel, told):
    calls = told(panel.tool_changed)
    panel.set_tool("lasso")
    assert panel.tool_buttons["lasso"].isChecked()
    assert not panel.tool_buttons["move"].isChecked()
    assert calls == []


def test_tooltips_of_tools_name_their_keys(panel):
    assert "[L]" in panel.tool_buttons["lasso"].toolTip()


def test_colours_and_method_are_chosen(panel, qtbot, told):
    colours, redraws = told(panel.colour_by_changed), told(panel.redraw_requested)
    qtbot.keyClick(panel.colour_combo, Qt.Key.Key_Down)
    qtbot.keyClick(panel.method_combo, Qt.Key.Key_Down)
    assert redraws == []
    qtbot.mouseClick(panel.redraw_button, LEFT)
    assert colours == [("prediction",)]
    assert redraws == [("pca",)]


def test_what_is_set_from_outside_emits_nothing(panel, told):
    calls = told(panel.colour_by_changed)
    panel.offer_colours(COLOURS, "prediction")
    assert panel.colour_combo.currentData() == "prediction"
    assert calls == []


@pytest.mark.parametrize("key", [key for key, _, _ in SELECTIONS])
def test_the_menu_selects(panel, qtbot, told, key):
    panel.set_any_selected(True)
    calls = told(panel.select_requested)
    qtbot.mouseClick(panel.select_button, LEFT)
    menu = panel.select_menu
    action = next(action for action in menu.actions() if action.data() == key)
    qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
    assert calls == [(key,)]


def test_the_menu_says_what_needs_a_selection(panel, qtbot, told):
    calls = told(panel.select_requested)
    qtbot.mouseClick(panel.select_button, LEFT)
    menu = panel.select_menu
    closed = [action for action in menu.actions() if not action.isEnabled()]
    closed = [action for action in closed if not action.isSeparator()]
    assert {a.data() for a in closed} == {
        "same_class",
        "same_prediction",
        "neighbours",
        "none",
    }
    assert all("No image is selected" in action.toolTip() for action in closed)
    qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(closed[0]).center())
    assert calls == []


def test_ten_classes_need_no_scrolling_and_two_hundred_do(panel, qtbot):
    chips = panel.legend.chips
    for count, scrolls in ((10, False), (200, True)):
        names = [f"class {number}" for number in range(count)]
        panel.legend.set_classes(names, np.ones(count, int))
        qtbot.waitUntil(
            lambda scrolls=scrolls: (chips.verticalScrollBar().maximum() > 0) is scrolls
        )
    assert chips.height() < 300


def test_while_disabled_every_control_says_why(panel):
    panel.gate.close("Train a network first")
    for control in (
        *panel.tool_buttons.values(),
        panel.select_button,
        panel.redraw_button,
        panel.colour_combo,
        panel.held_out_check,
    ):
        assert not control.isEnabled()
        assert control.toolTip().startswith("Train a network first")
