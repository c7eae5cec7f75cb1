"""Tools and looks of the map."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPoint, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.map.legend import ClassLegend
from napari_spaceediting.plugin.map.view import Tool
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Gate,
    choose,
    column,
    combo,
    refill,
    row,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.palette import Palette

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


class MapPanel(QWidget):
    """Tools, colours, selection helpers, the method and the classes.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    tool_changed = Signal(str)
    """A `Tool`."""
    colour_by_changed = Signal(str)
    """Key of what colours the points."""
    redraw_requested = Signal(str)
    """"umap" or "pca"."""
    select_requested = Signal(str)
    """A key of `SELECTIONS`."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gate = Gate()
        self._build_tools()
        self._build_fields()
        self.legend = ClassLegend(palette)
        self._quality = word_label()
        self._quality.setToolTip(
            "Trustworthiness: the share of neighbours on the map that are neighbours "
            "to the network too, weighted by rank; 1 is best"
        )
        self._form = Form()
        self._form.add("Colour by", self.colour_combo)
        self._form.add("Method", self.method_combo, self.redraw_button, stretch=(3, 2))
        layout = column(self)
        layout.addLayout(
            row(*self.tool_buttons.values(), self.select_button, stretch=(3, 3, 3, 4))
        )
        layout.addWidget(self._form)
        layout.addWidget(self._quality)
        checks = QVBoxLayout()
        checks.setSpacing(TIGHT)
        checks.addWidget(self.thumbnails_check)
        checks.addWidget(self.held_out_check)
        layout.addLayout(checks)
        layout.addWidget(self.legend)
        self.show_quality("")
        self.set_theme(palette)

    def _build_tools(self) -> None:
        self.tool_buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        for tool, tip in _TOOLS:
            button = QPushButton(tool.capitalize())
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, t=tool: self.tool_changed.emit(t))
            group.addButton(button)
            self._gate.add(button, tip)
            self.tool_buttons[tool] = button
        self.set_tool(Tool.MOVE)
        self.select_button = QPushButton("Select ▾")
        self.select_button.setAccessibleName("Select")
        self.select_button.clicked.connect(self._show_selections)
        self._gate.add(self.select_button, "Select images by what they have in common")
        self.select_menu = QMenu(self)
        self.select_menu.setToolTipsVisible(True)
        self.select_menu.triggered.connect(self._on_select)
        self._selections: dict[str, tuple[QAction, str]] = {}
        for key, title, tip in SELECTIONS:
            if key in _FIRST_OF_GROUPS:
                self.select_menu.addSeparator()
            action = self.select_menu.addAction(title)
            action.setData(key)
            action.setToolTip(tip)
            self._selections[key] = (action, tip)
        self.set_any_selected(False)

    def _build_fields(self) -> None:
        self.colour_combo = combo("")
        self.colour_combo.activated.connect(
            lambda: self.colour_by_changed.emit(self.colour_combo.currentData())
        )
        self._gate.add(self.colour_combo, "What the colour of a point stands for")
        self.method_combo = combo("", METHODS)
        self._gate.add(
            self.method_combo,
            "UMAP keeps neighbourhoods together; PCA is immediate and keeps the "
            "coarse order",
        )
        self.redraw_button = QPushButton("Redraw")
        self.redraw_button.clicked.connect(
            lambda: self.redraw_requested.emit(self.method_combo.currentData())
        )
        self._gate.add(self.redraw_button, "Draw the map anew by this method")
        self.thumbnails_check = QCheckBox("Thumbnails")
        self.thumbnails_check.setChecked(True)
        self._gate.add(
            self.thumbnails_check, "Show pictures on the map where there is room"
        )
        self.held_out_check = QCheckBox("Select held-out images too")
        self._gate.add(
            self.held_out_check,
            "Include held-out images in selections: they measure the network, so they "
            "can be relabelled but neither moved nor pinned",
        )

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.legend.set_theme(palette)
        style_label(self._quality, palette.muted)

    def set_tool(self, tool: str) -> None:
        """Show which tool is in hand; emits nothing."""
        self.tool_buttons[tool].setChecked(True)

    def set_colour_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Offer what points can be coloured by, each with its key and its title."""
        refill(self.colour_combo, keys)

    def set_colour_by(self, key: str) -> None:
        """Show what points are coloured by; emits nothing."""
        choose(self.colour_combo, key)

    def set_method(self, method: str) -> None:
        """Show how the map is drawn; emits nothing."""
        choose(self.method_combo, method)

    def set_any_selected(self, any_selected: bool) -> None:
        """Offer what starts from the selected images, or say that there are none."""
        for key in _NEED_SELECTION:
            action, tip = self._selections[key]
            action.setEnabled(any_selected)
            action.setToolTip(tip if any_selected else f"{NONE_SELECTED}.\n\n{tip}")

    def show_quality(self, text: str) -> None:
        """Say how far the map can be trusted."""
        set_text(self._quality, text)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow work on the map, or say why not."""
        self._gate.set_enabled(enabled, reason)

    def set_redraw_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow to draw the map anew, or say why not."""
        for control in (self.method_combo, self.redraw_button):
            self._gate.block(control, "" if enabled else reason)

    def _show_selections(self) -> None:
        below = self.select_button.mapToGlobal(QPoint(0, self.select_button.height()))
        self.select_menu.popup(below)

    def _on_select(self, action: QAction) -> None:
        self.select_requested.emit(action.data())
