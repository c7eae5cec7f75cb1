"""Results leave a real window, and are what the window shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.plugin.results.panel import ResultsPanel
from napari_spaceediting.session.export.certainty import calibrated_in_words
from napari_spaceediting.session.state import RoundStatus

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def target(monkeypatch):
    """Return a function that says what the user answers when asked where to write."""

    def target(path, kind: str = "") -> None:
        answer = str(path), kind
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)

    return target


def export(window, what: str, **fields: bool) -> None:
    window.unfold("results")
    panel = window.panels.results
    panel.form.field("what").value = what
    for name, value in fields.items():
        panel.form.field(name).value = value
    QApplication.processEvents()
    QTest.mouseClick(panel.export_button, LEFT)
    window.wait_idle()


def test_a_table_has_what_the_window_shows(window, target, tmp_path):
    window.bench.map.naming.apply(Pin(window.movable[:3], "3"))
    window.state.select(np.arange(300))
    grid = window.bench.gallery.grid
    target(tmp_path / "out", "CSV, for spreadsheets (*.csv)")
    export(window, "table")
    table = pd.read_csv(
        tmp_path / "out.csv", dtype={"label": str, "prediction": str, "id": str}
    ).fillna({"label": ""})
    assert table["id"].tolist() == window.session.dataset.ids.tolist()
    for index in grid.items.tolist():
        row = table.loc[index]
        sure = f"{row[f'probability_{row.prediction}']:.0%}"
        said = (row.label, row.prediction)
        shown = {
            row.label == "": f"{row.prediction}? {sure}",
            row.label == row.prediction: f"{row.label} {sure}",
        }.get(True, "{} → {} {}".format(*said, sure))
        assert grid._caption(index).in_full == shown
    places = window.map.layer.data
    np.testing.assert_array_equal(table[["map_y", "map_x"]].astype("f4"), places)
    assert (table.loc[window.movable[:3], "edit"] == 1).all()
    assert str(tmp_path / "out.csv") in window.panels.results.outcome.text()


def test_a_selection_goes_out_alone(window, target, tmp_path):
    panel = window.panels.results
    window.unfold("results")
    assert not panel._selected.isEnabled()
    assert "No image is selected" in panel._selected.toolTip()
    window.state.select(window.movable[4:9])
    assert panel._selected.text() == "Selected images only (5)"
    target(tmp_path / "some.parquet")
    export(window, "table", selected=True, latents=True)
    table = pd.read_parquet(tmp_path / "some.parquet")
    ids = window.session.dataset.ids[window.movable[4:9]]
    assert table["id"].tolist() == ids.tolist()
    assert "latent_0" in table
    target(tmp_path / "images")
    export(window, "folders")
    assert len(run_job(OpenDataset(tmp_path / "images"))) == 5


def test_new_images_are_predicted_and_do_not_join(
    window, target, tmp_path, small_digits, monkeypatch
):
    pixels = np.stack([small_digits.original(at) for at in range(12)])
    np.savez(tmp_path / "new.npz", images=pixels)
    answer = str(tmp_path / "new.npz"), ""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: answer)
    target(tmp_path / "said.csv")
    window.unfold("results")
    QApplication.processEvents()
    panel, before = window.panels.results, window.session.state
    QTest.mouseClick(panel.predict_button, LEFT)
    menu = panel.predict_menu
    entry = menu.actionGeometry(panel.predict_file).center()
    QTest.mouseClick(menu, LEFT, NONE, entry)
    window.wait(lambda: window.state.reading.is_running)
    assert not window.state.locked, "one edits on meanwhile"
    window.wait_idle()
    table = pd.read_csv(tmp_path / "said.csv")
    said = window.session.shown.network.predictions.probabilities[:12]
    names = window.session.shown.class_names
    found = table[[f"probability_{name}" for name in names]].to_numpy()
    np.testing.assert_allclose(found, said, atol=1e-5)
    assert window.session.state is before
    assert "Predicted 12 images" in panel.outcome.text()
    assert "calibrated on" in panel.outcome.text()


def test_a_dialog_that_is_closed_writes_nothing(window, target, messages):
    target("")
    export(window, "table")
    assert window.panels.results.outcome.text() == ""
    assert messages == []


def test_what_fails_is_told(window, target, tmp_path, messages):
    target(tmp_path / "nowhere" / "out.csv")
    export(window, "table")
    assert "could not be written" in messages[-1]


def test_the_menu_of_napari_leads_to_it(window):
    window.fold("results")
    get_app_model().commands.execute_command("napari-spaceediting.show_results")
    QApplication.processEvents()
    assert window.editor.section("results").is_open
    assert window.panels.results.export_button.isVisible()


def test_each_kind_offers_what_suits_it(qtbot):
    panel = ResultsPanel()
    qtbot.addWidget(panel)
    shown = {
        what: [
            name
            for name in ("selected", "latents", "links")
            if not panel.form.field(name).native.isHidden()
        ]
        for what in ("table", "folders", "network", "report")
        if setattr(panel.form.field("what"), "value", what) is None
    }
    assert shown == {
        "table": ["selected", "latents"],
        "folders": ["selected", "links"],
        "network": [],
        "report": [],
    }
    assert panel.share() == 0.05
    panel.predict_form.field("share").value = None
    assert panel.share() == 0


def test_the_evidence_tells_of_calibration(window):
    window.take_round(RoundStatus.ACCEPTED)
    label = window.bench.evidence.calibrated
    window.wait(lambda: label.text())
    past = window.session.state.rounds[0]
    assert label.text() == calibrated_in_words(window.session.dataset, past.after)
    assert "after temperature scaling" in label.text()
