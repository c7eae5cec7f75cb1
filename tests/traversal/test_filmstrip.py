from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.traversal.filmstrip import (
    DARKER,
    LIGHTER,
    changes_to_rgb,
    draw_filmstrip,
    largest_change,
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
def test_the_strip_shows_every_image_its_words_and_what_changed(tmp_path, side):
    values = np.array([0.2, 0.9, 0.1, 0.5], np.float32)
    images = np.ones((4, 1, side, side), np.float32) * values[:, None, None, None]
    captions = [("original", "3"), ("a caption that is much too long for it" * 3,), ()]
    path = tmp_path / "strip.png"
    draw_filmstrip(images[:3], images[3], [*captions, ()], path)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    width = (pixels.shape[1] - 10) // 4
    assert width >= max(side, 140)
    middles = [pixels[80, 10 + at * width + width // 2] for at in range(4)]
    np.testing.assert_allclose(np.array(middles)[:, 0], np.rint(255 * values), atol=1)
    end = width  # the images are as wide as high, and a gap stands on each side
    words = pixels[end : end + 2 * 18].astype(int)
    page = pixels[0, 0].astype(int)

    def columns(rows: np.ndarray) -> np.ndarray:
        return (np.abs(rows.astype(int) - page).sum(axis=2) > 100).any(axis=0)

    written = columns(words)
    assert written[:width].any()
    assert written[width : 2 * width].any()
    assert not written[2 * width + 10 :].any()
    # Below: what the colours mean, the two steps, and nothing under the real image.
    below = pixels[-80]
    shades = changes_to_rgb(images[:3], 0.7)[1:, 0, 0]
    np.testing.assert_array_equal(below[10 + width + width // 2], shades[0])
    np.testing.assert_array_equal(below[10 + 2 * width + width // 2], shades[1])
    rows = pixels[end + 40 :]
    assert columns(rows[:, :width]).any()
    assert not columns(rows[:, 3 * width + 10 :]).any()


def test_what_changed_is_drawn_over_the_image():
    images = np.full((3, 3, 4, 4), 0.5, np.float32)
    images[:, :, 3] = 0.9
    images[1, :, 0, 0] += 0.2
    images[1, :, 0, 1] -= 0.2
    images[2, :, 0, 0] += 0.4
    most = largest_change(images)
    assert most == pytest.approx(0.4)
    shades = changes_to_rgb(images, most).astype(float)
    assert shades.shape == (3, 4, 4, 3)
    same = shades[0, 0, 0]
    assert np.ptp(same) == 0, "grey where nothing changed"
    assert (shades[:, 1:3] == same).all()
    assert (shades[:, 3] > same).all(), "the image is still seen"

    def share(shade: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
        return np.abs(shade - colour).sum() / np.abs(same - colour).sum()

    assert share(shades[2, 0, 0], LIGHTER) < share(shades[1, 0, 0], LIGHTER) < 1
    assert share(shades[1, 0, 1], DARKER) < 1 < share(shades[1, 0, 1], LIGHTER)
    np.testing.assert_array_equal(
        changes_to_rgb(images, most / 2)[2, 0, 0], shades[2, 0, 0], "no more than all"
    )
    assert largest_change(images[:1]) == 1
