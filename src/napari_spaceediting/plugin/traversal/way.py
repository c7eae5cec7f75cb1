"""The way of an image: the step at hand, all steps, and the real images nearest."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent, QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QGridLayout, QLabel, QPushButton, QWidget
from superqt import QElidingLabel

from napari_spaceediting.plugin.traversal.filmstrip import Filmstrip
from napari_spaceediting.plugin.traversal.pictures import (
    LARGEST,
    LargePicture,
    RealImages,
)
from napari_spaceediting.plugin.traversal.slider import FOREIGN, StepSlider
from napari_spaceediting.plugin.traversal.strip import Strip
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    column,
    row,
    set_role,
    turning,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import to_qcolor
from napari_spaceediting.traversal.filmstrip import LEGEND

PASSES = (
    "✓ It can pass for a real one: to the network, by the real images nearest to it, "
    "and being as near to them as they are to each other"
)
_LEAST = 72
"""Side of a large picture at least, in logical pixels."""
_ANY = (1 << 24) - 1
"""As large as Qt allows."""
_STEP_MS = 250
"""Milliseconds for each step while it plays."""


class Way(QWidget):
    """Goes through the steps of an image by slider, filmstrip or keys."""

    step_changed = Signal(int)
    """Another step is shown, by whatever means."""

    def __init__(self) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._step_was_chosen = False
        self._by = 1
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._play_on)
        self._build_pictures()
        self._build_steps()
        self._parts = turning(self, 10)
        self._parts.addWidget(self._pictures)
        self._parts.addWidget(self._steps, 1)

    def _build_pictures(self) -> None:
        self.picture = LargePicture(
            "Step, large", "Hold the mouse button down to see the original"
        )
        self._step_text = QElidingLabel()
        self.real_images = RealImages()
        self._real_text = QElidingLabel()
        self._real_text.setToolTip(
            "The real images of the target that are most like the step shown, nearest "
            "first: compare with them"
        )
        self.real_images.looked_at.connect(
            lambda name: self._real_text.setText(f"Nearest real · {name}" * bool(name))
        )
        self._verdict = word_label("muted")
        self._pictures = QWidget()
        side_by_side = QGridLayout(self._pictures)
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.setVerticalSpacing(2)
        real = self.real_images
        for at, part in enumerate((self.picture, real.picture, real)):
            side_by_side.addWidget(part, 0, at)
            side_by_side.setColumnStretch(at, int(part is not real))
        for at, text in enumerate((self._step_text, self._real_text)):
            set_role(text, "muted")
            side_by_side.addWidget(text, 1, at, 1, 1 + at)
        side_by_side.addWidget(self._verdict, 2, 0, 1, 3)
        side_by_side.setRowStretch(0, 1)

    def _build_steps(self) -> None:
        self.filmstrip = Filmstrip()
        self.filmstrip.currentRowChanged.connect(self._on_chosen)
        self.filmstrip.cell_changed.connect(self._align)
        # In no layout: it is as wide as the steps, which may become narrower.
        self._rail = QWidget()
        self.slider = StepSlider(self._rail)
        self._rail.setFixedHeight(self.slider.sizeHint().height() + 4)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderPressed.connect(self._stop)
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Play from the original to the last step and back")
        self.play_button.toggled.connect(self._on_play)
        legend = " ".join(
            f"<span style='color:{to_qcolor([part / 255 for part in colour]).name()}'>"
            f"■</span> {word}"
            for word, colour in LEGEND
        )
        self.changes_button = QPushButton("What changed")
        self.changes_button.setCheckable(True)
        self.changes_button.setToolTip(
            f"Draw over the images what became {legend} than in the original; the "
            "scale is the same for all steps"
        )
        self.changes_button.toggled.connect(self._on_changes)
        self._legend = QLabel(legend)
        set_role(self._legend, "muted")
        self._legend.hide()
        self._steps = QWidget()
        inside = column(self._steps, 2)
        inside.addWidget(self.filmstrip, 10)
        inside.addWidget(self._rail)
        buttons = row(
            self.play_button, self.changes_button, self._legend, stretch=[0] * 3
        )
        buttons.addStretch(1)
        inside.addLayout(buttons)
        inside.addStretch(1)

    def set_direction(self, direction: QBoxLayout.Direction) -> None:
        """Put the parts side by side or below each other."""
        self._parts.setDirection(direction)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Make the pictures as large as there is room beside or above the steps."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        words = 4 * self.fontMetrics().height()
        beside = self.real_images.width() + 2 * TIGHT
        if self._parts.direction() == QBoxLayout.Direction.LeftToRight:
            least = self._steps.minimumSizeHint().width()
            room = self.width() - max(least, 2 * self.width() // 5) - 2 * TIGHT
            side = max(
                _LEAST, min((room - beside) // 2, self.height() - words, LARGEST)
            )
            self._pictures.setFixedWidth(2 * side + beside)
            self._pictures.setMinimumHeight(_LEAST + words)
            self._pictures.setMaximumHeight(_ANY)
        else:
            side = max(_LEAST, min((self.width() - beside) // 2, LARGEST))
            self._pictures.setMinimumSize(0, min(side, 150) + words)
            self._pictures.setMaximumSize(_ANY, side + words)

    def _align(self, cell: int) -> None:
        """Put each place of the slider below its step."""
        margin = max(0, (cell - self.slider.handle().width()) // 2)
        width = cell * self.filmstrip.count() - 2 * margin
        self.slider.setGeometry(margin, 0, width, self._rail.height())

    def show_strip(self, strip: Strip) -> None:
        """Show the way of an image, as far as it is made.

        It shows where the image arrives, or the last step that is made, until a step is
        chosen, which then stays.
        """
        before, self._strip = self._strip, strip
        if before is not None and strip.steps != before.steps:
            self._stop()
        self.filmstrip.show_strip(strip)
        self.slider.blockSignals(True)
        self.slider.show_strip(strip)
        step = self.slider.value() if self._step_was_chosen else strip.arrival
        self.slider.setValue(min(step, strip.last))
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
        step, last = self.slider.value(), self._strip.last if self._strip else 0
        if step in (0, last):
            self._by = -1 if step else 1
        self.slider.setValue(step + self._by)

    def _stop(self) -> None:
        self.play_button.setChecked(False)

    def _on_chosen(self, step: int) -> None:
        self._stop()
        self.slider.setValue(step)

    def _on_changes(self, on: bool) -> None:
        self._legend.setVisible(on)
        self.filmstrip.show_changes(on)
        self._show_step()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop playing where nobody looks."""
        self._stop()
        super().hideEvent(event)

    def _on_slider(self, step: int) -> None:
        if self._strip is not None and step > self._strip.last:
            self.slider.setValue(self._strip.last)
            return
        self._step_was_chosen = True
        self._show_step()

    def _show_step(self) -> None:
        strip, step = self._strip, self.slider.value()
        if strip is None:
            return
        self.picture.show_picture(
            strip.pictures.draw(step, changes=self.changes_button.isChecked()),
            strip.pictures.draw(0),
        )
        self.filmstrip.set_step(step)
        self.real_images.show_images(strip.nearest[step], strip.nearest_names[step])
        self._step_text.setText(
            f"Step {step} · {strip.captions[step]}" if step else "Original"
        )
        self._verdict.setText(_verdict(strip, step))
        self._verdict.setToolTip(PASSES if step and strip.passes[step] else "")
        self.step_changed.emit(step)


def _verdict(strip: Strip, step: int) -> str:
    """Return in words what the marks of the slider say of a step."""
    words = []
    if strip.sure is not None and step >= strip.sure:
        words.append("The network is sure")
    elif step and strip.nears is not None:
        words.append("The network is not sure yet")
    if strip.foreign is not None and step >= strip.foreign:
        words.append(FOREIGN)
    return "; ".join(words) or " "
