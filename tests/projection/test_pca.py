"""The linear map."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.projection.pca import pca_map

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dimensions", [2, 64, 612])
def test_it_agrees_with_the_singular_vectors(dimensions: int) -> None:
    spread = 0.9 ** np.arange(dimensions)
    latents = 7 + RNG.standard_normal((200, dimensions)) * spread
    centred = latents - latents.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2]
    found = pca_map(latents)
    assert found.dtype == np.float32
    expected *= np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_the_axes_have_a_fixed_direction() -> None:
    latents = RNG.standard_normal((50, 5)) * [5, 3, 1, 1, 1]
    found = pca_map(latents)
    assert np.corrcoef(found[:, 0], latents[:, 0])[0, 1] > 0
    assert np.corrcoef(found[:, 1], latents[:, 1])[0, 1] > 0
    np.testing.assert_allclose(pca_map(-latents), -found, atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (4, 0), (3, 1), (2, 700)])
def test_small_shapes(shape: tuple[int, int]) -> None:
    found = pca_map(RNG.standard_normal(shape))
    assert found.shape == (shape[0], 2)
    assert np.isfinite(found).all()


def test_equal_latents_lie_in_one_place() -> None:
    assert not pca_map(np.full((20, 8), 0.1, np.float32)).any()


@pytest.mark.parametrize("scale", [1e-18, 1e18])
def test_the_scale_of_the_latents_does_not_matter(scale: float) -> None:
    latents = RNG.standard_normal((50, 5)) * [5, 3, 1, 1, 1]
    np.testing.assert_allclose(
        pca_map(latents * scale) / scale, pca_map(latents), atol=1e-4
    )


def test_latents_that_are_not_finite_are_refused() -> None:
    latents = np.zeros((5, 3))
    latents[1, 2] = np.nan
    with pytest.raises(MapFailed, match="1 of 5 images are not finite"):
        pca_map(latents)
    with pytest.raises(MapFailed, match="one row of latents per image"):
        pca_map(np.zeros(3))


def test_some_of_many_images_tell_the_components_of_all() -> None:
    n = 50_000
    spread = np.float32([9, 5, 1, 1, 1, 1])
    latents = 3 + RNG.standard_normal((n, 6), np.float32) * spread
    # Every other image is of another kind: no regular choice must miss it.
    latents[::2] += 20
    centred = latents - latents.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred)
    expected, found = centred @ axes[:2].T, pca_map(latents)
    for axis in range(2):
        assert abs(np.corrcoef(expected[:, axis], found[:, axis])[0, 1]) > 0.99
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.02)
    latents[7] = np.inf
    with pytest.raises(MapFailed, match="1 of 50000"):
        pca_map(latents)


def test_the_window_can_use_it_without_heavy_modules() -> None:
    code = (
        "import sys, napari_spaceediting.projection.pca, "
        "napari_spaceediting.projection.layout, "
        "napari_spaceediting.projection.warm_up, napari_spaceediting.jobs.worker\n"
        "heavy = {'torch', 'umap', 'numba', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
