"""The whole loop in a window, by mouse and keyboard, on Fashion-MNIST."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spaceediting.data.fashion_mnist import _local_folder
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel
from napari_spaceediting.session.state import RoundStatus, SessionState

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton
LONGER = 240_000
N_LABELS = 20


def crowd(window, count=25):
    """Return some images that lie close together, well within the canvas."""
    pixels = window.map.viewport.to_canvas(window.places)
    size = np.array(window.map.viewport.size)
    inside = ((pixels > 0.25 * size) & (pixels < 0.75 * size)).all(axis=1)
    free = np.isin(np.arange(len(pixels)), window.movable)
    unlabelled = window.session.edits.labels < 0
    among = np.flatnonzero(inside & free & unlabelled)
    offsets = np.abs(pixels[among][:, None] - pixels[among][None]).max(axis=2)
    middle = np.sort(offsets, axis=1)[:, count].argmin()
    return among[np.argsort(offsets[middle])[:count]]


def home_of(window, name):
    """Return where images of a class lie: the pixel of one amid them."""
    session = window.session
    number = session.edits.class_names.index(name)
    guesses = session.shown.network.predictions.probabilities.argmax(axis=1)
    pixels = window.map.viewport.to_canvas(window.places[guesses == number])
    size = np.array(window.map.viewport.size)
    pixels = pixels[((pixels > 30) & (pixels < size - 30)).all(axis=1)]
    offsets = np.abs(pixels[:, None] - pixels[None]).max(axis=2)
    return QPoint(*pixels[np.sort(offsets, axis=1)[:, 20].argmin()].astype(int))


def same(one, other) -> bool:
    """Return whether two values are equal, arrays among them."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        exact = one.dtype.kind not in "fc"
        return np.array_equal(one, other, equal_nan=not exact)
    return one == other or (one != one and other != other)


def content(state: SessionState) -> dict:
    """Return what makes up a session but for its images, to compare."""
    return {
        "checkpoint": asdict(state.checkpoint),
        "edits": [(type(edit).__name__, vars(edit)) for edit in state.log.done],
        "undone": [(type(edit).__name__, vars(edit)) for edit in state.log.undone],
        "rounds": [
            (
                past.status,
                asdict(past.before),
                asdict(past.after),
                asdict(past.evidence),
            )
            for past in state.rounds
        ],
    }


def press_button(window, section, button):
    window.unfold(section)
    QApplication.processEvents()
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


@pytest.mark.trains
@pytest.mark.skipif(_local_folder() is None, reason="Fashion-MNIST is not here")
def test_the_whole_loop(make_window, messages, tmp_path: Path):
    window = make_window()
    state, bench, editor = window.state, window.bench, window.editor
    panels = window.panels

    # Open, train, map.
    bench.opening.open_sample("fashion_look_alikes", N_LABELS)
    window.wait(lambda: state.has_map, LONGER)
    window.wait(lambda: not state.is_busy, LONGER)
    window.wait_idle()
    session = window.session
    assert session.shown.map.method == "umap"
    assert (session.edits.labels[window.movable] >= 0).sum() >= 5 * N_LABELS
    names = session.edits.class_names
    assert len(names) == 5

    # Lasso a crowd, drag it onto another class and name it by typing.
    images = crowd(window)
    window.key(Qt.Key.Key_L)
    way = window.around(images, 3)
    window.stroke([*way, way[0]])
    chosen = state.selected
    assert np.isin(images, chosen).all()
    assert not session.dataset.held_out[chosen].any()
    held = window.of_image(images[0])
    target = home_of(window, names[1])
    window.drag(held, target, let_go=False)
    assert window.map.overlay.scene.drag_text
    window.release(target)
    window.type(names[1].lower())
    (group,) = session.state.log.done
    assert isinstance(group, Move)
    assert group.intent is Intent.BELONGS
    assert (group.tag, group.indices.tolist()) == (names[1], chosen.tolist())
    assert (session.edits.labels[chosen] == 1).all()
    assert len(window.map.overlay.scene.edited.ends) == len(chosen)
    assert panels.edits.list.count() == 1
    window.key(Qt.Key.Key_Escape)

    # Click and drag one image.
    window.key(Qt.Key.Key_M)
    one = int(window.loners(np.setdiff1d(window.movable, chosen))[0])
    window.click(window.of_image(one))
    assert state.selected.tolist() == [one]
    window.drag(window.of_image(one), home_of(window, names[2]))
    window.answer(Qt.Key.Key_3, Qt.Key.Key_Return)
    assert session.edits.labels[one] == 2

    # Pin, relabel; undo and redo.
    rest = np.setdiff1d(window.movable, [*chosen, one])
    two, three = window.loners(rest)[:2].tolist()
    window.click(window.of_image(two))
    window.key(Qt.Key.Key_C)
    window.answer(Qt.Key.Key_4, Qt.Key.Key_Return)
    window.click(window.of_image(three))
    window.key(Qt.Key.Key_R)
    window.answer(Qt.Key.Key_5, Qt.Key.Key_Return)
    kinds = [type(edit) for edit in session.state.log.done]
    assert kinds == [Move, Move, Pin, Relabel]
    window.key(Qt.Key.Key_Z, CONTROL)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert [type(edit) for edit in session.state.log.done] == [Move, Move]
    window.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    window.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert [type(edit) for edit in session.state.log.done] == kinds

    # Guidance by keys.
    press_button(window, "guidance", panels.guidance.refresh_button)
    window.wait(lambda: bench.review.proposal is not None)
    window.wait_idle()
    first = bench.review.proposal
    window.key(Qt.Key.Key_U)
    assert bench.review.proposal is not first
    assert len(session.state.log.done) == 4
    while bench.review.proposal.tag is None:
        window.key(Qt.Key.Key_U)
    window.key(Qt.Key.Key_Y)
    assert len(session.state.log.done) == 5
    window.key(Qt.Key.Key_N)
    asked = bench.review.proposal
    done = len(session.state.log.done)
    window.key(Qt.Key.Key_E)
    window.answer(Qt.Key.Key_Escape)
    assert bench.review.proposal is asked
    window.key(Qt.Key.Key_E)
    window.answer(Qt.Key.Key_1, Qt.Key.Key_Return)
    assert bench.review.proposal is not asked
    assert len(session.state.log.done) == done + 1
    edits = session.state.log

    # Retrain, and cancel it in the middle.
    before = content(session.state)
    with window.hears(state.training.progressed):
        press_button(window, "retrain", panels.retrain.retrain_button)
    QTest.mouseClick(editor.job_bar.cancel_button, LEFT)
    window.wait(lambda: not state.is_busy)
    assert same(content(session.state), before)
    assert not session.state.rounds

    # Retrain by its key; the evidence shows itself; roll back.
    window.key(Qt.Key.Key_Return, CONTROL)
    assert state.training.is_running
    window.wait(lambda: session.state.proposal is not None, LONGER)
    window.wait(lambda: not state.is_busy, LONGER)
    panel = bench.evidence
    window.wait(panel.isVisible)
    assert session.state.proposal.evidence.verdict().startswith(panel._verdict.text())
    QTest.mouseClick(panel.roll_back_button, LEFT)
    assert session.state.rounds[0].status is RoundStatus.ROLLED_BACK
    now = content(session.state)
    assert same(now["checkpoint"], before["checkpoint"])
    assert same(now["edits"], before["edits"])

    # Retrain once more, and accept.
    press_button(window, "retrain", panels.retrain.retrain_button)
    window.wait(lambda: session.state.proposal is not None, LONGER)
    window.wait(lambda: not state.is_busy, LONGER)
    proposal = session.state.proposal
    QTest.mouseClick(panel.accept_button, LEFT)
    assert session.state.rounds[-1].status is RoundStatus.ACCEPTED
    assert session.state.checkpoint is proposal.after
    assert not session.state.log.done
    assert proposal.edits == edits.done
    assert (session.edits.labels[chosen] == 1).all()
    assert proposal.evidence.n_images > 0
    assert not messages

    # Go on a little, save, and open it in another window.
    window.click(window.of_image(window.loners(window.movable)[0]))
    window.key(Qt.Key.Key_R)
    window.answer(Qt.Key.Key_2, Qt.Key.Key_Return)
    folder = tmp_path / "loop.spaceediting"
    bench.saving.save_to(folder)
    window.wait(lambda: state.path == folder)
    other = make_window()
    copied = shutil.copytree(folder, tmp_path / "copied.spaceediting")
    other.open(copied)
    assert same(content(other.session.state), content(session.state))
    assert np.array_equal(other.places, window.places)
    assert np.array_equal(other.map.layer.data, window.map.layer.data)
    assert other.session.edits.class_names == session.edits.class_names
    assert other.panels.edits.list.count() == 1
    other.key(Qt.Key.Key_Z, CONTROL)
    assert not other.session.state.log.done
    assert len(session.state.log.done) == 1
