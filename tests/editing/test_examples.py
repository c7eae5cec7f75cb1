"""What images are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.examples import examples, in_question
from napari_spaceediting.network.spec import Predictions


@pytest.mark.parametrize(
    ("kinds", "proposed", "expected"),
    [
        ([1, 1, 0], 2, (1, 2)),
        ([1], 1, (1, 0)),
        ([2], -1, (2, 0)),
        ([-1], 1, (1, 0)),
        ([-1], -1, (-1, 0)),
    ],
)
def test_the_classes_in_question(kinds, proposed, expected):
    said = np.tile(np.float32([0.5, 0.3, 0.2]), (len(kinds), 1))
    assert in_question(np.array(kinds), said, proposed) == expected


def test_with_one_class_there_is_no_second():
    assert in_question(np.array([0]), np.ones((1, 1), np.float32)) == (0, -1)


def test_examples_are_alike_believed_and_others():
    latents = np.arange(6, dtype=np.float32)[:, None]
    said = np.eye(2, dtype=np.float32)[[0, 0, 1, 0, 0, 1]]
    labels = np.array([0, 0, 0, 0, 1, 1])
    network = Predictions(latents, said)
    near = np.array([1])
    # The third is labelled so, but the network believes it to be of the other class.
    assert examples(0, near, labels, network, 5).tolist() == [0, 3]
    assert examples(1, near, labels, network, 5).tolist() == [5]
    assert examples(0, near, labels, network, 1).tolist() == [0]


def test_a_class_that_the_network_does_not_know_has_examples():
    network = Predictions(np.zeros((3, 1), np.float32), np.ones((3, 1), np.float32))
    found = examples(1, np.array([0]), np.array([0, 1, 1]), network, 5)
    assert found.tolist() == [1, 2]
    nothing_said = Predictions(network.latents, np.empty((3, 0), np.float32))
    found = examples(1, np.array([0]), np.array([0, 1, 1]), nothing_said, 5)
    assert found.tolist() == [1, 2]
