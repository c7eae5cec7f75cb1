"""The classes with their keys, each of them a button as well."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QPushButton, QWidget

from napari_spaceediting.plugin.widgets.controls import flow, key_cap, literal, set_role

_OTHERS = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class ClassKeys(QWidget):
    """Buttons that name an image, with the keys that do so too."""

    chosen = Signal(int)
    """Number of a class, by its button or its key."""

    def __init__(self) -> None:
        super().__init__()
        self._classes: tuple[tuple[str, str], ...] = ()
        self.buttons: dict[str, QPushButton] = {}
        self._flow = flow(self)
        self.setAccessibleName("Keys of classes")

    def show_classes(self, names: Sequence[str], keys: Sequence[str]) -> None:
        """Show the C classes that have a key; those without have "" for it."""
        classes = tuple(zip(names, keys, strict=True))
        if classes == self._classes:
            return
        self._classes = classes
        for button in self.buttons.values():
            self._flow.removeWidget(button)
            button.deleteLater()
        self.buttons = {
            key: self._button(number, name, key)
            for number, (name, key) in enumerate(classes)
            if key
        }

    def take(self, event: QKeyEvent) -> bool:
        """Choose by a key; return whether it is one of a class."""
        button = self.buttons.get(event.text().upper())
        if button is None or event.modifiers() & _OTHERS:
            return False
        button.click()
        return True

    def _button(self, number: int, name: str, key: str) -> QPushButton:
        """Return a button that leaves the focus where it is."""
        button = QPushButton(literal(name))
        button.setToolTip(f"Name it {name} [{key}]")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self.chosen.emit(number))
        set_role(button, "class")
        key_cap(button, key, Qt.AlignmentFlag.AlignLeft)
        self._flow.addWidget(button)
        return button


def takes_back(event: QKeyEvent) -> bool:
    """Whether a key takes the last name back: Backspace, or the usual one."""
    return event.key() == Qt.Key.Key_Backspace or event.matches(
        QKeySequence.StandardKey.Undo
    )
