"""A button with the traversals that were kept."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton


class KeptButton(QPushButton):
    """Says how many results were kept, and offers them in a menu."""

    chosen = Signal(int)
    """Which of them the user wants to see."""
    remove_requested = Signal()
    """The one that is shown is to be kept no more."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.choices = QMenu(self)
        self.choices.setToolTipsVisible(True)
        self.setAccessibleName("Earlier results")
        self.clicked.connect(self._open)

    def offer(self, results: Sequence[tuple[str, str]], chosen: int) -> None:
        """Offer results.

        Parameters
        ----------
        results : sequence of (str, str)
            What each is, and its tooltip.
        chosen : int
            Which of them is shown, -1 for none.
        """
        self.count = len(results)
        self.choices.clear()
        for number, (words, tip) in enumerate(results):
            action = self.choices.addAction(words.replace("&", "&&"))
            action.setToolTip(tip)
            action.setCheckable(True)
            action.setChecked(number == chosen)
            action.triggered.connect(
                lambda _=False, number=number: self.chosen.emit(number)
            )
        if chosen >= 0:
            self.choices.addSeparator()
            self.choices.addAction("Remove the one shown…", self.remove_requested.emit)
        self.setText(f"Earlier ({self.count}) ▾")
        self.setVisible(bool(results))

    def _open(self) -> None:
        self.choices.popup(self.mapToGlobal(self.rect().bottomLeft()))
