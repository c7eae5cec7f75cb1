"""Images that are seen to move from one map to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEasingCurve, QObject, QVariantAnimation, Signal

from napari_spaceediting.plugin.map.scene import Arrows, Marks

_MS = 700
_MOST = 1000
"""How many images are seen to move; the eye follows fewer."""


class Glide(QObject):
    """Moves dots from old places to new ones, slowly at first and at last.

    Signals
    -------
    moved(Marks)
        Where the dots are now.
    ended
        They have arrived, or were stopped.
    """

    moved = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._ways = Arrows()
        self._clock = QVariantAnimation(self)
        self._clock.setDuration(_MS)
        self._clock.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._clock.setStartValue(0.0)
        self._clock.setEndValue(1.0)
        self._clock.valueChanged.connect(self._move)
        self._clock.finished.connect(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether images are on their way."""
        return len(self._ways.starts) > 0

    def start(
        self,
        starts: NDArray[np.floating],
        ends: NDArray[np.floating],
        colours: NDArray[np.float32],
    ) -> bool:
        """Begin to move some of n images, and return whether there are any.

        Parameters
        ----------
        starts, ends : (n, 2) float arrays
            Map coordinates.
        colours : (n, 4) float32 array
            RGBA of each.
        """
        step = -(-len(starts) // _MOST) or 1
        self._ways = Arrows(starts[::step], ends[::step], colours[::step])
        if self.is_running:
            self._clock.start()
        return self.is_running

    def stop(self) -> None:
        """Be at the end; nothing happens where none are on their way."""
        if self.is_running:
            self._ways = Arrows()
            self._clock.stop()
            self.ended.emit()

    def _move(self, part: float) -> None:
        ways = self._ways
        places = ways.starts + part * (ways.ends - ways.starts)
        self.moved.emit(Marks(places, ways.colours))
