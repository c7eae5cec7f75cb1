"""How a traversal is done: what pulls, what images are made from, which layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QBoxLayout, QCheckBox, QWidget
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
from napari_spaceediting.traversal.settings import NEIGHBOURS

_REACHES = (
    (
        "fitting",
        "What fits",
        f"Its {NEIGHBOURS} nearest images of each kind pull, or all of them: whichever "
        "takes it there with less change",
    ),
    ("all", "Whole kind", "All images of the two kinds pull, as published"),
)
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
_TEXT = (
    "Moved by the whole kind, as published, some images change more than they need to."
)
_CHOICES: dict[str, Any] = {
    "reach": {
        "label": "Moved by",
        "tooltip": "Which images pull",
        "choices": _REACHES,
    },
    "making": {
        "label": "Made from",
        "tooltip": "What the images are made from",
        "choices": _MAKINGS,
    },
}


@dataclass(frozen=True)
class _Choice:
    """What the user chooses of `TraverseSettings`."""

    reach: Literal["fitting", "all"] = "fitting"
    making: Literal["near", "features"] = "near"


class TraversalOptions(QWidget):
    """What pulls, what the images are made from, and the layers.

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
        self._forms: list[Form] = []
        self.fields: dict[str, Any] = {}
        self._side_by_side = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        for name, options in _CHOICES.items():
            form = Form(palette)
            form.add_settings(_Choice, **{name: options})
            form.setMaximumWidth(32 * self.fontMetrics().height())
            self._side_by_side.addWidget(form, 1)
            self._forms.append(form)
            self.fields[name] = form.field(name)
        self._side_by_side.addStretch()
        self._text = word_label()
        self._text.setText(_TEXT)
        self._layers_text = word_label()
        self._layers = QWidget()
        self._flow = QFlowLayout(self._layers)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(2 * TIGHT)
        self._flow.setVerticalSpacing(0)
        layout = column(self, 4)
        layout.addLayout(self._side_by_side)
        for part in (self._text, self._layers_text, self._layers):
            layout.addWidget(part)
        self.show_layers(())
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        for form in self._forms:
            form.set_theme(palette)
        for label in (self._text, self._layers_text):
            style_label(label, palette.muted)

    def set_direction(self, direction: QBoxLayout.Direction) -> None:
        """Put the fields side by side or below each other."""
        wide = direction == QBoxLayout.Direction.LeftToRight
        self._side_by_side.setDirection(direction)
        self._side_by_side.setSpacing(2 * TIGHT if wide else TIGHT)

    @property
    def whole_kind(self) -> bool:
        """Whether all images of the two kinds move an image."""
        return bool(self.fields["reach"].value == "all")

    @property
    def features_alone(self) -> bool:
        """Whether nothing holds images to a mixture of real ones."""
        return bool(self.fields["making"].value == "features")

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
