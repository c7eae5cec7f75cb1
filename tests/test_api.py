"""The loop from Python, as its page shows it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_spaceediting import api
from napari_spaceediting.editing.classes import Rename
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import EditError
from napari_spaceediting.network.spec import TrainSettings
from napari_spaceediting.session.session import Session


@pytest.fixture
def images(tmp_path, small_digits):
    """Return a file with 100 digits, half of them with a class."""
    pixels = np.stack([small_digits.original(at) for at in range(100)])
    labels = small_digits.columns["truth"][:100].copy()
    labels[::2] = -1
    np.savez(tmp_path / "digits.npz", images=pixels, labels=labels)
    return tmp_path / "digits.npz"


def test_the_whole_loop(images, tmp_path):
    session = api.open(images, seed=3)
    told = []
    settings = TrainSettings(epochs=1, device="cpu")
    accuracy = api.train(session, settings=settings, progress=told.append)
    assert 0 <= accuracy <= 1
    assert told
    quality = api.map(session, "pca")
    assert 0 < quality.trustworthiness <= 1
    proposals = api.guide(session, 5)
    assert 0 < len(proposals) <= 5
    free = np.flatnonzero(~session.dataset.held_out & ~session.dataset.is_labelled)
    pins = {"kind": "pin", "images": session.dataset.ids[free[:4]].tolist(), "tag": "3"}
    api.edit(session, [pins, Rename("1", "one")])
    api.edit(session, {"kind": "rename", "name": "2", "to": "two"})
    assert session.edits.class_names[1:3] == ("one", "two")
    evidence = api.retrain(session, RetrainSettings(arms=(), device="cpu"))
    assert evidence.verdict()
    assert not session.state.log.done
    said = api.export(session, tmp_path / "labels.csv", [3, 1])
    assert "labels.csv" in said
    table = pd.read_csv(tmp_path / "labels.csv", dtype=str)
    assert table.id.tolist() == session.dataset.ids[[3, 1]].tolist()
    api.save(session, tmp_path / "one.spaceediting")
    again = api.open(tmp_path / "one.spaceediting")
    assert again.shown.class_names == session.shown.class_names
    np.testing.assert_array_equal(
        again.shown.network.predictions.probabilities,
        session.shown.network.predictions.probabilities,
    )


def test_edits_are_added_all_or_none(trained_session: Session):
    good = {"kind": "rename", "name": "1", "to": "one"}
    with pytest.raises(EditError, match="no kind of edit"):
        api.edit(trained_session, [good, {"kind": "blur"}])
    with pytest.raises(EditError, match='no class "bird"'):
        api.edit(trained_session, [good, Rename("bird", "owl")])
    assert not trained_session.state.log.done
