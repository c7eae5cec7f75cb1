"""Retraining with the edits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QWidget

from napari_spaceediting.editing.arms import ARMS, CONTROL, comparisons
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.plugin.training.curve import TrainingCurve
from napari_spaceediting.plugin.training.network_panel import TRAINABLE
from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    TIGHT,
    Gate,
    Panel,
    column,
    set_role,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.forms import Form
from napari_spaceediting.plugin.widgets.section import Disclosure

_MORE: dict[str, Any] = {
    "steps": {
        "label": "Steps",
        "tooltip": "Steps of the optimiser",
        "min": 1,
        "max": 100_000,
        "step": 50,
    },
    "seed": {
        "label": "Seed",
        "tooltip": "The same seed and the same edits give the same result",
        "min": 0,
        "max": 2**31 - 1,
        "step": 1,
    },
    "repeats": {
        "label": "Repeat over",
        "tooltip": "",
        "min": 1,
        "max": 50,
        "step": 1,
    },
}
_USUAL_TRAININGS = 2
"""With the edits, and the control."""


class RetrainPanel(Panel):
    """The button that retrains, and how it does."""

    retrain_requested = Signal(object)
    """`RetrainSettings`."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = RetrainSettings()
        self._columns = Gate()
        self.form = Form()
        self.form.add_settings(RetrainSettings, trainable=TRAINABLE)
        self.more_form = Form()
        self.more_form.add_settings(RetrainSettings, **_MORE)
        self.form.field("trainable").changed.connect(self._show_descent)
        self._repeats = self.more_form.field("repeats")
        self._repeats.changed.connect(self._show_length)
        self._build_comparisons()
        self._more = QWidget()
        column(self._more, SPACING, self.more_form, self._comparisons)
        self.more = Disclosure(
            "More",
            self._more,
            "Further comparisons; steps and seeds where more than the head trains",
        )
        self.retrain_button = self.gate.button(
            "Retrain with edits",
            "Train the network on from here so that it follows your edits; then see "
            "the evidence, and accept it or roll it back",
            lambda: self.retrain_requested.emit(self.settings()),
        )
        set_role(self.retrain_button, "primary")
        self._length = word_label("muted")
        self.curve = TrainingCurve()
        column(
            self,
            SPACING,
            self.form,
            self.control_check,
            self.more,
            self._more,
            self.retrain_button,
            self._length,
            self.curve,
        )
        self.set_columns(())
        self.set_settings(self._settings)

    def _build_comparisons(self) -> None:
        self.control_check = QCheckBox("Run the control beside it")
        self.control_check.setToolTip(
            "The same training without your edits, so that you see what the edits did "
            "and not just what more training did; takes about as long again"
        )
        heading = QLabel("Compare also with")
        set_role(heading, "caption")
        self._comparisons = QWidget()
        layout = column(self._comparisons, TIGHT)
        layout.addWidget(heading)
        self.arm_checks = {CONTROL: self.control_check}
        for name in comparisons():
            if name != CONTROL:
                arm, check = ARMS[name], QCheckBox(ARMS[name].title)
                tip = f"{arm.meaning}: {arm.shows}"
                if arm.is_network:
                    tip += "; takes about as long again"
                check.setToolTip(tip)
                self._columns.add(check, tip)
                layout.addWidget(check)
                self.arm_checks[name] = check
        for check in self.arm_checks.values():
            check.toggled.connect(self._show_length)

    def set_settings(self, settings: RetrainSettings) -> None:
        """Show a choice; what has no field here is kept for the next round."""
        self._settings = settings
        self.form.fill(settings)
        self.more_form.fill(settings)
        self._show_descent()
        for arm, check in self.arm_checks.items():
            check.setChecked(arm in settings.arms)
        self._show_length()

    def settings(self) -> RetrainSettings:
        """Return what is chosen."""
        chosen = self.more_form.read(self.form.read(self._settings))
        return replace(chosen, arms=self._arms())

    def _arms(self) -> tuple[str, ...]:
        """Return what is ticked; what was chosen before keeps its order."""
        chosen = [arm for arm, check in self.arm_checks.items() if check.isChecked()]
        before = [arm for arm in self._settings.arms if arm in chosen]
        return (*before, *(arm for arm in chosen if arm not in before))

    def set_columns(self, columns: Collection[str]) -> None:
        """Offer comparisons that columns of the data allow; say what others need."""
        for name, check in self.arm_checks.items():
            needs = ARMS[name].needs
            if needs:
                known = needs in columns
                reason = "" if known else f"The data have no column “{needs}”"
                self._columns.block(check, reason)
        self._show_length()

    def _show_descent(self, *_: object) -> None:
        """Offer steps and chance where there are any: a head is solved."""
        for name in _MORE:
            self.more_form.set_shown(name, self._descends)
        self._show_length()

    @property
    def _descends(self) -> bool:
        return self.form.read(self._settings).descends

    def _show_length(self, *_: object) -> None:
        """Say how many trainings are chosen, where that is more than usual."""
        beside = sum(
            check.isChecked() and check.isEnabled()
            for check in self.arm_checks.values()
        )
        repeats = self._repeats.value if self._descends else 1
        self._repeats.box.setSuffix(" seed" if repeats == 1 else " seeds")
        count = (1 + beside) * repeats
        self._repeats.box.setToolTip(
            "All of it again with other random choices, to see whether a difference "
            "lasts; the network of the first seed is taken. This makes (1 with edits + "
            f"{beside} beside it) × {repeats} = {count} trainings"
        )
        is_long = count > _USUAL_TRAININGS
        set_text(
            self._length, f"{count} trainings, one after the other" if is_long else ""
        )
