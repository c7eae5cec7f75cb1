"""Nearest neighbours in the latents."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.projection import neighbours
from napari_spaceediting.projection.neighbours import among, extended, nearest

RNG = np.random.default_rng(0)


def test_they_are_the_nearest_in_order() -> None:
    latents = RNG.standard_normal((300, 12)).astype(np.float32) + 50
    apart = np.linalg.norm(latents[:, None] - latents[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    indices, distances = nearest(latents, 7)
    np.testing.assert_array_equal(indices, apart.argsort(axis=1)[:, :7])
    np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :7], rtol=1e-3)
    assert indices.dtype == np.int32
    assert distances.dtype == np.float32


def test_an_image_is_never_its_own_neighbour_even_among_duplicates() -> None:
    latents = np.repeat(RNG.standard_normal((3, 4)), 20, axis=0)
    indices, distances = nearest(latents, 5)
    assert (indices != np.arange(60)[:, None]).all()
    assert all(len(set(row)) == 5 for row in indices)
    np.testing.assert_allclose(distances, 0, atol=1e-4)
    assert (indices // 20 == (np.arange(60) // 20)[:, None]).all()


@pytest.mark.parametrize(("n", "k"), [(0, 0), (1, 0), (2, 1), (6, 5), (30, 15)])
def test_there_are_at_most_all_the_others(n: int, k: int) -> None:
    for dimensions in (0, 3):
        indices, distances = nearest(RNG.standard_normal((n, dimensions)), 15)
        assert indices.shape == distances.shape == (n, k)
        for image, row in enumerate(indices):
            assert len({*row, image}) == k + 1
            assert ((row >= 0) & (row < n)).all()


def test_the_approximate_search_finds_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    latents = RNG.standard_normal((600, 5)) @ RNG.standard_normal((5, 20))
    latents[:40] = latents[0]
    exact, _ = nearest(latents, 5)
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 100)
    indices, distances = nearest(latents, 5, seed=1)
    again, _ = nearest(latents, 5, seed=1)
    np.testing.assert_array_equal(indices, again)
    assert (indices != np.arange(600)[:, None]).all()
    assert indices.min() >= 0
    assert (np.diff(distances, axis=1) >= 0).all()
    found = [len({*one} & {*other}) for one, other in zip(exact, indices, strict=True)]
    assert np.mean(found[40:]) > 0.95 * 5


def test_latents_that_are_not_finite_are_refused() -> None:
    with pytest.raises(MapFailed):
        nearest(np.full((5, 2), np.inf), 2)


def test_new_images_get_neighbours_and_become_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    latents = RNG.standard_normal((220, 6)).astype(np.float32)
    old, _ = nearest(latents[:200], 7)
    expected, _ = nearest(latents, 7)
    np.testing.assert_array_equal(extended(latents[:200], old, latents[200:]), expected)
    # The same in blocks of a few rows, and with fewer new images than neighbours.
    monkeypatch.setenv("SPACEEDITING_MEMORY", "64KB")
    few = extended(latents[:218], nearest(latents[:218], 7)[0], latents[218:])
    np.testing.assert_array_equal(few, expected)
    nothing = extended(latents[:5], np.empty((5, 0), np.int32), latents[5:7])
    assert nothing.shape == (7, 0)


def test_neighbours_among_others_do_not_depend_on_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking, others = RNG.standard_normal((50, 4)), RNG.standard_normal((9, 4))
    indices, distances = among(asking, others, 12)
    apart = np.linalg.norm(asking[:, None] - others[None], axis=2)
    np.testing.assert_array_equal(indices, apart.argsort(axis=1))
    monkeypatch.setenv("SPACEEDITING_MEMORY", "4KB")
    again, _ = among(asking.astype(np.float16), others, 1)
    assert (again[:, 0] == indices[:, 0]).mean() > 0.9
    assert distances.dtype == np.float32
