import pytest
from qtpy.QtCore import QPoint, Qt

from napari_spaceediting.editing.arms import comparisons
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.plugin.training.retrain_panel import RetrainPanel

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(shown):
    return shown(RetrainPanel)


def test_what_is_shown_is_what_retrains_and_the_rest_is_kept(panel, qtbot, told):
    calls = told(panel.retrain_requested)
    settings = RetrainSettings(
        steps=70, mixup=0.3, anchor_weight=0.0,
        keep_weight=0.125, trainable="all", arms=("placebo", "control"), seed=9,
        learning_rate=0.02, repeats=7,
    )  # fmt: skip
    panel.set_settings(settings)
    qtbot.mouseClick(panel.retrain_button, LEFT)
    assert calls == [(settings,)]


def test_steps_and_chance_are_offered_where_there_are_any(panel, qtbot):
    assert panel.settings() == RetrainSettings()
    qtbot.mouseClick(panel.more, LEFT)
    steps = panel.more_form.field("steps").box
    assert not steps.isVisible()
    panel.form.field("trainable").value = "last_block"
    assert steps.isVisible()
    panel.set_settings(RetrainSettings())
    assert not steps.isVisible()


def test_the_control_can_be_left_out(panel, qtbot):
    assert "without your edits" in panel.control_check.toolTip()
    qtbot.mouseClick(panel.control_check, LEFT, pos=QPoint(8, 10))
    assert not panel.settings().arms


def test_every_arm_can_be_chosen_and_left_out(panel):
    panel.set_columns(["truth"])
    panel.set_settings(RetrainSettings(arms=()))
    for check in panel.arm_checks.values():
        check.click()
    assert panel.settings().arms == comparisons()
    panel.arm_checks["relabel"].click()
    assert "relabel" not in panel.settings().arms
    panel.arm_checks["relabel"].click()
    assert panel.settings().arms == comparisons()


def test_all_labels_right_needs_the_truth(panel):
    ceiling = panel.arm_checks["ceiling"]
    panel.set_settings(RetrainSettings(arms=("ceiling",)))
    assert not ceiling.isEnabled()
    assert "truth" in ceiling.toolTip()
    assert not panel._length.isVisible()
    panel.set_columns(["truth"])
    assert ceiling.isEnabled()
    assert ceiling.toolTip().startswith("The same training with the true class")
    assert panel.settings().arms == ("ceiling",)


def test_it_says_how_many_trainings_are_more_than_usual(panel, qtbot):
    assert not panel._length.isVisible()
    panel.form.field("trainable").value = "last_block"
    qtbot.mouseClick(panel.more, LEFT)
    qtbot.keyClick(panel.more_form.field("repeats").box, Qt.Key.Key_Up)
    assert panel.more_form.field("repeats").box.text() == "2 seeds"
    assert panel._length.text().startswith("4 trainings")
    panel.arm_checks["placebo"].click()
    assert panel._length.text().startswith("6 trainings")
    assert (
        "(1 with edits + 2 beside it) × 2 = 6"
        in panel.more_form.field("repeats").box.toolTip()
    )
    # It is told even where the choice itself is folded away.
    qtbot.mouseClick(panel.more, LEFT)
    assert panel._length.isVisible()


def test_the_curve_shows_once_there_is_something(panel):
    assert not panel.curve.isVisible()
    panel.curve.append(1, 0.7)
    assert panel.curve.isVisible()
    panel.curve.clear()
    assert not panel.curve.isVisible()


def test_while_disabled_the_button_says_why(panel, qtbot, told):
    calls = told(panel.retrain_requested)
    panel.gate.close("There are no edits yet")
    assert panel.retrain_button.toolTip().startswith("There are no edits yet")
    qtbot.mouseClick(panel.retrain_button, LEFT)
    assert calls == []
