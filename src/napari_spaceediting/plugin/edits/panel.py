"""The edits so far, and what can be done to the selected images."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAbstractItemView, QLabel, QPushButton, QWidget

from napari_spaceediting.plugin.edits.list import EditList, EditRow
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Gate,
    column,
    row,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

NOTHING_TO_PLAY = "There are no edits to play"
NOTHING_SELECTED = "Select images on the map or in the gallery first"
_ROWS_IN_VIEW = 6


class EditsPanel(QWidget):
    """What to do with the selection, above the list of edits.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    undo_requested = Signal()
    redo_requested = Signal()
    reset_requested = Signal()
    """All edits are to be taken back."""
    pin_requested = Signal()
    relabel_requested = Signal()
    reset_selected_requested = Signal()
    jump_requested = Signal(int)
    """Row whose images are to be shown."""
    delete_requested = Signal(int)
    """Row of the edit to be taken out."""
    replay_toggled = Signal(bool)
    """Whether the edits are to be played one after the other."""
    contradiction_requested = Signal()
    """The images of the contradiction that is shown are to be selected."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gate = Gate()
        self._history = ("", "")
        self._closed = ""
        self._selection = QLabel()
        self.pin_button = QPushButton("Pin…")
        self.pin_button.clicked.connect(self.pin_requested)
        self._gate.add(
            self.pin_button,
            "These images lie where they belong: say which class they have there",
        )
        self.relabel_button = QPushButton("Relabel…")
        self.relabel_button.clicked.connect(self.relabel_requested)
        self._gate.add(
            self.relabel_button,
            "Give these images another class, or none, wherever they lie",
        )
        self.reset_selected_button = QPushButton("Reset")
        self.reset_selected_button.clicked.connect(self.reset_selected_requested)
        self._gate.add(
            self.reset_selected_button,
            "Put the selected images back to where they were, with the class they had",
        )
        self.edits = EditList(palette)
        self.edits.undo_requested.connect(self.undo_requested)
        self.edits.redo_requested.connect(self.redo_requested)
        self.edits.jump_requested.connect(self.jump_requested)
        self.edits.delete_requested.connect(self.delete_requested)
        self.edits.replay_toggled.connect(self.replay_toggled)
        self._gate.add(
            self.edits.replay_button,
            "Show on the map how it came about, one edit after the other; changes "
            "nothing",
        )
        self._contradiction = word_label()
        self.contradiction_button = QPushButton("Show")
        self.contradiction_button.setToolTip(
            "Select both images, to take one of the two edits back or to change it"
        )
        self.contradiction_button.clicked.connect(self.contradiction_requested)
        self._summary = word_label()
        self.reset_button = QPushButton("Reset all")
        self.reset_button.clicked.connect(self.reset_requested)
        self._gate.add(self.reset_button, "Take all edits back; this can be undone")

        layout = column(self, TIGHT)
        layout.addWidget(self._selection)
        layout.addLayout(
            row(self.pin_button, self.relabel_button, self.reset_selected_button)
        )
        layout.addSpacing(TIGHT)
        layout.addLayout(
            row(self._contradiction, self.contradiction_button, stretch=(1, 0))
        )
        layout.addWidget(self.edits)
        layout.addLayout(row(self._summary, self.reset_button, stretch=(2, 1)))
        self.set_theme(palette)
        self.set_rows([])
        self.block_replay(NOTHING_TO_PLAY)
        self.show_summary("")
        self.show_contradiction("")
        self.set_selection(0)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.edits.set_theme(palette)
        style_label(self._selection, palette.muted)
        style_label(self._summary, palette.muted)
        style_label(self._contradiction, palette.warning_text)
        self._fit()

    def set_rows(self, rows: Sequence[EditRow]) -> None:
        """List the edits, the oldest first."""
        self.edits.set_rows(rows)
        standing = any(not edit.undone for edit in rows)
        self._gate.block(
            self.reset_button, "" if standing else "There are no edits to take back"
        )
        self.reset_button.setVisible(bool(rows))
        self._fit()

    def show_summary(self, text: str) -> None:
        """Sum the edits up, as "12 edits on 214 images; 3 with little support"."""
        self._summary.setText(text)

    def show_contradiction(self, text: str) -> None:
        """Warn of edits that contradict each other; "" where none do."""
        set_text(self._contradiction, text)
        self.contradiction_button.setVisible(bool(text))

    def block_replay(self, reason: str) -> None:
        """Say why the edits cannot be played; "" where they can."""
        self._gate.block(self.edits.replay_button, reason)

    def set_replaying(self, is_replaying: bool) -> None:
        """Show whether the edits are played; emits nothing."""
        self.edits.set_replaying(is_replaying)

    def set_history(self, undo: str, redo: str) -> None:
        """Name what can be undone and redone; "" where there is nothing."""
        self._history = (undo, redo)
        self._apply_history()

    def set_selection(
        self, n_selected: int, reason: str = "", *, pin_reason: str = ""
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
        """
        images = "1 image" if n_selected == 1 else f"{n_selected:,} images"
        self._selection.setText(f"{images} selected" if n_selected else "No selection")
        blocked = reason if n_selected else NOTHING_SELECTED
        self._gate.block(self.pin_button, blocked or pin_reason)
        self._gate.block(self.relabel_button, blocked)
        self._gate.block(self.reset_selected_button, blocked)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow editing, or say why not."""
        self._gate.set_enabled(enabled, reason)
        self._closed = "" if enabled else reason or "Not available now"
        self._apply_history()

    def _apply_history(self) -> None:
        self.edits.set_undo(*self._history)
        if self._closed:
            for button in (self.edits.undo_button, self.edits.redo_button):
                button.setEnabled(False)
                button.setToolTip(self._closed)

    def _fit(self) -> None:
        """Take the height of the rows, up to some; then they scroll."""
        view = self.edits.findChild(QAbstractItemView)
        heights = [view.sizeHintForRow(at) for at in range(view.model().rowCount())]
        view.setFixedHeight(sum(heights[-_ROWS_IN_VIEW:]) + 4)
        view.doItemsLayout()
        view.scrollToBottom()
