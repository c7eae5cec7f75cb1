"""The popup that asks, where images are dropped, what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, SignalInstance
from qtpy.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QDialog,
    QLineEdit,
    QPushButton,
    QShortcut,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.editing.edits import Intent, named
from napari_spaceediting.editing.places import LOW_SUPPORT
from napari_spaceediting.plugin.map.between import Between
from napari_spaceediting.plugin.map.stamps import dot
from napari_spaceediting.plugin.widgets.controls import (
    dress,
    literal,
    row,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette, class_colours

_GOOD_SUPPORT = 0.6
_CHANGE_TIP = (
    "See step by step what would make them of this class to the network; nothing is "
    "decided meanwhile (Alt+W)"
)
_ROWS_IN_VIEW = 10
_STABLE_UP_TO = 9
_MARGIN = 10
_KEY, _NAME, _SHARE = range(3)
"""Columns of the options."""
_TAG = Qt.ItemDataRole.UserRole
_PART = ": "
"""Between the name of a class and that of a part of it."""


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
        self.colours: NDArray[np.float32] | None = None
        """Of the classes, (C or more, 4); the usual ones for None."""
        self._classes: Sequence[str] = ()
        self._keys: Sequence[str] = ()
        self._votes: NDArray[np.floating] = np.empty(0)
        self._none, self._own, self._within = "", "", ""
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
        self._build_options()
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
        self.between = Between()
        self.between.changed.connect(self._update)
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

        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.setSpacing(6)
        self._intents = QWidget()
        intents = row(self.belongs_button, self.arrange_button)
        intents.setContentsMargins(0, 0, 0, 0)
        self._intents.setLayout(intents)
        layout.addWidget(self._title)
        layout.addWidget(self._mixture)
        layout.addWidget(self._support)
        layout.addWidget(self._intents)
        layout.addWidget(self._text)
        layout.addWidget(self._options)
        layout.addWidget(self.between)
        layout.addWidget(self.change_button)
        ends = row(self.cancel_button, self.confirm_button, stretch=(0, 1))
        layout.addLayout(ends)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)
        self.confirm_button.setDefault(True)
        for keys, button in (
            ("Alt+B", self.belongs_button),
            ("Alt+A", self.arrange_button),
            ("Alt+T", self.between.button),
            ("Alt+W", self.change_button),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(
                lambda button=button: button.click() if button.isVisible() else None
            )

    def _build_options(self) -> None:
        self._options = options = QTableWidget(0, 3)
        options.setAccessibleName("Classes")
        set_role(options, "choices")
        options.setToolTip(
            "Click a class to choose it, double-click to confirm at once"
        )
        options.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        options.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        options.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        options.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        options.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        options.setVerticalScrollMode(QTableWidget.ScrollMode.ScrollPerPixel)
        options.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        options.setShowGrid(False)
        options.verticalHeader().hide()
        options.horizontalHeader().hide()
        options.horizontalHeader().setStretchLastSection(True)
        options.currentCellChanged.connect(self._choose_class)
        options.doubleClicked.connect(lambda: self._answer(self.confirmed))

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._muted = QColor(palette.muted)
        dress(self, palette)
        self.setStyleSheet(palette.window_sheet + self.styleSheet())
        em = self._options.fontMetrics().height()
        self._options.verticalHeader().setDefaultSectionSize(round(1.6 * em))
        self._options.setColumnWidth(_KEY, round(1.6 * em))
        self.setFixedWidth(21 * em)

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
        whole = own.partition(_PART)[0]
        self._within = f"{whole}{_PART}" if is_part else ""
        within = [name.startswith(self._within) for name in classes]
        self._classes, self._votes = classes, np.where(within, votes, 0)
        self._keys = ["" if key.isalpha() else key for key in keys]
        self._none, self._own = none, own
        if suggested:
            self._votes[classes.index(suggested)] += 2
        self._shares = np.where(within, votes, 0)
        self._title.setText(title)
        set_text(self._mixture, mixture)
        self._intents.setVisible(is_move)
        self._show_support(support)
        self._text.clear()
        self.between.forget()
        self.belongs_button.setChecked(True)
        self._fill("")
        if self._votes.any():
            self._choose(self._tags().index(classes[int(self._votes.argmax())]))
        self._choose_class()

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
        at = self._options.currentRow()
        if at < 0:
            return None
        return ClassChoice(self._tags()[at], Intent.BELONGS, self.between.also)

    # Rows

    def _fill(self, text: str) -> None:
        """List a new class of that name, and the classes that hold the text.

        Few classes keep their places; many are sorted by votes.
        """
        classes, name, within = self._classes, text.strip(), self._within
        wanted = name.casefold()
        order = list(range(len(classes)))
        if len(order) > _STABLE_UP_TO:
            order.sort(key=lambda i: -self._votes[i])
        keys = dict(enumerate("" if name else key for key in self._keys))
        names = {i: classes[i].removeprefix(within).casefold() for i in order}
        order = [i for i in order if classes[i].startswith(within)]
        order = [i for i in order if wanted in names[i]]
        exact = [n for n, i in enumerate(order) if names[i] == wanted]
        self._options.setRowCount(0)
        self._options.clearSpans()
        if name and not exact and not within:
            self._add(f"New class “{name}”", name)
        if name and not exact and self._own:
            tag = f"{self._own.partition(_PART)[0]}{_PART}{name}"
            self._add(f"New part “{tag}”", tag)
        for at in order:
            self._add_class(at, keys.get(at, ""))
        if not name and self._none:
            free = "" if "0" in keys.values() else "0"
            self._add(self._none, None, free)
        self._choose(exact[0] if exact else 0 if name else -1)
        if not name:
            # While the user types, the popup keeps its height.
            # A stylesheet may give the list some padding.
            shown = min(max(self._options.rowCount(), 1), _ROWS_IN_VIEW)
            height = self._options.verticalHeader().defaultSectionSize()
            self._options.setFixedHeight(shown * height + 4)
        self._choose_class()

    def _add(self, text: str, tag: str | None, key: str = "") -> QTableWidgetItem:
        """Add an option, which takes a row to its end."""
        options, at = self._options, self._options.rowCount()
        options.insertRow(at)
        options.setSpan(at, _NAME, 1, 2)
        caps, name = QTableWidgetItem(key), QTableWidgetItem(text)
        caps.setForeground(self._muted)
        caps.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        name.setData(_TAG, tag)
        name.setToolTip(text)
        options.setItem(at, _KEY, caps)
        options.setItem(at, _NAME, name)
        return name

    def _add_class(self, number: int, key: str) -> None:
        """Add a class with its colour, and its share as a bar and a figure."""
        options, metrics = self._options, self._options.fontMetrics()
        em, ratio = metrics.height(), self.devicePixelRatioF()
        name = self._add(self._classes[number], self._classes[number], key)
        colours = self.colours
        if colours is None:
            colours = class_colours(len(self._classes))
        colour = colours[number].tolist()
        name.setIcon(dot(colour, 0.35 * em, ratio))
        # One width for all names, so that the bars start on one line.
        room = self.width() - 2 * _MARGIN - options.columnWidth(_KEY)
        longest = max(map(metrics.horizontalAdvance, self._classes)) + 2 * em
        figures = metrics.horizontalAdvance("100%") + em
        options.setColumnWidth(_NAME, min(longest, room - figures - 2 * em))
        share = float(self._shares[number])
        if share >= 0.005:
            options.setSpan(options.rowCount() - 1, _NAME, 1, 1)
            room -= options.columnWidth(_NAME) + figures
            bar = QPixmap(max(round(room * min(share, 1.0)), 2), round(0.34 * em))
            bar.fill(self._muted)
            figure = QTableWidgetItem(f"{share:.0%}")
            figure.setTextAlignment(
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
            figure.setForeground(self._muted)
            figure.setData(Qt.ItemDataRole.DecorationRole, bar)
            options.setItem(options.rowCount() - 1, _SHARE, figure)

    def _tags(self) -> list[str | None]:
        rows = range(self._options.rowCount())
        return [self._options.item(at, _NAME).data(_TAG) for at in rows]

    def _choose(self, at: int) -> None:
        self._options.setCurrentCell(at, _NAME)

    def _on_intent(self) -> None:
        arranged = self.arrange_button.isChecked()
        self._options.setEnabled(not arranged)
        self._text.setReadOnly(arranged)
        self._choose_class()

    def _choose_class(self) -> None:
        """Offer the classes that are left beside the one that is chosen."""
        at = -1 if self.arrange_button.isChecked() else self._options.currentRow()
        tag = self._tags()[at] if at >= 0 else None
        self.between.offer(tag, self._classes, self._votes)
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
        key, options = event.key(), self._options
        if self.arrange_button.isChecked():
            return False
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            at = options.currentRow() + (1 if key == Qt.Key.Key_Down else -1)
            self._choose(min(max(at, 0), options.rowCount() - 1))
        elif not self._text.text() and event.text():
            rows = range(options.rowCount())
            keys = [options.item(at, _KEY).text() for at in rows]
            if event.text() not in keys:
                return False
            self._choose(keys.index(event.text()))
        else:
            return False
        return True

    def _answer(self, signal: SignalInstance) -> None:
        choice = self.choice
        if choice is not None and self.isVisible():
            self.hide()
            signal.emit(choice)
