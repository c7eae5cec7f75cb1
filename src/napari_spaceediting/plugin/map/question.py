"""The popup that asks, where images are dropped, what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, SignalInstance
from qtpy.QtGui import QGuiApplication, QHideEvent, QKeyEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.editing.edits import Intent
from napari_spaceediting.editing.places import LOW_SUPPORT
from napari_spaceediting.plugin.map.options import Option, OptionList
from napari_spaceediting.plugin.widgets.controls import row, style_label
from napari_spaceediting.plugin.widgets.palette import Palette, class_colours

_GOOD_SUPPORT = 0.6
_CHANGE_TIP = (
    "See step by step what would make them of this class to the network; nothing is "
    "decided meanwhile (Alt+W)"
)
_ROWS_IN_VIEW = 10
_STABLE_UP_TO = 9


@dataclass(frozen=True, eq=False)
class Question:
    """What the picker asks: which of the classes images at a place are.

    Parameters
    ----------
    title : str
        Such as "Move 12 images: these are …".
    classes : tuple of str
        C names.
    votes : (C,) float array
        Share of each class among the images around the place, 0 to 1; the class with
        most of them is suggested.
    support : float
        How well real images surround the place, 0 to 1.
    allow_none : bool
        Whether "no class" is an answer.
    own : str
        The class that all of the images have, or seem to have, now; "" if there is no
        such class.
    """

    title: str
    classes: tuple[str, ...]
    votes: NDArray[np.floating] = field(repr=False)
    support: float
    allow_none: bool = True
    own: str = ""

    @property
    def suggested(self) -> str | None:
        """The class to be chosen beforehand; None where none is voted for."""
        votes = self.votes
        return self.classes[int(votes.argmax())] if votes.any() else None


@dataclass(frozen=True)
class ClassChoice:
    """What the user answered.

    Parameters
    ----------
    tag : str or None
        Name of the class, which may be new; None if no class was named.
    intent : Intent
        What the move says.
    """

    tag: str | None
    intent: Intent


class ClassPicker(QFrame):
    """A popup that asks for the class and the intent of a move.

    Everything can be done by keyboard: 1 to 9 or the arrows choose a class, text
    filters or names a new one, Alt+B and Alt+A set the intent, Alt+W asks what would
    change, Enter confirms, Escape drops the move.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    confirmed = Signal(object)
    """A `ClassChoice`."""
    dismissed = Signal()
    """The popup went away without an answer."""
    change_requested = Signal(object)
    """A `ClassChoice`: show what would change first; the question is put off."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("ClassPicker")
        self.setAccessibleName("Class of the moved images")
        self._question = Question("", (), np.empty(0), 0.0)
        self._answered = True
        self._title = QLabel()
        self._title.setWordWrap(True)
        self._support = QLabel()
        self._support.setWordWrap(True)
        self._support.setToolTip(
            "Support says how well real images surround the place, from 0 to 1"
        )
        self._text = QLineEdit()
        self._text.setPlaceholderText("Type to filter or to name a new class")
        self._text.setToolTip("Filter the classes, or name a class that is not there")
        self._text.setAccessibleName("Class")
        self._text.setTextMargins(4, 0, 4, 0)
        self._text.textChanged.connect(self._fill)
        self._text.installEventFilter(self)
        self._options = OptionList(palette, self)
        self._options.currentRowChanged.connect(self._update)
        self._options.doubleClicked.connect(self._confirm)

        self.belongs_button = QPushButton("Belongs here")
        self.belongs_button.setToolTip(
            "They are one of these: the class and the neighbours count (Alt+B)"
        )
        self.arrange_button = QPushButton("Arrange only")
        self.arrange_button.setToolTip(
            "Keep the distances that you laid out; no class is given (Alt+A)"
        )
        group = QButtonGroup(self)
        for button in (self.belongs_button, self.arrange_button):
            button.setCheckable(True)
            group.addButton(button)
            button.toggled.connect(self._on_intent)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Put the images back where they were (Escape)")
        self.cancel_button.clicked.connect(self.close)
        self.cancel_button.setMinimumWidth(5 * self.fontMetrics().height())
        self.change_button = QPushButton("Show what would change…")
        self.change_button.clicked.connect(lambda: self._answer(self.change_requested))
        self.confirm_button = QPushButton()
        self.confirm_button.setToolTip("Make this edit (Enter)")
        self.confirm_button.clicked.connect(self._confirm)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(self._title)
        layout.addWidget(self._support)
        layout.addLayout(row(self.belongs_button, self.arrange_button))
        layout.addWidget(self._text)
        layout.addWidget(self._options)
        layout.addWidget(self.change_button)
        ends = row(self.cancel_button, self.confirm_button, stretch=(0, 1))
        layout.addLayout(ends)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._options.set_theme(palette)
        self.setStyleSheet(
            palette.window_sheet
            + f"#ClassPicker {{background-color: {palette.background};"
            f" border: 1px solid {palette.secondary};}}"
        )
        self._title.setStyleSheet(
            f"padding: 0px; font-weight: 600; font-size: {palette.font_size * 1.1}pt;"
        )
        self.confirm_button.setStyleSheet(palette.primary_button)
        self.change_button.setStyleSheet(palette.link_button)
        self.setFixedWidth(21 * self._options.fontMetrics().height())

    def ask(self, question: Question) -> None:
        """Put a question; `open_at` shows it."""
        self._question = question
        self._answered = False
        self._title.setText(question.title)
        if question.support < LOW_SUPPORT:
            text = "Few images near this place: the edit will weigh little."
            style_label(self._support, self._palette.warning_text)
        else:
            words = "Well" if question.support >= _GOOD_SUPPORT else "Partly"
            text = f"{words} surrounded (support {question.support:.2f})."
            style_label(self._support, self._palette.muted)
        self._support.setText(text)
        self._text.clear()
        self._fill("")
        if question.suggested is not None:
            tags = [option.tag for option in self._options.rows]
            self._options.setCurrentRow(tags.index(question.suggested))
        self.belongs_button.setChecked(True)
        self._update()

    def open_at(self, place: QPoint) -> None:
        """Show the question near a global position, within its screen."""
        self.setFixedHeight(self.layout().totalHeightForWidth(self.width()))
        screen = QGuiApplication.screenAt(place) or QGuiApplication.primaryScreen()
        area: QRect = screen.availableGeometry()
        size = self.size()
        x = min(place.x() + 12, area.right() - size.width())
        y = min(place.y() + 12, area.bottom() - size.height())
        self.move(max(area.left(), x), max(area.top(), y))
        self.show()
        self._text.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def choice(self) -> ClassChoice | None:
        """What Enter would confirm now; None if nothing is chosen."""
        if self.arrange_button.isChecked():
            return ClassChoice(None, Intent.ARRANGE)
        at = self._options.currentRow()
        if at < 0:
            return None
        return ClassChoice(self._options.rows[at].tag, Intent.BELONGS)

    # Rows

    def _fill(self, text: str) -> None:
        """List the classes that hold the text, and a new one of that name.

        Few classes keep their places, so that their keys do; many are sorted by votes.
        """
        question, name = self._question, text.strip()
        wanted = name.casefold()
        order = list(range(len(question.classes)))
        if len(order) > _STABLE_UP_TO:
            order.sort(key=lambda i: -question.votes[i])
        keys: dict[int, str] = {}
        if not name:
            # Classes that are named 0 to 9 have their own names as keys.
            digits = {
                i: c for i, c in enumerate(question.classes) if c in set("0123456789")
            }
            keys = digits or {i: str(n + 1) for n, i in enumerate(order[:9])}
        colours = class_colours(len(order)).tolist()
        rows = [
            Option(
                question.classes[i],
                question.classes[i],
                keys.get(i, ""),
                float(question.votes[i]),
                colours[i],
            )
            for i in order
            if wanted in question.classes[i].casefold()
        ]
        exact = [i for i, row in enumerate(rows) if row.text.casefold() == wanted]
        if name and not exact:
            rows.append(Option(f"New class “{name}”", name))
        if not name and question.allow_none:
            free = "" if "0" in keys.values() else "0"
            rows.append(Option("No class, only move", None, free))
        self._options.set_rows(rows)
        self._options.setCurrentRow(exact[0] if exact else 0 if name else -1)
        if not name:
            # While the user types, the popup keeps its height.
            # A stylesheet may give the list some padding.
            shown = min(max(len(rows), 1), _ROWS_IN_VIEW)
            self._options.setFixedHeight(shown * self._options.row_size().height() + 4)
        self._update()

    def _on_intent(self) -> None:
        arranged = self.arrange_button.isChecked()
        self._options.setEnabled(not arranged)
        self._text.setReadOnly(arranged)
        self._update()

    def _update(self) -> None:
        choice = self.choice
        if choice is None:
            text = "Choose a class"
        elif choice.intent is Intent.ARRANGE:
            text = "Arrange"
        elif choice.tag is None:
            text = "Move without a class"
        else:
            text = f"These are: {choice.tag}"
        room = self.width() - 10 * self.fontMetrics().height()
        self.confirm_button.setText(
            self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        )
        self.confirm_button.setEnabled(choice is not None)
        reason, own = "", self._question.own
        if choice is None or choice.tag not in self._question.classes:
            reason = "Choose one of the classes first"
        elif choice.tag == own:
            reason = f"They are {own} already"
        self.change_button.setEnabled(not reason)
        self.change_button.setToolTip(reason or _CHANGE_TIP)

    # Keys and answers

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Let the text field pass on the keys that choose."""
        if (
            watched is self._text
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and self._take_key(event)
        ):
            return True
        return bool(super().eventFilter(watched, event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take the same keys while a button has the focus."""
        if event is not None and not self._take_key(event):
            super().keyPressEvent(event)

    def _take_key(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers()
        if key == Qt.Key.Key_Escape:
            self.close()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._confirm()
        elif modifiers & Qt.KeyboardModifier.AltModifier:
            buttons = {
                Qt.Key.Key_B: self.belongs_button,
                Qt.Key.Key_A: self.arrange_button,
                Qt.Key.Key_W: self.change_button,
            }
            button = buttons.get(Qt.Key(key))
            if button is None:
                return False
            button.click()
        elif self.arrange_button.isChecked():
            return False
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            row = self._options.currentRow() + (1 if key == Qt.Key.Key_Down else -1)
            last = self._options.count() - 1
            self._options.setCurrentRow(min(max(row, 0), last))
        elif not self._text.text() and event.text():
            keys = [option.key for option in self._options.rows]
            if event.text() not in keys:
                return False
            self._options.setCurrentRow(keys.index(event.text()))
        else:
            return False
        return True

    def _confirm(self) -> None:
        self._answer(self.confirmed)

    def _answer(self, signal: SignalInstance) -> None:
        choice = self.choice
        if choice is not None and not self._answered:
            self._answered = True
            self.close()
            signal.emit(choice)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Tell that the question was left unanswered."""
        super().hideEvent(event)
        if not self._answered:
            self._answered = True
            self.dismissed.emit()
