"""What the map shows, apart from any window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.plugin.map.display import LABEL, PREDICTION, usual_key
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


def test_a_mixture_is_told_with_what_is_most_first():
    names = ("coat", "shirt", "bag")
    labels = np.repeat([1, 0, -1], [9, 14, 3])
    told = mixture(labels, names)
    assert told.startswith("Now 14 coat, 9 shirt, 3 unlabelled:")
    assert mixture(labels[:9], names) == ""
    many = tuple(f"class {n}" for n in range(9))
    assert "and 4 more classes" in mixture(np.arange(9), many)
