from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.image_edits import Intent, Move, Pin
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.shelf import Damaged
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.validity import check_state


def ink(dataset) -> np.ndarray:
    """Return how bright images are."""
    return dataset.images(np.arange(len(dataset))).mean(axis=(1, 2, 3))


def arrange(session: Session, along: np.ndarray, n: int = 100) -> None:
    """Arrange training images on a line."""
    at = np.flatnonzero(~session.dataset.held_out)[:n]
    places = np.c_[along[at], np.zeros(n)].astype(np.float32)
    session.apply(Move(at, session.edits.positions[at], places, Intent.ARRANGE))


@pytest.fixture
def axis(trained_session: Session) -> Axis:
    n = len(trained_session.dataset)
    values = np.linspace(-1, 1, n).astype(np.float32)
    return Axis("places along the arrangement", values, False, 0.7, 0.8, 60)


def test_images_are_ordered_by_what_some_are_arranged_by(trained_session):
    session = trained_session
    along = 20 * ink(session.dataset)
    arrange(session, along)
    heard = []
    session.axes_changed.connect(lambda: heard.append(True))
    (kept,) = session.keep_axes(run_job(session.finding_axes()), " ink ")
    assert heard == [True]
    assert session.state.axes == (kept,)
    assert kept.name == "ink"
    held_out = session.dataset.held_out
    assert np.corrcoef(kept.axis.values[held_out], along[held_out])[0, 1] > 0.7
    # It stays with the network as it is.
    session.undo()
    assert session.state.axes == (kept,)


def test_shuffled_places_are_not_kept(trained_session):
    session = trained_session
    along = np.random.default_rng(0).permutation(ink(session.dataset))
    arrange(session, 20 * along)
    found = run_job(session.finding_axes())
    with pytest.raises(SessionError, match="do not follow from the images"):
        session.keep_axes(found, "ink")
    assert session.state.axes == ()


def test_images_need_to_be_arranged_first(trained_session, pin):
    trained_session.apply(pin(trained_session))
    with pytest.raises(EditError, match="No image is arranged"):
        trained_session.finding_axes()


def test_images_in_one_place_are_told_of(trained_session):
    session = trained_session
    arrange(session, np.zeros(len(session.dataset)))
    with pytest.raises(SessionError, match="one place"):
        session.keep_axes(run_job(session.finding_axes()), "ink")


def test_each_axis_has_a_name_of_its_own(trained_session, axis):
    session = trained_session
    weak = replace(axis, r2=0.1)
    names = [one.name for one in session.keep_axes((axis, weak, axis), "angle")]
    assert names == ["angle", "angle 2"]
    with pytest.raises(SessionError, match="“angle” already"):
        session.keep_axes((axis,), "angle")
    with pytest.raises(SessionError, match="no name"):
        session.keep_axes((axis,), "  ")
    session.remove_axis(session.state.axes[0])
    assert [one.name for one in session.state.axes] == ["angle 2"]


def test_axes_are_saved(trained_session, axis, tmp_path, assert_equal):
    session = trained_session
    session.keep_axes((axis, replace(axis, is_circular=True)), "angle")
    save_session(session.state, tmp_path / "one.spaceediting")
    again = load_session(tmp_path / "one.spaceediting")
    assert_equal(session.state.axes, again.axes)
    assert again.axes[1].axis.is_circular
    assert again.axes[0].axis.verdict == axis.verdict


def test_axes_are_read_off_images_that_come_later(trained_session, tmp_path):
    session = trained_session
    arrange(session, 20 * ink(session.dataset))
    (kept,) = session.keep_axes(run_job(session.finding_axes()), "ink")
    n = len(session.dataset)
    more = digits().subset(np.arange(400, 440))
    path = tmp_path / "more.npz"
    np.savez(path, images=np.stack(more.raw_images())[..., 0])
    session.take_images(run_job(session.adding(path)))
    (after,) = session.state.axes
    assert after.axis.values.shape == (n + 40,)
    assert_array_equal(after.axis.values[:n], kept.axis.values)
    assert np.corrcoef(after.axis.values[n:], ink(session.dataset)[n:])[0, 1] > 0.7
    check_state(session.state)


def test_an_axis_that_went_in_the_meantime_is_told_of(trained_session, axis, tmp_path):
    session = trained_session
    (kept,) = session.keep_axes((axis,), "ink")
    path = tmp_path / "more.npz"
    np.savez(path, images=np.zeros((3, 8, 8), np.uint8))
    added = run_job(session.adding(path))
    session.remove_axis(kept)
    with pytest.raises(SessionError, match="has changed"):
        session.take_images(added)


def test_a_round_leaves_axes_as_they_are(trained_session, axis, pin):
    session = trained_session
    session.keep_axes((axis,), "ink")
    session.apply(pin(session))
    session.propose(run_job(session.retraining()))
    session.accept()
    assert_allclose(session.state.axes[0].axis.values, axis.values)
    session.apply(Pin(np.flatnonzero(~session.dataset.held_out)[:1], "3"))
    assert len(session.state.axes) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"values": np.zeros(3, np.float32)}, "shape"),
        ({"values": np.full(300, np.nan, np.float32)}, "are not all numbers"),
        ({"r2": float("inf")}, "how well"),
        ({"n_arranged": -1}, "images of the axis"),
    ],
)
def test_a_damaged_axis_is_told_of(trained_session, axis, change, what):
    (kept,) = trained_session.keep_axes((axis,), "ink")
    broken = replace(kept, axis=replace(axis, **change))
    with pytest.raises(Damaged, match=what):
        check_state(replace(trained_session.state, axes=(broken,)))
