import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spaceediting.plugin.keys import class_keys
from napari_spaceediting.plugin.map.question import ClassChoice, ClassPicker

NAMES = ("shirt", "coat", "bag")
ALT = Qt.KeyboardModifier.AltModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def picker(qtbot, palette):
    picker = ClassPicker()
    qtbot.addWidget(picker)
    picker.set_theme(palette)
    return picker


@pytest.fixture
def ask(picker, qtbot):
    answers = []
    picker.confirmed.connect(answers.append)
    picker.rejected.connect(lambda: answers.append("dismissed"))

    def _ask(names=NAMES, votes=None, support=0.8, suggested=1, suggestion="", **more):
        if votes is None:
            votes = np.zeros(len(names))
        if suggested is not None:
            votes[suggested] += 0.5
        more["suggested"] = suggestion
        more = {"keys": class_keys(names, {}), "is_move": True} | more
        picker.ask("Move 2 images", names, votes, support, **more)
        picker.open_at(QPoint(50, 50))
        qtbot.waitExposed(picker)
        return answers

    return _ask


def press(picker, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(picker._text, key, modifier)


def test_enter_confirms_the_suggestion(picker, ask):
    answers = ask()
    assert picker.confirm_button.text() == "These are: coat"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("coat", "belongs")]
    assert not picker.isVisible()


def test_a_class_with_an_ampersand_is_written_as_it_is(picker, ask):
    ask(("A & B", "coat"), suggested=0)
    assert picker.confirm_button.text() == "These are: A && B", "no mark of a key"


def test_escape_dismisses_once(picker, ask):
    answers = ask()
    press(picker, Qt.Key.Key_Escape)
    picker.close()
    assert answers == ["dismissed"]


def test_number_keys_and_arrows_choose(picker, ask):
    answers = ask()
    press(picker, Qt.Key.Key_3)
    assert picker.choice == ClassChoice("bag", "belongs")
    press(picker, Qt.Key.Key_Up)
    press(picker, Qt.Key.Key_Up)
    press(picker, Qt.Key.Key_Up)
    press(picker, Qt.Key.Key_Enter)
    assert answers == [ClassChoice("shirt", "belongs")]


def test_zero_means_no_class_where_that_is_allowed(picker, ask):
    answers = ask(none="Remove the label")
    press(picker, Qt.Key.Key_0)
    assert picker.confirm_button.text() == "Remove the label"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice(None, "belongs")]
    ask()
    assert None not in picker.options.tags


def test_typing_filters_and_the_arrows_choose(picker, ask):
    answers = ask()
    QTest.keyClicks(picker._text, "BA")
    assert picker.options.tags == ["BA", "bag"]
    press(picker, Qt.Key.Key_Down)
    assert picker.confirm_button.text() == "These are: bag"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("bag", "belongs")]


def test_a_name_that_others_begin_with_is_a_new_one(picker, ask):
    answers = ask(names=("cattle", "dog"))
    QTest.keyClicks(picker._text, "cat")
    assert picker.confirm_button.text() == "New class: cat"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("cat", "belongs")]


def test_nothing_is_chosen_when_the_text_is_erased(picker, ask):
    ask(suggested=None)
    QTest.keyClicks(picker._text, "bag")
    assert picker.confirm_button.text() == "These are: bag"
    picker._text.clear()
    assert picker.confirm_button.text() == "Choose a class"
    assert not picker.confirm_button.isEnabled()


def test_typing_an_unknown_name_makes_a_class(picker, ask):
    answers = ask()
    QTest.keyClicks(picker._text, " hat ")
    assert picker.options.tags == ["hat"]
    assert picker.options.item(0, 1).text() == "New class “hat”"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("hat", "belongs")]


def test_a_full_name_is_not_offered_as_new(picker, ask):
    ask(names=("coat rack", "coat"), suggested=0)
    QTest.keyClicks(picker._text, "Coat")
    assert picker.options.tags == ["coat rack", "coat"]
    assert picker.choice == ClassChoice("coat", "belongs")


def test_digits_that_are_names_choose_the_class_of_that_name(picker, ask):
    answers = ask(names=tuple("0123456789"), suggested=5)
    press(picker, Qt.Key.Key_3)
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("3", "belongs")]


def test_keys_that_are_letters_are_left_to_the_text(picker, ask):
    ask(names=("dog", "ant", "cat"), keys=("A", "D", "7"))
    press(picker, "7")
    assert picker.choice == ClassChoice("cat", "belongs")
    QTest.keyClicks(picker._text, "a")
    assert picker.options.tags == ["a", "ant", "cat"]


def test_many_classes_are_listed_by_votes(picker, ask):
    votes = np.zeros(40)
    votes[[30, 7]] = 0.7, 0.3
    ask(names=tuple(f"class {i:02d}" for i in range(40)), votes=votes, suggested=30)
    assert picker.options.tags[:3] == ["class 30", "class 07", "class 00"]


def test_digits_keep_their_classes_where_these_are_sorted(picker, ask):
    names = tuple(f"class {letter}" for letter in "abcdefghijkl")
    answers = ask(names=names, suggested=11)
    assert picker.options.tags[0] == "class l"
    press(picker, Qt.Key.Key_2)
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("class b", "belongs")]


def test_a_class_may_be_suggested_whatever_the_votes(picker, ask):
    names = tuple(f"class {letter}" for letter in "abcdefghijkl")
    answers = ask(
        names=names, votes=np.eye(12)[3], suggested=None, suggestion="class k"
    )
    assert picker.options.tags[:2] == ["class k", "class d"]
    assert picker.options.item(1, 2).text() == "100%"
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("class k", "belongs")]


def test_a_mixture_says_so_before_it_is_overwritten(picker, ask):
    ask(mixture="Now 14 coat, 9 shirt.")
    assert picker._mixture.isVisible()
    ask()
    assert not picker._mixture.isVisible()


def test_what_has_no_place_asks_for_no_intent_and_tells_no_support(picker, ask):
    answers = ask(is_move=False, support=None)
    assert not picker.arrange_button.isVisible()
    assert not picker._support.isVisible()
    press(picker, Qt.Key.Key_A, ALT)
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("coat", "belongs")]


def test_a_long_name_has_the_whole_width_and_loses_its_middle(picker, ask):
    long = "8_time-" + 9 * "very-" + "long-branch-Side"
    ask(names=("coat", long), suggested=None, votes=np.zeros(2))
    options = picker.options
    assert options.columnSpan(1, 1) == 2
    assert options.item(1, 1).toolTip() == long
    QTest.mouseClick(
        options.viewport(),
        LEFT,
        pos=options.visualItemRect(options.item(1, 1)).center(),
    )
    text = picker.confirm_button.text()
    assert text.startswith("8_time")
    assert text.endswith("Side")


def test_intent_is_switched_by_keyboard_and_arranging_names_no_class(picker, ask):
    answers = ask()
    press(picker, Qt.Key.Key_A, ALT)
    assert not picker.options.isEnabled()
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice(None, "arrange")]
    ask()
    press(picker, Qt.Key.Key_A, ALT)
    press(picker, Qt.Key.Key_B, ALT)
    press(picker, Qt.Key.Key_Return)
    assert answers[-1] == ClassChoice("coat", "belongs")


def test_images_between_two_classes_are_named_by_keyboard(picker, ask, qtbot):
    answers = ask(votes=np.array([0.1, 0.5, 0.3]))
    assert not picker.between.second.isVisible()
    press(picker, Qt.Key.Key_T, ALT)
    second, share = picker.between.second, picker.between.share
    assert second.hasFocus()
    # What is around the place most, after the class that is chosen, comes first.
    assert [second.itemText(at) for at in range(2)] == ["bag", "shirt"]
    assert picker.confirm_button.text() == "coat 60, bag 40"
    QTest.keyClick(second, Qt.Key.Key_Down)
    QTest.keyClick(share, "2")
    assert picker.confirm_button.text() == "coat 75, shirt 25"
    QTest.keyClick(share, Qt.Key.Key_Return)
    assert answers == [ClassChoice("coat", "belongs", {"shirt": 0.25})]
    # The next question is about one class again.
    ask()
    assert not second.isVisible()
    press(picker, Qt.Key.Key_Return)
    assert answers[-1] == ClassChoice("coat", "belongs")


def test_the_second_class_is_another_one(picker, ask):
    ask(suggested=0, none="Remove the label")
    picker.between.button.click()
    second = picker.between.second
    second.setCurrentText("bag")
    press(picker, Qt.Key.Key_2)
    assert second.currentText() == "bag"
    press(picker, Qt.Key.Key_3)
    assert second.findText("bag") < 0
    assert picker.choice.also.keys() == {second.currentText()}
    press(picker, Qt.Key.Key_0)
    assert picker.choice == ClassChoice(None, "belongs")
    assert not picker.between.button.isEnabled()
    press(picker, Qt.Key.Key_3)
    picker.arrange_button.click()
    assert picker.choice == ClassChoice(None, "arrange")


def test_one_class_has_no_second(picker, ask):
    ask(names=("coat",), suggested=0)
    assert not picker.between.button.isEnabled()
    assert picker.between.button.toolTip() == "Choose one of several classes first"


def test_a_new_name_may_be_that_of_a_part(picker, ask):
    answers = ask(own="coat")
    QTest.keyClicks(picker._text, "hooded")
    assert picker.options.tags == ["hooded", "coat: hooded"]
    press(picker, Qt.Key.Key_Down)
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("coat: hooded", "belongs")]


def test_a_part_is_asked_for_among_the_parts_of_its_class(picker, ask):
    names = (*NAMES, "coat: long", "coat: hooded")
    # The class that is suggested is none of its parts.
    answers = ask(names, own="coat: long", is_part=True)
    assert picker.options.tags == ["coat: long", "coat: hooded"]
    assert not picker.confirm_button.isEnabled()
    QTest.keyClicks(picker._text, "HOODED")
    assert picker.options.tags == ["coat: hooded"]
    picker._text.setText("coat")
    assert picker.options.tags == ["coat: coat"]
    picker._text.setText("short")
    press(picker, Qt.Key.Key_Return)
    assert answers == [ClassChoice("coat: short", "belongs")]


def test_low_support_is_said(picker, ask):
    ask(support=0.1)
    assert "weigh little" in picker._support.text()
    ask(support=0.9)
    assert "0.90" in picker._support.text()


def test_without_suggestion_nothing_can_be_confirmed_by_accident(picker, ask):
    answers = ask(suggested=None)
    assert not picker.confirm_button.isEnabled()
    press(picker, Qt.Key.Key_Return)
    assert answers == []


def test_click_chooses_and_double_click_confirms(picker, ask):
    answers = ask()
    options = picker.options
    shirt, bag = (
        options.visualItemRect(options.item(row, 1)).center() for row in (0, 2)
    )
    QTest.mouseClick(options.viewport(), LEFT, pos=shirt)
    assert picker.choice == ClassChoice("shirt", "belongs")
    QTest.mouseClick(options.viewport(), LEFT, pos=bag)
    QTest.mouseDClick(options.viewport(), LEFT, pos=bag)
    assert answers == [ClassChoice("bag", "belongs")]


def test_opens_within_the_screen(picker, ask):
    ask()
    picker.open_at(QPoint(100_000, 100_000))
    area = picker.screen().availableGeometry()
    assert area.contains(picker.geometry())
    picker.close()


def test_what_would_change_is_asked_with_the_class_that_is_chosen(picker, ask):
    told = []
    picker.change_requested.connect(told.append)
    answers = ask(own="coat")
    assert not picker.change_button.isEnabled()
    assert picker.change_button.toolTip() == "They are coat already"
    press(picker, Qt.Key.Key_W, ALT)
    assert picker.isVisible()
    picker._text.setText("a new one")
    assert "Choose one of the classes" in picker.change_button.toolTip()
    picker.arrange_button.setChecked(True)
    assert not picker.change_button.isEnabled()
    picker.belongs_button.setChecked(True)
    picker._text.clear()
    press(picker, Qt.Key.Key_3)
    press(picker, Qt.Key.Key_W, ALT)
    assert told == [ClassChoice("bag", "belongs")]
    assert not picker.isVisible()
    assert answers == [], "the question is only put off"
