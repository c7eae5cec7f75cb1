"""Alignment undoes what does not matter about a map, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_spaceediting.projection.align import align

MAP = np.random.default_rng(0).standard_normal((30, 2)) * [3, 1] + [5, -2]


def similar(
    points: NDArray, angle: float, scale: float, shift: tuple, mirror: bool
) -> NDArray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([1, -1])
    return scale * points @ turn + shift


@given(
    st.floats(-np.pi, np.pi),
    st.floats(0.01, 100),
    st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    st.booleans(),
)
def test_a_similar_map_comes_back_onto_the_old_one(
    angle: float, scale: float, shift: tuple, mirror: bool
) -> None:
    found = align(similar(MAP, angle, scale, shift, mirror), MAP)
    np.testing.assert_allclose(found, MAP, atol=1e-4)


@given(st.permutations(range(len(MAP))))
def test_the_order_of_the_images_does_not_matter(order: list[int]) -> None:
    new = similar(MAP, 1, 2, (3, 4), True) + np.cos(MAP)
    np.testing.assert_allclose(
        align(new[order], MAP[order]), align(new, MAP)[order], atol=1e-5
    )


def test_images_of_weight_zero_do_not_pull() -> None:
    new = similar(MAP, 0.5, 2, (1, 1), False)
    new[:5] += 100
    weights = np.ones(len(MAP))
    weights[:5] = 0
    np.testing.assert_allclose(align(new, MAP, weights)[5:], MAP[5:], atol=1e-4)
    assert not np.allclose(align(new, MAP)[5:], MAP[5:], atol=0.1)


def test_weights_that_are_all_zero_count_as_equal() -> None:
    new = MAP + np.cos(MAP)
    np.testing.assert_array_equal(align(new, MAP, np.zeros(len(MAP))), align(new, MAP))


def test_no_other_similarity_lies_closer() -> None:
    new = similar(MAP + 0.3 * np.cos(9 * MAP), 2, 0.5, (1, 2), True)
    best = align(new, MAP)
    error = np.square(best - MAP).sum()
    for nudge in [(0.01, 1, (0, 0)), (0, 1.01, (0, 0)), (0, 1, (0.01, 0))]:
        assert np.square(similar(best, *nudge, False) - MAP).sum() > error


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_maps_without_extent_are_only_shifted(n: int) -> None:
    point, spread = np.full((n, 2), 3.0), MAP[:n]
    np.testing.assert_allclose(
        align(point, spread),
        np.tile(spread.mean(0), (n, 1)) if n else spread,
        atol=1e-6,
    )
    shifted = align(spread, point)
    assert shifted.dtype == np.float32
    assert np.isfinite(shifted).all()
