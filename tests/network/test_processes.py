"""Several processes: the numbers of one, and nothing lost when they are killed."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.commands.main import main
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session

pytest.importorskip("lightning_fabric")
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="PyTorch's launcher needs libuv there"
)

HERE = Path(__file__).parent
STOP_AFTER = "TEST_STOP_AFTER_CALLS"
SPEC = ClassifierSpec("process_backbones:normed", latent_dim=8)
TOLERANCE = 1e-4
"""Of weights, in units of the largest one of a layer."""


def launch(*words: object, **environment: str) -> bool:
    """Run a command in two processes, as ``torchrun`` does; say whether it worked."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as run_processes

    path = os.pathsep.join([str(HERE), *sys.path])
    options = ["--standalone", "--nproc-per-node", "2", "-m", "napari_spaceediting"]
    with pytest.MonkeyPatch.context() as patch:
        known = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
        for name, value in known.items():
            patch.setenv(name, value)
        try:
            run_processes([*options, *map(str, words)])
        except ChildFailedError:
            return False
    return True


@pytest.fixture(scope="module")
def state() -> SessionState:
    """Return a session of 300 digits on a network with batch norms."""
    sys.path.insert(0, str(HERE))
    trust(SPEC.backbone)
    try:
        dataset = digits(10).subset(np.arange(300))
        session = new_session(
            dataset,
            train=TrainSettings(epochs=2, device="cpu"),
            map_settings=MapSettings(method="pca"),
            retrain=RetrainSettings(steps=8, batch_size=25, device="cpu"),
        )
        session.take_network(run_job(session.training(SPEC)))
        session.take_map(run_job(session.mapping()))
        yield session.state
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture
def edits(tmp_path, state) -> Path:
    dataset = state.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)[:12]
    entries = [{"kind": "pin", "images": dataset.ids[free].tolist(), "tag": "3"}]
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(entries))
    return path


def network_of(folder: Path):
    return load_session(folder).rounds[-1].after.network


def test_two_processes_train_what_one_does_even_after_they_were_killed(
    state, edits, tmp_path
):
    retrain = replace(state.retrain, trainable="all")
    one, two = tmp_path / "one.spaceediting", tmp_path / "two.spaceediting"
    for folder in (one, two):
        save_session(replace(state, retrain=retrain), folder)
    before = (two / "session.json").read_bytes()
    words = "retrain", two, "--edits", edits, "--cache", tmp_path / "cache"
    # More calls than reading the features of the training images takes.
    assert not launch(*words, **{STOP_AFTER: "12"})
    assert (two / "session.json").read_bytes() == before
    assert load_session(two).rounds == ()

    assert launch(*words)
    words = "retrain", one, *words[2:-1], tmp_path / "other"
    assert main([str(word) for word in words]) == 0
    alone, together = (load_session(at).rounds[-1].after.network for at in (one, two))
    assert set(alone.state) == set(together.state)
    for name, weights in alone.state.items():
        if np.issubdtype(weights.dtype, np.floating):
            away = np.abs(weights - together.state[name]).max()
            assert away <= TOLERANCE * np.abs(weights).max(), name
    begun = state.checkpoint.network.state
    assert not np.allclose(together.state["head.weight"], begun["head.weight"])
    np.testing.assert_allclose(
        alone.predictions.probabilities,
        together.predictions.probabilities,
        atol=10 * TOLERANCE,
    )


@pytest.fixture
def many(tmp_path) -> Path:
    """Return a session of 5,000 small images without a network."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (5_000, 8, 8), np.uint8)
    np.savez(tmp_path / "many.npz", images=images, labels=np.arange(5_000) % 2)
    folder = tmp_path / "many.spaceediting"
    words = ["new", tmp_path / "many.npz", folder]
    assert main([str(word) for word in words]) == 0
    return folder


def test_killed_extraction_goes_on_where_it_stopped(many, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    backbone = "--backbone", SPEC.backbone
    cache, fresh = tmp_path / "cache", tmp_path / "fresh"
    words = "extract", many, *backbone, "--cache", cache
    # 1,280 of the 2,500 images of each are read; 1,024 of them are safe.
    assert not launch(*words, **{STOP_AFTER: "5"})
    report = tmp_path / "report.json"
    assert launch(*words, "--json", report)
    told = json.loads(report.read_text())
    assert told["images"] == 5_000
    assert told["processes"] == 2
    assert 0 < told["computed"] < 5_000
    # One process finds all of it, and it is what one process computes.
    again = ["extract", many, *backbone, "--cache", cache, "--json", report]
    assert main([str(word) for word in again]) == 0
    assert json.loads(report.read_text())["computed"] == 0
    again[5] = fresh
    assert main([str(word) for word in again]) == 0
    (found,), (expected,) = (
        list((folder / "activations").glob("*.npy")) for folder in (cache, fresh)
    )
    assert found.name == expected.name
    np.testing.assert_allclose(np.load(found), np.load(expected), rtol=1e-4, atol=1e-5)
    assert len(list((cache / "activations").iterdir())) == 1


def test_other_commands_are_for_one_process(many, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["map", str(many)]) == 1
    assert "without torchrun" in capsys.readouterr().err


def test_a_network_to_extract_with_is_needed(many, state, capsys):
    assert main(["extract", str(many)]) == 1
    assert "name a backbone" in capsys.readouterr().err
    session = Session(state)
    spec, weights = session.network_or()
    assert spec.backbone == SPEC.backbone
    assert weights is state.checkpoint.network.state
