"""Images that are objects of a Labels layer: colours, table, there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.utils.colormaps import DirectLabelColormap

from napari_spaceediting.editing.classes import Rename
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.plugin.objects.source import by_label
from napari_spaceediting.session.session import Session

SIDE, ROW = 10, 20
"""Of a square object, and objects in a row."""


def segmentation(n: int) -> np.ndarray:
    """Return n squares with the numbers 1 to n."""
    data = np.zeros((SIDE * -(-n // ROW), SIDE * ROW), np.uint16)
    for number in range(n):
        top, left = SIDE * (number // ROW), SIDE * (number % ROW)
        data[top + 2 : top + 8, left + 2 : left + 8] = number + 1
    return data


@pytest.fixture
def objects(window):
    """Return the Labels layer of which the images in the window are the objects."""
    state = window.session.state
    n = len(state.dataset)
    at = np.arange(n)
    columns = {
        **state.dataset.columns,
        "plane": np.zeros(n, np.int64),
        "object": at + 1,
        "y": SIDE * (at // ROW) + 4.5,
        "x": SIDE * (at % ROW) + 4.5,
    }
    window.viewer.add_labels(np.ones((50, 50), int), name="Others", visible=False)
    layer = window.viewer.add_labels(segmentation(n), name="Nuclei", scale=(0.5, 0.5))
    dataset = replace(state.dataset, columns=columns)
    window.state.take_session(Session(replace(state, dataset=dataset)), None)
    window.bench.opening._draw_thumbnails()
    window.wait_idle()
    window.wait(lambda: len(layer.features) == n + 1)
    return layer


def test_classes_colour_the_objects_and_fill_their_table(window, objects):
    with window.hears(objects.events.colormap):
        window.bench.map.colour_by("label")
    edits = window.session.edits
    for image in (3, 40):
        wanted = window.state.class_colours[edits.labels[image]]
        np.testing.assert_allclose(objects.colormap.map(image + 1), wanted, atol=0.01)
    # napari's table has a row for each label, with that of the background.
    row = objects.features.iloc[41]
    assert row["id"] == window.session.dataset.ids[40]
    assert row["class"] == (
        edits.class_names[edits.labels[40]] if edits.labels[40] >= 0 else ""
    )
    said = window.session.shown.network.predictions.probabilities[40]
    assert row["probability"] == pytest.approx(said.max())
    with window.hears(objects.events.features):
        window.session.replay([Relabel(np.array([40]), "3"), Rename("3", "three")])
    assert objects.features.iloc[41]["class"] == "three"
    others = window.viewer.layers["Others"]
    assert not others.features.shape[1]


def test_objects_have_the_colours_of_the_map(window, objects):
    said = window.session.shown.network.predictions.probabilities.argmax(axis=1)
    labels = window.session.edits.labels
    image = int(np.flatnonzero((labels < 0) | (labels != said))[0])
    with window.hears(objects.events.colormap):
        window.bench.map.colour_by("prediction")
    wanted = window.state.class_colours[said[image]]
    np.testing.assert_allclose(objects.colormap.map(image + 1), wanted, atol=0.01)


def test_a_chosen_object_is_the_selected_image(window, objects):
    assert not len(window.state.selected), "colours choose nothing"
    objects.selected_label = 18
    assert window.state.selected.tolist() == [17]
    assert window.bench.gallery.grid.items.tolist() == [17]


def test_the_selected_image_is_shown_in_its_picture_and_back_on_the_map(
    window, objects
):
    window.state.select(np.array([45]))
    camera = window.viewer.scene.camera
    window.key("Q")
    assert objects.visible
    assert not window.map.layer.visible
    assert window.viewer.layers.selection.active is objects
    np.testing.assert_allclose(camera.center[-2:], (0.5 * 24.5, 0.5 * 54.5))
    # The next one is gone to as soon as it is selected.
    window.state.select(np.array([0]))
    np.testing.assert_allclose(camera.center[-2:], (0.5 * 4.5, 0.5 * 4.5))
    # A click on another one selects it, and moves nothing.
    window.click(window.pixel(np.array([0.5 * 4.5, 0.5 * 14.5])))
    assert window.state.selected.tolist() == [1]
    np.testing.assert_allclose(camera.center[-2:], (0.5 * 4.5, 0.5 * 4.5))
    # One key back, whichever layer is worked on.
    window.viewer.layers.selection.active = window.viewer.layers["Others"]
    window.key("Q")
    assert window.map.layer.visible
    assert not objects.visible
    assert window.map.is_active
    np.testing.assert_array_equal(window.map.selected, [1])


def test_a_layer_looks_as_it_did_when_another_session_is_opened(window, objects, saved):
    window.bench.objects.toggle()
    assert isinstance(objects.colormap, DirectLabelColormap)
    window.open(saved)
    window.wait(lambda: not isinstance(objects.colormap, DirectLabelColormap))


def test_where_there_are_no_other_layers_it_is_said(window, messages):
    window.key("Q")
    assert messages[0].startswith("There are no other layers")
    assert window.map.layer.visible


def test_few_objects_of_large_numbers_have_a_table_of_their_own():
    numbers = np.array([7, 90_000])
    table = by_label(numbers, {"class": np.array(["cat", "dog"])})
    assert table["index"].tolist() == [7, 90_000]
    table = by_label(np.array([2, 1]), {"share": np.array([0.5, 0.25])})
    np.testing.assert_array_equal(table["share"], [np.nan, 0.25, 0.5])
