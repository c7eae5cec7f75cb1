"""All keys of the map, in the one table that the window and the docs share.

They are bound to the map's own layer, so that none of napari's is taken over anywhere
else, and none of the Points layer's own is used.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """A key on the map.

    Parameters
    ----------
    key : str
        In napari's notation.
    command : str
        Name of the command.
    text : str
        What it does.
    """

    key: str
    command: str
    text: str


KEYS = (
    Key("M", "tool_move", "Move tool: drag images, click to select"),
    Key("L", "tool_lasso", "Lasso tool"),
    Key("B", "tool_box", "Box tool"),
    Key("Escape", "select_none", "Select nothing"),
    Key("G", "select_neighbours", "Add the nearest images to the selection"),
    Key("C", "name_selected", "Pin the selected images: right place, name their class"),
    Key("R", "relabel_selected", "Relabel the selected images, whatever their place"),
    Key("T", "toggle_thumbnails", "Pictures on the map on or off"),
    Key("F", "zoom_to_selection", "Zoom to the selection, or to the whole map"),
    Key("V", "flip_maps", "Flip between the maps before and after a round"),
    Key("W", "show_traversal", "Show what would change in the selected images"),
    Key("Y", "answer_yes", "Guidance: yes, do what is proposed"),
    Key("N", "answer_no", "Guidance: no, it is right as it is"),
    Key("U", "answer_unsure", "Guidance: not sure, ask later"),
    Key("E", "answer_elsewhere", "Guidance: something else, choose the class"),
    Key("Control-Z", "undo", "Undo the last edit"),
    Key("Control-Shift-Z", "redo", "Redo"),
    Key("Control-Enter", "retrain", "Retrain with the edits"),
)
