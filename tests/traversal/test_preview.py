from __future__ import annotations

import numpy as np

from napari_spaceediting.traversal.preview import preview_images


def test_it_mixes_images_and_stays_in_range():
    rng = np.random.default_rng(0)
    images = rng.random((4, 3, 5, 6), np.float32)
    coefficients = np.array([[0, 1, 0, 0], [0.5, 0, 0, 0.5], [1, 0, -3, 3]], float)
    made = preview_images(coefficients, images)
    assert made.shape == (3, 3, 5, 6)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0], images[1], atol=1e-6)
    np.testing.assert_allclose(made[1], (images[0] + images[3]) / 2, atol=1e-6)
    beyond = images[0] - 3 * images[2] + 3 * images[3]
    assert beyond.min() < 0
    assert beyond.max() > 1
    np.testing.assert_allclose(made[2], beyond.clip(0, 1), atol=1e-6)
