"""What is running, how far it is, and a button to stop it."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.widgets.controls import ThinBar
from napari_spaceediting.plugin.widgets.palette import Palette

_FINISHED_FOR = 2500
"""Milliseconds for which a finished job is still shown."""


class JobBar(QFrame):
    """Shows the running job; hides itself when nothing has been going on.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    cancel_requested = Signal()

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._failed = False
        self._name = QElidingLabel()
        self._remaining = QLabel()
        self._remaining.setToolTip("Estimated from the progress so far")
        self._progress = ThinBar("Progress", 6)
        self._message = QLabel()
        self._message.setWordWrap(True)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(
            "Stop this job and leave everything as it was before"
        )
        self.cancel_button.clicked.connect(self._cancel)
        self.dismiss_button = QPushButton("Dismiss")
        self.dismiss_button.setToolTip("Hide this message")
        self.dismiss_button.clicked.connect(self.hide)
        for button in (self.cancel_button, self.dismiss_button):
            button.setMinimumWidth(5 * self.fontMetrics().height())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FINISHED_FOR)
        self._timer.timeout.connect(self.hide)

        head = QHBoxLayout()
        head.addWidget(self._name, 1)
        head.addWidget(self._remaining)
        text = QVBoxLayout()
        text.setSpacing(3)
        text.addLayout(head)
        text.addWidget(self._progress)
        text.addWidget(self._message)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(8)
        layout.addLayout(text, 1)
        layout.addWidget(self.cancel_button, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.dismiss_button, 0, Qt.AlignmentFlag.AlignTop)
        self.set_theme(palette)
        self.hide()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self._name.setStyleSheet("padding: 0px; font-weight: 600;")
        self._remaining.setStyleSheet(f"padding: 0px; color: {palette.muted};")
        self._progress.set_theme(palette)
        self._colour_message()

    @property
    def is_running(self) -> bool:
        """Whether a job is shown as running."""
        return not self.cancel_button.isHidden() and not self.isHidden()

    def start(self, name: str) -> None:
        """Show that a job has begun."""
        self._timer.stop()
        self._failed = False
        self._name.setText(name)
        self._remaining.setText("")
        self._message.setText("")
        self._progress.setRange(0, 0)
        self._show_parts(running=True)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")

    def report(
        self, progress: Progress, remaining_seconds: float | None = None
    ) -> None:
        """Show how far the job is; a total of 0 means that nobody knows."""
        self._progress.setRange(0, progress.total)
        if progress.total > 0:
            self._progress.setValue(min(progress.done, progress.total))
        self._set_message(progress.message)
        self._remaining.setText(remaining_in_words(remaining_seconds))

    def finish(self, message: str) -> None:
        """Show for a while that the job is done."""
        self._end(message, failed=False)
        self._timer.start()

    def fail(self, message: str) -> None:
        """Show why the job failed, until the next one or until dismissed."""
        self._end(message, failed=True)

    def _end(self, message: str, failed: bool) -> None:
        self._timer.stop()
        self._failed = failed
        self._set_message(message)
        self._colour_message()
        self._show_parts(running=False)

    def _show_parts(self, running: bool) -> None:
        for widget in (self._progress, self._remaining, self.cancel_button):
            widget.setVisible(running)
        self._name.setVisible(bool(self._name.text()))
        self._message.setVisible(bool(self._message.text()))
        self.dismiss_button.setVisible(not running and self._failed)
        self._colour_message()
        self.setVisible(True)

    def _set_message(self, message: str) -> None:
        self._message.setText(message)
        self._message.setVisible(bool(message))

    def _colour_message(self) -> None:
        colour = self._palette.loss if self._failed else self._palette.muted
        self._message.setStyleSheet(f"padding: 0px; color: {colour};")

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText("Cancelling…")
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
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes} min left" if minutes else f"about {hours} h left"
