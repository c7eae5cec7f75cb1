from __future__ import annotations

import numpy as np

from napari_spaceediting.traversal.preview import preview_images


def test_it_mixes_images_and_stays_in_range(small_digits):
    rows = np.arange(150)[::-1].copy()
    images = small_digits.images(rows)
    coefficients = np.zeros((3, 150))
    coefficients[0, 1] = 1
    coefficients[1, [0, 149]] = 0.5
    coefficients[2, [0, 70, 149]] = 1, -3, 3
    made = preview_images(coefficients, small_digits, rows)
    assert made.shape == (3, 1, *small_digits.image_size)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0], images[1], atol=1e-6)
    np.testing.assert_allclose(made[1], (images[0] + images[149]) / 2, atol=1e-6)
    beyond = images[0] - 3 * images[70] + 3 * images[149]
    assert beyond.min() < 0
    assert beyond.max() > 1
    np.testing.assert_allclose(made[2], beyond.clip(0, 1), atol=1e-5)
