from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.traversal.filmstrip import Chance, Strip
from napari_spaceediting.plugin.traversal.panel import TraversalPanel

LEFT = Qt.MouseButton.LeftButton
STEPS = 5
RNG = np.random.default_rng(0)


def a_strip(name="a.png", steps=STEPS):
    pictures = RNG.integers(0, 255, (steps, 28, 28, 3), np.uint8)
    share = np.linspace(0, 1, steps)
    return Strip(
        name,
        "Coat",
        "Shirt",
        pictures,
        np.full_like(pictures, 128),
        ["", *(f"budget 0.{n}" for n in range(1, steps))],
        [step == steps - 1 for step in range(steps)],
        Chance("Coat", "#cc79a7", 1 - share),
        Chance("Shirt", "#0072b2", share),
        np.tile(np.arange(5), (steps, 1)) + np.arange(steps)[:, None],
        [[f"{step}{letter}" for letter in "abcde"] for step in range(steps)],
    )


@pytest.fixture
def empty(shown):
    return shown(TraversalPanel)


@pytest.fixture
def panel(empty):
    empty.resize(900, 320)
    empty.way.real_images.set_thumbnails(
        RNG.integers(0, 255, (20, 16, 16, 3), np.uint8)
    )
    empty.show_result(3)
    empty.show_strip(a_strip())
    return empty


def test_without_a_result_it_says_what_to_do(empty):
    assert empty._empty.isVisible()
    assert not empty.way.isVisible()
    assert not empty.send_button.isVisible()
    empty.set_selection(0)
    assert empty._selected.text() == "No image selected"
    assert "Select images first" in empty.group_button.toolTip()
    empty.set_selection(1200)
    assert empty._selected.text() == "1,200 images"
    assert empty.group_button.isEnabled()


def test_the_target_that_was_chosen_stays_when_others_come(empty, told):
    changes = told(empty.target_changed)
    empty.set_targets(("Coat", "Shirt"), 0)
    empty.choose_target("Shirt")
    empty.set_targets(("Coat", "Shirt", "group"), 0)
    assert empty.target == "Shirt"
    empty.choose_target("group")
    assert empty.target == "group", "a class of that name"
    empty.set_targets(("Coat", "Shirt", "group"), 12)
    assert empty.target == "group"
    empty.choose_target(None)
    assert empty.target is None
    assert empty._target.currentText() == "Group of 12 images"
    assert changes == [], "only the user's own"
    empty.set_targets((), 0)
    assert empty.target == ""


def test_running_offers_to_cancel_once(empty, qtbot, told):
    calls = told(empty.progress.cancel_requested)
    empty.set_running(True)
    empty.progress.report(Progress(30, 120, "Make the images"), 12.4)
    qtbot.mouseClick(empty.progress.cancel_button, LEFT)
    qtbot.mouseClick(empty.progress.cancel_button, LEFT)
    assert calls == [()]
    empty.set_running(False)
    assert not empty.progress.isVisible()


def test_a_result_shows_first_where_it_arrives(panel):
    strip = replace(a_strip(steps=4), passes=[True, False, True, True])
    panel.show_strip(strip)
    assert panel.step == 2
    assert "can pass for a real one" in panel.way._step_text.toolTip()
    panel.way.slider.setValue(1)
    assert not panel.way._step_text.toolTip()


def test_what_never_arrives_shows_its_last_step_first(panel):
    assert not panel._empty.isVisible()
    assert panel.step == STEPS - 1
    assert panel.way._step_text.text() == "Step 4 of 4 · budget 0.4"
    assert "1 of 3" in panel._title.text()
    assert "Coat" in panel._title.text()
    assert panel.previous_button.toolTip().startswith("This is the first image")


def test_classes_that_the_network_does_not_know_have_no_bars(panel):
    height = panel.way.filmstrip.sizeHint().height()
    panel.show_strip(replace(a_strip(), nears=None, goal="a <new> one"))
    assert panel.way.filmstrip.sizeHint().height() < height
    assert panel._title.text().count("●") == 1
    assert "a &lt;new&gt; one" in panel._title.text()
    panel.way.slider.setValue(1)
    assert panel.way.filmstrip.accessibleDescription().endswith(": Coat 75%")
    panel.show_strip(replace(a_strip(), leaves=None, nears=None))
    assert panel.way.filmstrip.accessibleDescription() == "Step 1, budget 0.1"
    panel.grab()


def test_slider_filmstrip_and_keys_go_through_the_steps(panel, told):
    calls = told(panel.way.step_changed)
    panel.way.slider.setValue(2)
    film = panel.way.filmstrip
    place = film.visualItemRect(film.item(1)).center()
    QTest.mouseClick(film.viewport(), LEFT, pos=place)
    QTest.keyClick(film, Qt.Key.Key_Right)
    QTest.keyClick(film, Qt.Key.Key_End)
    QTest.keyClick(film, Qt.Key.Key_Right)
    assert calls == [(2,), (1,), (2,), (4,)]
    assert panel.way.slider.value() == 4
    assert "Step 4, budget 0.4: Coat 0%, Shirt 100%" in film.accessibleDescription()


def test_another_image_keeps_the_step(panel, qtbot, told):
    calls = told(panel.image_changed)
    panel.way.slider.setValue(2)
    qtbot.mouseClick(panel.next_button, LEFT)
    assert calls == [(1,)]
    panel.show_strip(a_strip("b.png"))
    assert (panel.image, panel.step) == (1, 2)
    assert "2 of 3" in panel._title.text()
    # A path of other length begins at its end.
    panel.show_strip(a_strip("c.png", steps=3))
    assert panel.step == 2
    panel.show_result(1)
    assert panel.image == 0
    assert not panel.next_button.isVisible()


def test_it_plays_there_and_back_until_it_is_hidden(panel, qtbot, told):
    panel.way._timer.setInterval(1)
    calls = told(panel.way.step_changed)
    qtbot.mouseClick(panel.way.play_button, LEFT)
    assert panel.way.play_button.text() == "Stop"
    qtbot.waitUntil(lambda: len(calls) > 9)
    assert [step for (step,) in calls[:9]] == [0, 1, 2, 3, 4, 3, 2, 1, 0]
    panel.hide()
    assert not panel.way.play_button.isChecked()
    panel.show()
    assert panel.way.play_button.text() == "Play"


def test_a_step_that_is_chosen_stops_the_play(panel, qtbot):
    qtbot.mouseClick(panel.way.play_button, LEFT)
    panel.way.filmstrip.setCurrentRow(3)
    assert not panel.way.play_button.isChecked()
    assert panel.step == 3


def test_it_tells_when_it_is_seen_and_when_not(panel, told):
    calls = told(panel.seen_changed)
    panel.hide()
    assert not panel.is_seen
    panel.show()
    assert panel.is_seen
    assert calls == [(False,), (True,)]


def test_real_images_are_named_and_can_be_chosen(panel, told):
    calls = told(panel.way.real_images.chosen)
    panel.way.slider.setValue(2)
    real = panel.way.real_images
    assert real.accessibleDescription() == "2a, 2b, 2c, 2d, 2e"
    second = real.visualItemRect(real.item(1))
    QTest.mouseClick(real.viewport(), LEFT, pos=second.center())
    QTest.mouseClick(real.viewport(), LEFT, pos=real.viewport().rect().bottomRight())
    assert calls == [(3,)]


def test_the_large_picture_shows_the_original_while_pressed(panel):
    picture = panel.way.picture

    def shown():
        image = picture.grab().toImage()
        return image.pixelColor(picture.width() // 2, picture.height() // 2)

    strip = a_strip()
    pictures = np.zeros_like(strip.pictures)
    pictures[-1] = 255
    panel.show_strip(replace(strip, pictures=pictures))
    assert shown().red() == 255
    QTest.mousePress(picture, LEFT)
    assert shown().red() == 0
    QTest.mouseRelease(picture, LEFT)
    assert shown().red() == 255


@pytest.mark.parametrize(("width", "steps"), [(350, 7), (350, 9), (900, 9)])
def test_it_fits_a_narrow_dock(panel, qtbot, width, steps):
    panel.show_strip(a_strip(steps=steps))
    panel.set_selection(3)
    panel.set_targets(("Coat", "Shirt"), 0)
    panel.layers_button.setChecked(True)
    panel.resize(width, 900)
    parts = (
        panel.run_button,
        panel.way.filmstrip,
        panel.way.real_images,
        panel.way.slider,
    )

    def right_edges():
        return [part.mapTo(panel, QPoint(part.width(), 0)).x() for part in parts]

    # The parts within the scroll area are laid out after it.
    qtbot.waitUntil(lambda: max(right_edges()) <= width)
    assert all(part.width() > 0 for part in parts)
    film = panel.way.filmstrip
    last = film.visualItemRect(film.item(steps - 1))
    assert film.viewport().rect().contains(last)


def test_what_waits_is_told(empty, qtbot, told):
    decided, back = told(empty.decide_requested), told(empty.put_back_requested)
    assert not empty._waiting.isVisible()
    empty.show_waiting("Move 3 images: these are …")
    assert "Move 3 images" in empty._waiting_text.text()
    qtbot.mouseClick(empty.decide_button, LEFT)
    qtbot.mouseClick(empty.put_back_button, LEFT)
    assert (decided, back) == ([()], [()])
    empty.show_waiting("")
    assert not empty._waiting.isVisible()
