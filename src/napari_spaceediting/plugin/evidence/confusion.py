"""The confusion matrix as a heat map whose cells can be clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from napari_spaceediting.editing.arms import AFTER, BEFORE, CONTROL
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.plugin.widgets.controls import column
from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    outline,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import (
    Palette,
    mix,
    readable,
    to_qcolor,
)

_ARMS = (BEFORE, CONTROL, AFTER)
"""Arms whose confusion is shown."""
_LONGEST_NAME = 8.5
"""Room for a class name, in heights of a line."""


class ConfusionMatrix(QWidget):
    """True classes as rows, predicted ones as columns, counts as shades.

    Right answers (the diagonal) and mistakes have a hue each. Shades are shares
    of the row's images, mistakes on a square-root scale so that rare ones show.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    cell_clicked = Signal(int, int)
    """True and predicted class of a cell that holds images."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._counts = np.zeros((0, 0), np.int64)
        self._cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Confusion matrix")
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.setFixedHeight(self._height(self.width()))
        self.update()

    def set_counts(self, names: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Show the (C, C) images of the true class (row) by prediction (column)."""
        if len(names) != len(self._names):
            self._cell = None
        self._names, self._counts = tuple(names), counts
        self.setAccessibleDescription(self._summary())
        self.setFixedHeight(self._height(self.width()))
        self.update()

    # Geometry

    def _small(self) -> QFontMetrics:
        return QFontMetrics(smaller(self.font()))

    def _margin(self) -> int:
        """Return the room for names on the left and beneath."""
        metrics = self._small()
        longest = max((metrics.horizontalAdvance(n) for n in self._names), default=0)
        return min(longest + 2, round(_LONGEST_NAME * metrics.height())) + 6

    def _cell_size(self, width: int) -> float:
        # Large enough for the largest figure.
        figure = "0" * (len(str(self._counts.max(initial=0))) + 1)
        written = QFontMetrics(smaller(self.font(), 0.82)).horizontalAdvance(figure)
        largest = max(self.fontMetrics().height() * 1.45, written)
        classes = max(len(self._names), 1)
        return max(3.0, min((width - self._margin() - 2) / classes, largest))

    def _height(self, width: int) -> int:
        """Return the height of square cells and names."""
        size = self._cell_size(width)
        matrix = self._top(size) + round(size * len(self._names))
        return matrix + self._margin() + self._title() + 2

    def _top(self, size: float) -> int:
        """Return the room that the first name needs above its row."""
        return max(0, round((self._small().height() - size) / 2))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the cells square."""
        self.setFixedHeight(self._height(self.width()))
        super().resizeEvent(event)

    def _title(self) -> int:
        return self._small().height() + 4

    def sizeHint(self) -> QSize:
        """Ask for cells as high as a line of text."""
        size = self.fontMetrics().height() * 1.15
        width = round(size * len(self._names)) + self._margin() + 2
        return QSize(width, self._height(width))

    def minimumSizeHint(self) -> QSize:
        """Allow cells of a few pixels."""
        return QSize(self._margin() + 4 * len(self._names), 0)

    def cell_rect(self, true: int, predicted: int) -> QRect:
        """Return where a cell is, in this widget's coordinates."""
        size = self._cell_size(self.width())
        left = self._margin() + size * predicted
        top = self._top(size) + size * true
        return QRectF(left, top, size, size).toAlignedRect()

    def _cell_at(self, point: QPoint) -> tuple[int, int] | None:
        size = self._cell_size(self.width())
        row = int((point.y() - self._top(size)) // size)
        column = int((point.x() - self._margin()) // size)
        count = len(self._names)
        return (row, column) if 0 <= row < count and 0 <= column < count else None

    # Painting

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the matrix."""
        if not self._names:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size, margin = self._cell_size(self.width()), self._margin()
        totals = np.maximum(self._counts.sum(axis=1), 1)
        painter.translate(0, self._top(size))
        painter.setFont(smaller(self.font(), 0.82))
        metrics = painter.fontMetrics()
        gap = 1.0 if size >= 8 else 0.0

        def square(true: int, predicted: int) -> QRectF:
            left, top = margin + predicted * size, true * size
            return QRectF(left, top, size - gap, size - gap)

        for (true, predicted), images in np.ndenumerate(self._counts):
            cell = square(true, predicted)
            fill = self._shade(images / totals[true], true == predicted)
            painter.fillRect(cell, to_qcolor(fill))
            text = str(images)
            fits = metrics.horizontalAdvance(text) + 2 <= size
            if images and fits and metrics.height() <= size + 3:
                painter.setPen(to_qcolor(readable(self._palette.text, fill)))
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)
        self._paint_names(painter, size, margin)
        if self._cell is not None:
            painter.setPen(outline(to_qcolor(self._palette.text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(square(*self._cell))

    def _shade(self, share: float, right: bool) -> str:
        ground = self._palette.foreground
        if right:
            return mix(ground, self._palette.gain, 0.85 * share)
        return mix(ground, self._palette.loss, 0.9 * min(1.0, share**0.5))

    def _paint_names(self, painter: QPainter, size: float, margin: int) -> None:
        painter.setFont(smaller(self.font()))
        height, right = painter.fontMetrics().height(), Qt.AlignmentFlag.AlignRight
        line = QRectF(6 - margin, -height / 2, margin - 6, height)
        palette, matrix = self._palette, size * len(self._names)
        true, predicted = self._cell if self._cell is not None else (-1, -1)
        # Where cells are lower than a line, every second or third name is shown.
        for number in range(0, len(self._names), int(np.ceil(height * 0.86 / size))):
            middle = (number + 0.5) * size
            for on, x, y, turn in (
                (number == true, margin - 6, middle, 0),
                (number == predicted, margin + middle, matrix + 4, -90),
            ):
                painter.save()
                painter.translate(x, y)
                painter.rotate(turn)
                colour = palette.text if on else palette.muted
                write(painter, line, self._names[number], colour, right)
                painter.restore()
        write(
            painter,
            QRectF(0, matrix + margin + 2, self.width(), self._title()),
            "rows: true class · columns: predicted",
            palette.muted,
        )

    # Pointing and keys

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Outline the cell under the pointer."""
        if event is not None:
            self._set_cell(self._cell_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent | None) -> None:
        """Take the outline away."""
        self._set_cell(None)
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Tell which cell was clicked."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._set_cell(self._cell_at(event.position().toPoint()))
            self._click()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Walk over the cells with the arrows, choose with Enter or Space."""
        if event is None or not self._names:
            return
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None:
            row, column = self._cell if self._cell is not None else (0, 0)
            last = len(self._names) - 1
            if self._cell is not None:
                row = min(max(row + step[0], 0), last)
                column = min(max(column + step[1], 0), last)
            self._set_cell((row, column))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._click()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Say in words what a cell holds."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self._cell_at(event.pos())
            QToolTip.showText(
                event.globalPos(), self.describe(*cell) if cell else "", self
            )
            return True
        return super().event(event)

    def describe(self, true: int, predicted: int) -> str:
        """Return what a cell holds, as one sentence."""
        images = int(self._counts[true, predicted])
        total = int(self._counts[true].sum())
        share = f" ({images / total:.1%})" if total else ""
        noun = f"{total} image{'s' * (total != 1)} of {self._names[true]}"
        if true == predicted:
            return f"{images} of {noun} recognised{share}."
        return f"{images} of {noun} taken for {self._names[predicted]}{share}."

    def _summary(self) -> str:
        right, total = int(np.trace(self._counts)), int(self._counts.sum())
        return f"{right} of {total} images on the diagonal are right."

    def _set_cell(self, cell: tuple[int, int] | None) -> None:
        if cell != self._cell:
            self._cell = cell
            filled = cell is not None and self._counts[cell] > 0
            self.setCursor(
                Qt.CursorShape.PointingHandCursor
                if filled
                else Qt.CursorShape.ArrowCursor
            )
            self.update()

    def _click(self) -> None:
        if self._cell is not None and self._counts[self._cell] > 0:
            self.cell_clicked.emit(*self._cell)


class ConfusionPart(QWidget):
    """The matrix of one of the networks compared, under buttons to choose which.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    cell_clicked = Signal(str, int, int)
    """Arm, true and predicted class of a cell that holds images."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evidence: Evidence | None = None
        self._arm = AFTER
        self.heading = QLabel("Confusion")
        self.matrix = ConfusionMatrix(palette)
        self.matrix.cell_clicked.connect(
            lambda *cell: self.cell_clicked.emit(self._arm, *cell)
        )
        header = QHBoxLayout()
        header.setSpacing(2)
        header.addWidget(self.heading, 1)
        header.addSpacing(6)
        self.arm_buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        for arm in _ARMS:
            button = QPushButton()
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, a=arm: self._show_arm(a))
            group.addButton(button)
            header.addWidget(button)
            self.arm_buttons[arm] = button
        layout = column(self, 3)
        layout.addLayout(header)
        layout.addWidget(self.matrix)

    def show_evidence(
        self, evidence: Evidence, arms: Mapping[str, tuple[str, str]]
    ) -> None:
        """Show the matrices of what was measured; nothing if nothing was.

        Parameters
        ----------
        evidence : Evidence
            Holds the matrices.
        arms : mapping of str to (str, str)
            Title and meaning of each arm.
        """
        self._evidence = evidence
        self.setVisible(bool(evidence.arms))
        for arm, button in self.arm_buttons.items():
            title, meaning = arms[arm]
            button.setVisible(arm in evidence.arms)
            button.setText(title.partition(",")[0])
            button.setToolTip(f"Confusion of: {meaning[0].lower()}{meaning[1:]}")
        self._show_arm(self._arm if self._arm in evidence.arms else AFTER)

    def _show_arm(self, arm: str) -> None:
        self._arm = arm
        self.arm_buttons[arm].setChecked(True)
        if self._evidence is not None and arm in self._evidence.arms:
            self.matrix.set_counts(
                self._evidence.class_names, self._evidence.arms[arm].confusion
            )
