"""A way through the window by mouse alone, with its clicks counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QMainWindow, QMenu, QWidget

from watch import spin, wait

if TYPE_CHECKING:
    from napari_spaceediting.plugin.space_editor import SpaceEditor

_LEFT = Qt.MouseButton.LeftButton


class Mouse:
    """Clicks on what is seen, and counts.

    Attributes
    ----------
    clicks : list of str
        What was clicked on.
    """

    def __init__(self) -> None:
        self.clicks: list[str] = []

    def choose(self, main: QMainWindow, *path: str) -> None:
        """Click through the menus of a window: "File", ..., and what is wanted.

        Only the last click is counted: the menus before it open under the pointer.
        """
        bar = main.menuBar()
        first, *others = path
        action = _find(bar, first)
        QTest.mouseClick(bar, _LEFT, pos=bar.actionGeometry(action).center())
        menu = action.menu()
        for name in others:
            wait(menu.isVisible)
            action = _find(menu, name)
            QTest.mouseMove(menu, menu.actionGeometry(action).center())
            self._click(menu, menu.actionGeometry(action).center())
            menu = action.menu() or menu
        self.clicks.append(f"{path[-1]} (in the menu {path[-2]})")

    def press(self, editor: SpaceEditor, key: str, button: QAbstractButton) -> None:
        """Click on a button in a section of the editor, unfolded if need be."""
        section = editor.section(key)
        if not section.is_open:
            self._click(section.header, section.header.rect().center())
            self.clicks.append(
                f"the title of the section {section.header.accessibleName()}"
            )
        self.push(button)

    def push(self, button: QAbstractButton) -> None:
        """Click on a button as soon as it can be clicked on."""
        wait(lambda: button.isEnabled() and button.isVisible())
        spin(0.2)
        self._click(button, button.rect().center())
        self.clicks.append(button.text())

    def _click(self, widget: QWidget, at: QPoint) -> None:
        QTest.mouseClick(widget, _LEFT, pos=at)
        QApplication.processEvents()


def _find(menu: QWidget, name: str) -> QMenu:
    for action in menu.actions():
        if action.text().replace("&", "").startswith(name):
            return action
    shown = [action.text() for action in menu.actions()]
    raise LookupError(f"No {name} among {shown}.")
