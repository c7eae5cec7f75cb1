"""The map job, on digits."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from tqdm import tqdm

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.jobs.job import Progress, run_job
from napari_spaceediting.projection import layout
from napari_spaceediting.projection.align import align
from napari_spaceediting.projection.layout import MapJob, MapResult
from napari_spaceediting.projection.neighbours import distances_to, nearest
from napari_spaceediting.projection.pca import pca_map
from napari_spaceediting.projection.quality import trustworthiness
from napari_spaceediting.projection.settings import MapSettings

N = 500


def moved(coordinates: NDArray[np.float32], previous: NDArray[np.float32]) -> float:
    """Return how far images moved, in radii of the previous map: the median."""
    radius = np.sqrt(np.square(previous - previous.mean(axis=0)).sum(axis=1).mean())
    return float(np.median(np.linalg.norm(coordinates - previous, axis=1)) / radius)


@pytest.fixture(scope="module")
def latents() -> NDArray[np.float32]:
    pixels = load_digits(return_X_y=True)[0][:N]
    return (pixels / pixels.std()).astype(np.float32)


@pytest.fixture(scope="module")
def cold(latents: NDArray[np.float32]) -> MapResult:
    return run_job(MapJob(latents))


def retrained(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """As after a small retraining: everything shifts a little."""
    noise = np.random.default_rng(1).standard_normal(latents.shape)
    return (latents + 0.1 * noise).astype(np.float32)


def test_umap_is_as_good_as_umap_learn(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    import umap

    theirs = umap.UMAP(n_neighbors=16, random_state=0, n_jobs=1).fit_transform(latents)
    assert cold.method == "umap"
    assert cold.coordinates.dtype == np.float32
    assert cold.quality.trustworthiness > trustworthiness(latents, theirs, 15) - 0.01
    assert cold.quality.trustworthiness > 0.95


def test_the_same_inputs_give_the_same_map(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    again = run_job(pickle.loads(pickle.dumps(MapJob(latents))))
    np.testing.assert_array_equal(again.coordinates, cold.coordinates)
    other = run_job(MapJob(latents, MapSettings(seed=1)))
    assert not np.array_equal(other.coordinates, cold.coordinates)


def test_a_map_from_the_previous_one_is_calm_and_no_worse(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    changed = retrained(latents)
    warm = run_job(MapJob(changed, previous=cold.coordinates))
    anew = run_job(MapJob(changed))
    old = cold.coordinates
    anew_moved = moved(align(anew.coordinates, old), old)
    assert moved(warm.coordinates, old) < 0.8 * anew_moved
    assert warm.quality.trustworthiness > anew.quality.trustworthiness - 0.01


def test_the_scale_of_the_previous_map_does_not_matter(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    small = run_job(MapJob(retrained(latents), previous=cold.coordinates / 50))
    assert moved(small.coordinates, cold.coordinates / 50) < 0.2
    assert small.quality.trustworthiness > 0.95


def test_edited_images_go_to_their_new_neighbours(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    labels = load_digits(return_X_y=True)[1][:N]
    zeros, ones = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    moved = zeros[:5]
    changed = latents.copy()
    changed[moved] += latents[ones].mean(axis=0) - latents[zeros].mean(axis=0)
    weight = np.ones(N)
    weight[moved] = 0
    warm = run_job(
        MapJob(changed, previous=cold.coordinates, fixed_weight=weight)
    ).coordinates
    to_ones = np.linalg.norm(warm[moved] - np.median(warm[ones], axis=0), axis=1)
    to_zeros = np.linalg.norm(warm[moved] - np.median(warm[zeros], axis=0), axis=1)
    assert (to_ones < to_zeros).all()


def test_progress_runs_to_the_end(latents: NDArray[np.float32]) -> None:
    seen: list[Progress] = []
    run_job(MapJob(latents, MapSettings(epochs=50)), seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert {progress.total for progress in seen} == {50}
    assert done[-1] == 50
    assert "Drawing the map" in {progress.message for progress in seen}


def test_closing_stops_the_optimisation(latents: NDArray[np.float32]) -> None:
    # So many epochs that only a real stop lets this test end.
    steps = MapJob(latents, MapSettings(epochs=10_000_000)).run()
    while next(steps).message != "Drawing the map":
        pass
    steps.close()


def test_a_stopped_map_leaves_no_progress_bar_of_the_process_locked(
    latents: NDArray[np.float32],
) -> None:
    for _ in range(5):
        steps = MapJob(latents, MapSettings(epochs=10_000_000)).run()
        while next(steps).done < 3:
            pass
        steps.close()
    # Another thread, because a lock lets the thread that holds it in again.
    bar = threading.Thread(target=lambda: list(tqdm(range(3))), daemon=True)
    bar.start()
    bar.join(timeout=10)
    assert not bar.is_alive()


def test_neighbours_that_are_known_are_not_looked_for_again(
    latents: NDArray[np.float32], cold: MapResult
) -> None:
    settings = MapSettings(method="pca")
    job = MapJob(latents, settings, neighbours=cold.neighbours)
    again = run_job(job)
    assert again.neighbours is cold.neighbours
    at, away = nearest(latents, settings.neighbours)
    known = distances_to(latents, at)
    np.testing.assert_allclose(known, away, rtol=1e-3, atol=1e-3)
    assert again.quality == run_job(MapJob(latents, settings)).quality
    # A first map has none, and other settings may ask for more.
    none = np.empty((len(latents), 0), np.int32)
    found = run_job(MapJob(latents, settings, neighbours=none))
    np.testing.assert_array_equal(found.neighbours, cold.neighbours)
    more = run_job(
        MapJob(latents, MapSettings("pca", neighbours=20), neighbours=cold.neighbours)
    )
    assert more.neighbours.shape == (len(latents), 20)


def test_pca_is_laid_over_the_previous_map(latents: NDArray[np.float32]) -> None:
    pca = MapSettings(method="pca")
    first = run_job(MapJob(latents, pca))
    np.testing.assert_array_equal(first.coordinates, pca_map(latents))
    mirrored = first.coordinates * [-2, 2]
    second = run_job(MapJob(latents, pca, previous=mirrored))
    np.testing.assert_allclose(second.coordinates, mirrored, atol=1e-3)
    assert moved(second.coordinates, mirrored) == pytest.approx(0, abs=1e-4)
    assert second.method == "pca"
    assert second.note == ""


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_few_images_fall_back_to_pca(latents: NDArray[np.float32], n: int) -> None:
    result = run_job(MapJob(latents[:n]))
    assert result.method == "pca"
    assert "UMAP needs at least 10 images" in result.note
    assert result.coordinates.shape == (n, 2)


def test_equal_latents_lie_in_one_place() -> None:
    result = run_job(MapJob(np.ones((30, 4), np.float32)))
    assert result.method == "pca"
    assert "all equal" in result.note
    assert not result.coordinates.any()


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    "case", ["ten images", "duplicates", "one odd one", "one dimension"]
)
def test_awkward_latents_work(
    latents: NDArray[np.float32], case: str, warm: bool
) -> None:
    awkward = {
        "ten images": latents[:10],
        "duplicates": np.repeat(latents[:3], 40, axis=0),
        "one odd one": np.vstack([np.ones((60, 64)), np.zeros((1, 64))]),
        "one dimension": latents[:50, 20:21],
    }[case]
    previous = pca_map(awkward) if warm else None
    result = run_job(MapJob(awkward, MapSettings(epochs=30), previous))
    assert result.method == "umap"
    assert np.isfinite(result.coordinates).all()


def test_a_previous_map_in_one_place_is_no_obstacle(
    latents: NDArray[np.float32],
) -> None:
    result = run_job(MapJob(latents[:50], previous=np.zeros((50, 2))))
    assert np.isfinite(result.coordinates).all()


def test_latents_that_are_not_finite_are_refused() -> None:
    with pytest.raises(MapFailed, match="not finite"):
        run_job(MapJob(np.full((20, 3), np.nan)))


@pytest.mark.parametrize(
    "values",
    [{"method": "tsne"}, {"neighbours": 1}, {"min_dist": 2}, {"epochs": 0}],
)
def test_settings_out_of_range_are_refused(values: dict) -> None:
    with pytest.raises(MapFailed):
        MapSettings(**values)


def test_torch_keeps_its_threads(latents: NDArray[np.float32]) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        run_job(MapJob(latents))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_many_images_are_drawn_from_some_of_them(
    latents: NDArray[np.float32], cold: MapResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_MANY", 300)
    monkeypatch.setattr(layout, "_LANDMARKS", 150)
    seen: list[Progress] = []
    many = run_job(MapJob(latents), seen.append)
    assert many.method == "umap"
    assert many.quality.trustworthiness > cold.quality.trustworthiness - 0.02
    again = run_job(MapJob(latents))
    np.testing.assert_array_equal(again.coordinates, many.coordinates)
    assert "Drawing some of the images" in {progress.message for progress in seen}
    # From a map before, all stay where they are, more or less.
    warm = run_job(MapJob(retrained(latents), previous=many.coordinates))
    assert moved(warm.coordinates, many.coordinates) < 0.2
    # Whoever stops it in the middle waits no longer than for an epoch.
    steps = MapJob(latents).run()
    for progress in steps:
        if progress.message == "Drawing some of the images":
            break
    steps.close()


def test_what_is_compiled_is_kept_for_the_next_process(
    latents: NDArray[np.float32],
) -> None:
    from umap.umap_ import smooth_knn_dist

    run_job(MapJob(latents[:30], MapSettings(epochs=2)))
    kept = smooth_knn_dist.stats
    assert kept.cache_hits or kept.cache_misses
    assert list(Path(kept.cache_path).glob("*smooth_knn_dist*.nbc"))
