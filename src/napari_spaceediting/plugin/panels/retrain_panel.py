"""Retraining with the edits."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.plugin.panels.controls import (
    Disclosure,
    Form,
    Gate,
    NumberBox,
    choose,
    column,
    combo,
    spin_box,
    trainable_combo,
)
from napari_spaceediting.plugin.views.palette import Palette
from napari_spaceediting.plugin.views.training_curve import TrainingCurve

_WEIGHT_STEP = 0.05
_OBJECTIVES = (
    ("anchor", "Anchor (default)", "Be like the neighbours at the drop; others stay"),
    ("regression", "Regression", "Be like the neighbours at the drop"),
    ("triplet", "Triplet", "Be nearer to those at the drop than to those before"),
    ("inverse_mds", "Inverse MDS", "Be as far from each other as on the map"),
    ("projective", "Projective", "Be projected to where it was dropped"),
    ("distill", "Distillation", "The edited space teaches the whole space"),
)
"""Key, title and tooltip of the objectives."""


class RetrainPanel(QWidget):
    """The button that retrains, and how it does.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    retrain_requested = Signal(object)
    """`RetrainSettings`."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = RetrainSettings()
        self._gate = Gate()
        self._build_fields()
        self._form = Form(palette)
        self._form.add("Trains", self.trainable_combo)
        self._more_form = Form(palette)
        self._more_form.add("Objective", self.objective_combo)
        self._more_form.add("Steps", self.steps_spin)
        self._more_form.add("Anchor weight", self.anchor_box)
        self._more_form.add("Keep weight", self.keep_box)
        self._more_form.add("Seed", self.seed_spin)
        self.more = Disclosure(
            "More", palette, self._more_form, "Objective, its weights, steps, seed"
        )
        self.retrain_button = QPushButton("Retrain with edits")
        self.retrain_button.clicked.connect(
            lambda: self.retrain_requested.emit(self.settings())
        )
        self._gate.add(
            self.retrain_button,
            "Train the network on from here so that it follows your edits; then see "
            "the evidence, and accept it or roll it back",
        )
        self._curve = TrainingCurve(palette)
        layout = column(self)
        for widget in (
            self._form,
            self.control_check,
            self.more,
            self._more_form,
            self.retrain_button,
            self._curve,
        ):
            layout.addWidget(widget)
        self.clear_curve()
        self.set_settings(self._settings)
        self.set_theme(palette)

    def _build_fields(self) -> None:
        self.trainable_combo = trainable_combo(
            "How much of the network follows the edits; the more, the longer it takes"
        )
        self.control_check = QCheckBox("Run the control beside it")
        self.control_check.setToolTip(
            "The same training without your edits, so that you see what the edits did "
            "and not just what more training did; takes about as long again"
        )
        self.objective_combo = combo(
            "What the places of edited images teach, beside their classes",
            [(key, title) for key, title, _ in _OBJECTIVES],
        )
        for row, (_, _, tip) in enumerate(_OBJECTIVES):
            self.objective_combo.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        self.steps_spin = spin_box(1, 100_000, "Steps of the optimiser", step=50)
        self.anchor_box = self._weight_box(
            "How strongly edited images are drawn to the place where you put them; "
            "automatic follows from how many images have labels"
        )
        self.keep_box = self._weight_box(
            "How strongly untouched images are held where they are; automatic follows "
            "from how many images have labels"
        )
        self.seed_spin = spin_box(
            0, 2**31 - 1, "The same seed and the same edits give the same result"
        )

    @staticmethod
    def _weight_box(tip: str) -> NumberBox:
        box = NumberBox(-_WEIGHT_STEP, 100.0, tip, decimals=3, step=_WEIGHT_STEP)
        box.setSpecialValueText("automatic")
        return box

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._form.set_theme(palette)
        self._more_form.set_theme(palette)
        self.more.set_theme(palette)
        self._curve.set_theme(palette)
        self.retrain_button.setStyleSheet(palette.primary_button)

    def set_settings(self, settings: RetrainSettings) -> None:
        """Show a choice; what has no field here is kept for the next round."""
        self._settings = settings
        choose(self.trainable_combo, settings.trainable)
        choose(self.objective_combo, settings.objective)
        self.control_check.setChecked(settings.control)
        self.steps_spin.setValue(settings.steps)
        for box, weight in (
            (self.anchor_box, settings.anchor_weight),
            (self.keep_box, settings.keep_weight),
        ):
            box.setValue(box.minimum() if weight is None else weight)
        self.seed_spin.setValue(settings.seed)

    def settings(self) -> RetrainSettings:
        """Return what is chosen."""
        anchor, keep = (
            None if box.value() < 0 else box.value()
            for box in (self.anchor_box, self.keep_box)
        )
        return replace(
            self._settings,
            trainable=self.trainable_combo.currentData(),
            objective=self.objective_combo.currentData(),
            control=self.control_check.isChecked(),
            steps=self.steps_spin.value(),
            anchor_weight=anchor,
            keep_weight=keep,
            seed=self.seed_spin.value(),
        )

    def show_progress(self, step: float, loss: float) -> None:
        """Add the loss of a step to the curve."""
        self._curve.append(step, loss)
        self._curve.setVisible(True)

    def clear_curve(self) -> None:
        """Forget the curve."""
        self._curve.clear()
        self._curve.setVisible(False)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Allow retraining, or say why not."""
        self._gate.set_enabled(enabled, reason)
