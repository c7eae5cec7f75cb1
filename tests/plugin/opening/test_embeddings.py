"""Opening embeddings in the window: they are trained on, mapped and edited at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.session.preparing import NO_PIXELS


@pytest.mark.trains
def test_embeddings_without_images_are_mapped_at_once(make_window, messages, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    rows = rng.normal(size=(3, 16))[labels] + 0.2 * rng.normal(size=(90, 16))
    path = tmp_path / "points.parquet"
    table = {"text": [f"point {at}" for at in range(90)], "embedding": list(rows)}
    pd.DataFrame({"label": [f"c{k}" for k in labels], **table}).to_parquet(path)
    window = make_window()
    window.bench.opening.open_path(path)
    window.wait(lambda: window.state.session is not None)
    window.wait(lambda: window.state.has_map)
    window.wait_idle()
    assert window.session.shown.network.spec.backbone == "embeddings"
    assert window.panels.network.form.field("backbone").choices == ("embeddings",)
    assert window.state.thumbnails.shape[0] == 90
    window.state.select(window.movable[:2])
    assert window.bench.traversals._why_not() == NO_PIXELS.rstrip(".")
    window.session.apply(Relabel(window.movable[:5], "c1"))
    window.bench.training.retrain()
    window.wait(lambda: window.session.state.proposal is not None)
    window.session.roll_back()
    window.session.undo()
    # More than the head cannot train, and what can was not forgotten.
    spec = ClassifierSpec("embeddings")
    window.bench.training.train(spec, TrainSettings(trainable="all"))
    assert "only its head can train" in messages[-1]
    assert window.session.state.train.trainable == "head"
    assert not window.state.training.is_running


@pytest.mark.trains
def test_images_get_embeddings_that_lie_beside_them(
    make_window, messages, tmp_path, monkeypatch
):
    rng, folder = np.random.default_rng(0), tmp_path / "pets"
    rows = rng.normal(size=(40, 16)).astype(np.float32)
    for at in range(40):
        place = folder / f"kind {at // 20}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (12, 12), np.uint8)
        Image.fromarray(pixels).save(place / f"{at:02}.png")
    np.save(tmp_path / "pets.npy", rows)
    np.save(tmp_path / "few.npy", rows[:9])
    window = make_window()
    window.bench.opening.open_path(folder)
    window.wait(lambda: window.state.has_map)
    window.wait_idle()
    before = window.session

    def give(name: str) -> None:
        chosen = str(tmp_path / name), ""
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: chosen)
        box = window.panels.network.form.field("backbone").native
        window.unfold("network")
        box.setCurrentText("Embeddings from a file…")
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Space)
        QTest.keyClick(box.view(), Qt.Key.Key_Return)

    give("few.npy")
    window.wait(lambda: messages)
    assert "few.npy has 9 embeddings, and pets 40 images" in messages[-1]
    assert window.session is before
    give("pets.npy")
    window.wait(lambda: window.session is not before and window.state.has_map)
    window.wait_idle()
    dataset = window.session.dataset
    np.testing.assert_array_equal(dataset.features, rows)
    assert dataset.has_images
    assert dataset.original(0).shape == (12, 12)
    assert window.session.shown.network.spec.backbone == "embeddings"
    # Both are offered: a network that sees the images, too.
    offered = window.panels.network.form.field("backbone").choices
    assert {"embeddings", "small_cnn"} < set(offered)


def test_a_saved_session_is_given_none(window, messages, tmp_path):
    window.bench.opening.open_with_embeddings(tmp_path / "pets.npy")
    assert "open those first, under Data" in messages[-1]
