"""The classes that a question offers, each with its share of the neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QStyle, QWidget

from napari_spaceediting.plugin.widgets.painting import (
    outline,
    paint_plate,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor
from napari_spaceediting.plugin.widgets.rows import RowList


@dataclass(frozen=True)
class Option:
    """A row: a class, no class (`tag` None), or a new one (`share` NaN)."""

    text: str
    tag: str | None
    key: str = ""
    share: float = float("nan")
    colour: Colour = ""


class OptionList(RowList):
    """The options, each with its key, its colour, and its share as a bar.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget
        Qt parent.
    """

    def __init__(self, palette: Palette, parent: QWidget) -> None:
        self.rows: list[Option] = []
        super().__init__(palette, parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Classes")
        self.setToolTip("Click a class to choose it, double-click to confirm at once")

    def set_rows(self, rows: list[Option]) -> None:
        """List these options; none is chosen then."""
        self.rows = rows
        self.clear()
        self.addItems([option.text for option in rows])
        # One width for all names, so that the bars start on one line.
        advance = self.fontMetrics().horizontalAdvance
        names = [option.text for option in rows if len(option.colour)]
        self._longest = max(map(advance, names), default=0)

    def row_size(self, row: int = 0) -> QSize:
        """Return the size of any row in logical pixels."""
        em = self.fontMetrics().height()
        return QSize(8 * em, round(em * 1.6))

    def paint_row(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        """Paint the option of a row."""
        option, palette, em = self.rows[row], self._palette, self.fontMetrics().height()
        if not self.isEnabled():
            painter.setOpacity(0.35)
        rect = rect.adjusted(0, 1, 0, -1)
        chosen = row == self.currentRow()
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            paint_plate(
                painter, rect, palette.current if chosen else palette.foreground
            )
        quiet = palette.text if chosen else palette.muted
        is_class = bool(len(option.colour))
        left = em * 2.7
        width = rect.width() - left - em * 0.4
        if is_class:
            width = min(self._longest + 2, round(rect.width() * 0.42))
        write(painter, _part(rect, left, width), option.text, palette.text)
        painter.setFont(smaller(self.font()))
        centred = Qt.AlignmentFlag.AlignHCenter
        write(painter, _part(rect, 0, em * 1.5), option.key, quiet, centred)
        if not is_class:
            return
        middle = rect.center().y()
        ring = outline(to_qcolor(palette.background), 1)
        painter.setPen(ring if chosen else Qt.PenStyle.NoPen)
        painter.setBrush(to_qcolor(option.colour))
        painter.drawEllipse(QPointF(em * 1.95, middle), em * 0.35, em * 0.35)
        if option.share < 0.005:
            return
        painter.setFont(self.font())
        figure = self.fontMetrics().horizontalAdvance("100%") + 2
        start, end = left + width + em * 0.6, rect.width() - em * 0.5 - figure
        length = max((end - em * 0.4 - start) * min(option.share, 1.0), 2)
        bar = QRectF(start, middle - em * 0.17, length, em * 0.34)
        paint_plate(painter, bar, quiet, em * 0.17)
        right = Qt.AlignmentFlag.AlignRight
        write(painter, _part(rect, end, figure), f"{option.share:.0%}", quiet, right)


def _part(row: QRectF, left: float, width: float) -> QRectF:
    return QRectF(row.left() + left, row.top(), width, row.height())
