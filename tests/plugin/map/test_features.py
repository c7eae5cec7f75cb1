"""napari's own table shows what is known of images, and selects them."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QItemSelectionModel
from qtpy.QtWidgets import QApplication

from napari_spaceediting.editing.image_edits import Reject, Relabel
from napari_spaceediting.plugin.map import layer as layer_of_the_map


def test_the_layer_tells_what_is_known_of_each_image(window):
    at = window.movable[:2]
    window.session.replay([Relabel(at[:1], "3"), Reject(at[1:])])
    layer = window.map.layer
    window.wait(lambda: "edit" in layer.features and any(layer.features["edit"]))
    table, session = layer.features, window.session
    assert table["id"].tolist() == session.dataset.ids.tolist()
    assert table.loc[at[0], ["class", "edit", "part"]].tolist() == [
        "3", "relabelled", "train"
    ]  # fmt: skip
    assert table.loc[at[1], ["edit", "part"]].tolist() == ["rejected", "rejected"]
    said = session.shown.network.predictions.probabilities
    np.testing.assert_allclose(table["probability"], said.max(axis=1))
    truth = session.dataset.columns["truth"]
    names = np.array(session.dataset.class_names)
    assert table["truth"].tolist() == names[truth].tolist()


def test_a_selection_in_naparis_table_selects_here_and_the_other_way(window):
    viewer, layer = window.viewer, window.map.layer
    window.wait(lambda: len(layer.features.columns))
    _, table = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    viewer.layers.selection.active = layer
    view = table.table
    model = view.model()
    window.state.select(window.movable[:3])
    rows = {index.row() for index in view.selectionModel().selectedRows()}
    assert len(rows) == 3
    flag = QItemSelectionModel.SelectionFlag
    view.selectionModel().select(
        model.index(int(window.movable[7]), 0), flag.ClearAndSelect | flag.Rows
    )
    window.wait(lambda: window.state.selected.tolist() == [window.movable[7]])
    assert window.bench.gallery.grid.items.tolist() == [window.movable[7]]


def test_very_many_selected_images_stay_selected_though_napari_knows_of_none(
    window, monkeypatch
):
    monkeypatch.setattr(layer_of_the_map, "_FEW", 4)
    window.state.select(window.movable[:5])
    QApplication.processEvents()
    assert not window.map.layer.selected_data
    np.testing.assert_array_equal(window.state.selected, window.movable[:5])
    window.state.select(window.movable[:3])
    assert window.map.layer.selected_data == set(window.movable[:3].tolist())
    # napari's select tool on empty ground.
    window.map.layer.selected_data = set()
    window.wait(lambda: not len(window.state.selected))
