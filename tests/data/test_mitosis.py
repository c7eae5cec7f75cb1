"""Nuclei are told from the ground and from each other."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_spaceediting.data.mitosis import human_mitosis, segmented
from napari_spaceediting.errors import DataError

MIDDLES = np.array([[20, 20], [20, 34], [60, 25], [50, 70], [80, 80]])
"""The first two touch each other."""


def picture() -> np.ndarray:
    rows, columns = np.mgrid[:100, :100]
    noise = np.random.default_rng(0).normal(20, 4, (100, 100))
    for number, (row, column) in enumerate(MIDDLES):
        inside = (rows - row) ** 2 + (columns - column) ** 2 < 64
        noise[inside] += 200 if number == 3 else 90
    return noise.clip(0, 255).astype(np.uint8)


def test_each_nucleus_has_a_number_of_its_own():
    found = segmented(picture())
    numbers = found[tuple(MIDDLES.T)]
    assert len(set(numbers.tolist())) == len(MIDDLES)
    assert numbers.min() > 0
    assert found.max() == len(MIDDLES)
    assert found[0, 0] == 0
    areas = np.bincount(found.ravel())[1:]
    assert (abs(areas - 200) < 60).all()


def test_what_cannot_be_fetched_is_told_in_a_sentence(monkeypatch):
    def fail():
        raise ConnectionError("no route")

    monkeypatch.setattr(data, "human_mitosis", fail, raising=False)
    with pytest.raises(DataError, match="could not be fetched"):
        human_mitosis()
