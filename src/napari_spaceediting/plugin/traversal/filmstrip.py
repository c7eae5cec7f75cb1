"""An image on its way to another kind: its steps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QFontMetrics, QPainter
from qtpy.QtWidgets import QListView, QSizePolicy, QStyle

from napari_spaceediting.plugin.widgets.painting import (
    outline,
    paint_plate,
    rounded_pixmap,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor
from napari_spaceediting.plugin.widgets.rows import RowList
from napari_spaceediting.traversal.filmstrip import LEGEND

_GAP = 8
_SIDES = (24, 120)
"""Least and largest side of a step, in logical pixels."""
_USUAL = 36
"""Side of a step that is asked for."""
_CENTRE = Qt.AlignmentFlag.AlignCenter
_BAR = 4
"""Thickness of the bar of a probability, in logical pixels."""


class Chance(NamedTuple):
    """How probable, 0 to 1, one class is to the network at each of s steps."""

    name: str
    colour: Colour
    values: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Strip:
    """The way of one image, from the original on.

    Parameters
    ----------
    name : str
        Of the original.
    start, goal : str
        What it is, and what it becomes.
    pictures, differences : (s, h, w, 3) uint8 arrays
        The steps, the first of them the original, and by how much they differ from it.
    captions : sequence of str
        Such as "budget 0.14"; "" for the original.
    passes : sequence of bool
        Whether each step can pass for a real image of what it becomes.
    leaves, nears : Chance or None
        What the network says of the class that it moves away from and of the one that
        it moves to; None where the network does not know it.
    nearest : (s, k) int64 array
        Dataset indices of the real images of the target that are nearest to each step.
    nearest_names : (s, k) sequences of str
        Their names.
    """

    name: str
    start: str
    goal: str
    pictures: NDArray[np.uint8] = field(repr=False)
    differences: NDArray[np.uint8] = field(repr=False)
    captions: Sequence[str]
    passes: Sequence[bool]
    leaves: Chance | None
    nears: Chance | None
    nearest: NDArray[np.int64] = field(repr=False)
    nearest_names: Sequence[Sequence[str]] = field(repr=False)

    @property
    def arrival(self) -> int:
        """The first step that passes, else the last one."""
        last = len(self.passes) - 1
        return next((n for n in range(1, last + 1) if self.passes[n]), last)

    @property
    def chances(self) -> list[Chance]:
        """What the network says, of the classes that it knows."""
        return [chance for chance in (self.leaves, self.nears) if chance is not None]


class Filmstrip(RowList):
    """The steps side by side, what the network says of each, and what differs.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    """

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self._strip: Strip | None = None
        self.setFlow(QListView.Flow.LeftToRight)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Steps")

    def show_strip(self, strip: Strip) -> None:
        """Show the way of an image."""
        self._strip = strip
        self.blockSignals(True)
        self.clear()
        self.addItems([self._describe(step) for step in range(len(strip.pictures))])
        self.blockSignals(False)
        for step in range(self.count()):
            self.item(step).setToolTip(self._describe(step))
        self.updateGeometry()

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
        start = strip.name if step == 0 else f"Step {step}, {strip.captions[step]}"
        said = ", ".join(f"{c.name} {c.values[step]:.0%}" for c in strip.chances)
        return f"{start}: {said}" if said else start

    # Geometry

    @property
    def _line(self) -> int:
        return QFontMetrics(smaller(self.font())).height()

    def _height_of(self, side: int) -> int:
        """Return the height of two rows of pictures with what stands between them."""
        chances = len(self._strip.chances) if self._strip else 2
        return 2 * side + self._line + chances * (self._line + _BAR) + 2 * _GAP

    def _side(self) -> int:
        across = self.viewport().width() // max(self.count(), 1) - _GAP
        down = (self.viewport().height() - self._height_of(0)) // 2
        return int(np.clip(min(across, down), *_SIDES))

    def _hint(self, side: int) -> QSize:
        return QSize(max(self.count(), 1) * (side + _GAP), self._height_of(side))

    def minimumSizeHint(self) -> QSize:
        """Allow small steps."""
        return self._hint(_SIDES[0])

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        return self._hint(_USUAL)

    def row_size(self, row: int) -> QSize:
        """Return the size of a step; they spread a little where there is room."""
        side = self._side()
        widest = self.viewport().width() // max(self.count(), 1)
        return QSize(min(widest, round(1.25 * side) + _GAP), self._height_of(side))

    # Painting

    def paint_row(
        self, painter: QPainter, rect: QRectF, row: int, state: QStyle.StateFlag
    ) -> None:
        """Paint a step: its picture, what the network says, and what differs."""
        strip, palette, side = self._strip, self._palette, self._side()
        assert strip is not None
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        rect.setHeight(self._height_of(side) - 2)
        plate = rect.adjusted(1, 1, -1, -1)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            paint_plate(painter, plate, palette.foreground, 6)
        if chosen:
            painter.setPen(outline(to_qcolor(palette.accent), 1.5))
            painter.drawRoundedRect(plate, 6, 6)
        tile = QRectF(0, rect.top() + _GAP / 2, side, side)
        tile.moveLeft(rect.center().x() - side / 2)
        ratio = self.devicePixelRatioF()
        picture = rounded_pixmap(strip.pictures[row], side, 3, ratio)
        painter.drawPixmap(tile.topLeft(), picture)
        painter.setFont(smaller(self.font()))
        colour = palette.text if chosen else palette.muted
        line = QRectF(rect.left(), tile.bottom() + 2, rect.width(), self._line)
        title = f"{row} ✓" if row and strip.passes[row] else str(row)
        write(painter, line, title if row else "Original", colour, _CENTRE)
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
        tile.moveTop(line.top() + _GAP / 2)
        if row:
            difference = rounded_pixmap(strip.differences[row], side, 3, ratio)
            painter.drawPixmap(tile.topLeft(), difference)
        else:
            self._paint_legend(painter, tile)

    def _paint_legend(self, painter: QPainter, place: QRectF) -> None:
        """Say below the original what the colours of the differences mean."""
        painter.setFont(smaller(self.font(), 0.8))
        height = painter.fontMetrics().height()
        line = QRectF(place.left(), place.center().y() - height, place.width(), height)
        for word, colour in LEGEND:
            write(painter, line, "■", [part / 255 for part in colour])
            words = line.adjusted(0.85 * height, 0, _GAP, 0)
            write(painter, words, word, self._palette.muted)
            line.translate(0, height)
