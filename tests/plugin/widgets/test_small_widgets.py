import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.training.curve import TrainingCurve, thin_out
from napari_spaceediting.plugin.widgets.class_keys import ClassKeys
from napari_spaceediting.plugin.widgets.controls import (
    column,
    dress,
    scrolled,
    set_progress,
    thin_bar,
    word_label,
)
from napari_spaceediting.plugin.widgets.job_bar import JobBar, remaining_in_words
from napari_spaceediting.plugin.widgets.section import DONE, Section

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


# JobBar


@pytest.fixture
def bar(host):
    bar = JobBar("Stop this job")
    bar.setParent(host)
    return bar


def test_job_bar_is_hidden_until_a_job_starts(bar):
    assert not bar.isVisible()
    bar.start("Draw the map")
    assert bar.isVisible()
    assert bar._progress.maximum() == 0  # nobody knows how long


def test_job_bar_reports(bar):
    bar.start("Draw the map")
    bar.report(Progress(30, 120, "Epoch 30"), 12.4)
    assert (bar._progress.value(), bar._progress.maximum()) == (30, 120)
    assert bar._message.text() == "Epoch 30"
    assert bar._remaining.text() == "about 12 s left"
    bar.report(Progress(5, 0))
    assert bar._progress.maximum() == 0


def test_cancel_is_asked_once_and_offered_again_for_the_next_job(bar):
    told = []
    bar.cancel_requested.connect(lambda: told.append(1))
    bar.start("Draw the map")
    QTest.mouseClick(bar.cancel_button, LEFT)
    QTest.mouseClick(bar.cancel_button, LEFT)
    assert told == [1]
    bar.start("Draw the map")
    assert bar.cancel_button.isEnabled()


def test_finished_job_has_no_cancel(bar):
    bar.start("Draw the map")
    bar.finish("The map is drawn.")
    assert bar._message.text() == "The map is drawn."
    assert not bar.cancel_button.isVisible()


def test_failure_stays_until_dismissed(bar):
    bar.start("Train")
    bar.finish("Done.")
    bar.fail("Out of memory.")
    assert not bar._timer.isActive()
    assert bar._message.text() == "Out of memory."
    QTest.mouseClick(bar.dismiss_button, LEFT)
    assert not bar.isVisible()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.3, "nearly done"),
        (12.2, "about 12 s left"),
        (43, "about 45 s left"),
        (100, "about 2 min left"),
        (3600, "about 1 h left"),
        (4200, "about 1 h 10 min left"),
    ],
)
def test_remaining_time_in_words(seconds, words):
    assert remaining_in_words(seconds) == words


# TrainingCurve


def test_curve_tells_the_last_figures(qtbot, palette):
    curve = TrainingCurve()
    curve.set_theme(palette)
    qtbot.addWidget(curve)
    assert not curve.words()
    curve.grab()
    curve.append(1, 2.0, 0.5)
    curve.grab()
    curve.append(2, 1.5)
    curve.append(3, float("nan"), 0.4)
    assert curve.words() == "loss 1.5 · validation 40.0% (best 50.0%)"
    curve.grab()
    curve.clear()
    assert not curve.words()


def test_curve_can_show_accuracy_alone(qtbot, palette):
    curve = TrainingCurve()
    curve.set_theme(palette)
    qtbot.addWidget(curve)
    curve.append(1, float("nan"), 0.25)
    assert curve.words() == "validation 25.0%"
    curve.grab()


def test_long_series_are_averaged_and_keep_the_last_value():
    series = np.column_stack([np.arange(1003.0), np.arange(1003.0)])
    steps, values = thin_out(series, 100).T
    assert len(steps) <= 101
    assert values[-1] == 1002
    assert (np.diff(steps) > 0).all()
    np.testing.assert_array_equal(thin_out(series[:5], 100)[:, 0], np.arange(5.0))


# Section


@pytest.fixture
def section(qtbot, palette):
    widget = Section(2, "Map", QLabel("body"))
    dress(widget, palette)
    qtbot.addWidget(widget)
    widget.resize(350, 200)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_section_folds_by_mouse_and_keyboard(section):
    QTest.mouseClick(section.header, LEFT)
    assert not section.body.isVisible()
    QTest.keyClick(section.header, Qt.Key.Key_Space)
    assert section.body.isVisible()
    section.set_open(False)
    assert not section.body.isVisible()
    assert not section.is_open


def test_section_status_is_told_in_full_by_the_tooltip(section):
    section.set_status("UMAP of 2,000 images", DONE)
    assert "UMAP of 2,000 images" in section.header.toolTip()
    assert section.header.accessibleDescription() == "done: UMAP of 2,000 images"
    section.grab()


def test_keys_of_many_classes_take_no_more_room_than_their_rows(qtbot):
    dock, keys, rest = QWidget(), ClassKeys(), QWidget()
    qtbot.addWidget(dock)
    layout = QVBoxLayout(dock)
    layout.addWidget(keys)
    layout.addWidget(rest, 1)
    keys.show_classes(
        [f"person {n}" for n in range(30)], [chr(65 + n) for n in range(30)]
    )
    one_row = keys.buttons["A"].sizeHint().height()
    assert dock.minimumSizeHint().height() < 3 * one_row
    dock.resize(650, 400)
    dock.show()
    assert keys.height() == keys.heightForWidth(keys.width()) > one_row
    assert rest.height() > keys.height()


def test_progress_is_painted_with_all_else_and_not_at_once(host, qtbot):
    layout, bar, painted = QVBoxLayout(host), thin_bar("Progress"), []

    class Watch(QObject):
        def eventFilter(self, _watched, event):
            if event.type() == QEvent.Type.Paint:
                painted.append(bar.value())
            return False

    layout.addWidget(bar)
    qtbot.waitUntil(bar.isVisible)
    watch = Watch()
    bar.installEventFilter(watch)
    for done in range(1, 9):
        set_progress(bar, done, 10)
    assert not painted
    qtbot.waitUntil(lambda: 8 in painted)


def test_a_section_with_a_long_word_is_as_high_as_its_text_needs(host, qtbot):
    content = QWidget()
    inside = QVBoxLayout(content)
    text = word_label("text", "Words that break into lines. " * 8)
    for part in (QPushButton("A button whose text is too long for a dock " * 2), text):
        inside.addWidget(part)
    section, below = Section(1, "Guidance", content), QWidget()
    column(below, 0).addWidget(section)
    below.layout().addStretch(1)
    area = scrolled(below)
    QVBoxLayout(host).addWidget(area)
    host.resize(300, 500)
    qtbot.waitUntil(lambda: 0 < text.width() < 300)
    qtbot.waitUntil(lambda: text.height() >= text.heightForWidth(text.width()))
