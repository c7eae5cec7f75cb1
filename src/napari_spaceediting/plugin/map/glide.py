"""Images that are seen to move from one map to the next."""

from __future__ import annotations

from qtpy.QtCore import QEasingCurve, QObject, QVariantAnimation, Signal

from napari_spaceediting.plugin.map.scene import Arrows, Marks

_MS = 700
_MOST = 1000
"""How many images are seen to move; the eye follows fewer."""


class Glide(QVariantAnimation):
    """Moves dots from old places to new ones, slowly at first and at last.

    Signals
    -------
    moved(Marks)
        Where the dots are now.
    """

    moved = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._ways = Arrows()
        self.setDuration(_MS)
        self.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self.setStartValue(0.0)
        self.setEndValue(1.0)
        self.valueChanged.connect(self._move)

    @property
    def is_running(self) -> bool:
        """Whether images are on their way."""
        return self.state() == QVariantAnimation.State.Running

    def begin(self, ways: Arrows) -> None:
        """Begin to move some of these images."""
        self._ways = ways.thinned(_MOST)
        self.start()

    def _move(self, part: float) -> None:
        ways = self._ways
        places = ways.starts + part * (ways.ends - ways.starts)
        self.moved.emit(Marks(places, ways.colours))
