"""What the gallery shows and offers, and selecting by what images have in common."""

from __future__ import annotations

from functools import partial

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QInputDialog, QLineEdit, QMenu

from napari_spaceediting.editing.image_edits import Pin, Relabel
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.map.panel import LEAST_SURE
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.status import TO_DECIDE
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import save_session

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def select(window, key: str) -> np.ndarray:
    """Choose from the menu *Select*, and return what is selected."""
    panel = window.panels.map
    QTest.mouseClick(panel.select_button, LEFT)
    menu = panel.select_menu
    (action,) = (action for action in menu.actions() if action.data() == key)
    QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(action).center())
    return window.state.selected


def menu_on(window, indices) -> QMenu:
    """Open the menu of the gallery on some images."""
    window.state.select(np.array(indices))
    grid = window.bench.gallery.grid
    grid.context_requested.emit(np.array(indices), grid.mapToGlobal(QPoint(9, 9)))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def entry(menu: QMenu, text: str):
    (action,) = (a for a in menu.actions() if a.text().startswith(text))
    return action


def choose_in(box, key: str) -> None:
    """Choose in a combo box by the keyboard."""
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Home)
    while box.currentData() != key:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() > before


def guesses(window) -> np.ndarray:
    return window.session.shown.network.predictions.probabilities


def test_images_are_selected_by_their_state(window):
    labels, movable = window.session.edits.labels, window.movable
    taken_for = guesses(window).argmax(axis=1)
    expected = movable[(labels[movable] >= 0) & (taken_for != labels)[movable]]
    assert select(window, "disagree").tolist() == expected.tolist()
    unlabelled = movable[labels[movable] < 0]
    assert select(window, "unlabelled").tolist() == unlabelled.tolist()
    assert select(window, "all").tolist() == movable.tolist()

    unsure = select(window, "unsure")
    sure = guesses(window).max(axis=1)
    others = np.setdiff1d(movable, unsure)
    assert len(unsure) == LEAST_SURE
    assert sure[unsure].max() <= sure[others].min()

    window.bench.map.naming.apply(Pin(movable[:2], "3"))
    assert select(window, "edited").tolist() == movable[:2].tolist()


def test_what_the_legend_hides_is_not_selected(window):
    window.bench.map.colour_by("label")
    chips = window.panels.map.legend.chips
    window.unfold("map")
    QApplication.processEvents()
    place = chips.visualItemRect(chips.item(3)).center()
    QTest.mouseClick(chips.viewport(), LEFT, NONE, place)
    labels = window.session.edits.labels
    assert select(window, "all").tolist() == [
        at for at in window.movable.tolist() if labels[at] != 3
    ]


def test_the_legend_selects_its_classes(window):
    window.bench.map.colour_by("prediction")
    window.panels.map.legend.select_requested.emit(4)
    taken_for = guesses(window).argmax(axis=1)
    assert window.state.selected.tolist() == [
        at for at in window.movable.tolist() if taken_for[at] == 4
    ]


def test_images_are_sorted_by_how_much_label_and_network_disagree(window):
    select(window, "all")
    choose_in(window.bench.gallery.bar.sorts, "disagreement")
    items = window.bench.gallery.grid.items
    labels = window.session.edits.labels[items]
    known = labels >= 0
    n_known = int(known.sum())
    assert known[:n_known].all(), "unlabelled images come last"
    believed = guesses(window)[items[:n_known], labels[:n_known]]
    assert (np.diff(believed) >= 0).all()


def test_what_was_lassoed_stays_while_some_of_it_is_worked_on(window):
    group = window.movable[:6]
    window.state.select(group)
    grid = window.bench.gallery.grid
    window.click(grid._tile(1).center(), widget=grid.viewport())
    window.key("c")
    window.type("5")
    assert window.session.state.log.done[0].indices.tolist() == [group[1]]
    assert grid.items.tolist() == group.tolist()
    assert grid.selected.tolist() == [group[1]]
    QTest.keyClick(grid, Qt.Key.Key_Escape)
    assert not len(window.state.selected)
    assert grid.items.tolist() == group.tolist()
    choose_in(window.bench.gallery.bar.sources, "selection")
    window.bench.gallery.bar.sources.activated.emit(0)
    assert not len(grid.items), "asked for anew, it is what is selected now"


def test_the_nearest_stay_while_one_of_them_is_chosen(window):
    window.state.select(window.movable[:1])
    grid = window.bench.gallery.grid
    window.bench.galleries.find_similar()
    near = grid.items.tolist()
    held_out = window.session.dataset.held_out[near]
    at = int(np.flatnonzero(~held_out)[0])
    window.click(grid._tile(at).center(), widget=grid.viewport())
    window.bench.map.naming.apply(Pin(window.state.selected, "3"))
    assert grid.items.tolist() == near


def test_entries_of_the_menu_say_why_they_are_closed(window):
    menu = menu_on(window, window.held_out[:2])
    assert "Held-out" in entry(menu, "Pin").toolTip()
    assert not entry(menu, "Pin").isEnabled()
    assert entry(menu, "Relabel").isEnabled()
    menu.close()

    labels = window.session.edits.labels
    threes = window.movable[labels[window.movable] == 3][:2]
    menu = menu_on(window, threes)
    assert entry(menu, "Pin").isEnabled()
    classes = entry(menu, "Show what would make them").menu()
    closed = [action for action in classes.actions() if not action.isEnabled()]
    assert [action.text() for action in closed] == ["3"]
    assert "Already" in closed[0].toolTip()
    menu.close()


def test_while_a_round_awaits_a_decision_the_menu_says_so(window):
    window.take_round(RoundStatus.PROPOSED)
    menu = menu_on(window, window.movable[:1])
    for text in ("Pin", "Relabel"):
        assert not entry(menu, text).isEnabled()
        assert entry(menu, text).toolTip() == TO_DECIDE
    menu.close()


def test_an_empty_gallery_says_what_to_do(make_window, saved):
    window = make_window()
    assert "open some" in window.bench.gallery.grid.empty_text
    window.open(saved)
    assert "lasso" in window.bench.gallery.grid.empty_text


def test_a_single_image_is_shown_with_those_around_it(window):
    camera = window.viewer.scene.camera
    image = int(window.loners(window.movable)[-1])
    window.map.zoom_to_fit(None)
    whole = camera.zoom
    menu = menu_on(window, [image])
    at = menu.actionGeometry(entry(menu, "Show on the map")).center()
    QTest.mouseClick(menu, LEFT, NONE, at)
    assert camera.zoom > 1.5 * whole
    width, height = window.map.viewport.size
    place = window.of_image(image)
    assert 0 < place.x() < width
    assert 0 < place.y() < height
    window.state.select(np.empty(0, np.int64))
    window.key("f")
    assert camera.zoom == whole


# Keys of classes


def test_one_key_names_the_image_in_the_frame_and_goes_on(window):
    labels = window.session.edits.labels
    group = window.movable[labels[window.movable] < 0][:4]
    window.state.select(group)
    grid, gallery = window.bench.gallery.grid, window.bench.gallery
    grid.setFocus()
    QTest.keyClick(grid, "3")
    assert not window.session.state.log.done, "there was no frame yet"
    assert grid.current == group[0]
    for key in "37":
        # No event is processed between two keys.
        QTest.keyClick(grid, key)
    edits = window.session.state.log.done
    assert [type(edit) for edit in edits] == [Relabel, Relabel]
    assert window.session.edits.labels[group].tolist() == [3, 7, -1, -1]
    assert grid.current == group[2]
    assert window.state.selected.tolist() == [group[2]]
    assert grid.items.tolist() == group.tolist(), "all stay where they are"
    assert gallery.count == "7: 2 of 4 named"
    # What is named already is skipped.
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, "4")
    assert grid.current == group[2]
    for _ in range(2):
        QTest.keyClick(grid, "1")
    assert grid.current == group[3], "the last one keeps the frame"
    assert gallery.count == "1: 4 of 4 named"


def test_a_wrong_key_is_taken_back_by_one(window):
    group = window.movable[:3]
    before = window.session.edits.labels[group].tolist()
    window.state.select(group)
    grid = window.bench.gallery.grid
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    for key in "12":
        QTest.keyClick(grid, key)
    QTest.keyClick(grid, Qt.Key.Key_Backspace)
    assert grid.current == group[1]
    QTest.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert grid.current == group[0]
    assert window.session.edits.labels[group].tolist() == before
    assert window.session.state.habits.paces["single"].n_answers == 0
    assert "named" not in window.bench.gallery.count


def test_keys_name_nothing_while_the_focus_is_elsewhere(window):
    window.state.select(window.movable[:3])
    gallery = window.bench.gallery
    gallery.grid.setFocus()
    QTest.keyClick(gallery.grid, Qt.Key.Key_Home)
    for elsewhere in (gallery.bar.sorts, gallery.bar.size_slider, window.canvas):
        elsewhere.setFocus()
        QTest.keyClick(elsewhere, "3")
    assert not window.session.state.log.done
    QTest.mouseClick(gallery.class_keys.buttons["3"], LEFT)
    assert len(window.session.state.log.done) == 1, "a button does as its key"
    assert gallery.focusWidget() is gallery.grid


def test_while_a_round_awaits_a_decision_keys_say_so(window, messages):
    window.take_round(RoundStatus.PROPOSED)
    window.state.select(window.movable[:3])
    grid = window.bench.gallery.grid
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, "3")
    assert messages == [TO_DECIDE]
    assert grid.current == window.movable[0]


def test_held_out_images_are_named_to_be_measured(window):
    window.state.select(window.held_out[:2])
    grid = window.bench.gallery.grid
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, "6")
    assert window.session.edits.labels[window.held_out[0]] == 6


def test_images_are_sorted_by_how_doubtful_they_are(window):
    select(window, "all")
    choose_in(window.bench.gallery.bar.sorts, "margin")
    best = np.sort(guesses(window)[window.bench.gallery.grid.items], axis=1)
    assert (np.diff(best[:, -1] - best[:, -2]) >= 0).all()


def test_another_key_is_chosen_in_the_legend_and_kept(window, tmp_path):
    window.bench.map.colour_by("label")
    window.unfold("map")
    legend, gallery = window.panels.map.legend, window.bench.gallery
    legend._ask_key(3)
    dialog = legend.findChild(QInputDialog)
    window.wait(dialog.isVisible)
    QTest.keyClicks(dialog.findChild(QLineEdit), "q")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert legend.chips.item(3).text().endswith("[Q]")
    window.state.select(window.movable[:2])
    gallery.grid.setFocus()
    QTest.keyClick(gallery.grid, Qt.Key.Key_Home)
    QTest.keyClick(gallery.grid, "q")
    assert window.session.edits.labels[window.movable[0]] == 3
    save_session(window.session.state, tmp_path / "keys.spaceediting")
    window.open(tmp_path / "keys.spaceediting")
    assert set(gallery.class_keys.buttons) == {*"012456789", "Q"}


def test_a_key_of_guidance_is_refused(window, messages):
    window.panels.map.legend.key_chosen.emit(3, "Y")
    assert messages[0].startswith("Y is a key of Guidance itself")
    assert window.session.edits.traits == {}


def test_images_are_rejected_in_the_gallery_by_key_and_by_menu(window):
    images, grid = window.movable[:2], window.bench.gallery.grid
    window.state.select(images)
    grid.setFocus()
    for key, are_out in ((Qt.Key.Key_X, True), (Qt.Key.Key_X, False)):
        window.key(key, widget=grid)
        assert window.session.edits.rejected[images].all() == are_out
    menu_on(window, images)
    for title, are_out in (("Reject", True), ("Restore", False)):
        entry(menu_on(window, images), title).trigger()
        assert window.session.edits.rejected[images].all() == are_out


def test_keys_of_many_classes_leave_the_images_their_room(shown, told, qtbot):
    gallery = shown(ImageGallery, pictures=Pictures())
    named = told(gallery.named)
    names = [f"a class with a long name, number {number}" for number in range(9)]
    gallery.class_keys.show_classes(names, [*"123456789"])

    def is_so(are_there):
        return gallery.class_keys.isVisible() == are_there

    for height, are_there in ((700, True), (160, False), (700, True)):
        gallery.resize(900, height)
        qtbot.waitUntil(partial(is_so, are_there))
        gallery.grid.setFocus()
        QTest.keyClick(gallery.grid, "3")
    assert named == [(2,)] * 3, "keys work all the same"
