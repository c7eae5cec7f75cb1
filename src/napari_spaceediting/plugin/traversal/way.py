"""The way of an image: the step at hand, all steps, and the real images nearest."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QBoxLayout, QLabel, QPushButton, QSlider, QWidget

from napari_spaceediting.plugin.traversal.filmstrip import Filmstrip, Strip
from napari_spaceediting.plugin.traversal.pictures import LargePicture, RealImages
from napari_spaceediting.plugin.widgets.controls import (
    column,
    guard_wheel,
    row,
    style_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.traversal.filmstrip import BRIGHTER, DARKER

PASSES = (
    "✓ It can pass for a real one: to the network, by the real images nearest to it, "
    "and being as near to them as they are to each other"
)
_PACE_MS = 450
"""Milliseconds for each step while it plays."""


class Way(QWidget):
    """Goes through the steps of an image by slider, filmstrip, keys or by itself.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    step_changed = Signal(int)
    """Another step is shown, by whatever means."""
    real_image_chosen = Signal(int)
    """Dataset index of a real image that was clicked on."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strip: Strip | None = None
        self._step_was_chosen = False
        self._forward = True
        self._timer = QTimer(self)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._play_on)
        self._build_stage(palette)
        self.filmstrip = Filmstrip(palette, (_hex(DARKER), _hex(BRIGHTER)))
        self.filmstrip.step_chosen.connect(self.set_step)
        self._real_heading = QLabel("Nearest real")
        self._real_heading.setToolTip(
            "The real images of the target that are most like the step shown, nearest "
            "first: compare with them"
        )
        self.real_images = RealImages(palette)
        self.real_images.chosen.connect(self.real_image_chosen)
        self._real = QWidget()
        real = column(self._real, 4)
        real.addWidget(self._real_heading)
        real.addWidget(self.real_images, 1)
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(10)
        for part in (self._stage, self.filmstrip, self._real):
            self._parts.addWidget(part)
        self.set_theme(palette)

    def _build_stage(self, palette: Palette) -> None:
        self.picture = LargePicture(palette)
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Play from the original to the last step and back")
        self.play_button.setFixedWidth(5 * self.fontMetrics().height())
        self.play_button.toggled.connect(self._on_play)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setToolTip("From the original to the most change")
        self.slider.setPageStep(1)
        self.slider.valueChanged.connect(self._on_slider)
        guard_wheel(self.slider)
        self._step_text = QLabel()
        self._step_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stage = QWidget()
        stage = column(self._stage, 4)
        stage.addWidget(self.picture, 1)
        stage.addLayout(row(self.play_button, self.slider, stretch=(0, 1)))
        stage.addWidget(self._step_text)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        for view in (self.picture, self.filmstrip, self.real_images):
            view.set_theme(palette)
        style_label(self._step_text, palette.muted)
        self._real_heading.setStyleSheet(
            f"padding: 0px; color: {palette.muted}; font-weight: 600;"
        )

    def set_direction(self, direction: QBoxLayout.Direction) -> None:
        """Put the parts side by side or below each other."""
        wide = direction == QBoxLayout.Direction.LeftToRight
        self._parts.setDirection(direction)
        for part, stretch in ((self._stage, 3), (self.filmstrip, 8), (self._real, 2)):
            self._parts.setStretchFactor(part, stretch if wide else 0)
        self.real_images.set_columns(2 if wide else 5)
        self._stage.setMinimumHeight(0 if wide else 220)

    def show_strip(self, strip: Strip) -> None:
        """Show the way of an image.

        It shows where the image arrives until a step is chosen, which then stays.
        """
        self._strip = strip
        self.filmstrip.show_strip(strip)
        last = len(strip.pictures) - 1
        self.slider.blockSignals(True)
        self.slider.setRange(0, last)
        if not self._step_was_chosen:
            self.slider.setValue(strip.arrival)
        self.slider.blockSignals(False)
        self._show_step()

    def forget(self) -> None:
        """Forget the way, and which step was chosen."""
        self.stop()
        self._strip = None
        self._step_was_chosen = False

    @property
    def step(self) -> int:
        """Which step is shown; 0 is the original."""
        return self.slider.value()

    def set_step(self, step: int) -> None:
        """Show another step."""
        self.stop()
        self.slider.setValue(step)

    @property
    def is_playing(self) -> bool:
        """Whether the steps play by themselves."""
        return self._timer.isActive()

    def stop(self) -> None:
        """Stop playing."""
        self.play_button.setChecked(False)

    def _on_slider(self, _step: int) -> None:
        self._step_was_chosen = True
        self._show_step()

    def _show_step(self) -> None:
        strip, step = self._strip, self.step
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

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Stop" if on else "Play")
        if not on:
            self._timer.stop()
            return
        self._forward = True
        if self.step == self.slider.maximum():
            self.slider.setValue(0)
        self._timer.start()

    def _play_on(self) -> None:
        if self.step >= self.slider.maximum():
            self._forward = False
        elif self.step <= 0:
            self._forward = True
        self.slider.setValue(self.step + (1 if self._forward else -1))


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
