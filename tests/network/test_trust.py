"""Code that a session names is not run before the user has named it."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.commands.main import main
from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.cache import CONFIG
from napari_spaceediting.data.open import OpenLayers
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.jobs.worker import WorkerProcess
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.jobs import ExtractActivations
from napari_spaceediting.network.spec import BACKBONES, ClassifierSpec
from napari_spaceediting.network.trust import UntrustedBackbone, is_trusted, trust

NAME = "received_nets:flat"
CODE = """
from pathlib import Path
from torch import nn
from napari_spaceediting.network.backbones import Backbone
Path(__file__).with_name("was_run").touch()
def flat(spec):
    pixels = spec.image_size[0] * spec.image_size[1] * spec.in_channels
    return Backbone(nn.Flatten(), nn.Linear(pixels, 6), n_features=6)
def something_else(spec):
    return nn.Flatten()
def broken(spec):
    raise ZeroDivisionError("no pixels")
a_number = 3
"""
SPEC = ClassifierSpec(NAME, n_classes=2, image_size=(8, 8))


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(CONFIG, str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture(autouse=True)
def was_run(tmp_path, monkeypatch) -> Path:
    """Return a file that is there as soon as the code has been run."""
    folder = tmp_path / "received"
    folder.mkdir()
    (folder / "received_nets.py").write_text(CODE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{':'.join(sys.path)}")
    monkeypatch.delitem(sys.modules, "received_nets", raising=False)
    return folder / "was_run"


def test_our_own_are_trusted_and_others_only_when_they_were_named(config, was_run):
    assert all(map(is_trusted, BACKBONES))
    assert not is_trusted(NAME)
    with pytest.raises(UntrustedBackbone, match=f"--trust-backbone {NAME}"):
        build_backbone(SPEC)
    assert not was_run.exists()
    trust(NAME)
    assert is_trusted(NAME)
    assert not is_trusted("received_nets:something_else")
    assert build_backbone(SPEC).n_features == 6
    assert [path.name for path in config.iterdir()] == ["trusted-backbones.json"]


@pytest.mark.parametrize("content", [b"", b"[", b"3", b"{}", b"\xff", b"[[[1]]]"])
def test_a_damaged_memory_trusts_nothing(config, content):
    trust("another:one")
    (config / "trusted-backbones.json").write_bytes(content)
    assert not is_trusted("another:one")
    trust(NAME)
    assert is_trusted(NAME)


@pytest.mark.parametrize(
    "name", ["os:", ":x", "os :getcwd", "a-b:c", "os:getcwd\n", "os\n:getcwd", "a:b:c"]
)
def test_what_says_no_place_is_never_imported(name):
    trust(name)
    with pytest.raises(SpaceEditingError, match="There is no backbone"):
        build_backbone(ClassifierSpec(name))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("something_else", "makes no backbone but a Flatten"),
        ("broken", "could not be made .*no pixels"),
        ("a_number", "could not be made .*not callable"),
        ("nothing", "was not found"),
    ],
)
def test_what_is_no_backbone_is_a_sentence(function, words):
    name = f"received_nets:{function}"
    trust(name)
    with pytest.raises(SpaceEditingError, match=f'"{name}" {words}'):
        build_backbone(ClassifierSpec(name))


def test_a_module_that_cannot_be_imported_is_a_sentence(was_run):
    was_run.with_name("broken_nets.py").write_text("1 / 0")
    trust("broken_nets:flat")
    with pytest.raises(SpaceEditingError, match=r"not found \(division by zero"):
        build_backbone(ClassifierSpec("broken_nets:flat"))


def test_a_worker_process_asks_too(was_run):
    dataset = run_job(OpenLayers(partial(find_in_stack, np.zeros((6, 8, 8), np.uint8))))
    spec = replace(SPEC, image_size=dataset.image_size)
    job = ExtractActivations(dataset, spec, None, device="cpu")
    worker = WorkerProcess()
    try:
        with pytest.raises(UntrustedBackbone, match=NAME):
            list(worker.run(job))
        assert not was_run.exists()
        trust(NAME)
        assert list(worker.run(job))
        assert was_run.exists()
    finally:
        worker.shutdown()


def test_the_terminal_says_what_to_name(tmp_path, was_run, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(40) % 2)
    folder = str(tmp_path / "a.spaceediting")
    assert main(["new", str(tmp_path / "a.npz"), folder]) == 0
    named = "train", folder, "--backbone", NAME, "--epochs", "1", "--device", "cpu"
    assert main(named) == 0  # who names it himself is not asked
    was_run.unlink()
    monkeypatch.delitem(sys.modules, "received_nets")
    monkeypatch.setenv(CONFIG, str(tmp_path / "somebody else"))
    capsys.readouterr()
    words = "extract", folder
    assert main(words) == 1
    err = capsys.readouterr().err
    assert f"--trust-backbone {NAME}" in err
    assert len(err.splitlines()) == 1
    assert not was_run.exists()
    assert main([*words, "--trust-backbone", NAME]) == 0
    assert was_run.exists()
    assert main(words) == 0  # it is remembered
