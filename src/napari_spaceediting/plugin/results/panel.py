"""What is exported, and how; and predicting images that do not join the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu

from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    Panel,
    column,
    pop_up,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form

What = Literal["table", "folders", "network", "report"]

_EXPORT: dict[str, Any] = {
    "what": {
        "label": "Export",
        "tooltip": "What to take out of the session",
        "choices": [
            (
                "table",
                "Labels and predictions",
                "For a spreadsheet, pandas or this program: one row for each image",
            ),
            (
                "folders",
                "Images in class folders",
                "A folder for each part and class, with the images in it",
            ),
            (
                "network",
                "Network",
                "From pixels to latents and probabilities, for any other program",
            ),
            (
                "report",
                "Report",
                "One page that says what was done and what came of it",
            ),
        ],
    },
    "selected": {
        "label": "Selected images only",
        "tooltip": "Those selected on the map or in the gallery",
    },
    "latents": {
        "label": "With the latents",
        "tooltip": "A column for each component of what the network makes of an image",
    },
    "links": {
        "label": "Links in place of copies",
        "tooltip": "Takes no room, but only as long as the images stay where they are",
    },
}
_PREDICT: dict[str, Any] = {
    "share": {
        "label": "“None of these”",
        "tooltip": "So many images of known classes may be called “none of these” by "
        "chance; the more, the more unknown ones are found. It is told from held-out "
        "images",
        "min": 0,
        "max": 50,
        "step": 1,
        "suffix": " % by chance",
        "none": "never",
    },
}
_OFFERED = {
    "selected": ("table", "folders"),
    "latents": ("table",),
    "links": ("folders",),
}


@dataclass(frozen=True)
class ExportSettings:
    """What is exported; of each kind only what suits it counts."""

    what: What = "table"
    selected: bool = False
    latents: bool = False
    links: bool = False


@dataclass(frozen=True)
class PredictSettings:
    """How new images are predicted; the share in per cent, None for never."""

    share: int | None = 5


class ResultsPanel(Panel):
    """A form of what to export, and buttons that predict new images."""

    export_requested = Signal(object)
    """`ExportSettings`."""

    def __init__(self) -> None:
        super().__init__()
        self.form = Form()
        self.form.add_settings(ExportSettings, **_EXPORT)
        self._selected = self.form.field("selected").native
        self.gate.add(self._selected, _EXPORT["selected"]["tooltip"])
        self.export_button = self.gate.button(
            "Export…", "Choose where to write it", self._request
        )
        set_role(self.export_button, "primary")
        self.predict_form = Form()
        self.predict_form.add_settings(PredictSettings, **_PREDICT)
        self.predict_menu = QMenu(self)
        self.predict_folder = self.predict_menu.addAction("Folder…")
        self.predict_file = self.predict_menu.addAction("Table or array…")
        self.predict_button = self.gate.button(
            "Predict new images…",
            "Let the network classify images that do not join the session, and write "
            "a table of them",
            lambda: pop_up(self.predict_menu, self.predict_button),
        )
        self.outcome = word_label("text")
        layout = column(
            self,
            SPACING,
            self.form,
            self.export_button,
            self.predict_form,
            self.predict_button,
            self.outcome,
        )
        layout.insertSpacing(2, 4)
        self.form.field("what").changed.connect(self._follow_kind)
        self._follow_kind()
        self.show_selected(0)
        set_text(self.outcome, "")

    def show_selected(self, count: int) -> None:
        """Say how many images are selected."""
        how_many = f" ({count:,})" if count else ""
        self._selected.setText(f"Selected images only{how_many}")
        self.gate.block(self._selected, "" if count else "No image is selected")
        if not count:
            self.form.field("selected").value = False

    def share(self) -> float:
        """Return the share of known images that may be called none of these."""
        percent = self.predict_form.read(PredictSettings()).share
        return (percent or 0) / 100

    def _request(self) -> None:
        self.export_requested.emit(self.form.read(ExportSettings()))

    def _follow_kind(self, *_: object) -> None:
        """Offer for each kind what suits it."""
        what = self.form.field("what").value
        for name, kinds in _OFFERED.items():
            self.form.set_shown(name, what in kinds)
