"""How a traversal is done: what images are made from, and by which layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget
from superqt import QFlowLayout

from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    column,
    set_text,
    style_label,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.traversal.layers import Layer, in_words

_MAKINGS = (
    (
        "near",
        "Mixture",
        "It stays near to a mixture of real images: clean where all objects lie alike",
    ),
    (
        "features",
        "Features",
        "As published: sharper where objects do not lie alike, but with specks",
    ),
)
_LAYERS_TEXT = (
    "Layers that compare the images, from fine (details) to coarse (shapes and kinds):"
)
_LAYER_TIP = "A layer of the network: so many maps of the image, of that size"


@dataclass(frozen=True)
class _Choice:
    """What the user chooses of `TraverseSettings`."""

    making: Literal["near", "features"] = "near"


class TraversalOptions(QWidget):
    """What the images are made from, and the layers.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    layers_changed = Signal()
    """The user ticked other layers."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._defaults: tuple[str, ...] = ()
        self.layer_checks: dict[str, QCheckBox] = {}
        self._form = Form(palette)
        self._form.add_settings(
            _Choice,
            making={
                "label": "Made from",
                "tooltip": "What the images are made from",
                "choices": _MAKINGS,
            },
        )
        self._form.setMaximumWidth(32 * self.fontMetrics().height())
        self.making = self._form.field("making")
        self._layers_text = word_label()
        self._layers = QWidget()
        self._flow = QFlowLayout(self._layers)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(2 * TIGHT)
        self._flow.setVerticalSpacing(0)
        layout = column(self, 4)
        for part in (self._form, self._layers_text, self._layers):
            layout.addWidget(part)
        self.show_layers(())
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._form.set_theme(palette)
        style_label(self._layers_text, palette.muted)

    @property
    def features_alone(self) -> bool:
        """Whether nothing holds images to a mixture of real ones."""
        return bool(self.making.value == "features")

    @property
    def layers(self) -> tuple[str, ...] | None:
        """Names of the layers that are ticked; None for those that usually are."""
        names = self.layer_checks.items()
        chosen = tuple(name for name, check in names if check.isChecked())
        return None if chosen == self._defaults else chosen

    def show_layers(self, layers: Sequence[Layer], text: str = "") -> None:
        """Offer layers, or say why there are none to choose from."""
        for check in self.layer_checks.values():
            self._flow.removeWidget(check)
            check.deleteLater()
        self.layer_checks = {}
        self._defaults = tuple(layer.name for layer in layers if layer.is_default)
        for layer, words in zip(layers, in_words(layers), strict=True):
            check = QCheckBox(words)
            check.setToolTip(f"{_LAYER_TIP}\n\nModule {layer.name}")
            check.setChecked(layer.is_default)
            check.toggled.connect(lambda _: self.layers_changed.emit())
            self._flow.addWidget(check)
            self.layer_checks[layer.name] = check
        widths = [check.sizeHint().width() for check in self.layer_checks.values()]
        for check in self.layer_checks.values():
            check.setMinimumWidth(max(widths))
        set_text(self._layers_text, _LAYERS_TEXT if layers else text)
        self._layers.setVisible(bool(layers))
