"""The classes with their colours and counts; each can be hidden or isolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QEvent, QModelIndex, QObject, QPoint, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QLineEdit,
    QListWidget,
    QPushButton,
    QWidget,
)

from napari_spaceediting.colours import class_colours
from napari_spaceediting.plugin.map.class_menu import add_changes, ask_key
from napari_spaceediting.plugin.map.stamps import dot
from napari_spaceediting.plugin.widgets.controls import (
    column,
    context_menu,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

_FILTER_ABOVE = 12
_COLUMN = 10
"""Least width of a chip, in heights of a line."""
_MOST_ROWS = 8
"""More of them scroll."""
_SHOWS = Qt.ItemDataRole.UserRole
"""Of what an item shows."""


class ClassLegend(QWidget):
    """Chips of the classes in aligned columns.

    A click on one hides and shows it, with Alt or twice it shows it alone; the menu of
    the right button offers the same, to select its images, and to change the class.
    """

    changed = Signal()
    """Other classes are visible."""
    select_requested = Signal(int)
    """Class whose images are to be selected."""
    key_chosen = Signal(int, str)
    """Class, and the key that it shall have."""
    edit_requested = Signal(object)
    """A `ClassEdit`."""
    reject_requested = Signal(int)
    """Class whose images are to be taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()
        self.counts = np.empty(0, int)
        self.visible = np.empty(0, bool)
        """Which of the (C,) classes are visible."""
        self._keys: tuple[str, ...] = ()
        self._colours = class_colours(0)
        self._filter = QLineEdit()
        self._filter.setClearButtonEnabled(True)
        self._filter.setTextMargins(4, 0, 4, 0)
        self._filter.setToolTip("Show only classes whose name holds this text")
        self._filter.setAccessibleName("Filter classes")
        self._filter.textChanged.connect(self._on_filter)
        self._show_all = QPushButton("Show all classes")
        self._show_all.setToolTip("Make every class visible again")
        self._show_all.clicked.connect(
            lambda: self._show(np.ones(len(self.names), bool))
        )
        self._nothing = word_label("muted")
        self.chips = chips = QListWidget()
        chips.setFlow(QListWidget.Flow.LeftToRight)
        chips.setWrapping(True)
        chips.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        chips.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        chips.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        chips.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        chips.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        chips.setAccessibleName("Classes")
        chips.clicked.connect(self._on_click)
        chips.doubleClicked.connect(self._on_double_click)
        chips.customContextMenuRequested.connect(self._offer)
        chips.installEventFilter(self)
        set_role(chips, "chips")
        layout = column(self, 4)
        for part in (self._filter, chips, self._nothing, self._show_all):
            layout.addWidget(part)
        self.set_classes([], [])

    def set_theme(self, _: Palette) -> None:
        """Fit the chips to the text size of a theme."""
        self._fit()

    def set_classes(
        self,
        names: Sequence[str],
        counts: ArrayLike,
        keys: Sequence[str] = (),
        colours: NDArray[np.float32] | None = None,
    ) -> None:
        """Show classes; what is typed and hidden stays where they are the same.

        Parameters
        ----------
        names : sequence of str
            C names.
        counts : (C,) array_like of int
            Images of each class.
        keys : sequence of str
            The key of each class, "" for none; empty where they are no classes.
        colours : (C or more, 4) float32 array, optional
            RGBA of each class.
        """
        self._colours = class_colours(len(names)) if colours is None else colours
        others = tuple(names) != self.names
        self._keys = tuple(keys)
        self.counts = np.array(counts, int)
        if others:
            self.names, self.visible = tuple(names), np.ones(len(names), bool)
            self.chips.clear()
            self.chips.addItems(names)
            self._filter.setVisible(len(names) > _FILTER_ABOVE)
            self._filter.setPlaceholderText(f"Filter {len(names):,} classes")
            self._filter.clear()
        self._on_filter(self._filter.text())
        self._describe()

    # What is visible

    def forget_hidden(self) -> None:
        """Let every class be visible, without a signal."""
        self.visible[:] = True

    def toggle(self, row: int) -> None:
        """Hide or show a class."""
        self._show(self.visible ^ (np.arange(len(self.names)) == row))

    def _isolate(self, row: int) -> None:
        """Show a class alone, or all again if it is alone."""
        self._show(self._is_alone(row) | (np.arange(len(self.names)) == row))

    def _is_alone(self, row: int) -> bool:
        return bool(self.visible[row] and self.visible.sum() == 1)

    def _show(self, visible: NDArray[np.bool_]) -> None:
        self.visible = visible
        self._describe()
        self.changed.emit()

    def _describe(self) -> None:
        """Show which classes are visible, and say of each what a click does."""
        em, ratio = self.chips.fontMetrics().height(), self.devicePixelRatioF()
        self.chips.setIconSize(QSize(em, em))
        self._show_all.setVisible(not self.visible.all())
        colours = self._colours.tolist()
        for row, (name, count) in enumerate(zip(self.names, self.counts, strict=True)):
            act = "hide" if self.visible[row] else "show"
            key = self._keys[row] if self._keys else ""
            by_key = f" Key {key} in gallery and guidance." if key else ""
            tip = (
                f"{name}: {count:,} images.{by_key}\n"
                f"Click to {act} it, Alt-click or double-click to see it alone, "
                "right-click to select its images."
            )
            item = self.chips.item(row)
            if (shows := (tip, *colours[row])) == item.data(_SHOWS):
                continue
            item.setData(_SHOWS, shows)
            item.setToolTip(tip)
            cap = f" [{key}]" if key not in ("", name.upper()) else ""
            item.setText(f"{name} ({count:,}){cap}")
            filled = bool(self.visible[row])
            item.setIcon(dot(colours[row], 0.32 * em, ratio, filled=filled))
            font = self.chips.font()
            font.setStrikeOut(not self.visible[row])
            item.setFont(font)

    def _on_filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        shown = [wanted in name.casefold() for name in self.names]
        for row, is_shown in enumerate(shown):
            self.chips.setRowHidden(row, not is_shown)
        no_such = "No class has this in its name." if self.names else ""
        set_text(self._nothing, "" if any(shown) else no_such)
        self.chips.setVisible(any(shown))
        self._fit()

    # Size

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the chips to another width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give all chips one width, and the list the height of its rows."""
        chips = self.chips
        metrics = chips.fontMetrics()
        n_shown = sum(not chips.isRowHidden(row) for row in range(chips.count()))
        em = metrics.height()
        pitch = round(1.5 * em)
        longest = max(map(metrics.horizontalAdvance, self.names), default=0)
        cap = " [W]" if self._keys else ""
        count = metrics.horizontalAdvance(f" ({self.counts.max(initial=0):,}){cap}")
        least = max(_COLUMN * em, min(longest, 16 * em) + count + round(2.6 * em))
        for bar in (0, chips.verticalScrollBar().sizeHint().width()):
            columns = max(1, (chips.contentsRect().width() - bar) // least)
            rows = max(1, -(-n_shown // columns))
            if rows <= _MOST_ROWS:
                break
        chips.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOn
            if rows > _MOST_ROWS
            else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        # Qt puts nothing on the last pixels of a line.
        chips.setGridSize(QSize((chips.viewport().width() - 2) // columns, pitch))
        # napari's stylesheet pads every widget by a pixel or two.
        chips.setFixedHeight(min(rows, _MOST_ROWS) * pitch + 4)

    # Mouse and keys

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Toggle with Space, isolate with Enter."""
        row = self.chips.currentRow()
        if row < 0 or event is None or event.type() != QEvent.Type.KeyPress:
            return False
        assert isinstance(event, QKeyEvent)
        if event.key() == Qt.Key.Key_Space:
            self.toggle(row)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._isolate(row)
        else:
            return False
        return True

    def _on_click(self, index: QModelIndex) -> None:
        alt = QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier
        (self._isolate if alt else self.toggle)(index.row())

    def _on_double_click(self, index: QModelIndex) -> None:
        # It began with a click, whose toggle it takes back.
        self.visible[index.row()] = not self.visible[index.row()]
        self._isolate(index.row())

    def _offer(self, at: QPoint) -> None:
        """Offer by name what can be done with a class."""
        row = self.chips.indexAt(at).row()
        if row < 0:
            return
        visible = bool(self.visible[row])
        menu = context_menu(self)
        select = menu.addAction(
            "Select its images", lambda: self.select_requested.emit(row)
        )
        select.setEnabled(visible)
        select.setToolTip("" if visible else "They are hidden: show them first")
        menu.addAction(
            "Show all classes" if self._is_alone(row) else "Show it alone",
            lambda: self._isolate(row),
        )
        menu.addAction("Hide" if visible else "Show", lambda: self.toggle(row))
        if self._keys:
            add_changes(
                menu,
                self.names,
                row,
                self._colours[row].tolist(),
                self.edit_requested.emit,
            )
            menu.addAction("Choose its key…", lambda: self._ask_key(row))
            reject = menu.addAction(
                "Reject its images", lambda: self.reject_requested.emit(row)
            )
            reject.setToolTip("Take them out of training, map and evidence")
        menu.popup(self.chips.viewport().mapToGlobal(at))

    def _ask_key(self, row: int) -> None:
        """Ask for the key of a class."""
        ask_key(
            self,
            self.names[row],
            self._keys[row],
            lambda key: self.key_chosen.emit(row, key),
        )
