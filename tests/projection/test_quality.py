"""What is said about a map."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.projection.quality import (
    SAMPLE,
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
