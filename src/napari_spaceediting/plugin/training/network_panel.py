"""Choosing a network and training it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog, QPushButton

from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    PUBLISHED,
    PUBLISHED_BACKBONES,
    SELF_SUPERVISED,
    ClassifierSpec,
    TrainSettings,
    usually_trains,
)
from napari_spaceediting.network.trust import is_file, is_timm, named, title_of
from napari_spaceediting.plugin.training.curve import TrainingCurve
from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    Panel,
    column,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.section import Disclosure

FILE = "file"
_PUBLISHED_TITLE = "Published"
_OTHER, _EXPORTED, _GIVEN = "other", "exported", "given"
_ASKED = {
    _OTHER: "Other…",
    _EXPORTED: "Exported network…",
    _GIVEN: "Embeddings from a file…",
}
_TITLES = {EMBEDDINGS: "The embeddings", SELF_SUPERVISED: "DINOv2 (timm)"}
_EXPORTED_FILES = "Exported networks (*.pt2 *.pt *.ts)"
_GIVEN_FILES = "Matrix, or table (*.npy *.npz *.csv *.tsv *.parquet *.h5ad);;All (*)"
_HOW_OTHERS = (
    "A model of timm, such as timm:convnext_tiny, or a function in a package of yours, "
    "such as my_package.networks:moths"
)
OFFERED = ("small_cnn", SELF_SUPERVISED, *PUBLISHED_BACKBONES)
_NETWORK: dict[str, Any] = {
    "backbone": {
        "label": "Backbone",
        "tooltip": "The network that turns images into features: small_cnn learns "
        "from scratch (from copies of 96 px, where images are larger), the others know "
        "photographs already",
        "choices": [(name, _TITLES.get(name, name), "") for name in OFFERED],
    },
    "weights": {
        "label": "Weights",
        "tooltip": "What the backbone starts with",
        "choices": [(PUBLISHED, _PUBLISHED_TITLE, ""), (FILE, "File…", "")],
        "none": "Random",
    },
    "mirror": {
        "label": "See the mirror image too",
        "tooltip": "Averages the features of each image with those of its mirror "
        "image: about a point more is named rightly. Only for images whose left and "
        "right mean nothing; reading the images takes twice as long",
    },
}
TRAINABLE = {
    "label": "Trains",
    "tooltip": "How much of the network learns; the more, the longer it takes",
    "choices": [
        (
            "head",
            "Head",
            "Embedding and classes only: seconds, and the backbone stays as it is",
        ),
        (
            "last_block",
            "Last block too",
            "The last block of the backbone as well: can learn more, takes longer",
        ),
        (
            "all",
            "Everything",
            "The whole network: learns most, takes longest, needs most images",
        ),
    ],
}
_LATENT_DIM = {
    "label": "Latent size",
    "tooltip": "Width of the embedding whose map is drawn and edited",
    "min": 2,
    "max": 4096,
    "step": 16,
}
_TRAINING: dict[str, Any] = {
    "epochs": {
        "label": "Epochs",
        "tooltip": "Passes over the images at most; training ends sooner once it no "
        "longer improves",
        "min": 1,
        "max": 10_000,
        "step": 5,
    },
    "learning_rate": {
        "label": "Learning rate",
        "tooltip": "Step size of the optimiser",
        "min": 1e-6,
        "max": 1.0,
        "decimals": 6,
    },
    "device": {
        "label": "Device",
        "tooltip": "Where to train: automatic takes a graphics card if there is one",
        "choices": [
            ("auto", "Automatic", ""),
            ("cpu", "Processor (CPU)", ""),
            ("cuda", "Graphics card (CUDA)", ""),
            ("mps", "Apple graphics (MPS)", ""),
        ],
    },
}


def _has_published(name: str) -> bool:
    """Whether a backbone may have published weights."""
    return name in PUBLISHED_BACKBONES or is_timm(name)


class NetworkPanel(Panel):
    """Backbone, weights, what trains, and a button to train."""

    train_requested = Signal(object, object)
    """`ClassifierSpec` and `TrainSettings`."""
    backbone_named = Signal(str)
    """A backbone from elsewhere, by the user."""
    embeddings_given = Signal(object)
    """The `Path` of a file with the embeddings of the images that are open."""

    def __init__(self) -> None:
        super().__init__()
        self._spec = ClassifierSpec()
        self._settings = TrainSettings()
        self._file = ""
        self._backbone = ""
        self.form = Form()
        self.form.add_settings(ClassifierSpec, **_NETWORK)
        self.form.add_settings(TrainSettings, trainable=TRAINABLE)
        self.more_form = Form()
        self.more_form.add_settings(ClassifierSpec, latent_dim=_LATENT_DIM)
        self.more_form.add_settings(TrainSettings, **_TRAINING)
        self._backbones = self.form.field("backbone")
        self._backbones.native.activated.connect(self._on_backbone)
        self._weights = self.form.field("weights")
        self._weights.native.activated.connect(self._on_weights)
        self.more = Disclosure(
            "More", self.more_form, "Latent size, epochs, rate, device"
        )
        self.train_button = self.gate.button(
            "Train",
            "Train this network on the images and draw their map",
            lambda: self.train_requested.emit(*self.settings()),
        )
        set_role(self.train_button, "primary")
        self.status = word_label("text")
        self.stop_button = QPushButton("Stop here and draw the map")
        self.stop_button.setToolTip("Keep the network as it is trained by now")
        self.stop_button.clicked.connect(lambda: self.stop_button.setEnabled(False))
        self.curve = TrainingCurve()
        column(
            self,
            SPACING,
            self.form,
            self.more,
            self.more_form,
            self.train_button,
            self.status,
            self.curve,
            self.stop_button,
        )
        set_text(self.status, "")
        self.stop_button.hide()
        self.offer(images=True, embeddings=False)
        self.set_settings(self._spec, self._settings)

    def offer(self, *, images: bool, embeddings: bool) -> None:
        """Offer what suits a data set: with images, with embeddings, or both."""
        names = [EMBEDDINGS] * embeddings + [*OFFERED, *_ASKED] * images
        titles = {**_TITLES, **_ASKED}
        with self._backbones.changed.blocked():
            self._backbones.choices = [(titles.get(n, n), n) for n in names]

    def set_settings(self, spec: ClassifierSpec, settings: TrainSettings) -> None:
        """Show a choice; what has no field here is kept for the next training."""
        self._spec, self._settings = spec, settings
        if spec.weights not in (None, PUBLISHED):
            self._offer_file(spec.weights)
        self._offer_backbone(spec.backbone)
        for form in (self.form, self.more_form):
            form.fill(spec)
            form.fill(settings)
        self._before, self._backbone = spec.weights, spec.backbone
        self._suit_backbone()

    def settings(self) -> tuple[ClassifierSpec, TrainSettings]:
        """Return what is chosen."""
        spec, settings = self._spec, self._settings
        for form in (self.form, self.more_form):
            spec, settings = form.read(spec), form.read(settings)
        return spec, settings

    def show_stop(self, is_training: bool) -> None:
        """Offer to stop a training that goes on, until that is asked for."""
        if not is_training:
            self.stop_button.setEnabled(True)
        self.stop_button.setVisible(is_training)

    def _on_backbone(self) -> None:
        name = self._backbones.value
        if name in _ASKED:
            name = self._ask(name) or self._backbone
            self._offer_backbone(name)
            self._backbones.value = name
        self._backbone = name
        self._suit_backbone()
        self._weights.value = PUBLISHED if _has_published(name) else None
        self._suggest_trainable()
        set_text(self.status, "")

    def _ask(self, how: str) -> str:
        """Ask for a backbone from elsewhere; return its name, "" for none."""
        title = _ASKED[how].rstrip("…")
        if how == _GIVEN:
            path, _ = QFileDialog.getOpenFileName(self, title, "", _GIVEN_FILES)
            if path:
                self.embeddings_given.emit(Path(path))
            return ""
        if how == _EXPORTED:
            path, _ = QFileDialog.getOpenFileName(self, title, "", _EXPORTED_FILES)
            name = named(path) if path else ""
        else:
            text, _ = QInputDialog.getText(self, "Another network", _HOW_OTHERS)
            name = named(text.strip())
        if name:
            self.backbone_named.emit(name)
        return name

    def _on_weights(self) -> None:
        if self._weights.native.currentIndex() == len(self._weights) - 1:
            path, _ = QFileDialog.getOpenFileName(
                self,
                "Weights of the backbone",
                self._file,
                "Weights (*.safetensors *.pth *.pt *.bin)",
            )
            if not path:
                self._weights.value = self._before
                return
            self._offer_file(path)
            self._weights.value = path
        self._suggest_trainable()

    def _suggest_trainable(self) -> None:
        """Let random weights train throughout; of known ones only the head."""
        self._before = self._weights.value
        chosen = ClassifierSpec(self._backbone, self._before)
        self.form.field("trainable").value = usually_trains(chosen)

    def _offer_backbone(self, name: str) -> None:
        """Offer a backbone from elsewhere; of a file the name, with its path as tip."""
        if name not in self._backbones.choices:
            title = title_of(name) if is_file(name) else name
            with self._backbones.changed.blocked():
                self._backbones.set_choice(title, name)
            box = self._backbones.native
            box.setItemData(box.findText(title), name, Qt.ItemDataRole.ToolTipRole)

    def _offer_file(self, path: str) -> None:
        self._file = path
        title = f"File: {Path(path).name}"
        self._weights.choices = [(_PUBLISHED_TITLE, PUBLISHED), (title, path)]
        last = len(self._weights) - 1
        self._weights.native.setItemData(last, path, Qt.ItemDataRole.ToolTipRole)

    def _suit_backbone(self) -> None:
        """Show what can be chosen of a backbone."""
        name = self._backbones.value
        sees_images = ClassifierSpec(name).sees_images
        self.form.set_shown("weights", sees_images and not is_file(name))
        for field in ("mirror", "trainable"):
            self.form.set_shown(field, sees_images)
        if not sees_images:
            self.form.field("mirror").value = False
        exist = _has_published(self._backbones.value)
        at = self._weights.choices.index(PUBLISHED)
        item = self._weights.native.model().item(at)
        item.setEnabled(exist)
        reason = "There are no published weights of this backbone"
        item.setToolTip("" if exist else reason)
