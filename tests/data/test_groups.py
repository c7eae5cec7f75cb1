from __future__ import annotations

from functools import partial

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.groups import grouped_split, groups_of, notes_on_groups
from napari_spaceediting.data.objects import find_objects
from napari_spaceediting.data.open import OpenDataset, OpenLayers
from napari_spaceediting.data.splits import UNLABELLED, stratified_split
from napari_spaceediting.jobs.job import run_job


def parts_of(split, groups):
    return [set(split[groups == group]) for group in np.unique(groups)]


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_part_and_classes_keep_their_shares(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(60, size=1_200)
    labels = (rng.random(1_200) < 0.2 + 0.3 * (groups % 2)).astype(np.int64)
    split = grouped_split(labels, groups, rng)
    assert all(len(parts) == 1 for parts in parts_of(split, groups))
    for label in (0, 1):
        shares = (
            np.bincount(split[labels == label], minlength=3) / (labels == label).sum()
        )
        np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.05)


@pytest.mark.parametrize(
    ("n_groups", "counts"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1])]
)
def test_few_groups_train_first(n_groups, counts):
    groups = np.repeat(np.arange(n_groups), 20)
    split = grouped_split(
        np.arange(20 * n_groups) % 2, groups, np.random.default_rng(0)
    )
    assert_array_equal(np.bincount(split[::20], minlength=3), counts)


def test_a_group_that_is_most_of_the_images_is_not_held_out():
    groups = np.r_[np.zeros(300, int), np.repeat(np.arange(1, 11), 10)]
    split = grouped_split(np.arange(400) % 2, groups, np.random.default_rng(3))
    assert (split[groups == 0] == Split.TRAIN).all()
    assert (split != Split.TRAIN).any()


def test_unlabelled_images_go_with_their_group():
    groups = np.repeat(np.arange(300), 4)
    labels = np.tile([0, 1, UNLABELLED, UNLABELLED], 300)
    labels[groups >= 260] = UNLABELLED
    split = grouped_split(labels, groups, np.random.default_rng(0))
    assert all(len(parts) == 1 for parts in parts_of(split, groups))
    assert (split[groups >= 260] == Split.TRAIN).all()
    labels[groups >= 200] = UNLABELLED
    few = grouped_split(labels, groups, np.random.default_rng(0))
    assert all(len(parts) == 1 for parts in parts_of(few, groups))
    assert (few[groups >= 200] == Split.TEST).any()
    nothing = np.full(1200, UNLABELLED)
    split = grouped_split(nothing, groups, np.random.default_rng(0))
    assert_array_equal(np.bincount(split), [840, 120, 240])


def test_without_groups_the_split_is_as_ever():
    labels, groups = np.arange(90) % 3, np.arange(90)
    one = grouped_split(labels, groups, np.random.default_rng(4))
    assert_array_equal(one, stratified_split(labels, np.random.default_rng(4)))


def table_of(folder, groups, split=None, start=0):
    rows = {"path": [], "label": [], "group": groups}
    for at in range(len(groups)):
        rows["path"].append(f"{start + at}.png")
        rows["label"].append("ab"[at % 2])
        iio.imwrite(folder / rows["path"][-1], np.full((9, 9), at, np.uint8))
    if split is not None:
        rows["split"] = split
    path = folder / f"table-{start}.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_table_says_what_belongs_together(tmp_path):
    patients = [7, 8, 9, None, 9] * 8
    dataset = run_job(OpenDataset(table_of(tmp_path, patients)))
    groups = groups_of(dataset.columns, 40)
    assert all(len(parts) == 1 for parts in parts_of(dataset.split, groups))
    assert any("3 groups, each of which is in one part" in n for n in dataset.notes)
    # What joins goes where the rest of its group is, whatever type its numbers have.
    more = table_of(tmp_path, [7, 8, 9, 10], start=40)
    added = run_job(OpenDataset(more, like=dataset))
    part_of = {k: dataset.split[patients.index(k)] for k in (7, 8, 9)}
    assert_array_equal(added.split, [*part_of.values(), Split.TRAIN])


def test_a_split_that_tears_groups_apart_is_told(tmp_path):
    path = table_of(tmp_path, ["x", "x", "y", "y"], ["train", "test", "train", "train"])
    notes = run_job(OpenDataset(path)).notes
    assert any(
        "1 of the 2 groups have images in several parts, such as x" in n for n in notes
    )


def test_one_group_gives_no_evidence(tmp_path):
    dataset = run_job(OpenDataset(table_of(tmp_path, ["x"] * 20)))
    assert not dataset.held_out.any()
    assert any("nothing is held out" in note for note in dataset.notes)
    assert notes_on_groups({"area": np.ones(3)}, np.zeros(3, np.int8)) == ()


def test_objects_of_a_picture_belong_together():
    picture = np.zeros((40, 40), int)
    for number, (y, x) in enumerate(np.ndindex(3, 3), 1):
        picture[12 * y : 12 * y + 8, 12 * x : 12 * x + 8] = number
    stack = np.repeat(picture[None], 10, axis=0)
    find = partial(find_objects, stack.astype(np.uint8), stack)
    dataset = run_job(OpenLayers(find))
    assert all(
        len(parts) == 1 for parts in parts_of(dataset.split, dataset.columns["plane"])
    )
    assert_array_equal(np.bincount(dataset.split), [63, 9, 18])
    # A few pictures cannot be held out, which is told.
    few = run_job(OpenLayers(partial(find_objects, picture.astype(np.uint8), picture)))
    assert "group" not in few.columns
    assert "come from one picture" in few.notes[0]
