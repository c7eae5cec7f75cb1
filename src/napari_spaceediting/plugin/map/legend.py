"""The classes with their colours and counts; each can be hidden or isolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QContextMenuEvent, QKeyEvent, QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QLineEdit,
    QListWidget,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_spaceediting.plugin.map.stamps import dot
from napari_spaceediting.plugin.widgets.controls import column, set_text, word_label
from napari_spaceediting.plugin.widgets.palette import Palette, class_colours

_FILTER_ABOVE = 12
_COLUMN = 10
"""Least width of a chip, in heights of a line."""
_MOST_ROWS = 8
"""More of them scroll."""


class ClassLegend(QWidget):
    """Chips of the classes in aligned columns.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    changed = Signal()
    """Other classes are visible."""
    select_requested = Signal(int)
    """Class whose images are to be selected."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filter = QLineEdit()
        self._filter.setClearButtonEnabled(True)
        self._filter.setTextMargins(4, 0, 4, 0)
        self._filter.setToolTip("Show only classes whose name holds this text")
        self._filter.setAccessibleName("Filter classes")
        self._filter.textChanged.connect(self._on_filter)
        self._show_all = QPushButton("Show all classes")
        self._show_all.setToolTip("Make every class visible again")
        self._chips = _Chips(palette, self)
        self._chips.changed.connect(self._update)
        self._chips.changed.connect(self.changed)
        self._chips.select_requested.connect(self.select_requested)
        self._show_all.clicked.connect(self._chips.show_all)
        self._nothing = word_label("muted")
        layout = column(self, 4)
        for part in (self._filter, self._chips, self._nothing, self._show_all):
            layout.addWidget(part)
        self.set_classes([], [])

    def set_classes(self, names: Sequence[str], counts: ArrayLike) -> None:
        """Show classes; what is typed and hidden stays where they are the same.

        Parameters
        ----------
        names : sequence of str
            C names.
        counts : (C,) array_like of int
            Images of each class.
        """
        chips, others = self._chips, tuple(names) != self._chips.names
        chips.counts = np.array(counts, int)
        if others:
            chips.names, chips.visible = tuple(names), np.ones(len(names), bool)
            chips.clear()
            chips.addItems(names)
            self._filter.setVisible(len(names) > _FILTER_ABOVE)
            self._filter.setPlaceholderText(f"Filter {len(names):,} classes")
            self._filter.clear()
            self._on_filter("")
        chips.fit()
        self._update()

    def forget_hidden(self) -> None:
        """Let every class be visible, without a signal."""
        self._chips.visible[:] = True

    @property
    def visible_classes(self) -> NDArray[np.bool_]:
        """Which of the (C,) classes are visible."""
        return self._chips.visible.copy()

    def _update(self) -> None:
        self._chips.describe()
        self._show_all.setVisible(not self._chips.visible.all())

    def _on_filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        names = self._chips.names
        shown = [wanted in name.casefold() for name in names]
        for row, is_shown in enumerate(shown):
            self._chips.setRowHidden(row, not is_shown)
        self._chips.fit()
        no_such = "No class has this in its name." if names else "No classes."
        set_text(self._nothing, "" if any(shown) else no_such)
        self._chips.setVisible(any(shown))


class _Chips(QListWidget):
    """The chips; a click toggles, Alt or a double-click isolates."""

    changed = Signal()
    select_requested = Signal(int)

    def __init__(self, palette: Palette, parent: QWidget) -> None:
        super().__init__(parent)
        self.names: tuple[str, ...] = ()
        self.counts = np.empty(0, int)
        self.visible = np.empty(0, bool)
        self.setFlow(QListWidget.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Classes")
        self.clicked.connect(self._on_click)
        self.doubleClicked.connect(self._on_double_click)
        self.set_theme(palette)

    # What is visible

    def toggle(self, row: int) -> None:
        self.visible[row] = not self.visible[row]
        self.changed.emit()

    def isolate(self, row: int) -> None:
        # To isolate the only visible class again brings the others back.
        alone = self._is_alone(row)
        self.visible = alone | (np.arange(len(self.names)) == row)
        self.changed.emit()

    def show_all(self) -> None:
        self.visible[:] = True
        self.changed.emit()

    def describe(self) -> None:
        """Show which classes are visible, and say of each what a click does."""
        em, ratio = self.fontMetrics().height(), self.devicePixelRatioF()
        self.setIconSize(QSize(em, em))
        colours = class_colours(len(self.names)).tolist()
        for row, (name, count) in enumerate(zip(self.names, self.counts, strict=True)):
            act = "hide" if self.visible[row] else "show"
            tip = (
                f"{name}: {count:,} images.\n"
                f"Click to {act} it, Alt-click or double-click to see it alone, "
                "right-click to select its images."
            )
            item = self.item(row)
            if item.toolTip() == tip:
                continue
            item.setToolTip(tip)
            item.setText(f"{name} ({count:,})")
            filled = bool(self.visible[row])
            item.setIcon(dot(colours[row], 0.32 * em, ratio, filled=filled))
            font = self.font()
            font.setStrikeOut(not self.visible[row])
            item.setFont(font)

    def _is_alone(self, row: int) -> bool:
        return bool(self.visible[row] and self.visible.sum() == 1)

    # Size

    def fit(self) -> None:
        """Give all chips one width, and the list the height of its rows."""
        metrics = self.fontMetrics()
        n_shown = sum(not self.isRowHidden(row) for row in range(self.count()))
        em = metrics.height()
        pitch = round(1.5 * em)
        longest = max(map(metrics.horizontalAdvance, self.names), default=0)
        count = metrics.horizontalAdvance(f" ({self.counts.max(initial=0):,})")
        least = max(_COLUMN * em, min(longest, 16 * em) + count + round(2.6 * em))
        for bar in (0, self.verticalScrollBar().sizeHint().width()):
            columns = max(1, (self.contentsRect().width() - bar) // least)
            rows = max(1, -(-n_shown // columns))
            if rows <= _MOST_ROWS:
                break
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOn
            if rows > _MOST_ROWS
            else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        # Qt puts nothing on the last pixels of a line.
        self.setGridSize(QSize((self.viewport().width() - 2) // columns, pitch))
        # napari's stylesheet pads every widget by a pixel or two.
        self.setFixedHeight(min(rows, _MOST_ROWS) * pitch + 4)

    def set_theme(self, palette: Palette) -> None:
        self.setStyleSheet(
            f"QListView {{background-color: {palette.background}; border: 0px;"
            f" font-size: {palette.font_size}pt;}}"
            "QListView::item {border-radius: 4px;}"
            f"QListView::item:hover {{background-color: {palette.foreground};}}"
            f"QListView::item:focus {{border: 1px solid {palette.text};}}"
        )
        self.fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self.fit()

    # Mouse and keys

    def _on_click(self, index: QModelIndex) -> None:
        alt = QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier
        (self.isolate if alt else self.toggle)(index.row())

    def _on_double_click(self, index: QModelIndex) -> None:
        # It began with a click, whose toggle it takes back.
        self.visible[index.row()] = not self.visible[index.row()]
        self.isolate(index.row())

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Offer by name what can be done with a class."""
        assert event is not None
        row = self.indexAt(event.pos()).row()
        if row < 0:
            return
        visible = bool(self.visible[row])
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        select = menu.addAction(
            "Select its images", lambda: self.select_requested.emit(row)
        )
        select.setEnabled(visible)
        select.setToolTip("" if visible else "They are hidden: show them first")
        menu.addAction(
            "Show all classes" if self._is_alone(row) else "Show it alone",
            lambda: self.isolate(row),
        )
        menu.addAction("Hide" if visible else "Show", lambda: self.toggle(row))
        menu.popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        key, row = event.key(), self.currentRow()
        if row >= 0 and key == Qt.Key.Key_Space:
            self.toggle(row)
        elif row >= 0 and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.isolate(row)
        else:
            super().keyPressEvent(event)
