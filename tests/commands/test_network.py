from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_spaceediting.commands.main import main
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session


def test_without_validation_images_no_accuracy_is_claimed(capsys, folder):
    state = load_session(folder)
    labels = np.where(state.dataset.split == 1, -1, state.checkpoint.labels)
    bare = replace(state, checkpoint=replace(state.checkpoint, labels=labels))
    save_session(bare, folder)
    assert main(["train", str(folder), "--epochs", "1", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] is None
    assert "nan" not in err.lower()
    assert not math.isnan(json.loads(out)["seconds"])


def test_a_network_that_sees_the_mirror_image_stays_one(command, folder):
    command("train", folder, "--mirror", "--trainable", "head")
    assert load_session(folder).checkpoint.network.spec.mirror
    assert command("extract", folder)["computed"] == 0


def test_known_weights_are_seen_with_their_layout(command, images, tmp_path):
    weights, folder = tmp_path / "known.safetensors", tmp_path / "new.spaceediting"
    random = classifier_from(ClassifierSpec(), seed=3).backbone.state_dict()
    save_file(random, weights)
    known = ("--backbone", "small_cnn", "--weights", weights)
    command("new", images, folder)
    assert command("extract", folder, *known)["shape"] == [512 + 4 * 4 * 32]
    command("train", folder, *known)
    assert command("extract", folder)["computed"] == 0
    command("train", folder, *known, "--trainable", "last_block", "--epochs", "1")
    assert not load_session(folder).checkpoint.network.spec.layout


@pytest.mark.parametrize("trainable", ["head", "last_block"])
def test_a_round_with_layout_is_the_same_once_opened_again(images, tmp_path, trainable):
    session = new_session(run_job(OpenDataset(images)))
    save_file(
        classifier_from(ClassifierSpec()).backbone.state_dict(),
        tmp_path / "w.safetensors",
    )
    session.set_train_settings(TrainSettings(trainable="head", device="cpu"))
    spec = ClassifierSpec(weights=str(tmp_path / "w.safetensors"), layout=True)
    session.take_network(run_job(session.training(spec)))
    session.set_map_settings(MapSettings("pca"))
    session.take_map(run_job(session.mapping()))
    settings = RetrainSettings(
        trainable=trainable, steps=2, arms=("control",), device="cpu"
    )
    session.set_retrain_settings(settings)
    session.apply(Relabel(np.arange(4), "new"))
    session.propose(run_job(session.retraining()))
    session.accept()
    save_session(session.state, tmp_path / "one.spaceediting")
    network = load_session(tmp_path / "one.spaceediting").checkpoint.network
    assert network.spec.layout
    again = run_job(
        ExtractPredictions(session.dataset, network.spec, network.state, "cpu")
    )
    np.testing.assert_allclose(
        again.probabilities, network.predictions.probabilities, atol=1e-4
    )


def test_embeddings_go_with_images_and_are_learnt_from(command, images, tmp_path):
    rng = np.random.default_rng(0)
    with np.load(images) as arrays:
        rows = rng.normal(size=(10, 12))[arrays["labels"]]
    rows = (rows + 0.3 * rng.normal(size=rows.shape)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    session = tmp_path / "new.spaceediting"
    made = command("new", images, session, "--embeddings", tmp_path / "rows.npy")
    assert any("Row by row" in note for note in made["notes"])
    trained = command("train", session)
    assert trained["backbone"] == "embeddings"
    assert "came with the data" in trained["why"][0]
    command("map", session, "--method", "pca")
    network = load_session(session).checkpoint.network
    held_out = load_session(session).dataset.held_out
    right = network.predictions.probabilities.argmax(axis=1)
    labels = load_session(session).dataset.labels
    assert (right == labels)[held_out].mean() > 0.9
    told = command("train", session, "--trainable", "all", code=1)
    assert "only its head can train" in told


def test_by_default_small_images_teach_a_small_network(command, images, tmp_path):
    session = tmp_path / "new.spaceediting"
    command("new", images, session)
    trained = command("train", session, "--epochs", "1")
    assert trained["backbone"] == "small_cnn"
    assert "teach a small network" in trained["why"][0]


def test_a_file_with_a_network_is_named_by_its_path(command, images, tmp_path):
    class Net(torch.nn.Module):
        def forward(self, images):
            return images.flatten(1)

    axes = ({0: torch.export.Dim.DYNAMIC},)
    given = (torch.rand(2, 1, 28, 28),)
    program = torch.export.export(Net(), given, dynamic_shapes=axes)
    torch.export.save(program, tmp_path / "net.pt2")
    session = tmp_path / "new.spaceediting"
    command("new", images, session)
    train = ("train", session, "--backbone", tmp_path / "net.pt2")
    trained = command(*train, "--trainable", "head")
    assert trained["backbone"] == f"file:{tmp_path / 'net.pt2'}"
