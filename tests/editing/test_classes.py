"""Edits of classes: what becomes of names, labels, shares, colours and keys."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.colours import class_colours, named_colours, to_hex
from napari_spaceediting.editing.classes import (
    Delete,
    Merge,
    Rename,
    Reorder,
    Trait,
    TraitKind,
    regrouped,
)
from napari_spaceediting.editing.edits import (
    NO_EDITS,
    Edit,
    EditKind,
    Withdraw,
    check_edit,
    describe,
    fold,
)
from napari_spaceediting.editing.image_edits import Pin, Reject, Relabel, Reset, Restore
from napari_spaceediting.errors import EditError

NAMES = ("cat", "dog", "cow")
LABELS = np.array([0, 1, 2, -1, 0, 1])
PLACES = np.arange(12, dtype=np.float32).reshape(6, 2)


def after(*edits: Edit, **start):
    return fold(edits, LABELS, PLACES, NAMES, **start)


def at(*indices: int):
    return np.array(indices)


def named(state) -> list[str]:
    return [state.class_names[label] if label >= 0 else "" for label in state.labels]


def test_a_renamed_class_keeps_its_images_and_its_place():
    state = after(Rename("cat", "kitten"), Pin(at(3), "kitten"))
    assert state.class_names == ("kitten", "dog", "cow")
    assert named(state) == ["kitten", "dog", "cow", "kitten", "kitten", "dog"]
    assert not state.edited[0]


def test_an_old_name_is_a_new_class_after_a_rename():
    state = after(Rename("cat", "kitten"), Pin(at(3), "cat"))
    assert state.class_names == ("kitten", "dog", "cow", "cat")
    assert named(state)[3] == "cat"


def test_a_rename_that_is_taken_back_leaves_later_names_with_their_class():
    state = after(Rename("cat", "kitten"), Pin(at(3), "kitten"), Withdraw(0))
    assert state.class_names == NAMES
    assert named(state)[3] == "cat"


@pytest.mark.parametrize("into", ["cat", "pet"])
def test_merged_classes_are_one(into):
    state = after(Pin(at(3), "dog"), Merge(("cat", "dog"), into))
    assert state.class_names == (into, "cow")
    assert named(state) == [into, into, "cow", into, into, into]
    assert state.places.tolist() == [0, 0, 1, -1]


def test_a_reset_after_a_merge_gives_what_has_become_of_the_class():
    state = after(Merge(("dog",), "cow"), Pin(at(0), "cow"), Reset(at(0, 1)))
    assert named(state)[:2] == ["cat", "cow"]


def test_images_of_a_deleted_class_have_none():
    state = after(Pin(at(3), "dog"), Delete("dog"), Relabel(at(5), "dog"))
    assert state.class_names == ("cat", "cow", "dog")
    assert named(state) == ["cat", "", "cow", "", "cat", "dog"]
    # A pin without a class is none.
    assert state.kinds[3] == EditKind.RELABELLED


def test_classes_stand_in_the_order_that_is_asked_for():
    state = after(Pin(at(3), "ant"), Reorder(("ant", "cow")))
    assert state.class_names == ("ant", "cow", "cat", "dog")
    assert named(state) == ["cat", "dog", "cow", "ant", "cat", "dog"]


def test_shares_follow_their_classes():
    soft = np.zeros((6, 3), np.float32)
    soft[0], soft[1] = (0.5, 0.3, 0.2), (0.4, 0.6, 0)
    state = after(Merge(("dog",), "cow"), soft_labels=soft)
    np.testing.assert_allclose(state.soft_labels[:2], [[0.5, 0.5], [0.4, 0.6]])
    state = after(Delete("cat"), soft_labels=soft)
    np.testing.assert_allclose(state.soft_labels[:2], [[0.6, 0.4], [1, 0]])
    assert state.labels[0] == 0, "the class with the most of what is left"


def test_what_a_network_says_goes_to_what_has_become_of_the_classes():
    said = np.array([[0.5, 0.3, 0.2], [0, 1, 0], [0, 0, 0]], np.float32)
    found = regrouped(said, np.array([1, 1, 0]), 2)
    np.testing.assert_allclose(found, [[0.2, 0.8], [0, 1], [0, 0]])
    gone = regrouped(said, np.array([0, -1, 1]), 2)
    np.testing.assert_allclose(gone[0], [5 / 7, 2 / 7], rtol=1e-6)
    assert not gone[1].any(), "nothing is known where all of it was of that class"


def test_rejected_images_stay_out_until_restored_reset_or_named():
    state = after(
        Reject(at(0, 1, 2, 3)), Restore(at(0)), Reset(at(1)), Pin(at(2), "cat")
    )
    assert state.rejected.tolist() == [False, False, False, True, False, False]
    assert named(state)[:2] == ["cat", "dog"]
    kinds = [EditKind.RESTORED, EditKind.NONE, EditKind.PINNED, EditKind.REJECTED]
    assert state.kinds[:4].tolist() == kinds


def test_what_was_rejected_before_can_be_restored():
    before = np.array([True, False, False, False, False, True])
    state = after(Restore(at(0, 1)), rejected=before)
    assert state.rejected.tolist() == [False] * 5 + [True]
    assert state.edited.tolist() == [True] + [False] * 5
    assert before[0], "the start is not changed"


def test_traits_follow_renamed_classes_and_can_be_taken_away():
    given = Trait(TraitKind.ABOVE, {"cat": "pet", "dog": "pet"})
    state = after(given, Rename("dog", "hound"), Trait(TraitKind.ABOVE, {"cat": ""}))
    assert state.traits == {"above": {"hound": "pet"}}
    assert after(given).why_no_lesson == NO_EDITS


def test_classes_keep_their_colours_when_others_go():
    usual = named_colours(NAMES)
    state = after(Delete("cat"), Reorder(("cow",)), Pin(at(3), "ant"))
    colours = named_colours(state.class_names, state.traits[TraitKind.COLOUR])
    by_name = dict(zip(state.class_names, colours, strict=False))
    np.testing.assert_allclose(by_name["dog"], usual[1], atol=1 / 255)
    np.testing.assert_allclose(by_name["cow"], usual[2], atol=1 / 255)
    assert len({to_hex(colour) for colour in by_name.values()}) == 3


def test_no_other_class_has_a_chosen_colour():
    taken = to_hex(class_colours(3)[1])
    colours = [to_hex(each) for each in class_colours(3, {0: taken.upper()})]
    assert colours[0] == taken
    assert len(set(colours)) == 3


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (Rename("bird", "owl"), 'no class "bird"'),
        (Rename("cat", "dog"), "merge the two"),
        (Rename("cat", " "), "needs a name"),
        (Merge(("cat",), "cat"), "Name the classes to merge"),
        (Merge(("cat",), "pet"), "rename it instead"),
        (Merge(("cat", "cat"), "dog"), "named twice"),
        (Delete("bird"), 'no class "bird"'),
        (Reorder(("cat", "bird")), 'no class "bird"'),
        (Trait(TraitKind.COLOUR, {"cat": "red"}), "#rrggbb"),
        (Trait(TraitKind.KEY, {"cat": "QQ"}), "one character"),
        (Reject(at(9)), "image number 9"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit, word):
    with pytest.raises(EditError, match=word):
        check_edit(edit, [], np.zeros(6, bool), NAMES)


def test_a_class_is_known_by_the_name_that_it_has_then():
    done = [Rename("cat", "kitten"), Pin(at(3), "owl")]
    for edit in (Delete("kitten"), Delete("owl")):
        check_edit(edit, done, np.zeros(6, bool), NAMES)
    with pytest.raises(EditError, match='no class "cat"'):
        check_edit(Delete("cat"), done, np.zeros(6, bool), NAMES)


def test_held_out_images_can_be_rejected():
    held_out = np.ones(6, bool)
    for edit in (Reject(at(0)), Restore(at(0)), Relabel(at(0), "cat")):
        check_edit(edit, [], held_out, NAMES)


def test_edits_are_told_in_a_few_words():
    told = {
        "Renamed cat to kitten": Rename("cat", "kitten"),
        "Merged cat into dog": Merge(("cat", "dog"), "dog"),
        "Deleted the class cat": Delete("cat"),
        "Put the classes in the order cow, cat": Reorder(("cow", "cat")),
        "Gave cat the colour #ff0000": Trait(TraitKind.COLOUR, {"cat": "#ff0000"}),
        "Put cat and 1 more below pet": Trait(
            TraitKind.ABOVE, {"cat": "pet", "dog": "pet"}
        ),
        "Gave cat the key 7": Trait(TraitKind.KEY, {"cat": "7", "dog": "2"}),
        "Rejected 2 images": Reject(at(0, 1)),
        "Restored 1 image": Restore(at(0)),
    }
    assert [describe(edit) for edit in told.values()] == list(told)
