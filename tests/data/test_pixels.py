from __future__ import annotations

import json
import pickle
import shutil

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import zarr
from numpy.testing import assert_array_equal

from napari_spaceediting.data.files import read_image
from napari_spaceediting.data.pixels import (
    ArrayPixels,
    FilePixels,
    StoredPixels,
    join,
    select,
)
from napari_spaceediting.data.specs import pixels_from_spec, spec_of
from napari_spaceediting.errors import DataError


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "project" / "images"
    folder.mkdir(parents=True)
    for k in range(3):
        iio.imwrite(folder / f"{k}.png", np.full((4, 5), k, np.uint8))
    return FilePixels(tuple(folder / f"{k}.png" for k in range(3)), 1)


def through_json(source, base):
    return pixels_from_spec(json.loads(json.dumps(spec_of(source, base))), base)


def test_files_survive_a_moved_folder(files, tmp_path):
    session = tmp_path / "project" / "session"
    spec = json.loads(json.dumps(spec_of(files, session)))
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "project", moved)
    again = pixels_from_spec(spec, moved / "session")
    assert [again.read(k)[0, 0] for k in range(3)] == [0, 1, 2]


def test_files_that_stayed_are_found_when_only_the_session_moved(files, tmp_path):
    spec = spec_of(files, tmp_path / "project" / "session")
    far = tmp_path / "a" / "b" / "c"
    assert pixels_from_spec(spec, far).read(2)[0, 0] == 2


def test_a_file_gone_missing_is_named_when_it_is_read(files, tmp_path):
    spec = spec_of(files, tmp_path)
    files.paths[1].unlink()
    again = pixels_from_spec(spec, tmp_path)
    assert again.read(0).shape == (4, 5)
    with pytest.raises(DataError, match=r"1\.png is missing"):
        again.read(1)


def test_the_key_of_files_follows_their_content(files):
    before = files.key()
    iio.imwrite(files.paths[0], np.arange(99, dtype=np.uint8)[None])
    assert files.key() != before


@pytest.mark.parametrize("kind", ["npy", "npz", "zarr", "group"])
@pytest.mark.parametrize("axes", ["NYXC", "NCYX"])
def test_stored_arrays_are_reopened_not_carried(tmp_path, kind, axes):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (200, 6, 8, 2), dtype=np.uint8)
    stored = np.moveaxis(array, -1, 1) if axes == "NCYX" else array
    path, key = tmp_path / f"images.{kind}", None
    if kind == "npy":
        np.save(path, stored)
    elif kind == "npz":
        key = "x"
        np.savez(path, x=stored)
    elif kind == "zarr":
        zarr.create_array(path, data=stored)
    else:
        key = "x"
        zarr.create_group(path).create_array("x", data=stored)
    source = StoredPixels(path, key, axes, 200, 2)
    assert_array_equal(source.read(7), array[7])  # opened from here on
    pickled = pickle.dumps(source)
    assert len(pickled) < 2000
    for again in (pickle.loads(pickled), through_json(source, tmp_path)):
        assert len(again) == 200
        assert again.n_channels == 2
        assert_array_equal(again.read(3), array[3])
    assert source.key() == pickle.loads(pickled).key()


def test_a_missing_array_is_named_when_it_is_read(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npy is missing"):
        StoredPixels(tmp_path / "gone.npy", None, "NYX", 3, 1).read(0)


def test_a_selection_of_a_selection_refers_to_the_source(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10)[:, None, None] * np.ones((2, 2)))
    source = StoredPixels(tmp_path / "a.npy", None, "NYX", 10, 1)
    part = select(select(source, np.array([8, 6, 4])), np.array([2, 0]))
    again = through_json(part, tmp_path)
    assert [again.read(k)[0, 0] for k in range(len(again))] == [4, 8]


def test_pixels_in_memory_have_no_spec(tmp_path):
    source = ArrayPixels(np.zeros((3, 2, 2)))
    assert spec_of(source, tmp_path) is None
    assert spec_of(select(source, np.array([1])), tmp_path) is None


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match="'hologram'"):
        pixels_from_spec({"kind": "hologram"}, tmp_path)


def test_transparency_lies_over_black(tmp_path):
    rgba = np.full((3, 3, 4), 200, np.uint8)
    rgba[..., 3] = 0
    rgba[0, 0, 3] = 255
    iio.imwrite(tmp_path / "a.png", rgba)
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 3, 3)
    assert image[0, 0, 0] == 200
    assert image[1:].max() == 0


def test_sixteen_bit_files_keep_their_values(tmp_path):
    values = np.array([[0, 1000], [30000, 65535]], np.uint16)
    iio.imwrite(tmp_path / "a.png", values)
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert_array_equal(read_image(tmp_path / "a.png"), values)
    assert_array_equal(read_image(tmp_path / "a.tif"), values)


def test_channels_of_a_tiff_come_last_and_stacks_are_refused(tmp_path):
    array = np.zeros((2, 8, 9), np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", array, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "z.tif", array, imagej=True, metadata={"axes": "ZYX"})
    assert read_image(tmp_path / "c.tif").shape == (8, 9, 2)
    with pytest.raises(DataError, match="stack of planes"):
        read_image(tmp_path / "z.tif")


def test_joined_sources_are_read_one_after_the_other(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3)[:, None, None] * np.ones((2, 2)))
    np.save(tmp_path / "b.npy", 10 + np.arange(2)[:, None, None] * np.ones((2, 2)))
    first, second = (
        StoredPixels(tmp_path / f"{name}.npy", None, "NYX", n, 1)
        for name, n in (("a", 3), ("b", 2))
    )
    both = join(join(first, second), first)
    again = through_json(both, tmp_path)
    for source in (both, again):
        assert len(source) == 8
        values = [source.read(k)[0, 0] for k in range(8)]
        assert values == [0, 1, 2, 10, 11, 0, 1, 2]
    assert both.key() == again.key() != join(first, second).key()
    part = through_json(select(both, np.array([4, 0])), tmp_path)
    assert [part.read(k)[0, 0] for k in range(2)] == [11, 0]
    in_memory = join(first, ArrayPixels(np.zeros((1, 2, 2))))
    assert spec_of(in_memory, tmp_path) is None
