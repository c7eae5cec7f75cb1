"""Answers to proposals, and what the panel says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.edits import Pin
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.intervals import Difference
from napari_spaceediting.plugin.guidance.panel import (
    FINISHED_TEXT,
    NOTHING_FOUND_TEXT,
)
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import save_session

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
GROUP, MISLABELLED = ProposalKind.GROUP, ProposalKind.MISLABELLED


def learnt(window) -> str:
    label = window.panels.guidance._learnt
    assert label.isVisible() == bool(label.text())
    return label.text()


def find(window) -> None:
    window.unfold("guidance")
    QTest.mouseClick(window.panels.guidance.refresh_button, LEFT)
    window.wait(lambda: window.bench.review.proposal is not None)
    window.wait_idle()


def propose(window, kind, images, tag, signs=()) -> None:
    """Put a single proposal before the user."""
    window.unfold("guidance")
    proposal = Proposal(kind, np.array(images), "Why not?", tag, None, 1.0, signs)
    window.bench.review._take([proposal])


def picture(panel, place: int) -> QPoint:
    """Return where the picture of an image of the proposal is."""
    return panel._pictures.labels[place].geometry().center()


@pytest.fixture
def unlabelled(window) -> list[int]:
    labels = window.session.edits.labels
    return window.movable[labels[window.movable] < 0].tolist()


@pytest.fixture
def labelled(window) -> int:
    """Return an image whose label is neither 2 nor 3."""
    labels = window.session.edits.labels
    return int(window.movable[labels[window.movable] > 3][0])


def test_the_panel_says_how_often_one_agreed(window, tmp_path: Path):
    assert learnt(window) == ""
    find(window)
    yes, no = (window.bench.review._queue[at] for at in (0, 1))
    assert (yes.kind, no.kind) == (GROUP, GROUP)
    window.key("y")
    assert learnt(window) == "You agreed with 1 of 1 groups."
    window.key("n")
    assert learnt(window) == "You agreed with 1 of 2 groups."
    window.key("u")
    assert learnt(window) == "You agreed with 1 of 2 groups.", "nothing was said"

    kept = tmp_path / "answered.spaceediting"
    save_session(window.session.state, kept)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert learnt(window) == "You agreed with 0 of 1 groups."
    window.key(Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert learnt(window) == "You agreed with 1 of 2 groups."

    find(window)
    groups = [p.indices for p in window.bench.review._queue if p.kind is GROUP]
    proposed = np.concatenate(groups)
    assert not np.isin(no.indices, proposed).any(), "a no settles it"
    window.key(Qt.Key.Key_Z, CONTROL)
    window.open(kept)
    assert learnt(window) == "You agreed with 1 of 2 groups."


def test_no_to_a_doubted_label_confirms_it(window, labelled):
    propose(window, MISLABELLED, [labelled], "2", (0.9, 0.8, 0.7))
    before = window.session.edits.labels[labelled]
    window.key("n")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Pin)
    assert window.session.edits.labels[labelled] == before
    (answer,) = window.session.state.answers
    assert (answer.accepted, answer.signs) == (False, (0.9, 0.8, 0.7))
    window.key(Qt.Key.Key_Z, CONTROL)
    assert learnt(window) == ""


@pytest.mark.parametrize(("key", "agrees"), [("3", True), ("same", False)])
def test_another_class_for_a_doubted_label_is_agreement(window, labelled, key, agrees):
    names = window.session.edits.class_names
    own = names[window.session.edits.labels[labelled]]
    propose(window, MISLABELLED, [labelled], "2")
    window.key("e")
    window.type(key if agrees else own)
    assert [a.accepted for a in window.session.answers] == [agrees]


@pytest.mark.parametrize(("tag", "agrees"), [("2", False), (None, True)])
def test_naming_a_group_is_agreement_where_no_class_was_proposed(
    window, unlabelled, tag, agrees
):
    propose(window, GROUP, unlabelled[:4], tag)
    window.key("e")
    window.answer(Qt.Key.Key_Escape)
    assert not window.session.answers, "no answer yet"
    window.key("e")
    window.type("3")
    assert [a.accepted for a in window.session.answers] == [agrees]
    assert (window.session.edits.labels[unlabelled[:4]] == 3).all()


def test_what_could_not_be_applied_was_not_answered(window, unlabelled):
    propose(window, GROUP, unlabelled[:4], None)
    window.bench.review.answer("yes")
    assert not window.session.state.answers
    assert window.bench.review.proposal is not None


def test_what_does_not_belong_is_left_out(window, unlabelled):
    propose(window, GROUP, unlabelled[:4], "2")
    panel = window.panels.guidance
    window.wait(lambda: panel._pictures.labels[1].x() > panel._pictures.labels[0].x())
    QTest.mouseClick(panel._pictures, LEFT, pos=picture(panel, 1))
    QTest.keyClick(panel, "3")
    assert panel._action.text() == "Name 2 of these 4 2"
    assert window.state.selected.tolist() == [unlabelled[0], unlabelled[3]]
    QTest.keyClick(panel, "3")
    window.key("y")
    (edit,) = window.session.state.log.done
    assert edit.indices.tolist() == [unlabelled[0], *unlabelled[2:4]]
    assert learnt(window) == "You agreed with 1 of 1 groups."


def test_one_image_of_a_group_has_to_stay(window, unlabelled):
    propose(window, GROUP, unlabelled[:2], "2")
    for number in "12":
        QTest.keyClick(window.panels.guidance, number)
    window.key("y")
    (edit,) = window.session.state.log.done
    assert edit.indices.tolist() == [unlabelled[1]]


def test_no_to_labels_doubted_together_confirms_those_that_stay(window):
    labels = window.session.edits.labels
    same = window.movable[labels[window.movable] == 4][:3]
    propose(window, MISLABELLED, same, "2", (0.9, 0.8, 0.7))
    QTest.keyClick(window.panels.guidance, "2")
    window.key("n")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Pin)
    assert edit.indices.tolist() == [same[0], same[2]]
    assert edit.tag == window.session.edits.class_names[4]


# What going on may bring


def expected(window) -> str:
    label = window.panels.guidance._expected
    assert label.isVisible() == bool(label.text())
    return label.text()


def test_the_panel_says_what_the_last_answers_changed(window, unlabelled):
    for at in range(3):
        assert expected(window) == ""
        propose(window, GROUP, unlabelled[2 * at : 2 * at + 2], "2")
        window.key("y")
    assert expected(window) == (
        "All of your last 3 answers changed a class: 6 images in all."
    )
    propose(window, GROUP, unlabelled[6:8], "2")
    window.key("n")
    propose(window, GROUP, unlabelled[6:8], "2")
    window.key("u")
    assert expected(window) == (
        "3 of your last 5 answers changed a class: 6 images in all."
    )
    window.key(Qt.Key.Key_Z, CONTROL)
    assert "2 of your last 5 answers changed a class: 4 images" in expected(window)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Difference(0.021, 0.003, 0.039), "gained 2.1 points over the control"),
        (Difference(-0.021, -0.039, -0.003), "lost 2.1 points over the control"),
        (Difference(0.004, -0.010, 0.018), "could not be told from the control"),
    ],
)
def test_the_panel_says_what_the_last_round_gained(window, gain, words):
    window.take_round(RoundStatus.ACCEPTED, gain)
    window.unfold("guidance")
    text = expected(window)
    assert text.startswith(f"Your last round, of 1 edit, {words}")
    assert f"95% interval {gain.low * 100:+.1f} to {gain.high * 100:+.1f}" in text


def test_a_round_that_awaits_a_decision_is_not_told_of(window):
    window.take_round(RoundStatus.PROPOSED)
    window.unfold("guidance")
    assert expected(window) == ""


def test_the_end_of_the_list_and_an_empty_one_say_how_to_go_on(window, unlabelled):
    panel = window.panels.guidance
    window.unfold("guidance")
    alone = Proposal(GROUP, np.array(unlabelled[:2]), "Why?", "2", None, 1.0)
    window.bench.review._on_found([alone])
    window.key("y")
    assert window.bench.review.proposal is None
    assert panel._empty.isVisible()
    assert panel._empty.text() == FINISHED_TEXT
    window.bench.review._on_found([])
    assert panel._empty.text() == NOTHING_FOUND_TEXT


def test_the_next_proposal_is_there_with_the_answer(window, unlabelled):
    window.unfold("guidance")
    queue = [
        Proposal(GROUP, np.array(unlabelled[at : at + 2]), f"Reason {at}", "2", None, 1)
        for at in range(0, 12, 2)
    ]
    window.bench.review._on_found(queue)
    for number in range(6):
        assert window.panels.guidance._reason.text() == f"Reason {2 * number}"
        # No event is processed between the key and the next proposal.
        QTest.keyClick(window.panels.guidance, "y")
    assert window.panels.guidance._done_label.text() == "6 of 6 decided"
