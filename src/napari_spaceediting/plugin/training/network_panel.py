"""Choosing a network and training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton, QWidget

from napari_spaceediting.network.spec import ClassifierSpec, Trainable, TrainSettings
from napari_spaceediting.plugin.training.curve import TrainingCurve
from napari_spaceediting.plugin.widgets.controls import (
    Disclosure,
    Form,
    Gate,
    NumberBox,
    choose,
    column,
    combo,
    refill,
    set_text,
    spin_box,
    style_label,
    trainable_combo,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

RANDOM, PUBLISHED, FILE = "random", "pretrained", "file"
DEVICES = (
    ("auto", "Automatic"),
    ("cpu", "Processor (CPU)"),
    ("cuda", "Graphics card (CUDA)"),
    ("mps", "Apple graphics (MPS)"),
)
_FROM_SCRATCH = "small_cnn"
"""The backbone that has no published weights."""


class NetworkPanel(QWidget):
    """Backbone, weights, what trains, and a button to train.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    train_requested = Signal(object, object)
    """`ClassifierSpec` and `TrainSettings`."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = ClassifierSpec()
        self._settings = TrainSettings()
        self._file: str | None = None
        # To go back to, if no file is chosen.
        self._weights = RANDOM
        self._gate = Gate()
        self._build_fields()
        self._form = Form(palette)
        self._form.add("Backbone", self.backbone_combo)
        self._form.add("Weights", self.weights_combo)
        self._form.add("Trains", self.trainable_combo)
        self._more_form = Form(palette)
        self._more_form.add("Latent size", self.latent_spin)
        self._more_form.add("Epochs", self.epochs_spin)
        self._more_form.add("Learning rate", self.rate_box)
        self._more_form.add("Device", self.device_combo)
        self.more = Disclosure(
            "More", palette, self._more_form, "Latent size, epochs, rate, device"
        )
        self.train_button = QPushButton("Train")
        self.train_button.clicked.connect(
            lambda: self.train_requested.emit(*self.settings())
        )
        self._gate.add(
            self.train_button, "Train this network on the images and draw their map"
        )
        self._status = word_label()
        self._curve = TrainingCurve(palette)
        layout = column(self)
        for widget in (
            self._form,
            self.more,
            self._more_form,
            self.train_button,
            self._status,
            self._curve,
        ):
            layout.addWidget(widget)
        self.show_status("")
        self.clear_curve()
        self.set_backbones([self._spec.backbone])
        self.set_settings(self._spec, self._settings)
        self.set_theme(palette)

    def _build_fields(self) -> None:
        self.backbone_combo = combo(
            "The network that turns images into features: small_cnn learns from "
            "scratch, the others know photographs already"
        )
        self.backbone_combo.activated.connect(self._on_backbone)
        self.weights_combo = combo(
            "What the backbone starts with",
            [
                (RANDOM, "Random"),
                (PUBLISHED, "Published (ImageNet)"),
                (FILE, "File…"),
            ],
        )
        self.weights_combo.activated.connect(self._on_weights)
        self.trainable_combo = trainable_combo(
            "How much of the network learns; the more, the longer it takes"
        )
        self.latent_spin = spin_box(
            2, 4096, "Width of the embedding whose map is drawn and edited", step=16
        )
        self.epochs_spin = spin_box(
            1, 10_000, "Passes over the images at most; training ends sooner once it "
            "no longer improves", step=5,
        )  # fmt: skip
        self.rate_box = NumberBox(1e-6, 1.0, "Step size of the optimiser", decimals=6)
        self.device_combo = combo(
            "Where to train: automatic takes a graphics card if there is one", DEVICES
        )

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._form.set_theme(palette)
        self._more_form.set_theme(palette)
        self.more.set_theme(palette)
        self._curve.set_theme(palette)
        style_label(self._status, palette.text)
        self.train_button.setStyleSheet(palette.primary_button)

    def set_backbones(self, names: Sequence[str]) -> None:
        """Offer these backbones."""
        refill(self.backbone_combo, [(name, name) for name in names])
        self._offer_published()

    def set_settings(self, spec: ClassifierSpec, settings: TrainSettings) -> None:
        """Show a choice; what has no field here is kept for the next training."""
        self._spec, self._settings = spec, settings
        choose(self.backbone_combo, spec.backbone)
        self._offer_published()
        if spec.weights in (None, PUBLISHED):
            choose(self.weights_combo, spec.weights or RANDOM)
        else:
            self._take_file(spec.weights)
        self._weights = self.weights_combo.currentData()
        choose(self.trainable_combo, settings.trainable)
        self.latent_spin.setValue(spec.latent_dim)
        self.epochs_spin.setValue(settings.epochs)
        self.rate_box.setValue(settings.learning_rate)
        choose(self.device_combo, settings.device)

    def settings(self) -> tuple[ClassifierSpec, TrainSettings]:
        """Return what is chosen."""
        weights = {RANDOM: None, PUBLISHED: PUBLISHED, FILE: self._file}
        spec = replace(
            self._spec,
            backbone=self.backbone_combo.currentData(),
            weights=weights[self.weights_combo.currentData()],
            latent_dim=self.latent_spin.value(),
        )
        settings = replace(
            self._settings,
            trainable=self.trainable_combo.currentData(),
            epochs=self.epochs_spin.value(),
            learning_rate=self.rate_box.value(),
            device=self.device_combo.currentData(),
        )
        return spec, settings

    def show_progress(
        self, step: float, loss: float, accuracy: float | None = None
    ) -> None:
        """Add the figures of a step to the curve."""
        self._curve.append(step, loss, accuracy)
        self._curve.setVisible(True)

    def clear_curve(self) -> None:
        """Forget the curve."""
        self._curve.clear()
        self._curve.setVisible(False)

    def show_status(self, text: str) -> None:
        """Say what is trained, such as "small_cnn on cpu: accuracy 0.91"."""
        set_text(self._status, text)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow training, or say why not."""
        self._gate.set_enabled(enabled, reason)

    def _on_backbone(self) -> None:
        scratch = self.backbone_combo.currentData() == _FROM_SCRATCH
        self._offer_published()
        choose(self.weights_combo, RANDOM if scratch else PUBLISHED)
        self._suggest_trainable()

    def _on_weights(self) -> None:
        if self.weights_combo.currentData() == FILE:
            path, _ = QFileDialog.getOpenFileName(
                self,
                "Weights of the backbone",
                self._file or "",
                "Weights (*.safetensors *.pth *.pt)",
            )
            if not path:
                choose(self.weights_combo, self._weights)
                return
            self._take_file(path)
        self._suggest_trainable()

    def _suggest_trainable(self) -> None:
        """Let random weights train throughout; of known ones only the head."""
        self._weights = self.weights_combo.currentData()
        suggested: Trainable = "all" if self._weights == RANDOM else "head"
        choose(self.trainable_combo, suggested)

    def _take_file(self, path: str) -> None:
        self._file = path
        at = self.weights_combo.findData(FILE)
        self.weights_combo.setItemText(at, f"File: {Path(path).name}")
        self.weights_combo.setItemData(at, path, Qt.ItemDataRole.ToolTipRole)
        choose(self.weights_combo, FILE)

    def _offer_published(self) -> None:
        _set_item_enabled(
            self.weights_combo,
            PUBLISHED,
            self.backbone_combo.currentData() != _FROM_SCRATCH,
            "There are no published weights of this backbone",
        )


def _set_item_enabled(box: QComboBox, key: str, enabled: bool, reason: str) -> None:
    at = box.findData(key)
    item = box.model().item(at)
    item.setEnabled(enabled)
    item.setToolTip("" if enabled else reason)
