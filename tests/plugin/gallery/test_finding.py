"""Images are found by what is asked for, by their looks and in clusters."""

from __future__ import annotations

import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QLineEdit, QMenu

from napari_spaceediting.data.looks import ChannelLook, Look
from napari_spaceediting.editing.selections import SaveSelection
from napari_spaceediting.plugin.gallery.finding import NONE_FOUND
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.storage import load_session, save_session

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def ask(window, text: str) -> None:
    """Type into the field as a user does."""
    field = window.bench.gallery.bar.find_field
    QTest.mouseClick(field, LEFT)
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def flaw(window) -> str:
    label = window.bench.gallery.bar.flaw
    return label.text() if label.isVisible() else ""


def open_menu(window) -> QMenu:
    bar = window.bench.gallery.bar
    QTest.mouseClick(bar.find_button, LEFT)
    window.wait(bar.find_menu.isVisible)
    return bar.find_menu


def choose(menu: QMenu, *path: str) -> None:
    """Choose by the keyboard: a menu that has just opened may miss a click."""
    for text in path:
        (action,) = (a for a in menu.actions() if a.text().startswith(text))
        menu.setActiveAction(action)
        QTest.keyClick(menu, Qt.Key.Key_Return)
        menu = action.menu()


def test_a_condition_selects_on_the_map_and_fills_the_gallery(window):
    names = window.session.edits.class_names
    ask(window, f'label == "{names[3]}" and split == "train"')
    labels = window.session.edits.labels
    meant = np.flatnonzero((labels == 3) & ~window.session.dataset.held_out)
    window.wait(lambda: len(window.state.selected))
    assert window.state.selected.tolist() == meant.tolist()
    assert window.bench.gallery.grid.items.tolist() == meant.tolist()
    assert window.bench.gallery.isVisible()
    # Some of what is selected.
    ask(window, f"selected and map_x > {window.places[meant, 1].mean()}")
    right = window.places[meant, 1] > window.places[meant, 1].mean()
    window.wait(lambda: len(window.state.selected) == right.sum())
    assert window.state.selected.tolist() == meant[right].tolist()


def test_words_find_an_image_by_its_name(window):
    name = str(window.session.dataset.ids[7])
    ask(window, f'"{name}"')
    window.wait(lambda: 7 in window.state.selected)


def test_what_is_wrong_is_said_below_the_field_and_goes(window):
    chosen = window.movable[:3]
    window.state.select(chosen)
    ask(window, "plate == 3")
    window.wait(lambda: "There is no column plate" in flaw(window))
    ask(window, "zzz zzz")
    window.wait(lambda: flaw(window) == NONE_FOUND)
    assert window.state.selected.tolist() == chosen.tolist()
    ask(window, "split == 'test'")
    window.wait(lambda: flaw(window) == "")


def test_a_selection_is_saved_found_again_undone_and_forgotten(window):
    menu = open_menu(window)
    (save,) = (a for a in menu.actions() if a.text().startswith("Save"))
    assert not save.isEnabled()
    menu.close()
    chosen = window.movable[[1, 4, 6]]
    window.state.select(chosen)
    choose(open_menu(window), "Save the selection as")
    dialog = window.bench.gallery.bar.findChild(QInputDialog)
    window.wait(dialog.isVisible)
    QTest.keyClicks(dialog.findChild(QLineEdit), "odd ones")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert selections(window.session.state)["odd ones"].tolist() == chosen.tolist()
    window.state.select(window.movable[:1])
    choose(open_menu(window), "odd ones (3)")
    window.wait(lambda: window.state.selected.tolist() == chosen.tolist())
    assert window.bench.gallery.bar.find_field.text() == "`selection_odd ones`"
    combo = window.panels.map.colour_combo
    assert combo.findText("Selection odd ones") >= 0
    choose(open_menu(window), "Forget a selection", "odd ones")
    assert not selections(window.session.state)
    window.bench.edits.undo()
    assert "odd ones" in selections(window.session.state)
    window.bench.edits.undo()
    assert combo.findText("Selection odd ones") < 0


def test_the_menu_begins_a_condition(window):
    choose(open_menu(window), "Find by a column", "prediction")
    field = window.bench.gallery.bar.find_field
    assert field.text() == "prediction "
    assert field.window().focusWidget() is field
    QTest.keyClicks(field, '== "4"')
    QTest.keyClick(field, Qt.Key.Key_Return)
    said = window.session.shown.network.predictions.probabilities.argmax(axis=1)
    window.wait(lambda: len(window.state.selected))
    assert window.state.selected.tolist() == np.flatnonzero(said == 4).tolist()


def test_images_like_a_file_come_by_their_distance(window, tmp_path, monkeypatch):
    file = tmp_path / "outside.png"
    pixels = window.session.dataset.original(11)
    Image.fromarray(pixels.astype(np.uint8)).save(file)
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", staticmethod(lambda *_: (str(file), ""))
    )
    choose(open_menu(window), "Images like a file")
    gallery = window.bench.gallery
    window.wait(lambda: gallery.bar.source == "similar")
    items = gallery.grid.items
    assert items[0] == 11
    assert set(window.state.selected.tolist()) == set(items.tolist())
    figures = [float(gallery.grid._caption(int(at)).figure) for at in items[:5]]
    assert figures == sorted(figures)
    assert figures[0] == 0


def test_a_file_that_is_no_image_is_told(window, tmp_path, messages):
    (tmp_path / "note.txt").write_text("no image")
    window.bench.galleries.finding.find_like(tmp_path / "note.txt")
    window.wait(lambda: messages)
    assert "is no image" in messages[0]


def test_images_are_sorted_by_a_column(window):
    bar = window.bench.gallery.bar
    window.state.select(window.movable[:30])
    bar.sorts.setFocus()
    while bar.sort != "column:truth":
        before = bar.sorts.currentIndex()
        QTest.keyClick(bar.sorts, Qt.Key.Key_Down)
        assert bar.sorts.currentIndex() > before
    truth = window.session.dataset.columns["truth"][window.bench.gallery.grid.items]
    assert (np.diff(truth) >= 0).all()


def test_the_bar_keeps_its_lines_when_images_are_selected(window):
    gallery = window.bench.gallery
    before = gallery.bar.height(), gallery.grid.y()
    window.state.select(window.movable)
    window.state.select(window.movable[:3], gallery.grid)
    gallery.grid.set_selected(window.movable[:3])
    QApplication.processEvents()
    assert (gallery.bar.height(), gallery.grid.y()) == before


# Clusters


def test_clusters_colour_the_map_and_are_a_column(window):
    window.unfold("map")
    panel = window.panels.map
    panel.colour_combo.setCurrentIndex(panel.colour_combo.findData("clusters"))
    panel.colour_combo.activated.emit(panel.colour_combo.currentIndex())
    clustering = window.bench.map.clustering
    window.wait(lambda: clustering.clusters is not None)
    n_clusters = int(clustering.clusters.max()) + 1
    assert n_clusters > 1
    window.wait(lambda: len(panel.legend.names) == n_clusters)
    assert panel.legend.names[0] == "Cluster 1"
    ask(window, "cluster == 1")
    window.wait(lambda: len(window.state.selected))
    first = np.flatnonzero(clustering.clusters == 0)
    assert window.state.selected.tolist() == first.tolist()


def test_clusters_are_named_one_by_one(window):
    window.unfold("guidance")
    review, panel = window.bench.review, window.panels.guidance
    panel.orders.setCurrentIndex(panel.orders.findData("clusters"))
    panel.orders.activated.emit(panel.orders.currentIndex())
    window.wait(lambda: review.proposal is not None)
    first = review.proposal
    assert len(first.indices) > 4
    assert first.reason.startswith("A cluster of ")
    labels = window.session.edits.labels
    assert (labels[first.indices] < 0).all()
    assert not window.session.dataset.held_out[first.indices].any()
    window.key("y")
    (edit,) = window.session.state.log.done
    assert set(edit.indices.tolist()) == set(first.indices.tolist())
    assert (window.session.edits.labels[first.indices] >= 0).all()
    assert review.proposal is None or review.proposal is not first


def test_numbers_have_a_scale_beside_the_map(window):
    window.unfold("map")
    scale = window.panels.map.scale
    assert not scale.isVisible()
    window.bench.map.colour_by("confidence")
    QApplication.processEvents()
    said = window.session.shown.network.predictions.probabilities.max(axis=1)
    assert scale.isVisible()
    assert scale.low.text() == f"{said.min():.4g}"
    assert scale.high.text() == f"{said.max():.4g}"
    window.bench.map.colour_by("label")
    assert not scale.isVisible()


# How images are shown


def test_contrast_is_kept_with_the_session(make_window, saved, tmp_path):
    window = make_window()
    window.open(saved)
    gallery = window.bench.gallery
    QTest.mouseClick(gallery.bar.look_button, LEFT, NONE, QPoint(4, 4))
    (row,) = gallery.look.rows
    row.gamma.setValue(0.5)
    row.limits.setValue((0.1, 0.8))
    gallery.look.close()
    meant = Look((ChannelLook("grey", 0.1, 0.8, 0.5),))
    assert window.session.state.look == meant
    assert window.state.pictures.look == meant
    window.session.apply(SaveSelection(window.movable[:1], "one"))
    folder = tmp_path / "kept.spaceediting"
    save_session(window.session.state, folder)
    assert load_session(folder).look == meant
    window.open(folder)
    assert window.state.pictures.look == meant
