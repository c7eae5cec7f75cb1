"""Edits of classes and rejected images in a whole session: maps, rounds, files."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.editing.classes import (
    Delete,
    Merge,
    Rename,
    Reorder,
    Trait,
    TraitKind,
)
from napari_spaceediting.editing.image_edits import Pin, Reject, Restore
from napari_spaceediting.errors import EditError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.history import compare, stages
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.storage import load_session, save_session


@pytest.fixture
def edited(trained_session: Session) -> Session:
    """Return a session in which 0 and 8 are round, 9 is gone and 1 is a stroke."""
    free = np.flatnonzero(~trained_session.dataset.held_out)
    trained_session.replay(
        [
            Merge(("0", "8"), "round"),
            Delete("9"),
            Rename("1", "stroke"),
            Reorder(("stroke",)),
            Trait(TraitKind.ABOVE, {"stroke": "straight"}),
            Pin(free[:3], "stroke"),
            Reject(free[3:20]),
        ]
    )
    return trained_session


NAMES = ("stroke", "round", "2", "3", "4", "5", "6", "7")


def test_the_map_shows_what_the_network_says_of_the_classes_as_they_are(edited):
    said = edited.state.shown.network.predictions.probabilities
    now = edited.shown
    assert now.class_names == edited.edits.class_names == NAMES
    both = now.network.predictions.probabilities
    gone = 1 - said[:, 9]
    np.testing.assert_allclose(both[:, 0], said[:, 1] / gone, rtol=1e-4)
    np.testing.assert_allclose(both[:, 1], (said[:, 0] + said[:, 8]) / gone, rtol=1e-4)
    before = edited.state.checkpoint.labels
    assert_array_equal(now.labels == 1, np.isin(before, [0, 8]))
    edited.undo()  # the rejection
    for _ in range(6):
        edited.undo()
    assert edited.shown is edited.state.shown


def test_rejected_images_are_in_no_part(edited):
    rejected = edited.edits.rejected
    assert_array_equal(edited.dataset.split == Split.REJECTED, rejected)
    assert np.count_nonzero(rejected) == 17
    assert edited.state.dataset.held_out.sum() + 17 == edited.dataset.held_out.sum()
    assert not edited.retraining().retrain.training[rejected].any()


def test_a_rejected_image_of_the_test_part_is_not_measured_on(edited):
    test = np.flatnonzero(edited.state.dataset.split == Split.TEST)
    before = run_job(edited.retraining()).result.evidence.n_images
    edited.apply(Reject(test[:5]))
    after = run_job(edited.retraining()).result.evidence.n_images
    gone = np.count_nonzero(edited.edits.labels[test[:5]] >= 0)
    assert gone
    assert after == before - gone


def test_a_round_takes_the_classes_on_and_a_file_keeps_them(
    edited, tmp_path, assert_equal
):
    assert not edited.edits.edited.all()
    edited.propose(run_job(edited.retraining()))
    evidence = edited.state.proposal.evidence
    assert evidence.class_names == NAMES
    assert evidence.arms["before"].confusion.shape == (8, 8)
    edited.accept()
    after = edited.state.checkpoint
    assert after.class_names == NAMES
    assert after.network.predictions.probabilities.shape[1] == len(NAMES)
    assert after.came == (1, 0, 2, 3, 4, 5, 6, 7, 1, -1)
    assert after.traits["above"] == {"stroke": "straight"}
    assert after.rejected.sum() == 17
    truth = after.labelled(edited.dataset).columns["truth"]
    assert_array_equal(
        truth, np.array([*after.came, -1])[edited.dataset.columns["truth"]]
    )
    folder = tmp_path / "one.spaceediting"
    save_session(edited.state, folder)
    again = load_session(folder)
    assert_equal(edited.state, again)
    session = Session(again)
    at = np.flatnonzero(session.edits.rejected)
    session.apply(Restore(at[:2]))
    assert session.edits.rejected.sum() == 15
    edits = session.state.rounds[0].edits
    assert [type(edit).__name__ for edit in edits][:2] == ["Merge", "Delete"]


def test_stages_are_compared_class_by_class_whatever_they_were_called(edited):
    edited.propose(run_job(edited.retraining()))
    edited.accept()
    start, later = stages(edited.state)
    found = compare(edited.state.dataset, start, later)
    assert found.class_names == NAMES
    before = edited.state.rounds[0].evidence.arms["before"]
    assert found.arms["before"].accuracy == pytest.approx(before.accuracy)


def test_classes_are_edited_again_in_the_next_round_and_rolled_back(edited):
    edited.propose(run_job(edited.retraining()))
    edited.accept()
    edited.apply(Rename("round", "loop"))
    with pytest.raises(EditError, match="would be lost"):
        edited.roll_back()
    assert edited.shown.class_names[1] == "loop"
    edited.undo()
    edited.roll_back()
    assert edited.edits.class_names == NAMES
    assert edited.state.checkpoint.class_names == tuple("0123456789")


def test_edits_of_classes_stay_when_the_map_is_drawn_or_the_network_trained_anew(
    trained_session,
):
    trained_session.apply(Rename("1", "one"))
    trained_session.take_map(run_job(trained_session.mapping()))
    trained_session.take_network(run_job(trained_session.training()))
    assert trained_session.shown.class_names[1] == "one"
    trained_session.apply(Reject(np.array([0])))
    trained_session.mapping()
    with pytest.raises(EditError, match="would be lost"):
        trained_session.training()


def test_classes_alone_can_be_retrained_with(trained_session):
    trained_session.apply(Merge(("1", "7"), "7"))
    mapped = run_job(trained_session.retraining())
    assert mapped.result.predictions.probabilities.shape[1] == 9
    trained_session.undo()
    trained_session.apply(Trait(TraitKind.KEY, {"1": "Q"}))
    with pytest.raises(EditError, match="no edit to learn from"):
        trained_session.retraining()


def test_an_edit_has_an_author_and_a_time(trained_session, tmp_path):
    trained_session.author = "Ada"
    trained_session.apply(Rename("1", "one"))
    trained_session.apply(Pin(np.array([0]), "one", author="Ben"))
    save_session(trained_session.state, tmp_path / "two.spaceediting")
    done = load_session(tmp_path / "two.spaceediting").log.done
    assert [edit.author for edit in done] == ["Ada", "Ben"]
    assert all(edit.made.startswith("20") for edit in done)


def test_a_traversal_is_counted_in_the_classes_that_the_network_knows(edited):
    twos = np.flatnonzero(edited.edits.labels == NAMES.index("2"))
    job = edited.traversing(twos[:1], "stroke")
    said = edited.state.shown.network.predictions.probabilities
    assert job.spec.n_classes == said.shape[1] == 10
    assert job.state is edited.state.shown.network.state
    names = job.asked.class_names
    assert names[:4] == ("0 (before)", "stroke", "2", "3")
    assert (job.asked.target, job.asked.sources.tolist()) == (1, [2])
    # What was merged, it does not know as one.
    round_ones = edited.traversing(twos[:1], "round").asked
    assert round_ones.target >= 10
    assert round_ones.class_names[round_ones.target] == "round"
