from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.edits import (
    Edit,
    EditKind,
    EditLog,
    EditState,
    Withdraw,
    check_edit,
    describe,
    fold,
)
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel, Reset
from napari_spaceediting.errors import EditError

NAMES = ("cat", "dog")
LABELS = np.array([0, 1, -1, -1, 0, 1])
PLACES = np.arange(12, dtype=np.float32).reshape(6, 2)
HELD_OUT = np.array([False] * 5 + [True])


def move(
    *indices: int, to: float = 50.0, tag: str | None = "dog", intent=Intent.BELONGS
) -> Move:
    at = np.array(indices)
    end = np.full((len(at), 2), to, np.float32)
    return Move(at, PLACES[at], end, intent, tag)


def after(*edits: Edit) -> EditState:
    return fold(edits, LABELS, PLACES, NAMES)


def same(one: EditState, other: EditState) -> bool:
    return one.class_names == other.class_names and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("labels", "positions", "kinds", "tagged", "soft_labels")
    )


def test_without_edits_nothing_changes_and_the_inputs_are_not_shared():
    state = after()
    np.testing.assert_array_equal(state.labels, LABELS)
    np.testing.assert_array_equal(state.positions, PLACES)
    assert not state.edited.any()
    state.labels[0] = 1
    assert LABELS[0] == 0


def test_a_move_changes_place_and_class():
    state = after(move(2, 3))
    assert state.labels.tolist() == [0, 1, 1, 1, 0, 1]
    np.testing.assert_array_equal(state.positions[[2, 3]], np.full((2, 2), 50))
    assert state.kinds[[2, 3]].tolist() == [EditKind.MOVED] * 2
    assert state.tagged.tolist() == [False, False, True, True, False, False]


def test_after_a_move_without_a_class_the_old_one_is_no_longer_believed():
    state = after(move(0, tag=None))
    assert state.labels[0] == -1
    assert state.edited[0]
    assert not state.tagged[0]


def test_a_later_move_keeps_the_class_that_a_pin_has_said():
    state = after(Pin(np.array([2]), "dog"), move(2, tag=None))
    assert state.labels[2] == 1
    assert state.tagged[2]


def test_arranged_images_keep_their_class():
    state = after(move(0, 1, 2, tag=None, intent=Intent.ARRANGE))
    assert state.kinds[[0, 1, 2]].tolist() == [EditKind.ARRANGED] * 3
    np.testing.assert_array_equal(state.labels, LABELS)
    assert not state.tagged.any()


def test_new_classes_are_named_in_the_order_of_the_edits_and_once():
    state = after(
        Pin(np.array([2]), "owl"), Relabel(np.array([3]), "emu"), move(0, tag="owl")
    )
    assert state.class_names == ("cat", "dog", "owl", "emu")
    assert state.labels.tolist() == [2, 1, 2, 3, 0, 1]


def test_a_label_can_be_taken_away():
    state = after(Relabel(np.array([0]), None))
    assert state.labels[0] == -1
    assert state.kinds[0] == EditKind.RELABELLED
    assert state.tagged[0]


def test_reset_puts_images_back_to_the_start_whatever_was_done():
    edits = (move(2, 3), Pin(np.array([2]), "cat"), Reset(np.array([2, 3])))
    assert same(after(*edits), after())


def test_withdrawing_takes_an_edit_out_wherever_it_stands():
    first, second, third = move(2), Pin(np.array([3]), "owl"), move(2, to=70)
    assert same(after(first, second, third, Withdraw(0)), after(second, third))
    assert same(after(first, second, third, Withdraw(2)), after(first, second))
    # A class that only a withdrawn edit named is gone.
    assert after(first, second, Withdraw(1)).class_names == NAMES


PEOPLE = np.array([[0.75, 0.25], *[[0, 0]] * 3, [0.5, 0.5], [0, 0]], np.float32)


def soft(*edits: Edit) -> np.ndarray | None:
    return fold(edits, LABELS, PLACES, NAMES, PEOPLE).soft_labels


def test_a_soft_name_has_a_label_and_shares():
    state = after(Relabel(np.array([1, 2]), "cat", {"owl": 0.4}))
    assert state.class_names == ("cat", "dog", "owl")
    assert state.labels.tolist() == [0, 0, 0, -1, 0, 1]
    np.testing.assert_allclose(state.soft_labels[[1, 2]], [[0.6, 0, 0.4]] * 2)
    assert not state.soft_labels[[0, 3, 4, 5]].any()


def test_what_people_say_stays_until_somebody_names_one_class():
    np.testing.assert_array_equal(soft(), PEOPLE)
    state = soft(Pin(np.array([4]), "owl"))
    np.testing.assert_array_equal(state[0], [0.75, 0.25, 0])
    assert not state[1:].any()
    assert soft(Relabel(np.array([0, 4]), "cat")) is None
    assert soft(Relabel(np.array([0, 4]), None)) is None
    # Nor does a place that names nothing leave it; an arrangement does.
    assert soft(move(0, 4, tag=None)) is None
    np.testing.assert_array_equal(
        soft(move(0, 4, tag=None, intent=Intent.ARRANGE)), PEOPLE
    )


def test_soft_names_can_be_taken_back():
    edit = move(0, 2, tag="dog")
    edit = Move(edit.indices, edit.start, edit.end, edit.intent, "dog", {"owl": 0.25})
    np.testing.assert_array_equal(soft(edit, Withdraw(0)), PEOPLE)
    put_back = soft(edit, Pin(np.array([3]), "owl"), Reset(np.array([0, 2])))
    np.testing.assert_array_equal(put_back[:, :2], PEOPLE)
    assert not put_back[:, 2].any()
    np.testing.assert_allclose(soft(edit)[0], [0, 0.75, 0.25])


def test_withdrawing_a_withdrawal_brings_the_edit_back():
    assert same(after(move(2), Withdraw(0), Withdraw(1)), after(move(2)))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Pin(np.array([], int), "cat"), "names no image"),
        (Pin(np.array([6]), "cat"), "image number 6.*only 6 images"),
        (Pin(np.array([-1]), "cat"), "image number -1"),
        (Pin(np.array([1, 1]), "cat"), "twice"),
        (Pin(np.array([1]), "  "), "no name"),
        (Relabel(np.array([1]), ""), "no name"),
        (Pin(np.array([0, 5]), "cat"), "1 of the 2 images are held out"),
        (move(5), "held out"),
        (Relabel(np.array([0]), None, {"dog": 0.4}), "class beside"),
        (Pin(np.array([0]), "dog", {"dog": 0.4}), "class beside"),
        (Pin(np.array([0]), "dog", {" ": 0.4}), "class beside"),
        (Pin(np.array([0]), "dog", {"cat": 0.6}), "dog 40, cat 60 are no shares"),
        (Pin(np.array([0]), "dog", {"cat": 0}), "no shares"),
        (Pin(np.array([0]), "dog", {"cat": -0.1}), "no shares"),
        (Pin(np.array([0]), "dog", {"cat": np.nan}), "no shares"),
        (Pin(np.array([0]), "dog", {"cat": 0.5, "owl": 0.5}), "no shares"),
        (move(0, to=np.nan), "finite"),
        (Move(np.array([0]), PLACES[:1], PLACES[:2]), "finite x and y"),
        (Move(np.array([0]), np.full((1, 2), np.inf), PLACES[:1]), "finite"),
        (Withdraw(1), "no edit number 2.*has 1"),
        (Withdraw(-1), "no edit number 0"),
    ],
)
def test_what_cannot_be_applied_is_refused_in_one_sentence(edit, words):
    with pytest.raises(EditError, match=words) as caught:
        check_edit(edit, (move(0),), HELD_OUT)
    assert "\n" not in str(caught.value)


def test_an_edit_is_taken_back_only_once():
    with pytest.raises(EditError, match="already"):
        check_edit(Withdraw(0), (move(0), Withdraw(0)), HELD_OUT)
    check_edit(Withdraw(0), (move(0), Withdraw(0), Withdraw(1)), HELD_OUT)


@pytest.mark.parametrize("edit", [Relabel(np.array([5]), "cat"), Reset(np.array([5]))])
def test_held_out_images_can_be_relabelled_to_correct_the_measurement(edit):
    check_edit(edit, (), HELD_OUT)


EVERY_KIND = (
    move(2, 0),
    move(1, tag=None),
    move(1, 2, 3, tag=None, intent=Intent.ARRANGE),
    Pin(np.array([4, 1]), "zebra"),
    Pin(np.array([3]), "cat", {"dog": 0.3, "zebra": 0.1}),
    Relabel(np.array([5]), "cat"),
    Relabel(np.array([0]), None),
    Reset(np.array([0])),
    Withdraw(1),
)


def test_edits_are_described_in_a_few_words():
    assert [describe(edit) for edit in EVERY_KIND] == [
        "Moved 2 images to dog",
        "Moved 1 image",
        "Arranged 3 images",
        "Pinned 2 images as zebra",
        "Pinned 1 image as cat 60, dog 30, zebra 10",
        "Labelled 1 image cat",
        "Unlabelled 1 image",
        "Reset 1 image",
        "Took back edit 2",
    ]


# The list of edits


A, B, C = Withdraw(0), Withdraw(1), Withdraw(2)


def test_undo_and_redo_walk_the_same_way():
    log = EditLog().append(A).append(B)
    assert log.undo().undo() == EditLog((), (A, B))
    assert log.undo().undo().redo().redo() == log


def test_a_new_edit_ends_what_could_be_redone():
    assert EditLog((A, B)).undo().append(C) == EditLog((A, C))


def test_at_the_ends_nothing_happens():
    log = EditLog((A,))
    assert log.redo() is log
    assert EditLog().undo() == EditLog()
