"""All keys of the window, in the one table that it and the docs share.

Those of the map are bound to the map's own layer, so that none of napari's is taken
over anywhere else, and none of the Points layer's own is used. Those of classes name
images in the gallery and in guidance while one of these has the focus, nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Key("X", "reject_selected", "Reject the selected images, or take them in again"),
    Key("T", "toggle_thumbnails", "Pictures on the map on or off"),
    Key("F", "zoom_to_selection", "Zoom to the selection, or to the whole map"),
    Key(
        "Q", "show_object", "Show the other layers and the selected object, or the map"
    ),
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
LAYERS = next(entry.key for entry in KEYS if entry.command == "show_object")
PREVIOUS, NEXT = ",", "."
"""Keys of the proposals before and after in guidance."""
_OF_GUIDANCE = {PREVIOUS, NEXT} | {
    entry.key for entry in KEYS if entry.command.startswith("answer_")
}
_TAKEN = _OF_GUIDANCE | {entry.key for entry in KEYS}
_FREE = [key for key in "1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ" if key not in _TAKEN]
"""Keys that classes get in this order."""


def class_keys(names: Sequence[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """Return the key of each class, "" where none is left.

    Parameters
    ----------
    names : sequence of str
        C classes. One that is called like a free key, such as "7", has that.
    chosen : mapping of str to str
        What the user chose, by class.
    """
    keys = {name: chosen[name] for name in names if name in chosen}
    for name in names:
        own = name.upper()
        if name not in keys and own in _FREE and own not in keys.values():
            keys[name] = own
    free = [key for key in _FREE if key not in keys.values()]
    rest = [name for name in names if name not in keys]
    keys |= dict.fromkeys(rest, "") | dict(zip(rest, free, strict=False))
    return tuple(keys[name] for name in names)


def with_key(
    names: Sequence[str], chosen: Mapping[str, str], name: str, key: str
) -> dict[str, str]:
    """Return what is chosen when a class has got another key.

    A class that had it takes the old one in exchange; all others keep theirs.
    """
    keys = dict(zip(names, class_keys(names, chosen), strict=True))
    for other, had in keys.items():
        if had == key:
            keys[other] = keys[name]
    keys = {name: key, **{each: had for each, had in keys.items() if each != name}}
    return {each: had for each, had in keys.items() if had}


def refusal(key: str) -> str:
    """Say why a class cannot have this key; "" where it can."""
    if len(key) != 1 or not key.isprintable() or key.isspace():
        return "The key of a class is one character, such as 3 or A."
    if key in _OF_GUIDANCE:
        return f"{key} is a key of Guidance itself: choose another one."
    return ""
