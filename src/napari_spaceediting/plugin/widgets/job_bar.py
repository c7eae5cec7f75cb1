"""What is running, how far it is, and a button to stop it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt import QElidingLabel

from napari_spaceediting.jobs.job import Progress, in_words
from napari_spaceediting.plugin.widgets.controls import (
    column,
    once,
    row,
    set_progress,
    set_role,
    set_text,
    thin_bar,
    word_label,
)

_FINISHED_FOR = 2500
"""Milliseconds for which a finished job is still shown."""


class JobBar(QFrame):
    """Shows the running job; hides itself when nothing has been going on.

    Parameters
    ----------
    tip : str
        Tooltip of the button that cancels.
    """

    cancel_requested = Signal()

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._name = QElidingLabel()
        set_role(self._name, "strong")
        self._remaining = QLabel()
        set_role(self._remaining, "muted")
        self._remaining.setToolTip("Estimated from the progress so far")
        self._progress = thin_bar("Progress")
        self._message = word_label("muted")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(tip)
        self.cancel_button.clicked.connect(self._cancel)
        self.dismiss_button = QPushButton("Dismiss")
        self.dismiss_button.setToolTip("Hide this message")
        self.dismiss_button.clicked.connect(self.hide)
        self._timer = once(self, _FINISHED_FOR, self.hide)
        words = QWidget()
        text = column(words, 3)
        text.addLayout(row(self._name, self._remaining, stretch=(1, 0)))
        text.addWidget(self._progress)
        text.addWidget(self._message)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(8)
        layout.addWidget(words, 1)
        for button in (self.cancel_button, self.dismiss_button):
            button.setMinimumWidth(5 * self.fontMetrics().height())
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    def start(self, name: str) -> None:
        """Show that a job has begun."""
        set_text(self._name, name)
        set_progress(self._progress, 0, 0)
        self._remaining.setText("")
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")
        self._show("", running=True)

    def report(
        self, progress: Progress, remaining_seconds: float | None = None
    ) -> None:
        """Show how far the job is; a total of 0 means that nobody knows."""
        set_progress(self._progress, progress.done, progress.total)
        set_text(self._message, progress.message)
        self._remaining.setText(remaining_in_words(remaining_seconds))

    def finish(self, message: str) -> None:
        """Show for a while that the job is done."""
        self._show(message)
        self._timer.start()

    def fail(self, message: str) -> None:
        """Show why the job failed, until the next one or until dismissed."""
        self._show(message, failed=True)

    def _show(
        self, message: str, *, running: bool = False, failed: bool = False
    ) -> None:
        self._timer.stop()
        for widget in (self._progress, self._remaining, self.cancel_button):
            widget.setVisible(running)
        self.dismiss_button.setVisible(failed)
        set_text(self._message, message)
        set_role(self._message, "loss" if failed else "muted")
        self.show()

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText("Stopping…")
        self.cancel_requested.emit()


def remaining_in_words(seconds: float | None) -> str:
    """Return such as "about 12 s left"; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "nearly done"
    if seconds < 90:
        # Estimates jump: above ten seconds only fives are worth showing.
        shown = round(seconds) if seconds < 20 else 5 * round(seconds / 5)
        return f"about {shown} s left"
    return f"{in_words(seconds)} left"
