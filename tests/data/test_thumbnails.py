"""Thumbnails: drawn once, kept in a file where they are many."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data import thumbnails
from napari_spaceediting.data.arrays import from_stack
from napari_spaceediting.data.cache import MappedArray
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.jobs.job import run_job


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 8, 8), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch):
    monkeypatch.setenv("SPACEEDITING_MEMORY", "16KB")


def pack(array, cache_dir, size: int = 8):
    """Return thumbnails, and how many were drawn."""
    dataset = from_stack(array) if isinstance(array, np.ndarray) else array
    seen = []
    tiles = run_job(PackThumbnails(dataset, size, cache_dir), seen.append)
    return tiles, len(seen)


def test_many_are_drawn_once(array, tmp_path):
    tiles, drawn = pack(array, tmp_path)
    assert drawn > 0
    assert isinstance(tiles, np.memmap)
    assert_array_equal(tiles[..., 0], array)
    again, drawn = pack(array, tmp_path)
    assert drawn == 0
    assert_array_equal(again, tiles)
    assert pack(array, tmp_path, size=9)[1] > 0
    assert pack(array[::-1], tmp_path)[1] > 0


def test_only_images_that_joined_are_drawn(array, tmp_path):
    few, more = from_stack(array[:60]), from_stack(array[60:])
    pack(few, tmp_path)
    joined = few.joined(
        type(more)(**{**vars(more), "ids": np.char.add("later", more.ids)})
    )
    seen = []
    tiles = run_job(PackThumbnails(joined, 8, tmp_path), seen.append)
    assert [(p.done, p.total) for p in seen] == [(70, 70)]
    assert_array_equal(tiles[..., 0], array)


def test_a_cancelled_job_leaves_no_file(array, tmp_path):
    steps = PackThumbnails(from_stack(array), 8, tmp_path).run()
    next(steps)
    steps.close()
    assert list((tmp_path / "thumbnails").iterdir()) == []


def test_the_oldest_are_deleted_beyond_the_limit(array, tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnails, "_CACHE_LIMIT", 20_000)
    pack(array, tmp_path)
    pack(array[::-1], tmp_path)
    assert len(list((tmp_path / "thumbnails").iterdir())) == 1


def test_a_mapped_array_travels_as_a_path_and_its_parts_as_content(array, tmp_path):
    tiles, _ = pack(array, tmp_path)
    assert len(pickle.dumps(tiles)) < 1000
    again = pickle.loads(pickle.dumps(tiles))
    assert isinstance(again, MappedArray)
    assert_array_equal(again, tiles)
    part = pickle.loads(pickle.dumps(tiles[3:5], protocol=5))
    assert_array_equal(part, tiles[3:5])
    assert_array_equal(pickle.loads(pickle.dumps(tiles[::2])), tiles[::2])
    with pytest.raises(ValueError, match="read-only"):
        tiles[0] = 0
