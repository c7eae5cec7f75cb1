"""The edits in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent, QMouseEvent, QPainter, QPolygonF
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import (
    outline,
    paint_plate,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor
from napari_spaceediting.plugin.widgets.rows import RowList

MOVE, PIN, RELABEL = "move", "pin", "relabel"
_LEAST = 11
"""Height that the list gets in any case, in heights of a line."""
EMPTY_TEXT = (
    "No edits yet. Drag images to where they belong on the map, or pin images that "
    "lie right."
)


@dataclass(frozen=True)
class EditRow:
    """An edit as it is listed.

    Parameters
    ----------
    text : str
        What was done, such as "12 images moved to coat".
    detail : str
        In small print, such as "support 0.8".
    icon : str
        "move", "pin" or "relabel".
    undone : bool
        Whether it has been undone, and can be redone.
    """

    text: str
    detail: str = ""
    icon: str = MOVE
    undone: bool = False


class EditList(QWidget):
    """Edits that can be looked at, undone, redone and deleted.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    jump_requested = Signal(int)
    """Row whose images are to be shown."""
    delete_requested = Signal(int)
    """Row of the edit to be taken out."""
    undo_requested = Signal()
    redo_requested = Signal()
    replay_toggled = Signal(bool)
    """Whether the edits are to be played one after the other."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.undo_button = QPushButton("Undo")
        self.undo_button.clicked.connect(self.undo_requested)
        self.redo_button = QPushButton("Redo")
        self.redo_button.clicked.connect(self.redo_requested)
        self.replay_button = QPushButton("Replay")
        self.replay_button.setCheckable(True)
        self.replay_button.clicked.connect(self.replay_toggled)
        self._list = _Rows(palette, self)
        self._list.setAccessibleName("Edits")
        self._list.entered_key.connect(self.jump_requested)
        self._list.deleted.connect(self.delete_requested)
        self._list.clicked.connect(self._on_click)
        self._empty = QLabel(EMPTY_TEXT)
        self._empty.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.undo_button, 1)
        buttons.addWidget(self.redo_button, 1)
        buttons.addWidget(self.replay_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(buttons)
        layout.addWidget(self._empty)
        layout.addWidget(self._list, 1)
        self.set_theme(palette)
        self.set_undo("", "")
        self.set_rows([])

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._list.set_theme(palette)
        self._empty.setStyleSheet(f"padding: 0px; color: {palette.muted};")

    def set_rows(self, rows: Sequence[EditRow]) -> None:
        """List the edits, the oldest first, and show the last one."""
        self._list.rows = tuple(rows)
        self._list.clear()
        self._list.addItems([row.text for row in rows])
        for number, row in enumerate(rows):
            state = " (undone)" if row.undone else ""
            self._list.item(number).setToolTip(
                f"{row.text}{state}\n{row.detail}\n"
                "Click to show its images, Delete to take it out"
            )
        self._empty.setVisible(not rows)
        self._list.setVisible(bool(rows))
        self._fit()
        self._list.scrollToBottom()

    def set_undo(self, undo: str, redo: str) -> None:
        """Name what can be undone and redone; "" where there is nothing."""
        for button, verb, what in (
            (self.undo_button, "Undo", undo),
            (self.redo_button, "Redo", redo),
        ):
            button.setEnabled(bool(what))
            button.setToolTip(
                f"{verb}: {what}" if what else f"There is nothing to {verb.lower()}"
            )

    def set_replaying(self, is_replaying: bool) -> None:
        """Show whether the edits are played; emits nothing."""
        self.replay_button.setChecked(is_replaying)
        self.replay_button.setText("Stop" if is_replaying else "Replay")
        if not is_replaying:
            self._list.setCurrentRow(-1)

    def show_row(self, row: int) -> None:
        """Mark a row and scroll to it; emits nothing."""
        self._list.setCurrentRow(row)

    def _fit(self) -> None:
        """Make the list as high as its rows, up to some."""
        height = 4 + sum(map(self._list.sizeHintForRow, range(self._list.count())))
        self._list.setMaximumHeight(height)
        self._list.setMinimumHeight(min(height, _LEAST * self.fontMetrics().height()))

    def _on_click(self, index: QModelIndex) -> None:
        if self._list.pressed_on_cross:
            self.delete_requested.emit(index.row())
        else:
            self.jump_requested.emit(index.row())


def cross_rect(row: QRectF, em: float) -> QRectF:
    """Return where the cross that deletes lies in the rectangle of a row."""
    return QRectF(row.right() - em * 1.7, row.top(), em * 1.7, row.height())


class _Rows(RowList):
    """Rows of an icon, text, small print, and a cross when hovered.

    Enter, Delete and clicks on the cross are told, too.
    """

    entered_key = Signal(int)
    deleted = Signal(int)

    rows: tuple[EditRow, ...] = ()
    pressed_on_cross = False

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            point = event.position()
            index = self.indexAt(point.toPoint())
            em = self.fontMetrics().height()
            row = QRectF(self.visualRect(index))
            self.pressed_on_cross = index.isValid() and cross_rect(row, em).contains(
                point
            )
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        key, row = event.key(), self.currentRow()
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and row >= 0:
            self.deleted.emit(row)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self.entered_key.emit(row)
        else:
            super().keyPressEvent(event)

    def row_size(self, row: int) -> QSize:
        em, lines = self.fontMetrics().height(), 2.5 if self.rows[row].detail else 1.6
        return QSize(8 * em, round(em * lines))

    def paint_row(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        edit, palette, em = self.rows[row], self._palette, self.fontMetrics().height()
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        left, width = em * 1.8, rect.width() - em * 2.2
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            fill = palette.primary if chosen else palette.foreground
            paint_plate(painter, rect.adjusted(0, 1, 0, -1), fill)
            width -= em * 1.4
            centre, arm = cross_rect(rect, em).center(), em * 0.22
            painter.setPen(outline(to_qcolor(palette.icon), em * 0.1))
            for reach in (QPointF(arm, arm), QPointF(arm, -arm)):
                painter.drawLine(centre - reach, centre + reach)
        first = rect.top() + em * 0.25
        middle = first + em * 0.55 if edit.detail else rect.center().y()
        colour = palette.muted if edit.undone else palette.text
        _paint_icon(painter, edit.icon, QPointF(em * 0.9, middle), em, colour)
        font = self.font()
        font.setStrikeOut(edit.undone)
        painter.setFont(font)
        line = QRectF(left, middle - em * 0.6, width, em * 1.2)
        write(painter, line, edit.text, colour)
        if edit.detail:
            painter.setFont(smaller(self.font()))
            line = QRectF(left, first + em * 1.1, width, em * 1.1)
            write(painter, line, edit.detail, palette.text if chosen else palette.muted)


def _paint_icon(
    painter: QPainter, kind: str, centre: QPointF, em: int, colour: str
) -> None:
    """Paint an arrow (move), a ring with a dot (pin) or a tag (relabel)."""
    painter.setPen(outline(to_qcolor(colour), em * 0.1))
    painter.setBrush(Qt.BrushStyle.NoBrush)

    def at(x: float, y: float) -> QPointF:
        return centre + QPointF(x * em, y * em)

    if kind == PIN:
        painter.drawEllipse(centre, em * 0.34, em * 0.34)
        painter.setBrush(to_qcolor(colour))
        painter.drawEllipse(centre, em * 0.1, em * 0.1)
    elif kind == RELABEL:
        outlined = [(-0.4, -0.25), (0.1, -0.25), (0.4, 0), (0.1, 0.25), (-0.4, 0.25)]
        painter.drawPolygon(QPolygonF([at(x, y) for x, y in outlined]))
        painter.setBrush(to_qcolor(colour))
        painter.drawEllipse(at(0.08, 0), em * 0.05, em * 0.05)
    else:
        painter.drawLine(at(-0.36, 0.28), at(0.34, -0.26))
        painter.drawPolyline(
            QPolygonF([at(0.0, -0.3), at(0.36, -0.28), at(0.32, 0.08)])
        )
        painter.setBrush(to_qcolor(colour))
        painter.drawEllipse(at(-0.36, 0.28), em * 0.07, em * 0.07)
