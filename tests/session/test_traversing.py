"""The session prepares traversals from what the map shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.editing.edits import EditLog
from napari_spaceediting.editing.image_edits import Pin, Relabel
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.traversal.settings import TraversalError, TraverseSettings


@pytest.fixture
def session(trained_session: Session) -> Session:
    """Return a session in which twelve threes and twelve eights have a label."""
    dataset = trained_session.dataset
    truth = dataset.columns["truth"]
    free = ~dataset.held_out
    for digit in (3, 8):
        members = np.flatnonzero((truth == digit) & free)[:12]
        trained_session.apply(Relabel(members, str(digit)))
    return trained_session


def held_out(session: Session, digit: int) -> np.ndarray:
    dataset = session.dataset
    return np.flatnonzero((dataset.columns["truth"] == digit) & dataset.held_out)


def test_to_a_class_with_the_labels_as_they_are_edited(session: Session) -> None:
    threes = held_out(session, 3)[:2]
    job = session.traversing(threes, "8")
    labels, apart = session.edits.labels, session.dataset.held_out
    assert job.sets.images.tolist() == threes.tolist()
    expected = np.flatnonzero((labels == 8) & ~apart)
    assert len(expected) >= 12, "the edits count"
    np.testing.assert_array_equal(job.sets.target, expected)
    for source in job.sets.sources:
        np.testing.assert_array_equal(source, np.flatnonzero((labels == 3) & ~apart))
    assert job.asked.sources.tolist() == [3, 3]
    assert (job.asked.target, job.asked.goal) == (8, "8")
    assert job.settings.device == "cpu"
    before = session.state
    settings = TraverseSettings(budgets=(0.1,), iterations=3, device="cpu")
    done = run_job(session.traversing(threes, "8", settings))
    assert done.images.shape == (2, 2, 1, 28, 28)
    assert session.state is before


def test_to_a_group_of_images(session: Session) -> None:
    three = held_out(session, 3)[:1]
    labels = session.edits.labels
    eights = np.flatnonzero((labels == 8) & ~session.dataset.held_out)
    job = session.traversing(three, eights[:10])
    np.testing.assert_array_equal(job.sets.target, eights[:10])
    assert job.asked.target == 8
    assert job.asked.goal == "group of 10 (mostly 8)"

    # Within a class: away from the rest of it.
    eight = held_out(session, 8)[:1]
    job = session.traversing(eight, eights[:5])
    np.testing.assert_array_equal(job.sets.sources[0], np.sort(eights[5:]))

    mixed = np.flatnonzero((labels >= 0) & (labels != 3))[::9]
    assert session.traversing(three, mixed).asked.target == -1


def test_a_new_class_can_be_the_target(session: Session) -> None:
    dataset = session.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    session.apply(Pin(free[:10], "scribble"))
    job = session.traversing(held_out(session, 3)[:1], "scribble")
    np.testing.assert_array_equal(job.sets.target, np.sort(free[:10]))
    quick = TraverseSettings(budgets=(0.1,), iterations=2, device="cpu")
    done = run_job(replace(job, settings=quick))
    assert done.probabilities.shape[2] == 10, "the network does not know it yet"


def test_what_cannot_be_done_is_said(session: Session, small_digits) -> None:
    three, eight = held_out(session, 3)[:1], held_out(session, 8)[:1]
    group = np.flatnonzero(session.edits.labels == 8)
    for images, target, error, says in (
        (three, "cat", SessionError, 'no class "cat": choose one of 0, 1'),
        (eight, "8", TraversalError, "already"),
        (three[:0], "8", TraversalError, "No image was chosen"),
        (three, group[:2], TraversalError, "The target has 2 images"),
        (three, np.concatenate([group, three]), TraversalError, "in the target"),
    ):
        with pytest.raises(error, match=says):
            session.traversing(images, target)
    with pytest.raises(SessionError, match="no network yet: train one first"):
        new_session(small_digits).traversing(three, "8")


def test_without_classes_images_move_away_from_those_chosen_with_them(
    session: Session,
) -> None:
    state = session.state
    network = state.checkpoint.network
    predictions = replace(
        network.predictions, probabilities=np.empty((300, 0), np.float32)
    )
    checkpoint = replace(
        state.checkpoint,
        class_names=(),
        labels=np.full(300, -1),
        network=replace(network, predictions=predictions),
    )
    nameless = Session(replace(state, checkpoint=checkpoint, log=EditLog()))
    images, group = np.arange(5), np.arange(20, 40)
    job = nameless.traversing(images, group)
    assert job.asked.sources.tolist() == [-1] * 5
    np.testing.assert_array_equal(job.sets.sources[2], images)
    assert job.asked.target == -1
    with pytest.raises(TraversalError, match="label or choose more"):
        nameless.traversing(images[:2], group)
