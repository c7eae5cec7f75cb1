from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Move, Pin, Relabel
from napari_spaceediting.errors import EditError
from napari_spaceediting.session.replies import listed, reply


@pytest.fixture
def entries(trained_session):
    """Return proposals as listed: a group, a doubted label and a single image."""
    dataset = trained_session.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    labelled = np.flatnonzero(~dataset.held_out & dataset.is_labelled)
    place = np.array([1, 2], np.float32)
    kinds = ProposalKind
    return listed(
        [
            Proposal(kinds.GROUP, free[:4], "A group.", "3", place, 1.0),
            Proposal(kinds.MISLABELLED, labelled[:1], "Odd.", "4", None, 1.0, (-0.5,)),
            Proposal(kinds.ISOLATED, free[6:7], "Alone.", None, None, 1.0),
        ],
        dataset.ids,
    )


def test_yes_does_what_is_proposed(trained_session, entries):
    entries[0]["answer"] = entries[1]["answer"] = "yes"
    assert reply(trained_session, entries) == 2
    moved, pinned = trained_session.state.log.done
    assert isinstance(moved, Move)
    assert isinstance(pinned, Pin)
    assert (moved.tag, pinned.tag) == ("3", "4")
    np.testing.assert_allclose(moved.end.mean(axis=0), [1, 2], atol=1e-5)
    kept = trained_session.answers
    assert [answer.accepted for answer in kept] == [True, True]
    assert kept[1].signs == (-0.5,)


def test_no_confirms_a_doubted_label_and_puts_others_aside(trained_session, entries):
    entries[0]["answer"] = entries[1]["answer"] = "no"
    assert reply(trained_session, entries) == 2
    (pinned,) = trained_session.state.log.done
    assert (
        pinned.tag
        == trained_session.dataset.class_names[
            trained_session.dataset.labels[pinned.indices[0]]
        ]
    )
    assert [answer.accepted for answer in trained_session.answers] == [False, False]


def test_a_class_is_given_wherever_the_images_lie(trained_session, entries):
    entries[0]["class"], entries[2]["class"] = "8", "something new"
    entries[1]["answer"] = "unsure"
    assert reply(trained_session, entries) == 2
    first, second = trained_session.state.log.done
    assert isinstance(first, Relabel)
    assert (first.tag, second.tag) == ("8", "something new")
    assert [answer.accepted for answer in trained_session.answers] == [False, True]


def test_without_answers_nothing_is_done(trained_session, entries):
    before = trained_session.state
    assert reply(trained_session, entries) == 0
    assert trained_session.state is before


@pytest.mark.parametrize(
    ("at", "more", "words"),
    [
        (1, {"answer": "maybe"}, "Proposal 2 has the answer 'maybe': write"),
        (2, {"answer": "yes"}, "Proposal 3 proposes no class"),
        (1, {"answer": "no", "class": "3"}, "an answer and a class"),
        (1, {"answer": "yes", "images": ["gone"]}, '"gone", which is not in the data'),
        (1, {"answer": "yes", "images": []}, "names no image"),
        (1, {"answer": "yes", "kind": "odd"}, "Proposal 2 cannot be read"),
        (1, {"answer": "yes", "place": [1]}, "Proposal 2 cannot be read"),
        (1, {"class": 7}, "write its name in quotes"),
    ],
)
def test_all_answers_count_or_none(trained_session, entries, at, more, words):
    entries[0]["answer"] = "yes"
    entries[at] |= more
    before = trained_session.state
    with pytest.raises(EditError, match=words):
        reply(trained_session, entries)
    assert trained_session.state is before


def test_what_is_no_object_is_refused(trained_session):
    with pytest.raises(EditError, match="no object of JSON"):
        reply(trained_session, ["yes"])
