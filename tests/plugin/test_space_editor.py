import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QScrollArea

from napari_spaceediting.plugin.space_editor import SpaceEditor

LEFT = Qt.MouseButton.LeftButton
KEYS = ("data", "network", "map", "guidance", "edits", "retrain")


@pytest.fixture
def editor(shown):
    return shown(SpaceEditor)


def test_the_steps_come_in_the_order_of_work(editor):
    tops = [editor.section(key).y() for key in KEYS]
    assert tops == sorted(tops)
    assert len(set(tops)) == len(KEYS)


def test_the_job_bar_is_there_only_while_something_runs(editor):
    assert not editor.job_bar.isVisible()
    editor.job_bar.start("Train")
    assert editor.job_bar.isVisible()


def test_a_step_that_waits_is_folded_and_says_for_what(editor):
    editor.set_status("map", "UMAP", "done")
    editor.set_available("map", False, "Train a network first")
    header = editor.section("map")._header
    assert not editor.section("map").is_open
    assert header.status == "Train a network first"
    assert not editor.map.redraw_button.isEnabled()
    editor.set_status("map", "PCA", "done")
    assert header.status == "Train a network first"
    editor.set_available("map", True)
    assert (header.status, header.state) == ("PCA", "done")
    assert editor.map.redraw_button.isEnabled()


@pytest.mark.parametrize("key", KEYS)
def test_an_opened_step_comes_into_view(editor, qtbot, key):
    editor.resize(340, 300)
    for other in KEYS:
        editor.fold_section(other)
    editor.open_section("data")
    editor.open_section(key)
    area = editor.findChild(QScrollArea)
    section = editor.section(key)
    assert section.is_open

    def title_is_seen():
        top = section.mapTo(area.viewport(), section.rect().topLeft()).y()
        return 0 <= top < area.viewport().height()

    qtbot.waitUntil(title_is_seen)


def test_a_fold_by_hand_stays(editor, qtbot):
    section = editor.section("data")
    qtbot.mouseClick(section._header, LEFT)
    assert not section.is_open
    editor.set_status("data", "2,000 images")
    assert not section.is_open


def test_the_dock_can_be_as_narrow_as_340_pixels(editor, qtbot):
    for key in KEYS:
        editor.open_section(key)
    for panel in (editor.network, editor.retrain):
        panel.more.click()
    editor.resize(340, 500)
    area = editor.findChild(QScrollArea)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()


def test_everything_that_can_be_used_says_what_it_does(editor):
    for key in KEYS:
        section = editor.section(key)
        for kind in (QAbstractButton, QComboBox):
            for widget in section.findChildren(kind):
                own = widget.parentWidget()
                inner = own is not None and own.metaObject().className() in (
                    "QLineEdit",
                    "QScrollBar",
                )
                assert inner or widget.toolTip(), (key, widget)


def test_a_change_of_theme_reaches_every_panel(editor, light, qtbot):
    editor.set_theme(light)
    for key in KEYS:
        editor.open_section(key)
    assert light.text in editor.data._heading.styleSheet()
    assert light.current in editor.retrain.retrain_button.styleSheet()
    assert not editor.grab().isNull()
