"""Buttons that bring docks to the front, or fold them away."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_spaceediting.plugin.widgets.controls import row


class DockBar(QWidget):
    """A button for each dock; that of the one in front is down.

    Parameters
    ----------
    entries : sequence of (str, str)
        Name of each dock, and the text of its button.
    """

    pressed = Signal(str)
    """Name of the dock whose button was pressed."""

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        for name, text in entries:
            self.buttons[name] = button = QPushButton(text)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(
                f"Show the {name} below the map; once more, and the map has the room"
            )
            button.clicked.connect(lambda _=False, n=name: self.pressed.emit(n))
        layout = row(*self.buttons.values())
        layout.setContentsMargins(6, 4, 6, 4)
        self.setLayout(layout)

    def show_front(self, name: str) -> None:
        """Say which dock is in front; "" for none."""
        for each, button in self.buttons.items():
            button.setChecked(each == name)
