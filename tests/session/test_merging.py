"""Several people edit the same images: who said what, and what they make together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from napari_spaceediting.editing.classes import Rename
from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.image_edits import (
    Intent,
    Move,
    Pin,
    Reject,
    Relabel,
    Reset,
)
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.merging import merged
from napari_spaceediting.session.people import REJECTED, agreements, names_by
from napari_spaceediting.session.session import Session


@pytest.fixture
def ada(trained_state) -> Session:
    session = Session(trained_state)
    session.author = "Ada"
    return session


@pytest.fixture
def ben(trained_state) -> Session:
    session = Session(trained_state)
    session.author = "Ben"
    return session


def free(session: Session, start: int, n: int) -> np.ndarray:
    return np.flatnonzero(~session.state.dataset.held_out)[start : start + n]


def moved(session: Session, at: np.ndarray, tag: str | None, **more) -> Move:
    start = session.edits.positions[at]
    return Move(at, start, start + np.float32(1), tag=tag, **more)


def test_edits_of_both_stand_in_one_session_and_who_made_them(ada, ben):
    one, other = free(ada, 0, 4), free(ada, 4, 4)
    ada.apply(Pin(one, "3"))
    ben.replay([moved(ben, other, "4"), Rename("5", "five")])
    found = merged(ada.state, ben.state)
    ada.replay(found.edits)
    assert [edit.author for edit in ada.state.log.done] == ["Ada", "Ben", "Ben"]
    assert not found.notes
    # It was made on the same map.
    np.testing.assert_array_equal(
        ada.edits.positions[other], ben.edits.positions[other]
    )
    assert ada.edits.class_names[5] == "five"
    assert set(ada.edits.labels[other]) == {4}
    # What was taken once is not taken again.
    again = merged(ada.state, ben.state)
    assert (again.edits, again.n_known) == ((), 2)


def test_where_people_differ_is_told_with_their_kappa(ada, ben):
    at = free(ada, 0, 10)
    ada.replay([Pin(at[:5], "1"), Pin(at[5:], "2"), Reject(free(ada, 20, 1))])
    ben.replay([Pin(at[:7], "1"), Pin(at[7:], "2"), Reject(free(ada, 20, 1))])
    ben.apply(Pin(free(ada, 30, 3), "7"))
    ada.replay(merged(ada.state, ben.state).edits)
    (found,) = agreements(ada.state)
    assert (found.people, found.n_both) == (("Ada", "Ben"), 11)
    assert found.differ.tolist() == at[5:7].tolist()
    said = [["1"] * 5 + ["2"] * 5 + ["r"], ["1"] * 7 + ["2"] * 3 + ["r"]]
    assert found.kappa == pytest.approx(cohen_kappa_score(*said))
    assert found.describe() == (
        f"Ada and Ben agree on 9 of 11 images (82%, kappa {found.kappa:.2f})."
    )


def test_a_person_alone_agrees_with_nobody(ada):
    ada.apply(Pin(free(ada, 0, 4), "3"))
    assert agreements(ada.state) == ()


def test_what_was_said_follows_its_class_and_what_was_taken_back_was_not_said(ada):
    at = free(ada, 0, 6)
    ada.replay(
        [
            Pin(at[:2], "3"),
            Pin(at[2:3], "4"),
            Pin(at[3:4], "3"),
            Rename("3", "three"),
            Withdraw(1),
            Reset(at[3:4]),
            Reject(at[4:5]),
            Relabel(at[5:], None),
        ]
    )
    said = names_by(ada.state)["Ada"]
    assert said == {at[0]: "three", at[1]: "three", at[4]: REJECTED}


def test_on_another_map_a_move_says_its_class_alone(ada, ben):
    at = free(ada, 0, 9)
    ben.apply(Pin(at[6:], "6"))
    ben.propose(run_job(ben.retraining()))
    ben.accept()
    ben.replay(
        [
            moved(ben, at[:2], "3"),
            moved(ben, at[2:4], None),
            moved(ben, at[4:6], None, intent=Intent.ARRANGE),
        ]
    )
    found = merged(ada.state, ben.state)
    # Those of the round are taken, too.
    assert [type(edit) for edit in found.edits] == [Pin, Pin]
    assert found.edits[0].indices.tolist() == at[6:].tolist()
    assert found.notes == (
        "2 moves without a class were left out: they were made on another map.",
    )


def test_images_are_told_by_their_ids(ada, ben):
    state = ben.state
    order = np.arange(len(state.dataset))[::-1]
    at = free(ben, 0, 3)
    theirs = replace(state, dataset=state.dataset.subset(order))
    ben = Session(replace(theirs, checkpoint=replace(theirs.checkpoint, map=None)))
    theirs = replace(
        ben.state, log=replace(ben.state.log, done=(Pin(len(order) - 1 - at, "3"),))
    )
    (edit,) = merged(ada.state, theirs).edits
    assert edit.indices.tolist() == at.tolist()
    ids = np.array([f"other {name}" for name in state.dataset.ids])
    nobody = replace(theirs, dataset=replace(theirs.dataset, ids=ids))
    with pytest.raises(SessionError, match="has no image of"):
        merged(ada.state, nobody)


def test_what_is_held_out_here_only_is_relabelled(ada, ben):
    held_out = np.flatnonzero(ada.dataset.held_out)[:2]
    at = np.concatenate([free(ada, 0, 2), held_out])
    everything = replace(ben.state.dataset, split=np.zeros(300, np.int8))
    ben = Session(replace(ben.state, dataset=everything))
    ben.apply(Pin(at, "3"))
    pinned, relabelled = merged(ada.state, ben.state).edits
    assert isinstance(pinned, Pin)
    assert pinned.indices.tolist() == at[:2].tolist()
    assert isinstance(relabelled, Relabel)
    assert relabelled.indices.tolist() == held_out.tolist()
    ada.replay([pinned, relabelled])
