"""A way through the window by mouse and keyboard, with clicks and keys counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QMainWindow, QMenu, QWidget

from watch import Spent, spin, wait

if TYPE_CHECKING:
    from napari_spaceediting.plugin.space_editor import SpaceEditor
    from watch import Watch

_LEFT = Qt.MouseButton.LeftButton
_SETTLED = 0.06
"""Seconds after which what an event leads to at once is over."""


class Mouse:
    """Clicks on what is seen and presses keys, and counts.

    Parameters
    ----------
    watch : Watch, optional
        Tells what of a reaction is the drawing of the canvas; without it, reactions
        are not measured.

    Attributes
    ----------
    clicks : list of str
        What was clicked on.
    n_keys : int
        Keys that were pressed.
    reactions : list of (str, float, float)
        What was done with a click, a key or another act; processor seconds of the
        window's thread after it, without the drawing of the canvas; and seconds on
        the clock until the window had taken it in and was painted, drawing included.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self.clicks: list[str] = []
        self.n_keys = 0
        self.reactions: list[tuple[str, float, float]] = []

    def choose(self, main: QMainWindow, *path: str) -> None:
        """Click through the menus of a window: "File", ..., and what is wanted.

        Only the last click is counted: the menus before it open under the pointer.
        """
        bar = main.menuBar()
        first, *others = path
        action = _find(bar, first)
        QTest.mouseClick(bar, _LEFT, pos=bar.actionGeometry(action).center())
        self._follow(action.menu(), *others)
        self.clicks.append(f"{path[-1]} (in the menu {path[-2]})")

    def choose_below(self, button: QAbstractButton, menu: QMenu, *path: str) -> None:
        """Click on a button that opens a menu, and through that menu."""
        self.push(button)
        self._follow(menu, *path)
        self.clicks += path

    def press(self, editor: SpaceEditor, key: str, button: QAbstractButton) -> None:
        """Click on a button in a section of the editor, unfolded if need be."""
        self.unfold(editor, key)
        self.push(button)

    def unfold(self, editor: SpaceEditor, key: str) -> None:
        """Click on the title of a section of the editor, if it is folded."""
        section = editor.section(key)
        if not section.is_open:
            self.click(
                section.header,
                f"the title of the section {section.header.accessibleName()}",
            )

    def push(self, button: QAbstractButton) -> None:
        """Click on a button as soon as it can be clicked on."""
        wait(lambda: button.isEnabled() and button.isVisible(), 60)
        spin(0.2)
        self.click(button, button.text())

    def click(self, widget: QWidget, what: str, at: QPoint | None = None) -> None:
        """Click on a widget, by default in its middle."""
        self._click(widget, widget.rect().center() if at is None else at, what)
        self.clicks.append(what)

    def key(self, widget: QWidget, key: Qt.Key | str) -> None:
        """Press a key while a widget has the focus."""
        self.measured(f"key {_named(key)}", lambda: QTest.keyClick(widget, key))
        self.n_keys += 1

    def type(self, widget: QWidget, text: str) -> None:
        """Type a text and press Enter."""
        for letter in text:
            QTest.keyClick(widget, letter)
        self.n_keys += len(text)
        self.key(widget, Qt.Key.Key_Return)

    def _follow(self, menu: QMenu, *path: str) -> None:
        for name in path:
            wait(menu.isVisible)
            action = _find(menu, name)
            QTest.mouseMove(menu, menu.actionGeometry(action).center())
            self._click(menu, menu.actionGeometry(action).center(), name)
            menu = action.menu() or menu

    def _click(self, widget: QWidget, at: QPoint, what: str) -> None:
        self.measured(what, lambda: QTest.mouseClick(widget, _LEFT, pos=at))

    def measured(self, what: str, act: Callable[[], object]) -> None:
        """Do something, and measure the reaction to it."""
        if self._watch is None:
            act()
            QApplication.processEvents()
            return
        start, drawing = Spent.now(), self._watch.drawing.cpu
        act()
        QApplication.processEvents()
        seen = time.perf_counter() - start.wall
        spin(_SETTLED)
        drawn = self._watch.drawing.cpu - drawing
        own = max(0.0, time.thread_time() - start.cpu - drawn)
        self.reactions.append((what, own, seen))


def _named(key: Qt.Key | str) -> str:
    return key if isinstance(key, str) else key.name.removeprefix("Key_")


def _find(menu: QWidget, name: str) -> QMenu:
    for action in menu.actions():
        if action.text().replace("&", "").startswith(name):
            return action
    shown = [action.text() for action in menu.actions()]
    raise LookupError(f"No {name} among {shown}.")
