"""The keys of classes: who has which, and what the user may choose."""

import pytest

from napari_spaceediting.plugin.keys import KEYS, class_keys, refusal, with_key

NAMES = ("coat", "shirt", "bag", "hat")


def test_classes_get_digits_then_letters_that_the_window_does_not_use():
    keys = class_keys([f"class {n}" for n in range(40)], {})
    assert "".join(keys[:11]) == "1234567890A"
    letters = {key for key in keys[10:] if key}
    assert len(letters) == 10
    assert not letters & {entry.key for entry in KEYS}
    assert keys[20:] == ("",) * 20


def test_a_class_that_is_called_like_a_key_has_it():
    assert class_keys(["cat", "1", "k"], {}) == ("2", "1", "K")
    assert class_keys([*"0123"], {}) == tuple("0123")


def test_a_chosen_key_is_exchanged_and_all_others_stay():
    chosen = with_key(NAMES, {}, "hat", "1")
    assert class_keys(NAMES, chosen) == ("4", "2", "3", "1")
    chosen = with_key(NAMES, chosen, "bag", "Q")
    assert class_keys(NAMES, chosen) == ("4", "2", "Q", "1")
    # Keys stay with their classes when others come and go.
    assert class_keys(("hat", "new", "coat"), chosen) == ("1", "2", "4")


@pytest.mark.parametrize("key", ["", " ", "12", "\t"])
def test_a_key_is_one_character(key):
    assert "one character" in refusal(key)


@pytest.mark.parametrize("key", ["Y", "N", "U", "E", ",", "."])
def test_keys_that_answer_are_no_keys_of_classes(key):
    assert refusal(key).startswith(f"{key} is a key of Guidance")


@pytest.mark.parametrize("key", ["M", "7", "Ä", "+"])
def test_any_other_character_may_be_one(key):
    assert refusal(key) == ""
