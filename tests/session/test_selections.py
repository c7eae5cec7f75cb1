"""Selections that are saved under a name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.editing.edits import NO_EDITS, Withdraw, describe
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.selections import SaveSelection
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.session.export.results import results_of
from napari_spaceediting.session.merging import merged
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.storage import load_session, save_session

DEBRIS = np.array([5, 2, 9])


@pytest.fixture
def session(trained_state) -> Session:
    return Session(trained_state)


def test_a_selection_is_kept_replaced_forgotten_and_undone(session):
    session.apply(SaveSelection(DEBRIS, "debris"))
    session.apply(SaveSelection(np.array([1]), "one plate"))
    assert {name: at.tolist() for name, at in selections(session.state).items()} == {
        "debris": [5, 2, 9],
        "one plate": [1],
    }
    session.apply(SaveSelection(np.array([7]), "debris"))
    assert selections(session.state)["debris"].tolist() == [7]
    session.undo()
    assert selections(session.state)["debris"].tolist() == [5, 2, 9]
    session.apply(SaveSelection(np.empty(0, np.int64), "debris"))
    assert list(selections(session.state)) == ["one plate"]
    session.apply(Withdraw(1))
    assert not selections(session.state)


def test_it_teaches_nothing_and_touches_no_image(session):
    before = session.edits
    session.apply(SaveSelection(DEBRIS, "debris"))
    assert session.edits.why_no_lesson == NO_EDITS
    assert_array_equal(session.edits.labels, before.labels)
    with pytest.raises(EditError, match="no edit to learn from"):
        session.retraining()
    session.mapping()  # another map loses nothing of it


@pytest.mark.parametrize("name", ["", "  ", " debris", "two\nlines", "x" * 81])
def test_a_name_that_cannot_be_is_refused(session, name):
    with pytest.raises(EditError, match="name"):
        session.apply(SaveSelection(DEBRIS, name))


def test_images_that_are_not_there_are_refused(session):
    with pytest.raises(EditError, match="only"):
        session.apply(SaveSelection(np.array([10**6]), "debris"))
    with pytest.raises(EditError, match="twice"):
        session.apply(SaveSelection(np.array([1, 1]), "debris"))


def test_held_out_images_can_be_saved(session):
    held_out = np.flatnonzero(session.dataset.held_out)[:3]
    session.apply(SaveSelection(held_out, "held"))
    assert_array_equal(selections(session.state)["held"], held_out)


def test_it_comes_back_from_disk_and_names_images_by_their_ids(session, tmp_path):
    session.apply(SaveSelection(DEBRIS, "dust é"))
    folder = tmp_path / "one.spaceediting"
    save_session(session.state, folder)
    assert selections(load_session(folder))["dust é"].tolist() == [5, 2, 9]
    said = json.loads((folder / "session.json").read_text())["log"]["done"][0]
    assert said["kind"] == "saveselection"
    assert said["images"] == session.dataset.ids[DEBRIS].tolist()
    said["name"] = ""
    values = json.loads((folder / "session.json").read_text())
    values["log"]["done"][0] = said
    (folder / "session.json").write_text(json.dumps(values))
    with pytest.raises(SessionError, match="needs a name"):
        load_session(folder)


def test_it_is_a_column_of_an_exported_table(session):
    session.apply(SaveSelection(DEBRIS, "debris"))
    columns = results_of(session).columns
    assert np.flatnonzero(columns["selection_debris"]).tolist() == [2, 5, 9]
    some = results_of(session, np.array([9, 0])).columns
    assert some["selection_debris"].tolist() == [True, False]
    # It is no edit of the image.
    assert columns["edited"][5] == ""


def test_it_is_told_in_the_list_of_edits(session):
    assert describe(SaveSelection(DEBRIS, "a")) == "Saved 3 images as the selection a"
    assert describe(SaveSelection(DEBRIS[:0], "a")) == "Forgot the selection a"


def test_those_of_somebody_else_are_taken_by_another_name(session, trained_state):
    session.apply(SaveSelection(DEBRIS, "debris"))
    other = Session(trained_state)
    other.author = "Ada"
    free = np.flatnonzero(~other.dataset.held_out)[:2]
    other.apply(SaveSelection(free, "debris"))
    other.apply(SaveSelection(free, "rare"))
    other.apply(Pin(free, "3"))
    session.replay(merged(session.state, other.state).edits)
    found = selections(session.state)
    assert list(found) == ["debris", "debris (Ada)", "rare"]
    assert found["debris"].tolist() == DEBRIS.tolist()
