"""What asks of which second class images are, and how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_spaceediting.plugin.widgets.controls import combo, refill, row

_SHARES = 50, 40, 33, 30, 25, 20, 10
_USUAL = "40"
_TIP = (
    "People would disagree: give a second class a share, which is learnt as you say it "
    "(Alt+T)"
)


class Between(QWidget):
    """A button, and behind it a second class with its share of the images."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton()
        self.button.setCheckable(True)
        self.second = combo("The second class")
        self.second.setAccessibleName("Second class")
        shares = [(str(share), f"{share} %") for share in _SHARES]
        self.share = combo("How much of them is of the second class", shares)
        self.share.setAccessibleName("Share of the second class")
        self.share.setMinimumContentsLength(4)
        layout = row(self.button, self.second, self.share, stretch=(0, 1, 0))
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        self.button.toggled.connect(self._on_toggled)
        for box in (self.second, self.share):
            box.currentIndexChanged.connect(self.changed)
        self.forget()

    def forget(self) -> None:
        """Ask for no second class again."""
        self.button.setChecked(False)
        self.second.clear()
        self._on_toggled(False)
        self.share.setCurrentIndex(self.share.findData(_USUAL))

    def offer(
        self, tag: str | None, classes: Sequence[str], votes: NDArray[np.floating]
    ) -> None:
        """Offer the classes beside one, those with most votes first; None for none."""
        order = np.argsort(-votes, kind="stable").tolist() if tag else []
        others = [classes[at] for at in order if classes[at] != tag]
        refill(self.second, [(name, name) for name in others])
        self.button.setEnabled(bool(others))
        self.button.setToolTip(
            _TIP if others else "Choose one of several classes first"
        )
        for box in (self.second, self.share):
            box.setEnabled(bool(others))

    @property
    def also(self) -> dict[str, float]:
        """The second class with its share, 0 to 1; {} where there is none."""
        name = self.second.currentData()
        if name is None or not self.button.isChecked():
            return {}
        return {name: int(self.share.currentData()) / 100}

    def _on_toggled(self, on: bool) -> None:
        self.button.setText("and also" if on else "Between two…")
        for box in (self.second, self.share):
            box.setVisible(on)
        if on:
            self.second.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.changed.emit()
