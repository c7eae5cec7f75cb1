"""What leaves a session after its classes were changed and images were rejected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.classes import (
    Delete,
    Merge,
    Rename,
    Reorder,
    Trait,
    TraitKind,
)
from napari_spaceediting.editing.image_edits import Reject, Restore
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.export.certainty import held_out_of
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.export.map_picture import picture_of
from napari_spaceediting.session.export.predicting import predicting
from napari_spaceediting.session.export.results import results_of
from napari_spaceediting.session.session import Session, new_session

CHANGES = [
    Rename("1", "one"),
    Merge(("2", "3"), "curved"),
    Delete("odd, é"),
    Reorder(("curved", "one", "0")),
]
ORDER = "curved", "one", "0"


@pytest.fixture
def rejected(session) -> np.ndarray:
    """Return images of a session that are rejected: of each part, and without label."""
    split, labelled = session.dataset.split, session.edits.labels >= 0
    wanted = [(split == part) & labelled for part in range(3)]
    at = np.array([np.flatnonzero(mask)[-1] for mask in (*wanted, ~labelled)])
    session.apply(Reject(at))
    return at


def test_a_table_has_the_classes_as_they_are_now(session, tmp_path):
    before = session.shown.network.predictions.probabilities
    opened = np.array([*session.dataset.class_names, ""])[session.dataset.labels]
    session.replay(CHANGES)
    table = results_of(session).frame(tmp_path)
    assert [name for name in table if name.startswith("probability")] == [
        f"probability_{name}" for name in ORDER
    ]
    kept = before[:, :4].sum(axis=1)
    assert_allclose(table["probability_one"], before[:, 1] / kept, atol=1e-6)
    assert_allclose(
        table["probability_curved"], before[:, 2:4].sum(axis=1) / kept, atol=1e-6
    )
    names = np.array([*ORDER, ""])
    assert table["label"].tolist() == names[session.edits.labels].tolist()
    assert table["label_as_opened"].tolist() == opened.tolist()
    said = session.shown.network.predictions.probabilities.argmax(axis=1)
    assert table["prediction"].tolist() == names[said].tolist()


def test_classes_change_before_there_is_a_network(session, tmp_path):
    fresh = new_session(session.state.dataset)
    fresh.apply(Rename("1", "one"))
    assert "one" in set(results_of(fresh).frame(tmp_path)["label"])


def test_rejected_images_open_again_as_rejected(session, rejected, table):
    path = table.parent / "rejected.csv"
    run_job(exporting(session, path))
    frame = pd.read_csv(path)
    assert np.flatnonzero(frame["rejected"]).tolist() == sorted(rejected)
    dataset = run_job(OpenDataset(path))
    assert_array_equal(dataset.split, session.state.dataset.split)
    assert any("rejects 4 images" in note for note in dataset.notes)
    again = new_session(dataset)
    assert np.flatnonzero(again.edits.rejected).tolist() == sorted(rejected)
    assert set(again.training().dataset.split[rejected]) == {3}
    again.apply(Restore(rejected[:1]))
    assert again.dataset.split[rejected[0]] == 0


def test_rejected_images_are_added_as_rejected(session, rejected, table):
    path = table.parent / "more.csv"
    run_job(exporting(session, path))
    few = new_session(session.state.dataset.subset(np.arange(20)))
    few.take_images(run_job(few.adding(path)))
    ids = few.dataset.ids[few.edits.rejected]
    wanted = session.dataset.ids[np.sort(rejected[rejected >= 20])]
    assert [name.rpartition("/")[2] for name in ids] == wanted.tolist()


def test_class_folders_leave_rejected_images_out(session, rejected, tmp_path):
    written = run_job(exporting(session, tmp_path / "out"))
    assert "rejected, 4, were left out" in written.said
    assert len(run_job(OpenDataset(tmp_path / "out"))) == len(session.dataset) - 4
    with pytest.raises(SessionError, match="All of these images are rejected"):
        exporting(session, tmp_path / "none", rejected)


def test_certainty_and_map_leave_rejected_images_out(session, rejected):
    n_before = held_out_of(session).certainty().calibration.n_images
    drawn = picture_of(session)
    assert not np.isin(rejected, drawn.images).any()
    session.undo()
    assert held_out_of(session).certainty().calibration.n_images == n_before + 1
    assert len(picture_of(session).images) == len(drawn.images) + 4


def test_the_map_has_the_colours_of_the_user(session):
    session.apply(Trait(TraitKind.COLOUR, {"1": "#010203"}))
    drawn = picture_of(session)
    own = drawn.colours[drawn.class_names.index("1")]
    assert_allclose(own * 255, [1, 2, 3, 255])


def test_a_report_counts_rejected_images_apart(session, rejected, tmp_path):
    run_job(exporting(session, tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert '<th class="n">rejected</th>' in page


def test_new_images_are_of_the_classes_as_they_are_now(session, table, tmp_path):
    session.replay(CHANGES)
    done = run_job(predicting(session, table, tmp_path / "out.csv", 0))
    out = pd.read_csv(tmp_path / "out.csv")
    said = session.shown.network.predictions.probabilities
    for at, name in enumerate(ORDER):
        assert_allclose(out[f"probability_{name}"], said[:, at], atol=1e-5)
    best = np.array(ORDER)[said.argmax(axis=1)]
    assert out["prediction"].tolist() == best.tolist()
    assert sum(done.counts.values()) == len(said)


def test_a_network_goes_out_with_the_names_of_now(session, tmp_path):
    session.replay([Rename("1", "one"), Reorder(("odd, é", "3", "one"))])
    job = exporting(session, tmp_path / "network.pt2")
    assert job.class_names == ("0", "one", "2", "3", "odd, é")
    session.apply(Merge(("2", "3"), "curved"))
    with pytest.raises(SessionError, match=r"merged or deleted .* retrain first"):
        exporting(session, tmp_path / "network.pt2")


def test_a_network_for_several_types_is_refused(session, tmp_path):
    scaling = IntensityScaling(others={"uint16": IntensityScaling()})
    dataset = replace(session.state.dataset, scaling=scaling)
    several = Session(replace(session.state, dataset=dataset))
    with pytest.raises(SessionError, match="of several types"):
        exporting(several, tmp_path / "network.pt2")
