"""What is read from napari's layer of the map, whoever moves its points."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_spaceediting.editing.image_edits import Move, Pin
from napari_spaceediting.plugin.state import Past
from napari_spaceediting.session.state import RoundStatus

CONTROL = Qt.KeyboardModifier.ControlModifier
THREE, ENTER, ESCAPE = Qt.Key.Key_3, Qt.Key.Key_Return, Qt.Key.Key_Escape


@pytest.fixture
def layer(window):
    return window.viewer.layers["Map"]


def assign(layer, images, by):
    """Move points as a script does, and return the array that it keeps."""
    data = layer.data.astype(float)
    data[images] += by
    layer.data = data
    return data


def asked(window):
    """Return the title of the question that is put, None if there is none."""
    picker = window.bench.map.naming.picker
    QApplication.processEvents()
    return picker._title.text() if picker.isVisible() else None


def answered_move(window, images, places):
    """Answer the question, and check that it makes one move that can be undone."""
    before = window.places.copy()
    window.answer(THREE, ENTER)
    edit = window.session.state.log.done[-1]
    assert isinstance(edit, Move)
    assert edit.tag == "3"
    assert edit.indices.tolist() == sorted(np.asarray(images).tolist())
    np.testing.assert_allclose(edit.end, places[edit.indices], atol=1e-5)
    np.testing.assert_array_equal(edit.start, before[edit.indices])
    for _ in range(2):
        np.testing.assert_array_equal(window.map.layer.data, window.places)
        np.testing.assert_array_equal(window.places[edit.indices], edit.end)
        window.key(Qt.Key.Key_Z, CONTROL)
        np.testing.assert_array_equal(window.places, before)
        np.testing.assert_array_equal(window.map.layer.data, before)
        window.key(Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert not window.session.state.log.done


# Scripts


def test_a_script_moves_one_image_and_many(window, layer):
    for images, title in (
        (window.movable[4:5], "Move 1 image: this is …"),
        (window.movable[10:30], "Move 20 images: these are …"),
    ):
        data = assign(layer, images, [0.5, -0.25])
        kept = data.copy()
        assert asked(window) == title
        assert not window.session.state.log.done
        drawn = window.map.overlay.scene.dragged
        np.testing.assert_allclose(drawn.ends, data[images], atol=1e-5)
        answered_move(window, images, data)
        np.testing.assert_array_equal(data, kept, "the array is the script's own")


def test_a_script_that_changes_the_data_within_is_read_when_it_is_drawn(window, layer):
    image = window.movable[7]
    layer.data[image] += 0.5
    places = layer.data.copy()
    layer.refresh()
    assert asked(window)
    answered_move(window, [image], places)


def test_moves_without_an_answer_add_up(window, layer):
    one, other = window.movable[[3, 8]]
    assign(layer, [one], 0.5)
    data = assign(layer, [one, other], 0.25)
    assert asked(window) == "Move 2 images: these are …"
    answered_move(window, [one, other], data)


def test_dismissing_the_question_puts_points_back(window, layer):
    before = layer.data.copy()
    drawn = []
    layer.events.set_data.connect(lambda: drawn.append(layer.data.copy()))
    assign(layer, window.movable[:5], 0.5)
    window.answer(ESCAPE)
    np.testing.assert_array_equal(layer.data, before)
    assert not window.session.state.log.done
    assert not len(window.map.overlay.scene.dragged.ends)
    window.wait(lambda: np.array_equal(drawn[-1], before))


# napari's own tools


def test_the_select_tool_moves_one_image_and_many(window, layer):
    image = window.loners(window.movable)[0]
    layer.mode = "select"
    start, by = window.of_image(image), QPoint(60, -40)
    expected = window.places[image] + np.array([by.y(), by.x()]) / (
        window.map.viewport.zoom
    )
    window.click(start)
    assert set(layer.selected_data) == {image}
    window.drag(start, start + by, let_go=False)
    assert asked(window) is None, "a drag that goes on is not asked about"
    window.release(start + by)
    data = layer.data.copy()
    np.testing.assert_allclose(data[image], expected, atol=0.1)
    answered_move(window, [image], data)

    layer.selected_data = set(window.loners(window.movable)[:4].tolist())
    images = sorted(layer.selected_data)
    window.drag(start, start + by)
    data = layer.data.copy()
    assert asked(window) == "Move 4 images: these are …"
    answered_move(window, images, data)
    assert layer.mode == "select"
    window.key(Qt.Key.Key_M)
    assert layer.mode == "pan_zoom"
    assert window.map.is_active


def test_arrow_keys_are_napari_s_own_and_move_no_point(window, layer):
    layer.mode = "select"
    layer.selected_data = {int(window.movable[0])}
    before = layer.data.copy()
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
        window.key(key)
    np.testing.assert_array_equal(layer.data, before)
    assert asked(window) is None


def test_a_drag_on_the_map_ends_in_the_layer(window, layer):
    image = window.loners(window.movable)[0]
    heard = []
    layer.events.data.connect(
        lambda event: heard.append((str(event.action), list(event.data_indices)))
    )
    start = window.of_image(image)
    before = layer.data.copy()
    window.drag(start, start + QPoint(80, -50), let_go=False)
    np.testing.assert_array_equal(layer.data, before)
    window.release(start + QPoint(80, -50))
    assert heard == [("changing", [image]), ("changed", [image])]
    assert (layer.data[image] != before[image]).all()
    answered_move(window, [image], layer.data.copy())


# What is not moved


def test_held_out_images_go_back_and_the_others_are_asked_about(
    window, layer, messages
):
    moved, held_out = window.movable[:3], window.held_out[:2]
    before = layer.data.copy()
    data = assign(layer, np.r_[moved, held_out], 0.5)
    assert len(messages) == 1
    assert "held out" in messages[0]
    assert asked(window) == "Move 3 images: these are …"
    np.testing.assert_array_equal(layer.data[held_out], before[held_out])
    answered_move(window, moved, data)
    assign(layer, held_out, 0.5)
    assert len(messages) == 2
    assert asked(window) is None
    np.testing.assert_array_equal(layer.data, before)


def test_points_that_are_no_places_go_back(window, layer, messages):
    before = layer.data.copy()
    assign(layer, window.movable[:1], np.nan)
    np.testing.assert_array_equal(layer.data, before)
    assert "must be numbers" in messages[-1]
    layer.data = before[:10]
    np.testing.assert_array_equal(layer.data, before)
    assert "none can be added or deleted" in messages[-1]
    layer.mode = "transform"
    assert layer.mode == "pan_zoom"
    assert "cannot be moved, turned or sized" in messages[-1]
    assert len(messages) == 3
    for name, value in (
        ("scale", (2, 2)),
        ("translate", (5, 0)),
        ("rotate", 30),
        ("shear", [0.5]),
        ("affine", 2 * np.eye(3)),
    ):
        setattr(layer, name, value)
        assert layer.data_to_world((1, 2)) == (1, 2), name
        assert "cannot be moved, turned or sized" in messages[-1]
    assert len(messages) == 8
    assert asked(window) is None


def test_while_a_round_waits_everything_goes_back(window, messages):
    window.take_round(RoundStatus.PROPOSED)
    layer = window.viewer.layers["Map"]
    before = layer.data.copy()
    assign(layer, window.movable[:3], 0.5)
    np.testing.assert_array_equal(layer.data, before)
    assert "Accept or roll back the last round first" in messages[-1]
    window.state.look_at(Past(window.state.shown, "The map before", window.state.shown))
    past = layer.data.copy()
    assign(layer, window.movable[:3], 0.5)
    np.testing.assert_array_equal(layer.data, past)
    assert "only to look at" in messages[-1]
    assert len(messages) == 2
    assert asked(window) is None
    assert not len(window.map.overlay.scene.dragged.ends)


def test_images_that_the_legend_hides_go_back(window, layer, messages):
    window.bench.map.colour_by("label")
    labels = window.session.edits.labels
    image = window.movable[labels[window.movable] >= 0][0]
    window.panels.map.legend.toggle(labels[image])
    other = window.movable[labels[window.movable] != labels[image]][0]
    before = layer.data.copy()
    data = assign(layer, [image, other], 0.5)
    assert "legend hides" in messages[-1]
    np.testing.assert_array_equal(layer.data[image], before[image])
    answered_move(window, [other], data)


def test_the_point_size_of_naparis_controls_counts_for_all_points(window):
    layer = window.map.layer
    before = layer.size.copy()
    layer.current_size = 20
    assert np.allclose(layer.size, 2 * before)
    assert tuple(layer.canvas_size_limits) == (12, 44)
    window.state.select(window.movable[:2])
    window.bench.map.naming.apply(Pin(window.movable[:2], "3"))
    layer.selected_data = {0, 1}
    assert np.allclose(layer.size, 2 * before)
    window.map._layer.fit()
    assert np.allclose(layer.size, 2 * before)


def test_the_opacity_of_naparis_controls_stays(window):
    layer = window.map.layer
    whole = layer.opacity
    layer.opacity = 0.6
    window.state.select(window.movable[:2])
    window.wait(lambda: layer.opacity < 0.6)
    layer.opacity = 0.5
    window.state.select(window.movable[:3])
    QApplication.processEvents()
    assert layer.opacity == 0.5, "what is chosen while others step back counts, too"
    window.state.select(window.movable[:0])
    window.wait(lambda: layer.opacity > 0.5)
    assert layer.opacity <= whole
