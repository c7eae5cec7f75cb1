"""Places for images that a map was not drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.projection.layout import MapJob
from napari_spaceediting.projection.placing import place, place_among
from napari_spaceediting.projection.quality import trustworthiness
from napari_spaceediting.projection.settings import MapSettings


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    pixels = load_digits(return_X_y=True)[0][:600]
    return (pixels / pixels.std()).astype(np.float32)


def test_placed_images_are_as_trustworthy_as_drawn_ones(latents: np.ndarray) -> None:
    old, new = latents[:450], latents[450:]
    drawn = run_job(MapJob(old)).coordinates
    placed = place(new, old, drawn)
    everything = run_job(MapJob(latents)).coordinates
    both = np.concatenate([drawn, placed])
    assert (
        trustworthiness(latents, both, 15)
        > trustworthiness(latents, everything, 15) - 0.03
    )


def test_an_image_on_the_map_goes_to_its_own_place(latents: np.ndarray) -> None:
    drawn = np.random.default_rng(0).random((600, 2), np.float32)
    np.testing.assert_allclose(place(latents[:9], latents, drawn), drawn[:9], atol=1e-3)


def test_an_image_lies_amid_the_nearest_five_the_nearer_the_more_it_is_like_them():
    drawn = np.array([[0, 0], [4, 0], [0, 8], [9, 9], [9, 9], [99, 99]], np.float32)
    order = np.array([[0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 4, 5]], np.int32)
    away = np.array([[1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]], np.float32)
    middle, same = place_among(order, away, drawn)
    np.testing.assert_allclose(middle, drawn[:5].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(same, drawn[1], atol=1e-4)


def test_a_linear_map_is_gone_on_with(latents: np.ndarray) -> None:
    settings = MapSettings(method="pca")
    drawn = run_job(MapJob(latents[:300], settings)).coordinates
    # Turned and scaled, as after an alignment.
    drawn = 3 * drawn @ np.array([[0, 1], [-1, 0]], np.float32) + np.float32(5)
    placed = place(latents[100:300], latents[:100], drawn[:100], "pca")
    np.testing.assert_allclose(placed, drawn[100:300], atol=1e-2)


def test_places_do_not_depend_on_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    latents = np.random.default_rng(1).standard_normal((600, 8))
    drawn = np.random.default_rng(0).random((500, 2), np.float32)
    at_once = place(latents[500:], latents[:500], drawn)
    monkeypatch.setenv("SPACEEDITING_MEMORY", "64KB")
    in_blocks = place(latents[500:], latents[:500], drawn)
    np.testing.assert_allclose(in_blocks, at_once, atol=1e-4)


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (1, 2)])
def test_few_images(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    placed = place(rng.random((m, 4)), rng.random((n, 4)), rng.random((n, 2)))
    assert placed.shape == (m, 2)
    assert np.isfinite(placed).all()
