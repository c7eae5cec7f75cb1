from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels, FilePixels
from napari_spaceediting.errors import DataError


def make(array, labels=None, **changes) -> ImageDataset:
    n = len(array)
    labels = np.arange(n) % 2 if labels is None else np.asarray(labels)
    values = {
        "name": "Test",
        "ids": np.array([f"i{k}" for k in range(n)]),
        "labels": labels.astype(np.int64),
        "class_names": ("a", "b"),
        "split": np.zeros(n, np.int8),
        "pixels": ArrayPixels(array),
        "scaling": IntensityScaling("dtype"),
        "image_size": array.shape[1:3],
    }
    return ImageDataset(**{**values, **changes})


def test_images_are_channels_first_and_scaled():
    array = np.zeros((2, 4, 5, 3), np.uint8)
    array[1, 2, 3, 1] = 255
    images = make(array).images([1])
    assert images.shape == (1, 3, 4, 5)
    assert images.dtype == np.float32
    assert images[0, 1, 2, 3] == 1
    assert images.sum() == 1


@pytest.mark.parametrize("size", [(28, 28), (5, 5), (8, 16)])
def test_resizing_keeps_the_mean_of_a_constant_image_and_its_aspect(size):
    images = make(np.full((1, 10, 10), 255, np.uint8), image_size=size).images([0])[
        0, 0
    ]
    assert images.shape == size
    side = min(size)
    # What lies beside the square is padding.
    assert_allclose(np.sort(images.ravel())[-side * side :], 1, atol=1e-6)
    assert images.sum() == pytest.approx(side * side, rel=1e-5)


def test_shrinking_averages_instead_of_picking_pixels():
    stripes = np.zeros((1, 64, 64), np.uint8)
    stripes[:, :, ::2] = 255
    images = make(stripes, image_size=(8, 8)).images([0])
    assert_allclose(images, 0.5, atol=0.05)


def test_enlarging_interpolates_between_pixel_centres():
    ramp = np.array([[[0, 255], [0, 255]]], np.uint8)
    row = make(ramp, image_size=(4, 4)).images([0])[0, 0, 0]
    assert_allclose(row, [0, 0.25, 0.75, 1], atol=1e-6)


def test_images_of_several_sizes_and_of_grey_and_colour_come_in_one_batch(tmp_path):
    iio = pytest.importorskip("imageio.v3")
    paths = []
    for k, shape in enumerate([(6, 6), (12, 6, 3), (6, 6)]):
        paths.append(tmp_path / f"{k}.png")
        iio.imwrite(paths[-1], np.full(shape, 50 * (k + 1), np.uint8))
    dataset = make(
        np.zeros((3, 6, 6), np.uint8),
        pixels=FilePixels(tuple(paths), 3),
        image_size=(6, 6),
    )
    images = dataset.images([2, 1, 0])
    assert images.shape == (3, 3, 6, 6)
    assert_allclose(images[0], 150 / 255)
    assert_allclose(images[2], 50 / 255)
    assert_allclose(images[1].max(), 100 / 255, atol=1e-6)
    assert images[1, 0, 3, 0] == 0  # padding: the image was twice as high as wide


def test_thumbnails_repeat_grey_and_tell_two_channels_apart():
    grey = make(np.full((1, 4, 4), 255, np.uint8)).thumbnails([0], size=9)
    assert grey.shape == (1, 9, 9, 3)
    assert (grey == 255).all()
    two = np.zeros((2, 4, 4, 2), np.uint8)
    two[0, ..., 0] = two[1, ..., 1] = 255
    first, second = make(two).thumbnails([0, 1], size=4)
    assert tuple(first[0, 0]) == (0, 255, 0)
    assert tuple(second[0, 0]) == (255, 0, 255)


def test_no_images_are_no_error():
    dataset = make(np.zeros((2, 4, 4), np.uint8))
    assert dataset.images([]).shape == (0, 1, 4, 4)
    assert len(dataset.subset([])) == 0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"labels": np.array([0, 1])}, "labels"),
        ({"labels": np.array([0, 1, 2])}, "classes"),
        ({"labels": np.array([0, 1, -2])}, "labels"),
        ({"ids": np.array(["a", "b", "b"])}, "ids b occur"),
        ({"split": np.array([0, 1, 4], np.int8)}, "splits"),
        ({"columns": {"yaw": np.zeros(2)}}, "'yaw'"),
        ({"class_names": ("a", "a")}, "class names a"),
        ({"image_size": (0, 4)}, "size"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, word):
    with pytest.raises(DataError, match=word):
        make(np.zeros((3, 4, 4), np.uint8), **changes)


def test_keep_labels_hides_only_training_labels_and_keeps_the_truth():
    labels = np.arange(40) % 2
    split = np.zeros(40, np.int8)
    split[30:] = Split.TEST
    full = make(np.zeros((40, 4, 4), np.uint8), labels, split=split)
    few = full.keep_labels(3, np.random.default_rng(0))
    training = few.labels[:30]
    assert [np.sum(training == k) for k in (UNLABELLED, 0, 1)] == [24, 3, 3]
    assert_array_equal(few.labels[30:], labels[30:])
    assert_array_equal(few.columns["truth"], labels)
    # A second time, the truth is still the truth.
    fewer = few.keep_labels(1, np.random.default_rng(0))
    assert_array_equal(fewer.columns["truth"], labels)


def test_a_subset_keeps_everything_in_order():
    array = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((4, 4), np.uint8)
    dataset = make(array, columns={"yaw": np.arange(5.0)})
    part = dataset.subset([3, 1]).subset([1, 0])
    assert list(part.ids) == ["i1", "i3"]
    assert_array_equal(part.columns["yaw"], [1, 3])
    assert [part.original(k)[0, 0] for k in (0, 1)] == [1, 3]


def test_the_content_key_follows_what_images_returns():
    array = np.zeros((2, 4, 4), np.uint8)
    dataset = make(array)
    changed = array.copy()
    changed[1, 3, 3] = 1
    keys = {
        dataset.content_key(),
        make(changed).content_key(),
        replace(dataset, image_size=(8, 8)).content_key(),
        replace(dataset, scaling=IntensityScaling("range", (0,), (9,))).content_key(),
        dataset.subset([1, 0]).content_key(),
    }
    assert len(keys) == 5
    assert (
        dataset.with_labels(1 - dataset.labels).content_key() == dataset.content_key()
    )


def test_soft_labels_go_with_their_images():
    soft = np.array([[0.75, 0.25], [0, 0], [0.5, 0.5]], np.float32)
    array = np.zeros((3, 4, 4), np.uint8)
    dataset = make(array, soft_labels=soft)
    assert_array_equal(dataset.classes(np.array([1, 0])), [[0, 1], [0.75, 0.25]])
    assert_array_equal(dataset.subset([2, 1]).soft_labels, soft[[2, 1]])
    assert dataset.with_labels(dataset.labels).soft_labels is None
    hidden = dataset.keep_labels(1, np.random.default_rng(0))
    assert_array_equal(
        hidden.soft_labels.any(axis=1),
        [True, False, False] if hidden.is_labelled[0] else [False, False, True],
    )
    with pytest.raises(DataError, match="3 images and 2 classes"):
        make(array, soft_labels=soft[:, :1])


def test_soft_labels_of_images_that_join_are_of_all_classes():
    soft = np.array([[0.75, 0.25], [0, 0]], np.float32)
    first = make(np.zeros((2, 4, 4), np.uint8), soft_labels=soft)
    more = make(
        np.ones((1, 4, 4), np.uint8), [2], ids=np.array(["late"]),
        class_names=("a", "b", "c"),
    )  # fmt: skip
    assert_array_equal(
        first.joined(more).soft_labels, [[0.75, 0.25, 0], [0, 0, 0], [0, 0, 0]]
    )
