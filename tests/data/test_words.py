from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import details_of, in_words, left_out, note_of
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


def test_what_was_left_out_is_counted_by_reason(dataset):
    skipped = (
        Skipped("a.heic", "is a HEIC, which is not read: save it as PNG"),
        Skipped("b.png", "has a strange smell"),
        Skipped("c.heic", "is a HEIC, which is not read: save it as PNG"),
    )
    some = replace(dataset, skipped=skipped)
    assert note_of(some).endswith(
        "Left out 3, such as a.heic (is a HEIC, which is not read)."
    )
    assert left_out(some) == (
        "Left out 2, such as a.heic: is a HEIC, which is not read: save it as PNG",
        "Left out b.png: has a strange smell",
    )
    assert in_words(some).endswith("\n".join(left_out(some)))


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
