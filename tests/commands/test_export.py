from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_spaceediting.session.storage import load_session


def test_export_writes_what_the_path_says(command, folder, tmp_path):
    state = load_session(folder)
    some = state.dataset.ids[[4, 2]].tolist()
    out = command(
        "export", folder, "--to", tmp_path / "t.csv", "--images", *some, "--latents"
    )
    assert out == {"path": str(tmp_path / "t.csv")}
    table = pd.read_csv(tmp_path / "t.csv", dtype={"id": str})
    assert table["id"].tolist() == some
    latents = state.shown.network.predictions.latents[[4, 2]]
    np.testing.assert_array_equal(table["latent_3"].to_numpy("f4"), latents[:, 3])
    command("export", folder, "--to", tmp_path / "classes")
    assert len(list((tmp_path / "classes").rglob("*.png"))) == len(state.dataset)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--to", "{tmp}/x.doc"], "like x.doc: let it end in"),
        (["--to", "{tmp}/x.csv", "--images", "none"], 'no image "none"'),
    ],
)
def test_what_cannot_be_exported_is_refused(command, folder, tmp_path, more, words):
    said = command("export", folder, *(a.format(tmp=tmp_path) for a in more), code=1)
    assert words in said


def test_predict_writes_a_table_of_new_images(command, folder, images, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    out = command("predict", folder, images, "--to", tmp_path / "new.parquet")
    table = pd.read_parquet(tmp_path / "new.parquet")
    assert len(table) == sum(out["counts"].values()) == 300
    assert out["counts"] == table["prediction"].value_counts().to_dict()
    assert out["labelled"] == 300
    assert out["share"] == 0.05
    assert 0 <= out["calibration_error"]["after"] <= 1
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before


def test_from_images_to_corrected_labels_in_six_commands(command, images, tmp_path):
    session, answers = tmp_path / "one.spaceediting", tmp_path / "proposals.json"
    command("new", images, session, "--labels-per-class", 6)
    command("train", session, "--epochs", 2, "--device", "cpu")
    command("map", session, "--method", "pca")
    proposals = command("guide", session, "-n", 3)
    answers.write_text(json.dumps([{**one, "answer": "yes"} for one in proposals]))
    done = command("retrain", session, "--answers", answers, "--arms", "--accept")
    command("export", session, "--to", tmp_path / "labels.csv")
    table = pd.read_csv(tmp_path / "labels.csv", dtype={"id": str, "label": str})
    corrected = table[table["round"] == 1]
    assert set(corrected["id"]) == set(done["edited"])
    assert corrected["label"].notna().all()
    assert (corrected["label_as_opened"] != corrected["label"]).any()
    assert table["prediction"].notna().all()


def test_from_own_images_to_a_table_in_six_commands(
    own_images, check_labels_came_out, command, tmp_path
):
    session = tmp_path / "own.spaceediting"
    command("new", own_images, session)
    command("train", session, "--epochs", 10)
    command("map", session, "--method", "pca")
    proposals = command("guide", session, "-n", 2)
    for proposal in proposals:
        proposal["answer"] = "yes"
    answered = tmp_path / "proposals.json"
    answered.write_text(json.dumps(proposals))
    done = command("retrain", session, "--answers", answered, "--accept")
    written = tmp_path / "labels.csv"
    command("export", session, "--to", written)
    check_labels_came_out(written, set(done["edited"]))
