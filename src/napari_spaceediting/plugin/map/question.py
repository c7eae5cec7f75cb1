"""The popup that asks, where images are dropped, what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, SignalInstance
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QDialog,
    QLineEdit,
    QPushButton,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.editing.image_edits import Intent, named
from napari_spaceediting.editing.places import LOW_SUPPORT
from napari_spaceediting.plugin.map.between import Between
from napari_spaceediting.plugin.map.options import MARGIN, ClassOptions
from napari_spaceediting.plugin.widgets.controls import (
    dress,
    literal,
    row,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

_GOOD_SUPPORT = 0.6
_CHANGE_TIP = (
    "See step by step what would make them of this class to the network; nothing is "
    "decided meanwhile (Alt+W)"
)


@dataclass(frozen=True)
class ClassChoice:
    """What the user answered.

    Parameters
    ----------
    tag : str or None
        Name of the class, which may be new; None if no class was named.
    intent : Intent
        What the move says.
    also : mapping of str to float
        A second class with its share, if they are between two.
    """

    tag: str | None
    intent: Intent
    also: Mapping[str, float] = field(default_factory=dict)


class ClassPicker(QDialog):
    """A popup that asks for the class and the intent of a move.

    Everything can be done by keyboard: keys of classes that are no letters, or the
    arrows, choose a class, text names a new one or, with the arrows, filters, Alt+B
    and Alt+A set the intent of a move, Alt+T asks for a second class, Alt+W what would
    change, Enter confirms, Escape drops the move. It is `rejected` when it goes away
    without an answer.
    """

    confirmed = Signal(object)
    """A `ClassChoice`."""
    change_requested = Signal(object)
    """A `ClassChoice`: show what would change first; the question is put off."""

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Popup)
        set_role(self, "question")
        self.setAccessibleName("Class of the moved images")
        self._classes: Sequence[str] = ()
        self._none = self._own = ""
        self._title = word_label("strong")
        self._mixture = word_label("warning")
        self._support = word_label()
        self._support.setToolTip(
            "Support says how well real images surround the place, from 0 to 1"
        )
        self._text = QLineEdit()
        self._text.setPlaceholderText("Type a name, or choose below")
        self._text.setToolTip(
            "Enter takes the name as it is typed; the arrows go to a class like it"
        )
        self._text.setAccessibleName("Class")
        self._text.setTextMargins(4, 0, 4, 0)
        self._text.textChanged.connect(self._fill)
        self._text.installEventFilter(self)
        self.options = ClassOptions()
        self.options.currentCellChanged.connect(self._choose_class)
        self.options.doubleClicked.connect(lambda: self._answer(self.confirmed))
        self.between = Between()
        self.between.changed.connect(self._update)
        self._build_intents()
        self._build_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(6)
        for part in (
            self._title,
            self._mixture,
            self._support,
            self._intents,
            self._text,
            self.options,
            self.between,
            self.change_button,
        ):
            layout.addWidget(part)
        ends = row(self.cancel_button, self.confirm_button, stretch=(0, 1))
        layout.addLayout(ends)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)
        self.confirm_button.setDefault(True)

    def _build_intents(self) -> None:
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
        self.arrange_button.toggled.connect(self._on_intent)
        self._intents = QWidget()
        intents = row(self.belongs_button, self.arrange_button)
        intents.setContentsMargins(0, 0, 0, 0)
        self._intents.setLayout(intents)

    def _build_buttons(self) -> None:
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Put the images back where they were (Escape)")
        self.cancel_button.clicked.connect(self.reject)
        self.cancel_button.setMinimumWidth(5 * self.fontMetrics().height())
        self.change_button = QPushButton("Show what would change…")
        self.change_button.clicked.connect(lambda: self._answer(self.change_requested))
        set_role(self.change_button, "link")
        self.confirm_button = QPushButton()
        set_role(self.confirm_button, "primary")
        self.confirm_button.setToolTip("Make this edit (Enter)")
        self.confirm_button.clicked.connect(lambda: self._answer(self.confirmed))
        for keys, button in (
            ("Alt+B", self.belongs_button),
            ("Alt+A", self.arrange_button),
            ("Alt+T", self.between.button),
            ("Alt+W", self.change_button),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(
                lambda button=button: button.click() if button.isVisible() else None
            )

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)
        self.setStyleSheet(palette.window_sheet + self.styleSheet())
        self.options.set_theme(palette)
        self.setFixedWidth(21 * self.options.fontMetrics().height())

    def ask(
        self,
        title: str,
        classes: Sequence[str],
        votes: NDArray[np.floating],
        support: float | None,
        *,
        keys: Sequence[str],
        none: str = "",
        own: str = "",
        suggested: str = "",
        mixture: str = "",
        is_move: bool = False,
        is_part: bool = False,
    ) -> None:
        """Ask which of the classes images at a place are; `open_at` shows it.

        Parameters
        ----------
        title : str
            Such as "Move 12 images: these are …".
        classes : sequence of str
            C names.
        votes : (C,) float array
            Share of each class among the images around the place, 0 to 1; the class
            with most of them is suggested, unless one is `suggested`.
        support : float or None
            How well real images surround the place, 0 to 1; None where no place counts.
        keys : sequence of str
            The key of each class, "" for none. Letters are left to the text.
        none : str
            What no class means, as an answer; "" where it is none.
        own : str
            The class that all of the images have, or seem to have, now; "" if there
            is no such class.
        suggested : str
            The class that comes first; "" for the one with most votes.
        mixture : str
            Of what the images are, where they are of several classes; else "".
        is_move : bool
            Whether they may also be arranged only.
        is_part : bool
            Whether only parts of that class are answers, there or new.
        """
        self._classes, self._none, self._own = classes, none, own
        self.options.take(
            classes,
            votes,
            keys,
            none=none,
            own=own,
            suggested=suggested,
            is_part=is_part,
        )
        self._title.setText(title)
        set_text(self._mixture, mixture)
        self._intents.setVisible(is_move)
        self._show_support(support)
        self._text.clear()
        self.between.forget()
        self.belongs_button.setChecked(True)
        self._on_intent(False)

    def _show_support(self, support: float | None) -> None:
        self._support.setVisible(support is not None)
        if support is None:
            return
        if support < LOW_SUPPORT:
            role = "warning"
            text = "Few images near this place: the edit will weigh little."
        else:
            role = "muted"
            words = "Well" if support >= _GOOD_SUPPORT else "Partly"
            text = f"{words} surrounded (support {support:.2f})."
        set_role(self._support, role)
        self._support.setText(text)

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
        at = self.options.currentRow()
        if at < 0:
            return None
        return ClassChoice(self.options.tags[at], Intent.BELONGS, self.between.also)

    # What is chosen

    def _fill(self, text: str) -> None:
        self.options.fill(text)
        self._choose_class()

    def _on_intent(self, arranged: bool) -> None:
        self.options.setEnabled(not arranged)
        self._text.setReadOnly(arranged)
        text = self._text.text()
        self.options.fill(text)
        if arranged:
            self.options.choose(-1)
        elif not text:
            self.options.choose_most()
        self._choose_class()

    def _choose_class(self) -> None:
        """Offer the classes that are left beside the one that is chosen."""
        choice = self.choice
        tag = None if choice is None else choice.tag
        self.between.offer(tag, self._classes, self.options.votes)
        self._update()

    def _update(self) -> None:
        choice = self.choice
        if choice is None:
            text = "Choose a class"
        elif choice.intent is Intent.ARRANGE:
            text = "Arrange"
        elif choice.tag is None:
            text = self._none
        elif choice.tag not in self._classes:
            text = f"New class: {choice.tag}"
        else:
            name = named(choice.tag, choice.also)
            text = name if choice.also else f"These are: {name}"
        metrics = self.fontMetrics()
        room = self.width() - 9 * metrics.height()
        if choice is not None and choice.tag and metrics.horizontalAdvance(text) > room:
            text = named(choice.tag, choice.also)
        middle = Qt.TextElideMode.ElideMiddle
        self.confirm_button.setText(literal(metrics.elidedText(text, middle, room)))
        self.confirm_button.setEnabled(choice is not None)
        reason = ""
        if choice is None or choice.tag not in self._classes:
            reason = "Choose one of the classes first"
        elif choice.tag == self._own:
            reason = f"They are {self._own} already"
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
        key = event.key()
        if self.arrange_button.isChecked():
            return False
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.options.step(1 if key == Qt.Key.Key_Down else -1)
            return True
        is_key = bool(event.text()) and not self._text.text()
        return is_key and self.options.choose_by_key(event.text())

    def _answer(self, signal: SignalInstance) -> None:
        choice = self.choice
        if choice is not None and self.isVisible():
            self.hide()
            signal.emit(choice)
