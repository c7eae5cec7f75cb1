from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.splits import Split
from napari_spaceediting.editing.calibration import NONE_OF_THESE
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.export.certainty import (
    calibrated_in_words,
    held_out_of,
)
from napari_spaceediting.session.export.predicting import predicting
from napari_spaceediting.session.session import Session, new_session


def test_the_same_images_are_predicted_as_in_the_session(session, table, tmp_path):
    before = session.state
    path = tmp_path / "out.csv"
    done = run_job(predicting(session, table, path, 0.2))
    assert session.state is before
    out = pd.read_csv(path, dtype={"label": str, "prediction": str})
    probabilities = session.shown.network.predictions.probabilities
    names = np.array(session.shown.class_names)
    assert out["id"].tolist() == session.dataset.ids.tolist()
    for at, name in enumerate(names):
        found = out[f"probability_{name}"]
        assert_allclose(found, probabilities[:, at], atol=1e-6)
    best = names[probabilities.argmax(axis=1)]
    assert out["most_probable"].astype(str).tolist() == best.tolist()
    made = held_out_of(session, 0.2).certainty().calibration
    refused = made.certainties(probabilities) < made.threshold
    assert out["prediction"].tolist() == np.where(refused, NONE_OF_THESE, best).tolist()
    labels = session.dataset.labels
    known = labels >= 0
    right = int(np.count_nonzero(probabilities.argmax(axis=1)[known] == labels[known]))
    assert done.right == (right, np.count_nonzero(known))
    assert sum(done.counts.values()) == 90
    assert f"{right} of the {known.sum()} that came with a label" in done.describe()[1]
    assert set(out["site"]) == {"north", "south"}
    assert_array_equal(run_job(OpenDataset(path)).labels >= 0, known)


def test_the_threshold_is_that_of_validation_images(session):
    probabilities = session.shown.network.predictions.probabilities
    split, labels = session.dataset.split, session.edits.labels
    certainty = held_out_of(session, 0.3).certainty()
    made = certainty.calibration
    at = (split == Split.VALIDATION) & (labels >= 0)
    assert made.n_images == np.count_nonzero(at)
    rank = int(0.3 * (made.n_images + 1))
    assert rank
    certain = np.sort(made.certainties(probabilities[at]))
    assert made.threshold == certain[rank - 1]
    assert certainty.measured_on == "test"
    assert "at most 30% of" in certainty.describe()[-1]


def test_without_held_out_labels_it_says_so(session):
    split = np.zeros(len(session.dataset), np.int8)
    dataset = replace(session.dataset, split=split)
    without = Session(replace(session.state, dataset=dataset))
    certainty = held_out_of(without).certainty()
    assert certainty.calibration.threshold == 0
    assert "No held-out image has a label" in certainty.describe()[0]


def test_what_cannot_be_predicted_is_refused(session, table, tmp_path):
    with pytest.raises(SessionError, match=r"out\.doc: let it end in \.csv"):
        predicting(session, table, tmp_path / "out.doc")
    with pytest.raises(SessionError, match="no network yet"):
        predicting(new_session(session.dataset), table, tmp_path / "out.csv")
    with pytest.raises(SessionError, match="from 0 to below 1"):
        predicting(session, table, tmp_path / "out.csv", 1.5)


def test_the_evidence_has_the_same_errors(session):
    past = session.state.rounds[0]
    said = calibrated_in_words(session.dataset, past.after)
    measured = past.evidence.arms["after"].calibration
    assert measured is not None
    assert said.startswith(f"Calibration error on test images {measured:.1%}, after ")
    bare = replace(past.after, network=None)
    assert calibrated_in_words(session.dataset, bare) == ""
