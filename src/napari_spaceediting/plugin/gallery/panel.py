"""The gallery: a grid of images under a bar that says what is shown and how."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QWidget,
)

from napari_spaceediting.plugin.gallery.compare import Compare
from napari_spaceediting.plugin.gallery.grid import GalleryGrid
from napari_spaceediting.plugin.gallery.look import LookPopup
from napari_spaceediting.plugin.gallery.tiling import SIZES, USUAL_SIZE
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.class_keys import ClassKeys, takes_back
from napari_spaceediting.plugin.widgets.controls import (
    column,
    dress,
    flow,
    set_role,
    set_text,
)
from napari_spaceediting.plugin.widgets.palette import Palette

SELECTION, NEAREST, GUIDANCE = "selection", "nearest", "guidance"
FIXED, BROKEN, CHOSEN = "fixed", "broken", "chosen"
_SOURCES = (
    (SELECTION, "Selection", "What was last selected on the map"),
    (NEAREST, "Nearest images", "Images most similar to the selection, to the network"),
    (GUIDANCE, "Guidance", "All images that guidance proposes to look at"),
    (FIXED, "Fixed", "Held-out images that the last round put right"),
    (BROKEN, "Broken", "Held-out images that the last round got wrong"),
    (CHOSEN, "Evidence", "What was clicked on in the Evidence dock"),
)
_SORTS = (
    ("map", "Map order", "In the order in which the images were chosen on the map"),
    ("label", "Label", "By the class that the image is labelled with"),
    ("prediction", "Prediction", "By the class that the network predicts"),
    (
        "margin",
        "Margin",
        "By how much the likeliest class leads over the next: most doubtful first",
    ),
    (
        "disagreement",
        "Disagreement",
        "From the label that the network believes least; unlabelled images come last",
    ),
)


_STEPS_OF_TWO = 8
"""Steps of the slider in which images become twice as large."""


class ImageGallery(QWidget):
    """The grid, or what is looked at closely, under a bar that says what and how.

    While either has the focus, the key of a class names the image in the frame.
    """

    named = Signal(int)
    """Number of the class that the image in the frame is of."""
    taken_back = Signal()
    """The last edit is to be undone."""
    look_requested = Signal(bool)
    """Look closely at the image in the frame, or at all images again."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = GalleryGrid()
        self.compare = Compare()
        self.look = LookPopup(self)
        self.sources = _box("Images shown", "Which images to show", _SOURCES)
        self.sources.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.sorts = _box("Order", "Order of the images", _SORTS)
        self._count = QLabel()
        self._count.setToolTip("Images shown here, and how many are selected")
        set_role(self._count, "muted")
        self._named = QLabel()
        self._named.setToolTip("Backspace takes the last name back")
        set_role(self._named, "strong")
        self.class_keys = ClassKeys()
        self.class_keys.chosen.connect(self._on_class)
        self.class_keys.layout().setContentsMargins(4, 0, 4, 2)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(*(_STEPS_OF_TWO * round(log2(side)) for side in SIZES))
        self._size.setValue(round(_STEPS_OF_TWO * log2(USUAL_SIZE)))
        self._size.setAccessibleName("Image size")
        self._size.setToolTip("Size of the images, up to one that fills the room")
        self._size.setFixedWidth(5 * self.fontMetrics().height())
        self.compare_button = QPushButton("Compare")
        self.compare_button.setCheckable(True)
        self.compare_button.setToolTip(
            "Show the image in the frame as large as there is room, beside the most "
            "similar ones and those of the classes that it may be of [Space]"
        )
        self.compare_button.clicked.connect(self.look_requested)
        self.look_button = QPushButton("Contrast…")
        self.look_button.setToolTip(
            "Contrast limits, gamma and colours, for all images at once"
        )

        bar = QWidget()
        bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        parts = flow(bar, 8, 4)
        parts.setContentsMargins(4, 4, 4, 0)
        height = self.sources.sizeHint().height()
        # As high as its lines are at its width, not as in the narrowest dock.
        bar.setMinimumHeight(height + 4)
        for widget in (
            self.sources,
            self._count,
            self.sorts,
            self._size,
            self.compare_button,
            self.look_button,
            self._named,
        ):
            widget.setMinimumHeight(height)
            parts.addWidget(widget)
        self._views = QStackedWidget()
        self._views.addWidget(self.grid)
        self._views.addWidget(self.compare)
        layout = column(self, 2)
        layout.addWidget(bar)
        layout.addWidget(self.class_keys)
        layout.addWidget(self._views, 1)
        self.grid.counted.connect(self._show_count)
        self._size.valueChanged.connect(
            lambda step: self.grid.set_tile_size(round(2 ** (step / _STEPS_OF_TWO)))
        )
        self._show_count(0, 0)
        self.show_named("")

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)

    def set_pictures(self, pictures: Pictures) -> None:
        """Set the pictures of all images."""
        self.grid.set_pictures(pictures)
        self.compare.set_pictures(pictures)

    def repaint_pictures(self) -> None:
        """Paint the pictures that have come."""
        self.grid.viewport().update()
        self.compare.repaint_pictures()

    @property
    def is_close(self) -> bool:
        """Whether images are looked at closely."""
        return self._views.currentWidget() is self.compare

    def set_close(self, is_close: bool) -> None:
        """Show images closely, or all of them; the keyboard goes along."""
        view = self.compare if is_close else self.grid
        had_focus = self._views.currentWidget().hasFocus()
        self._views.setCurrentWidget(view)
        self.compare_button.setChecked(is_close)
        for widget in (self.sorts, self._size):
            widget.setVisible(not is_close)
        if not is_close:
            self._show_count(len(self.grid.items), self.grid.n_selected)
        if had_focus:
            view.setFocus()

    def show_place(self, text: str) -> None:
        """Say which of the images is looked at, such as "3 of 24"."""
        self._count.setText(text)

    def set_source(self, key: str) -> None:
        """Choose a source; emits nothing."""
        self.sources.setCurrentIndex(self.sources.findData(key))

    @property
    def source(self) -> str:
        """Key of the chosen source."""
        return str(self.sources.currentData())

    @property
    def sort(self) -> str:
        """Key of the chosen order."""
        return str(self.sorts.currentData())

    def show_named(self, text: str) -> None:
        """Say what was named last, such as "Coat: 3 of 24 named"."""
        set_text(self._named, text)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Name an image by key, or take the name back."""
        if event is None or self.focusWidget() not in (self.grid, self.compare):
            return
        if takes_back(event):
            self.taken_back.emit()
        elif not self.class_keys.take(event):
            super().keyPressEvent(event)

    def _on_class(self, number: int) -> None:
        self._views.currentWidget().setFocus()
        self.named.emit(number)

    def _show_count(self, shown: int, chosen: int) -> None:
        text = "1 image" if shown == 1 else f"{shown:,} images"
        if 0 < chosen < shown:
            text += f" · {chosen:,} selected"
        elif 1 < chosen == shown:
            text += " · all selected"
        self._count.setText(text)


def _box(name: str, tip: str, entries: Iterable[tuple[str, str, str]]) -> QComboBox:
    """Return a box of entries, each as (key, title, tooltip)."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for row, (key, title, tooltip) in enumerate(entries):
        box.addItem(title, key)
        box.setItemData(row, tooltip, Qt.ItemDataRole.ToolTipRole)
    return box
