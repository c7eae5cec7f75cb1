"""Arrays as other libraries write them."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 255, (12, 20, 24), dtype=np.uint8)


def opened(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return run_job(OpenDataset(path / "a.npz"))


def names_of(dataset):
    return [(*dataset.class_names, None)[k] for k in dataset.labels]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([b"cat", b"dog"] * 6), ["cat", "dog"]),
        (np.array(["cat", "dog "] * 6), ["cat", "dog"]),
        (np.array([1.0, 2.0] * 6), ["1", "2"]),
        (np.array([True, False] * 6), ["True", "False"]),
        (np.array(["1.0", "2"] * 6), ["1", "2"]),
        (np.array([[1], [2]] * 6, np.uint8), ["1", "2"]),
        (np.array([["a"], ["b"]] * 6), ["a", "b"]),
        (np.array([[0, 1, 0], [1, 0, 0]] * 6), ["1", "0"]),
        (np.array([[0.0, 1.0], [1.0, 0.0]] * 6, np.float32), ["1", "0"]),
        (np.array(["None", "x"] * 6), ["None", "x"]),
        (np.array([1, -1] * 6), ["1", "-1"]),
    ],
)
def test_one_label_is_one_class(tmp_path, stack, labels, names):
    assert names_of(opened(tmp_path, images=stack, labels=labels)) == names * 6


@pytest.mark.parametrize("none", [np.nan, -1.0])
def test_what_is_no_number_is_unlabelled(tmp_path, stack, none):
    labels = np.array([none, 1.0, 2.0] * 4)
    dataset = opened(tmp_path, images=stack, labels=labels)
    assert names_of(dataset) == [None, "1", "2"] * 4
    labels[labels == 2] = np.nan
    labels[labels == -1] = np.nan
    dataset = opened(tmp_path, images=stack, labels=labels)
    assert names_of(dataset) == [None, "1", None] * 4


@pytest.mark.parametrize(
    "labels",
    [np.array([False, True] * 6), np.array([0.0, 1.0] * 6), np.eye(2)[[0, 1] * 6]],
)
def test_numbers_of_named_classes(tmp_path, stack, labels):
    names = np.array([b"cat", b"dog"])
    dataset = opened(tmp_path, x=stack, y=labels, class_names=names)
    assert names_of(dataset) == ["cat", "dog"] * 6


def test_rows_without_a_class_are_unlabelled(tmp_path, stack):
    labels = np.eye(2, dtype=int)[[0, 1] * 6]
    labels[3] = 0
    dataset = opened(tmp_path, images=stack, labels=labels)
    assert_array_equal(np.flatnonzero(~dataset.is_labelled), [3])
    labels[4] = 1
    with pytest.raises(DataError, match="labels are 12 x 2"):
        opened(tmp_path, images=stack, labels=labels)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("Xtrain", "ytrain", "Xtest", "ytest"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images_training", "targets_training", "images_test", "targets_test"),
    ],
)
def test_arrays_of_parts(tmp_path, stack, names):
    labels = np.arange(12)[:, None] % 2
    arrays = (stack[:8], labels[:8], stack[8:], labels[8:])
    dataset = opened(tmp_path, **dict(zip(names, arrays, strict=True)))
    assert_array_equal(np.bincount(dataset.split), [8, 0, 4])
    assert_array_equal(dataset.original(9), stack[9])
    assert names_of(dataset) == ["0", "1"] * 6
    save_session(new_session(dataset).state, tmp_path / "s.spaceediting")
    again = load_session(tmp_path / "s.spaceediting").dataset
    assert_array_equal(again.original(9), stack[9])


def test_a_part_may_have_no_labels(tmp_path, stack):
    dataset = opened(
        tmp_path,
        x_train=stack[:6],
        y_train=np.arange(6) % 3,
        x_val=stack[6:8],
        y_val=np.array([0, 1]),
        x_test=stack[8:],
    )
    assert names_of(dataset)[8:] == [None] * 4
    assert set(dataset.split[6:8]) == {Split.VALIDATION}


def test_arrays_without_names(tmp_path, stack):
    np.savez(tmp_path / "b.npz", stack, np.arange(12) % 2)
    dataset = run_job(OpenDataset(tmp_path / "b.npz"))
    assert names_of(dataset) == ["0", "1"] * 6


def test_parts_of_a_zarr_group(tmp_path, stack):
    group = zarr.create_group(tmp_path / "g.zarr")
    for part, at in (("train", slice(8)), ("test", slice(8, None))):
        group.create_array(f"x_{part}", data=stack[at])
        group.create_array(f"y_{part}", data=(np.arange(12) % 2)[at])
    dataset = run_job(OpenDataset(tmp_path / "g.zarr"))
    assert_array_equal(np.bincount(dataset.split), [8, 0, 4])
    assert_array_equal(dataset.original(11), stack[11])


def test_one_photograph_is_no_stack(tmp_path):
    np.save(tmp_path / "photo.npy", np.zeros((64, 48, 3), np.uint8))
    with pytest.raises(DataError, match=r"photo\.npy, 64 x 48 x 3, is one image"):
        run_job(OpenDataset(tmp_path / "photo.npy"))
