"""Which layers of the network compare the images."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget
from superqt import QFlowLayout

from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    column,
    set_text,
    word_label,
)
from napari_spaceediting.traversal.layers import Layer, in_words

_TEXT = (
    "Layers that compare the images, from fine (details) to coarse (shapes and kinds):"
)
_TIP = "A layer of the network: so many maps of the image, of that size"


class LayerChoice(QWidget):
    """A check for every layer of the network."""

    changed = Signal()
    """The user ticked other layers."""

    def __init__(self) -> None:
        super().__init__()
        self._defaults: tuple[str, ...] = ()
        self.checks: dict[str, QCheckBox] = {}
        self._text = word_label("muted")
        self._flow = QFlowLayout()
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(2 * TIGHT)
        self._flow.setVerticalSpacing(0)
        layout = column(self, 4)
        layout.addWidget(self._text)
        layout.addLayout(self._flow)

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """Names of the layers that are ticked; None for those that usually are."""
        names = self.checks.items()
        chosen = tuple(name for name, check in names if check.isChecked())
        return None if chosen == self._defaults else chosen

    def offer(self, layers: Sequence[Layer], text: str = "") -> None:
        """Offer layers, or say why there are none to choose from."""
        for check in self.checks.values():
            self._flow.removeWidget(check)
            check.deleteLater()
        self.checks = {}
        self._defaults = tuple(layer.name for layer in layers if layer.is_default)
        for layer, words in zip(layers, in_words(layers), strict=True):
            check = QCheckBox(words)
            check.setToolTip(f"{_TIP}\n\nModule {layer.name}")
            check.setChecked(layer.is_default)
            check.toggled.connect(lambda _: self.changed.emit())
            self._flow.addWidget(check)
            self.checks[layer.name] = check
        widths = [check.sizeHint().width() for check in self.checks.values()]
        for check in self.checks.values():
            check.setMinimumWidth(max(widths))
        set_text(self._text, _TEXT if layers else text)
