"""Looking back: earlier maps, and what lies between any two rounds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spaceediting.editing.evidence import gather_evidence
from napari_spaceediting.editing.image_edits import Pin, Relabel
from napari_spaceediting.editing.retrain import RetrainResult
from napari_spaceediting.projection.layout import MapResult
from napari_spaceediting.projection.quality import MapQuality
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import RoundStatus
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.training import MappedRound

LEFT = Qt.MouseButton.LeftButton
RIGHT = 0.6, 0.7, 0.9
"""Share of held-out images that the network classifies right after each round."""


def propose(session, share):
    """Propose a round as if trained: everything lies elsewhere, a share is right."""
    dataset, shown = session.dataset, session.shown
    free = np.flatnonzero(~dataset.held_out & (session.edits.labels < 0))
    session.apply(Pin(free[:4], session.edits.class_names[0]))
    rng = np.random.default_rng(len(session.state.rounds))
    n = len(dataset)
    classes = dataset.labels.clip(0).copy()
    wrong = rng.random(n) > share
    classes[wrong] = (classes[wrong] + 1) % len(dataset.class_names)
    before = shown.network.predictions
    probabilities = np.full_like(before.probabilities, 0.01)
    probabilities[np.arange(n), classes] = 0.9
    latents = before.latents + rng.normal(0, 0.1, before.latents.shape)
    after = replace(
        before, probabilities=probabilities, latents=latents.astype(np.float32)
    )
    held_out = np.flatnonzero((dataset.split == 2) & dataset.is_labelled)
    evidence = gather_evidence(
        measured_on="test",
        held_out=held_out,
        truth=dataset.labels[held_out],
        class_names=dataset.class_names,
        predicted={
            "before": before.probabilities.argmax(axis=1),
            "control": before.probabilities.argmax(axis=1),
            "after": classes,
        },
        drift=0.1,
        edited=free[:4],
        tags=np.zeros(4, np.int64),
    )
    result = RetrainResult(
        spec=shown.network.spec,
        state=shown.network.state,
        predictions=after,
        evidence=evidence,
        losses=np.ones(3, np.float32),
        seconds=1.0,
        settings=session.state.retrain,
    )
    places = shown.map.coordinates + rng.normal(0, 1, shown.map.coordinates.shape)
    neighbours = shown.map.neighbours
    drawn = MapResult(
        coordinates=places.astype(np.float32),
        neighbours=neighbours,
        method="pca",
        seconds=1.0,
        quality=MapQuality(0.9, 0.9),
    )
    session.propose(MappedRound(result, drawn))


@pytest.fixture
def rounds(window):
    """Return a window after three rounds, the second rolled back, the third open."""
    session = window.session
    # What is saved stays as it is for other tests.
    window.state.folder = None
    for share, decide in zip(RIGHT, ("accept", "roll_back", None), strict=True):
        propose(session, share)
        if decide:
            getattr(session, decide)()
        if decide == "roll_back":
            session.undo()
    window.wait(lambda: not window.map.is_gliding)
    window.evidence = window.bench.evidence
    return window


def button(window, name):
    (found,) = [b for b in window.evidence.side_buttons if b.text() == name]
    return found


def press(window, name):
    QTest.mouseClick(button(window, name), LEFT)
    window.wait(lambda: not window.map.is_gliding)


def choose(combo, text):
    """Choose in a list as a hand does, by the keyboard."""
    row = next(i for i in range(combo.count()) if text in combo.itemText(i))
    while combo.currentIndex() != row:
        down = combo.currentIndex() < row
        QTest.keyClick(combo, Qt.Key.Key_Down if down else Qt.Key.Key_Up)


def places_of(checkpoint):
    return checkpoint.map.coordinates


def test_images_glide_from_one_map_to_the_next(rounds):
    shown = rounds.session.state.rounds[-1]
    moved = []
    overlay = rounds.map.overlay
    rounds.map._glide.valueChanged.connect(
        lambda _: moved.append(overlay.scene.gliding)
    )
    rounds.key(Qt.Key.Key_V)
    assert rounds.map.is_gliding
    assert rounds.map.layer.opacity < 0.5
    rounds.wait(lambda: not rounds.map.is_gliding)
    assert np.allclose(moved[0].places, places_of(shown.after), atol=0.5)
    assert np.allclose(moved[-1].places, places_of(shown.before), atol=0.1)
    assert rounds.map.layer.opacity == 1
    assert not len(rounds.map.overlay.scene.gliding.places)


def test_a_key_flips_between_before_and_after(rounds):
    past, layer = rounds.session.state.rounds[-1], rounds.map.layer
    scene = rounds.map.overlay
    assert np.array_equal(layer.data, places_of(past.after))
    assert scene.scene.past == ""
    rounds.key(Qt.Key.Key_V)
    assert np.array_equal(layer.data, places_of(past.before))
    assert scene.scene.past == "The map before round 3"
    assert len(scene.scene.trails.ends)
    assert button(rounds, "Before").isChecked()
    rounds.key(Qt.Key.Key_V)
    assert np.array_equal(layer.data, places_of(past.after))
    assert scene.scene.past == ""
    assert button(rounds, "After").isChecked()


def test_nothing_can_be_edited_on_an_earlier_map(rounds, messages):
    session = rounds.session
    QTest.mouseClick(rounds.evidence.accept_button, LEFT)
    press(rounds, "Before")
    state = session.state
    image = int(rounds.loners(rounds.movable)[0])
    places = rounds.state.shown.map.coordinates
    start = rounds.pixel(places[image])
    rounds.drag(start, start + QPoint(60, 40))
    assert messages == [
        "The map before round 3 is only to look at: go back to the present one first "
        "(key V)."
    ]
    assert rounds.state.selected.tolist() == [image]
    rounds.key(Qt.Key.Key_C)
    rounds.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert messages == 3 * messages[:1]
    assert not rounds.bench.map.naming.picker.isVisible()
    assert session.state is state
    press(rounds, "After")
    rounds.key(Qt.Key.Key_C)
    rounds.answer(Qt.Key.Key_1, Qt.Key.Key_Return)
    assert len(session.state.log.done) == 1
    assert len(messages) == 3


def test_edits_do_not_stand_on_an_earlier_map(rounds):
    QTest.mouseClick(rounds.evidence.accept_button, LEFT)
    image = int(rounds.loners(rounds.movable)[0])
    rounds.click(rounds.of_image(image))
    rounds.key(Qt.Key.Key_C)
    rounds.answer(Qt.Key.Key_1, Qt.Key.Key_Return)
    overlay = rounds.map.overlay
    assert len(overlay.scene.pinned.places) == 1
    rounds.key(Qt.Key.Key_V)
    assert not len(overlay.scene.pinned.places)
    rounds.key(Qt.Key.Key_V)
    assert len(overlay.scene.pinned.places) == 1


def test_a_decision_leads_back_to_the_present(rounds):
    press(rounds, "Before")
    assert rounds.state.past is not None
    QTest.mouseClick(rounds.evidence.roll_back_button, LEFT)
    assert rounds.state.past is None
    session = rounds.session
    assert session.state.rounds[-1].status is RoundStatus.ROLLED_BACK
    assert np.array_equal(rounds.map.layer.data, rounds.places)


@pytest.mark.parametrize("agrees", [True, False])
def test_an_accepted_round_is_rolled_back_after_a_question(
    window, answer_with, agrees, messages
):
    asked = answer_with(agrees)
    before = window.session.shown
    propose(window.session, 0.8)
    panel = window.bench.evidence
    QTest.mouseClick(panel.accept_button, LEFT)
    accepted = window.session.shown
    assert not panel.accept_button.isEnabled()
    QTest.mouseClick(panel.roll_back_button, LEFT)
    assert "Round 1 is accepted" in asked[0]
    assert window.session.shown is (before if agrees else accepted)
    assert len(window.session.state.log.done) == agrees
    assert panel.roll_back_button.isEnabled() != agrees
    if agrees:
        assert "All rounds are rolled back." in panel.roll_back_button.toolTip()


def test_a_round_is_not_rolled_back_under_later_edits(window, answer_with, messages):
    answer_with(True)
    propose(window.session, 0.8)
    panel = window.bench.evidence
    QTest.mouseClick(panel.accept_button, LEFT)
    window.session.apply(Pin(window.movable[:1], "3"))
    accepted = window.session.shown
    QTest.mouseClick(panel.roll_back_button, LEFT)
    assert window.session.shown is accepted
    assert messages


def test_an_older_round_is_looked_at_beside_the_present(rounds):
    choose(rounds.evidence.rounds, "Round 1")
    assert button(rounds, "Now").isChecked()
    first = rounds.session.state.rounds[0]
    press(rounds, "Before")
    assert np.array_equal(rounds.map.layer.data, places_of(first.before))
    press(rounds, "After")
    assert np.array_equal(rounds.map.layer.data, places_of(first.after))
    press(rounds, "Now")
    assert rounds.state.past is None


def test_any_two_are_compared(rounds):
    panel = rounds.evidence
    own = panel._verdict.text()
    choose(panel.others, "Round 2, rolled back")
    rounds.wait(lambda: panel._verdict.text() != own)
    told = panel._verdict.text() + panel._remarks.text()
    assert "Round 3 is" in told
    assert "better than Round 2, rolled back" in told
    assert "not only edits" in told
    assert not panel.image_buttons["not_followed"].isVisible()
    rolled_back = rounds.session.state.rounds[1].after
    press(rounds, "Round 2")
    assert np.array_equal(rounds.map.layer.data, places_of(rolled_back))
    # What is right now and was wrong then, in the gallery.
    QTest.mouseClick(panel.image_buttons["fixed"], LEFT)
    labels = rounds.session.dataset.labels
    guesses = [
        checkpoint.network.predictions.probabilities.argmax(axis=1)
        for checkpoint in (rolled_back, rounds.session.shown)
    ]
    shown = rounds.bench.gallery.grid.items
    assert len(shown)
    assert (guesses[0][shown] != labels[shown]).all()
    assert (guesses[1][shown] == labels[shown]).all()
    choose(panel.others, "control")
    assert panel._verdict.text() == own


def test_the_history_shows_every_stage_and_leads_to_its_round(rounds):
    history = rounds.evidence.history
    names = [row.name for row in history.rows]
    assert names == ["Start", "Round 1", "Round 2", "Round 3"]
    assert history.rows[2].tone == "muted"
    rounds.evidence._scroll.ensureWidgetVisible(history)
    pitch = history.pitch
    QTest.mouseClick(history, LEFT, pos=QPoint(20, round(1.5 * pitch)))
    assert rounds.evidence.rounds.currentText().startswith("Round 1")
    assert button(rounds, "Now").isChecked()


def test_a_damaged_round_says_so_and_shows_what_there_is(rounds, tmp_path):
    folder = tmp_path / "one.spaceediting"
    save_session(rounds.session.state, folder)
    values = json.loads((folder / "session.json").read_text())
    key = values["rounds"][0]["before"]["map"]["coordinates"]
    file = key.partition("/")[0]
    (folder / "checkpoints" / f"{file}.safetensors").unlink()
    session = Session(load_session(folder, [].append))
    rounds.state.take_session(session, None)
    panel = rounds.evidence
    assert [row.name for row in panel.history.rows] == ["Round 1", "Round 2", "Round 3"]
    choose(panel.rounds, "Round 1")
    assert panel.rounds.currentText().endswith("damaged")
    names = {one.text() for one in panel.side_buttons if one.isVisibleTo(panel)}
    assert "Before" not in names
    press(rounds, "After")
    assert rounds.state.shown is session.state.rounds[0].after


def test_held_out_images_are_named_where_few_are_measured_on(window):
    session, naming = window.session, window.bench.evidence.name_button
    window.state.folder = None
    propose(session, 0.9)
    assert not naming.isVisibleTo(window.bench.evidence), "all of them have a class"
    session.roll_back()
    unnamed = np.flatnonzero(session.dataset.held_out)[:5]
    session.apply(Relabel(unnamed, None))
    propose(session, 0.9)
    assert naming.isVisibleTo(window.bench.evidence)
    naming.click()
    assert set(window.state.selected.tolist()) == set(unnamed.tolist())
