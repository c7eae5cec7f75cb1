"""The way of an image: the step at hand, all steps, and the real images nearest."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QBoxLayout, QLabel, QPushButton, QSlider, QWidget

from napari_spaceediting.plugin.traversal.filmstrip import Filmstrip, Strip
from napari_spaceediting.plugin.traversal.pictures import LargePicture, RealImages
from napari_spaceediting.plugin.widgets.controls import (
    column,
    guard_wheel,
    row,
    set_role,
)
from napari_spaceediting.plugin.widgets.palette import Palette

PASSES = (
    "✓ It can pass for a real one: to the network, by the real images nearest to it, "
    "and being as near to them as they are to each other"
)
_STEP_MS = 250
"""Milliseconds for each step while it plays."""


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
        self.filmstrip.step_chosen.connect(self._on_chosen)
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
