from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.splits import (
    UNLABELLED,
    Split,
    classes_without_evidence,
    split_from_names,
    stratified_split,
)
from napari_spaceediting.errors import DataError


def test_every_class_is_split_in_the_same_proportions():
    labels = np.repeat([0, 1], [100, 50])
    split = stratified_split(labels, np.random.default_rng(0))
    for label, size in ((0, 100), (1, 50)):
        counts = np.bincount(split[labels == label], minlength=3)
        assert_array_equal(counts, np.array([0.7, 0.1, 0.2]) * size)


def test_the_same_seed_splits_the_same():
    labels = np.arange(60) % 3
    one, same, other = (
        stratified_split(labels, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_unlabelled_images_train_unless_nothing_is_labelled():
    labels = np.repeat([0, 1, UNLABELLED], 20)
    split = stratified_split(labels, np.random.default_rng(0))
    assert (split[labels == UNLABELLED] == Split.TRAIN).all()
    nothing = stratified_split(np.full(50, UNLABELLED), np.random.default_rng(0))
    assert_array_equal(np.bincount(nothing), [35, 5, 10])


def test_a_class_of_one_stays_in_training_and_is_noted():
    labels = np.array([0] * 20 + [1])
    split = stratified_split(labels, np.random.default_rng(0))
    assert split[-1] == Split.TRAIN
    (note,) = classes_without_evidence(labels, split, ("many", "rare"))
    assert "'rare' has only 1 image" in note


def test_names_of_parts():
    names = ["Train", "training", "val", "VALID", "validation", "test", "testing "]
    assert_array_equal(split_from_names(names), [0, 0, 1, 1, 1, 2, 2])
    with pytest.raises(DataError, match="'dev'"):
        split_from_names(["train", "dev"])
