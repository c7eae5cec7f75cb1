from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.traversal.filmstrip import (
    BRIGHTER,
    DARKER,
    SAME,
    differences_to_rgb,
    draw_filmstrip,
    to_rgb,
)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [(1, [0, 0, 0]), (2, [1, 0, 1]), (3, [0, 1, 2]), (5, [0, 1, 2])],
)
def test_any_number_of_channels_is_shown(channels, expected):
    images = np.random.default_rng(0).random((2, channels, 4, 6)).astype(np.float32)
    shown = to_rgb(images)
    assert shown.shape == (2, 4, 6, 3)
    for colour, channel in enumerate(expected):
        np.testing.assert_allclose(
            shown[..., colour], 255 * images[:, channel], atol=0.51
        )


@pytest.mark.parametrize("side", [8, 200])
def test_the_strip_shows_every_image_and_its_words(tmp_path, side):
    values = np.array([0.2, 0.9, 0.5], np.float32)
    images = np.ones((3, 1, side, side), np.float32) * values[:, None, None, None]
    captions = [("original", "3"), ("a caption that is much too long for it" * 3,), ()]
    draw_filmstrip(images, captions, tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as picture:
        pixels = np.asarray(picture)
    width = pixels.shape[1] // 3
    assert width >= max(side, 140)
    middles = [pixels[80, at * width + width // 2] for at in range(3)]
    np.testing.assert_allclose(np.array(middles)[:, 0], np.rint(255 * values), atol=1)
    words = pixels[-2 * 18 :].astype(int)
    columns = (np.abs(words - words[-1, -1]).sum(axis=2) > 100).any(axis=0)
    assert columns[:width].any()
    assert columns[width : 2 * width].any()
    assert not columns[2 * width + 10 :].any()


def test_differences_are_grey_where_there_are_none_and_symmetric():
    images = np.full((3, 2, 4, 4), 0.5, np.float32)
    images[1, :, 0, 0] += 0.2
    images[1, :, 0, 1] -= 0.2
    images[2, :, 0, 0] += 0.4
    shades = differences_to_rgb(images)
    assert shades.shape == (3, 4, 4, 3)
    assert (shades[0] == SAME).all()
    assert (shades[1:, 1:] == SAME).all()
    assert tuple(shades[2, 0, 0]) == BRIGHTER
    halves = np.mean([(SAME, SAME), (BRIGHTER, DARKER)], axis=0)
    np.testing.assert_allclose(shades[1, 0, :2], halves, atol=1)
    assert (differences_to_rgb(images[:1]) == SAME).all()
