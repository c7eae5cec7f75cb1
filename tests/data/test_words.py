from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import details_of, in_words, note_of
from napari_spaceediting.jobs.job import run_job


@pytest.fixture
def dataset(tmp_path):
    images = np.zeros((10, 28, 40), np.uint8)
    labels = ["a", "b"] * 4 + ["", ""]
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    return run_job(OpenDataset(tmp_path / "set.npz"))


def test_the_note_says_what_was_opened_and_what_became_of_it(dataset):
    assert note_of(dataset) == (
        "10 images, 40 x 28 px, grey, in 2 classes (2 unlabelled); 8 to train on and "
        "2 held out; intensities as they are."
    )
    hidden = dataset.with_labels(np.full(10, -1))
    assert "grey, unlabelled; 8 to" in note_of(hidden)


def test_the_note_says_what_was_left_out_and_why(dataset):
    skipped = (
        Skipped("*.heic", "1,200 files of a kind that is not read: save as PNG"),
        Skipped("a.png", "The image a.png cannot be read (broken)."),
        Skipped("b.png", "The image b.png cannot be read (broken)."),
        Skipped("c.png", "is the same file as d.png"),
        Skipped("e.png", "has a strange smell"),
    )
    note = note_of(replace(dataset, skipped=skipped))
    assert note.endswith(
        "Left out 1,204: 1,200 of a kind that is not read, 2 cannot be read, "
        "1 twice there, …."
    )
    words = in_words(replace(dataset, skipped=skipped))
    assert "Left out *.heic: 1,200 files" in words
    assert "Left out e.png: has a strange smell" in words


def test_the_details_have_the_rest(dataset):
    lines = details_of(dataset)
    assert "Labelled 8, unlabelled 2" in lines
    assert "2 classes: a 4, b 4" in lines
    assert set(dataset.notes) <= set(lines)


def test_a_thousand_classes_fit_into_a_note_and_a_line(tmp_path):
    for k in range(100):
        (tmp_path / f"class {k}").mkdir()
        Image.new("L", (28, 28), k).save(tmp_path / f"class {k}" / "0.png")
    dataset = run_job(OpenDataset(tmp_path))
    assert len(note_of(dataset)) < 150
    assert max(map(len, details_of(dataset))) < 250
    assert len(details_of(dataset)) < 8
