"""Thumbnails that are new fade in."""

from __future__ import annotations

import time
from collections.abc import Iterable

from qtpy.QtCore import QObject, QTimer, Signal

FADE_S = 0.15
"""Seconds until a new thumbnail is opaque."""
_STEP_MS = 16


class Fading(QObject):
    """Knows how opaque each thumbnail is.

    Signals
    -------
    stepped
        Some are more opaque than before.
    settled
        All are opaque.
    """

    stepped = Signal()
    settled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._since: dict[int, float] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._step)

    @property
    def is_running(self) -> bool:
        """Whether any thumbnail is not opaque yet."""
        return self._timer.isActive()

    def show(self, images: Iterable[int]) -> None:
        """Take these as what is shown now; those that were not before are new."""
        now = time.monotonic()
        before = self._since
        self._since = {image: before.get(image, now) for image in images}
        if any(since == now for since in self._since.values()):
            self._timer.start()

    def opacity(self, image: int) -> float:
        """Return 0 to 1; 1 where nothing fades."""
        if not self.is_running:
            return 1.0
        return min(1.0, (time.monotonic() - self._since[image]) / FADE_S)

    def _step(self) -> None:
        if all(self.opacity(image) == 1 for image in self._since):
            self._timer.stop()
            self.settled.emit()
        else:
            self.stepped.emit()
