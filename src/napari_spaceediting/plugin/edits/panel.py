"""The edits so far, and what can be done to the selected images."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Panel,
    column,
    row,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.wording import counted

NOTHING_TO_PLAY = "There are no edits to play"
NOTHING_SELECTED = "Select images on the map or in the gallery first"
EMPTY_TEXT = (
    "No edits yet. Drag images to where they belong on the map, or pin images that "
    "lie right."
)
_ROWS_IN_VIEW = 6


class EditsPanel(Panel):
    """What to do with the selection, above the list of edits."""

    def __init__(self) -> None:
        super().__init__()
        self._selection = word_label("muted")
        self.list = EditList()
        self._empty = word_label("muted", EMPTY_TEXT)
        self.contradiction = Notice(
            "warning",
            "Select what is meant, to take one of the two edits back or to change it",
        )
        self.agreement = Notice(
            "muted", "Select the images that people have named otherwise"
        )
        self.summary = word_label("muted")
        layout = column(self, TIGHT)
        layout.addWidget(self._selection)
        self._build_selected(layout)
        layout.addSpacing(TIGHT)
        layout.addWidget(self.contradiction)
        layout.addWidget(self.agreement)
        self._build_history(layout)
        layout.addWidget(self._empty)
        layout.addWidget(self.list)
        self._build_axis(layout)
        self.reset_button = self.gate.button(
            "Reset all", "Take all edits back; this can be undone"
        )
        layout.addLayout(row(self.summary, self.reset_button, stretch=(2, 1)))
        self.set_rows([])
        self.set_history("", "")
        self.gate.block(self.replay_button, NOTHING_TO_PLAY)
        self.offer_axis(False)
        self.show_verdict("")
        self.set_selection(0)

    def _build_selected(self, layout: QVBoxLayout) -> None:
        """Add what can be done to the selected images."""
        self.pin_button = self.gate.button(
            "Pin…",
            "These images lie where they belong: say which class they have there",
        )
        self.relabel_button = self.gate.button(
            "Relabel…", "Give these images another class, or none, wherever they lie"
        )
        self.part_button = self.gate.button(
            "Name this part…",
            "Give these images of one class a class of their own, such as “Coat: "
            "hooded”: what a place within a class means, only a name teaches",
        )
        self.reject_button = self.gate.button("Reject", "")
        self.reset_selected_button = self.gate.button(
            "Reset",
            "Put the selected images back to where they were, with the class they had",
        )
        layout.addLayout(
            row(self.pin_button, self.relabel_button, self.reset_selected_button)
        )
        layout.addLayout(row(self.part_button, self.reject_button, stretch=(2, 1)))

    def _build_history(self, layout: QVBoxLayout) -> None:
        self.undo_button = self.gate.button("Undo", "")
        self.redo_button = self.gate.button("Redo", "")
        self.replay_button = self.gate.button(
            "Replay",
            "Show on the map how it came about, one edit after the other; changes "
            "nothing",
        )
        self.replay_button.setCheckable(True)
        layout.addLayout(row(self.undo_button, self.redo_button, self.replay_button))

    def _build_axis(self, layout: QVBoxLayout) -> None:
        """Add what finds out by what images are arranged."""
        self.axis_name = QLineEdit()
        self.axis_name.setPlaceholderText("Arranged by, such as angle")
        self.axis_name.setAccessibleName("Name of the axis")
        self.axis_button = self.gate.button(
            "Make an axis",
            "Find out whether the arranged images show what they are arranged by; if "
            "they do, every image gets a value, and the classes stay as they are",
        )
        self.axis_name.returnPressed.connect(self.axis_button.click)
        self._axis_verdict = word_label("muted")
        layout.addLayout(row(self.axis_name, self.axis_button, stretch=(3, 2)))
        layout.addWidget(self._axis_verdict)

    def set_rows(self, rows: Sequence[tuple[str, bool]]) -> None:
        """List the edits, the oldest first.

        Parameters
        ----------
        rows : sequence of (str, bool)
            What each edit did, and whether it stands.
        """
        self.list.show_rows(rows)
        self._empty.setVisible(not rows)
        standing = any(stands for _, stands in rows)
        self.gate.block(
            self.reset_button, "" if standing else "There are no edits to take back"
        )
        self.reset_button.setVisible(bool(rows))

    def offer_axis(self, any_arranged: bool, reason: str = "") -> None:
        """Offer to make an axis of arranged images, or say why that has to wait."""
        self.axis_name.setVisible(any_arranged)
        self.axis_button.setVisible(any_arranged)
        self.gate.block(self.axis_button, reason)

    def show_verdict(self, text: str, *, holds: bool = True) -> None:
        """Say how well an axis holds; "" for nothing."""
        set_role(self._axis_verdict, "muted" if holds else "warning")
        set_text(self._axis_verdict, text)

    def set_replaying(self, is_replaying: bool) -> None:
        """Show whether the edits are played; emits nothing."""
        self.replay_button.setChecked(is_replaying)
        self.replay_button.setText("Stop" if is_replaying else "Replay")
        if not is_replaying:
            self.list.setCurrentRow(-1)

    def set_history(self, undo: str, redo: str) -> None:
        """Name what can be undone and redone; "" where there is nothing."""
        for button, verb, what in (
            (self.undo_button, "Undo", undo),
            (self.redo_button, "Redo", redo),
        ):
            self.gate.add(button, f"{verb}: {what}" if what else f"{verb} an edit")
            reason = "" if what else f"There is nothing to {verb.lower()}"
            self.gate.block(button, reason)

    def set_selection(
        self,
        n_selected: int,
        reason: str = "",
        *,
        pin_reason: str = "",
        are_rejected: bool = False,
    ) -> None:
        """Show how many images are selected.

        Parameters
        ----------
        n_selected : int
            Selected images.
        reason : str
            Why they cannot be edited at all; "" if they can.
        pin_reason : str
            Why they cannot be pinned though relabelled, as held-out images.
        are_rejected : bool
            Whether all of them are taken out.
        """
        self.reject_button.setText("Restore" if are_rejected else "Reject")
        self.gate.add(
            self.reject_button,
            "Take these images in again, with the class that they had"
            if are_rejected
            else "Take these images out of training, map and evidence, as debris or "
            "blurred ones",
        )
        selected = f"{counted(n_selected, 'image')} selected"
        self._selection.setText(selected if n_selected else "No selection")
        blocked = reason if n_selected else NOTHING_SELECTED
        self.gate.block(self.pin_button, blocked or pin_reason)
        for button in (
            self.relabel_button,
            self.part_button,
            self.reject_button,
            self.reset_selected_button,
        ):
            self.gate.block(button, blocked)


class Notice(QWidget):
    """A sentence, and a button that shows the images that it is about.

    Parameters
    ----------
    role : str
        How the sentence looks.
    tip : str
        Tooltip of the button.
    """

    def __init__(self, role: str, tip: str) -> None:
        super().__init__()
        self.label = word_label(role)
        self.button = QPushButton("Show")
        self.button.setToolTip(tip)
        layout = row(self.label, self.button, stretch=(1, 0))
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        self.show_text("")

    def show_text(self, text: str, *, has_images: bool = True) -> None:
        """Say something, with the button where it is about images; "" for nothing."""
        self.label.setText(text)
        self.setVisible(bool(text))
        self.button.setVisible(has_images)


class EditList(QListWidget):
    """The edits in the order in which they were made, by mouse and by keys."""

    chosen = Signal(int)
    """Row whose images are to be shown."""
    deleted = Signal(int)
    """Row of the edit to be taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Edits")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.clicked.connect(lambda at: self.chosen.emit(at.row()))
        take_out = self.addAction("Take out\tDel")
        take_out.triggered.connect(lambda: self.deleted.emit(self.currentRow()))
        set_role(self, "rows")

    def show_rows(self, rows: Sequence[tuple[str, bool]]) -> None:
        """List edits, and show the last ones."""
        height = round(1.6 * self.fontMetrics().height())
        self.clear()
        for text, stands in rows:
            item = QListWidgetItem(text, self)
            item.setSizeHint(QSize(1, height))
            font = self.font()
            font.setStrikeOut(not stands)
            item.setFont(font)
            item.setToolTip(
                f"{text}{'' if stands else ' (undone)'}\n"
                "Click to show its images; Delete, or its menu, to take it out"
            )
        self.setVisible(bool(rows))
        self.setFixedHeight(min(len(rows), _ROWS_IN_VIEW) * height + 4)
        self.scrollToBottom()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Show the images of an edit with Enter, take it out with Delete."""
        at = self.currentRow()
        if event is None or at < 0:
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.deleted.emit(at)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(at)
        else:
            super().keyPressEvent(event)
