"""Exporting the session, and predicting images that do not join it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.data.open import FILES
from napari_spaceediting.plugin.results.panel import (
    ExportSettings,
    ResultsPanel,
    What,
)
from napari_spaceediting.plugin.state import Change, WindowState, complaining
from napari_spaceediting.plugin.status import NO_NETWORK
from napari_spaceediting.plugin.widgets.controls import set_text
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.export.predicting import Predicted, predicting
from napari_spaceediting.session.export.tables import Exported

_TABLES = {
    "CSV, for spreadsheets (*.csv)": ".csv",
    "Parquet, for many images (*.parquet)": ".parquet",
    "TSV (*.tsv)": ".tsv",
    "AnnData, for single-cell tools (*.h5ad)": ".h5ad",
}
_FILTERS: dict[What, dict[str, str]] = {
    "table": _TABLES,
    "folders": {"New folder (*)": ""},
    "network": {"PyTorch (*.pt2)": ".pt2", "ONNX (*.onnx)": ".onnx"},
    "report": {"Page (*.html)": ".html"},
}
"""What the dialog offers of each kind, and the ending of its files."""
_NEW = f"Tables and arrays ({FILES});;All (*)"


class ResultsController:
    """Connects the results panel with the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : ResultsPanel
        The view.
    """

    def __init__(self, window: WindowState, panel: ResultsPanel) -> None:
        self._window = window
        self._panel = panel
        panel.export_requested.connect(self.export)
        panel.predict_folder.triggered.connect(lambda *_: self._ask_folder())
        panel.predict_file.triggered.connect(lambda *_: self._ask_file())
        window.changed.connect(self._on_change)
        self._on_change(Change.SESSION)

    def _on_change(self, change: Change) -> None:
        window, panel = self._window, self._panel
        if Change.SESSION in change:
            set_text(panel.outcome, "")
        if Change.SELECTION in change:
            panel.show_selected(len(window.selected))
        if change & (Change.SESSION | Change.SHOWN | Change.ROUNDS):
            session = window.session
            has_network = session is not None and session.shown.network is not None
            why_not = "" if has_network else f"{NO_NETWORK}."
            panel.gate.block(panel.predict_button, why_not)

    def export(self, settings: ExportSettings) -> None:
        """Ask where to, and write what is wanted there."""
        session = self._window.session
        path = self._ask_target(settings.what)
        if session is None or path is None:
            return
        offers_selection = settings.what in ("table", "folders")
        is_part = settings.selected and offers_selection
        with complaining():
            job = exporting(
                session,
                path,
                self._window.selected if is_part else None,
                with_latents=settings.latents,
                with_links=settings.links,
            )
            self._window.reading.run(job, self._take)

    def predict(self, images: Path) -> None:
        """Ask where to write what the network says of new images, and write it."""
        session = self._window.session
        path = self._ask_target("table", images.stem or "images")
        if session is None or path is None:
            return
        with complaining():
            job = predicting(session, images, path, self._panel.share())
            self._window.reading.run(job, self._take_predictions)

    def _take(self, written: Exported) -> str:
        set_text(self._panel.outcome, written.said)
        return f"Wrote {written.path.name}"

    def _take_predictions(self, written: Predicted) -> str:
        set_text(self._panel.outcome, "\n".join(written.describe()))
        return f"Wrote {written.path.name}"

    def _ask_target(self, what: What, name: str = "") -> Path | None:
        """Ask for a file of a kind; its ending is added where it has none."""
        session, saved = self._window.session, self._window.path
        if session is None:
            return None
        offers = _FILTERS[what]
        folder = Path() if saved is None else saved.parent
        stem = f"{name} predicted" if name else session.dataset.name
        start = folder / f"{stem}{next(iter(offers.values()))}"
        chosen, kind = QFileDialog.getSaveFileName(
            self._panel, "Where to write it", str(start), ";;".join(offers)
        )
        if not chosen:
            return None
        path, ending = Path(chosen), offers.get(kind, next(iter(offers.values())))
        if ending and path.suffix.lower() not in offers.values():
            path = path.with_name(path.name + ending)
        return path

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._panel, "Folder of new images")
        if chosen:
            self.predict(Path(chosen))

    def _ask_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._panel, "Table or array of new images", "", _NEW
        )
        if chosen:
            self.predict(Path(chosen))
