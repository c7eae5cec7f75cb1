from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.session import Session


@pytest.mark.parametrize("links", [False, True])
def test_class_folders_open_again_with_split_and_labels(session, tmp_path, links):
    folder = tmp_path / "out"
    run_job(exporting(session, folder, with_links=links))
    again = run_job(OpenDataset(folder))
    edits = session.edits
    names = np.array([*edits.class_names, ""])
    # Files are called after the images.
    of = {name.rpartition("/")[2]: at for at, name in enumerate(again.ids)}
    at = [of[name] for name in session.dataset.ids]
    assert_array_equal(again.split[at], session.dataset.split)
    now = np.array([*again.class_names, ""])[again.labels[at]]
    assert_array_equal(now, names[edits.labels])
    assert_array_equal(again.original(at[5]), session.dataset.original(5))
    assert again.pixels.paths[0].is_symlink() == links


def test_images_without_files_are_written(trained_state, tmp_path):
    dataset = trained_state.dataset
    some = np.append(
        np.flatnonzero(dataset.held_out), np.flatnonzero(~dataset.held_out)[0]
    )
    run_job(exporting(Session(trained_state), tmp_path / "out", some))
    again = run_job(OpenDataset(tmp_path / "out"))
    assert len(again) == len(some)
    assert np.count_nonzero(~again.held_out) == 1
    at = dataset.ids.tolist().index(again.ids[0].split("/")[-1].removesuffix(".png"))
    assert_array_equal(again.original(0), dataset.original(at))


def test_five_channels_are_written_as_they_are(session, tmp_path, monkeypatch):
    from dataclasses import replace

    from napari_spaceediting.data.pixels import ArrayPixels

    pixels = np.random.default_rng(0).integers(0, 9, (90, 8, 9, 5), np.uint16)
    dataset = replace(session.dataset, pixels=ArrayPixels(pixels))
    state = replace(session.state, dataset=dataset)
    run_job(exporting(Session(state), tmp_path / "out", np.arange(4)))
    again = run_job(OpenDataset(tmp_path / "out"))
    names = [name.rpartition("/")[2].removesuffix(".tif") for name in again.ids]
    at = dataset.ids.tolist().index(names[0])
    assert_array_equal(again.original(0), pixels[at])


def test_nothing_is_overwritten_or_left_half_done(session, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(SessionError, match="already: choose a new folder"):
        run_job(exporting(session, tmp_path / "out"))
    job = exporting(session, tmp_path / "new").run()
    next(job)
    job.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["a/b", "..", "Unlabelled"])
def test_a_class_that_can_have_no_folder_is_refused(session, tmp_path, name):
    session.apply(Relabel(np.array([0]), name))
    with pytest.raises(SessionError, match="cannot have a folder"):
        run_job(exporting(session, tmp_path / "out"))
    assert not list(tmp_path.iterdir())
