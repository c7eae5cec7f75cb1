"""Opening images, and what has been opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QAction, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Card,
    Disclosure,
    Gate,
    column,
    row,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.palette import Palette

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
class DatasetSummary:
    """What is told about an opened data set.

    Parameters
    ----------
    name : str
        Of the data set.
    lines : tuple of str
        Its description, such as "2,000 images of 28 × 28 px, 1 channel".
    scaling : str
        How intensities are scaled, in one sentence.
    skipped : tuple of (str, str)
        Name of every image that was left out, and why.
    notes : tuple of str
        What the loader decided or warns of, each one sentence.
    """

    name: str
    lines: tuple[str, ...] = ()
    scaling: str = ""
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layers:
    """What is taken of the window's layers; the padding in per cent."""

    image: Image
    labels: Labels | None = None
    channel_axis: int | None = None
    padding: int = 20
    mask_outside: bool = False


class DataPanel(QWidget):
    """Buttons that open images; then a summary of them, and saving.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    folder_requested = Signal()
    file_requested = Signal()
    session_requested = Signal()
    sample_requested = Signal(str)
    """Name of a sample."""
    layers_requested = Signal(str, str, dict)
    """Image layer, labels layer ("" where the image is a stack of images), and the
    options "padding" (float), "mask_outside" (bool), "channel_axis" (int or None)."""
    add_folder_requested = Signal()
    add_file_requested = Signal()
    restore_requested = Signal()
    """The work that is offered is to be opened."""
    discard_requested = Signal()
    """The work that is offered is to be deleted."""
    save_requested = Signal()
    save_as_requested = Signal()

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = palette
        self._unsaved = False
        self._gate = Gate()
        self._build_summary(palette)
        self._opener = QWidget()
        self._build_offer()
        self._build_opener()
        self._build_layers(palette)
        self._other = Disclosure(
            "Open other images", palette, self._opener, "Start anew with other images"
        )
        layout = column(self)
        layout.addWidget(self._heading)
        layout.addWidget(self._empty)
        layout.addWidget(self._summary)
        layout.addWidget(self._other)
        layout.addWidget(self._opener)
        self._summary.setVisible(False)
        self._other.setVisible(False)
        self._opener.setVisible(True)
        self.set_samples([])
        self.reset_choices()
        self.show_saved(None, False)
        self.offer_recovery("")
        self.set_theme(palette)

    def _build_summary(self, palette: Palette) -> None:
        self._heading = word_label()
        self._heading.setText("Open images to begin")
        self._empty = word_label()
        self._empty.setText(EMPTY_TEXT)
        self._lines, self._scaling, self._notes, self._saved = (
            word_label() for _ in range(4)
        )
        self._scaling.setToolTip("Every image is brought to this range of intensities")
        self._saved.setToolTip("Where the session lies on disk")
        self._skipped = QListWidget()
        self._skipped.setHorizontalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        self._skipped.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._skipped.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        # Of a long name and its reason, both ends tell most.
        self._skipped.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._skipped.setUniformItemSizes(True)
        self._skipped.setAccessibleName("Skipped images")
        self._skipped_title = Disclosure(
            "",
            palette,
            self._skipped,
            "Images that were left out, each with its reason",
        )
        self.save_button = QPushButton("Save")
        self.save_button.clicked.connect(self.save_requested)
        self._gate.add(self.save_button, "Save the session where it was saved last")
        self.save_as_button = QPushButton("Save as…")
        self.save_as_button.clicked.connect(self.save_as_requested)
        self._gate.add(
            self.save_as_button, "Save images, network, map and edits as one session"
        )
        self.add_button = QPushButton("Add images…")
        self.add_button.clicked.connect(self._show_add_menu)
        self._gate.add(
            self.add_button,
            "Put new images on the map as it is: nothing is trained anew, and edits "
            "and rounds stay",
        )
        self.add_menu = QMenu(self)
        self.add_menu.addAction("Folder…", self.add_folder_requested.emit)
        self.add_menu.addAction("Table or array…", self.add_file_requested.emit)
        self._summary = QWidget()
        layout = column(self._summary, TIGHT)
        for widget in (
            self._lines,
            self._scaling,
            self._notes,
            self._skipped_title,
            self._skipped,
        ):
            layout.addWidget(widget)
        layout.addSpacing(2)
        layout.addLayout(
            row(
                self.add_button,
                self.save_button,
                self.save_as_button,
                stretch=(4, 2, 3),
            )
        )
        layout.addWidget(self._saved)

    def _build_offer(self) -> None:
        self._found = word_label()
        self.restore_button = QPushButton("Restore")
        self.restore_button.clicked.connect(self.restore_requested)
        self._gate.add(
            self.restore_button, "Go on where that window ended; then save it"
        )
        self.discard_button = QPushButton("Discard")
        self.discard_button.clicked.connect(self.discard_requested)
        self._gate.add(self.discard_button, "Delete that work for good")
        self._offer = Card()
        layout = column(self._offer, TIGHT)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addWidget(self._found)
        layout.addLayout(row(self.restore_button, self.discard_button))

    def _build_opener(self) -> None:
        self.folder_button = QPushButton("Folder…")
        self.folder_button.clicked.connect(self.folder_requested)
        self.file_button = QPushButton("Table or array…")
        self.file_button.clicked.connect(self.file_requested)
        self.session_button = QPushButton("Session…")
        self.session_button.clicked.connect(self.session_requested)
        self.layers_button = QPushButton("Layers of this window…")
        self.layers_button.setCheckable(True)
        self.sample_button = QPushButton("Sample…")
        self.sample_button.clicked.connect(self._show_samples)
        self.sample_menu = QMenu(self)
        self.sample_menu.triggered.connect(self._on_sample)
        self._gate.add(
            self.folder_button,
            "A folder with one folder of images per class, perhaps split into train, "
            "val and test",
        )
        self._gate.add(
            self.file_button,
            "A table of image paths and labels (CSV, TSV, Parquet), or an array of "
            "images (.npy, .npz, zarr)",
        )
        self._gate.add(
            self.layers_button,
            "The objects of a segmentation, or a stack of images, open in this window",
        )
        self._gate.add(self.sample_button, "A data set to try the Space Editor with")
        self._gate.add(self.session_button, "Go on with a saved session")
        self._layers = QWidget()
        self.layers_button.toggled.connect(self._layers.setVisible)
        layout = column(self._opener, TIGHT)
        layout.addWidget(self._offer)
        layout.addLayout(row(self.folder_button, self.file_button))
        layout.addWidget(self.layers_button)
        layout.addWidget(self._layers)
        layout.addLayout(row(self.sample_button, self.session_button))

    def _build_layers(self, palette: Palette) -> None:
        self.form = Form(palette)
        self.form.add_settings(_Layers, **_LAYERS)
        self.form.field("labels").changed.connect(self._follow_labels)
        self.open_layers_button = QPushButton("Open layers")
        self.open_layers_button.clicked.connect(self._request_layers)
        self._gate.add(self.open_layers_button, "Take these layers as the data set")
        layout = QVBoxLayout(self._layers)
        layout.setContentsMargins(0, 4, 0, 8)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.form)
        layout.addWidget(self.open_layers_button)
        self._layers.setVisible(False)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._heading.setStyleSheet(
            f"padding: 0px; color: {palette.text}; font-weight: 600;"
            f" font-size: {palette.font_size + 2}pt;"
        )
        for label in (self._empty, self._scaling, self._notes):
            style_label(label, palette.muted)
        style_label(self._lines, palette.text)
        self._colour_saved()
        style_label(self._found, palette.text)
        self._offer.set_theme(palette)
        self.restore_button.setStyleSheet(palette.primary_button)
        self.form.set_theme(palette)
        self._other.set_theme(palette)
        self._skipped_title.set_theme(palette)
        self._skipped.setStyleSheet(
            f"QListWidget {{background-color: {palette.foreground};"
            f" border-radius: 4px; padding: 4px; font-size: {palette.font_size}pt;}}"
            "QListWidget::item {padding: 2px 0px;}"
        )

    def set_samples(self, samples: Sequence[tuple[str, str]]) -> None:
        """Offer samples, each with its name and its title."""
        self.sample_menu.clear()
        for name, title in samples:
            self.sample_menu.addAction(title).setData(name)
        self._gate.block(
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
        self._gate.block(self.layers_button, reason)
        self._gate.block(self.open_layers_button, reason)
        if not images:
            self.layers_button.setChecked(False)
        self._follow_labels()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find the window that it has come into."""
        super().showEvent(event)
        self.reset_choices()

    def show_dataset(self, summary: DatasetSummary) -> None:
        """Show what has been opened."""
        self._heading.setText(summary.name)
        set_text(self._empty, "")
        set_text(self._lines, "\n".join(summary.lines))
        set_text(self._scaling, summary.scaling)
        set_text(self._notes, "\n".join(summary.notes))
        count = len(summary.skipped)
        self._skipped_title.setText(
            "1 image skipped" if count == 1 else f"{count:,} images skipped"
        )
        self._skipped_title.setVisible(count > 0)
        self._skipped_title.setChecked(False)
        self._list_skipped(summary.skipped)
        self._summary.setVisible(True)
        self._other.setVisible(True)
        self._other.setChecked(False)
        self._opener.setVisible(False)
        self.layers_button.setChecked(False)

    def show_saved(self, path: str | Path | None, unsaved: bool) -> None:
        """Show where the session lies on disk, and whether it has changed since.

        Parameters
        ----------
        path : path-like or None
            Folder of the session; None if it has never been saved.
        unsaved : bool
            Whether there are changes to save.
        """
        self._unsaved = unsaved
        if path is None:
            text = "● Not saved yet" if unsaved else ""
            where = "The session has not been saved yet"
        else:
            name = Path(path).name
            text = f"● Changed since saved in {name}" if unsaved else f"Saved in {name}"
            where = str(path)
        set_text(self._saved, text)
        self._saved.setToolTip(where)
        self._colour_saved()
        self._gate.block(
            self.save_button, "" if unsaved else "There is nothing new to save"
        )

    def block_add(self, reason: str) -> None:
        """Say why no images can be added; "" where they can."""
        self._gate.block(self.add_button, reason)

    def offer_recovery(self, text: str) -> None:
        """Offer work that was never saved, in a sentence; "" where there is none."""
        self._found.setText(text)
        self._offer.setVisible(bool(text))

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow opening and saving, or say why not."""
        self._gate.set_enabled(enabled, reason)

    def _list_skipped(self, skipped: Sequence[tuple[str, str]]) -> None:
        self._skipped.clear()
        for name, reason in skipped[:_LISTED]:
            self._skipped.addItem(f"{name}: {reason}")
            item = self._skipped.item(self._skipped.count() - 1)
            item.setToolTip(f"{name}\n{reason}")
        if len(skipped) > _LISTED:
            self._skipped.addItem(f"and {len(skipped) - _LISTED:,} more")
        line = max(self._skipped.sizeHintForRow(0), self.fontMetrics().height())
        rows = min(max(self._skipped.count(), 1), _ROWS_IN_VIEW)
        self._skipped.setFixedHeight(rows * line + 12)

    def _show_samples(self) -> None:
        below = self.sample_button.mapToGlobal(QPoint(0, self.sample_button.height()))
        self.sample_menu.popup(below)

    def _show_add_menu(self) -> None:
        below = self.add_button.mapToGlobal(QPoint(0, self.add_button.height()))
        self.add_menu.popup(below)

    def _on_sample(self, action: QAction) -> None:
        self.sample_requested.emit(action.data())

    def _follow_labels(self, *_: object) -> None:
        """Offer padding and mask for objects only."""
        for name in ("padding", "mask_outside"):
            self.form.set_shown(name, self.form.field("labels").value is not None)

    def _request_layers(self) -> None:
        options = self.form.values(_Layers)
        image, labels = options.pop("image"), options.pop("labels")
        options["padding"] /= 100
        self.layers_requested.emit(image.name, labels.name if labels else "", options)

    def _colour_saved(self) -> None:
        colour = self._palette.text if self._unsaved else self._palette.muted
        style_label(self._saved, colour)
