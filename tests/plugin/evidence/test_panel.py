from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QBoxLayout

from napari_spaceediting.editing.arms import comparisons
from napari_spaceediting.editing.evidence import gather_evidence
from napari_spaceediting.plugin.evidence.chart import nice_step
from napari_spaceediting.plugin.evidence.panel import (
    EMPTY_TEXT,
    NOTHING_TO_GAIN,
    UNNAMED,
    EvidencePanel,
)
from napari_spaceediting.plugin.evidence.words import drift_in_words

LEFT = Qt.MouseButton.LeftButton


def make_evidence(n_classes=3, n=90, control=True, measured=True, arms=(), repeats=1):
    """Return evidence in which "after" is nearly all right, the others are not.

    The ceiling is all right.
    """
    rng = np.random.default_rng(0)
    truth = np.arange(n) % n_classes
    before = np.where(rng.random(n) < 0.6, truth, (truth + 1) % n_classes)
    predicted = {"before": before, "after": truth.copy()}
    predicted["after"][:3] = (truth[:3] + 1) % n_classes
    if control:
        predicted["control"] = before
    for arm in arms:
        predicted[arm] = truth if arm == "ceiling" else before
    again = []
    for seed in range(1, repeats):
        lucky = np.arange(n) < seed
        again.append({a: np.where(lucky, truth, p) for a, p in predicted.items()})
    held_out = np.arange(n if measured else 0)
    return gather_evidence(
        measured_on="test",
        held_out=held_out,
        truth=truth[held_out],
        class_names=tuple(f"class number {i}" for i in range(n_classes)),
        predicted=predicted,
        again=again,
        chance=bool(again),
        drift=0.1,
        edited=np.arange(5),
        tags=truth[:5],
    )


@pytest.fixture
def panel(qtbot, palette):
    widget = EvidencePanel()
    qtbot.addWidget(widget)
    widget.set_theme(palette)
    widget.resize(1200, 320)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_without_evidence_it_says_what_to_do(panel):
    panel.show_evidence(None)
    assert panel._empty.isVisible()
    assert panel._empty.text() == EMPTY_TEXT
    assert not panel._scroll.isVisible()


def test_shows_the_verdict_and_the_counts(panel):
    evidence = make_evidence()
    panel.show_evidence(evidence)
    assert panel._verdict.text() == evidence.verdict()
    assert not panel._remarks.isVisible()
    assert "90 test images" in panel._measured.text()
    texts = [button.text() for button in panel.image_buttons.values()]
    assert texts == [
        f"Fixed ({len(evidence.fixed)})",
        f"Broken ({len(evidence.broken)})",
        "Edits not followed (3)",
    ]


def test_certainty_is_told_where_it_was_measured(panel):
    evidence = make_evidence()
    panel.show_evidence(evidence)
    assert not panel._certainty.isVisible()
    after = replace(evidence.arms["after"], log_loss=0.25, calibration=0.031)
    panel.show_evidence(replace(evidence, arms={**evidence.arms, "after": after}))
    assert panel._certainty.isVisible()
    assert panel._certainty.text() == (
        "Log-loss: After 0.250\nCalibration error: After 3.1%"
    )


def test_image_buttons_tell_what_to_show(panel):
    panel.show_evidence(make_evidence())
    told = []
    panel.show_images.connect(told.append)
    for button in panel.image_buttons.values():
        QTest.mouseClick(button, LEFT)
    wanted = [k for k, b in panel.image_buttons.items() if b.isEnabled()]
    assert told == wanted
    assert "fixed" in wanted


def cell(panel, true, predicted):
    """Return where a cell of the matrix is."""
    matrix = panel.confusion.matrix
    return matrix.visualRect(matrix.model().index(true, predicted))


def test_a_click_on_a_cell_tells_arm_and_classes(panel):
    panel.show_evidence(make_evidence())
    told = []
    panel.confusion.cell_clicked.connect(lambda *cell: told.append(cell))
    ground = panel.confusion.matrix.viewport()
    QTest.mouseClick(ground, LEFT, pos=cell(panel, 1, 1).center())
    QTest.mouseClick(ground, LEFT, pos=cell(panel, 0, 2).center())  # empty
    QTest.mouseClick(panel.confusion.arm_buttons["before"], LEFT)
    QTest.mouseClick(ground, LEFT, pos=cell(panel, 0, 1).center())
    QTest.mouseClick(ground, LEFT, pos=QPoint(ground.width() - 1, 1))
    assert told == [("after", 1, 1), ("before", 0, 1)]


def test_cells_can_be_chosen_by_keyboard(panel, qtbot):
    panel.show_evidence(make_evidence())
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        QTest.keyClick(panel.confusion.matrix, key)
    with qtbot.waitSignal(panel.confusion.cell_clicked) as signal:
        QTest.keyClick(panel.confusion.matrix, Qt.Key.Key_Return)
    assert signal.args == ["after", 1, 1]


def test_cell_description_names_both_classes(panel):
    evidence = make_evidence()
    panel.show_evidence(evidence)
    count = evidence.arms["after"].confusion[0, 1]
    assert panel.confusion.matrix.item(0, 1).toolTip() == (
        f"{count} of 30 images of class number 0 taken for class number 1 "
        f"({count / 30:.1%})."
    )


@pytest.mark.parametrize("n_classes", [2, 10, 40])
@pytest.mark.parametrize("width", [350, 1200])
def test_matrix_and_charts_stay_within_the_width(panel, n_classes, width):
    panel.resize(width, 400)
    panel.show_evidence(make_evidence(n_classes, 400))
    panel.grab()
    last = cell(panel, n_classes - 1, n_classes - 1)
    assert panel.confusion.matrix.viewport().rect().contains(last)
    assert panel.minimumSizeHint().width() <= width


def test_parts_stand_side_by_side_only_where_there_is_room(panel):
    panel.show_evidence(make_evidence())
    assert panel._parts.direction() == QBoxLayout.Direction.LeftToRight
    panel.resize(350, 800)
    assert panel._parts.direction() == QBoxLayout.Direction.TopToBottom
    assert panel.minimumSizeHint().width() <= 350


def test_control_can_be_missing(panel):
    panel.show_evidence(make_evidence())
    QTest.mouseClick(panel.confusion.arm_buttons["control"], LEFT)
    panel.show_evidence(make_evidence(control=False))
    assert not panel.confusion.arm_buttons["control"].isVisible()
    assert panel.confusion.arm_buttons["after"].isChecked()
    panel.grab()


def test_all_that_was_trained_is_compared(panel):
    evidence = make_evidence(arms=comparisons())
    panel.show_evidence(evidence)
    names = [row.name for row in panel.accuracies.rows]
    assert names[:3] == ["Before", "Control", "After"]
    assert len(names) == len(evidence.arms) == 8
    rows = panel.differences.rows
    assert [row.name for row in rows[:2]] == ["vs before", "vs control"]
    assert len(rows) == len(evidence.over) == 7
    assert rows[1].tone == "gain"
    assert "better" in rows[1].tooltip
    # What is out of reach is no loss.
    assert rows[-1].value < 0
    assert rows[-1].tone == "muted"
    assert f"{evidence.headroom_share:.0%} was gained" in rows[-1].tooltip
    assert list(panel.confusion.arm_buttons) == ["before", "control", "after"]


def test_the_first_sentence_stands_out(panel):
    evidence = make_evidence(arms=comparisons())
    panel.show_evidence(evidence)
    headline, remarks = panel._verdict.text(), panel._remarks.text()
    assert f"{headline} {remarks}" == evidence.verdict()
    assert headline.endswith(").")
    assert ". " not in headline


def test_a_difference_is_over_all_repetitions(panel):
    evidence = make_evidence(arms=comparisons(), repeats=4)
    panel.show_evidence(evidence)
    control = panel.differences.rows[1]
    mean = evidence.over["control"]
    assert (control.value, control.low, control.high) == (
        mean.value, mean.low, mean.high,
    )  # fmt: skip
    arms = evidence.arms
    assert mean.value != arms["after"].accuracy - arms["control"].accuracy
    assert "over 4 repetitions" in control.tooltip
    assert panel.accuracies.heading.text() == "Accuracy, first repetition"
    assert panel.differences.heading.text() == (
        "Difference in points, over 4 repetitions"
    )
    panel.show_evidence(make_evidence())
    assert panel.differences.heading.text() == "Difference in points"


def test_it_says_when_there_was_nothing_to_gain(panel):
    panel.show_evidence(make_evidence(arms=("ceiling",)))
    assert not panel._headroom.isVisible()
    evidence = make_evidence(arms=("ceiling",))
    same = dict(evidence.arms) | {"ceiling": evidence.arms["control"]}
    panel.show_evidence(replace(evidence, arms=same))
    assert panel._headroom.isVisible()
    assert panel._headroom.text() == NOTHING_TO_GAIN
    panel.show_evidence(make_evidence())
    assert not panel._headroom.isVisible()


@pytest.mark.parametrize("width", [350, 1200])
def test_many_arms_and_repetitions_need_no_more_width(panel, width):
    panel.resize(width, 400)
    panel.show_evidence(make_evidence())
    panel.grab()
    needed = panel._body.minimumSizeHint().width()
    panel.show_evidence(make_evidence(arms=comparisons(), repeats=3))
    panel.grab()
    assert panel._body.minimumSizeHint().width() <= needed
    assert panel._body.width() <= panel._scroll.viewport().width()


def test_unmeasured_round_shows_only_what_is_known(panel, told):
    evidence = make_evidence(measured=False)
    panel.show_evidence(evidence)
    calls = told(panel.show_images)
    panel.name_button.click()
    assert calls == [(UNNAMED,)]
    assert panel._verdict.text() == evidence.verdict()
    assert not panel.confusion.matrix.isVisible()
    assert not panel.accuracies.isVisible()
    assert panel.image_buttons["not_followed"].isEnabled()
    assert not panel.image_buttons["fixed"].isEnabled()
    panel.grab()


def test_the_share_found_of_a_class_has_a_line_from_before(panel):
    evidence = make_evidence()
    panel.show_evidence(evidence)
    before, after = (evidence.arms[arm].recall for arm in ("before", "after"))
    row = panel.recall.rows[1]
    assert (row.low, row.high) == (before[1], after[1])
    assert row.value == after[1]
    assert row.tone == "gain"
    assert row.text == f"{before[1] * 100:.0f} → {after[1] * 100:.0f}"
    unknown = np.full(3, np.nan)
    arms = dict(evidence.arms)
    arms["before"] = replace(arms["before"], recall=unknown)
    panel.show_evidence(replace(evidence, arms=arms))
    row = panel.recall.rows[1]
    assert (row.low, row.high, row.tone) == (after[1], after[1], "muted")
    arms["after"] = replace(arms["after"], recall=unknown)
    panel.show_evidence(replace(evidence, arms=arms))
    assert panel.recall.rows[1].text == "–"
    panel.grab()


@pytest.mark.parametrize(
    ("drift", "words"),
    [(0.01, "hardly"), (0.1, "a little"), (0.3, "noticeably"), (0.9, "a lot")],
)
def test_drift_is_told_in_words(drift, words):
    assert words in drift_in_words(drift)
    assert "not measured" in drift_in_words(float("nan"))


def test_axis_steps_are_round_numbers():
    assert nice_step(0.1, 5) == pytest.approx(0.02)
    assert nice_step(1.0, 5) == pytest.approx(0.2)
    assert nice_step(0.3, 3) == pytest.approx(0.1)
