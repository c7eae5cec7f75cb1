"""Reviewing proposals one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_spaceediting.plugin.guidance.pictures import Pictures
from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    TIGHT,
    Card,
    Gate,
    KeyButton,
    ThinBar,
    column,
    row,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

YES, NO, UNSURE, ELSEWHERE = "yes", "no", "unsure", "elsewhere"
ANSWER_KEYS = {YES: "Y", NO: "N", UNSURE: "U", ELSEWHERE: "E"}
"""The key of every answer."""
MOVE_KEYS = {-1: ",", 1: "."}
"""The keys of the previous and the next proposal."""
EMPTY_TEXT = (
    "Finds the images whose decision teaches the network most: probably wrong "
    "labels, look-alikes to name together, and doubtful ones."
)
FINISHED_TEXT = (
    "You are through this list. Retrain to see what your answers have taught the "
    "network, or find further proposals."
)
NOTHING_FOUND_TEXT = (
    "Nothing is left to ask: no label is doubtful, and no image stands out. Move or "
    "name what you see yourself, or retrain."
)
NO_PROPOSAL = "There is no proposal to decide on: find proposals first"
_ANSWERS = (
    (YES, "Yes", "Do what is proposed"),
    (NO, "No", "It is right as it is: keep it, and do not ask again"),
    (UNSURE, "Not sure", "Decide nothing, and go on to the next"),
    (ELSEWHERE, "Elsewhere", "It belongs to another class: choose which"),
)


@dataclass(frozen=True, eq=False)
class ProposalCard:
    """A proposal in words.

    Parameters
    ----------
    position, count : int
        Its place in the queue, from 1, and the length of the queue.
    title : str
        The kind of proposal, such as "probably mislabelled".
    reason : str
        Why it is proposed, in one sentence.
    action : str
        What Yes does, such as "Move to Coat".
    thumbnails : (n, h, w, 3) uint8 array or None
        Pictures of the images.
    yes_reason : str
        Why Yes cannot be answered; "" if it can.
    left_out : frozenset of int
        Positions of the images that the answer shall leave out.
    question : str
        Such as "What separates Coat from Shirt?"; "" where nothing does.
    """

    position: int
    count: int
    title: str
    reason: str
    action: str
    thumbnails: NDArray[np.uint8] | None = field(default=None, repr=False)
    yes_reason: str = ""
    left_out: frozenset[int] = frozenset()
    question: str = ""


class GuidancePanel(QWidget):
    """A card with the proposal at hand, its answers, and how far one is.

    The keys of the answers work while the focus is anywhere in this panel.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    refresh_requested = Signal()
    answered = Signal(str)
    """"yes", "no", "unsure" or "elsewhere"."""
    change_requested = Signal()
    """Show what separates the two places of the proposal."""
    moved = Signal(int)
    """-1 for the previous proposal, +1 for the next one."""
    toggled = Signal(int)
    """Position of an image that is to be left out, or taken back."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card: ProposalCard | None = None
        self._gate = Gate()
        self._empty = word_label()
        self._build_card()
        self._build_buttons(palette)
        self._build_progress()
        self._expected = word_label()
        self._expected.setToolTip(
            "What the answers so far have changed, and what the last round gained by "
            "its edits. Nobody knows what the next ones will."
        )
        self._learnt = word_label()
        self._learnt.setToolTip(
            "What you agree with is proposed more often, the rest less. An answer "
            "whose edit you take back does not count."
        )
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        layout = column(self)
        layout.addWidget(self._empty)
        layout.addWidget(self._frame)
        layout.addWidget(self._answers)
        layout.addWidget(self._counts)
        layout.addWidget(self._expected)
        layout.addWidget(self._learnt)
        layout.addLayout(
            row(self.move_buttons[-1], self.move_buttons[1], self.refresh_button)
        )
        self.show_counts(0, 0)
        self.show_expected("")
        self.show_learnt("")
        self.set_theme(palette)
        self.show_proposal(None)

    def _build_card(self) -> None:
        self._title, self._reason, self._action = (word_label() for _ in range(3))
        self._action.setToolTip("What Yes does")
        self.change_button = QPushButton()
        self.change_button.setToolTip(
            "Show step by step what would make it so to the network; decides nothing"
        )
        self.change_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.change_button.clicked.connect(self.change_requested)
        self._pictures = Pictures()
        self._pictures.clicked.connect(self.toggled)
        self._hint = word_label()
        self._hint.setText("Click what does not belong: it is left out.")
        self._frame = Card()
        # A single picture stands beside the reason, several above it.
        self._beside = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._beside.setSpacing(SPACING)
        self._beside.addWidget(self._pictures)
        self._beside.addWidget(self._reason, 1)
        text = column(self._frame, SPACING)
        text.setContentsMargins(12, 10, 12, 12)
        text.addWidget(self._title)
        text.addLayout(self._beside)
        text.addWidget(self._hint)
        text.addWidget(self._action)
        text.addWidget(self.change_button, 0, Qt.AlignmentFlag.AlignLeft)

    def _build_buttons(self, palette: Palette) -> None:
        self.answer_buttons: dict[str, KeyButton] = {}
        self._answers = QWidget()
        grid = QGridLayout(self._answers)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(TIGHT)
        for number, (key, title, tip) in enumerate(_ANSWERS):
            button = KeyButton(title, ANSWER_KEYS[key], palette)
            button.clicked.connect(lambda _=False, k=key: self.answered.emit(k))
            self._gate.add(button, f"{tip} [{ANSWER_KEYS[key]}]")
            grid.addWidget(button, *divmod(number, 2))
            self.answer_buttons[key] = button
        self.move_buttons: dict[int, QPushButton] = {}
        for step, title in ((-1, "Previous"), (1, "Next")):
            move = QPushButton(f"‹  {title}" if step < 0 else f"{title}  ›")
            move.clicked.connect(lambda _=False, s=step: self.moved.emit(s))
            self._gate.add(
                move,
                f"Go to the {title.lower()} proposal without a decision "
                f"[{MOVE_KEYS[step]}]",
            )
            self.move_buttons[step] = move
        self.refresh_button = QPushButton("Find proposals")
        self.refresh_button.clicked.connect(self.refresh_requested)
        self._gate.add(
            self.refresh_button, "Look for the images that are most worth a decision"
        )

    def _build_progress(self) -> None:
        self._bar = ThinBar("Decisions", 4)
        self._done_label = QLabel()
        self._counts = QWidget()
        layout = column(self._counts, 4)
        layout.addWidget(self._bar)
        layout.addWidget(self._done_label)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._frame.set_theme(palette)
        style_label(self._empty, palette.muted)
        style_label(self._title, palette.muted)
        style_label(self._hint, palette.muted)
        style_label(self._reason, palette.text, palette.font_size + 3)
        self._action.setStyleSheet(
            f"padding: 0px; color: {palette.text}; font-weight: 600;"
        )
        self.change_button.setStyleSheet(palette.link_button)
        for label in (self._done_label, self._expected, self._learnt):
            style_label(label, palette.muted, palette.font_size)
        self._show_pictures()
        for button in self.answer_buttons.values():
            button.set_theme(palette)
        self._bar.set_theme(palette)
        self._style_buttons()

    def show_proposal(
        self, card: ProposalCard | None, empty_text: str = EMPTY_TEXT
    ) -> None:
        """Show a proposal, or in words that there is none."""
        self._card = card
        self._empty.setText(empty_text)
        self._empty.setVisible(card is None)
        for part in (self._frame, self._answers, *self.move_buttons.values()):
            part.setVisible(card is not None)
        for button in self.answer_buttons.values():
            self._gate.block(button, "" if card else NO_PROPOSAL)
        if card is not None:
            self._title.setText(f"{card.position} of {card.count} · {card.title}")
            self._reason.setText(card.reason)
            set_text(self._action, card.action)
            self.change_button.setText(card.question)
            self.change_button.setVisible(bool(card.question))
            self._show_pictures()
            self._hint.setVisible(bool(self._pictures.numbers))
            self._beside.setDirection(
                QBoxLayout.Direction.LeftToRight
                if self._pictures.is_single
                else QBoxLayout.Direction.TopToBottom
            )
            self._gate.block(self.answer_buttons[YES], card.yes_reason)
        at_start = card is None or card.position <= 1
        at_end = card is None or card.position >= card.count
        self._gate.block(
            self.move_buttons[-1], "This is the first proposal" if at_start else ""
        )
        self._gate.block(
            self.move_buttons[1], "This is the last proposal" if at_end else ""
        )
        self.refresh_button.setText("Find again" if card else "Find proposals")
        self._style_buttons()

    def _show_pictures(self) -> None:
        if self._card is not None:
            self._pictures.show_pictures(
                self._card.thumbnails, self._card.left_out, self._palette
            )

    def show_counts(self, done: int, total: int) -> None:
        """Show how many of the proposals have been decided on."""
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(min(done, total))
        self._done_label.setText(f"{done:,} of {total:,} decided")
        self._counts.setVisible(total > 0)

    def show_expected(self, text: str) -> None:
        """Say what going on may bring; "" where nothing is known of it."""
        set_text(self._expected, text)

    def show_learnt(self, text: str) -> None:
        """Say what the answers have taught, as "You agreed with 9 of 10 groups."."""
        set_text(self._learnt, text)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow deciding, or say why not."""
        self._gate.set_enabled(enabled, reason)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Answer by key."""
        if event is None:
            return
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.ShiftModifier,
        )
        for key, button in (
            *((ANSWER_KEYS[answer], b) for answer, b in self.answer_buttons.items()),
            *((MOVE_KEYS[step], b) for step, b in self.move_buttons.items()),
        ):
            if plain and event.text().upper() == key and button.isVisible():
                button.click()
                return
        number = event.text()
        if plain and number in self._pictures.numbers:
            self.toggled.emit(int(number) - 1)
            return
        super().keyPressEvent(event)

    def _style_buttons(self) -> None:
        """Emphasise the one button that is most likely to be wanted."""
        primary = self._palette.primary_button
        self.answer_buttons[YES].setStyleSheet(primary if self._card else "")
        quiet = (
            "QPushButton:!hover {background-color: transparent; border: 0px;}"
            f"QPushButton:enabled {{color: {self._palette.muted};}}"
        )
        self.refresh_button.setStyleSheet(quiet if self._card else primary)
        for button in self.move_buttons.values():
            button.setStyleSheet(quiet)
