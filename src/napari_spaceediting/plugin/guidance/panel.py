"""Reviewing proposals one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QCompleter,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_spaceediting.editing.orders import Order
from napari_spaceediting.plugin.guidance.pictures import Pictures
from napari_spaceediting.plugin.keys import KEYS, NEXT, PREVIOUS
from napari_spaceediting.plugin.widgets.class_keys import ClassKeys, takes_back
from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    TIGHT,
    Panel,
    card,
    column,
    combo,
    key_cap,
    literal,
    row,
    set_progress,
    set_role,
    set_text,
    thin_bar,
    word_label,
)

YES, NO, UNSURE, ELSEWHERE = "yes", "no", "unsure", "elsewhere"
ANSWER_KEYS = {
    entry.command.removeprefix("answer_"): entry.key
    for entry in KEYS
    if entry.command.startswith("answer_")
}
"""The key of every answer."""
MOVE_KEYS = {-1: PREVIOUS, 1: NEXT}
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
MIXED, CLUSTERS = "mixed", "clusters"
ORDERS = {
    Order.MARGIN: "most doubtful first",
    Order.TYPICALITY: "most typical first",
    Order.CLUSTER: "clusters in turn",
    Order.DOUBTED: "doubted labels",
}
"""Orders of single images."""


class GuidancePanel(Panel):
    """A card with the proposal at hand, its answers, and how far one is.

    The keys of answers and classes work while the focus is anywhere in this panel.
    """

    refresh_requested = Signal()
    answered = Signal(str)
    """"yes", "no", "unsure" or "elsewhere"."""
    named = Signal(int)
    """Number of the class that the images are of."""
    named_as = Signal(str)
    """Name of the class that the images are of, which may be new."""
    taken_back = Signal()
    """The last edit is to be undone."""
    moved = Signal(int)
    """-1 for the previous proposal, +1 for the next one."""
    toggled = Signal(int)
    """Position of an image that is to be left out, or taken back."""

    def __init__(self) -> None:
        super().__init__()
        alone = [(key, f"One at a time: {title}") for key, title in ORDERS.items()]
        groups = (MIXED, "Groups and doubts, mixed"), (CLUSTERS, "Clusters to name")
        self.orders = combo("", [*groups, *alone])
        self.orders.setAccessibleName("What to look at")
        self.gate.add(
            self.orders,
            "Several images for each answer or a single one; images without a class, "
            "or labels that are probably wrong",
        )
        self.orders.activated.connect(self.refresh_requested)
        self._empty = word_label("muted")
        self._build_card()
        self._build_buttons()
        self.class_keys = ClassKeys()
        self.class_keys.chosen.connect(self.named)
        self.gate.add(self.class_keys, "")
        self._bar = thin_bar("Decisions")
        self._done_label = word_label("small")
        self._counts = QWidget()
        column(self._counts, 4, self._bar, self._done_label)
        self._expected = word_label("small")
        self._expected.setToolTip(
            "What the answers so far have changed, and what the last round gained by "
            "its edits. Nobody knows what the next ones will."
        )
        self._learnt = word_label("small")
        self._learnt.setToolTip(
            "What you agree with is proposed more often, the rest less. An answer "
            "whose edit you take back does not count."
        )
        self._pace = word_label("small")
        self._pace.setToolTip(
            "By the clock, from when something is shown to the answer; answers after "
            "half a minute are left out"
        )
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        layout = column(
            self,
            SPACING,
            self.orders,
            self._empty,
            self._frame,
            self.class_keys,
            self._answers,
            self._counts,
            self._pace,
            self._expected,
            self._learnt,
        )
        layout.addLayout(
            row(self.move_buttons[-1], self.move_buttons[1], self.refresh_button)
        )
        self.show_counts(0, 0)
        self.show_words("", "", "")
        self.show_nothing(EMPTY_TEXT)

    def _build_card(self) -> None:
        self._title, self._reason = word_label("muted"), word_label("large")
        self._action = word_label("strong")
        self._action.setToolTip("What Yes does")
        self.name_field = QLineEdit()
        self.name_field.setAccessibleName("Name of the class")
        self.name_field.setToolTip(
            "Enter names them and goes on; Escape leads back to the keys of answers"
        )
        self.name_field.returnPressed.connect(self._on_name)
        self.gate.add(self.name_field, self.name_field.toolTip())
        self.change_button = QPushButton()
        self.change_button.setToolTip(
            "Show step by step what would make it so to the network; decides nothing"
        )
        self.change_button.setCursor(Qt.CursorShape.PointingHandCursor)
        set_role(self.change_button, "link")
        self.change_button.setMinimumWidth(1)
        self._pictures = Pictures()
        self._pictures.clicked.connect(self.toggled)
        self._hint = word_label("muted", "Click what does not belong: it is left out.")
        self._frame = card()
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
        text.addWidget(self.name_field)
        text.addWidget(self.change_button, 0, Qt.AlignmentFlag.AlignLeft)

    def _build_buttons(self) -> None:
        self.answer_buttons: dict[str, QPushButton] = {}
        self._answers = QWidget()
        grid = QGridLayout(self._answers)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(TIGHT)
        for number, (answer, title, tip) in enumerate(_ANSWERS):
            key = ANSWER_KEYS[answer]
            button = self.gate.button(
                title,
                f"{tip} [{key}]",
                lambda _=False, a=answer: self.answered.emit(a),
            )
            key_cap(button, key, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(button, *divmod(number, 2))
            self.answer_buttons[answer] = button
        set_role(self.answer_buttons[YES], "primary")
        self.move_buttons: dict[int, QPushButton] = {}
        for step, title, which in (
            (-1, "‹  Previous", "previous"),
            (1, "Next  ›", "next"),
        ):
            self.move_buttons[step] = move = self.gate.button(
                title,
                f"Go to the {which} proposal without a decision [{MOVE_KEYS[step]}]",
                lambda _=False, s=step: self.moved.emit(s),
            )
            set_role(move, "quiet")
        self.refresh_button = self.gate.button(
            "Find proposals",
            "Look for the images that are most worth a decision",
            self.refresh_requested,
        )

    def show_nothing(self, text: str) -> None:
        """Say in words that there is no proposal."""
        self._empty.setText(text)
        self._show_any(False)
        for button in self.answer_buttons.values():
            self.gate.block(button, NO_PROPOSAL)

    def show_proposal(
        self,
        position: int,
        count: int,
        title: str,
        reason: str,
        action: str,
        question: str = "",
        blocked: Mapping[str, str] | None = None,
        asks: str = "",
        names: Sequence[str] = (),
    ) -> None:
        """Show a proposal in words; `show_pictures` comes with it.

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
        question : str
            Such as "What separates Coat from Shirt?"; "" where nothing does.
        blocked : mapping of str to str, optional
            Why some answers cannot be given.
        asks : str
            What is asked where no class is proposed, such as "What are they?".
        names : sequence of str
            Names that complete what is typed then.
        """
        self._show_any(True)
        self._title.setText(f"{position} of {count} · {title}")
        self._reason.setText(reason)
        set_text(self._action, action)
        self._ask_name(asks, names)
        self.change_button.setText(literal(question))
        self.change_button.setVisible(bool(question))
        for answer, button in self.answer_buttons.items():
            self.gate.block(button, (blocked or {}).get(answer, ""))
        for step, end, which in ((-1, 1, "first"), (1, count, "last")):
            why_not = f"This is the {which} proposal" if position == end else ""
            self.gate.block(self.move_buttons[step], why_not)

    def _ask_name(self, asks: str, names: Sequence[str]) -> None:
        """Ask for a name in place of a yes, with the keyboard where that is here."""
        had_focus = self._is_typed
        self.name_field.clear()
        self.name_field.setVisible(bool(asks))
        self.name_field.setPlaceholderText(f"{asks} Type the class, then Enter")
        self.answer_buttons[YES].setText("Name" if asks else "Yes")
        if asks:
            completer = QCompleter(list(names), self.name_field)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            self.name_field.setCompleter(completer)
            self.take_focus()
        elif had_focus:
            self.setFocus()

    @property
    def _is_typed(self) -> bool:
        """Whether the keyboard is where a name is typed."""
        return self.window().focusWidget() is self.name_field

    def _on_name(self) -> None:
        name = self.name_field.text().strip()
        if name:
            self.named_as.emit(name)

    def show_pictures(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        left_out: frozenset[int],
        is_large: bool = False,
    ) -> None:
        """Show (h, w, 3) uint8 images of the proposal, and what is left out."""
        self._pictures.show_pictures(pictures, left_out, is_large)
        self._hint.setVisible(bool(self._pictures.numbers))
        self._beside.setDirection(
            QBoxLayout.Direction.LeftToRight
            if self._pictures.is_single and not is_large
            else QBoxLayout.Direction.TopToBottom
        )

    def _show_any(self, is_any: bool) -> None:
        self._empty.setVisible(not is_any)
        parts = self._frame, self.class_keys, self._answers
        for part in (*parts, *self.move_buttons.values()):
            part.setVisible(is_any)
        self.refresh_button.setText("Find again" if is_any else "Find proposals")
        set_role(self.refresh_button, "quiet" if is_any else "primary")

    def show_counts(self, done: int, total: int, last: str = "") -> None:
        """Show how many of the proposals have been decided on, and the last class."""
        set_progress(self._bar, done, max(total, 1))
        text = f"{done:,} of {total:,} decided"
        self._done_label.setText(
            f"{last}: {text}. Backspace takes it back." if last else text
        )
        self._counts.setVisible(total > 0)

    def show_words(self, learnt: str, expected: str, pace: str) -> None:
        """Say what answers have taught, what going on may bring, and how quick it is.

        Such as "You agreed with 9 of 10 groups."; "" where nothing is known of it.
        """
        set_text(self._learnt, learnt)
        set_text(self._expected, expected)
        set_text(self._pace, pace)

    @property
    def order(self) -> str:
        """What is to be looked at, `MIXED` or an `Order`."""
        return str(self.orders.currentData())

    def take_focus(self) -> None:
        """Take the keyboard from a control of the panel, which has keys of its own."""
        focus = self.window().focusWidget()
        if focus is not None and (focus is self or self.isAncestorOf(focus)):
            asks = self.name_field.isVisible()
            (self.name_field if asks else self).setFocus()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Answer by key."""
        keys = self.class_keys
        if event is None or (keys.isVisible() and keys.take(event)):
            return
        if event.key() == Qt.Key.Key_Escape and self._is_typed:
            self.setFocus()
            return
        if takes_back(event):
            self.taken_back.emit()
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
        number = event.key() - Qt.Key.Key_0
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if control and 1 <= number <= len(self._pictures.numbers):
            self.toggled.emit(number - 1)
            return
        super().keyPressEvent(event)
