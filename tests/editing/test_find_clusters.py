"""Clusters among the latents."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from napari_spaceediting.editing import find_clusters
from napari_spaceediting.editing.find_clusters import NONE, FindClusters, by_size
from napari_spaceediting.jobs.job import run_job


def heaps(sizes, rng):
    """Return latents in heaps of these sizes, and the heap of each."""
    heap = np.repeat(np.arange(len(sizes)), sizes)
    middles = 8 * rng.normal(size=(len(sizes), 30))
    latents = middles[heap] + rng.normal(size=(len(heap), 30))
    return latents.astype(np.float32), heap


def test_heaps_are_found_the_largest_first():
    latents, heap = heaps((40, 120, 80), np.random.default_rng(0))
    found = run_job(FindClusters(latents, np.arange(240)))
    assert adjusted_rand_score(heap, found) > 0.95
    assert np.bincount(found[heap == 1] + 1).argmax() == 1
    sizes = np.bincount(found[found >= 0])
    assert (np.diff(sizes) <= 0).all()
    again = run_job(FindClusters(latents, np.arange(240)))
    assert np.array_equal(found, again)


def test_images_that_are_left_out_are_in_no_cluster():
    latents, _ = heaps((60, 60), np.random.default_rng(1))
    rows = np.arange(0, 120, 2)
    found = run_job(FindClusters(latents, rows))
    assert (found[1::2] == NONE).all()
    assert (found[rows] >= 0).any()


def test_of_very_many_some_are_clustered_and_the_others_join(monkeypatch):
    monkeypatch.setattr(find_clusters, "_MOST", 150)
    latents, heap = heaps((200, 100), np.random.default_rng(2))
    found = run_job(FindClusters(latents, np.arange(300)))
    assert adjusted_rand_score(heap, found) > 0.95


def test_too_few_images_are_no_cluster():
    latents = np.zeros((5, 3), np.float32)
    assert (run_job(FindClusters(latents, np.arange(5))) == NONE).all()
    same = np.zeros((50, 3), np.float32)
    assert len(run_job(FindClusters(same, np.arange(50)))) == 50


def test_clusters_are_numbered_by_their_size():
    assert by_size(np.array([2, 0, 0, -1, 1, 1, 1])).tolist() == [2, 1, 1, -1, 0, 0, 0]
    assert by_size(np.array([-1, -1])).tolist() == [-1, -1]
