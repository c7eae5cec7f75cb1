"""Folders as people keep them: every image once, of the class that was meant."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from napari_spaceediting.data import tree
from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import left_out
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session


def put(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((28, 28), value, np.uint8)).save(path)


def fill(root, *folders, count=2):
    """Put images of different pixels into folders below a root."""
    for number, folder in enumerate(folders):
        for k in range(count):
            put(root / folder / f"{k}.png", 20 * number + k)
    return root


def opened(path):
    return run_job(OpenDataset(path))


def classes_of(dataset):
    """Return the class of each image, by its id."""
    names = (*dataset.class_names, None)
    return {i: names[k] for i, k in zip(dataset.ids, dataset.labels, strict=True)}


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", ".thumbs", "@eaDir", "__MACOSX", "$RECYCLE.BIN"]
)
@pytest.mark.parametrize("where", ["", "cat", "cat/day 1"])
def test_hidden_and_system_folders_are_passed_over(tmp_path, name, where):
    fill(tmp_path, "cat", "cat/day 1", "dog")
    put(tmp_path / where / name / "0-checkpoint.png")
    dataset = opened(tmp_path)
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset) == 6
    assert any(f"passed over: {where or name}" in note for note in dataset.notes)


def test_a_hidden_folder_beside_the_parts_is_none(tmp_path):
    fill(tmp_path, "train/a", "train/b", "test/a", "test/b", ".thumbs")
    assert opened(tmp_path).class_names == ("a", "b")


def test_links_are_followed_and_circles_end(tmp_path):
    fill(tmp_path, "set/a", "set/b", "elsewhere")
    (tmp_path / "set/c").mkdir()
    (tmp_path / "set/c/batch").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/a/circle").symlink_to(tmp_path / "set")
    (tmp_path / "set/a/itself").symlink_to(tmp_path / "set/a")
    dataset = opened(tmp_path / "set")
    assert dataset.class_names == ("a", "b", "c")
    assert len(dataset) == 6
    assert classes_of(dataset)["c/batch/0.png"] == "c"


def test_folders_that_are_linked_into_each_other_are_walked_once(tmp_path, monkeypatch):
    names = [f"class {k}" for k in range(9)]
    fill(tmp_path, *names)
    for one in names:
        for other in names:
            if one != other:
                (tmp_path / one / f"see {other}").symlink_to(tmp_path / other)
    walked = []
    entries = tree._entries
    monkeypatch.setattr(tree, "_entries", lambda at: walked.append(at) or entries(at))
    dataset = opened(tmp_path)
    assert len(dataset) == 18
    assert len(dataset.class_names) == 9
    assert len(walked) <= 1 + 9 + 9 * 8  # in every order they would be a million


def test_a_file_that_is_linked_twice_is_one_image(tmp_path):
    fill(tmp_path, "a", "b")
    (tmp_path / "a/again.png").symlink_to(tmp_path / "a/0.png")
    os.link(tmp_path / "a/0.png", tmp_path / "a/hard.png")
    (tmp_path / "b/other.png").symlink_to(tmp_path / "a/1.png")
    dataset = opened(tmp_path)
    assert len(dataset) == 4
    assert {skip.name: skip.reason for skip in dataset.skipped} == {
        "a/again.png": "is the same file as a/0.png",
        "a/hard.png": "is the same file as a/0.png",
        "b/other.png": "is the same file as a/1.png",
    }
    at = dataset.ids.tolist().index("a/1.png")
    assert_allclose(dataset.soft_labels[at], [0.5, 0.5])
    assert np.count_nonzero(dataset.soft_labels.any(axis=1)) == 1
    assert any(
        "several classes" in note and "a/1.png" in note for note in dataset.notes
    )


def test_what_is_trained_on_by_a_link_is_held_out(tmp_path):
    fill(tmp_path, "train/a", "train/b", "test/a", "test/b")
    (tmp_path / "train/a/linked.png").symlink_to(tmp_path / "test/a/0.png")
    dataset = opened(tmp_path)
    assert len(dataset) == 8
    assert np.bincount(dataset.split).tolist() == [4, 0, 4]


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    fill(tmp_path, "a", "b", "b/locked")
    entries = tree._entries

    def forbidden(folder):
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied")
        return entries(folder)

    # Nothing is forbidden to the administrator, who may run this.
    monkeypatch.setattr(tree, "_entries", forbidden)
    dataset = opened(tmp_path)
    assert len(dataset) == 4
    (skip,) = dataset.skipped
    assert skip.name == "b/locked"
    assert "Permission denied" in skip.reason


@pytest.mark.parametrize(
    ("folders", "counts"),
    [
        (["training_set/a", "training_set/b", "test_set/a", "test_set/b"], [4, 0, 4]),
        (["train_data/a", "train_data/b", "val_data/a", "dev/b"], [4, 4]),
        (
            ["seg_train/seg_train/a", "seg_train/seg_train/b", "seg_test/seg_test/a"],
            [4, 0, 2],
        ),
        (["data/train/a", "data/train/b", "data/val/b"], [4, 2]),
        (["train/images/a", "train/images/b", "test/images/b"], [4, 0, 2]),
        (["a/train", "a/test", "b/train", "b/test"], [4, 0, 4]),
        (["train/a", "train/b", "test/a", "unlabelled"], [6, 0, 2]),
    ],
)
def test_parts_as_people_name_them(tmp_path, folders, counts):
    dataset = opened(fill(tmp_path, *folders))
    assert dataset.class_names == ("a", "b")
    assert np.bincount(dataset.split).tolist() == counts
    labelled = {name: label for name, label in classes_of(dataset).items() if label}
    assert all(f"{label}/" in name for name, label in labelled.items())


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["train", "car", "plane"], ("car", "plane", "train")),
        (["test", "control"], ("control", "test")),
        (["test/plate 1", "control/plate 1"], ("control", "test")),
        (["cat/day 1", "cat/day 2", "dog"], ("cat", "dog")),
        (["images/cat", "images/dog"], ("cat", "dog")),
        (["data/images/cat", "data/images/dog"], ("cat", "dog")),
        (["images/cat", "images/dog", "masks/cat", "masks/dog"], ("cat", "dog")),
        (["images", "masks"], ()),
        (["images", "other"], ("images", "other")),
        (["labels/old", "labels/new", "boxes"], ("boxes", "labels")),
        (["train/cat", "train/dog"], ("cat", "dog")),
        (["train", "test"], ()),
        (["1", "01", "Cat", "cat"], ("01", "1", "Cat", "cat")),
    ],
)
def test_what_is_a_class(tmp_path, folders, classes):
    assert opened(fill(tmp_path, *folders)).class_names == classes


def test_a_single_part_is_split_anew(tmp_path):
    dataset = opened(fill(tmp_path, "train/cat", "train/dog", count=10))
    assert dataset.held_out.any()
    assert "The classes are the folders in 'train'." in dataset.notes


def test_parts_without_one_for_training_are_refused(tmp_path):
    fill(tmp_path, "val/a", "val/b", "test/a", "test/b")
    with pytest.raises(
        DataError, match=r"none for training: put these into .* 'train'"
    ):
        opened(tmp_path)


def test_a_folder_that_is_too_deep_names_the_one_above(tmp_path):
    fill(tmp_path / "pets", "cat", "dog")
    (note,) = opened(tmp_path / "pets/cat").notes
    assert note.endswith("such as 'dog': if these are classes, open 'pets'.")
    fill(tmp_path / "parts", "train/a", "train/b", "test/a")
    (note,) = (n for n in opened(tmp_path / "parts/train").notes if "open" in n)
    assert note.startswith("test lies beside it: open 'parts'")


def test_forms_of_one_name_are_one_class(tmp_path):
    composed = unicodedata.normalize("NFC", "Käfer")
    fill(tmp_path, composed, unicodedata.normalize("NFD", "Käfer"), "Biene")
    dataset = opened(tmp_path)
    assert dataset.class_names == ("Biene", composed)
    assert len(dataset) == 6


def test_classes_and_split_are_the_same_in_every_run(tmp_path):
    fill(tmp_path, "Cat", "cat", "CAT", "1", "01", "001", count=6)
    code = (
        "import sys; from pathlib import Path;"
        "from napari_spaceediting.data.open import OpenDataset;"
        "from napari_spaceediting.jobs.job import run_job;"
        "d = run_job(OpenDataset(Path(sys.argv[1])));"
        "print(d.class_names, d.split.tolist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "0123"
    }
    assert len(said) == 1
    assert said.pop().startswith("('001', '01', '1', 'CAT', 'Cat', 'cat')")


def test_folders_without_images_and_kinds_that_are_not_read_are_told(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "bioio", None)
    fill(tmp_path, "a", "b")
    for k in range(3):
        (tmp_path / "c").mkdir(exist_ok=True)
        (tmp_path / f"c/{k}.CZI").write_bytes(b"pixels")
    (tmp_path / "a/notes.txt").write_text("no image")
    dataset = opened(tmp_path)
    assert "No image of these classes can be used: c." in dataset.notes
    (told,) = left_out(dataset)
    assert told.startswith("Left out 3, such as c/0.CZI: is a CZI, which is not read")


def test_a_class_has_images_for_the_test_only(tmp_path):
    dataset = opened(fill(tmp_path, "train/a", "train/b", "test/a", "test/c"))
    assert set(dataset.split[dataset.labels == 2]) == {Split.TEST}
    assert "No image for training has the class c." in dataset.notes


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_not_utf_8(tmp_path):
    root = os.fsencode(tmp_path / "set-") + b"\xe9"
    stream = io.BytesIO()
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(stream, "PNG")
    for name in (b"a\xe9", b"b"):
        (Path(os.fsdecode(root)) / os.fsdecode(name)).mkdir(parents=True)
        for k in range(2):
            path = root + b"/" + name + b"/caf\xe9%d.png" % k
            Path(os.fsdecode(path)).write_bytes(stream.getvalue())
    (Path(os.fsdecode(root + b"/b/br\xe9.png"))).write_bytes(b"broken")
    dataset = opened(Path(os.fsdecode(root)))
    assert dataset.class_names == (r"a\xe9", "b")
    assert dataset.ids[0] == r"a\xe9/caf\xe90.png"
    assert dataset.content_key()
    save_session(new_session(dataset).state, tmp_path / "s.spaceediting")
    again = load_session(tmp_path / "s.spaceediting").dataset
    assert again.name == r"set-\xe9"
    assert again.skipped == dataset.skipped
    assert again.original(0).shape == (28, 28)
