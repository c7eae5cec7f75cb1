"""The gallery: a grid of images under a bar that says what is shown and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_spaceediting.plugin.gallery.grid import SIZES, USUAL_SIZE, GalleryGrid
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.plugin.widgets.palette import Palette

SORTS = (
    ("map", "Map order", "In the order in which the images were chosen on the map"),
    ("label", "Label", "By the class that the image is labelled with"),
    ("prediction", "Prediction", "By the class that the network predicts"),
    ("confidence", "Confidence", "From the least to the most confident prediction"),
    (
        "disagreement",
        "Disagreement",
        "From the label that the network believes least; unlabelled images come last",
    ),
)


class ImageGallery(QWidget):
    """The grid under a bar that says what is shown and how.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    selection_changed = Signal(object)
    activated = Signal(int)
    hovered = Signal(int)
    context_requested = Signal(object, QPoint)
    source_changed = Signal(str)
    """Key of the source that the user chose."""
    sort_changed = Signal(str)
    """Key of the order that the user chose: one of `SORTS`."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = GalleryGrid(palette, self)
        self._source = QComboBox()
        self._source.setAccessibleName("Images shown")
        self._source.setToolTip("Which images to show")
        self._source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._count = QLabel()
        self._count.setToolTip("Images shown here, and how many are selected")
        self._sort = QComboBox()
        self._sort.setAccessibleName("Order")
        self._sort.setToolTip("Order of the images")
        _fill(self._sort, SORTS)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(*SIZES)
        self._size.setValue(USUAL_SIZE)
        self._size.setAccessibleName("Image size")
        self._size.setToolTip("Size of the images")
        self._size.setFixedWidth(7 * self.fontMetrics().height())

        bar = QWidget()
        bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        flow = QFlowLayout(bar)
        flow.setContentsMargins(4, 4, 4, 0)
        flow.setHorizontalSpacing(8)
        flow.setVerticalSpacing(4)
        height = self._source.sizeHint().height()
        for widget in (self._source, self._count, self._sort, self._size):
            widget.setMinimumHeight(height)
            flow.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(bar)
        layout.addWidget(self.grid, 1)

        self.grid.selection_changed.connect(self._on_selection)
        self.grid.activated.connect(self.activated)
        self.grid.hovered.connect(self.hovered)
        self.grid.context_requested.connect(self.context_requested)
        self._source.activated.connect(lambda _: self.source_changed.emit(self.source))
        self._sort.activated.connect(lambda _: self.sort_changed.emit(self.sort))
        self._size.valueChanged.connect(self.grid.set_tile_size)
        self.set_theme(palette)
        self._update_count()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.grid.set_theme(palette)
        self._count.setStyleSheet(f"color: {palette.muted};")

    def set_sources(self, sources: Iterable[Sequence[str]]) -> None:
        """Offer sources, each as (key, title, tooltip); emits nothing."""
        chosen = self.source
        self._source.clear()
        _fill(self._source, sources)
        self.set_source(chosen)

    def set_source(self, key: str) -> None:
        """Choose a source; emits nothing."""
        place = self._source.findData(key)
        self._source.setCurrentIndex(max(place, 0))

    @property
    def source(self) -> str:
        """Key of the chosen source, "" if there is none."""
        return str(self._source.currentData() or "")

    @property
    def sort(self) -> str:
        """Key of the chosen order."""
        return str(self._sort.currentData())

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self.grid.set_thumbnails(thumbnails)

    def show_items(
        self, indices: ArrayLike, caption: Callable[[int], Caption] | None = None
    ) -> None:
        """Show images in the order given; see `GalleryGrid.show_items`."""
        self.grid.show_items(indices, caption)
        self._update_count()

    def set_selected(self, indices: ArrayLike) -> None:
        """Select these images; emits nothing."""
        self.grid.set_selected(indices)
        self._update_count()

    @property
    def empty_text(self) -> str:
        """What is written when there is no image."""
        return self.grid.empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self.grid.empty_text = text

    def _on_selection(self, indices: NDArray[np.int64]) -> None:
        self._update_count()
        self.selection_changed.emit(indices)

    def _update_count(self) -> None:
        shown = len(self.grid.items)
        text = "1 image" if shown == 1 else f"{shown:,} images"
        chosen = self.grid.n_selected
        if 0 < chosen < shown:
            text += f" · {chosen:,} selected"
        elif 1 < chosen == shown:
            text += " · all selected"
        self._count.setText(text)


def _fill(box: QComboBox, entries: Iterable[Sequence[str]]) -> None:
    """Offer entries, each as (key, title, tooltip)."""
    for row, (key, title, tooltip) in enumerate(entries):
        box.addItem(title, key)
        box.setItemData(row, tooltip, Qt.ItemDataRole.ToolTipRole)
