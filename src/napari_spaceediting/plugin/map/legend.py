"""The classes with their colours and counts; each can be hidden or isolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QModelIndex, QPoint, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QContextMenuEvent, QKeyEvent, QPainter, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import outline, paint_plate, write
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor
from napari_spaceediting.plugin.widgets.rows import RowList

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

    toggled = Signal(int, bool)
    """Class and whether it is visible now."""
    isolated = Signal(int)
    """The only class to be visible from now on, or -1 for all."""
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
        self._show_all.clicked.connect(lambda: self._isolate(-1))
        self._chips = _Chips(palette, self)
        self._chips.toggle_requested.connect(self._toggle)
        self._chips.isolate_requested.connect(self._isolate)
        self._chips.menu_requested.connect(self._open_menu)
        self._nothing = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._filter)
        layout.addWidget(self._chips)
        layout.addWidget(self._nothing)
        layout.addWidget(self._show_all)
        self.set_classes([], np.empty((0, 4)), [])
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._chips.set_theme(palette)
        self._nothing.setStyleSheet(f"padding: 0px; color: {palette.muted};")

    def set_classes(
        self, names: Sequence[str], colours: ArrayLike, counts: ArrayLike
    ) -> None:
        """Show these classes, all visible.

        Parameters
        ----------
        names : sequence of str
            C names.
        colours : (C, 4) array_like
            RGBA, 0 to 1.
        counts : (C,) array_like of int
            Images of each class.
        """
        self._chips.set_classes(
            names, np.asarray(colours, np.float32).reshape(len(names), 4), counts
        )
        self._filter.setVisible(len(names) > _FILTER_ABOVE)
        self._filter.setPlaceholderText(f"Filter {len(names):,} classes")
        self._filter.clear()
        self._on_filter("")
        self._show_all.hide()

    def set_counts(self, counts: ArrayLike) -> None:
        """Show new (C,) counts of images."""
        self._chips.set_counts(counts)

    def set_visible_classes(self, visible: ArrayLike) -> None:
        """Show which of the (C,) classes are visible; emits nothing."""
        self._chips.set_visible(np.array(visible, bool))
        self._show_all.setVisible(not self._chips.visible.all())

    @property
    def visible_classes(self) -> NDArray[np.bool_]:
        """Which of the (C,) classes are visible."""
        return self._chips.visible.copy()

    def _toggle(self, index: int) -> None:
        visible = self.visible_classes
        visible[index] = not visible[index]
        self.set_visible_classes(visible)
        self.toggled.emit(index, bool(visible[index]))

    def _isolate(self, index: int) -> None:
        visible = self._chips.visible
        only = index >= 0 and visible[index] and visible.sum() == 1
        # To isolate the only visible class again brings the others back.
        self.set_visible_classes(
            np.ones(len(visible), bool)
            if only or index < 0
            else np.arange(len(visible)) == index
        )
        self.isolated.emit(-1 if only else index)

    def _open_menu(self, index: int, place: QPoint) -> None:
        """Offer by name what can be done with a class."""
        visible = bool(self._chips.visible[index])
        alone = visible and self._chips.visible.sum() == 1
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        select = menu.addAction(
            "Select its images", lambda: self.select_requested.emit(index)
        )
        select.setEnabled(visible)
        select.setToolTip("" if visible else "They are hidden: show them first")
        menu.addAction(
            "Show all classes" if alone else "Show it alone",
            lambda: self._isolate(index),
        )
        menu.addAction("Hide" if visible else "Show", lambda: self._toggle(index))
        menu.popup(place)

    def _on_filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        names = self._chips.names
        shown = [wanted in name.casefold() for name in names]
        self._chips.set_shown(shown)
        self._nothing.setText(
            "No class has this in its name." if names else "No classes."
        )
        self._chips.setVisible(any(shown))
        self._nothing.setVisible(not any(shown))


class _Chips(RowList):
    """The chips; a click asks to toggle, Alt or a double-click to isolate."""

    toggle_requested = Signal(int)
    isolate_requested = Signal(int)
    menu_requested = Signal(int, QPoint)
    """Class, and the place on the screen."""

    def __init__(self, palette: Palette, parent: QWidget) -> None:
        self.names: tuple[str, ...] = ()
        self.colours = np.empty((0, 4), np.float32)
        self.counts = np.empty(0, np.int64)
        self.visible = np.empty(0, bool)
        self._n_shown = 0
        super().__init__(palette, parent)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setAccessibleName("Classes")
        self.clicked.connect(self._on_click)
        self.doubleClicked.connect(self._on_double_click)

    def set_classes(
        self, names: Sequence[str], colours: NDArray[np.float32], counts: ArrayLike
    ) -> None:
        self.names, self.colours = tuple(names), colours
        self.visible = np.ones(len(names), bool)
        self.clear()
        self.addItems(names)
        self.set_counts(counts)

    def set_counts(self, counts: ArrayLike) -> None:
        self.counts = np.asarray(counts, np.int64).reshape(len(self.names))
        self.set_visible(self.visible)
        self._fit()

    def set_visible(self, visible: NDArray[np.bool_]) -> None:
        self.visible = visible
        for index in range(len(self.names)):
            self.item(index).setToolTip(self.describe(index))
        self.viewport().update()

    def set_shown(self, shown: Sequence[bool]) -> None:
        """List these of the classes only."""
        for index, is_shown in enumerate(shown):
            self.setRowHidden(index, not is_shown)
        self._n_shown = sum(shown)
        self._fit()

    def _fit(self) -> None:
        """Give all chips one width, and the list the height of its rows."""
        metrics, pitch = self.fontMetrics(), self._pitch()
        em = metrics.height()
        longest = max(map(metrics.horizontalAdvance, self.names), default=0)
        count = metrics.horizontalAdvance(f"{self.counts.max(initial=0):,}")
        least = max(_COLUMN * em, min(longest, 16 * em) + count + round(2.6 * em))
        for bar in (0, self.verticalScrollBar().sizeHint().width()):
            columns = max(1, (self.contentsRect().width() - bar) // least)
            rows = max(1, -(-self._n_shown // columns))
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

    def _pitch(self) -> int:
        return round(self.fontMetrics().height() * 1.5)

    def set_theme(self, palette: Palette) -> None:
        super().set_theme(palette)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(2 * _COLUMN * self.fontMetrics().height(), self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(_COLUMN * self.fontMetrics().height() // 2, self.height())

    def row_size(self, row: int) -> QSize:
        return self.gridSize()

    def paint_row(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        palette, em = self._palette, self.fontMetrics().height()
        rect = rect.adjusted(1, 1, -3, -1)
        if state & QStyle.StateFlag.State_MouseOver:
            paint_plate(painter, rect, palette.foreground)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(outline(to_qcolor(palette.text), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, 4, 4)
        visible = bool(self.visible[row])
        colour = to_qcolor(tuple(self.colours[row]))
        painter.setPen(outline(colour, 1.5))
        painter.setBrush(colour if visible else Qt.BrushStyle.NoBrush)
        middle = QPointF(rect.left() + em * 0.6, rect.center().y())
        painter.drawEllipse(middle, em * 0.32, em * 0.32)
        rect = rect.adjusted(em * 1.25, 0, -em * 0.4, 0)
        count = f"{self.counts[row]:,}"
        write(painter, rect, count, palette.muted, Qt.AlignmentFlag.AlignRight)
        font = self.font()
        font.setStrikeOut(not visible)
        painter.setFont(font)
        taken = self.fontMetrics().horizontalAdvance(count) + 2 + em * 0.4
        name = self.names[row]
        ink = palette.text if visible else palette.muted
        write(painter, rect.adjusted(0, 0, -taken, 0), name, ink)

    def _on_click(self, index: QModelIndex) -> None:
        alt = QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier
        ask = self.isolate_requested if alt else self.toggle_requested
        ask.emit(index.row())

    def _on_double_click(self, index: QModelIndex) -> None:
        # It began with a click, whose toggle it takes back.
        self.visible[index.row()] = not self.visible[index.row()]
        self.isolate_requested.emit(index.row())

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        assert event is not None
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        if index.isValid():
            at = self.visualRect(index).center() if by_key else event.pos()
            self.menu_requested.emit(index.row(), self.viewport().mapToGlobal(at))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        asked = {
            Qt.Key.Key_Space: self.toggle_requested,
            Qt.Key.Key_Return: self.isolate_requested,
            Qt.Key.Key_Enter: self.isolate_requested,
        }.get(Qt.Key(event.key()))
        if asked is None:
            super().keyPressEvent(event)
        elif self.currentRow() >= 0:
            asked.emit(self.currentRow())

    def describe(self, index: int) -> str:
        act = "hide" if self.visible[index] else "show"
        return (
            f"{self.names[index]}: {self.counts[index]:,} images.\n"
            f"Click to {act} it, Alt-click or double-click to see it alone, "
            "right-click to select its images."
        )
