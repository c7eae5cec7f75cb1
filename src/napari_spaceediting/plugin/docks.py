"""The docks: the editor on the right, the others below the map, which can be folded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from napari.plugins import menu_item_template
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_spaceediting.plugin.widgets.dock_bar import DockBar

if TYPE_CHECKING:
    from napari.viewer import Viewer

DISPLAY_NAME = "SpaceEditing"
"""As in the manifest: napari's menus name the docks after it."""
EDITOR = "Space Editor"
_WIDEST, _NARROWEST = 380, 330
_SHARE_OF_WIDTH = 0.25
"""Of the window, that the editor takes at first."""
_SHARE_OF_HEIGHT = 1 / 3
"""Of the window, that what is below the map takes at first."""
_SMALL = 820
"""Height of a window, in pixels, in which the map needs all of it at first."""


class Docks:
    """Opens the views of a viewer as docks, and folds those below the map.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    editor : QWidget
        Stands on the right.
    below : mapping of str to QWidget
        The views below the map, by their names.
    bar : DockBar
        Its buttons bring them to the front, or fold all.
    """

    def __init__(
        self,
        viewer: Viewer,
        editor: QWidget,
        below: Mapping[str, QWidget],
        bar: DockBar,
    ) -> None:
        self._viewer = viewer
        self._editor = editor
        self._below = dict(below)
        self._bar = bar
        self._is_folded_by_hand = False
        self._front = ""
        bar.pressed.connect(self._on_pressed)

    @property
    def main(self) -> QMainWindow | None:
        """The window that a view is docked in, if there is one."""
        docks = dock_of(self._editor), *self._docks()
        found = next((dock.parent() for dock in docks if dock is not None), None)
        return found if isinstance(found, QMainWindow) else None

    def show_all(self, *, anew: bool) -> None:
        """Open all docks, and arrange them if it is for the first time or one is new.

        In a small window those below the map wait until there is something in them.
        """
        anew |= self._open(EDITOR, self._editor, "right")
        for name, view in self._below.items():
            anew |= self._open(name, view, "bottom")
        if anew:
            self._arrange()

    def bring_forward(self, view: QWidget, *, asked: bool = True) -> None:
        """Bring a view to the front; unasked not if the user has put it away."""
        if view is not self._editor:
            is_away = self._is_folded_by_hand or dock_of(view) is None
            if is_away and not asked:
                return
            self._is_folded_by_hand = False
            name = next(name for name, each in self._below.items() if each is view)
            self._open(name, view, "bottom")
            for each in self._docks():
                each.show()
        dock = dock_of(view)
        if dock is not None:
            dock.show()
            dock.raise_()

    @property
    def is_folded(self) -> bool:
        """Whether none of those below the map is open."""
        return all(dock.isHidden() for dock in self._docks())

    def _docks(self) -> list[QDockWidget]:
        """Return those below the map that are open or folded."""
        docks = map(dock_of, self._below.values())
        return [dock for dock in docks if dock is not None]

    def _fold(self) -> None:
        for dock in self._docks():
            dock.hide()

    def _on_pressed(self, name: str) -> None:
        if name == self._front:
            self._fold()
            self._is_folded_by_hand = True
        else:
            self.bring_forward(self._below[name])
        self._bar.show_front(self._front)

    def _on_visible(self, name: str, is_visible: bool) -> None:
        """Say on the bar which view is in front."""
        if is_visible:
            self._front = name
        elif self._front == name:
            self._front = ""
        self._bar.show_front(self._front)

    def _open(self, name: str, view: QWidget, area: str) -> bool:
        """Show the dock of a view, and return whether it had to be made."""
        dock = dock_of(view)
        if dock is not None:
            dock.show()
            return False
        self._viewer.window.add_dock_widget(
            view,
            name=menu_item_template.format(DISPLAY_NAME, name),
            area=area,
            add_vertical_stretch=False,
        )
        dock = dock_of(view)
        assert dock is not None
        if view is self._editor:
            return True
        dock.visibilityChanged.connect(partial(self._on_visible, name))
        others = [each for each in self._docks() if each is not dock]
        if others:
            dock.parent().tabifyDockWidget(others[0], dock)
        return True

    def _arrange(self) -> None:
        main, editor = self.main, dock_of(self._editor)
        assert main is not None
        assert editor is not None
        # The editor and the layer list keep the full height of the window.
        for corner, area in (
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        ):
            main.setCorner(corner, area)
        first = dock_of(next(iter(self._below.values())))
        assert first is not None
        first.raise_()
        width = min(max(_SHARE_OF_WIDTH * main.width(), _NARROWEST), _WIDEST)
        main.resizeDocks([editor], [round(width)], Qt.Orientation.Horizontal)
        height = round(_SHARE_OF_HEIGHT * main.height())
        main.resizeDocks([first], [height], Qt.Orientation.Vertical)
        if main.height() < _SMALL:
            self._fold()


def dock_of(view: QWidget) -> QDockWidget | None:
    """Return the dock that a view is in, if there is one."""
    parent = view.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
