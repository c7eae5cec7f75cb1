import pytest
from qtpy.QtCore import Qt

from napari_spaceediting.plugin.edits.panel import EditsPanel

LEFT = Qt.MouseButton.LeftButton
ROWS = [("Moved 3 images to Coat", True), ("Pinned 1 image", True)]


@pytest.fixture
def panel(shown):
    panel = shown(EditsPanel)
    panel.set_rows(ROWS)
    panel.set_history("Pinned 1 image", "Moved 2 images")
    panel.set_selection(3)
    return panel


def test_undo_and_redo_name_what_they_do(panel):
    assert "Pinned 1 image" in panel.undo_button.toolTip()
    assert "Moved 2 images" in panel.redo_button.toolTip()
    panel.set_history("", "")
    assert not panel.undo_button.isEnabled()
    assert "nothing to undo" in panel.undo_button.toolTip()


def test_rows_are_shown_and_deleted(panel, qtbot, told):
    jumped, deleted = told(panel.list.chosen), told(panel.list.deleted)
    view = panel.list
    at = view.visualItemRect(view.item(0)).center()
    qtbot.mouseClick(view.viewport(), LEFT, pos=at)
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    (take_out,) = view.actions()
    take_out.trigger()
    assert jumped == [(0,), (1,)]
    assert deleted == [(0,), (1,)]


def test_without_edits_it_says_what_to_do(panel):
    assert not panel._empty.isVisible()
    panel.set_rows([])
    assert panel._empty.isVisible()
    assert "Drag images" in panel._empty.text()


def test_without_a_selection_nothing_can_be_done_to_it(panel):
    panel.set_selection(0)
    for button in (
        panel.pin_button,
        panel.relabel_button,
        panel.reset_selected_button,
    ):
        assert not button.isEnabled()
        assert button.toolTip().startswith("Select images")


def test_held_out_images_can_be_relabelled_not_pinned(panel):
    panel.set_selection(2, pin_reason="2 of them are held out")
    assert not panel.pin_button.isEnabled()
    assert panel.pin_button.toolTip().startswith("2 of them are held out")
    assert panel.relabel_button.isEnabled()
    panel.set_selection(2, "A round awaits your decision")
    assert not panel.relabel_button.isEnabled()


def test_what_is_all_undone_cannot_be_reset(panel):
    panel.set_rows([("Moved 3 images", False)])
    assert not panel.reset_button.isEnabled()
    assert "no edits" in panel.reset_button.toolTip()


def test_a_contradiction_is_there_only_when_there_is_one(panel):
    parts = panel.contradiction.label, panel.contradiction.button
    assert not any(part.isVisible() for part in parts)
    panel.contradiction.show_text("One image is called two names.")
    assert all(part.isVisible() for part in parts)
    panel.contradiction.show_text("")
    assert not any(part.isVisible() for part in parts)


def test_the_list_grows_to_six_rows_and_then_scrolls(panel):
    view = panel.list
    heights = []
    for count in (2, 6, 60):
        panel.set_rows([("Moved 3 images", True)] * count)
        heights.append(view.height())
    assert heights[0] < heights[1] == heights[2]


def test_while_disabled_undo_says_why_and_comes_back(panel):
    panel.gate.close("A training is running")
    panel.set_history("Pinned 1 image", "")
    for button in (panel.undo_button, panel.pin_button, panel.reset_button):
        assert not button.isEnabled()
        assert button.toolTip().startswith("A training is running")
    panel.gate.close("")
    assert panel.undo_button.isEnabled()
    assert not panel.redo_button.isEnabled()


def test_the_newest_edit_is_in_view(panel):
    panel.set_rows([(f"Pinned {n} images", True) for n in range(20)])
    view = panel.list
    last = view.visualRect(view.model().index(19, 0))
    assert view.viewport().rect().contains(last)
