"""Retraining with the edits."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QWidget

from napari_spaceediting.editing.settings import ARMS, RetrainSettings
from napari_spaceediting.plugin.training.curve import TrainingCurve
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Disclosure,
    Form,
    Gate,
    NumberBox,
    choose,
    column,
    combo,
    set_text,
    spin_box,
    style_label,
    trainable_combo,
    word_label,
)
from napari_spaceediting.plugin.widgets.palette import Palette

_WEIGHT_STEP = 0.05
_OBJECTIVES = (
    ("anchor", "Anchor (default)", "Be like the neighbours at the drop; others stay"),
    ("triplet", "Triplet", "Be nearer to those at the drop than to those before"),
    ("inverse_mds", "Inverse MDS", "Be as far from each other as on the map"),
)
"""Key, title and tooltip of the objectives."""
_MOST_REPEATS = 50
_USUAL_TRAININGS = 2
"""With the edits, and the control."""
_COMPARISONS = (
    (
        "relabel",
        "Same classes without places",
        "The classes that you gave, but not the places: whether the map taught "
        "anything beside them",
    ),
    (
        "automatic",
        "Correction without a human",
        "No edits, but labels spread or softened by rule: whether you were needed",
    ),
    (
        "placebo",
        "Random edits",
        "What your edits say, dealt out at random among the edited images: whether "
        "any edits would have done",
    ),
    (
        "ceiling",
        "All labels right",
        "The true class of every training image: how much there was to be gained",
    ),
)
"""Arm, title and tooltip of what a round can be compared with beside the control."""


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
        self._truth = Gate()
        self._build_fields()
        self._build_comparisons()
        self._form = Form(palette)
        self._form.add("Trains", self.trainable_combo)
        self._more_form = Form(palette)
        self._more_form.add("Objective", self.objective_combo)
        self._more_form.add("Steps", self.steps_spin)
        self._more_form.add("Anchor weight", self.anchor_box)
        self._more_form.add("Keep weight", self.keep_box)
        self._more_form.add("Seed", self.seed_spin)
        self._more_form.add("Repeat over", self.repeats_spin)
        self._more = QWidget()
        more = column(self._more)
        more.addWidget(self._more_form)
        more.addWidget(self._comparisons)
        self.more = Disclosure(
            "More",
            palette,
            self._more,
            "Objective, its weights, steps, seeds, further comparisons",
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
        self._length = word_label()
        self._curve = TrainingCurve(palette)
        layout = column(self)
        layout.addWidget(self._form)
        layout.addWidget(self.control_check)
        for widget in (
            self.more,
            self._more,
            self.retrain_button,
            self._length,
            self._curve,
        ):
            layout.addWidget(widget)
        self.clear_curve()
        self.set_truth_known(False)
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
        for at, (_, _, tip) in enumerate(_OBJECTIVES):
            self.objective_combo.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
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
        self.repeats_spin = spin_box(1, _MOST_REPEATS, "")
        self.repeats_spin.valueChanged.connect(self._show_length)

    def _build_comparisons(self) -> None:
        self._heading = QLabel("Compare also with")
        self._comparisons = QWidget()
        layout = column(self._comparisons, TIGHT)
        layout.addWidget(self._heading)
        self.arm_checks = {"control": self.control_check}
        for arm, title, tip in _COMPARISONS:
            check = QCheckBox(title)
            check.setToolTip(f"{tip}; takes about as long again")
            layout.addWidget(check)
            self.arm_checks[arm] = check
        ceiling = self.arm_checks["ceiling"]
        self._truth.add(ceiling, ceiling.toolTip())
        for check in self.arm_checks.values():
            check.toggled.connect(self._show_length)

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
        style_label(self._heading, palette.muted, palette.font_size + 1)
        style_label(self._length, palette.muted)
        self._curve.set_theme(palette)
        self.retrain_button.setStyleSheet(palette.primary_button)

    def set_settings(self, settings: RetrainSettings) -> None:
        """Show a choice; what has no field here is kept for the next round."""
        self._settings = settings
        choose(self.trainable_combo, settings.trainable)
        choose(self.objective_combo, settings.objective)
        for arm, check in self.arm_checks.items():
            check.setChecked(arm in settings.arms)
        self.repeats_spin.setValue(settings.repeats)
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
            arms=self._arms(),
            repeats=self.repeats_spin.value(),
            steps=self.steps_spin.value(),
            anchor_weight=anchor,
            keep_weight=keep,
            seed=self.seed_spin.value(),
        )

    def _arms(self) -> tuple[str, ...]:
        """Return what is ticked; what was chosen before keeps its order."""
        chosen = [arm for arm in ARMS if self.arm_checks[arm].isChecked()]
        before = [arm for arm in self._settings.arms if arm in chosen]
        return (*before, *(arm for arm in chosen if arm not in before))

    def set_truth_known(self, known: bool) -> None:
        """Offer to compare with all labels right, or say what that needs."""
        self._truth.block(
            self.arm_checks["ceiling"],
            ""
            if known
            else "The true classes are not known: the data have no column “truth”",
        )
        self._show_length()

    def _show_length(self, *_: object) -> None:
        """Say how many trainings are chosen, where that is more than usual."""
        beside = sum(
            check.isChecked() and check.isEnabled()
            for check in self.arm_checks.values()
        )
        repeats = self.repeats_spin.value()
        self.repeats_spin.setSuffix(" seed" if repeats == 1 else " seeds")
        count = (1 + beside) * repeats
        self.repeats_spin.setToolTip(
            "All of it again with other random choices, to see whether a difference "
            "lasts; the network of the first seed is taken. This makes (1 with edits + "
            f"{beside} beside it) × {repeats} = {count} trainings"
        )
        is_long = count > _USUAL_TRAININGS
        set_text(
            self._length, f"{count} trainings, one after the other" if is_long else ""
        )

    # Retraining

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
