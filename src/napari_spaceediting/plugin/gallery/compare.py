"""Images as large as there is room, beside those that tell what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QWidget
from superqt import QElidingLabel

from napari_spaceediting.plugin.gallery.grid import GalleryGrid
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.controls import column, set_role

_STEPS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
}
_BACK = Qt.Key.Key_Space, Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter
_LEAST = 9
"""Least width of what stands beside the images, in heights of a line."""


@dataclass(frozen=True, eq=False)
class Beside:
    """Images that stand beside those in question.

    Parameters
    ----------
    title : str
        What they are.
    images : (n,) int64 array
        Dataset indices; with none, nothing is shown.
    """

    title: str
    images: NDArray[np.int64]


class Column(QWidget):
    """Images below a title, all of them in view."""

    def __init__(self, pictures: Pictures, role: str, *, is_captioned: bool) -> None:
        super().__init__()
        self.title = QElidingLabel()
        set_role(self.title, role)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.grid = GalleryGrid(pictures, shows_all=True, is_captioned=is_captioned)
        self.grid.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = column(self, 2)
        layout.addWidget(self.title)
        layout.addWidget(self.grid, 1)

    def show_images(self, beside: Beside, caption: Callable[[int], Caption]) -> None:
        """Show images, or nothing where there are none."""
        self.setVisible(len(beside.images) > 0)
        self.title.setText(beside.title)
        self.grid.show_items(beside.images, caption)
        self.grid.set_selected([])


class Compare(QWidget):
    """Images in question, large, between those of the classes that they may be of.

    Arrow keys walk; Space, Enter and Escape lead back.

    Parameters
    ----------
    pictures : Pictures
        Indices point to them.
    """

    walked = Signal(int)
    """-1 for the image before, 1 for the next one."""
    closed = Signal()
    """Back to all images."""
    chosen = Signal(int)
    """Dataset index of an image that is to be looked at instead."""
    focused = Signal()
    """The keyboard has come here."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Compare")
        # It takes the room that there is, and asks for none.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.question = Column(pictures, "strong", is_captioned=True)
        self.first = Column(pictures, "text", is_captioned=False)
        self.second = Column(pictures, "text", is_captioned=False)
        self.nearest = Column(pictures, "muted", is_captioned=True)
        self.columns = self.first, self.question, self.second, self.nearest
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(4)
        for part in self.columns:
            share = 0 if part is self.question else 3 if part is self.nearest else 2
            layout.addWidget(part, share)
            part.grid.selection_changed.connect(self._on_chosen)

    @property
    def images(self) -> NDArray[np.int64]:
        """The images in question."""
        return self.question.grid.items

    def show_question(
        self,
        question: Beside,
        first: Beside,
        second: Beside,
        nearest: Beside,
        caption: Callable[[int], Caption],
    ) -> None:
        """Show images between those of their classes, and those most similar to them.

        Parameters
        ----------
        question : Beside
            The images in question.
        first, second : Beside
            Examples of the classes that they may be of.
        nearest : Beside
            Images most similar to them.
        caption : callable
            Returns the caption of a dataset index.
        """
        shown = first, question, second, nearest
        for part, beside in zip(self.columns, shown, strict=True):
            part.show_images(beside, caption)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give the images in question the most room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give the images in question a square, or more where there are several."""
        beside = [part for part in self.columns if not part.isHidden()]
        least = _LEAST * self.fontMetrics().height() * (len(beside) - 1)
        wide = self.height() if len(self.images) == 1 else round(1.6 * self.height())
        most = max(self.width() - least, self.width() // 3)
        self.question.setFixedWidth(max(1, min(wide, most)))

    def _on_chosen(self, images: NDArray[np.int64]) -> None:
        if len(images) == 1:
            is_same = len(self.images) == 1 and images[0] == self.images[0]
            self.closed.emit() if is_same else self.chosen.emit(int(images[0]))

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Tell that the keyboard has come."""
        super().focusInEvent(event)
        self.focused.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Walk, or go back."""
        if event is None:
            return
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in _STEPS:
            self.walked.emit(_STEPS[key])
        elif key in _BACK:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
