import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spaceediting.plugin.guidance.panel import GuidancePanel

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
CARD = {
    "position": 3,
    "count": 47,
    "title": "probably mislabelled",
    "reason": "11 of its 15 most similar images are Coat.",
    "action": "Move to Coat",
}


@pytest.fixture
def panel(shown):
    panel = shown(GuidancePanel)
    panel.show_proposal(**CARD)
    panel.show_pictures(np.zeros((1, 16, 16, 3), np.uint8), frozenset())
    return panel


def test_without_a_proposal_it_offers_to_find_some(shown, qtbot, told):
    panel = shown(GuidancePanel)
    calls = told(panel.refresh_requested)
    assert not panel.answer_buttons["yes"].isVisible()
    qtbot.mouseClick(panel.refresh_button, LEFT)
    assert calls == [()]


def test_the_card_tells_place_kind_reason_and_action(panel):
    assert panel._title.text() == "3 of 47 · probably mislabelled"
    assert panel._reason.text() == CARD["reason"]
    assert panel._action.text() == "Move to Coat"
    assert panel._pictures.isVisible()
    assert panel._reason.font().pointSizeF() > panel._title.font().pointSizeF()


@pytest.mark.parametrize(
    ("key", "answer"),
    [("Y", "yes"), ("N", "no"), ("U", "unsure"), ("E", "elsewhere")],
)
def test_answers_by_mouse_and_by_key(panel, qtbot, told, key, answer):
    calls = told(panel.answered)
    qtbot.mouseClick(panel.answer_buttons[answer], LEFT)
    # The key reaches the panel from whatever is in focus within it.
    qtbot.keyClick(panel.answer_buttons["no"], key)
    qtbot.keyClick(panel, key.lower())
    assert calls == [(answer,)] * 3


def test_keys_with_control_are_left_to_others(panel, qtbot, told):
    calls = told(panel.answered)
    qtbot.keyClick(panel, "Y", Qt.KeyboardModifier.ControlModifier)
    assert calls == []


def test_moving_through_the_queue_ends_at_its_ends(panel, qtbot, told):
    calls = told(panel.moved)
    qtbot.mouseClick(panel.move_buttons[1], LEFT)
    qtbot.keyClick(panel, ",")
    assert calls == [(1,), (-1,)]
    panel.show_proposal(**CARD | {"position": 47})
    qtbot.keyClick(panel, ".")
    assert not panel.move_buttons[1].isEnabled()
    assert "last" in panel.move_buttons[1].toolTip()
    panel.show_proposal(**CARD | {"position": 1})
    qtbot.keyClick(panel, ",")
    assert calls == [(1,), (-1,)]


def test_without_a_proposal_keys_answer_nothing(panel, qtbot, told):
    calls = told(panel.answered)
    panel.show_nothing("None")
    qtbot.keyClick(panel, "Y")
    assert calls == []
    assert not panel._frame.isVisible()


def test_without_a_class_the_question_is_the_name(panel, qtbot, told):
    named, answers = told(panel.named_as), told(panel.answered)
    panel.setFocus()
    panel.show_proposal(**CARD, asks="What are they?", names=("coat", "coats"))
    assert panel.window().focusWidget() is panel.name_field
    assert "What are they?" in panel.name_field.placeholderText()
    qtbot.keyClicks(panel.name_field, " n ")
    qtbot.keyClick(panel.name_field, Qt.Key.Key_Return)
    assert (named, answers) == ([("n",)], [])
    qtbot.keyClick(panel.name_field, Qt.Key.Key_Escape)
    qtbot.keyClick(panel, "U")
    assert answers == [("unsure",)]
    panel.name_field.setFocus()
    panel.show_proposal(**CARD)
    assert not panel.name_field.isVisible()
    assert panel.window().focusWidget() is panel, "the keys of answers work again"


def test_yes_says_why_it_cannot_be_answered(panel, qtbot, told):
    calls = told(panel.answered)
    panel.show_proposal(**CARD, blocked={"yes": "No class is proposed"})
    qtbot.mouseClick(panel.answer_buttons["yes"], LEFT)
    qtbot.keyClick(panel, "Y")
    qtbot.keyClick(panel, "N")
    assert panel.answer_buttons["yes"].toolTip().startswith("No class is proposed")
    assert calls == [("no",)]
    panel.show_proposal(**CARD)
    assert panel.answer_buttons["yes"].isEnabled()


def test_many_pictures_stay_within_the_width(panel, qtbot):
    panel.show_pictures(np.zeros((12, 16, 16, 3), np.uint8), frozenset())
    pictures = panel._pictures
    qtbot.waitUntil(lambda: pictures.labels[-1].geometry().top() > 0)
    assert all(pictures.rect().contains(one.geometry()) for one in pictures.labels)
    assert pictures.width() < panel.width()
    card = panel._frame
    assert card.minimumSizeHint().height() <= card.heightForWidth(card.width())


def test_a_click_or_a_key_leaves_a_picture_out(panel, qtbot, told):
    calls = told(panel.toggled)
    thumbnails = np.full((3, 16, 16, 3), 200, np.uint8)
    panel.show_pictures(thumbnails, frozenset([1]))
    pictures = panel._pictures
    qtbot.waitUntil(lambda: pictures.labels[2].geometry().left() > 0)
    qtbot.mouseClick(pictures, LEFT, pos=pictures.labels[2].geometry().center())
    qtbot.keyClick(panel, "1", CONTROL)
    assert calls == [(2,), (0,)]
    faint, plain = (
        pictures.labels[place].pixmap().toImage().pixelColor(9, 20).alpha()
        for place in (1, 0)
    )
    assert faint < 0.3 * plain


def test_a_card_without_pictures_has_no_gap_for_them(panel):
    panel.show_pictures([], frozenset())
    assert not panel._pictures.isVisible()


def test_it_counts_the_decisions(panel):
    assert not panel._counts.isVisible()
    panel.show_counts(20, 47)
    assert panel._done_label.text() == "20 of 47 decided"


def test_what_was_learnt_is_there_only_when_something_was(panel):
    assert not panel._learnt.isVisible()
    panel.show_words("You agreed with 9 of 10 groups.", "", "")
    assert panel._learnt.isVisible()
    panel.show_nothing("None")
    assert panel._learnt.isVisible(), "with or without a proposal"
    panel.show_words("", "", "")
    assert not panel._learnt.isVisible()


def test_while_disabled_every_button_says_why(panel, qtbot, told):
    calls = told(panel.answered)
    panel.gate.close("A training is running")
    qtbot.keyClick(panel, "Y")
    for button in (*panel.answer_buttons.values(), panel.refresh_button):
        assert not button.isEnabled()
        assert button.toolTip().startswith("A training is running")
    assert calls == []
