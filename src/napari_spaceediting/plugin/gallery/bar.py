"""The bar above the gallery: which images, how they are found, sorted and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log2

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_spaceediting.plugin.gallery.tiling import SIZES, USUAL_SIZE
from napari_spaceediting.plugin.widgets.controls import (
    choose,
    column,
    flow,
    pop_up,
    set_text,
    word_label,
)

SELECTION, NEAREST, SIMILAR = "selection", "nearest", "similar"
GUIDANCE, FIXED, BROKEN, CHOSEN = "guidance", "fixed", "broken", "chosen"
_SOURCES = (
    (SELECTION, "Selection", "What was last selected on the map, or found"),
    (NEAREST, "Nearest images", "Images most similar to the selection, to the network"),
    (SIMILAR, "Like a file", "Images most similar to one from outside"),
    (GUIDANCE, "Guidance", "All images that guidance proposes to look at"),
    (FIXED, "Fixed", "Held-out images that the last round put right"),
    (BROKEN, "Broken", "Held-out images that the last round got wrong"),
    (CHOSEN, "Evidence", "What was clicked on in the Evidence dock"),
)
COLUMN = "column:"
"""What the key of an order by a column begins with."""
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
_FIND_TIP = (
    "Select images everywhere by words, or by a condition on their columns:\n"
    'date > 2024 and plate == "B3"\n'
    'label in ["cat", "dog"] and not rejected\n'
    "The menu beside it has the columns."
)


class GalleryBar(QWidget):
    """What the gallery is asked for; it knows no images."""

    def __init__(self) -> None:
        super().__init__()
        self.sources = _box("Images shown", "Which images to show", _SOURCES, 9)
        self.sorts = _box("Order", "Order of the images", _SORTS, 8)
        self.find_field = QLineEdit()
        self.find_field.setPlaceholderText("Find…")
        self.find_field.setAccessibleName("Find images")
        self.find_field.setToolTip(_FIND_TIP)
        self.find_field.setClearButtonEnabled(True)
        self.find_field.setFixedWidth(11 * self.fontMetrics().height())
        self.find_menu = QMenu(self)
        self.find_menu.setToolTipsVisible(True)
        self.find_button = _button(
            "▾", "Saved selections, columns to find by, and images like a file"
        )
        self.find_button.setAccessibleName("Ways to find images")
        self.find_button.clicked.connect(
            lambda: pop_up(self.find_menu, self.find_button)
        )
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        ends = (_STEPS_OF_TWO * round(log2(side)) for side in SIZES)
        self.size_slider.setRange(*ends)
        self.size_slider.setValue(round(_STEPS_OF_TWO * log2(USUAL_SIZE)))
        self.size_slider.setAccessibleName("Image size")
        self.size_slider.setToolTip("Size of the images, up to one that fills the room")
        self.size_slider.setFixedWidth(4 * self.fontMetrics().height())
        self.compare_button = _button(
            "Compare",
            "Show the image in the frame as large as there is room, beside the most "
            "similar ones and those of the classes that it may be of [Space]",
        )
        self.compare_button.setCheckable(True)
        self.look_button = _button(
            "Contrast…", "Contrast limits, gamma and colours, for all images at once"
        )
        self.flaw = word_label("warning")
        self._lay_out()
        set_text(self.flaw, "")

    def _lay_out(self) -> None:
        controls = QWidget()
        controls.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        parts = flow(controls, 6, 4)
        height = self.sources.sizeHint().height()
        # As high as its lines are at its width, not as in the narrowest dock.
        controls.setMinimumHeight(height)
        for widget in (
            self.sources,
            self.find_field,
            self.find_button,
            self.sorts,
            self.size_slider,
            self.compare_button,
            self.look_button,
        ):
            widget.setMinimumHeight(height)
            parts.addWidget(widget)
        layout = column(self, 2)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.addWidget(controls)
        layout.addWidget(self.flaw)

    def offer_columns(self, names: Sequence[str]) -> None:
        """Offer to sort by columns, too; the order stays if it can."""
        key = self.sort
        while self.sorts.count() > len(_SORTS):
            self.sorts.removeItem(len(_SORTS))
        for name in names:
            self.sorts.addItem(name.capitalize(), f"{COLUMN}{name}")
            tip = f"By the column {name}"
            self.sorts.setItemData(
                self.sorts.count() - 1, tip, Qt.ItemDataRole.ToolTipRole
            )
        choose(self.sorts, key)

    def set_close(self, is_close: bool) -> None:
        """Show whether images are looked at closely."""
        self.compare_button.setChecked(is_close)
        for widget in (self.sorts, self.size_slider):
            widget.setDisabled(is_close)

    @property
    def side(self) -> int:
        """Wanted side of an image, in logical pixels."""
        return round(2 ** (self.size_slider.value() / _STEPS_OF_TWO))

    @property
    def source(self) -> str:
        """Key of the chosen source."""
        return str(self.sources.currentData())

    @property
    def sort(self) -> str:
        """Key of the chosen order."""
        return str(self.sorts.currentData())


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _box(
    name: str, tip: str, entries: Iterable[tuple[str, str, str]], width: int
) -> QComboBox:
    """Return a box of entries, each as (key, title, tooltip), so many lines wide."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for at, (key, title, tooltip) in enumerate(entries):
        box.addItem(title, key)
        box.setItemData(at, tooltip, Qt.ItemDataRole.ToolTipRole)
    # Whatever is chosen, what stands behind it stays where it is.
    box.setFixedWidth(width * box.fontMetrics().height())
    return box
