"""Images and plates of OME-Zarr, as their versions write them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session

RNG = np.random.default_rng(0)


def write(path, array, axes, version="0.4"):
    """Write an image of two levels, the coarser one last."""
    zarr_format = 3 if version == "0.5" else 2
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.create_array("0", data=array, chunks=array.shape)
    group.create_array("1", data=array[..., ::2, ::2])
    about = {"datasets": [{"path": "0"}, {"path": "1"}], "version": version}
    if version >= "0.4":
        about["axes"] = [{"name": axis} for axis in axes]
    elif version == "0.3":
        about["axes"] = list(axes)
    scales = {"multiscales": [about]}
    group.attrs.update({"ome": scales} if version == "0.5" else scales)
    return path


def opened(path):
    return run_job(OpenDataset(path))


@pytest.mark.parametrize("version", ["0.1", "0.3", "0.4", "0.5"])
def test_each_plane_of_the_finest_level_is_an_image(tmp_path, version):
    array = RNG.integers(0, 4000, (2, 3, 4, 32, 40), dtype=np.uint16)
    path = write(tmp_path / "cells.ome.zarr", array, "tczyx", version)
    dataset = opened(path)
    assert (len(dataset), dataset.name, dataset.n_channels) == (8, "cells", 3)
    assert_array_equal(dataset.original(5), np.moveaxis(array[1, :, 1], 0, -1))
    assert dataset.ids[5] == "t1/z1"
    assert dataset.columns["z"].tolist() == [0, 1, 2, 3] * 2
    expected = dataset.images(range(8))
    save_session(new_session(dataset).state, tmp_path / "s.spaceediting")
    for again in (
        load_session(tmp_path / "s.spaceediting").dataset,
        pickle.loads(pickle.dumps(dataset)),
    ):
        assert_array_equal(again.images(range(8)), expected)


def test_axes_go_by_their_names(tmp_path):
    array = RNG.integers(0, 200, (5, 30, 32, 2), dtype=np.uint8)
    dataset = opened(write(tmp_path / "a.zarr", array, "zyxc"))
    assert_array_equal(dataset.original(3), array[3])
    assert dataset.pixels.header(3) == (array[3].shape, array.dtype)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_wells_of_a_plate_are_columns(tmp_path, version):
    path = tmp_path / "plate.zarr"
    zarr_format = 3 if version == "0.5" else 2

    def group(place, **attributes):
        made = zarr.open_group(place, mode="a", zarr_format=zarr_format)
        made.attrs.update({"ome": attributes} if version == "0.5" else attributes)

    wells = ["A/1", "A/2", "B/1"]
    group(path, plate={"wells": [{"path": well} for well in wells]})
    arrays = {}
    for well in wells:
        group(path / well, well={"images": [{"path": "0"}, {"path": "1"}]})
        for field in "01":
            array = RNG.integers(0, 4000, (2, 30, 30), dtype=np.uint16)
            arrays[f"{well}/{field}"] = array
            write(path / well / field, array, "cyx", version)
    dataset = opened(path)
    assert dataset.ids.tolist() == list(arrays)
    assert dataset.columns["well"].tolist() == ["A1", "A1", "A2", "A2", "B1", "B1"]
    assert dataset.columns["field"].tolist() == ["0", "1"] * 3
    assert "t" not in dataset.columns
    for index, array in enumerate(arrays.values()):
        assert_array_equal(dataset.original(index), np.moveaxis(array, 0, -1))


def test_axes_that_do_not_fit_are_told(tmp_path):
    array = np.zeros((3, 30, 30), np.uint8)
    with pytest.raises(DataError, match="do not fit its shape 3 x 30 x 30"):
        opened(write(tmp_path / "a.zarr", array, "tczyx"))


def test_stores_in_class_folders_are_images(tmp_path):
    planes = RNG.integers(0, 255, (6, 2, 16, 20), np.uint16)
    for k in range(4):
        write(tmp_path / f"{'ab'[k % 2]}/{k}.ome.zarr", planes[k], "cyx")
    write(tmp_path / "a/one.ome.zarr", planes[4][None, :, None], "tczyx")
    zarr.save_array(tmp_path / "b/plain.zarr", np.moveaxis(planes[5], 0, -1))
    write(tmp_path / "b/stack.ome.zarr", planes[:, 0], "zyx")
    several = zarr.create_group(tmp_path / "b/several.zarr")
    several.create_array("x", data=planes)
    several.create_array("y", data=planes)
    dataset = opened(tmp_path)
    assert dataset.class_names == ("a", "b")
    kept = dict(zip(dataset.ids.tolist(), range(6), strict=True))
    assert list(kept) == [
        *("a/0.ome.zarr", "a/2.ome.zarr", "a/one.ome.zarr"),
        *("b/1.ome.zarr", "b/3.ome.zarr", "b/plain.zarr"),
    ]
    for name, k in (("a/0.ome.zarr", 0), ("a/one.ome.zarr", 4), ("b/plain.zarr", 5)):
        image = dataset.original(kept[name])
        assert_array_equal(image, np.moveaxis(planes[k], 0, -1))
    reasons = {one.name: one.reason for one in dataset.skipped}
    assert "is a stack of planes (zyx, 6 x 16 x 20)" in reasons["b/stack.ome.zarr"]
    assert "holds 2 images" in reasons["b/several.zarr"]
    before = dataset.content_key()
    zarr.open_array(tmp_path / "a/0.ome.zarr/0", mode="r+")[:] = 0
    assert dataset.content_key() != before
