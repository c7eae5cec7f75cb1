from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.orders import margins
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.export.results import last_edits, results_of
from napari_spaceediting.session.session import Session

READERS = {
    ".csv": lambda path: pd.read_csv(path, keep_default_na=False, dtype={"label": str}),
    ".parquet": pd.read_parquet,
}


@pytest.mark.parametrize("ending", READERS)
def test_a_table_says_what_the_window_shows(session, tmp_path, ending):
    path = tmp_path / f"out{ending}"
    written = run_job(exporting(session, path, with_latents=True))
    assert str(path) in written.said
    table = READERS[ending](path)
    edits, network = session.edits, session.shown.network
    probabilities = network.predictions.probabilities
    names = np.array([*edits.class_names, ""])
    assert table["id"].tolist() == session.dataset.ids.tolist()
    assert table["label"].tolist() == names[edits.labels].tolist()
    assert table["prediction"].astype(str).tolist() == (
        names[probabilities.argmax(axis=1)].tolist()
    )
    for at, name in enumerate(session.shown.class_names):
        exported = table[f"probability_{name}"].to_numpy(np.float32)
        assert_array_equal(exported, probabilities[:, at])
    doubt = (1 - margins(probabilities)).astype(np.float32)
    assert_array_equal(table["doubt"].to_numpy(np.float32), doubt)
    places = table[["map_y", "map_x"]].to_numpy(np.float32)
    assert_array_equal(places, edits.positions)
    latents = network.predictions.latents
    own = table[[f"latent_{at}" for at in range(latents.shape[1])]]
    assert_array_equal(own.to_numpy(np.float32), latents)


def test_a_table_opens_again_with_its_split_and_labels(session, table, tmp_path):
    for path in (
        tmp_path / "out.csv",
        tmp_path / "out.parquet",
        table.parent / "x.tsv",
    ):
        run_job(exporting(session, path))
        again = run_job(OpenDataset(path))
        edits = session.edits
        names = np.array([*edits.class_names, ""])
        assert_array_equal(again.ids, session.dataset.ids)
        assert_array_equal(again.split, session.dataset.split)
        now = np.array([*again.class_names, ""])[again.labels]
        assert_array_equal(now, names[edits.labels])
        assert_array_equal(again.original(3), session.dataset.original(3))
        assert "site" in again.columns


def test_what_came_in_goes_out_even_where_names_are_taken(session, tmp_path):
    frame = results_of(session).frame(tmp_path)
    assert_array_equal(frame["came_in_as_doubt"], session.dataset.columns["doubt"])
    assert set(frame["site"]) == {"north", "south"}
    columns = {**session.dataset.columns, "label_2": session.dataset.columns["site"]}
    several = replace(session.state, dataset=replace(session.dataset, columns=columns))
    assert "came_in_as_label_2" in results_of(Session(several)).frame(tmp_path)


def test_a_table_tells_which_edit_gave_a_label(session, tmp_path):
    table = results_of(session).frame(tmp_path)
    first, second = session.state.rounds[0].edits
    move, unlabel = session.state.log.done
    at = table.loc[first.indices[1]]
    assert (at["round"], at["edit"], at["edited"]) == (1, 1, "Pinned 3 images as 1")
    at = table.loc[second.indices[0]]
    assert (at["round"], at["edit"], at["label"]) == (1, 2, "odd, é")
    at = table.loc[move.indices[0]]
    assert pd.isna(at["round"])
    assert (at["edit"], at["edited"]) == (1, "Moved 1 image to 2")
    at = table.loc[unlabel.indices[0]]
    assert (at["edit"], at["label"], at["label_as_opened"]) == (2, "", "")
    assert set(table["edited_by"]) == {"", "Ada"}
    assert table.loc[move.indices[0], "edited_at"] == move.made != ""
    untouched = table.loc[np.flatnonzero(session.dataset.is_labelled)[0]]
    assert pd.isna(untouched["edit"])
    assert untouched["edited"] == ""


def test_edits_that_were_taken_back_gave_no_label():
    edits = [Pin(np.array([0, 1]), "a"), Pin(np.array([1]), "b"), Withdraw(1)]
    assert last_edits(edits, 3).tolist() == [0, 0, -1]


def test_a_selection_goes_out_in_its_order(session, tmp_path):
    some = np.array([7, 3, 20])
    path = tmp_path / "some.csv"
    run_job(exporting(session, path, some))
    assert pd.read_csv(path)["id"].tolist() == session.dataset.ids[some].tolist()


def test_before_any_training_labels_go_out(session, table, tmp_path):
    from napari_spaceediting.session.session import new_session

    fresh = new_session(session.dataset)
    frame = results_of(fresh).frame(table.parent)
    assert frame["path"].tolist() == session.dataset.ids.tolist()
    assert "prediction" not in frame
    assert "map_x" not in frame


def test_the_last_edit_of_a_proposed_round_is_that_of_its_round(session):
    session.undo()
    session.propose(run_job(session.retraining()))
    frame = results_of(session).frame(session.dataset.pixels.paths[0].parent)
    moved = session.state.rounds[1].edits[0].indices[0]
    assert (frame.loc[moved, "round"], frame.loc[moved, "edit"]) == (2, 1)
    assert_array_equal(
        frame["label"], np.array([*session.edits.class_names, ""])[session.edits.labels]
    )


def test_images_without_files_are_told(trained_state, tmp_path):
    written = run_job(exporting(Session(trained_state), tmp_path / "out.csv"))
    assert "no files of their own" in written.said
    frame = pd.read_csv(tmp_path / "out.csv", dtype={"truth": str})
    assert "path" not in frame
    truth = trained_state.dataset.columns["truth"]
    assert frame["truth"].tolist() == truth.astype(str).tolist()


def test_what_cannot_be_written_leaves_all_as_it_was(session, tmp_path):
    with pytest.raises(SessionError, match=r"like out\.xlsx: let it end in \.csv"):
        exporting(session, tmp_path / "out.xlsx")
    with pytest.raises(SessionError, match="could not be written"):
        run_job(exporting(session, tmp_path / "nowhere" / "out.parquet"))
    assert not list(tmp_path.iterdir())


def test_without_anndata_it_says_what_to_install(session, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(SessionError, match=r"napari-spaceediting\[anndata\]"):
        run_job(exporting(session, tmp_path / "out.h5ad"))


def test_anndata_has_the_map_and_the_latents(session, tmp_path):
    anndata = pytest.importorskip("anndata")
    path = tmp_path / "out.h5ad"
    run_job(exporting(session, path, with_latents=True))
    again = anndata.read_h5ad(path)
    assert again.obs_names.tolist() == session.dataset.ids.tolist()
    latents = session.shown.network.predictions.latents
    assert_array_equal(again.obsm["X_latent"], latents)
    assert_array_equal(again.obsm["X_map"], session.edits.positions[:, ::-1])
    assert Session(session.state).edits.class_names[0] in set(again.obs["label"])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_hugging_face_datasets_reads_a_table(session, tmp_path, ending):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / f"out{ending}"
    run_job(exporting(session, path, with_latents=True))
    kind, cache = ending.removeprefix("."), str(tmp_path / "cache")
    read = datasets.load_dataset(kind, data_files=str(path), cache_dir=cache)["train"]
    assert read["id"][:] == session.dataset.ids.tolist()
    said = session.shown.network.predictions
    for at, name in enumerate(session.shown.class_names):
        found = np.float32(read[f"probability_{name}"][:])
        assert_array_equal(found, said.probabilities[:, at])
    assert_array_equal(np.float32(read["latent_0"][:]), said.latents[:, 0])
