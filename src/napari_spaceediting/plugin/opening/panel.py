"""Opening images, and what has been opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QMenu, QWidget

from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    TIGHT,
    Panel,
    card,
    column,
    pop_up,
    row,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.section import Disclosure

EMPTY_TEXT = (
    "A folder of images per class, a table of paths, an array, or the objects of a "
    "segmentation. Labels are welcome, not needed."
)
_LAYERS: dict[str, Any] = {
    "image": {"label": "Image", "tooltip": "The layer with the pixels"},
    "channel_axis": {
        "label": "Channel axis",
        "tooltip": "Axis of the image that holds the channels, counted from 0",
        "min": 0,
        "max": 9,
        "step": 1,
        "none": "none",
    },
    "labels": {
        "label": "Objects",
        "tooltip": "The segmentation whose objects become the images; none if the "
        "image layer is itself a stack of images",
        "none": "None: a stack of images",
    },
    "padding": {
        "label": "Padding",
        "tooltip": "How much of its surroundings each object is shown with, as a "
        "share of its size",
        "min": 0,
        "max": 200,
        "step": 5,
        "suffix": " %",
    },
    "mask_outside": {
        "label": "Blacken what is outside",
        "tooltip": "So that the network sees the object only, not what lies beside it",
    },
}
_ROWS_IN_VIEW = 5
"""Skipped images that are seen without scrolling."""
_LISTED = 500
"""Skipped images that are listed at most."""


@dataclass(frozen=True)
class Layers:
    """What is taken of the window's layers; the padding in per cent.

    Without labels, the image is a stack of images.
    """

    image: Image
    labels: Labels | None = None
    channel_axis: int | None = None
    padding: int = 20
    mask_outside: bool = False


class DataPanel(Panel):
    """Buttons that open images; then a summary of them, and saving."""

    sample_requested = Signal(str)
    """Name of a sample."""
    layers_requested = Signal(object)
    """`Layers`."""

    def __init__(self) -> None:
        super().__init__()
        self._heading = word_label("heading", "Open images to begin")
        self._empty = word_label("muted", EMPTY_TEXT)
        self._build_offer()
        self._build_layers()
        self._build_opener()
        self._build_summary()
        self._other = Disclosure(
            "Open other images", self._opener, "Start anew with other images"
        )
        self._opener.show()
        column(
            self,
            SPACING,
            self._heading,
            self._empty,
            self._summary,
            self._other,
            self._opener,
        )
        self._summary.hide()
        self._other.hide()
        self.set_samples([])
        self.reset_choices()
        self.show_saved(None, False)
        self.offer_recovery("")

    def _build_summary(self) -> None:
        self._note, self._lines = word_label("text"), word_label("muted")
        self._saved = word_label()
        self._skipped = _Skipped()
        self._details = QWidget()
        column(self._details, TIGHT, self._lines, self._skipped)
        self._details_title = Disclosure(
            "Details",
            self._details,
            "What was decided on the way, and what was left out, each with its reason",
        )
        self.save_button = self.gate.button(
            "Save", "Save the session where it was saved last"
        )
        self.save_as_button = self.gate.button(
            "Save as…", "Save images, network, map and edits as one session"
        )
        self.add_menu = QMenu(self)
        self.add_folder = self.add_menu.addAction("Folder…")
        self.add_file = self.add_menu.addAction("Table or array…")
        self.add_button = self.gate.button(
            "Add images…",
            "Put new images on the map as it is: nothing is trained anew, and edits "
            "and rounds stay",
            lambda: pop_up(self.add_menu, self.add_button),
        )
        buttons = self.add_button, self.save_button, self.save_as_button
        self._summary = QWidget()
        layout = column(self._summary, TIGHT)
        for widget in (self._note, self._details_title, self._details):
            layout.addWidget(widget)
        layout.addSpacing(2)
        layout.addLayout(row(*buttons, stretch=(4, 2, 3)))
        layout.addWidget(self._saved)

    def _build_offer(self) -> None:
        self._found = word_label("text")
        self.restore_button = self.gate.button(
            "Restore", "Go on where that window ended; then save it"
        )
        set_role(self.restore_button, "primary")
        self.discard_button = self.gate.button("Discard", "Delete that work for good")
        self._offer = card()
        layout = column(self._offer, TIGHT)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addWidget(self._found)
        layout.addLayout(row(self.restore_button, self.discard_button))

    def _build_opener(self) -> None:
        self.folder_button = self.gate.button(
            "Folder…",
            "A folder with one folder of images per class, perhaps split into train, "
            "val and test",
        )
        self.file_button = self.gate.button(
            "Table or array…",
            "A table of image paths and labels (CSV, TSV, Parquet), an array of "
            "images (.npy, .npz, zarr), or embeddings in either or in a .h5ad file",
        )
        self.session_button = self.gate.button("Session…", "Go on with a saved session")
        self.layers_button = self.gate.button(
            "Layers of this window…",
            "The objects of a segmentation, or a stack of images, open in this window",
        )
        self.layers_button.setCheckable(True)
        self.layers_button.toggled.connect(self._layers.setVisible)
        self.sample_menu = QMenu(self)
        self.sample_button = self.gate.button(
            "Sample…",
            "A data set to try the Space Editor with",
            lambda: pop_up(self.sample_menu, self.sample_button),
        )
        self._opener = QWidget()
        layout = column(self._opener, TIGHT)
        layout.addWidget(self._offer)
        layout.addLayout(row(self.folder_button, self.file_button))
        layout.addWidget(self.layers_button)
        layout.addWidget(self._layers)
        layout.addLayout(row(self.sample_button, self.session_button))

    def _build_layers(self) -> None:
        self.form = Form()
        self.form.add_settings(Layers, **_LAYERS)
        self.form.field("labels").changed.connect(self._follow_labels)
        self.open_layers_button = self.gate.button(
            "Open layers",
            "Take these layers as the data set",
            lambda: self.layers_requested.emit(Layers(**self.form.values(Layers))),
        )
        self._layers = QWidget()
        layout = column(self._layers, TIGHT)
        layout.setContentsMargins(0, 4, 0, 8)
        layout.addWidget(self.form)
        layout.addWidget(self.open_layers_button)
        self._layers.hide()

    def set_samples(self, samples: Sequence[tuple[str, str]]) -> None:
        """Offer samples, each with its name and its title."""
        self.sample_menu.clear()
        for name, title in samples:
            self.sample_menu.addAction(title).triggered.connect(
                lambda _=False, name=name: self.sample_requested.emit(name)
            )
        self.gate.block(
            self.sample_button, "" if samples else "There are no samples to open"
        )

    def reset_choices(self, _event: object = None) -> None:
        """Offer the image and labels layers that the window has now."""
        for name in ("image", "labels"):
            self.form.field(name).reset_choices()
        images = self.form.field("image").choices
        reason = (
            "" if images else "This window has no image layer: open one in napari first"
        )
        self.gate.block(self.layers_button, reason)
        self.gate.block(self.open_layers_button, reason)
        if not images:
            self.layers_button.setChecked(False)
        self._follow_labels()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find the window that it has come into."""
        super().showEvent(event)
        self.reset_choices()

    def show_dataset(
        self,
        name: str,
        note: str = "",
        details: Sequence[str] = (),
        skipped: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Tell of what has been opened.

        Parameters
        ----------
        name : str
            Of the data set.
        note : str
            What they are and what was left out, in a line or two.
        details : sequence of str
            What else there is to know, each one sentence.
        skipped : sequence of (str, str)
            Name of every image that was left out, and why.
        """
        self._heading.setText(name)
        self._empty.hide()
        set_text(self._note, note)
        self._lines.setText("\n".join(details))
        self._details_title.setChecked(False)
        self._skipped.show_images(skipped)
        self._skipped.setVisible(bool(skipped))
        self._summary.show()
        self._other.show()
        self._other.setChecked(False)
        self._opener.hide()
        self.layers_button.setChecked(False)

    def show_saved(
        self, path: str | Path | None, unsaved: bool, is_read_only: bool = False
    ) -> None:
        """Show where the session lies on disk, and whether it has changed since.

        Parameters
        ----------
        path : path-like or None
            Folder of the session; None if it has never been saved.
        unsaved : bool
            Whether there are changes to save.
        is_read_only : bool
            Whether they can only be saved elsewhere.
        """
        if path is None:
            text = "● Not saved yet" if unsaved else ""
            where = "The session has not been saved yet"
        elif is_read_only:
            name = Path(path).name
            text = f"{name}, read only"
            if unsaved:
                text = f"● Not saved: {text}"
            where = f"{path} was opened read only: save elsewhere what you change"
        else:
            name = Path(path).name
            text = f"● Changed since saved in {name}" if unsaved else f"Saved in {name}"
            where = str(path)
        set_text(self._saved, text)
        self._saved.setToolTip(where)
        set_role(self._saved, "text" if unsaved else "muted")
        self.gate.block(
            self.save_button, "" if unsaved else "There is nothing new to save"
        )

    def offer_recovery(self, text: str) -> None:
        """Offer work that was never saved, in a sentence; "" where there is none."""
        self._found.setText(text)
        self._offer.setVisible(bool(text))

    def _follow_labels(self, *_: object) -> None:
        """Offer padding and mask for objects only."""
        for name in ("padding", "mask_outside"):
            self.form.set_shown(name, self.form.field("labels").value is not None)


class _Skipped(QListWidget):
    """Images that were left out, each with its reason."""

    def __init__(self) -> None:
        super().__init__()
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setWordWrap(True)
        self.setAccessibleName("Skipped images")
        set_role(self, "inset")

    def show_images(self, skipped: Sequence[tuple[str, str]]) -> None:
        """List names and reasons."""
        self.clear()
        for name, reason in skipped[:_LISTED]:
            item = QListWidgetItem(f"{name}: {reason}", self)
            item.setToolTip(f"{name}\n{reason}")
        if len(skipped) > _LISTED:
            self.addItem(f"and {len(skipped) - _LISTED:,} more")
        # A name and its reason take two lines, as a rule.
        lines = 2 * min(self.count(), _ROWS_IN_VIEW)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 12)
