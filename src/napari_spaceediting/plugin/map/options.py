"""The classes that a question offers, in the rows of a list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QTableWidget, QTableWidgetItem

from napari_spaceediting.colours import class_colours
from napari_spaceediting.plugin.map.stamps import dot
from napari_spaceediting.plugin.widgets.controls import set_role
from napari_spaceediting.plugin.widgets.palette import Palette

MARGIN = 10
"""Around a question, in pixels."""
PART = ": "
"""Between the name of a class and that of a part of it."""
_ROWS_IN_VIEW = 10
_STABLE_UP_TO = 9
_KEY, _NAME, _SHARE = range(3)
"""Columns."""
_TAG = Qt.ItemDataRole.UserRole


class ClassOptions(QTableWidget):
    """A row for each answer: its key, its name, and how many neighbours have it."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.colours: NDArray[np.float32] | None = None
        """Of the classes, (C or more, 4); the usual ones for None."""
        self.take((), np.empty(0), ())
        self.setAccessibleName("Classes")
        set_role(self, "choices")
        self.setToolTip("Click a class to choose it, double-click to confirm at once")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setVerticalScrollMode(QTableWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._muted = QColor(palette.muted)
        em = self.fontMetrics().height()
        self.verticalHeader().setDefaultSectionSize(round(1.6 * em))
        self.setColumnWidth(_KEY, round(1.6 * em))

    def take(
        self,
        classes: Sequence[str],
        votes: NDArray[np.floating],
        keys: Sequence[str],
        *,
        none: str = "",
        own: str = "",
        suggested: str = "",
        is_part: bool = False,
    ) -> None:
        """Offer other answers from now on, see `ClassPicker.ask`; `fill` lists them."""
        whole = own.partition(PART)[0]
        self._within = f"{whole}{PART}" if is_part else ""
        within = [name.startswith(self._within) for name in classes]
        self._classes, self._shares = classes, np.where(within, votes, 0)
        self._keys = ["" if key.isalpha() else key for key in keys]
        self._none, self._own = none, own
        self.votes = self._shares.copy()
        """Of each class (C,), the suggested one before all others."""
        if suggested:
            self.votes[classes.index(suggested)] += 2

    @property
    def tags(self) -> list[str | None]:
        """The class that each row stands for, None for none."""
        rows = range(self.rowCount())
        return [self.item(at, _NAME).data(_TAG) for at in rows]

    def choose(self, at: int) -> None:
        """Choose a row, or none for -1."""
        self.setCurrentCell(at, _NAME)

    def choose_most(self) -> None:
        """Choose the class with most votes, if any has one."""
        if self.votes.any():
            self.choose(self.tags.index(self._classes[int(self.votes.argmax())]))

    def step(self, by: int) -> None:
        """Choose the row so far from the one that is chosen, within the list."""
        self.choose(min(max(self.currentRow() + by, 0), self.rowCount() - 1))

    def choose_by_key(self, key: str) -> bool:
        """Choose the row that has a key; return whether there is one."""
        keys = [self.item(at, _KEY).text() for at in range(self.rowCount())]
        if key not in keys:
            return False
        self.choose(keys.index(key))
        return True

    def fill(self, text: str) -> None:
        """List a new class of that name, and the classes that hold the text.

        Few classes keep their places; many are sorted by votes.
        """
        classes, name, within = self._classes, text.strip(), self._within
        wanted = name.casefold()
        order = list(range(len(classes)))
        if len(order) > _STABLE_UP_TO:
            order.sort(key=lambda i: -self.votes[i])
        keys = dict(enumerate("" if name else key for key in self._keys))
        names = {i: classes[i].removeprefix(within).casefold() for i in order}
        order = [i for i in order if classes[i].startswith(within)]
        order = [i for i in order if wanted in names[i]]
        exact = [n for n, i in enumerate(order) if names[i] == wanted]
        self.setRowCount(0)
        self.clearSpans()
        if name and not exact and not within:
            self._add(f"New class “{name}”", name)
        if name and not exact and self._own:
            tag = f"{self._own.partition(PART)[0]}{PART}{name}"
            self._add(f"New part “{tag}”", tag)
        for at in order:
            self._add_class(at, keys.get(at, ""))
        if not name and self._none:
            self._add(self._none, None, "" if "0" in keys.values() else "0")
        self.choose(exact[0] if exact else 0 if name else -1)
        if not name:
            # While the user types, the popup keeps its height.
            # A stylesheet may give the list some padding.
            shown = min(max(self.rowCount(), 1), _ROWS_IN_VIEW)
            height = self.verticalHeader().defaultSectionSize()
            self.setFixedHeight(shown * height + 4)

    def _add(self, text: str, tag: str | None, key: str = "") -> QTableWidgetItem:
        """Add a row, which takes the width to its end."""
        at = self.rowCount()
        self.insertRow(at)
        self.setSpan(at, _NAME, 1, 2)
        caps, name = QTableWidgetItem(key), QTableWidgetItem(text)
        caps.setForeground(self._muted)
        caps.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        name.setData(_TAG, tag)
        name.setToolTip(text)
        self.setItem(at, _KEY, caps)
        self.setItem(at, _NAME, name)
        return name

    def _add_class(self, number: int, key: str) -> None:
        """Add a class with its colour, and its share as a bar and a figure."""
        metrics = self.fontMetrics()
        em, ratio = metrics.height(), self.devicePixelRatioF()
        name = self._add(self._classes[number], self._classes[number], key)
        colours = self.colours
        if colours is None:
            colours = class_colours(len(self._classes))
        name.setIcon(dot(colours[number].tolist(), 0.35 * em, ratio))
        # One width for all names, so that the bars start on one line.
        room = self.window().width() - 2 * MARGIN - self.columnWidth(_KEY)
        longest = max(map(metrics.horizontalAdvance, self._classes)) + 2 * em
        figures = metrics.horizontalAdvance("100%") + em
        self.setColumnWidth(_NAME, min(longest, room - figures - 2 * em))
        share = float(self._shares[number])
        if share >= 0.005:
            self.setSpan(self.rowCount() - 1, _NAME, 1, 1)
            room -= self.columnWidth(_NAME) + figures
            bar = QPixmap(max(round(room * min(share, 1.0)), 2), round(0.34 * em))
            bar.fill(self._muted)
            figure = QTableWidgetItem(f"{share:.0%}")
            figure.setTextAlignment(
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
            figure.setForeground(self._muted)
            figure.setData(Qt.ItemDataRole.DecorationRole, bar)
            self.setItem(self.rowCount() - 1, _SHARE, figure)
