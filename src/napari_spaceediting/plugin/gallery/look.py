"""How all images are shown: contrast, gamma and colour of each channel."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QPushButton, QWidget
from superqt import QDoubleRangeSlider, QDoubleSlider

from napari_spaceediting.data.looks import COLOURS, ChannelLook, Look
from napari_spaceediting.plugin.widgets.controls import combo, dress, set_role
from napari_spaceediting.plugin.widgets.palette import Palette

_ALL = "All channels"
_GAMMAS = (0.2, 2.0)
"""As in napari's layer controls."""
_HINT = (
    "The same for all images, here and on the map; the network sees them as they are."
)


class _Row:
    """Controls of a channel, or of all at once without a colour."""

    def __init__(self, channel: ChannelLook, *, has_colour: bool) -> None:
        self.colour = combo("Colour of the channel", [(c, c) for c in COLOURS])
        self.colour.setVisible(has_colour)
        self.limits = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.limits.setRange(0, 1)
        self.limits.setToolTip("Contrast limits: what is black, and what is brightest")
        self.gamma = QDoubleSlider(Qt.Orientation.Horizontal)
        self.gamma.setRange(*_GAMMAS)
        self.gamma.setToolTip("Gamma: less than 1 shows more of what is dark")
        self.show_channel(channel)

    def show_channel(self, channel: ChannelLook) -> None:
        """Show how a channel looks; tells nothing."""
        for slider in (self.limits, self.gamma, self.colour):
            slider.blockSignals(True)
        self.colour.setCurrentIndex(self.colour.findData(channel.colour))
        self.limits.setValue((channel.low, channel.high))
        self.gamma.setValue(channel.gamma)
        for slider in (self.limits, self.gamma, self.colour):
            slider.blockSignals(False)

    def over(self, channel: ChannelLook) -> ChannelLook:
        """Return how a channel looks with these limits and this gamma."""
        low, high = map(float, self.limits.value())
        return replace(channel, low=low, high=high, gamma=self.gamma.value())


class LookPopup(QDialog):
    """A popup with contrast limits, gamma and colour of each channel."""

    changed = Signal(object)
    """A `Look`."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        set_role(self, "question")
        self.setAccessibleName("Contrast and colours")
        self._look = Look(())
        self.rows: list[_Row] = []
        self.all: _Row | None = None
        self._body: QWidget | None = None
        self.reset_button = QPushButton("As at first")
        self.reset_button.setToolTip("Show all images as they were when they came")
        self.reset_button.clicked.connect(
            lambda: self._take(Look.usual(len(self._look.channels)), tells=True)
        )
        self._grid = QGridLayout(self)
        self._grid.setColumnMinimumWidth(2, 12 * self.fontMetrics().height())
        self._grid.setColumnMinimumWidth(3, 7 * self.fontMetrics().height())

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)
        self.setStyleSheet(palette.window_sheet + self.styleSheet())

    def open_at(self, look: Look, place: QPoint) -> None:
        """Show how images look now, above a global position."""
        if len(look.channels) != len(self._look.channels):
            self._build(look)
        self._take(look)
        self.adjustSize()
        area = (
            QGuiApplication.screenAt(place) or QGuiApplication.primaryScreen()
        ).availableGeometry()
        x = min(place.x(), area.right() - self.width())
        self.move(max(area.left(), x), max(area.top(), place.y() - self.height()))
        self.show()

    def _build(self, look: Look) -> None:
        while self._grid.count():
            widget = self._grid.takeAt(0).widget()
            if widget is not self.reset_button:
                widget.deleteLater()
        for at, title in enumerate(("", "Colour", "Contrast limits", "Gamma")):
            self._label(title, 0, at, "muted")
        n = len(look.channels)
        self.rows = [_Row(channel, has_colour=True) for channel in look.channels]
        self.all = _Row(ChannelLook("grey"), has_colour=False) if n > 1 else None
        if self.all is not None:
            self._place(self.all, 1, _ALL)
            for control in (self.all.limits, self.all.gamma):
                control.valueChanged.connect(self._on_all)
        for number, row in enumerate(self.rows):
            self._place(row, number + 2, f"Channel {number + 1}" if n > 1 else "Images")
            for signal in (
                row.colour.currentIndexChanged,
                row.limits.valueChanged,
                row.gamma.valueChanged,
            ):
                signal.connect(lambda *_, at=number: self._on_row(at))
        self._label(_HINT, n + 2, 0, "muted", across=3)
        self._grid.addWidget(self.reset_button, n + 2, 3)

    def _place(self, row: _Row, line: int, title: str) -> None:
        self._label(title, line, 0)
        for at, control in enumerate((row.colour, row.limits, row.gamma), 1):
            self._grid.addWidget(control, line, at)

    def _label(
        self, text: str, line: int, at: int, role: str = "text", across: int = 1
    ) -> None:
        label = QLabel(text)
        label.setWordWrap(across > 1)
        set_role(label, role)
        self._grid.addWidget(label, line, at, 1, across)

    def _take(self, look: Look, *, tells: bool = False) -> None:
        self._look = look
        for row, channel in zip(self.rows, look.channels, strict=True):
            row.show_channel(channel)
        if self.all is not None:
            self.all.show_channel(look.channels[0])
        self.reset_button.setEnabled(not look.is_usual)
        if tells:
            self.changed.emit(look)

    def _on_all(self, _: object) -> None:
        assert self.all is not None
        self._take(Look(tuple(map(self.all.over, self._look.channels))), tells=True)

    def _on_row(self, at: int) -> None:
        row = self.rows[at]
        channel = replace(
            row.over(self._look.channels[at]), colour=str(row.colour.currentData())
        )
        self._take(self._look.with_channel(at, channel), tells=True)
