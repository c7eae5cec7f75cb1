"""Opening embeddings in the window: they are trained on, mapped and edited at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_spaceediting.editing.edits import Relabel
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
