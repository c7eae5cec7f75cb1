"""The confusion matrix as a heat map whose cells can be clicked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QPainter, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_spaceediting.editing.arms import AFTER, BEFORE, CONTROL
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.plugin.widgets.controls import (
    column,
    set_role,
    word_label,
)
from napari_spaceediting.plugin.widgets.painting import outline, write
from napari_spaceediting.plugin.widgets.palette import (
    Palette,
    mix,
    readable,
    to_qcolor,
)

_ARMS = (BEFORE, CONTROL, AFTER)
"""Arms whose confusion is shown."""
_LONGEST_NAME = 10
"""Room for a class name, in heights of a line."""
_SHARE = Qt.ItemDataRole.UserRole


class ConfusionMatrix(QTableWidget):
    """True classes as rows, predicted ones as columns, counts as shades.

    Right answers (the diagonal) and mistakes have a hue each. Shades are shares
    of the row's images, mistakes on a square-root scale so that rare ones show.
    Only cells that hold images have an item.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Confusion matrix")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFrameShape(QTableWidget.Shape.NoFrame)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.findChild(QAbstractButton).setToolTip(
            "Rows are true classes, columns what the network takes the images for"
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self._largest = ""
        self._cells = _Cells(self)
        self.setItemDelegate(self._cells)
        self._upright = _UprightNames(self)
        self.setHorizontalHeader(self._upright)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setMinimumSectionSize(3)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.verticalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._cells.palette = self._upright.colours = palette
        size = palette.font_size
        self.setStyleSheet(
            f"QTableView {{background-color: transparent; font-size: {0.82 * size}pt;}}"
            "QHeaderView, QHeaderView::section, QTableCornerButton::section {"
            f"background-color: transparent; border: 0px; color: {palette.muted};"
            f" padding: 0px 4px 0px 0px; font-size: {0.88 * size}pt;}}"
        )
        self._fit()

    def set_counts(self, names: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Show the (C, C) images of the true class (row) by prediction (column)."""
        self.clear()
        self.setRowCount(len(names))
        self.setColumnCount(len(names))
        self.setVerticalHeaderLabels(names)
        self.setHorizontalHeaderLabels(names)
        self._largest = str(counts.max(initial=0))
        totals = counts.sum(axis=1)
        for true, predicted in np.argwhere(counts).tolist():
            images, total = int(counts[true, predicted]), int(totals[true])
            noun = f"{total} image{'s' * (total != 1)} of {names[true]}"
            what = (
                "recognised" if true == predicted else f"taken for {names[predicted]}"
            )
            item = QTableWidgetItem(str(images))
            item.setData(_SHARE, images / total)
            item.setToolTip(f"{images} of {noun} {what} ({images / total:.1%}).")
            self.setItem(true, predicted, item)
        self.setAccessibleDescription(
            f"{np.trace(counts)} of {counts.sum()} images on the diagonal are right."
        )
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Make the cells as wide as there is room for."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Make cells square, or narrower where there are many."""
        names, metrics = self.verticalHeader(), self.fontMetrics()
        line = metrics.height()
        names.setMaximumWidth(_LONGEST_NAME * line)
        room = self.width() - min(names.sizeHint().width(), names.maximumWidth())
        square = max(round(2.1 * line), metrics.horizontalAdvance(self._largest) + 6)
        width = min(square, room // max(self.columnCount(), 1))
        self.horizontalHeader().setDefaultSectionSize(max(3, width))
        names.setDefaultSectionSize(max(round(1.1 * line), width))
        top = self._upright.sizeHint().height()
        self.setFixedHeight(top + names.length() + 2)


class _Cells(QStyledItemDelegate):
    """Paints a cell in its shade, with its figure where that fits."""

    palette: Palette

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        assert painter is not None
        text, share = index.data() or "", index.data(_SHARE) or 0.0
        if index.row() == index.column():
            hue, shade = self.palette.gain, 0.85 * share
        else:
            hue, shade = self.palette.loss, 0.9 * math.sqrt(share)
        fill = mix(self.palette.foreground, hue, shade)
        wide = option.rect.width() >= 8
        cell = option.rect.adjusted(0, 0, -1, -1) if wide else option.rect
        painter.fillRect(cell, to_qcolor(fill))
        painter.setFont(option.font)
        if painter.fontMetrics().horizontalAdvance(text) + 2 <= cell.width():
            painter.setPen(to_qcolor(readable(self.palette.text, fill)))
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)
        if option.state & (
            QStyle.StateFlag.State_HasFocus | QStyle.StateFlag.State_MouseOver
        ):
            painter.setPen(outline(to_qcolor(self.palette.text), 1.5))
            painter.drawRect(cell)


class _UprightNames(QHeaderView):
    """Names of columns, written upwards; every second or third where it is narrow."""

    colours: Palette

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)

    def sizeHint(self) -> QSize:
        """Ask for the height of the longest name, up to some."""
        metrics, model = self.fontMetrics(), self.model()
        count = 0 if model is None else model.columnCount()
        names = (str(model.headerData(at, self.orientation())) for at in range(count))
        longest = max(map(metrics.horizontalAdvance, names), default=0)
        return QSize(0, min(longest + 6, _LONGEST_NAME * metrics.height()))

    def paintSection(
        self, painter: QPainter | None, rect: QRect, logicalIndex: int
    ) -> None:
        """Paint a name."""
        assert painter is not None
        line = self.fontMetrics().height()
        if logicalIndex % math.ceil(0.86 * line / rect.width()):
            return
        name = str(self.model().headerData(logicalIndex, self.orientation()))
        painter.save()
        painter.translate(rect.center().x() + 1, rect.bottom())
        painter.rotate(-90)
        across = QRectF(4, -line / 2, rect.height() - 4, line)
        write(painter, across, name, self.colours.muted)
        painter.restore()


class ConfusionPart(QWidget):
    """The matrix of one of the networks compared, under buttons to choose which."""

    cell_clicked = Signal(str, int, int)
    """Arm, true and predicted class of a cell that holds images."""

    def __init__(self) -> None:
        super().__init__()
        self._evidence: Evidence | None = None
        self._arm = AFTER
        heading = QLabel("Confusion")
        set_role(heading, "strong")
        self.matrix = ConfusionMatrix()
        self.matrix.cellClicked.connect(self._on_cell)
        self.matrix.cellActivated.connect(self._on_cell)
        axes = word_label("muted", "rows: true class · columns: predicted")
        header = QHBoxLayout()
        header.setSpacing(2)
        header.addWidget(heading, 1)
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
        layout.addWidget(axes)

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

    def _on_cell(self, true: int, predicted: int) -> None:
        if self.matrix.item(true, predicted) is not None:
            self.cell_clicked.emit(self._arm, true, predicted)
