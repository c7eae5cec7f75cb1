import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QScrollArea

from napari_spaceediting.plugin.space_editor import SpaceEditor
from napari_spaceediting.plugin.status import Folding, SectionState, Step
from napari_spaceediting.plugin.workbench import Panels

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panels():
    return Panels()


@pytest.fixture
def editor(shown, panels):
    return shown(SpaceEditor, panels=panels.by_step())


def unfold(editor, *steps):
    editor.fold(Folding(steps))


def test_the_steps_come_in_the_order_of_work(editor):
    tops = [editor.section(key).y() for key in Step]
    assert tops == sorted(tops)
    assert len(set(tops)) == len(Step)


def test_the_job_bar_moves_no_control(editor):
    header = editor.section("data").header
    before = header.mapTo(editor, QPoint(0, 0))
    editor.job_bar.start("Train")
    QApplication.processEvents()
    assert editor.job_bar.height() > 0
    assert header.mapTo(editor, QPoint(0, 0)) == before


def test_the_job_bar_is_there_only_while_something_runs(editor):
    assert not editor.job_bar.isVisible()
    editor.job_bar.start("Train")
    assert editor.job_bar.isVisible()


def test_a_step_that_waits_is_folded_and_says_for_what(editor, panels):
    closed = SectionState("UMAP", "done", closed="Train a network first")
    editor.show_states({Step.MAP: closed})
    section = editor.section("map")
    assert not section.is_open
    assert section.status.text() == "Train a network first"
    assert section._badge.text() == "3"
    assert not panels.map.redraw_button.isEnabled()
    assert "Train a network first" in panels.map.redraw_button.toolTip()
    editor.show_states({Step.MAP: SectionState("PCA", "done")})
    assert section.status.text() == "PCA"
    assert section._badge.text() == "✓"
    assert panels.map.redraw_button.isEnabled()


def test_a_step_that_is_blocked_stays_open_and_says_why(editor, panels):
    editor.show_states({Step.RETRAIN: SectionState("running", blocked="Wait")})
    assert editor.section("retrain").is_open
    assert editor.section("retrain").status.text() == "running"
    assert panels.retrain.retrain_button.toolTip().startswith("Wait")


@pytest.mark.parametrize("key", list(Step))
def test_an_opened_step_comes_into_view(editor, qtbot, key):
    editor.resize(340, 300)
    editor.fold(Folding((Step.DATA,), tuple(Step)))
    unfold(editor, key)
    area = editor.findChild(QScrollArea)
    section = editor.section(key)
    assert section.is_open

    def title_is_seen():
        top = section.mapTo(area.viewport(), section.rect().topLeft()).y()
        return 0 <= top < area.viewport().height()

    qtbot.waitUntil(title_is_seen)


def test_a_fold_by_hand_stays(editor, qtbot):
    section = editor.section("data")
    qtbot.mouseClick(section.header, LEFT)
    assert not section.is_open
    editor.show_states({Step.DATA: SectionState("2,000 images", "done")})
    assert not section.is_open


def test_the_dock_can_be_as_narrow_as_340_pixels(editor, panels):
    unfold(editor, *Step)
    for panel in (panels.network, panels.retrain):
        panel.more.click()
    editor.resize(340, 500)
    area = editor.findChild(QScrollArea)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()


def test_everything_that_can_be_used_says_what_it_does(editor):
    for key in Step:
        section = editor.section(key)
        for kind in (QAbstractButton, QComboBox):
            for widget in section.findChildren(kind):
                own = widget.parentWidget()
                inner = own is not None and own.metaObject().className() in (
                    "QLineEdit",
                    "QScrollBar",
                )
                assert inner or widget.toolTip(), (key, widget)


def test_a_change_of_theme_reaches_every_panel(editor, panels, light):
    editor.set_theme(light)
    unfold(editor, *Step)
    assert light.text in editor.styleSheet()
    heading = panels.data._heading.palette().windowText().color()
    assert heading.name() == light.text
    assert light.current in editor.styleSheet()
    assert not editor.grab().isNull()
