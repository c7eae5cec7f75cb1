import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel, QPushButton

from napari_spaceediting.plugin.widgets.controls import (
    Disclosure,
    Gate,
    NumberBox,
    choose,
    combo,
    refill,
    spin_box,
)

LEFT = Qt.MouseButton.LeftButton


def test_a_closed_gate_says_why_and_keeps_what_is_blocked_by_itself(qtbot):
    free, blocked = QPushButton(), QPushButton()
    qtbot.addWidget(free)
    qtbot.addWidget(blocked)
    gate = Gate()
    gate.add(free, "Does this")
    gate.add(blocked, "Does that")
    gate.block(blocked, "Nothing is selected")

    gate.set_enabled(False, "A job is running")
    assert not free.isEnabled()
    assert free.toolTip() == "A job is running\n\nDoes this"
    gate.set_enabled(True)
    assert free.isEnabled()
    assert free.toolTip() == "Does this"
    assert not blocked.isEnabled()
    assert blocked.toolTip().startswith("Nothing is selected")

    gate.block(blocked, "")
    assert blocked.isEnabled()


@pytest.mark.parametrize(
    "make",
    [lambda: spin_box(0, 9, ""), lambda: combo("", [("a", "A"), ("b", "B")])],
)
@pytest.mark.parametrize("delta", [120, -120])
def test_the_wheel_is_left_to_the_dock_and_changes_no_field(qtbot, make, delta):
    field = make()
    qtbot.addWidget(field)
    field.show()
    read = field.value if hasattr(field, "value") else field.currentIndex
    before = read()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(field.mapToGlobal(QPoint(5, 5))),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, event)
    assert read() == before
    assert not event.isAccepted()


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.001"), (0.5, "0.5"), (10.0, "10"), (0.0, "0")]
)
def test_numbers_show_no_trailing_zeros(qtbot, value, text):
    box = NumberBox(0, 100, "", decimals=6)
    qtbot.addWidget(box)
    box.setValue(value)
    shown = box.text().replace(box.locale().decimalPoint(), ".")
    assert shown == text
    assert box.value() == value


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


def test_a_disclosure_shows_and_hides_by_mouse_and_key(qtbot, dark):
    content = QLabel("inside")
    title = Disclosure("More", dark, content, "")
    qtbot.addWidget(content)
    qtbot.addWidget(title)
    title.show()
    assert content.isHidden()
    qtbot.mouseClick(title, LEFT)
    assert not content.isHidden()
    qtbot.keyClick(title, Qt.Key.Key_Space)
    assert content.isHidden()
