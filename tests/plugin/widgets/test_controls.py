from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_spaceediting.plugin.widgets.controls import (
    Gate,
    choose,
    column,
    combo,
    refill,
    scrolled,
)
from napari_spaceediting.plugin.widgets.section import Disclosure

LEFT = Qt.MouseButton.LeftButton


def test_a_closed_gate_says_why_and_keeps_what_is_blocked_by_itself(qtbot):
    free, blocked = QPushButton(), QPushButton()
    qtbot.addWidget(free)
    qtbot.addWidget(blocked)
    gate = Gate()
    gate.add(free, "Does this")
    gate.add(blocked, "Does that")
    gate.block(blocked, "Nothing is selected")

    gate.close("A job is running")
    assert not free.isEnabled()
    assert free.toolTip() == "A job is running\n\nDoes this"
    gate.close("")
    assert free.isEnabled()
    assert free.toolTip() == "Does this"
    assert not blocked.isEnabled()
    assert blocked.toolTip().startswith("Nothing is selected")

    gate.block(blocked, "")
    assert blocked.isEnabled()


def test_a_refilled_combo_keeps_its_choice_and_is_silent(qtbot, told):
    box = combo("", [("a", "A"), ("b", "B")])
    qtbot.addWidget(box)
    choose(box, "b")
    calls = told(box.currentIndexChanged)
    refill(box, [("c", "C"), ("b", "B")])
    assert box.currentData() == "b"
    refill(box, [("c", "C")])
    assert box.currentData() == "c"
    choose(box, "unknown")
    assert box.currentData() == "c"
    assert calls == []


def test_a_disclosure_shows_and_hides_by_mouse_and_key(qtbot):
    content = QLabel("inside")
    title = Disclosure("More", content, "")
    qtbot.addWidget(content)
    qtbot.addWidget(title)
    title.show()
    assert content.isHidden()
    qtbot.mouseClick(title, LEFT)
    assert not content.isHidden()
    qtbot.keyClick(title, Qt.Key.Key_Space)
    assert content.isHidden()


def test_what_is_too_wide_pushes_nothing_out_of_view(qtbot):
    body = QWidget()
    layout = column(body)
    wide, usual = QPushButton("a name without an end " * 9), QPushButton("usual")
    layout.addWidget(wide)
    layout.addWidget(usual)
    area = scrolled(body)
    qtbot.addWidget(area)
    area.resize(200, 100)
    area.show()
    qtbot.waitExposed(area)
    assert body.width() == area.viewport().width()
    area.ensureWidgetVisible(wide, 0, 0)
    assert usual.visibleRegion().boundingRect().left() == 0
    assert usual.width() <= 200
