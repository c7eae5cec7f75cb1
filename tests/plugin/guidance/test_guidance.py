"""Answers to proposals, and what the panel says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Pin, Relabel
from napari_spaceediting.editing.intervals import Difference
from napari_spaceediting.editing.orders import Order
from napari_spaceediting.plugin.gallery.bar import GUIDANCE
from napari_spaceediting.plugin.guidance.panel import (
    FINISHED_TEXT,
    NOTHING_FOUND_TEXT,
    ORDERS,
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


@pytest.mark.parametrize(("typed", "tag"), [("Moth", "Moth"), ("3", "3")])
def test_a_group_without_a_class_is_named_by_typing(window, unlabelled, typed, tag):
    propose(window, GROUP, unlabelled[:4], None)
    panel = window.panels.guidance
    window.key("y")
    assert panel.window().focusWidget() is panel.name_field
    QTest.keyClicks(panel.name_field, typed)
    QTest.keyClick(panel.name_field, Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert (edit.indices.tolist(), edit.tag) == (unlabelled[:4], tag)
    assert [a.accepted for a in window.session.answers] == [True]


def test_what_is_put_aside_comes_again_at_the_end(window, unlabelled):
    window.unfold("guidance")
    first, second = (
        Proposal(GROUP, np.array(unlabelled[at : at + 2]), "Why not?", "2", None, 1.0)
        for at in (0, 2)
    )
    review, panel = window.bench.review, window.panels.guidance
    review._take([first, second])
    window.key("u")
    assert review.proposal is second
    window.key("y")
    assert review.proposal is first
    assert "put aside before" in panel._title.text()
    assert panel._done_label.text().startswith("1 of 2")
    window.key("u")
    assert review.proposal is None, "it comes again once"
    review._take([first, second])
    window.key("u")
    panel.moved.emit(-1)
    window.key("n")
    window.key("n")
    assert review.proposal is None, "it was answered after all"


def test_a_label_that_the_others_agree_with_is_not_called_wrong(window, labelled):
    propose(window, MISLABELLED, [labelled], "3", signs=(0.2,))
    assert "mislabelled" not in window.panels.guidance._title.text()
    propose(window, MISLABELLED, [labelled], "3", signs=(-0.2,))
    assert "probably mislabelled" in window.panels.guidance._title.text()


def test_what_does_not_belong_is_left_out(window, unlabelled):
    propose(window, GROUP, unlabelled[:4], "2")
    panel = window.panels.guidance
    window.wait(lambda: panel._pictures.labels[1].x() > panel._pictures.labels[0].x())
    QTest.mouseClick(panel._pictures, LEFT, pos=picture(panel, 1))
    QTest.keyClick(panel, "3", CONTROL)
    assert panel._action.text() == "Name 2 of these 4 2"
    assert window.state.selected.tolist() == [unlabelled[0], unlabelled[3]]
    QTest.keyClick(panel, "3", CONTROL)
    window.key("y")
    (edit,) = window.session.state.log.done
    assert edit.indices.tolist() == [unlabelled[0], *unlabelled[2:4]]
    assert learnt(window) == "You agreed with 1 of 1 groups."


def test_one_image_of_a_group_has_to_stay(window, unlabelled):
    propose(window, GROUP, unlabelled[:2], "2")
    for number in "12":
        QTest.keyClick(window.panels.guidance, number, CONTROL)
    window.key("y")
    (edit,) = window.session.state.log.done
    assert edit.indices.tolist() == [unlabelled[1]]


def test_no_to_labels_doubted_together_confirms_those_that_stay(window):
    labels = window.session.edits.labels
    same = window.movable[labels[window.movable] == 4][:3]
    propose(window, MISLABELLED, same, "2", (0.9, 0.8, 0.7))
    QTest.keyClick(window.panels.guidance, "2", CONTROL)
    window.key("n")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Pin)
    assert edit.indices.tolist() == [same[0], same[2]]
    assert edit.tag == window.session.edits.class_names[4]


# What people disagree on


@pytest.fixture
def disagreeing(window, trained_state, tmp_path: Path):
    """Return a window whose images were named by people who disagree on four."""
    dataset = trained_state.dataset
    labels = dataset.labels.copy()
    at = window.movable[:4]
    labels[at] = 4
    soft = np.zeros((len(labels), len(dataset.class_names)), np.float32)
    soft[at, 4], soft[at, 9] = 2 / 3, 1 / 3
    dataset = replace(dataset, labels=labels, soft_labels=soft)
    start = replace(trained_state.checkpoint, labels=labels, soft_labels=soft)
    folder = tmp_path / "people.spaceediting"
    save_session(replace(trained_state, dataset=dataset, checkpoint=start), folder)
    window.open(folder)
    return window


def test_what_people_disagree_on_is_named_softly_and_learnt(disagreeing):
    window = disagreeing
    window.wait_idle()
    find(window)
    review, session = window.bench.review, window.session
    while review.proposal.kind is not ProposalKind.DISAGREED:
        window.key("u")
    image, panel = int(review.proposal.indices[0]), window.panels.guidance
    assert "people disagree" in panel._title.text()
    assert "People disagree: 4 67, 9 33; the network says" in panel._reason.text()
    window.key("e")
    picker = window.bench.map.naming.picker
    window.wait(picker.isVisible)
    QTest.keyClick(QApplication.focusWidget() or picker, "4")
    picker.between.button.click()
    picker.between.second.setCurrentText("9")
    picker.between.share.setCurrentText("20 %")
    window.answer(Qt.Key.Key_Return)
    (edit,) = session.state.log.done
    assert (edit.tag, dict(edit.also)) == ("4", {"9": 0.2})
    assert session.edits.soft_labels[image].max() == pytest.approx(0.8)
    (said,) = session.answers
    assert said.kind is ProposalKind.DISAGREED
    # No leaves the votes as they are.
    while review.proposal.kind is not ProposalKind.DISAGREED:
        window.key("u")
    window.key("n")
    assert len(session.state.log.done) == 1

    window.key(Qt.Key.Key_Return, CONTROL)
    window.wait(lambda: session.state.proposal is not None)
    window.wait_idle()
    shown = window.bench.evidence
    window.wait(shown.isVisible)
    arms = session.state.proposal.evidence.arms
    losses, gaps = shown._certainty.text().splitlines()
    assert losses == "Log-loss: " + ", ".join(
        f"{name.capitalize()} {arms[name].log_loss:.3f}"
        for name in ("before", "control", "after")
    )
    assert f"After {arms['after'].calibration:.1%}" in gaps


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


@pytest.mark.parametrize("status", [RoundStatus.PROPOSED, RoundStatus.ROLLED_BACK])
def test_a_round_that_does_not_stand_is_not_told_of(window, status):
    window.take_round(status)
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


# Keys of classes, and images one at a time


def choose_order(window, order) -> None:
    """Choose what to look at, and wait for it."""
    window.unfold("guidance")
    orders, review = window.panels.guidance.orders, window.bench.review
    orders.setFocus()
    orders.setCurrentIndex(orders.findData(order))
    orders.activated.emit(orders.currentIndex())
    window.wait(lambda: review.proposal is not None and review._order == order)
    window.wait_idle()


@pytest.mark.parametrize(("key", "agrees"), [("2", True), ("3", False)])
def test_the_key_of_a_class_names_a_group_at_once(window, unlabelled, key, agrees):
    propose(window, GROUP, unlabelled[:4], "2")
    panel = window.panels.guidance
    QTest.keyClick(panel, "4", CONTROL)
    QTest.keyClick(panel, key)
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Relabel)
    assert (edit.indices.tolist(), edit.tag) == (unlabelled[:3], key)
    assert [a.accepted for a in window.session.answers] == [agrees]
    assert panel._done_label.text().startswith(f"{key}: 1 of 1 decided")


def test_a_wrong_key_is_taken_back_by_one(window, unlabelled):
    window.unfold("guidance")
    window.bench.review._on_found(
        [Proposal(GROUP, np.array([at]), "Why?", "2", None, 1) for at in unlabelled[:3]]
    )
    panel = window.panels.guidance
    for key in "23":
        QTest.keyClick(panel, key)
    QTest.keyClick(panel, Qt.Key.Key_Backspace)
    assert window.bench.review.proposal.indices.tolist() == [unlabelled[1]]
    assert len(window.session.state.log.done) == 1
    assert "1 of 3 decided" in panel._done_label.text()
    QTest.keyClick(panel, Qt.Key.Key_Z, CONTROL)
    assert window.bench.review.proposal.indices.tolist() == [unlabelled[0]]
    assert not window.session.state.log.done
    QTest.keyClick(panel, Qt.Key.Key_Backspace)
    assert window.bench.review.proposal.indices.tolist() == [unlabelled[0]]


def test_no_to_a_doubted_label_may_be_its_own_key(window):
    labels = window.session.edits.labels
    image = window.movable[labels[window.movable] == 4][0]
    propose(window, MISLABELLED, [image], "2", (0.9, 0.8, 0.7))
    QTest.keyClick(window.panels.guidance, "4")
    (answer,) = window.session.answers
    assert (answer.accepted, answer.signs) == (False, (0.9, 0.8, 0.7))


@pytest.mark.parametrize("order", [Order.MARGIN, Order.TYPICALITY, Order.CLUSTER])
def test_unlabelled_images_come_one_at_a_time(window, order):
    choose_order(window, order)
    panel, review = window.panels.guidance, window.bench.review
    assert panel.window().focusWidget() is panel, "a key names the first of them"
    labels = window.session.edits.labels
    queue = [int(proposal.indices[0]) for proposal in review._queue]
    assert (labels[queue] < 0).all()
    assert panel._title.text().endswith(ORDERS[order])
    assert not panel.answer_buttons["no"].isEnabled()
    window.key("n")
    assert review.proposal.indices.tolist() == queue[:1]
    keys = ["3", "5", "1"]
    for key in keys:
        # No event is processed between two keys.
        QTest.keyClick(panel, key)
    named = window.session.edits.labels[queue[:4]]
    assert named.tolist() == [3, 5, 1, -1]
    assert len(window.session.state.log.done) == 3
    assert not window.session.answers, "an order is no proposal of guidance"
    choose_order(window, order)
    assert not set(queue[:3]) & {int(p.indices[0]) for p in review._queue}


def test_the_gallery_shows_images_in_the_order_of_guidance(window):
    choose_order(window, Order.CLUSTER)
    queue = [int(proposal.indices[0]) for proposal in window.bench.review._queue]
    window.bench.galleries.show(np.empty(0, np.int64), GUIDANCE)
    assert window.bench.gallery.grid.items.tolist() == queue


def test_answers_are_timed_by_their_kind(window, unlabelled):
    now = [100.0]
    window.state.clock = lambda: now[0]
    panel = window.panels.guidance
    for at in range(5):
        propose(window, GROUP, unlabelled[4 * at : 4 * at + 4], "2")
        assert panel._pace.text() == ""
        now[0] += 8
        window.key("y")
    assert panel._pace.text() == "Measured, in images a minute: groups 30."
    propose(window, GROUP, unlabelled[20:24], "2")
    now[0] += 31
    window.key("y")
    window.bench.review._on_found(
        [Proposal(GROUP, np.array([at]), "?", "2", None, 1) for at in unlabelled[30:36]]
    )
    for _ in range(5):
        now[0] += 1.5
        QTest.keyClick(panel, "2")
    assert panel._pace.text() == (
        "Measured, in images a minute: groups 30, one at a time 40. One at a time "
        "named more."
    )
    QTest.keyClick(panel, Qt.Key.Key_Backspace)
    assert panel._pace.text() == "Measured, in images a minute: groups 30."
