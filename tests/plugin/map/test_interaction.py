"""The map under real mouse and key events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers._layer_actions import _duplicate_layer
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QToolTip

from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel
from napari_spaceediting.plugin.gallery.bar import NEAREST, SELECTION

SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
LEFT = Qt.MouseButton.LeftButton


def cluster(window, among, count=6):
    """Return the image amid others, and those within a small box around it."""
    pixels = window.map.viewport.to_canvas(window.places)
    width, height = window.map.viewport.size
    inside = ((pixels > 60) & (pixels < [width - 60, height - 60])).all(axis=1)
    among = among[inside[among]]
    offsets = np.abs(pixels[among][:, None] - pixels[among][None]).max(axis=2)
    near = np.sort(offsets, axis=1)[:, count]
    middle = among[near.argmin()]
    return among[offsets[near.argmin()] <= near.min()], middle


def within(window, corners):
    """Return the images within a box on the canvas."""
    pixels = window.map.viewport.to_canvas(window.places)
    box = np.array([[corner.x(), corner.y()] for corner in corners])
    lowest, highest = box.min(axis=0), box.max(axis=0)
    return np.flatnonzero(((pixels > lowest) & (pixels < highest)).all(axis=1))


# Hovering


def has_card(window, image):
    """Return whether the tooltip that is shown, if any, is that of an image."""
    name = str(window.session.dataset.ids[image])
    return QToolTip.isVisible() and name in QToolTip.text()


def hover(window, image):
    """Hover an image anew where something else was hovered since, or its card hid."""
    if not window.bench.map._dwell.isActive():
        window.map.hovered.emit(-1)
        window.map.hovered.emit(image)


def test_hover_shows_ring_then_card_and_hides(window):
    image = window.loners(window.movable)[0]
    seen = []
    window.map.hovered.connect(lambda _: seen.append(has_card(window, image)))
    window.move(window.of_image(image))
    window.wait(lambda: window.map.overlay.scene.hovered is not None)
    assert np.array_equal(window.map.overlay.scene.hovered, window.places[image])
    assert not seen[0]
    window.wait(lambda: has_card(window, image))
    window.move(window.empty_ground())
    window.wait(lambda: not has_card(window, image))
    assert window.map.overlay.scene.hovered is None


def test_no_card_pops_up_while_dragging(window):
    image = window.loners(window.movable)[0]
    start = window.of_image(image)
    window.move(start)
    window.wait(lambda: has_card(window, image))
    window.drag(start, start + QPoint(60, 40), let_go=False)
    assert not has_card(window, image)
    window.release(start + QPoint(60, 40))
    window.answer(Qt.Key.Key_Escape)


# Selecting


def test_click_selects_and_fills_the_gallery(window):
    one, other = window.loners(window.movable)[:2]
    window.click(window.of_image(one))
    assert window.state.selected.tolist() == [one]
    assert window.bench.gallery.grid.items.tolist() == [one]
    assert window.bench.gallery.bar.source == SELECTION
    window.click(window.of_image(other))
    assert window.state.selected.tolist() == [other]
    window.click(window.empty_ground())
    assert not len(window.state.selected)
    assert not len(window.bench.gallery.grid.items)


def test_shift_and_control_add_and_take(window):
    one, other = window.loners(window.movable)[:2]
    window.click(window.of_image(one))
    window.click(window.of_image(other), SHIFT)
    assert window.state.selected.tolist() == sorted([one, other])
    window.click(window.of_image(one), CONTROL)
    assert window.state.selected.tolist() == [other]
    window.click(window.of_image(one), CONTROL)
    assert window.state.selected.tolist() == sorted([one, other])
    # A click that adds nothing takes nothing.
    window.click(window.empty_ground(), SHIFT)
    assert len(window.state.selected) == 2


def test_lasso_adds_with_shift_and_takes_with_control(window):
    first, _ = cluster(window, window.movable)
    window.key(Qt.Key.Key_L)
    assert window.panels.map.tool_buttons["lasso"].isChecked()
    way = window.around(first)
    window.stroke([*way, way[0]])
    inside = np.setdiff1d(within(window, way), window.held_out)
    assert len(inside) >= 6
    assert window.state.selected.tolist() == inside.tolist()

    other = np.setdiff1d(window.loners(window.movable)[:1], inside)
    more = window.around(other)
    window.stroke([*more, more[0]], SHIFT)
    added = np.setdiff1d(within(window, more), window.held_out)
    assert window.state.selected.tolist() == np.union1d(inside, added).tolist()

    window.stroke([*way, way[0]], CONTROL)
    left = np.setdiff1d(added, inside)
    assert window.state.selected.tolist() == left.tolist()
    assert not len(window.map.overlay.scene.outline)


def test_an_outline_can_begin_on_an_image(window):
    _, middle = cluster(window, window.movable)
    window.key(Qt.Key.Key_B)
    start = window.of_image(middle)
    corner = start + QPoint(40, 40)
    window.stroke([start - QPoint(2, 2), start + QPoint(20, 30), corner])
    box = [start - QPoint(2, 2), corner]
    expected = np.setdiff1d(within(window, box), window.held_out)
    assert middle in expected
    assert window.state.selected.tolist() == expected.tolist()
    assert not window.session.state.log.done
    # What is selected is moved with any tool.
    window.drag(start, start + QPoint(50, 0))
    window.answer(Qt.Key.Key_0, Qt.Key.Key_Escape)


def test_box_tool_selects_what_is_inside(window):
    images, _ = cluster(window, window.movable, 12)
    window.unfold("map")
    QTest.mouseClick(window.panels.map.tool_buttons["box"], LEFT)
    assert window.map.tool == "box"
    way = window.around(images, 14)
    window.stroke([way[0], way[1], way[2]])
    expected = np.setdiff1d(within(window, way), window.held_out)
    assert window.state.selected.tolist() == expected.tolist()
    window.key(Qt.Key.Key_M)
    assert window.panels.map.tool_buttons["move"].isChecked()
    window.key(Qt.Key.Key_Escape)
    assert not len(window.state.selected)


def test_shift_draws_a_lasso_with_the_move_tool(window):
    images, _ = cluster(window, window.movable)
    way = window.around(images)
    window.stroke([*way, way[0]], SHIFT)
    expected = np.setdiff1d(within(window, way), window.held_out)
    assert window.state.selected.tolist() == expected.tolist()


def test_held_out_images_join_a_lasso_only_when_asked(window):
    images, _ = cluster(window, np.arange(len(window.places)), 30)
    way = window.around(images)
    inside = within(window, way)
    held_out = np.intersect1d(inside, window.held_out)
    assert len(held_out)
    window.key(Qt.Key.Key_L)
    window.stroke([*way, way[0]])
    assert not np.isin(window.state.selected, held_out).any()
    window.unfold("map")
    window.panels.map.held_out_check.click()
    window.stroke([*way, way[0]], SHIFT)
    assert np.isin(held_out, window.state.selected).all()


def test_alt_drag_stays_with_napari(window):
    images, _ = cluster(window, window.movable)
    way = window.around(images)
    window.key(Qt.Key.Key_L)
    window.stroke([*way, way[0]], ALT)
    assert not len(window.state.selected)
    assert not window.session.state.log.done


# Moving


def test_drag_asks_for_the_class_and_moves(window):
    image = window.loners(window.movable)[0]
    start = window.of_image(image)
    by = QPoint(80, -50)
    was = window.places[image].copy()
    window.drag(start, start + by, let_go=False)
    scene = window.map.overlay.scene
    assert scene.drag_text
    zoom = window.map.viewport.zoom
    expected = was + np.array([by.y(), by.x()]) / zoom
    assert np.allclose(scene.dragged.ends, expected, atol=1.5 / zoom)
    window.release(start + by)
    window.answer(Qt.Key.Key_3, Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Move)
    assert (edit.intent, edit.tag) == (Intent.BELONGS, "3")
    assert edit.indices.tolist() == [image]
    assert np.allclose(window.places[image], expected, atol=1.5 / zoom)
    assert np.allclose(window.map.layer.data[image], window.places[image])
    assert len(window.map.overlay.scene.edited.ends) == 1
    assert not len(window.map.overlay.scene.dragged.ends)


def test_a_selection_is_dragged_by_an_image_that_another_one_lies_over(window):
    images, middle = cluster(window, window.movable)
    far = window.loners(np.setdiff1d(window.movable, images))[:1]
    away = np.linalg.norm(window.places[images] - window.places[middle], axis=1)
    beneath = images[np.argsort(away)[1:2]]
    window.viewer.scene.camera.zoom *= 0.3
    chosen = np.sort(np.append(beneath, far))
    window.state.select(chosen)
    at = window.of_image(middle)
    window.drag(at, at + QPoint(60, 40))
    window.answer(Qt.Key.Key_3, Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert edit.indices.tolist() == chosen.tolist()


def test_dismissing_the_question_puts_it_back(window):
    image = window.loners(window.movable)[0]
    start, before = window.of_image(image), window.session.state
    window.drag(start, start + QPoint(80, 50))
    window.answer(Qt.Key.Key_Escape)
    assert window.session.state is before
    assert not len(window.map.overlay.scene.dragged.ends)
    # A drag back to where it began moves nothing; nothing of it is left over.
    window.stroke([start, start + QPoint(60, 0), start])
    assert not window.bench.map.naming.picker.isVisible()
    assert window.session.state is before
    assert not len(window.map.overlay.scene.dragged.ends)


def test_arrange_by_keyboard(window):
    image = window.loners(window.movable)[0]
    start = window.of_image(image)
    window.drag(start, start + QPoint(80, 50))
    picker = window.bench.map.naming.picker
    window.wait(picker.isVisible)
    suggested = picker.options.currentRow()
    for key, row in ((Qt.Key.Key_B, suggested), (Qt.Key.Key_A, -1)):
        QTest.keyClick(QApplication.focusWidget() or picker, key, ALT)
        assert picker.options.currentRow() == row, "no class is chosen to arrange"
    window.answer(Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert (edit.intent, edit.tag) == (Intent.ARRANGE, None)


def test_held_out_images_are_not_moved(window, messages):
    image = window.loners(window.held_out)[0]
    start, before = window.of_image(image), window.session.state
    window.click(start)
    assert window.state.selected.tolist() == [image]
    assert not messages
    window.drag(start, start + QPoint(80, 50))
    assert len(messages) == 1
    assert "held out" in messages[0]
    assert window.session.state is before
    assert not window.bench.map.naming.picker.isVisible()
    window.key(Qt.Key.Key_C)
    assert len(messages) == 2
    window.key(Qt.Key.Key_R)
    window.answer(Qt.Key.Key_4, Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Relabel)
    assert edit.tag == "4"


def test_a_new_class_is_named_by_typing(window):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    window.key(Qt.Key.Key_C)
    window.type("scrawl")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Pin)
    assert window.session.edits.class_names[-1] == "scrawl"
    assert "scrawl" in window.panels.map.legend.names
    assert len(window.map.overlay.scene.pinned.places) == 1


def test_an_image_between_two_classes_is_named_so(window):
    image = window.loners(window.movable)[0]
    start, session = window.of_image(image), window.session
    window.drag(start, start + QPoint(80, 50))
    picker = window.bench.map.naming.picker
    window.wait(picker.isVisible)
    QTest.keyClick(QApplication.focusWidget() or picker, "3")
    QTest.keyClick(QApplication.focusWidget() or picker, Qt.Key.Key_T, ALT)
    QTest.keyClick(picker.between.second, "5")
    window.answer(Qt.Key.Key_Return)
    (edit,) = session.state.log.done
    assert isinstance(edit, Move)
    assert (edit.tag, dict(edit.also)) == ("3", {"5": 0.4})
    assert session.edits.labels[image] == 3
    window.unfold("edits")
    rows = window.panels.edits.list
    assert rows.item(0).text() == "Moved 1 image to 3 60, 5 40"
    window.wait(lambda: has_card(window, image) or hover(window, image))
    assert "<b>3 60, 5 40</b>" in QToolTip.text()
    window.key(Qt.Key.Key_Z, CONTROL)
    assert session.edits.soft_labels is None
    window.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert session.edits.soft_labels[image].tolist()[3:6] == pytest.approx(
        [0.6, 0, 0.4]
    )


def test_a_part_of_a_class_gets_a_name(window, messages):
    labels = window.session.edits.labels
    of_four, of_two = (window.movable[labels[window.movable] == k] for k in (4, 2))
    window.unfold("edits")
    window.state.select(np.r_[of_four[:2], of_two[:1]])
    QTest.mouseClick(window.panels.edits.part_button, LEFT)
    assert "not of one class" in messages[-1]
    window.state.select(of_four[:3])
    QTest.mouseClick(window.panels.edits.part_button, LEFT)
    window.type("open")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Relabel)
    assert (edit.tag, edit.indices.tolist()) == ("4: open", of_four[:3].tolist())
    assert "4: open" in window.panels.map.legend.names


def test_panning_works_on_empty_ground(window):
    camera = window.viewer.scene.camera
    before = np.array(camera.center[-2:])
    start = window.empty_ground()
    window.drag(start, start + QPoint(60, 30))
    moved = np.array(camera.center[-2:]) - before
    assert np.allclose(moved, -np.array([30, 60]) / camera.zoom, rtol=0.35)
    assert not window.session.state.log.done
    window.key(Qt.Key.Key_F)
    assert np.allclose(camera.center[-2:], before, atol=20 / camera.zoom)


def test_undo_and_redo_by_keys_from_map_and_panel(window):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    window.key(Qt.Key.Key_C)
    window.answer(Qt.Key.Key_2, Qt.Key.Key_Return)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert not window.session.state.log.done
    window.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert len(window.session.state.log.done) == 1
    window.key(Qt.Key.Key_Z, CONTROL, window.editor)
    assert not window.session.state.log.done


# napari around it


def test_three_dimensions_hide_the_overlay(window):
    overlay = window.map.overlay
    assert overlay.isVisible()
    window.viewer.dims.ndisplay = 3
    assert not overlay.isVisible()
    assert not window.map.is_active
    window.viewer.dims.ndisplay = 2
    assert overlay.isVisible()
    assert window.map.is_active


def test_a_transposed_or_hidden_map_hides_the_overlay(window):
    overlay = window.map.overlay
    window.viewer.dims.transpose()
    assert not overlay.isVisible()
    window.viewer.dims.transpose()
    assert overlay.isVisible()
    window.map.layer.visible = False
    assert not overlay.isVisible()
    window.map.layer.visible = True
    assert overlay.isVisible()


def test_another_active_layer_is_left_alone(window):
    shape = (40, 40)
    labels = window.viewer.add_labels(np.zeros(shape, int))
    labels.scale = np.ptp(window.places, axis=0) / shape
    labels.translate = window.places.min(axis=0)
    labels.mode = "paint"
    labels.selected_label = 3
    middle = window.pixel(window.places.mean(axis=0))
    before = window.session.state
    window.drag(middle, middle + QPoint(60, 40))
    assert (np.asarray(labels.data) == 3).any()
    assert window.session.state is before
    assert not len(window.state.selected)
    window.key(Qt.Key.Key_L)
    assert window.map.tool == "move"
    window.key(Qt.Key.Key_Z, CONTROL)
    assert not np.asarray(labels.data).any()


def test_points_cannot_be_added_or_deleted(window, messages):
    layer, before = window.map.layer, window.map.layer.data.copy()
    layer.add([[0, 0]])
    assert np.array_equal(layer.data, before)
    assert len(messages) == 1
    layer.selected_data = {0, 1, 2}
    layer.remove_selected()
    assert np.array_equal(layer.data, before)
    assert len(messages) == 2
    layer.selected_data = {3}
    window.key(Qt.Key.Key_Delete)
    assert np.array_equal(layer.data, before)
    assert len(layer.face_color) == len(layer.size) == len(before)
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    assert window.state.selected.tolist() == [image]


def test_a_deleted_map_comes_back_as_it_was(window, messages):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    window.key(Qt.Key.Key_C)
    window.answer(Qt.Key.Key_2, Qt.Key.Key_Return)
    gone = window.map.layer
    window.viewer.layers.remove(gone)
    window.wait(lambda: window.map.layer is not None)
    assert window.map.layer is not gone
    assert len(messages) == 1
    assert np.array_equal(window.map.layer.data, window.places)
    assert window.map.selected.tolist() == [image]
    assert window.map.is_active
    window.key(Qt.Key.Key_Z, CONTROL)
    assert not window.session.state.log.done


def test_a_renamed_or_copied_map_works_on(window):
    window.map.layer.name = "elsewhere"
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    assert window.state.selected.tolist() == [image]
    _duplicate_layer(window.viewer.layers)
    assert len(window.viewer.layers) == 2
    assert len(window.viewer.layers[1].data) == len(window.places)


# Looks


def test_hidden_classes_cannot_be_picked(window):
    window.bench.map.colour_by("label")
    labels = window.session.edits.labels
    labelled = window.movable[labels[window.movable] >= 0]
    image = window.loners(labelled)[0]
    group = int(labels[image])
    window.unfold("map")
    QApplication.processEvents()
    chips = window.panels.map.legend.chips
    centre = chips.visualItemRect(chips.item(group)).center()
    QTest.mouseClick(chips.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, centre)
    assert window.map.layer.face_color[image, 3] == 0
    window.click(window.of_image(image))
    assert image not in window.state.selected
    # Everything, but for what is hidden.
    pixels = window.map.viewport.to_canvas(window.places)
    window.bench.map.set_tool("box")
    size = window.canvas.size()
    window.stroke(
        [QPoint(1, 1), QPoint(50, 50), QPoint(size.width() - 2, size.height() - 2)]
    )
    assert len(window.state.selected)
    assert not (labels[window.state.selected] == group).any()
    assert len(pixels)
    QTest.mouseClick(chips.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, centre)
    assert window.map.layer.face_color[image, 3] > 0


def test_images_are_coloured_by_every_key(window):
    combo = window.panels.map.colour_combo
    keys = [combo.itemData(row) for row in range(combo.count())]
    assert {"label", "prediction", "confidence", "column:truth"} <= set(keys)
    seen = set()
    for row, key in enumerate(keys):
        combo.setCurrentIndex(row)
        combo.activated.emit(row)
        assert window.bench.map.colour_key == key
        if key == "clusters":
            window.wait(lambda: window.bench.map.clustering.clusters is not None)
        colours = window.map.cloud.colours
        assert colours.shape == (len(window.places), 4)
        assert np.isfinite(colours).all()
        seen.add(colours.tobytes())
    assert len(seen) == len(keys)


def test_thumbnails_never_overlap_and_can_be_switched_off(window):
    camera = window.viewer.scene.camera
    for zoom in (1.1, 2, 6):
        with window.new_pictures():
            camera.zoom = camera.zoom * zoom
        scene = window.map.overlay.scene
        assert scene.pictures
        places = np.array([picture.place for picture in scene.pictures])
        pixels = window.map.viewport.to_canvas(places)
        offsets = np.abs(pixels[:, None] - pixels[None]).max(axis=2)
        np.fill_diagonal(offsets, np.inf)
        assert offsets.min() >= scene.side
    window.key(Qt.Key.Key_T)
    assert not window.map.overlay.scene.pictures
    assert not window.panels.map.thumbnails_check.isChecked()
    window.key(Qt.Key.Key_T)
    assert window.map.overlay.scene.pictures


# The gallery


def tile(window, position):
    return window.bench.gallery.grid._tile(position).center()


def test_gallery_and_map_select_for_each_other(window):
    images, _ = cluster(window, window.movable)
    window.key(Qt.Key.Key_L)
    way = window.around(images)
    window.stroke([*way, way[0]])
    grid = window.bench.gallery.grid
    chosen = window.state.selected
    assert grid.items.tolist() == chosen.tolist()
    assert sorted(grid.selected.tolist()) == chosen.tolist()
    window.click(tile(window, 1), widget=grid.viewport())
    assert window.state.selected.tolist() == [chosen[1]]
    assert window.map.selected.tolist() == [chosen[1]]
    assert np.allclose(
        window.map.overlay.scene.selected.places, window.places[[chosen[1]]]
    )
    # What was chosen from stays, so that another can be chosen.
    assert grid.items.tolist() == chosen.tolist()
    window.move(tile(window, 2), widget=grid.viewport())
    ring = window.map.overlay.scene.hovered
    assert np.array_equal(ring, window.places[chosen[2]])


def test_a_click_on_the_tile_of_a_clicked_point_shows_it_large(window):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    grid, compare = window.bench.gallery.grid, window.bench.gallery.compare
    window.click(tile(window, 0), widget=grid.viewport())
    assert not compare.isVisible(), "the first click puts the frame on it"
    window.click(tile(window, 0), widget=grid.viewport())
    assert compare.images.tolist() == [image]


@pytest.fixture
def context(window):
    """Return a function that chooses from the menu of the first tile."""

    def choose(text):
        grid = window.bench.gallery.grid
        grid.context_requested.emit(
            window.state.selected, grid.mapToGlobal(QPoint(9, 9))
        )
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        (action,) = [a for a in menu.actions() if a.text().startswith(text)]
        menu.setActiveAction(action)
        QTest.keyClick(menu, Qt.Key.Key_Return)
        QApplication.processEvents()

    return choose


def test_context_menu(window, context):
    one, other = window.loners(window.movable)[:2].tolist()
    window.click(window.of_image(one))
    window.click(window.of_image(other), SHIFT)
    context("Pin")
    window.answer(Qt.Key.Key_5, Qt.Key.Key_Return)
    context("Relabel")
    window.answer(Qt.Key.Key_6, Qt.Key.Key_Return)
    kinds = [type(edit) for edit in window.session.state.log.done]
    assert kinds == [Pin, Relabel]
    context("Name this part")
    window.type("round")
    assert window.session.state.log.done[-1].tag == "6: round"
    zoom = window.viewer.scene.camera.zoom
    context("Show on the map")
    assert window.viewer.scene.camera.zoom != zoom
    context("Find similar")
    assert window.bench.gallery.bar.source == NEAREST
    context("Open the original")
    layer = window.viewer.layers[str(window.session.dataset.ids[min(one, other)])]
    original = window.session.dataset.original(min(one, other))
    assert np.array_equal(layer.data, original)
    assert window.map.is_active


def test_a_smaller_session_replaces_the_one_that_is_open(
    window, trained_session, tmp_path: Path
):
    from napari_spaceediting.jobs.job import run_job
    from napari_spaceediting.network.spec import TrainSettings
    from napari_spaceediting.projection.settings import MapSettings
    from napari_spaceediting.session.session import new_session
    from napari_spaceediting.session.storage import save_session

    small = new_session(
        trained_session.dataset.subset(np.arange(80)),
        train=TrainSettings(epochs=1, device="cpu"),
        map_settings=MapSettings(method="pca"),
    )
    small.take_network(run_job(small.training()))
    small.take_map(run_job(small.mapping()))
    save_session(small.state, tmp_path / "small.spaceediting")
    window.state.select(np.array([299]))
    window.open(tmp_path / "small.spaceediting")
    assert len(window.map.layer.data) == 80
    assert not len(window.map.selected)
    assert window.viewer.layers.index(window.map.layer) == 0
    assert len(window.viewer.layers) == 1
