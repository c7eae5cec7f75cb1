"""Thumbnails: drawn once, kept in a file where they are many."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data import kept, thumbnails
from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.kept import MappedArray
from napari_spaceediting.data.open import OpenLayers
from napari_spaceediting.data.thumbnails import PackThumbnails, sized
from napari_spaceediting.jobs.job import run_job


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 8, 8), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch):
    monkeypatch.setenv("SPACEEDITING_MEMORY", "16KB")


def opened(array):
    return run_job(OpenLayers(partial(find_in_stack, array)))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def altered(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def foreign(path):
    np.save(path, np.array([{"a": 1}], object))


def pack(array, size: int = 8):
    """Return thumbnails, and how many were drawn."""
    dataset = opened(array) if isinstance(array, np.ndarray) else array
    seen = []
    tiles = run_job(PackThumbnails(dataset, size), seen.append)
    return tiles, len(seen)


def test_many_are_drawn_once(array):
    tiles, drawn = pack(array)
    assert drawn > 0
    assert isinstance(tiles, np.memmap)
    assert_array_equal(tiles[..., 0], array)
    again, drawn = pack(array)
    assert drawn == 0
    assert_array_equal(again, tiles)
    assert pack(array, size=9)[1] > 0
    assert pack(array[::-1])[1] > 0


def test_only_images_that_joined_are_drawn(array):
    few, more = opened(array[:60]), opened(array[60:])
    pack(few)
    joined = few.joined(
        type(more)(**{**vars(more), "ids": np.char.add("later", more.ids)})
    )
    seen = []
    tiles = run_job(PackThumbnails(joined, 8), seen.append)
    assert [(p.done, p.total) for p in seen] == [(70, 70)]
    assert_array_equal(tiles[..., 0], array)


def test_a_cancelled_job_is_gone_on_with(array):
    steps = PackThumbnails(opened(array), 8).run()
    assert next(steps).done == 32
    steps.close()
    seen = []
    tiles = run_job(PackThumbnails(opened(array), 8), seen.append)
    assert [p.done for p in seen] == [64, 70]
    assert_array_equal(tiles[..., 0], array)


@pytest.mark.parametrize("damage", [cut, altered, foreign], ids=lambda f: f.__name__)
def test_damaged_thumbnails_are_drawn_anew(array, tmp_path, damage):
    tiles, drawn = pack(array)
    (path,) = (tmp_path / "thumbnails").iterdir()
    del tiles
    damage(path)
    kept._checked.clear()  # as in another process
    again, drawn = pack(array)
    assert drawn > 0
    assert_array_equal(again[..., 0], array)
    assert pack(array)[1] == 0


def test_the_oldest_are_deleted_beyond_the_limit(array, tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnails, "_CACHE_LIMIT", 20_000)
    pack(array)
    pack(array[::-1])
    assert len(list((tmp_path / "thumbnails").iterdir())) == 1


def test_a_mapped_array_travels_as_a_path_and_its_parts_as_content(array):
    tiles, _ = pack(array)
    assert len(pickle.dumps(tiles)) < 1000
    again = pickle.loads(pickle.dumps(tiles))
    assert isinstance(again, MappedArray)
    assert_array_equal(again, tiles)
    part = pickle.loads(pickle.dumps(tiles[3:5], protocol=5))
    assert_array_equal(part, tiles[3:5])
    assert_array_equal(pickle.loads(pickle.dumps(tiles[::2])), tiles[::2])
    with pytest.raises(ValueError, match="read-only"):
        tiles[0] = 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_is_read_as_large_as_it_is_looked_at(dtype):
    ramp = np.linspace(0, np.iinfo(dtype).max, 900).astype(dtype)
    dataset = opened(np.broadcast_to(ramp, (3, 300, 900)).copy())
    values, is_full = sized(dataset, 1, 90)
    assert (values.shape, values.dtype, is_full) == ((30, 90, 1), np.uint16, False)
    expected = np.linspace(0, 65535, 90)
    assert np.abs(values[:, :, 0] - expected).max() < 1500
    values, is_full = sized(dataset, 1, 2000)
    assert values.shape == (300, 900, 1)
    assert is_full
