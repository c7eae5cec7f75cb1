"""What a round did: verdict, accuracies, confusion, recall, and the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_spaceediting.editing.arms import AFTER, BEFORE, CEILING, CONTROL
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.plugin.evidence.confusion import ConfusionPart
from napari_spaceediting.plugin.evidence.words import (
    Comparison,
    accuracy_rows,
    difference_rows,
    differences,
    drift_in_words,
    titles,
)
from napari_spaceediting.plugin.widgets.charts import (
    Interval,
    IntervalChart,
    RecallChart,
)
from napari_spaceediting.plugin.widgets.controls import column
from napari_spaceediting.plugin.widgets.palette import Palette

HISTORY = "From round to round"
OWN_CONTROL = "vs control"
FIXED, BROKEN, NOT_FOLLOWED = "fixed", "broken", "not_followed"
EMPTY_TEXT = (
    "No round yet. Move or pin images on the map, then press Retrain: "
    "what it did to held-out images appears here."
)
NOTHING_TO_GAIN = (
    "There was little to gain: even with all labels right the network is not clearly "
    "better than the control."
)
_WIDE = 42
"""From this width on, in heights of a line, the parts stand side by side."""


@dataclass(frozen=True)
class RoundRow:
    """A round in the list of rounds.

    Parameters
    ----------
    title : str
        Such as "Round 3".
    accuracy_after : float or None
        Share of held-out images classified right; None where not measured.
    gain : float or None
        Over the control, or over before; in shares of 1.
    state : str
        Such as "accepted", "rolled back" or "to decide".
    """

    title: str
    accuracy_after: float | None
    gain: float | None
    state: str

    def text(self) -> str:
        """Return the row as one line."""
        parts = [self.title]
        if self.accuracy_after is not None:
            parts.append(f"{self.accuracy_after:.1%}")
        if self.gain is not None:
            parts.append(f"{self.gain * 100:+.1f}")
        if self.state:
            parts.append(self.state)
        return " · ".join(parts)


class EvidencePanel(QWidget):
    """The evidence of a round, and the buttons that decide on it.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    accept_requested = Signal()
    roll_back_requested = Signal()
    round_selected = Signal(int)
    """Row of the round that the user chose."""
    other_selected = Signal(int)
    """Row of what to compare it with; -1 for its own control."""
    side_selected = Signal(int)
    """Which of the maps offered to show."""
    stage_selected = Signal(int)
    """Row of the history that was clicked."""
    show_images = Signal(str)
    """"fixed", "broken" or "not_followed"."""
    confusion_cell_clicked = Signal(str, int, int)
    """Arm, true class, predicted class."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evidence: Evidence | None = None
        self._build_bar()
        self._build_body(palette)

        self._empty = QLabel(EMPTY_TEXT)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(16, 16, 16, 16)

        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._body)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self._bar)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self._scroll, 1)
        self.set_rounds([])
        self.set_others([])
        self.set_sides([], 0)
        self.set_history([])
        self.set_decision_enabled(False, "There is no round to decide on.")
        self.set_theme(palette)
        self.show_evidence(None)

    def _build_bar(self) -> None:
        self._rounds = self._choice("Round", "The round whose evidence is shown", 26)
        self._rounds.activated.connect(self.round_selected)
        self.others = self._choice(
            "Compared with", "What the round is compared with", 16
        )
        self.others.activated.connect(lambda row: self.other_selected.emit(row - 1))
        self.accept_button = QPushButton("Accept")
        self.accept_button.clicked.connect(self.accept_requested)
        self.roll_back_button = QPushButton("Roll back")
        self.roll_back_button.clicked.connect(self.roll_back_requested)
        self._bar = QWidget()
        self._bar_layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._bar)
        self._bar_layout.setContentsMargins(0, 0, 0, 0)
        self._bar_layout.setSpacing(6)
        self._bar_layout.addWidget(self._rounds, 8)
        self._bar_layout.addWidget(self.others, 5)
        self._bar_layout.addStretch(1)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.roll_back_button, self.accept_button):
            button.setMinimumWidth(6 * self.fontMetrics().height())
            buttons.addWidget(button, 1)
        self._bar_layout.addLayout(buttons)

    def _build_sides(self) -> QWidget:
        """Return the switch between maps, without buttons yet."""
        self._sides = QWidget()
        self._sides_layout = QHBoxLayout(self._sides)
        self._sides_layout.setContentsMargins(12, 0, 0, 0)
        self._sides_layout.setSpacing(2)
        self._sides_layout.addWidget(QLabel("Map"))
        self._sides_layout.addSpacing(4)
        self._side_group = QButtonGroup(self)
        self.side_buttons: list[QPushButton] = []
        return self._sides

    def _choice(self, name: str, tooltip: str, most: int) -> QComboBox:
        """Return a list to choose from, at most some heights of a line wide."""
        choice = QComboBox()
        choice.setAccessibleName(name)
        choice.setToolTip(tooltip)
        choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line = self.fontMetrics().height()
        choice.setMinimumWidth(4 * line)
        choice.setMaximumWidth(most * line)
        choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        return choice

    def _build_body(self, palette: Palette) -> None:
        self._verdict, self._remarks = QLabel(), QLabel()
        for label in (self._verdict, self._remarks):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._measured = QLabel()
        self._measured.setWordWrap(True)

        self._accuracies = IntervalChart(palette)
        self._accuracies.setAccessibleName("Accuracy")
        self._differences = IntervalChart(palette, zero=True)
        self._differences.setAccessibleName("Differences of accuracy")
        self._history = IntervalChart(palette)
        self._history.setAccessibleName("Accuracy from round to round")
        self._history.row_clicked.connect(self.stage_selected)
        self._recall = RecallChart(palette)
        self._recall.setAccessibleName("Recall by class")
        self._confusion = ConfusionPart(palette)
        self._confusion.cell_clicked.connect(self.confusion_cell_clicked)
        self.image_buttons = {
            key: QPushButton() for key in (FIXED, BROKEN, NOT_FOLLOWED)
        }
        images = QWidget()
        flow = QFlowLayout(images)
        flow.setContentsMargins(0, 0, 0, 0)
        flow.setHorizontalSpacing(6)
        flow.setVerticalSpacing(4)
        for key, button in self.image_buttons.items():
            button.clicked.connect(lambda _=False, k=key: self.show_images.emit(k))
            flow.addWidget(button)
        flow.addWidget(self._build_sides())
        self._drift = QLabel()
        self._drift.setWordWrap(True)
        self._headroom = QLabel(NOTHING_TO_GAIN)
        self._headroom.setWordWrap(True)

        self._accuracy_heading, self._difference_heading = QLabel(), QLabel()
        self._recall_heading = QLabel("Found of each class, %")
        self._history_heading = QLabel(HISTORY)
        self._headings = (
            self._accuracy_heading,
            self._difference_heading,
            self._confusion.heading,
            self._recall_heading,
            self._history_heading,
        )
        for heading in self._headings:
            heading.setWordWrap(True)
        left = _column(
            (self._accuracy_heading, self._accuracies),
            (self._difference_heading, self._differences, self._headroom),
            (self._drift,),
        )
        self._recall_part = _column(
            (self._recall_heading, self._recall),
            (self._history_heading, self._history),
        )
        line = self.accept_button.sizeHint().height()
        for first in (self._accuracy_heading, self._recall_heading):
            first.setMinimumHeight(line)
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._parts.setSpacing(20)
        for part in (left, self._confusion, self._recall_part):
            self._parts.addWidget(part, 1, Qt.AlignmentFlag.AlignTop)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(2, 2, 6, 6)
        body.setSpacing(3)
        body.addWidget(self._verdict)
        body.addWidget(self._remarks)
        body.addWidget(self._measured)
        body.addSpacing(3)
        body.addWidget(images)
        body.addSpacing(6)
        body.addLayout(self._parts)
        body.addStretch(1)

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        size = palette.font_size
        self._verdict.setStyleSheet(f"padding: 0px; font-size: {size * 1.3:.1f}pt;")
        self._remarks.setStyleSheet("padding: 0px;")
        quiet = f"padding: 0px; color: {palette.muted};"
        self._empty.setStyleSheet(f"{quiet} font-size: {size * 1.1:.1f}pt;")
        for label in (self._measured, self._headroom, self._drift):
            label.setStyleSheet(quiet)
        for label in self._headings:
            label.setStyleSheet(f"{quiet} font-weight: 600;")
        self.accept_button.setStyleSheet(palette.primary_button)
        charts = self._accuracies, self._differences, self._recall, self._history
        for chart in charts:
            chart.set_theme(palette)
        self._confusion.matrix.set_theme(palette)

    def show_evidence(
        self, evidence: Evidence | None, comparison: Comparison | None = None
    ) -> None:
        """Show the evidence of a round; None says what to do to get some.

        Parameters
        ----------
        evidence : Evidence or None
            Of a round, or of two stages that are compared.
        comparison : Comparison, optional
            How a comparison is told; a round tells its own.
        """
        self._evidence = evidence
        self._empty.setVisible(evidence is None)
        self._scroll.setVisible(evidence is not None)
        self._bar.setVisible(evidence is not None or self._rounds.count() > 0)
        if evidence is None:
            return
        verdict = comparison.verdict if comparison else evidence.verdict()
        headline, end, remarks = verdict.partition(". ")
        self._verdict.setText(headline + end.strip())
        self._remarks.setText(remarks)
        self._remarks.setVisible(bool(remarks))
        noun = "image" if evidence.n_images == 1 else "images"
        self._measured.setText(
            f"Measured on {evidence.n_images:,} {evidence.measured_on} {noun} "
            "that took no part in the training."
        )
        self._measured.setVisible(evidence.n_images > 0)
        arms = comparison.arms if comparison else titles()
        compared = comparison.differences if comparison else differences()
        self._accuracies.set_rows(accuracy_rows(evidence, arms))
        self._differences.set_rows(difference_rows(evidence, compared))
        self._accuracy_heading.setVisible(bool(evidence.arms))
        self._difference_heading.setVisible(bool(evidence.over))
        first, over = "", ""
        if evidence.seeds > 1:
            first, over = ", first repetition", f", over {evidence.seeds} repetitions"
        self._accuracy_heading.setText(f"Accuracy{first}")
        self._difference_heading.setText(f"Difference in points{over}")
        is_known = {CONTROL, CEILING} <= evidence.arms.keys()
        self._headroom.setVisible(is_known and evidence.headroom_share is None)
        self._show_image_counts(evidence)
        self.image_buttons[NOT_FOLLOWED].setVisible(comparison is None)
        whose = "All images" if comparison else "Images you did not touch"
        self._drift.setText(drift_in_words(evidence.drift, whose))
        self._confusion.show_evidence(evidence, {**titles(), **arms})
        after = evidence.arms.get(AFTER)
        before = evidence.arms.get(BEFORE)
        self._recall_part.setVisible(after is not None)
        if after is not None:
            unknown = np.full(len(after.recall), np.nan)
            self._recall.set_recall(
                evidence.class_names,
                unknown if before is None else before.recall,
                after.recall,
            )

    def set_rounds(self, rounds: Sequence[RoundRow]) -> None:
        """List the rounds."""
        self._rounds.clear()
        self._rounds.addItems([row.text() for row in rounds])
        self._bar.setVisible(bool(rounds) or self._evidence is not None)

    def set_current_round(self, row: int) -> None:
        """Show which round is looked at, -1 for none."""
        self._rounds.setCurrentIndex(row)

    def set_others(self, names: Sequence[str], current: int = -1) -> None:
        """List what the round can be compared with, beside its own control.

        Parameters
        ----------
        names : sequence of str
            Other stages.
        current : int
            Which of them it is compared with, -1 for its own control.
        """
        self.others.clear()
        self.others.addItems([OWN_CONTROL, *(f"vs {name}" for name in names)])
        self.others.setCurrentIndex(current + 1)
        self.others.setEnabled(bool(names))
        self.others.setToolTip(
            "What the round is compared with"
            if names
            else "After another round it can be compared with that one, too"
        )

    def set_sides(self, names: Sequence[str], shown: int) -> None:
        """Offer maps to look at.

        Parameters
        ----------
        names : sequence of str
            Such as "Before" and "After"; empty where there is none to choose.
        shown : int
            Which of them the map shows.
        """
        for button in self.side_buttons:
            self._side_group.removeButton(button)
            button.deleteLater()
        self.side_buttons = []
        for number, name in enumerate(names):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setChecked(number == shown)
            button.setToolTip(
                f"Show the map: {name[0].lower()}{name[1:]} (V flips between two)"
            )
            button.clicked.connect(lambda _=False, n=number: self.side_selected.emit(n))
            self._side_group.addButton(button)
            self._sides_layout.addWidget(button)
            self.side_buttons.append(button)
        self._sides.setVisible(bool(names))

    def set_history(self, rows: Sequence[Interval]) -> None:
        """Show the accuracy of every stage, on the same held-out images."""
        self._history.set_rows(rows)
        self._history_heading.setVisible(bool(rows))

    def set_decision_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow to accept or roll back; `reason` says why not."""
        for button, tooltip in (
            (self.accept_button, "Keep the retrained network and go on from it"),
            (self.roll_back_button, "Go back to the network before this round"),
        ):
            button.setEnabled(enabled)
            button.setToolTip(tooltip if enabled else reason)

    def _show_image_counts(self, evidence: Evidence) -> None:
        counts = {
            FIXED: (
                "Fixed", len(evidence.fixed),
                "Held-out images that were wrong before and are right now",
            ),
            BROKEN: (
                "Broken", len(evidence.broken),
                "Held-out images that were right before and are wrong now",
            ),
            NOT_FOLLOWED: (
                "Edits not followed", int((~evidence.followed).sum()),
                "Edited images to which the network gives another class",
            ),
        }  # fmt: skip
        for key, (title, count, tooltip) in counts.items():
            button = self.image_buttons[key]
            button.setText(f"{title} ({count:,})")
            button.setEnabled(count > 0)
            button.setToolTip(f"{tooltip}: show them in the gallery")

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the parts side by side where there is room."""
        wide = self.width() >= _WIDE * self.fontMetrics().height()
        direction = (
            QBoxLayout.Direction.LeftToRight if wide
            else QBoxLayout.Direction.TopToBottom
        )  # fmt: skip
        if direction != self._parts.direction():
            self._parts.setDirection(direction)
            self._bar_layout.setDirection(direction)
            self._parts.setSpacing(20 if wide else 12)
        super().resizeEvent(event)


def _column(*groups: Sequence[QWidget]) -> QWidget:
    """Return widgets one beneath the other, with some air between the groups."""
    widget = QWidget()
    layout = column(widget, 3)
    for number, group in enumerate(groups):
        if number:
            layout.addSpacing(6)
        for part in group:
            layout.addWidget(part)
    return widget
