"""A list whose rows are painted in the colours of the theme."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import apply_font
from napari_spaceediting.plugin.widgets.palette import Palette


class RowList(QListWidget):
    """A list that says how large a row is, and paints it.

    Scrolling, keys, what is under the pointer, tooltips and accessibility are Qt's.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setItemDelegate(_Painter(self))
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.setStyleSheet(
            f"QListWidget {{background-color: {palette.background}; border: 0px;"
            f" font-size: {palette.font_size}pt;}}"
        )

    def row_size(self, row: int) -> QSize:
        """Return the size of a row in logical pixels."""
        raise NotImplementedError

    def paint_row(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        """Paint a row: `state` says whether it is under the pointer and the like."""
        raise NotImplementedError


class _Painter(QStyledItemDelegate):
    """Asks the list to paint its rows."""

    def __init__(self, rows: RowList) -> None:
        super().__init__(rows)
        self._rows = rows

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return self._rows.row_size(index.row())

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        assert painter is not None
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._rows.font())
        self._rows.paint_row(painter, QRectF(option.rect), index.row(), option.state)
        painter.restore()
