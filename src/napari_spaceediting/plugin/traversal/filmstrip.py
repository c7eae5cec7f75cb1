"""An image on its way to another kind: its steps, large or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    rounded_pixmap,
    smaller,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor

_GAP = 8
_SIDES = (24, 120)
"""Least and largest side of a step, in logical pixels."""
_USUAL = 36
"""Side of a step that is asked for."""
_FIRST = "Original"
_CENTRE = Qt.AlignmentFlag.AlignCenter
_BAR = 4
"""Thickness of the bar of a probability, in logical pixels."""


@dataclass(frozen=True, eq=False)
class Chance:
    """What the network says of one class at every step.

    Parameters
    ----------
    name : str
        Of the class.
    colour : colour
        Of the class.
    values : (s,) float array
        Probabilities, 0 to 1.
    """

    name: str
    colour: Colour
    values: NDArray[np.floating] = field(repr=False)


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


class Filmstrip(QWidget):
    """The steps side by side, what the network says of each, and what differs.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    legend : pair of colours
        Of what becomes darker and brighter in the differences.
    parent : QWidget, optional
        Qt parent.
    """

    step_chosen = Signal(int)

    def __init__(
        self,
        palette: Palette,
        legend: tuple[Colour, Colour],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._legend = legend
        self._strip: Strip | None = None
        self._step = 0
        self._hovered = -1
        self._pixmaps: dict[tuple[bool, int], QPixmap] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Steps")
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self._refit()

    def show_strip(self, strip: Strip | None) -> None:
        """Show the way of an image."""
        self._strip = strip
        self._step = min(self._step, max(self._count - 1, 0))
        self._refit()

    def set_step(self, step: int) -> None:
        """Mark a step; emits nothing."""
        self._step = step
        self.setAccessibleDescription(self._describe(step))
        self.update()

    # Geometry

    @property
    def _count(self) -> int:
        return 0 if self._strip is None else len(self._strip.pictures)

    @property
    def _line(self) -> int:
        return QFontMetrics(smaller(self.font())).height()

    def _height_of(self, side: int) -> int:
        """Return the height of two rows of pictures with what stands between them."""
        chances = len(self._strip.chances) if self._strip else 2
        between = self._line + chances * self._chance_height + 2 * _GAP
        return 2 * side + between

    @property
    def _chance_height(self) -> int:
        return self._line + _BAR

    def _side(self) -> int:
        count = max(self._count, 1)
        across = (self.width() - _GAP) // count - _GAP
        down = (self.height() - self._height_of(0)) // 2
        return int(np.clip(min(across, down), *_SIDES))

    def _pitch(self) -> int:
        """Return the distance of steps; they spread a little where there is room."""
        side, count = self._side(), max(self._count, 1)
        return min((self.width() - _GAP) // count, round(1.25 * side) + _GAP)

    def _tile(self, step: int, row: int) -> QRect:
        """Return where a picture (row 0) or difference (row 1) stands."""
        side = self._side()
        left = _GAP + step * self._pitch()
        top = _GAP // 2 + row * (self._height_of(side) - side - _GAP)
        return QRect(left, top, side, side)

    def _plate(self, step: int) -> QRect:
        """Return the column of a step."""
        tile = self._tile(step, 0)
        bottom = self._tile(step, 1).bottom()
        air = _GAP // 2
        return QRect(
            tile.left() - air,
            tile.top() - air,
            tile.width() + 2 * air,
            bottom - tile.top() + 2 * air,
        )

    def _step_at(self, point: QPoint) -> int:
        for step in range(self._count):
            if self._plate(step).contains(point):
                return step
        return -1

    def minimumSizeHint(self) -> QSize:
        """Allow small steps."""
        count = max(self._count, 1)
        width = _GAP + count * (_SIDES[0] + _GAP)
        return QSize(width, self._height_of(_SIDES[0]))

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        count = max(self._count, 1)
        return QSize(_GAP + count * (_USUAL + _GAP), self._height_of(_USUAL))

    def _refit(self) -> None:
        self._pixmaps.clear()
        self.updateGeometry()
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the steps to the new size."""
        self._pixmaps.clear()
        super().resizeEvent(event)

    # Painting

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint all steps."""
        if self._strip is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for step in range(self._count):
            self._paint_step(painter, step)
        self._paint_legend(painter)

    def _paint_step(self, painter: QPainter, step: int) -> None:
        assert self._strip is not None
        chosen = step == self._step
        if chosen or step == self._hovered:
            accent = outline(to_qcolor(self._palette.accent), 1.5)
            painter.setPen(accent if chosen else Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(self._palette.foreground))
            plate = QRectF(self._plate(step)).adjusted(1, 1, -1, -1)
            painter.drawRoundedRect(plate, 6, 6)
        writing = to_qcolor(self._palette.text if chosen else self._palette.muted)
        tile = self._tile(step, 0)
        painter.drawPixmap(tile.topLeft(), self._pixmap(step, is_difference=False))
        if step:
            below = self._tile(step, 1)
            painter.drawPixmap(below.topLeft(), self._pixmap(step, is_difference=True))
        painter.setFont(smaller(self.font()))
        painter.setPen(writing)
        line = QRect(tile.left(), tile.bottom() + 2, tile.width(), self._line)
        fits = painter.fontMetrics().horizontalAdvance(_FIRST) <= self._plate(0).width()
        passes = step > 0 and self._strip.passes[step]
        title = _FIRST if step == 0 and fits else f"{step} ✓" if passes else str(step)
        painter.drawText(line.adjusted(-_GAP, 0, _GAP, 0), _CENTRE, title)
        line.translate(0, self._line)
        for chance in self._strip.chances:
            self._paint_chance(painter, line, chance, step)
            line.translate(0, self._chance_height)

    def _paint_chance(
        self, painter: QPainter, line: QRect, chance: Chance, step: int
    ) -> None:
        """Paint a probability as a figure with a bar beneath."""
        share = float(np.clip(chance.values[step], 0, 1))
        painter.drawText(line.adjusted(-_GAP, 0, _GAP, 0), _CENTRE, f"{share:.0%}")
        pen = painter.pen()
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(line.left(), line.bottom(), line.width(), _BAR)
        painter.setBrush(to_qcolor(self._palette.text, 0.18))
        painter.drawRoundedRect(track, _BAR / 2, _BAR / 2)
        if share >= 0.005:
            track.setWidth(max(line.width() * share, _BAR))
            painter.setBrush(to_qcolor(chance.colour))
            painter.drawRoundedRect(track, _BAR / 2, _BAR / 2)
        painter.setPen(pen)

    def _paint_legend(self, painter: QPainter) -> None:
        """Say below the original what the colours of the differences mean."""
        place = self._tile(0, 1)
        painter.setFont(smaller(self.font(), 0.8))
        metrics = painter.fontMetrics()
        chip = metrics.height() * 0.6
        words = ("darker", "lighter")
        needed = chip + 3 + max(map(metrics.horizontalAdvance, words))
        if needed > self._pitch():
            words = ("−", "+")
            needed = place.width()
        top = place.center().y() - metrics.height() * len(words) / 2
        for number, (word, colour) in enumerate(zip(words, self._legend, strict=True)):
            line = QRectF(
                place.left(),
                top + number * metrics.height(),
                max(place.width(), needed),
                metrics.height(),
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(colour))
            square = QRectF(0, 0, chip, chip)
            square.moveCenter(QPointF(line.left() + chip / 2, line.center().y()))
            painter.drawRoundedRect(square, 2, 2)
            painter.setPen(to_qcolor(self._palette.muted))
            line.setLeft(line.left() + chip + 3)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, word)

    def _pixmap(self, step: int, *, is_difference: bool) -> QPixmap:
        key = is_difference, step
        ratio = self.devicePixelRatioF()
        if key not in self._pixmaps or self._pixmaps[key].devicePixelRatio() != ratio:
            assert self._strip is not None
            rows = self._strip.differences if is_difference else self._strip.pictures
            side = self._side()
            self._pixmaps[key] = rounded_pixmap(rows[step], side, 3, ratio)
        return self._pixmaps[key]

    # Mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Choose a step."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            step = self._step_at(event.position().toPoint())
            if step >= 0:
                self.step_chosen.emit(step)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Show that a step can be chosen."""
        if event is not None:
            self._hover(self._step_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent | None) -> None:
        """Show nothing of the kind any more."""
        self._hover(-1)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Go through the steps by the arrows, Home and End."""
        if event is None:
            return
        last = self._count - 1
        step = {
            Qt.Key.Key_Left: self._step - 1,
            Qt.Key.Key_Right: self._step + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif 0 <= step <= last:
            self.step_chosen.emit(step)

    def event(self, event: QEvent | None) -> bool:
        """Say as a tooltip what a step is."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            step = self._step_at(event.pos())
            QToolTip.showText(event.globalPos(), self._describe(step), self)
            return True
        return bool(super().event(event))

    def _describe(self, step: int) -> str:
        """Return such as "Step 3, budget 0.14: Coat 41%, Shirt 55%"."""
        strip = self._strip
        if strip is None or not 0 <= step < self._count:
            return ""
        start = strip.name if step == 0 else f"Step {step}, {strip.captions[step]}"
        said = ", ".join(f"{c.name} {c.values[step]:.0%}" for c in strip.chances)
        return f"{start}: {said}" if said else start

    def _hover(self, step: int) -> None:
        if step != self._hovered:
            self._hovered = step
            self.update()
