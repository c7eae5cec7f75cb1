"""What the map shows, apart from any window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.plugin.map.display import (
    LABEL,
    PREDICTION,
    colour_by,
    column_keys,
    usual_key,
)
from napari_spaceediting.plugin.map.naming import mixture
from napari_spaceediting.session.session import Session


@pytest.mark.parametrize(
    ("is_labelled", "n_classes", "expected"),
    [(True, 10, LABEL), (False, 10, PREDICTION), (False, 0, LABEL)],
)
def test_unasked_the_map_is_coloured_by_what_is_known(
    trained_state, is_labelled, n_classes, expected
):
    shown = trained_state.checkpoint
    said = shown.network.predictions
    predictions = replace(said, probabilities=said.probabilities[:, :n_classes])
    labels = np.full(len(shown.labels), 0 if is_labelled else -1)
    network = replace(shown.network, predictions=predictions)
    checkpoint = replace(shown, labels=labels, network=network)
    session = Session(replace(trained_state, checkpoint=checkpoint))
    assert usual_key(session) == expected


def test_columns_colour_where_they_can(trained_state):
    n = len(trained_state.dataset)
    days = ["2024-05-31 at noon", "2024-05", "2024-13-40", ""]
    columns = {
        "file": np.array([f"scan {k}.tif" for k in range(n)]),
        "plate": np.array([f"P{k % 5}" for k in range(n)]),
        "area": np.arange(n) / 7,
        "date": np.resize(np.array(days), n),
    }
    dataset = replace(trained_state.dataset, columns=columns)
    keys = [key for key, _ in column_keys(dataset)]
    assert keys == ["column:plate", "column:area", "column:date"]
    edits = Session(trained_state).edits
    found = [colour_by(key, dataset, trained_state.checkpoint, edits) for key in keys]
    assert found[0].names == ("P0", "P1", "P2", "P3", "P4")
    assert found[2].span == ("2024-05-01", "2024-05-31")
    noon, month, neither, empty = found[2].colours[:4]
    assert (neither == empty).all()
    assert (noon != month).any()


def test_a_mixture_is_told_with_what_is_most_first():
    names = ("coat", "shirt", "bag")
    labels = np.repeat([1, 0, -1], [9, 14, 3])
    told = mixture(labels, names)
    assert told.startswith("Now 14 coat, 9 shirt, 3 unlabelled:")
    assert mixture(labels[:9], names) == ""
    many = tuple(f"class {n}" for n in range(9))
    assert "and 4 more classes" in mixture(np.arange(9), many)
