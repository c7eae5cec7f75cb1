from __future__ import annotations

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.network.twins import note_on_twins


def images(n, n_held, **columns):
    split = np.zeros(n, np.int8)
    split[-n_held:] = 2
    return ImageDataset(
        "twins",
        np.array([f"i{k}" for k in range(n)]),
        np.zeros(n, np.int64),
        ("a",),
        split,
        ArrayPixels(np.zeros((n, 4, 4), np.uint8)),
        IntensityScaling(),
        (4, 4),
        columns,
    )


def features(n, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_looks_like_a_training_image_is_told():
    rows = features(300)
    dataset = images(300, 60)
    assert note_on_twins(rows.__getitem__, dataset) == ()
    rows[290], rows[291], rows[292] = rows[5], rows[6], rows[7] + 1e-3
    (note,) = note_on_twins(rows.__getitem__, dataset)
    assert note.startswith("Of 60 held-out images 3 look nearly like a training image")
    assert "such as i290 like i5:" in note or "such as i291 like i6:" in note


def test_twins_in_training_alone_do_no_harm():
    rows = features(300)
    rows[1], rows[298] = rows[0], rows[299]
    assert note_on_twins(rows.__getitem__, images(300, 60)) == ()


def test_where_groups_are_known_nothing_is_guessed():
    rows = features(300)
    rows[240:] = rows[:60]
    known = images(300, 60, group=np.repeat(["x", "y"], 150))
    assert note_on_twins(rows.__getitem__, known) == ()


def test_of_many_images_some_are_looked_at():
    rows = features(9_000)
    rows[6_000:6_300] = rows[:300]
    (note,) = note_on_twins(rows.__getitem__, images(9_000, 3_000))
    assert "held-out images about 300 look" in note
