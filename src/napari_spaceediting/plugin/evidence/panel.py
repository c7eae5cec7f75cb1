"""What a round did: verdict, accuracies, confusion, recall, and the decision."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_spaceediting.editing.arms import CEILING, CONTROL
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.plugin.evidence.chart import IntervalChart
from napari_spaceediting.plugin.evidence.confusion import ConfusionPart
from napari_spaceediting.plugin.evidence.words import (
    CALIBRATED_TIP,
    CERTAINTY_TIP,
    accuracy_rows,
    certainty_in_words,
    difference_rows,
    differences,
    drift_in_words,
    recall_rows,
    titles,
)
from napari_spaceediting.plugin.widgets.controls import (
    Panel,
    along,
    column,
    combo,
    dress,
    flow,
    row,
    scrolled,
    set_role,
    set_text,
    turning,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.wording import counted

OWN_CONTROL = "vs control"
FIXED, BROKEN, NOT_FOLLOWED = "fixed", "broken", "not_followed"
UNNAMED = "unnamed"
_IMAGES = {
    FIXED: ("Fixed", "Held-out images that were wrong before and are right now"),
    BROKEN: ("Broken", "Held-out images that were right before and are wrong now"),
    NOT_FOLLOWED: (
        "Edits not followed",
        "Edited images to which the network gives another class",
    ),
}
"""Title and meaning of the images that a round may have."""
EMPTY_TEXT = (
    "No round yet. Move or pin images on the map, then press Retrain: "
    "what it did to held-out images appears here."
)
NOTHING_TO_GAIN = (
    "There was little to gain: even with all labels right the network is not clearly "
    "better than the control."
)
_MOST_SIDES = 3
"""Before, after and now."""


class EvidencePanel(Panel):
    """The evidence of a round, and the buttons that decide on it."""

    side_selected = Signal(int)
    """Which of the maps offered to show."""
    show_images = Signal(str)
    """"fixed", "broken", "not_followed" or "unnamed"."""

    def __init__(self) -> None:
        super().__init__()
        self._build_bar()
        self._build_body()
        self._empty = word_label("caption", EMPTY_TEXT)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(16, 16, 16, 16)
        self._scroll = scrolled(self._body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self._bar)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self._scroll, 1)
        self.set_others([])
        self.set_sides([], -1)
        self.history.set_rows([])
        self.show_evidence(None)

    def _build_bar(self) -> None:
        self.rounds = combo("The round whose evidence is shown")
        self.rounds.setAccessibleName("Round")
        self.others = combo("What the round is compared with")
        self.others.setAccessibleName("Compared with")
        for box in (self.rounds, self.others):
            box.setMinimumWidth(4 * self.fontMetrics().height())
        self.accept_button = self.gate.button(
            "Accept", "Keep the retrained network and go on from it"
        )
        set_role(self.accept_button, "primary")
        self.roll_back_button = self.gate.button("Roll back", "")
        for button in (self.roll_back_button, self.accept_button):
            button.setMinimumWidth(6 * self.fontMetrics().height())
        self._bar = QWidget()
        self._bar_layout = turning(self._bar)
        self._bar_layout.addWidget(self.rounds, 8)
        self._bar_layout.addWidget(self.others, 5)
        self._bar_layout.addStretch(1)
        self._bar_layout.addLayout(row(self.roll_back_button, self.accept_button))

    def _build_images(self) -> QWidget:
        """Return the buttons that show images, and the switch between maps."""
        images = QWidget()
        parts = flow(images, below=4)
        self.image_buttons = {key: QPushButton() for key in _IMAGES}
        for key, button in self.image_buttons.items():
            button.clicked.connect(lambda _=False, k=key: self.show_images.emit(k))
            parts.addWidget(button)
        self.name_button = QPushButton("Name held-out images")
        self.name_button.setToolTip(
            "Show held-out images without a class in the gallery, in a random order: "
            "those that you name there are what the next round is measured on"
        )
        self.name_button.clicked.connect(lambda: self.show_images.emit(UNNAMED))
        self.name_button.hide()
        parts.addWidget(self.name_button)
        self.side_buttons = [QPushButton() for _ in range(_MOST_SIDES)]
        for number, button in enumerate(self.side_buttons):
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, n=number: self.side_selected.emit(n))
        self._sides = QWidget()
        sides = row(word_label(text="Map"), *self.side_buttons)
        sides.setContentsMargins(12, 0, 0, 0)
        sides.setSpacing(4)
        self._sides.setLayout(sides)
        parts.addWidget(self._sides)
        return images

    def _build_body(self) -> None:
        self._verdict, self._remarks = word_label("heading"), word_label("text")
        self._measured, self._drift = word_label("muted"), word_label("muted")
        self._headroom = word_label("muted", NOTHING_TO_GAIN)
        self._certainty = word_label("muted")
        self._certainty.setToolTip(CERTAINTY_TIP)
        self.calibrated = word_label("muted")
        self.calibrated.setToolTip(CALIBRATED_TIP)
        self.accuracies = IntervalChart("Accuracy")
        self.differences = IntervalChart("Difference in points", zero=True)
        self.history = IntervalChart("From round to round")
        self.recall = IntervalChart("Found of each class")
        self.confusion = ConfusionPart()
        left = _column(
            (
                self.accuracies.heading,
                self.accuracies,
                self._certainty,
                self.calibrated,
            ),
            (self.differences.heading, self.differences, self._headroom),
            (self._drift,),
        )
        right = _column(
            (self.recall.heading, self.recall), (self.history.heading, self.history)
        )
        line = self.accept_button.sizeHint().height()
        for first in (self.accuracies, self.recall):
            first.heading.setMinimumHeight(line)
        self._parts = turning(spacing=16)
        for part in (left, self.confusion, right):
            self._parts.addWidget(part, 1, Qt.AlignmentFlag.AlignTop)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(2, 2, 6, 6)
        body.setSpacing(3)
        body.addWidget(self._verdict)
        body.addWidget(self._remarks)
        body.addWidget(self._measured)
        body.addSpacing(3)
        body.addWidget(self._build_images())
        body.addSpacing(6)
        body.addLayout(self._parts)
        body.addStretch(1)

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)

    def show_evidence(
        self,
        evidence: Evidence | None,
        earlier: str = "",
        later: str = "",
        verdict: str = "",
    ) -> None:
        """Show the evidence of a round; None says what to do to get some.

        Parameters
        ----------
        evidence : Evidence or None
            Of a round, or of two stages that are compared.
        earlier, later : str
            Names of the two stages; "" for a round.
        verdict : str
            What lies between them, in words; a round has its own.
        """
        self._empty.setVisible(evidence is None)
        self._scroll.setVisible(evidence is not None)
        self._bar.setVisible(evidence is not None)
        if evidence is None:
            return
        told = verdict or evidence.verdict()
        headline, end, remarks = told.partition(". ")
        self._verdict.setText(headline + end.strip())
        set_text(self._remarks, remarks)
        measured = counted(evidence.n_images, f"{evidence.measured_on} image")
        self._measured.setText(
            f"Measured on {measured} "
            f"that took no part in the training. {evidence.cautions()}".strip()
        )
        self._measured.setVisible(evidence.n_images > 0)
        arms = titles(earlier, later)
        self.accuracies.set_rows(accuracy_rows(evidence, arms))
        set_text(self._certainty, certainty_in_words(evidence, arms))
        set_text(self.calibrated, "")
        self.differences.set_rows(difference_rows(evidence, differences(earlier)))
        self.recall.set_rows(recall_rows(evidence))
        self.confusion.show_evidence(evidence, {**titles(), **arms})
        first, over = "", ""
        if evidence.seeds > 1:
            first, over = ", first repetition", f", over {evidence.seeds} repetitions"
        self.accuracies.heading.setText(f"Accuracy{first}")
        self.differences.heading.setText(f"Difference in points{over}")
        is_known = {CONTROL, CEILING} <= evidence.arms.keys()
        self._headroom.setVisible(is_known and evidence.headroom_share is None)
        whose = "All images" if earlier else "Images you did not touch"
        self._drift.setText(drift_in_words(evidence.drift, whose))
        n_against = int((~evidence.followed).sum())
        counts = len(evidence.fixed), len(evidence.broken), n_against
        for (key, button), count in zip(
            self.image_buttons.items(), counts, strict=True
        ):
            title, meaning = _IMAGES[key]
            button.setText(f"{title} ({count:,})")
            button.setEnabled(count > 0)
            button.setToolTip(f"{meaning}: show them in the gallery")
        self.image_buttons[NOT_FOLLOWED].setVisible(not earlier)

    def set_others(self, names: Sequence[str]) -> None:
        """List other stages that the round can be compared with, after its control."""
        self.others.clear()
        self.others.addItems([OWN_CONTROL, *(f"vs {name}" for name in names)])
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
        for number, button in enumerate(self.side_buttons):
            name = names[number] if number < len(names) else ""
            button.setText(name)
            button.setVisible(bool(name))
            button.setChecked(number == shown)
            button.setToolTip(
                f"Show the map: {name[:1].lower()}{name[1:]} (V flips between two)"
            )
        self._sides.setVisible(bool(names))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the parts side by side where there is room."""
        if along(self) != self._parts.direction():
            for layout in (self._parts, self._bar_layout):
                layout.setDirection(along(self))
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
