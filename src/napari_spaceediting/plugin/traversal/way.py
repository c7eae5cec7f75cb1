"""The way of an image: the step at hand, all steps, and the real images nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QIcon, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QFrame,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_spaceediting.plugin.traversal.filmstrip import Filmstrip, Strip
from napari_spaceediting.plugin.widgets.controls import (
    column,
    guard_wheel,
    row,
    set_role,
)
from napari_spaceediting.plugin.widgets.painting import rounded_pixmap
from napari_spaceediting.plugin.widgets.palette import Palette

PASSES = (
    "✓ It can pass for a real one: to the network, by the real images nearest to it, "
    "and being as near to them as they are to each other"
)
_REAL = 44
"""Side of a real image, in logical pixels."""
_STEP_MS = 250
"""Milliseconds for each step while it plays."""


class LargePicture(QAbstractButton):
    """One step, as large as there is room; pressed, it shows the original instead."""

    def __init__(self) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._step = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(72, 72)
        self.setAccessibleName("Step, large")
        self.setToolTip("Hold the mouse button down to see the original")

    def show_step(self, strip: Strip, step: int) -> None:
        """Show a step of a strip."""
        self._strip, self._step = strip, step
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for little: it takes the room that there is."""
        return QSize(150, 80)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the picture."""
        if self._strip is None:
            return
        side = min(self.width(), self.height(), 360)
        picture = self._strip.pictures[0 if self.isDown() else self._step]
        pixmap = rounded_pixmap(picture, side, 4, self.devicePixelRatioF())
        corner = QPointF((self.width() - side) / 2, (self.height() - side) / 2)
        QPainter(self).drawPixmap(corner, pixmap)


class RealImages(QListWidget):
    """A few real images; a click selects one."""

    chosen = Signal(int)
    """Dataset index."""

    def __init__(self) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] | None = None
        self._shown: tuple[NDArray[np.int64], Sequence[str]] = np.empty(0, np.int64), ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(_REAL, _REAL))
        self.setGridSize(QSize(_REAL + 4, _REAL + 4))
        self.setMinimumSize(2 * _REAL + 12, _REAL + 8)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Nearest real images")
        self.setStyleSheet("QListWidget {background: transparent;}")
        self.itemClicked.connect(
            lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
        )

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self._thumbnails = thumbnails
        self.show_images(*self._shown)

    def show_images(self, indices: NDArray[np.int64], names: Sequence[str]) -> None:
        """Show images, nearest first, with their names as tooltips."""
        self._shown = indices, names
        self.setAccessibleDescription(", ".join(names))
        self.clear()
        if self._thumbnails is None:
            return
        ratio = self.devicePixelRatioF()
        for index, name in zip(indices.tolist(), names, strict=True):
            item = QListWidgetItem(self)
            pixmap = rounded_pixmap(self._thumbnails[index], _REAL, 3, ratio)
            item.setIcon(QIcon(pixmap))
            item.setToolTip(f"{name}: click to select it")
            item.setData(Qt.ItemDataRole.UserRole, index)

    def sizeHint(self) -> QSize:
        """Ask for little: they take the room that there is."""
        return self.minimumSize()


class Way(QWidget):
    """Goes through the steps of an image by slider, filmstrip or keys.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    """

    step_changed = Signal(int)
    """Another step is shown, by whatever means."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._step_was_chosen = False
        self.picture = LargePicture()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setToolTip("From the original to the most change")
        self.slider.setPageStep(1)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderPressed.connect(self._stop)
        guard_wheel(self.slider)
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Play from the original to the last step and back")
        self.play_button.toggled.connect(self._on_play)
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._play_on)
        self._by = 1
        self._step_text = QLabel()
        self._step_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self._step_text, "muted")
        self._stage = QWidget()
        stage = column(self._stage, 4)
        stage.addWidget(self.picture, 1)
        stage.addLayout(row(self.play_button, self.slider, stretch=(0, 1)))
        stage.addWidget(self._step_text)
        self.filmstrip = Filmstrip(palette)
        self.filmstrip.currentRowChanged.connect(self._on_chosen)
        heading = QLabel("Nearest real")
        set_role(heading, "muted")
        heading.setToolTip(
            "The real images of the target that are most like the step shown, nearest "
            "first: compare with them"
        )
        self.real_images = RealImages()
        self._real = QWidget()
        real = column(self._real, 4)
        real.addWidget(heading)
        real.addWidget(self.real_images, 1)
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(10)
        for part in (self._stage, self.filmstrip, self._real):
            self._parts.addWidget(part)

    def set_direction(self, direction: QBoxLayout.Direction) -> None:
        """Put the parts side by side or below each other."""
        wide = direction == QBoxLayout.Direction.LeftToRight
        self._parts.setDirection(direction)
        for part, stretch in ((self._stage, 3), (self.filmstrip, 8), (self._real, 2)):
            self._parts.setStretchFactor(part, stretch if wide else 0)
        self._stage.setMinimumHeight(0 if wide else 220)

    def show_strip(self, strip: Strip) -> None:
        """Show the way of an image.

        It shows where the image arrives until a step is chosen, which then stays.
        """
        self._strip = strip
        if len(strip.pictures) - 1 != self.slider.maximum():
            self._stop()
        self.filmstrip.show_strip(strip)
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(strip.pictures) - 1)
        if not self._step_was_chosen:
            self.slider.setValue(strip.arrival)
        self.slider.blockSignals(False)
        self._show_step()

    def forget(self) -> None:
        """Forget the way, and which step was chosen."""
        self._strip = None
        self._step_was_chosen = False
        self._stop()

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Stop" if on else "Play")
        if on:
            self.slider.setValue(0)
            self._timer.start()
        else:
            self._timer.stop()

    def _play_on(self) -> None:
        """Go on by a step, there and back."""
        step = self.slider.value()
        if step in (0, self.slider.maximum()):
            self._by = -1 if step else 1
        self.slider.setValue(step + self._by)

    def _stop(self) -> None:
        self.play_button.setChecked(False)

    def _on_chosen(self, step: int) -> None:
        self._stop()
        self.slider.setValue(step)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop playing where nobody looks."""
        self._stop()
        super().hideEvent(event)

    def _on_slider(self, _step: int) -> None:
        self._step_was_chosen = True
        self._show_step()

    def _show_step(self) -> None:
        strip, step = self._strip, self.slider.value()
        if strip is None:
            return
        self.picture.show_step(strip, step)
        self.filmstrip.set_step(step)
        self.real_images.show_images(strip.nearest[step], strip.nearest_names[step])
        last = len(strip.pictures) - 1
        self._step_text.setText(
            f"Step {step} of {last} · {strip.captions[step]}" if step else "Original"
        )
        self._step_text.setToolTip(PASSES if step and strip.passes[step] else "")
        self.step_changed.emit(step)
