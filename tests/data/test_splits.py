from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.splits import (
    UNLABELLED,
    Split,
    classes_without_evidence,
    few_to_measure,
    split_from_names,
    split_of,
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


def test_unlabelled_images_are_held_out_where_labels_are_too_few_to_measure_by():
    labels = np.repeat([0, 1, UNLABELLED], [250, 250, 20])
    split = stratified_split(labels, np.random.default_rng(0))
    assert (split[labels == UNLABELLED] == Split.TRAIN).all()
    assert few_to_measure(labels, split) == ()
    split = stratified_split(labels[1:], np.random.default_rng(0))
    assert_array_equal(np.bincount(split[labels[1:] == UNLABELLED]), [14, 2, 4])
    (note,) = few_to_measure(labels[230:], split[229:])
    assert "name some of the other 4" in note
    nothing = stratified_split(np.full(50, UNLABELLED), np.random.default_rng(0))
    assert_array_equal(np.bincount(nothing), [35, 5, 10])


def test_a_class_of_one_stays_in_training_and_is_noted():
    labels = np.array([0] * 20 + [1])
    split = stratified_split(labels, np.random.default_rng(0))
    assert split[-1] == Split.TRAIN
    (note,) = classes_without_evidence(labels, split, ("many", "rare"))
    assert note.endswith("nothing can be said about the class rare.")


def test_a_thousand_classes_of_one_image_are_told_in_a_line():
    labels, names = np.arange(1000), [f"class {k}" for k in range(1000)]
    split = np.zeros(1000, np.int8)
    split[:2] = Split.TEST
    held_out, only_test = classes_without_evidence(labels, split, names)
    assert "998 classes: class 2, class 3, class 4 and 995 more." in held_out
    assert only_test == "No image for training has 2 classes: class 0, class 1."


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (Split.TRAIN, "Train training training_set train_data train-images seg_train"),
        (Split.TRAIN, "x_train trainset train2017"),
        (Split.VALIDATION, "val VALID validation val_set dev eval validation_data"),
        (Split.TEST, "test testing test_images Test-Set x_test testset"),
        (None, "trains tester validity set data train_test extra class_1 holdouts"),
    ],
)
def test_names_of_parts_as_people_write_them(part, names):
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(
        names.split(), part
    )


def test_names_of_parts():
    names = ["Train", "training", "val", "VALID", "validation", "test", "testing "]
    assert_array_equal(split_from_names(names), [0, 0, 1, 1, 1, 2, 2])
    with pytest.raises(DataError, match="'fold 3'"):
        split_from_names(["train", "fold 3"])
