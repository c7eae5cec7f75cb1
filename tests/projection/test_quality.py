"""What is said about a map."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.projection.quality import (
    SAMPLE,
    movement,
    neighbourhood_preservation,
    trustworthiness,
)

RNG = np.random.default_rng(0)
PLANE = RNG.standard_normal((SAMPLE + 100, 2)).astype(np.float32)
LATENTS = np.hstack([PLANE, np.zeros((len(PLANE), 3), np.float32)])
SHUFFLED = RNG.permutation(PLANE)


def test_a_perfect_map_and_a_random_one() -> None:
    neighbours, _ = nearest(LATENTS, 10)
    assert trustworthiness(LATENTS, PLANE, 10) == 1
    assert neighbourhood_preservation(neighbours, PLANE) > 0.999
    assert trustworthiness(LATENTS, SHUFFLED, 10) == pytest.approx(0.5, abs=0.05)
    assert neighbourhood_preservation(neighbours, SHUFFLED) < 0.05


def test_few_images_are_no_reason_to_fail() -> None:
    for n in range(6):
        neighbours, _ = nearest(LATENTS[:n], 15)
        trust = trustworthiness(LATENTS[:n], PLANE[:n], 15)
        kept = neighbourhood_preservation(neighbours, PLANE[:n])
        assert trust == 1 if n >= 4 else np.isnan(trust)
        assert kept == 1 if n >= 2 else np.isnan(kept)


def test_movement_is_told_in_radii_of_what_was_to_stay() -> None:
    old = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    new = old + np.array([[0.5, 0], [0.5, 0], [0.5, 0], [9, 0]], np.float32)
    assert movement(new, old) == pytest.approx(0.5)
    assert movement(new, old, np.array([0, 0, 0, 1])) == pytest.approx(9)
    assert movement(new, old, np.zeros(4)) == pytest.approx(0.5)
    assert movement(3 * new, 3 * old) == pytest.approx(0.5)
    assert movement(old * 0, old * 0) == 0
    assert movement(old, old * 0) == np.inf
    assert movement(old[:0], old[:0]) == 0
