from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose
from PIL import Image

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.errors import SessionError, SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.session.export import networks
from napari_spaceediting.session.export.certainty import held_out_of
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.session import Session, new_session

KINDS = "grey", "colour", "five channels"


def draw(kind: str, at: int, rng: np.random.Generator) -> np.ndarray:
    """Return an image of one of two classes: its middle is bright, or its edge."""
    height, width = (28, 28) if kind == "grey" else rng.integers(20, 60, 2)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    image = np.hypot(x, y) < 0.6 if at % 2 else np.abs(x) > 0.6
    image = 0.6 * image + 0.4 * rng.random((height, width))
    if kind == "grey":
        return (255 * image).astype(np.uint8)
    channels = 3 if kind == "colour" else 5
    stack = image[..., None] * rng.random(channels)
    if kind == "colour":
        return (255 * stack).astype(np.uint8)
    return (3000 * stack + 100).astype(np.uint16)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return sessions of 200 images of each kind, and folders with their networks."""
    sessions = {}
    for kind in KINDS:
        rng = np.random.default_rng(0)
        folder = tmp_path_factory.mktemp("network")
        pixels = []
        for at in range(200):
            image = draw(kind, at, rng)
            place = folder / "images" / ("a", "b")[at % 2] / f"{at:03}"
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "five channels":
                tifffile.imwrite(f"{place}.tif", image, metadata={"axes": "YXS"})
            else:
                Image.fromarray(image).save(f"{place}.png")
            pixels.append(image)
        session = new_session(
            run_job(OpenDataset(folder / "images")),
            train=TrainSettings(trainable="head", device="cpu"),
        )
        spec = ClassifierSpec(mirror=kind == "colour", layout=kind != "grey")
        session.take_network(run_job(session.training(spec)))
        for ending in networks.ENDINGS:
            done = run_job(exporting(session, folder / f"network{ending}"))
            assert "tried on 8 images and computes the same" in done.said
        originals = map(session.dataset.original, range(200))
        np.savez(
            folder / "pixels.npz",
            *(
                np.moveaxis(np.atleast_3d(image), -1, 0)[None].astype(np.float32)
                for image in originals
            ),
        )
        sessions[kind] = session, folder
    folders = [str(folder) for _, folder in sessions.values()]
    # Isolated: neither our folder nor PYTHONPATH is looked into.
    program = Path(__file__).with_name("run_network.py")
    subprocess.run([sys.executable, "-I", program, *folders], check=True)
    return sessions


@pytest.mark.parametrize("kind", KINDS)
def test_without_our_code_it_computes_what_the_session_does(exported, kind):
    session, folder = exported[kind]
    predictions = session.shown.network.predictions
    with np.load(folder / "said.npz") as said:
        for file in "pt2", "onnx":
            for what in "latents", "probabilities":
                wanted = getattr(predictions, what)
                assert said[f"{file}_{what}"].shape == wanted.shape
                assert_allclose(said[f"{file}_{what}"], wanted, atol=1e-4)
    assert np.ptp(predictions.probabilities[:, 0]) > 0.5, "it tells the classes apart"


@pytest.mark.parametrize("kind", KINDS)
def test_the_metadata_say_what_is_needed(exported, kind):
    session, folder = exported[kind]
    about = json.loads((folder / "about.json").read_text())
    dataset, made = session.dataset, held_out_of(session).certainty().calibration
    assert about["class_names"] == ["a", "b"]
    given = about["input"]
    assert given["types_of_the_files"] == [str(dataset.original(0).dtype)]
    assert given["scaling"]["mode"] == dataset.scaling.mode
    assert tuple(given["scaling"]["low"]) == dataset.scaling.low
    assert tuple(given["brought_to"]) == dataset.image_size
    assert about["calibration"]["temperature"] == made.temperature
    assert about["calibration"]["threshold"] == made.threshold


def test_a_file_that_computes_something_else_is_not_written(
    exported, tmp_path, monkeypatch
):
    session, _ = exported["grey"]
    other = lambda pixels: (np.zeros((1, 66), "f4"), np.zeros((1, 2), "f4"))  # noqa: E731
    monkeypatch.setattr(networks, "_runner", lambda path: other)
    with pytest.raises(SessionError, match="does not compute what the session does"):
        run_job(exporting(session, tmp_path / "network.pt2"))
    assert not list(tmp_path.glob("*.p*"))


def test_images_of_several_types_are_to_be_scaled_first(exported):
    session, _ = exported["grey"]
    assert networks._largest(["uint16", "uint8"]) == 1
    assert networks._largest(["uint16"]) == 65535
    assert networks._largest(["float32"]) == 1
    job = exporting(session, Path("network.pt2"))
    about = job._metadata(["uint16", "uint8"], 1.0)
    assert about["input"]["intensities"] == "divided by the largest value of their type"


def test_without_onnx_it_says_what_to_install(exported, tmp_path, monkeypatch):
    session, _ = exported["grey"]
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SpaceEditingError, match=r"napari-spaceediting\[onnx\]"):
        run_job(exporting(session, tmp_path / "network.onnx"))


def test_a_network_without_classes_is_refused(exported, tmp_path):
    session, _ = exported["grey"]
    fresh = new_session(session.dataset)
    with pytest.raises(SessionError, match="no network yet"):
        exporting(fresh, tmp_path / "network.pt2")
    network = session.shown.network
    nothing = replace(
        network.predictions, probabilities=np.empty((len(session.dataset), 0), "f4")
    )
    checkpoint = replace(
        session.state.checkpoint, network=replace(network, predictions=nothing)
    )
    fresh = Session(replace(session.state, checkpoint=checkpoint))
    with pytest.raises(SessionError, match="knows no class yet"):
        exporting(fresh, tmp_path / "n.pt2")
