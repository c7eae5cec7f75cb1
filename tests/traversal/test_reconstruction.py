from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.reconstruction import (
    preview_images,
    reconstruct,
    total_variation,
)

ALONE = {"tv_weight": 0.0, "start_weight": 0.0}
"""The features count, and nothing else."""


def last(steps):
    *_, (images, loss) = steps
    return images, loss


@pytest.fixture
def digits(small_digits) -> torch.Tensor:
    return torch.from_numpy(small_digits.images(np.arange(3)))


@pytest.fixture
def features() -> LayerFeatures:
    return LayerFeatures(classifier_from(ClassifierSpec(n_classes=10)))


def spread(features: LayerFeatures) -> torch.Tensor:
    return torch.tensor(features.sizes, dtype=torch.float32)


def test_images_come_back_from_their_features(features, digits):
    with torch.no_grad():
        wanted = features(digits)
    start = digits.roll(1, 0)
    images, _ = last(
        reconstruct(features, wanted, start, spread(features), **ALONE, iterations=40)
    )
    assert images.min() >= 0
    assert images.max() <= 1
    before = (start - digits).square().mean(dim=(1, 2, 3))
    after = (images - digits).square().mean(dim=(1, 2, 3))
    assert (after < 0.1 * before).all()


def test_an_image_that_has_the_features_stays(features, digits):
    with torch.no_grad():
        wanted = features(digits)
    images, loss = last(
        reconstruct(features, wanted, digits, spread(features), **ALONE, iterations=3)
    )
    torch.testing.assert_close(images, digits, atol=1e-2, rtol=0)
    assert loss < 1e-3


def test_the_more_the_preview_weighs_the_nearer_an_image_stays(features, digits):
    with torch.no_grad():
        wanted = features(digits)
    start = torch.full_like(digits, 0.5)
    far = []
    for weight in (0.0, 1.0, 100.0):
        images, _ = last(
            reconstruct(
                features,
                wanted,
                start,
                spread(features),
                tv_weight=0,
                start_weight=weight,
                iterations=20,
            )
        )
        far.append((images - start).square().mean(dim=(1, 2, 3)))
    assert (far[0] > far[1]).all()
    assert (far[1] > far[2]).all()
    assert (far[2] < 0.01 * far[0]).all()


def test_total_variation_makes_images_smoother(features, digits):
    noise = np.random.default_rng(0).random(digits.shape, np.float32)
    noisy = (digits + 0.3 * torch.from_numpy(noise)).clamp(0, 1)
    with torch.no_grad():
        wanted = features(noisy)
    rough, smooth = (
        last(
            reconstruct(
                features,
                wanted,
                noisy,
                spread(features),
                tv_weight=weight,
                start_weight=0,
                iterations=20,
            )
        )
        for weight in (0.0, 50.0)
    )
    assert (total_variation(smooth[0]) < 0.8 * total_variation(rough[0])).all()


def test_the_total_variation_of_a_known_image():
    image = torch.zeros(2, 1, 2, 3)
    image[0, 0, 0, 1] = 2
    # Three differences of 2, over six pixels.
    torch.testing.assert_close(total_variation(image), torch.tensor([2.0, 0.0]))


def test_colour_images_are_made_too():
    spec = ClassifierSpec(in_channels=3, image_size=(20, 14))
    features = LayerFeatures(classifier_from(spec))
    start = torch.full((2, 3, 20, 14), 0.5)
    with torch.no_grad():
        wanted = features(torch.linspace(0, 1, 1680).view(2, 3, 20, 14))
    steps = list(
        reconstruct(features, wanted, start, spread(features), **ALONE, iterations=4)
    )
    assert len(steps) == 4
    assert steps[-1][0].shape == start.shape
    assert steps[-1][1] < steps[0][1]


def test_a_preview_mixes_images_and_stays_in_range(small_digits):
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
