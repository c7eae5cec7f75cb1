from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spaceediting.colours import named_colours
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.traversal.coming import Coming
from napari_spaceediting.plugin.traversal.panel import TraversalPanel
from napari_spaceediting.plugin.traversal.strip import Chance, Pictures, Strip
from napari_spaceediting.plugin.widgets.palette import to_qcolor
from napari_spaceediting.traversal.filmstrip import changes_to_rgb, largest_change
from napari_spaceediting.traversal.result import Asked

LEFT = Qt.MouseButton.LeftButton
STEPS = 5
RNG = np.random.default_rng(0)


def a_strip(name="a.png", steps=STEPS, to_come=0):
    images = RNG.random((steps, 3, 28, 28), np.float32)
    share = np.linspace(0, 1, steps)
    return Strip(
        name,
        "Coat",
        "Shirt",
        Pictures(images),
        steps - 1 + to_come,
        Chance("Coat", "#cc79a7", 1 - share),
        Chance("Shirt", "#0072b2", share),
        ["", *(f"budget 0.{n}" for n in range(1, steps + to_come))],
        [step == steps - 1 for step in range(steps)],
        [True] * steps,
        np.tile(np.arange(5), (steps, 1)) + np.arange(steps)[:, None],
        [[f"{step}{letter}" for letter in "abcde"] for step in range(steps)],
    )


def centre(picture):
    """Return the colour in the middle of a large picture."""
    image = picture.grab().toImage()
    colour = image.pixelColor(picture.width() // 2, picture.height() // 2)
    return colour.red(), colour.green(), colour.blue()


@pytest.fixture
def empty(shown):
    return shown(TraversalPanel)


@pytest.fixture
def panel(empty):
    empty.resize(900, 320)
    thumbnails = RNG.integers(0, 255, (20, 16, 16, 3), np.uint8)
    empty.way.real_images.picture_of = thumbnails.__getitem__
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
    changes = told(empty.targets.activated)
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
    assert empty.targets.currentText() == "Group of 12 images"
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
    assert "can pass for a real one" in panel.way._verdict.toolTip()
    panel.way.slider.setValue(1)
    assert not panel.way._verdict.toolTip()


def test_what_never_arrives_shows_its_last_step_first(panel):
    assert not panel._empty.isVisible()
    assert panel.step == STEPS - 1
    assert panel.way._step_text.text() == "Step 4 · budget 0.4"
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


def test_the_nearest_real_image_is_as_large_as_the_step(panel, told):
    calls = told(panel.way.real_images.chosen)
    real, text = panel.way.real_images, panel.way._real_text
    thumbnails = (
        np.zeros((20, 16, 16, 3), np.uint8)
        + np.arange(20, dtype=np.uint8)[:, None, None, None]
    )
    real.picture_of = thumbnails.__getitem__
    real.refresh()
    panel.way.slider.setValue(1)
    panel.way.slider.setValue(2)
    assert real.picture.size() == panel.way.picture.size()
    assert centre(real.picture) == (2, 2, 2)
    assert text.text() == "Nearest real · 2a"
    # Another one for as long as the pointer is on it.
    QTest.mouseMove(real.viewport(), real.visualItemRect(real.item(0)).center())
    QTest.mouseMove(real.viewport(), real.visualItemRect(real.item(1)).center())
    assert text.text() == "Nearest real · 2b"
    assert centre(real.picture) == (3, 3, 3)
    # In full, once it has been read.
    read = [*thumbnails]
    read[3] = np.full((90, 90, 3), 200, np.uint8)
    real.picture_of = read.__getitem__
    real.refresh()
    assert centre(real.picture) == (200, 200, 200)
    QTest.mouseClick(real.picture, LEFT)
    assert calls == [(3,)]
    panel.way.slider.setValue(3)
    assert text.text() == "Nearest real · 3a"


def test_the_large_picture_shows_the_original_while_pressed(panel):
    picture = panel.way.picture
    images = np.zeros((STEPS, 3, 28, 28), np.float32)
    images[-1] = 1
    panel.show_strip(replace(a_strip(), pictures=Pictures(images)))
    assert centre(picture) == (255, 255, 255)
    QTest.mousePress(picture, LEFT)
    assert centre(picture) == (0, 0, 0)
    QTest.mouseRelease(picture, LEFT)
    assert centre(picture) == (255, 255, 255)


def test_what_changed_is_drawn_over_the_images(panel, qtbot):
    way = panel.way
    images = np.full((STEPS, 3, 28, 28), 0.5, np.float32)
    images[-1] += 0.4
    panel.show_strip(replace(a_strip(), pictures=Pictures(images)))
    plain = way.filmstrip.grab().toImage()
    qtbot.mouseClick(way.changes_button, LEFT)
    lighter = changes_to_rgb(images, largest_change(images))[-1, 0, 0]
    assert centre(way.picture) == tuple(lighter.tolist())
    assert way.filmstrip.grab().toImage() != plain, "over the small ones, too"
    assert "lighter" in way._legend.text()
    assert way._legend.isVisible()
    QTest.mousePress(way.picture, LEFT)
    assert len(set(centre(way.picture))) == 1, "the original as it is"
    QTest.mouseRelease(way.picture, LEFT)
    # It is remembered.
    panel.show_result(0)
    panel.show_result(1)
    panel.show_strip(a_strip())
    assert way.changes_button.isChecked()
    qtbot.mouseClick(way.changes_button, LEFT)
    assert not way._legend.isVisible()


def test_large_images_are_small_where_they_are_shown_small():
    images = RNG.random((3, 2, 448, 500), np.float32)
    pictures = Pictures(images)
    assert pictures.draw(1).shape == (448, 500, 3)
    assert pictures.draw(1, changes=True).shape == (448, 500, 3)
    for changes in (False, True):
        assert pictures.draw(1, changes=changes, small=True).shape == (112, 125, 3)
    flat = Pictures(np.full((2, 3, 448, 448), 0.6, np.float32))
    assert (flat.draw(1, small=True) == flat.draw(1)[::4, ::4]).all()


def test_steps_to_come_are_empty_and_cannot_be_reached(panel):
    way, film = panel.way, panel.way.filmstrip
    panel.show_result(0)
    panel.show_result(1)
    for made in range(1, 4):
        panel.show_strip(a_strip(steps=made, to_come=6 - made))
        assert film.count() == 6
        assert panel.step == made - 1, "the newest"
    assert film.item(4).toolTip() == "Step 4 is not made"
    place = film.visualItemRect(film.item(4)).center()
    QTest.mouseClick(film.viewport(), LEFT, pos=place)
    QTest.keyClick(way.slider, Qt.Key.Key_End)
    assert panel.step == 2
    film.setFocus()
    QTest.keyClick(film, Qt.Key.Key_Right)
    assert (panel.step, film.currentRow()) == (2, 2)
    # The step that was chosen stays when more come; they can be reached then.
    way.slider.setValue(1)
    panel.show_strip(a_strip(steps=6))
    assert panel.step == 1
    QTest.keyClick(way.slider, Qt.Key.Key_End)
    assert panel.step == 5


def test_places_of_the_slider_lie_below_the_steps(panel):
    way = panel.way
    for steps in (3, 9):
        panel.show_strip(a_strip(steps=steps))
        for step in (0, 1, steps - 1):
            way.slider.setValue(step)
            cell = way.filmstrip.visualItemRect(way.filmstrip.item(step))
            above = way.filmstrip.viewport().mapTo(panel, cell.center())
            below = way.slider.mapTo(panel, way.slider.handle().center())
            assert abs(above.x() - below.x()) <= 2


def test_marks_and_words_say_which_steps_to_trust(panel):
    way, said = panel.way, np.array([0, 0.3, 0.85, 0.9, 0.95])
    strip = replace(
        a_strip(),
        passes=[False, False, False, True, True],
        own=[True, True, True, True, False],
        nears=Chance("Shirt", "#0072b2", said),
    )
    panel.show_strip(strip)
    assert (strip.sure, strip.foreign, panel.step) == (2, 4, 3)
    for step, words in enumerate(
        (
            " ",
            "The network is not sure yet",
            "The network is sure",
            "The network is sure",
            "The network is sure; no longer nearest to its own original: another "
            "person or thing, perhaps",
        )
    ):
        way.slider.setValue(step)
        assert way._verdict.text() == words
    tip = way.slider.toolTip()
    assert "Green, from step 2 on: the network is sure" in tip
    assert "Orange, from step 4 on: no longer nearest to its own original" in tip
    gain, loss = to_qcolor(panel._palette.gain), to_qcolor(panel._palette.loss)
    picture = way.slider.grab().toImage()
    row = [picture.pixelColor(x, picture.height() - 2) for x in range(picture.width())]
    at = []
    for step in range(STEPS):
        way.slider.setValue(step)
        at.append(way.slider.handle().center().x())
    assert at[1] < row.index(gain) < at[2]
    assert at[3] < row.index(loss) < at[4]

    # Where the network does not know the target, arrival alone says so.
    strip = replace(strip, nears=None, own=[True] * 5)
    panel.show_strip(strip)
    assert (strip.sure, strip.foreign) == (3, None)
    way.slider.setValue(1)
    assert way._verdict.text() == " "
    assert "Orange" not in way.slider.toolTip()


def test_how_images_are_made_can_be_chosen(empty):
    assert empty.regime is None
    qt_box = empty._regime
    empty.options_button.setChecked(True)
    assert qt_box.isVisible()
    assert "changing the original itself" in qt_box.toolTip()
    QTest.keyClick(qt_box, Qt.Key.Key_Down)
    assert (qt_box.currentText(), empty.regime) == ("Photographs", "features")
    QTest.keyClick(qt_box, Qt.Key.Key_Down)
    assert empty.regime == "mixtures"


@pytest.mark.parametrize(("width", "steps"), [(350, 7), (350, 9), (900, 9)])
def test_it_fits_a_narrow_dock(panel, qtbot, width, steps):
    panel.show_strip(a_strip(steps=steps))
    panel.set_selection(3)
    panel.set_targets(("Coat", "Shirt"), 0)
    panel.options_button.setChecked(True)
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


def test_what_waits_is_told(empty):
    assert not empty._waiting.isVisible()
    empty.show_waiting("Move 3 images: these are …")
    assert "Move 3 images" in empty._waiting_text.text()
    empty.show_waiting("")
    assert not empty._waiting.isVisible()


def test_a_way_has_the_colours_that_classes_were_given():
    asked = Asked(np.array([1]), 0, "one", ("one", "two"))
    colours = named_colours(asked.class_names, {"one": "#010203", "two": "#040506"})
    picture, said = np.zeros((8, 8, 3), np.uint8), np.array([0.25, 0.75], np.float32)
    coming = Coming(asked, np.array([3]), 2)
    strip = coming.strip(0, np.array(list("abcd")), picture, said, colours)
    for chance, at in (strip.leaves, 1), (strip.nears, 0):
        np.testing.assert_allclose(chance.colour, colours[at], atol=1e-6)
