from __future__ import annotations

import os
import pickle
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data import pixels, scaling
from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.files import read_image
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import note_of
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job


def open_dataset(path, seed=0):
    return run_job(OpenDataset(path, seed))


def write(path, value=100, shape=(30, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, np.full(shape, value, np.uint8))
    return path


@pytest.fixture
def classes(tmp_path):
    """Two classes of ten images."""
    for name in ("cat", "dog"):
        for k in range(10):
            write(tmp_path / "pets" / name / f"{k}.png", 100 + k)
    return tmp_path / "pets"


# Folders


def test_class_folders(classes):
    dataset = open_dataset(classes)
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset) == 20
    assert dataset.ids[0] == "cat/0.png"
    assert_array_equal(np.bincount(dataset.labels), [10, 10])
    assert_array_equal(np.bincount(dataset.split), [14, 2, 4])
    assert dataset.original(3)[0, 0] == 103
    assert dataset.notes == dataset.skipped == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir])
@pytest.mark.parametrize("is_table", [True, False])
def test_what_is_no_file_is_left_out(classes, put, is_table):
    put(classes / "cat" / "pipe.png")
    path = classes
    if is_table:
        path = classes / "all.csv"
        names = [p.relative_to(classes).as_posix() for p in classes.rglob("*.png")]
        rows = {"path": names, "label": [name[:3] for name in names]}
        pd.DataFrame(rows).to_csv(path, index=False)
    dataset = open_dataset(path)
    assert len(dataset) == 20
    (skipped,) = dataset.skipped
    assert skipped.name == "cat/pipe.png"
    assert "missing" not in skipped.reason


def test_the_seed_decides_the_split(classes):
    splits = [open_dataset(classes, seed=seed).split for seed in (0, 0, 1)]
    assert_array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])


def test_given_parts_are_kept(tmp_path):
    for part, count in (("train", 3), ("Valid", 2), ("testing", 1)):
        for name in ("a", "b"):
            for k in range(count):
                write(tmp_path / part / name / f"{k}.png")
    dataset = open_dataset(tmp_path)
    assert_array_equal(np.bincount(dataset.split), [6, 4, 2])
    assert dataset.class_names == ("a", "b")
    write(tmp_path / "extra" / "a" / "0.png")
    with pytest.raises(DataError, match="'extra'"):
        open_dataset(tmp_path)


def test_a_class_called_test_is_a_class(tmp_path):
    for name in ("test", "control"):
        write(tmp_path / name / "0.png")
    assert open_dataset(tmp_path).class_names == ("control", "test")


def test_images_beside_the_classes_are_unlabelled(classes):
    write(classes / "stray.png")
    write(classes / "Unlabelled" / "other.png")
    dataset = open_dataset(classes)
    assert dataset.class_names == ("cat", "dog")
    assert set(dataset.ids[~dataset.is_labelled]) == {
        "stray.png",
        "Unlabelled/other.png",
    }
    assert (dataset.split[~dataset.is_labelled] == Split.TRAIN).all()


def test_a_folder_without_classes_is_unlabelled(tmp_path):
    for k in range(10):
        write(tmp_path / f"{k}.png")
    dataset = open_dataset(tmp_path)
    assert dataset.n_classes == 0
    assert_array_equal(np.bincount(dataset.split), [7, 1, 2])


def test_classes_are_in_natural_order(tmp_path):
    for name in ("class 10", "class 2", "Class 1"):
        write(tmp_path / name / "0.png")
    assert open_dataset(tmp_path).class_names == ("Class 1", "class 2", "class 10")


def test_broken_images_are_left_out_and_counted(classes):
    (classes / "cat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (classes / "cat" / "1.png").write_bytes(b"")
    (classes / "cat" / "notes.txt").write_text("not an image")
    cut = classes / "dog" / "3.png"
    cut.write_bytes(cut.read_bytes()[:-30])
    nan = np.zeros((30, 30), np.float32)
    nan[3, 4] = np.nan
    tifffile.imwrite(classes / "dog" / "nan.tif", nan)
    dataset = open_dataset(classes)
    assert {skip.name for skip in dataset.skipped} == {
        "cat/0.png",
        "cat/1.png",
        "dog/3.png",
        "dog/nan.tif",
    }
    assert len(dataset) == 17
    reasons = {skip.name: skip.reason for skip in dataset.skipped}
    assert "NaN" in reasons["dog/nan.tif"]
    assert "cannot be read" in reasons["cat/0.png"]
    assert "Left out 4, such as cat/0.png (cannot be read" in note_of(dataset)
    assert dataset.images(range(17)).shape == (17, 1, 30, 30)


def test_different_sizes_are_brought_to_the_median(classes):
    write(classes / "cat" / "tall.png", shape=(90, 60))
    dataset = open_dataset(classes)
    assert dataset.image_size == (30, 30)
    assert "different sizes, from 30 x 30 to 60 x 90 px" in dataset.notes[0]


@pytest.mark.parametrize(
    ("shape", "size"), [((600, 300), (224, 112)), ((8, 8), (28, 28))]
)
def test_the_automatic_size_is_bounded(tmp_path, shape, size):
    for name in ("a", "b"):
        write(tmp_path / name / "0.png", shape=shape)
    assert open_dataset(tmp_path).image_size == size


def test_a_class_with_one_image_stays_in_training(classes):
    write(classes / "fox" / "0.png")
    dataset = open_dataset(classes)
    assert dataset.split[dataset.labels == 2] == Split.TRAIN
    assert any("about the class fox" in note for note in dataset.notes)


def test_grey_images_among_colour_are_colour(classes):
    write(classes / "cat" / "c.png", shape=(30, 30, 3))
    dataset = open_dataset(classes)
    assert dataset.n_channels == 3
    assert dataset.images([0]).shape == (1, 3, 30, 30)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        open_dataset(tmp_path)
    (tmp_path / "text.txt").write_text("no image")
    with pytest.raises(DataError, match=r"\.png"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"text\.txt cannot be opened.*\.csv.*\.npy"):
        open_dataset(tmp_path / "text.txt")
    with pytest.raises(DataError, match="nothing at"):
        open_dataset(tmp_path / "gone")
    write(tmp_path / "only" / "0.png")
    with pytest.raises(DataError, match="one class, 'only'"):
        open_dataset(tmp_path)


def test_all_images_nan(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "0.tif", np.full((9, 9), np.nan, np.float32))
    with pytest.raises(DataError, match=r"All 2 images .* NaN"):
        open_dataset(tmp_path)


def test_all_images_corrupt(tmp_path):
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"None of the 1 images.*a\.png"):
        open_dataset(tmp_path)


def test_microscopy_is_stretched_by_percentiles(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(3):
            image = rng.integers(100, 300, (32, 32), dtype=np.uint16)
            tifffile.imwrite(tmp_path / name / f"{k}.tif", image)
    dataset = open_dataset(tmp_path)
    assert dataset.scaling.mode == "percentile"
    images = dataset.images(range(6))
    assert images.min() == 0
    assert images.max() == 1


def test_opening_is_a_job(classes):
    seen = []
    job = pickle.loads(pickle.dumps(OpenDataset(classes)))
    dataset = run_job(job, seen.append)
    assert seen[-1].done == seen[-1].total == len(dataset)
    pickle.loads(pickle.dumps(dataset)).images([0])


def test_opening_can_be_cancelled(classes):
    steps = OpenDataset(classes).run()
    next(steps)
    steps.close()


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded, as often as they were."""
    names = []

    def counting(path):
        names.append(path.name)
        return read_image(path)

    monkeypatch.setattr(pixels, "read_image", counting)
    return names


def test_opening_decodes_nothing_where_headers_tell_enough(classes, decoded):
    write(classes / "cat" / "photo.jpg", shape=(30, 30, 3))
    write(classes / "dog" / "turned.gif")
    cut = classes / "dog" / "3.png"
    cut.write_bytes(cut.read_bytes()[:-30])
    dataset = open_dataset(classes)
    assert {"3.png", "turned.gif"} <= set(decoded)
    assert len(decoded) <= 3  # and one that tells that they are not dark
    assert [skip.name for skip in dataset.skipped] == ["dog/3.png"]
    assert dataset.n_channels == 3


def test_opening_decodes_as_many_as_percentiles_need(tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(scaling, "_IMAGES_FOR_SCALING", 5)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(10):
            image = np.full((32, 32), 100 * k, np.uint16)
            tifffile.imwrite(tmp_path / name / f"{name}{k}.tif", image)
    dataset = open_dataset(tmp_path)
    assert len(decoded) == 5
    assert dataset.scaling.mode == "percentile"


# Tables


@pytest.fixture
def table(classes):
    rows = [
        {"Path": f"{name}/{k}.png", "LABEL": name, "dose": k / 2, "well": f"A{k}"}
        for name in ("cat", "dog")
        for k in range(10)
    ]
    return pd.DataFrame(rows), classes / "table.csv"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_tables(table, suffix):
    frame, path = table
    frame["split"] = ["train"] * 12 + ["val"] * 4 + ["Testing"] * 4
    path = path.with_suffix(f".{suffix}")
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    dataset = open_dataset(path)
    assert_array_equal(np.bincount(dataset.split), [12, 4, 4])
    assert dataset.class_names == ("cat", "dog")
    assert dataset.ids[11] == "dog/1.png"
    assert dataset.columns["dose"][11] == 0.5
    assert dataset.columns["well"][11] == "A1"
    assert set(dataset.columns) == {"dose", "well"}


def test_labels_and_ids_of_a_table_stay_text(table):
    frame, path = table
    frame["LABEL"] = ["007"] * 10 + ["01"] * 9 + [None]
    frame["id"] = [f"{k:03d}" for k in range(20)]
    frame["truth"] = ["007"] * 10 + ["01"] * 10
    frame.to_csv(path, index=False)
    dataset = open_dataset(path)
    assert dataset.class_names == ("01", "007")
    assert dataset.ids[7] == "007"
    assert not dataset.is_labelled[19]
    assert dataset.columns["truth"][19] == 0


def test_missing_files_of_a_table(table):
    frame, path = table
    frame.loc[:2, "Path"] = ["x.png", "y.png", "z.png"]
    frame.to_csv(path, index=False)
    dataset = open_dataset(path)
    assert len(dataset) == 17
    assert len(dataset.skipped) == 3
    assert dataset.columns["dose"][0] == 1.5
    frame["Path"] = [f"gone{k}.png" for k in range(20)]
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"20 of the 20 .* gone0.*gone4\.png: "):
        open_dataset(path)


def test_people_have_columns(table):
    frame, path = table
    frame["Label_2"] = [None, "dog", *frame["LABEL"][2:]]
    frame["label_3"] = [None, "owl", *frame["LABEL"][2:]]
    frame["label_source"] = "people"
    frame.to_csv(path, index=False)
    dataset = open_dataset(path)
    assert dataset.class_names == ("cat", "dog", "owl")
    # Nobody is contradicted in the first row, and in the second nobody leads.
    assert_array_equal(dataset.labels[:2], [0, 0])
    assert dataset.soft_labels.any(axis=1).nonzero()[0].tolist() == [1]
    assert_allclose(dataset.soft_labels[1], [1 / 3, 1 / 3, 1 / 3])
    assert dataset.columns["Label_2"][1] == "dog"
    assert "label_source" in dataset.columns
    assert dataset.notes[0] == (
        "Several people named 19 images and disagree on 1: the label is what most of "
        "them said; on 1 of them none leads, and the first counts."
    )


def people_in_rows(frame):
    """Return a table in which three people name images, one of them otherwise."""
    three = pd.concat([frame.assign(Person=who, dose=who) for who in "abc"])
    three.loc[(three["Person"] == "c") & (three["Path"] == "cat/0.png"), "LABEL"] = (
        "owl"
    )
    return three


def test_people_have_rows(table):
    frame, path = table
    people_in_rows(frame).to_csv(path, index=False)
    dataset = open_dataset(path)
    assert len(dataset) == 20
    assert_array_equal(np.bincount(dataset.labels), [10, 10])
    at = dataset.ids.tolist().index("cat/0.png")
    assert_allclose(dataset.soft_labels[at], [2 / 3, 0, 1 / 3])
    assert np.count_nonzero(dataset.soft_labels.any(axis=1)) == 1
    # What differs between the rows of an image says nothing of it.
    assert set(dataset.columns) == {"well"}


def test_one_person_leaves_nothing_soft(table):
    frame, path = table
    frame.assign(person="a").to_csv(path, index=False)
    dataset = open_dataset(path)
    assert dataset.soft_labels is None
    assert dataset.columns["person"][0] == "a"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.rename(columns={"Path": "where"}),
            "'path', only 'where', 'LABEL'",
        ),
        (
            lambda t: pd.concat([t, t.iloc[:7].assign(LABEL="owl")]),
            r"more than one label for cat/0\.png, cat and owl: keep one row",
        ),
        (lambda t: t.assign(id="same"), "lists the id same"),
        (lambda t: t.assign(split="fold 3"), "'fold 3'"),
        (
            lambda t: pd.concat([t.assign(person="a")] * 2),
            r"cat/0\.png by a.* more than once: keep one row for each image and person",
        ),
        (
            lambda t: people_in_rows(t).assign(split=["test"] + ["train"] * 59),
            r"more than one split for cat/0\.png",
        ),
        (lambda t: t.iloc[:0], "no rows"),
        (
            lambda t: t.assign(Path=[None] * 10 + [*t["Path"][10:]]),
            r"10 of the 20 rows .* the first one: has no path",
        ),
        (lambda t: t.assign(LABEL="one"), "one class, 'one'"),
    ],
)
def test_tables_that_cannot_be_used(table, change, sentence):
    frame, path = table
    change(frame).to_csv(path, index=False)
    with pytest.raises(DataError, match=sentence):
        open_dataset(path)


def test_a_broken_table(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"t\.parquet cannot be read"):
        open_dataset(tmp_path / "t.parquet")


# Arrays


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 255, (20, 30, 40), dtype=np.uint8)


def test_npy(tmp_path, stack):
    path = tmp_path / "stack.npy"
    np.save(path, stack)
    dataset = open_dataset(path)
    assert not dataset.is_labelled.any()
    assert_array_equal(dataset.original(7), stack[7])
    assert "(images, height, width)" in dataset.notes[0]


def test_npz_with_numbers_and_with_names(tmp_path, stack):
    path = tmp_path / "stack.npz"
    labels = np.arange(20) % 2
    labels[0] = -1
    np.savez(path, images=stack, labels=labels)
    dataset = open_dataset(path)
    assert dataset.class_names == ("0", "1")
    assert not dataset.is_labelled[0]
    names = np.array(["a", "b"] * 10)
    np.savez(path, images=stack, labels=names, split=["train"] * 20)
    named = open_dataset(path)
    assert named.class_names == ("a", "b")
    assert not named.held_out.any()


def test_npz_with_everything(tmp_path, stack):
    np.savez(
        tmp_path / "s.npz",
        X=np.stack([stack, stack, stack], axis=1),
        y=np.arange(20) % 3,
        split=np.arange(20) % 3,
        class_names=["c", "b", "a"],
    )
    dataset = open_dataset(tmp_path / "s.npz")
    assert dataset.class_names == ("c", "b", "a")
    assert dataset.n_channels == 3
    assert_array_equal(dataset.split, np.arange(20) % 3)
    assert_array_equal(dataset.original(4)[..., 2], stack[4])


@pytest.mark.parametrize("suffix", ["", ".zarr"])
def test_zarr(tmp_path, stack, suffix):
    path = tmp_path / f"store{suffix}"
    group = zarr.create_group(path)
    group.create_array("images", data=stack)
    group.create_array("labels", data=np.arange(20) % 2)
    dataset = open_dataset(path)
    assert dataset.n_classes == 2
    assert_array_equal(dataset.original(7), stack[7])


def test_nan_images_of_an_array_are_left_out(tmp_path):
    array = np.random.default_rng(0).normal(size=(10, 28, 28))
    array[4, 0, 0] = np.nan
    array[5, 0, 0] = np.inf
    np.savez(tmp_path / "a.npz", images=array, labels=np.arange(10) % 2)
    dataset = open_dataset(tmp_path / "a.npz")
    assert [skip.name for skip in dataset.skipped] == ["4", "5"]
    assert np.isfinite(dataset.images(range(8))).all()
    assert_array_equal(dataset.labels, [0, 1, 0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"labels": np.arange(19)}, "20 images but its labels are 19"),
        ({"labels": np.zeros((20, 2), int)}, "labels are 20 x 2"),
        ({"labels": np.arange(20) / 2}, "fractions such as 0.5"),
        ({"split": np.arange(20)}, "split 3"),
        ({"split": ["train"] * 3}, "splits are 3"),
        ({"labels": np.zeros(20, int)}, "one class, '0'"),
    ],
)
def test_labels_and_splits_that_do_not_match(tmp_path, stack, options, sentence):
    np.savez(tmp_path / "a.npz", images=stack, **options)
    with pytest.raises(DataError, match=sentence):
        open_dataset(tmp_path / "a.npz")


def test_arrays_that_cannot_be_used(tmp_path, stack):
    np.save(tmp_path / "flat.npy", stack[0])
    with pytest.raises(DataError, match="30 x 40"):
        open_dataset(tmp_path / "flat.npy")
    (tmp_path / "broken.npy").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"broken\.npy cannot be read"):
        open_dataset(tmp_path / "broken.npy")
    (tmp_path / "broken.npz").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"broken\.npz cannot be read"):
        open_dataset(tmp_path / "broken.npz")
    np.save(tmp_path / "objects.npy", np.array([None, {}]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        open_dataset(tmp_path / "objects.npy")
    np.savez(tmp_path / "other.npz", weights=stack)
    with pytest.raises(DataError, match="'images', only 'weights'"):
        open_dataset(tmp_path / "other.npz")
    np.savez(tmp_path / "names.npz", x=stack, y=np.arange(20), class_names=["a", "b"])
    with pytest.raises(DataError, match="only 2 classes are named"):
        open_dataset(tmp_path / "names.npz")
    np.save(tmp_path / "empty.npy", stack[:0])
    with pytest.raises(DataError, match="holds no images"):
        open_dataset(tmp_path / "empty.npy")
