from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.regime import alignment, choose_regime

SMALL = ClassifierSpec(image_size=(28, 28))


@pytest.fixture
def scenes():
    """Return smooth images of which each is another."""
    noise = np.random.default_rng(0).normal(size=(150, 1, 28, 28))
    return gaussian_filter(noise, (0, 0, 2, 2)).astype(np.float32)


def test_alike_images_are_aligned_and_others_are_not(scenes):
    alike = scenes[:1] + 0.1 * scenes
    assert alignment(alike) > 0.9
    assert alignment(scenes) < 0.4
    assert alignment(np.ones((4, 1, 28, 28), np.float32)) == 0


def test_small_images_that_lie_alike_are_mixed(scenes):
    regime, reason = choose_regime([scenes[:1] + 0.1 * scenes] * 2, SMALL)
    assert regime == "mixtures"
    assert "mixtures of real ones" in reason


def test_images_that_lie_each_otherwise_are_changed_by_features(scenes):
    regime, reason = choose_regime([scenes, scenes], SMALL)
    assert regime == "features"
    assert "do not lie alike" in reason


@pytest.mark.parametrize(
    ("weights", "side", "expected"),
    [
        ("pretrained", 48, "features"),
        ("pretrained", 47, "mixtures"),
        (None, 224, "mixtures"),
    ],
)
def test_photographs_are_known_by_size_and_weights(scenes, weights, side, expected):
    spec = ClassifierSpec("resnet18", weights, image_size=(side, side + 20))
    regime, _ = choose_regime([scenes[:1] + 0.1 * scenes] * 2, spec)
    assert regime == expected
