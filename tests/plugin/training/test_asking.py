"""What takes long is asked before it begins, and ended when it is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.network import estimating
from napari_spaceediting.plugin.training.asking import NOT_NOW, SAMPLE, START

LEFT = Qt.MouseButton.LeftButton
pytestmark = pytest.mark.trains


@pytest.fixture
def opened(make_window, monkeypatch):
    """Return a window whose digits take long: a tenth of a second is long here."""
    monkeypatch.setattr(estimating, "LONG", 0.01)
    monkeypatch.setattr(estimating, "_FEWEST", 100)
    monkeypatch.setattr(estimating, "_SAMPLE_SECONDS", 0.0)
    window = make_window()
    window.bench.opening.open_sample("digits", 5)
    return window


def question(window):
    """Wait for the question, and return it."""

    def asked():
        box = QApplication.activeModalWidget()
        return box if isinstance(box, QMessageBox) else None

    window.wait(asked)
    return asked()


def press(box, title):
    button = next(each for each in box.buttons() if each.text() == title)
    QTest.mouseClick(button, LEFT)


def test_not_now_trains_nothing_and_the_window_goes_on(opened, monkeypatch):
    box = question(opened)
    assert box.text().startswith("This takes about ")
    assert "small_cnn learns from" in box.informativeText()
    assert "It grows with the number of images" in box.informativeText()
    titles = [button.text() for button in box.buttons()]
    assert set(titles) == {SAMPLE, START, NOT_NOW}
    assert box.defaultButton().text() == SAMPLE
    QTest.keyClick(box, Qt.Key.Key_Escape)
    opened.wait_idle()
    assert opened.session.is_untouched
    train = opened.panels.network.train_button
    opened.unfold("network")
    QTest.mouseClick(train, LEFT)
    press(question(opened), NOT_NOW)
    opened.wait_idle()
    assert opened.session.is_untouched
    # What does not take long is not asked.
    monkeypatch.setattr(estimating, "LONG", float("inf"))
    QTest.mouseClick(train, LEFT)
    opened.wait(lambda: opened.state.has_map)


def test_a_sample_is_a_session_of_its_own_that_trains(opened, monkeypatch):
    box, whole = question(opened), opened.session
    assert "100 images" in box.informativeText()
    monkeypatch.setattr(estimating, "LONG", float("inf"))
    press(box, SAMPLE)
    opened.wait(lambda: opened.session is not whole)
    opened.wait(lambda: opened.state.has_map)
    opened.wait_idle()
    assert len(opened.session.dataset) == 100
    assert opened.session.dataset.name == f"100 of {whole.dataset.name}"
    assert len(opened.state.thumbnails) == 100


def test_a_training_that_is_enough_is_mapped(opened):
    network = opened.panels.network
    press(question(opened), NOT_NOW)
    opened.unfold("network")
    network.more_form.field("epochs").value = 10_000
    network.more_form.field("latent_dim").value = 8
    assert not network.stop_button.isVisible()
    QTest.mouseClick(network.train_button, LEFT)
    press(question(opened), START)
    opened.wait(network.stop_button.isVisible)
    QTest.mouseClick(network.stop_button, LEFT)
    assert not network.stop_button.isEnabled()
    opened.wait(lambda: opened.state.has_map)
    opened.wait_idle()
    assert not network.stop_button.isVisible()
    assert opened.session.state.checkpoint.network is not None
    assert len(opened.session.dataset) > 100


def test_a_session_with_work_is_offered_no_sample(opened):
    press(question(opened), START)
    opened.wait(lambda: opened.state.has_map)
    opened.wait_idle()
    opened.bench.training.train(*opened.panels.network.settings())
    box = question(opened)
    assert {button.text() for button in box.buttons()} == {START, NOT_NOW}
    assert box.defaultButton().text() == NOT_NOW
    press(box, NOT_NOW)


def test_retraining_the_whole_network_is_asked_before(opened):
    press(question(opened), START)
    opened.wait(lambda: opened.state.has_map)
    opened.wait_idle()
    session, retrain = opened.session, opened.bench.training.retrain
    some = np.flatnonzero(~session.dataset.held_out)[:10]
    session.apply(Relabel(some, "three"))
    wanted = replace(session.state.retrain, trainable="all", steps=2)
    retrain(wanted)
    box = question(opened)
    assert "small_cnn sees 1,024 images" in box.informativeText()
    assert box.defaultButton().text() == NOT_NOW
    press(box, NOT_NOW)
    opened.wait_idle()
    assert session.state.proposal is None
    retrain(wanted)
    press(question(opened), START)
    opened.wait(lambda: session.state.proposal is not None)
