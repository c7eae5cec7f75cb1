"""An image on its way to another kind: its steps side by side."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QFontMetrics, QPainter, QResizeEvent
from qtpy.QtWidgets import (
    QListView,
    QListWidget,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_spaceediting.plugin.traversal.strip import Strip
from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    paint_plate,
    rounded_pixmap,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

_GAP = 8
_SIDES = (24, 120)
"""Least and largest side of a step, in logical pixels."""
_USUAL = 36
"""Side of a step that is asked for."""
_CENTRE = Qt.AlignmentFlag.AlignCenter
_BAR = 4
"""Thickness of the bar of a probability, in logical pixels."""


class Filmstrip(QListWidget):
    """The steps side by side, and what the network says of each.

    Scrolling, keys, what is under the pointer, tooltips and accessibility are Qt's.
    """

    cell_changed = Signal(int)
    """Each step takes another width than before, in logical pixels."""

    def __init__(self) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._changes = False
        self.setItemDelegate(_Painter(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Steps")

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.setStyleSheet(
            f"QListWidget {{background-color: {palette.background}; border: 0px;"
            f" font-size: {palette.font_size}pt;}}"
        )

    def show_strip(self, strip: Strip) -> None:
        """Show the way of an image, with empty places for steps that are not made."""
        self._strip = strip
        words = [self._describe(step) for step in range(1 + strip.steps)]
        self.blockSignals(True)
        if self.count() != len(words):
            self.clear()
            self.addItems(words)
        for step, text in enumerate(words):
            item = self.item(step)
            item.setText(text)
            item.setToolTip(text)
            is_made = step <= strip.last
            can = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(can if is_made else Qt.ItemFlag.NoItemFlags)
        self.blockSignals(False)
        self.updateGeometry()
        self.cell_changed.emit(self._cell)

    def show_changes(self, on: bool) -> None:
        """Draw what changed over the steps, or do not."""
        self._changes = on
        self.viewport().update()

    def set_step(self, step: int) -> None:
        """Mark a step; emits nothing."""
        self.blockSignals(True)
        self.setCurrentRow(step)
        self.blockSignals(False)
        self.setAccessibleDescription(self._describe(step))

    def _describe(self, step: int) -> str:
        """Return such as "Step 3, budget 0.14: Coat 41%, Shirt 55%"."""
        strip = self._strip
        assert strip is not None
        if step > strip.last:
            return f"Step {step} is not made"
        start = strip.name if step == 0 else f"Step {step}, {strip.captions[step]}"
        said = ", ".join(f"{c.name} {c.values[step]:.0%}" for c in strip.chances)
        return f"{start}: {said}" if said else start

    # Geometry

    @property
    def _line(self) -> int:
        return QFontMetrics(smaller(self.font())).height()

    @property
    def _cell(self) -> int:
        """Width of a step with what surrounds it."""
        return self.viewport().width() // max(self.count(), 1)

    def _height_of(self, side: int) -> int:
        """Return the height of a picture with what stands below it."""
        chances = len(self._strip.chances) if self._strip else 2
        return side + self._line + chances * (self._line + _BAR) + 2 * _GAP

    def _side(self) -> int:
        down = self.viewport().height() - self._height_of(0)
        return int(np.clip(min(self._cell - _GAP, down), *_SIDES))

    def _hint(self, side: int) -> QSize:
        return QSize(max(self.count(), 1) * (side + _GAP), self._height_of(side))

    def minimumSizeHint(self) -> QSize:
        """Allow small steps."""
        return self._hint(_SIDES[0])

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        return self._hint(_USUAL)

    def step_size(self) -> QSize:
        """Return the size of a step: all of them take the whole width."""
        return QSize(self._cell, self._height_of(self._side()))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Take no more height than the steps need, and tell how wide one is."""
        super().resizeEvent(event)
        side = int(np.clip(self._cell - _GAP, *_SIDES))
        self.setMaximumHeight(self._height_of(side))
        self.cell_changed.emit(self._cell)

    # Painting

    def paint_step(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        """Paint a step: its picture, and what the network says."""
        strip, palette, side = self._strip, self._palette, self._side()
        assert strip is not None
        rect.setHeight(self._height_of(side) - 2)
        tile = QRectF(0, rect.top() + _GAP / 2, side, side)
        tile.moveLeft(rect.center().x() - side / 2)
        line = QRectF(rect.left(), tile.bottom() + 2, rect.width(), self._line)
        painter.setFont(smaller(self.font()))
        if row > strip.last:
            pen = outline(to_qcolor(palette.line), 1)
            pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawRoundedRect(tile.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            write(painter, line, str(row), palette.muted, _CENTRE)
            return
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        plate = rect.adjusted(1, 1, -1, -1)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            paint_plate(painter, plate, palette.foreground, 6)
        if chosen:
            painter.setPen(outline(to_qcolor(palette.accent), 1.5))
            painter.drawRoundedRect(plate, 6, 6)
        drawn = strip.pictures.draw(row, changes=self._changes, small=True)
        picture = rounded_pixmap(drawn, side, 3, self.devicePixelRatioF())
        painter.drawPixmap(tile.topLeft(), picture)
        colour = palette.text if chosen else palette.muted
        title = f"{row} ✓" if strip.passes[row] else str(row) if row else "Original"
        if painter.fontMetrics().horizontalAdvance(title) > rect.width():
            title = str(row)
        write(painter, line, title, colour, _CENTRE)
        line.translate(0, self._line)
        for chance in strip.chances:
            share = float(np.clip(chance.values[row], 0, 1))
            write(painter, line, f"{share:.0%}", colour, _CENTRE)
            track = QRectF(tile.left(), line.bottom(), side, _BAR)
            paint_plate(painter, track, to_qcolor(palette.text, 0.18).getRgbF(), 2)
            if share >= 0.005:
                track.setWidth(max(side * share, _BAR))
                paint_plate(painter, track, chance.colour, 2)
            line.translate(0, self._line + _BAR)


class _Painter(QStyledItemDelegate):
    """Has the strip paint its steps."""

    def __init__(self, strip: Filmstrip) -> None:
        super().__init__(strip)
        self._strip = strip

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return self._strip.step_size()

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        assert painter is not None
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(option.rect)
        self._strip.paint_step(painter, rect, index.row(), option.state)
        painter.restore()
