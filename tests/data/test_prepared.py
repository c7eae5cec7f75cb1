"""Images are decoded once, for thumbnails and for networks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from napari_spaceediting.data import kept as rows
from napari_spaceediting.data import pixels, prepared
from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.files import read_image
from napari_spaceediting.data.open import OpenDataset, OpenLayers
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import ExtractActivations, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings

N = 70


@pytest.fixture(params=["L", "RGB"])
def folder(request, tmp_path) -> Path:
    """Two classes of photographs of several sizes."""
    rng = np.random.default_rng(0)
    for k in range(N):
        noise = rng.integers(0, 255, (40 + k % 3, 30, 3), dtype=np.uint8)
        path = tmp_path / "photos" / "ab"[k % 2] / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise).convert(request.param).save(path)
    return tmp_path / "photos"


@pytest.fixture
def photos(folder) -> ImageDataset:
    return run_job(OpenDataset(folder))


@pytest.fixture
def decoded(monkeypatch) -> Counter[Path]:
    """How often each file was decoded."""
    counts: Counter[Path] = Counter()

    def counting(path):
        counts[path] += 1
        return read_image(path)

    monkeypatch.setattr(pixels, "read_image", counting)
    return counts


def test_each_file_is_decoded_once_for_all(folder, decoded):
    dataset = run_job(OpenDataset(folder))
    assert sum(decoded.values()) <= 1  # which tells that they are not dark
    decoded.clear()
    tiles = run_job(PackThumbnails(dataset, 16))
    assert set(decoded.values()) == {1}
    assert len(decoded) == N
    spec = ClassifierSpec(
        n_classes=2, in_channels=dataset.n_channels, image_size=dataset.image_size
    )
    run_job(ExtractActivations(dataset, spec, None, device="cpu"))
    everything = TrainSettings(epochs=1, trainable="all", device="cpu")
    run_job(TrainNetwork(dataset, spec, everything))
    assert_array_equal(run_job(PackThumbnails(dataset, 16)), tiles)
    assert set(decoded.values()) == {1}


def test_training_from_pixels_decodes_once(photos, decoded):
    spec = ClassifierSpec(
        n_classes=2, in_channels=photos.n_channels, image_size=photos.image_size
    )
    settings = TrainSettings(epochs=2, trainable="all", device="cpu")
    run_job(TrainNetwork(photos, spec, settings))
    assert set(decoded.values()) == {1}


def test_what_is_kept_is_what_the_data_set_gives(photos):
    kept = Prepared(photos)
    progress = list(kept.fill())
    assert (progress[-1].done, progress[-1].total) == (N, N)
    for indices in ([3], [60, 2, 2], range(N)):
        ours, theirs = kept.images(indices), photos.images(indices)
        assert_array_equal(ours, theirs)
        assert ours.strides == theirs.strides


def test_an_interrupted_file_is_gone_on_with(photos, tmp_path, decoded):
    steps = Prepared(photos).fill()
    next(steps)
    steps.close()
    kept = Prepared(photos)
    n_before = kept.n_finished
    assert 0 < n_before < N
    path = next((tmp_path / "images").iterdir())
    with path.open("r+b") as file:
        file.seek(128 + n_before * photos.images([0]).nbytes)
        file.write(b"half an image")  # as when the process is killed
    decoded.clear()
    for _ in kept.fill():
        pass
    assert sum(decoded.values()) == N - n_before
    assert_array_equal(kept.images(range(N)), photos.images(range(N)))
    assert_array_equal(np.load(path), photos.images(range(N)))


def test_two_writers_do_not_harm_each_other(photos):
    writers = [Prepared(photos).fill() for _ in range(2)]
    next(writers[0])
    next(writers[1])
    for steps in writers:
        for _ in steps:
            pass
    kept = Prepared(photos)
    assert kept.n_finished == N
    assert_array_equal(kept.images(range(N)), photos.images(range(N)))


def test_images_after_a_gap_are_kept_and_the_gap_is_seen(photos, decoded):
    kept = Prepared(photos)
    kept.put(np.arange(10, 20), photos.images(range(10, 20)))
    assert kept.n_finished == 10
    decoded.clear()
    found = kept.images(range(20))
    assert sum(decoded.values()) == 10
    assert_array_equal(found, photos.images(range(20)))


def test_a_file_that_is_gone_or_other_images_are_read_anew(photos, tmp_path):
    kept = Prepared(photos)
    kept.put(np.arange(N), photos.images(range(N)))
    assert Prepared(replace(photos, image_size=(9, 9))).n_finished == 0
    next((tmp_path / "images").iterdir()).unlink()
    assert_array_equal(kept.images([5]), photos.images([5]))
    assert_array_equal(Prepared(photos).images([5]), photos.images([5]))


def test_a_damaged_image_is_decoded_anew(photos, tmp_path, decoded):
    list(Prepared(photos).fill())
    path = next((tmp_path / "images").iterdir())
    size = photos.images([0]).nbytes
    with path.open("r+b") as file:
        file.seek(128 + 7 * size + size // 2)
        file.write(b"\xff\xff")
    rows._checked.clear()  # as in another process
    decoded.clear()
    found = Prepared(photos).images(range(N))
    assert dict(decoded) == {photos.pixels.paths[7]: 1}
    assert_array_equal(found, photos.images(range(N)))
    list(Prepared(photos).fill())
    decoded.clear()
    assert_array_equal(Prepared(photos).images(range(N)), found)
    assert not decoded


def test_arrays_and_too_many_images_are_not_kept(photos, monkeypatch):
    find = partial(find_in_stack, np.zeros((20, 8, 8), np.uint8))
    array = run_job(OpenLayers(find))
    assert not Prepared(array).is_wanted
    monkeypatch.setattr(prepared, "_CACHE_LIMIT", 1000)
    assert not Prepared(photos).is_wanted
    assert_array_equal(Prepared(photos).images([1]), photos.images([1]))


def test_a_damaged_file_is_a_grey_tile_and_all_others_are_kept(photos):
    source = photos.pixels.paths[40]
    source.write_bytes(source.read_bytes()[:-50])
    tiles = run_job(PackThumbnails(photos, 16))
    assert (tiles[40] == 128).all()
    assert_array_equal(tiles[41:], photos.thumbnails(range(41, N), 16))
    kept = Prepared(photos)
    assert kept.n_finished == N - 1
    others = np.delete(np.arange(N), 40)
    assert_array_equal(kept.images(others), photos.images(others))
