from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.objects import find_objects
from napari_spaceediting.data.open import OpenDataset, OpenLayers
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job


def opened(find, *given, **options):
    return run_job(OpenLayers(partial(find, *given, **options)))


@pytest.fixture
def cells():
    """An image with three objects of intensity 100, 200 and 50, one tiny."""
    image = np.full((60, 80), 10, np.uint8)
    labels = np.zeros((60, 80), np.int32)
    for number, (y, x, size) in {
        3: (20, 20, 10),
        7: (45, 60, 6),
        9: (5, 70, 1),
    }.items():
        labels[y : y + size, x : x + size] = number
        image[y : y + size, x : x + size] = {3: 100, 7: 200, 9: 50}[number]
    return image, labels


def test_every_object_is_an_image(cells):
    dataset = opened(find_objects, *cells)
    assert list(dataset.ids) == ["object-3", "object-7"]
    assert not dataset.is_labelled.any()
    assert dataset.original(0).shape == (14, 14, 1)  # 10 px and 20% on each side
    assert dataset.original(0)[7, 7] == 100
    assert_array_equal(dataset.columns["area"], [100, 36])
    assert_array_equal(dataset.columns["y"], [24.5, 47.5])
    assert [skip.name for skip in dataset.skipped] == ["object-9"]
    assert "1 pixels" in dataset.skipped[0].reason


def test_the_outside_can_be_blanked(cells):
    image, labels = cells
    image[18:20, 18:40] = 255  # a bright neighbour within the margin
    dataset = opened(find_objects, image, labels, mask_outside=True)
    crop = dataset.original(0)[..., 0]
    assert (crop == 100).sum() == 100
    assert set(np.unique(crop)) == {10, 100}


def test_stacks_are_cut_plane_by_plane_and_channels_kept(cells):
    image, labels = cells
    planes = np.stack([np.stack([image, 255 - image])] * 3)  # plane, channel, y, x
    dataset = opened(find_objects, planes, np.stack([labels] * 3), channel_axis=1)
    assert len(dataset) == 6
    assert dataset.n_channels == 2
    assert dataset.ids[-1] == "plane-2-object-7"
    assert_array_equal(dataset.columns["plane"], [0, 0, 1, 1, 2, 2])
    assert dataset.original(0)[7, 7, 1] == 155


def test_an_object_at_the_border_is_cut_off_there():
    labels = np.zeros((40, 40), np.uint8)
    labels[:10, 30:] = 1
    dataset = opened(find_objects, labels * 100, labels, padding=0.5)
    assert dataset.original(0).shape == (15, 15, 1)


def test_layers_that_do_not_belong_together(cells):
    image, labels = cells
    with pytest.raises(DataError, match=r"60 x 80.*30 x 80"):
        opened(find_objects, image, labels[:30])
    with pytest.raises(DataError, match="no objects"):
        opened(find_objects, image, labels * 0)
    with pytest.raises(DataError, match="smaller than 16 pixels"):
        opened(find_objects, image, np.where(labels == 9, 9, 0))
    with pytest.raises(DataError, match="whole number"):
        opened(find_objects, image, labels.astype(float))


@pytest.mark.parametrize("channel_axis", [None, 1, 3])
def test_stacks_of_an_image_layer(channel_axis):
    array = np.random.default_rng(0).integers(0, 255, (12, 20, 30, 3), dtype=np.uint8)
    given = np.moveaxis(array, -1, channel_axis) if channel_axis else array
    dataset = opened(find_in_stack, given, channel_axis=channel_axis)
    assert_array_equal(dataset.original(5), array[5])


def test_rgba_lies_over_black_unless_channels_are_named():
    array = np.full((4, 30, 30, 4), 200, np.uint8)
    array[..., 3] = 0
    assert opened(find_in_stack, array).images([0]).max() == 0
    assert opened(find_in_stack, array, channel_axis=3).n_channels == 4


def test_lazy_stacks_are_not_loaded():
    da = pytest.importorskip("dask.array")
    array = da.random.default_rng(0).random((6, 3, 30, 30), chunks=(1, 3, 30, 30))
    dataset = opened(find_in_stack, array)
    assert dataset.original(2).shape == (30, 30, 3)


def test_thumbnails_are_packed_by_a_job_that_survives_lost_images(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (70, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    dataset = opened(find_in_stack, array)
    seen = []
    tiles = run_job(pickle.loads(pickle.dumps(PackThumbnails(dataset, 8))), seen.append)
    assert_array_equal(tiles[..., 0], array)
    assert seen[-1].done == seen[-1].total == 70


def test_a_lost_image_is_a_grey_tile(tmp_path):
    iio = pytest.importorskip("imageio.v3")
    for k in range(3):
        iio.imwrite(tmp_path / f"{k}.png", np.zeros((30, 30), np.uint8))
    dataset = run_job(OpenDataset(tmp_path))
    (tmp_path / "1.png").unlink()
    tiles = run_job(PackThumbnails(dataset, 16))
    assert [tile.max() for tile in tiles] == [0, 128, 0]


def pyramid(array, axes=(-2, -1)):
    half = tuple(
        slice(None, None, 2) if a - array.ndim in axes else slice(None)
        for a in range(array.ndim)
    )
    return [array, array[half]]


def test_of_a_pyramid_the_finest_level_is_taken(cells):
    image, labels = cells
    whole = opened(find_objects, image, labels)
    dataset = opened(find_objects, pyramid(image), pyramid(labels))
    assert_array_equal(dataset.original(0), whole.original(0))
    stack = np.random.default_rng(0).integers(0, 255, (5, 20, 30), dtype=np.uint8)
    assert_array_equal(opened(find_in_stack, pyramid(stack)).original(4), stack[4])


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((64, 48, 3), {}),
        ((64, 48, 4), {"rgb": True}),
        ((3, 64, 48), {"channel_axis": 0}),
        ((64, 48), {"channel_axis": 1}),
    ],
)
def test_one_image_is_no_stack(shape, options):
    with pytest.raises(DataError, match="is one image with channels: choose a stack"):
        opened(find_in_stack, np.zeros(shape, np.uint8), "photo", **options)


@pytest.mark.parametrize("axis", [3, 9, -4])
def test_an_axis_that_is_not_there_is_named(cells, axis):
    image, labels = cells
    says = rf"no axis {axis}, it has the shape 60 x 80 x 2: .* from 0 to 2"
    with pytest.raises(DataError, match=says):
        opened(find_objects, np.stack([image] * 2, -1), labels, channel_axis=axis)
    with pytest.raises(DataError, match=rf"no axis {axis}"):
        opened(find_in_stack, np.zeros((5, 9, 9)), channel_axis=axis)


def test_colours_of_a_layer_that_is_rgb(cells):
    image, labels = cells
    rgba = np.stack([image, image // 2, image, np.full_like(image, 255)], -1)
    rgba[labels == 7, 3] = 0
    dataset = opened(find_objects, rgba, labels, rgb=True)
    assert dataset.original(0)[7, 7].tolist() == [100, 50, 100]
    assert dataset.original(1)[5, 5].tolist() == [0, 0, 0]
    stack = opened(find_in_stack, np.stack([rgba / 255] * 4), rgb=True)
    assert stack.n_channels == 3


def test_numbers_of_objects_may_be_large_or_below_0(cells):
    image, labels = cells
    numbers = np.where(labels == 3, 2**40, -labels.astype(np.int64))
    dataset = opened(find_objects, image, numbers, mask_outside=True)
    assert list(dataset.ids) == ["object--7", f"object-{2**40}"]
    assert_array_equal(dataset.columns["object"], [-7, 2**40])
    assert set(np.unique(dataset.original(1))) == {10, 100}


@pytest.mark.parametrize("mask_outside", [False, True])
def test_pixels_without_a_number_outside_all_objects(cells, mask_outside):
    image, labels = cells
    image = np.where(labels > 0, image, np.nan).astype(np.float32)
    image[45, 60] = 5
    dataset = opened(find_objects, image, labels, mask_outside=mask_outside)
    assert len(dataset) == 2
    assert set(np.unique(dataset.original(0))) == {5, 100}
    assert "Pixels without a number outside all objects are dark." in dataset.notes
    image[25, 25] = np.nan
    dataset = opened(find_objects, image, labels, mask_outside=mask_outside)
    assert list(dataset.ids) == ["object-7"]
