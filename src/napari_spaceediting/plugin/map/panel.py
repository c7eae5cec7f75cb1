"""Tools and looks of the map."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QMenu,
    QPushButton,
    QVBoxLayout,
)

from napari_spaceediting.plugin.map.colour_scale import ColourScale
from napari_spaceediting.plugin.map.legend import ClassLegend
from napari_spaceediting.plugin.map.scene import Tool
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Panel,
    choose,
    column,
    combo,
    pop_up,
    refill,
    row,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form

_TOOLS = (
    (Tool.MOVE, "Drag images to where they belong; click to select, drag to pan [M]"),
    (Tool.LASSO, "Draw around images to select them [L]"),
    (Tool.BOX, "Draw a rectangle around images to select them [B]"),
)
NONE_SELECTED = "No image is selected yet"
LEAST_SURE = 100
"""How many images are the least sure."""
SELECTIONS = (
    ("same_class", "Same class", "Images with the class of the selected ones"),
    (
        "same_prediction",
        "Same prediction",
        "Images that the network takes for the same class as the selected ones",
    ),
    (
        "neighbours",
        "Neighbours",
        "The images that are most similar to the selected ones, to the network",
    ),
    ("unlabelled", "Unlabelled", "All images without a class"),
    ("edited", "Edited", "All images that an open edit touches"),
    ("rejected", "Rejected", "All images that were taken out, to take them in again"),
    (
        "to_name",
        "Held out, no class",
        "Held-out images without a class, in a random order: name them in the gallery, "
        "so that there is evidence",
    ),
    (
        "disagree",
        "Label and network disagree",
        "Labelled images that the network takes for another class",
    ),
    (
        "unsure",
        f"Least sure ({LEAST_SURE})",
        "The images of which the network is least sure",
    ),
    ("all", "All", "All images that the map shows"),
    ("invert", "Invert", "All images that are not selected"),
    ("none", "None", "Select nothing"),
)
"""Key, title and tooltip of what the "Select" menu offers."""
_NEED_SELECTION = ("same_class", "same_prediction", "neighbours", "none")
_FIRST_OF_GROUPS = ("unlabelled", "all")
METHODS = (("umap", "UMAP"), ("pca", "PCA"))


class MapPanel(Panel):
    """Tools, colours, selection helpers, the method and the classes."""

    tool_changed = Signal(str)
    """A `Tool`."""
    colour_by_changed = Signal(str)
    """Key of what colours the points."""
    redraw_requested = Signal(str)
    """"umap" or "pca"."""
    lay_out_toggled = Signal(bool)
    """Whether images lie along the axis that colours them."""
    removal_requested = Signal()
    """The axis that colours the images is to go."""
    select_requested = Signal(str)
    """A key of `SELECTIONS`."""

    def __init__(self) -> None:
        super().__init__()
        self._build_tools()
        self._build_fields()
        self.legend = ClassLegend()
        self.scale = ColourScale()
        self.quality = word_label("muted")
        self.quality.setToolTip(
            "Trustworthiness: the share of neighbours on the map that are neighbours "
            "to the network too, weighted by rank; 1 is best"
        )
        form = Form()
        form.add("Colour by", self.colour_combo)
        form.add("Method", self.method_combo, self.redraw_button, stretch=(3, 2))
        layout = column(self)
        layout.addLayout(
            row(*self.tool_buttons.values(), self.select_button, stretch=(3, 3, 3, 4))
        )
        layout.addWidget(form)
        layout.addLayout(row(self.along_check, self.remove_button, stretch=(3, 2)))
        layout.addWidget(self.axis_note)
        layout.addWidget(self.quality)
        checks = QVBoxLayout()
        checks.setSpacing(TIGHT)
        checks.addWidget(self.thumbnails_check)
        checks.addWidget(self.density_check)
        checks.addWidget(self.held_out_check)
        layout.addLayout(checks)
        layout.addWidget(self.scale)
        layout.addWidget(self.legend)
        self.quality.hide()
        self.show_axis("")

    def _build_tools(self) -> None:
        self.tool_buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        for tool, tip in _TOOLS:
            self.tool_buttons[tool] = button = self.gate.button(
                tool.capitalize(),
                tip,
                lambda _=False, t=tool: self.tool_changed.emit(t),
            )
            button.setCheckable(True)
            group.addButton(button)
        self.set_tool(Tool.MOVE)
        self.select_button = self.gate.button(
            "Select ▾",
            "Select images by what they have in common",
            lambda: pop_up(menu, self.select_button),
        )
        self.select_button.setAccessibleName("Select")
        self.select_menu = menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.triggered.connect(lambda chosen: self.select_requested.emit(chosen.data()))
        self._selections: dict[str, tuple[QAction, str]] = {}
        for key, title, tip in SELECTIONS:
            if key in _FIRST_OF_GROUPS:
                menu.addSeparator()
            action = menu.addAction(title)
            action.setData(key)
            action.setToolTip(tip)
            self._selections[key] = (action, tip)
        self.set_any_selected(False)

    def _build_fields(self) -> None:
        self.colour_combo = combo("")
        self.colour_combo.activated.connect(
            lambda: self.colour_by_changed.emit(self.colour_combo.currentData())
        )
        self.gate.add(self.colour_combo, "What the colour of a point stands for")
        self.along_check = QCheckBox("Lay out along it")
        self.along_check.toggled.connect(self.lay_out_toggled)
        self.gate.add(
            self.along_check,
            "Have the axis from left to right; nothing can be moved meanwhile",
        )
        self.remove_button = self.gate.button(
            "Remove the axis", "Keep this axis no more", self.removal_requested
        )
        self.axis_note = word_label("muted")
        self.method_combo = combo("", METHODS)
        self.gate.add(
            self.method_combo,
            "UMAP keeps neighbourhoods together; PCA is immediate and keeps the "
            "coarse order",
        )
        self.redraw_button = self.gate.button(
            "Redraw",
            "Draw the map anew by this method",
            lambda: self.redraw_requested.emit(self.method_combo.currentData()),
        )
        self.thumbnails_check = QCheckBox("Thumbnails")
        self.thumbnails_check.setChecked(True)
        self.gate.add(
            self.thumbnails_check, "Show pictures on the map where there is room"
        )
        self.density_check = QCheckBox("Density")
        self.gate.add(
            self.density_check,
            "Draw lines around the densest 20, 40, 60, 80 and 95% of the images that "
            "are shown: where many lie on top of each other",
        )
        self.held_out_check = QCheckBox("Select held-out images too")
        self.gate.add(
            self.held_out_check,
            "Include held-out images in selections: they measure the network, so they "
            "can be relabelled but neither moved nor pinned",
        )

    def set_tool(self, tool: str) -> None:
        """Show which tool is in hand; emits nothing."""
        self.tool_buttons[tool].setChecked(True)

    def offer_colours(self, keys: Sequence[tuple[str, str]], key: str) -> None:
        """Offer what may colour the points, by key and title, and show what does."""
        refill(self.colour_combo, keys)
        choose(self.colour_combo, key)

    def show_axis(self, verdict: str) -> None:
        """Say how well the axis that colours the points holds; "" if none does."""
        set_text(self.axis_note, verdict)
        for control in (self.along_check, self.remove_button):
            control.setVisible(bool(verdict))
        if not verdict:
            self.along_check.setChecked(False)

    def set_any_selected(self, any_selected: bool) -> None:
        """Offer what starts from the selected images, or say that there are none."""
        for key in _NEED_SELECTION:
            action, tip = self._selections[key]
            action.setEnabled(any_selected)
            action.setToolTip(tip if any_selected else f"{NONE_SELECTED}.\n\n{tip}")

    def set_redraw_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow to draw the map anew, or say why not."""
        for control in (self.method_combo, self.redraw_button):
            self.gate.block(control, "" if enabled else reason)
