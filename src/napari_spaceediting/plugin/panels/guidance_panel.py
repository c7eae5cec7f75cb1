"""Reviewing proposals one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_spaceediting.plugin.panels.controls import (
    TIGHT,
    Gate,
    KeyButton,
    column,
    row,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.views.painting import apply_font, rounded_pixmap
from napari_spaceediting.plugin.views.palette import Palette, to_qcolor

YES, NO, UNSURE, ELSEWHERE = "yes", "no", "unsure", "elsewhere"
ANSWER_KEYS = {YES: "Y", NO: "N", UNSURE: "U", ELSEWHERE: "E"}
"""The key of every answer."""
MOVE_KEYS = {-1: ",", 1: "."}
"""The keys of the previous and the next proposal."""
EMPTY_TEXT = (
    "Finds the images whose decision teaches the network most: probably wrong "
    "labels, look-alikes to name together, and doubtful ones."
)
NO_PROPOSAL = "There is no proposal to decide on: find proposals first"
_ANSWERS = (
    (YES, "Yes", "Do what is proposed"),
    (NO, "No", "It is right as it is: keep it, and do not ask again"),
    (UNSURE, "Not sure", "Decide nothing, and go on to the next"),
    (ELSEWHERE, "Elsewhere", "It belongs to another class: choose which"),
)
_RATE_OVER = 10
"""Decisions over which the rate is taken."""
_PAUSE = 120.0
"""Seconds without a decision after which the rate starts anew."""


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
    """

    position: int
    count: int
    title: str
    reason: str
    action: str
    thumbnails: NDArray[np.uint8] | None = field(default=None, repr=False)
    yes_reason: str = ""


class GuidancePanel(QWidget):
    """A card with the proposal at hand, its answers, and how far one is.

    The keys of the answers work while the focus is anywhere in this panel.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    clock : callable
        Seconds, for the rate of decisions.
    """

    refresh_requested = Signal()
    answered = Signal(str)
    """"yes", "no", "unsure" or "elsewhere"."""
    moved = Signal(int)
    """-1 for the previous proposal, +1 for the next one."""

    def __init__(
        self,
        palette: Palette,
        parent: QWidget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._times: deque[float] = deque(maxlen=_RATE_OVER + 1)
        self._done = 0
        self._card: ProposalCard | None = None
        self._gate = Gate()
        self._empty = word_label()
        self._empty.setText(EMPTY_TEXT)
        self._build_card(palette)
        self._build_buttons(palette)
        self._build_progress()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        layout = column(self)
        layout.addWidget(self._empty)
        layout.addWidget(self._frame)
        layout.addWidget(self._answers)
        layout.addWidget(self._moves)
        layout.addWidget(self.refresh_button)
        layout.addWidget(self._counts)
        self.show_counts(0, 0)
        self.set_theme(palette)
        self.show_proposal(None)

    def _build_card(self, palette: Palette) -> None:
        self._title, self._reason, self._action = (word_label() for _ in range(3))
        self._action.setToolTip("What Yes does")
        self._pictures = _Pictures(palette)
        self._frame = QFrame()
        self._frame.setObjectName("ProposalCard")
        text = column(self._frame, TIGHT)
        text.setContentsMargins(12, 10, 12, 12)
        text.addWidget(self._title)
        text.addWidget(self._pictures)
        text.addWidget(self._reason)
        text.addWidget(self._action)

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
        self.move_buttons: dict[int, KeyButton] = {}
        for step, title in ((-1, "Previous"), (1, "Next")):
            button = KeyButton(title, MOVE_KEYS[step], palette)
            button.clicked.connect(lambda _=False, s=step: self.moved.emit(s))
            self._gate.add(
                button,
                f"Go to the {title.lower()} proposal without a decision "
                f"[{MOVE_KEYS[step]}]",
            )
            self.move_buttons[step] = button
        self._moves = QWidget()
        column(self._moves, 0).addLayout(row(*self.move_buttons.values()))
        self.refresh_button = QPushButton("Find proposals")
        self.refresh_button.clicked.connect(self.refresh_requested)
        self._gate.add(
            self.refresh_button, "Look for the images that are most worth a decision"
        )

    def _build_progress(self) -> None:
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Decisions")
        self._done_label, self._rate_label = QLabel(), QLabel()
        self._rate_label.setToolTip(f"Over the last {_RATE_OVER} decisions")
        words = QHBoxLayout()
        words.addWidget(self._done_label, 1)
        words.addWidget(self._rate_label)
        self._counts = QWidget()
        layout = column(self._counts, 4)
        layout.addWidget(self._bar)
        layout.addLayout(words)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._frame.setStyleSheet(
            f"QFrame#ProposalCard {{background-color: {palette.foreground};"
            " border-radius: 6px;}"
            "QFrame#ProposalCard QWidget {background-color: transparent;}"
        )
        style_label(self._empty, palette.muted)
        style_label(self._title, palette.muted)
        style_label(self._reason, palette.text, palette.font_size + 3)
        self._action.setStyleSheet(
            f"padding: 0px; color: {palette.text}; font-weight: 600;"
        )
        for label in (self._done_label, self._rate_label):
            style_label(label, palette.muted, palette.font_size)
        self._pictures.set_theme(palette)
        for button in (*self.answer_buttons.values(), *self.move_buttons.values()):
            button.set_theme(palette)
        self._bar.setStyleSheet(
            f"QProgressBar {{background-color: {palette.primary}; border: 0px;"
            " min-height: 4px; max-height: 4px; border-radius: 2px;}"
            f"QProgressBar::chunk {{background-color: {palette.accent};"
            " border-radius: 2px;}"
        )
        self._style_buttons()

    def show_proposal(self, card: ProposalCard | None) -> None:
        """Show a proposal, or that there is none."""
        self._card = card
        self._empty.setVisible(card is None)
        for part in (self._frame, self._answers, self._moves):
            part.setVisible(card is not None)
        for button in self.answer_buttons.values():
            self._gate.block(button, "" if card else NO_PROPOSAL)
        if card is not None:
            self._title.setText(f"{card.position} of {card.count} · {card.title}")
            self._reason.setText(card.reason)
            set_text(self._action, card.action)
            self._pictures.show_pictures(card.thumbnails)
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

    def show_counts(self, done: int, total: int) -> None:
        """Show how many of the proposals have been decided on.

        Parameters
        ----------
        done, total : int
            Decisions and proposals; a `done` that grows also feeds the rate.
        """
        now = self._clock()
        if done < self._done or (self._times and now - self._times[-1] > _PAUSE):
            self._times.clear()
        if done > self._done:
            self._times.append(now)
        self._done = done
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(min(done, total))
        self._done_label.setText(f"{done:,} of {total:,} decided")
        rate = self.decisions_per_minute
        self._rate_label.setText("" if rate is None else f"{rate:.0f} per minute")
        self._counts.setVisible(total > 0)

    @property
    def decisions_per_minute(self) -> float | None:
        """How fast the last decisions came; None while there are fewer than three."""
        if len(self._times) < 3 or self._times[-1] <= self._times[0]:
            return None
        return 60 * (len(self._times) - 1) / (self._times[-1] - self._times[0])

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
        for button in (*self.answer_buttons.values(), *self.move_buttons.values()):
            if plain and event.text().upper() == button.key and button.isEnabled():
                button.click()
                return
        super().keyPressEvent(event)

    def _style_buttons(self) -> None:
        """Emphasise the one button that is most likely to be wanted."""
        primary = self._palette.primary_button
        self.answer_buttons[YES].setStyleSheet(primary if self._card else "")
        self.refresh_button.setStyleSheet("" if self._card else primary)


class _Pictures(QWidget):
    """The images of a proposal in rows; a single one is shown larger."""

    _GAP = 4
    _MOST_ROWS = 2

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] = np.empty((0, 1, 1, 3), np.uint8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Images of the proposal")
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        self._palette = palette
        apply_font(self, palette)
        self._fit()

    def show_pictures(self, thumbnails: NDArray[np.uint8] | None) -> None:
        count = 0 if thumbnails is None else len(thumbnails)
        if thumbnails is not None:
            self._thumbnails = thumbnails
        self.setVisible(count > 0)
        self._fit()

    def _side(self) -> int:
        lines = 5.0 if len(self._thumbnails) == 1 else 2.6
        return round(lines * self.fontMetrics().height())

    def _per_row(self) -> int:
        return max(1, (self.width() + self._GAP) // (self._side() + self._GAP))

    def _fit(self) -> None:
        rows = min(-(-len(self._thumbnails) // self._per_row()), self._MOST_ROWS)
        self.setFixedHeight(max(rows, 1) * (self._side() + self._GAP) - self._GAP)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(5 * self._side(), self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._side(), self.height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side, per_row = self._side(), self._per_row()
        room = per_row * self._MOST_ROWS
        hidden = max(0, len(self._thumbnails) - room)
        shown = room - 1 if hidden else len(self._thumbnails)
        pitch = side + self._GAP
        for place, thumbnail in enumerate(self._thumbnails[:shown]):
            line, at = divmod(place, per_row)
            pixmap = rounded_pixmap(thumbnail, side, 4, self.devicePixelRatioF())
            painter.drawPixmap(QPointF(at * pitch, line * pitch), pixmap)
        if hidden:
            painter.setPen(to_qcolor(self._palette.muted))
            line, at = divmod(shown, per_row)
            painter.drawText(
                at * pitch, line * pitch, side, side,
                Qt.AlignmentFlag.AlignCenter, f"+{hidden + 1}",
            )  # fmt: skip
