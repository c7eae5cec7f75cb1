"""What can be done on a map while a better one is made."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QMessageBox, QToolTip

from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.network import estimating
from napari_spaceediting.plugin.map.naming import ONLY_PREVIEW
from napari_spaceediting.plugin.status import DRAWING
from napari_spaceediting.projection.settings import MapSettings


@pytest.fixture
def preview(make_window, monkeypatch):
    """Return a window with a first map of the digits, which no network has seen."""
    monkeypatch.setattr(estimating, "LONG", 0.0)
    window = make_window()
    window.bench.opening.open_sample("digits", 5)
    window.wait(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    QApplication.activeModalWidget().reject()
    window.wait_idle()
    window.wait(lambda: window.bench.map.view.cloud is not None)
    return window


def places_of(window):
    return window.map.cloud.places


@pytest.mark.trains
def test_images_of_a_first_map_are_seen_and_selected_but_not_edited(preview, messages):
    window = preview
    assert not window.state.has_map
    assert window.map.is_active
    pixels = window.map.viewport.to_canvas(places_of(window))
    width, height = window.map.viewport.size
    within = ((pixels > 60) & (pixels < [width - 60, height - 60])).all(axis=1)
    image = int(np.flatnonzero(within)[0])
    image = window.map.pick(places_of(window)[image])
    at = QPoint(*np.round(pixels[image]).astype(int).tolist())
    window.move(at)
    window.wait(QToolTip.isVisible)
    assert str(window.session.dataset.ids[image]) in QToolTip.text()
    window.click(at)
    assert window.state.selected.tolist() == [image]
    assert window.bench.gallery.grid.items.tolist() == [image]

    window.key(Qt.Key.Key_L)
    box = [QPoint(20, 20), QPoint(width // 2, 20)]
    box += [QPoint(width // 2, height - 20), QPoint(20, height - 20)]
    window.stroke([*box, box[0]])
    assert len(window.state.selected) > 20
    shown = window.bench.gallery.grid.items
    assert sorted(shown.tolist()) == window.state.selected.tolist()

    window.key("C")
    window.key("R")
    window.key(Qt.Key.Key_M)
    window.drag(at, at + QPoint(40, 30))
    assert set(messages) == {ONLY_PREVIEW}
    assert not window.session.state.log.done
    assert not window.map.overlay.scene.dragged.ends.size


@pytest.mark.trains
def test_images_are_relabelled_while_their_map_is_drawn(window, messages):
    session, training = window.session, window.state.training
    session.set_map_settings(MapSettings(method="umap", epochs=100_000))
    window.bench.training.draw_map("umap")
    window.wait(lambda: training.is_running)
    image = int(window.loners(window.movable)[0])
    window.click(window.of_image(image))
    window.key("R")
    window.type("newt")
    assert session.edits.class_names[session.edits.labels[image]] == "newt"
    # What is said of places would be lost.
    window.key("C")
    assert messages == [DRAWING]
    at = window.of_image(image)
    window.drag(at, at + QPoint(40, 30))
    assert messages == [DRAWING, DRAWING]
    np.testing.assert_array_equal(
        window.map.cloud.places, session.shown.map.coordinates
    )

    window.state.cancel()
    window.wait(lambda: not training.is_running)
    before = session.shown.map
    window.bench.training.draw_map("pca")
    window.wait(lambda: session.shown.map is not before)
    assert session.shown.map.method == "pca"
    np.testing.assert_array_equal(session.shown.map.neighbours, before.neighbours)
    assert session.edits.class_names[session.edits.labels[image]] == "newt"
    assert [type(edit) for edit in session.state.log.done] == [Relabel]
