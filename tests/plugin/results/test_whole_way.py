"""From 2,000 images of one's own to a table in pandas, by clicks that are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from qtpy import API_NAME
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog

from napari_spaceediting.session.state import RoundStatus

LONGER = 240_000
MOST_CLICKS = 12


@pytest.mark.trains
@pytest.mark.skipif(API_NAME != "PyQt6", reason="It takes long; once is enough")
def test_in_the_window_it_takes_twelve_clicks(
    make_window, own_images, check_labels_came_out, tmp_path, monkeypatch
):
    window, clicked = make_window(), []

    def click(button: QAbstractButton) -> None:
        """Click on what is seen, scrolled into view if need be."""
        window.wait(button.isEnabled, LONGER)
        window.editor._scroll.ensureWidgetVisible(button)
        QApplication.processEvents()
        middle = button.rect().center()
        assert QApplication.widgetAt(button.mapToGlobal(middle)) is not None
        assert button.isVisible(), clicked
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=middle)
        clicked.append(button.text() or button.accessibleName())

    def answer(dialog: str, path: Path, n_clicks: int) -> None:
        """Answer a dialog of the system, which takes some clicks."""

        def choose(*_: object) -> tuple[str, str]:
            clicked.extend([dialog] * n_clicks)
            return str(path), ""

        monkeypatch.setattr(QFileDialog, dialog, choose)

    panels, state = window.panels, window.state
    answer("getOpenFileName", own_images, 2)  # the file, and Open
    click(panels.data.file_button)
    window.wait(lambda: state.has_map and not state.is_busy, LONGER)
    window.wait_idle()
    click(panels.guidance.refresh_button)
    window.wait(lambda: state.review[1] and not state.is_busy, LONGER)
    for number in (1, 2):
        click(panels.guidance.answer_buttons["yes"])
        window.wait(lambda n=number: len(window.session.state.log.done) == n)
    edits = window.session.edits
    ids = window.session.dataset.ids
    edited = {str(name) for name in ids[edits.edited]}
    click(panels.retrain.retrain_button)
    window.wait(lambda: window.session.state.proposal is not None, LONGER)
    window.wait_idle()
    click(window.bench.evidence.accept_button)
    assert window.session.state.rounds[-1].status is RoundStatus.ACCEPTED
    click(window.editor.section("results").header)
    written = tmp_path / "labels.csv"
    answer("getSaveFileName", written, 1)  # a name is there already
    click(panels.results.export_button)
    window.wait_idle()
    assert len(clicked) <= MOST_CLICKS, clicked
    check_labels_came_out(written, edited)
