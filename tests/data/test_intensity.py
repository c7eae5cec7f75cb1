from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_spaceediting.data.intensity import IntensityScaling, suits_its_type
from napari_spaceediting.errors import DataError


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32])
def test_integers_are_divided_by_the_largest_value(dtype):
    top = np.iinfo(dtype).max
    scaled = IntensityScaling("dtype").apply(np.array([[0, top // 2, top]], dtype))
    assert scaled.dtype == np.float32
    assert_allclose(scaled, [[0, 0.5, 1]], atol=3e-3)


def test_boolean_and_float_images_are_taken_as_they_are():
    apply = IntensityScaling("dtype").apply
    assert_allclose(apply(np.array([True, False])), [1, 0])
    assert_allclose(apply(np.array([-1, 0.3, 2])), [0, 0.3, 1])


def test_percentiles_ignore_hot_pixels_and_go_by_channel():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (5, 50, 50, 2)) * [100, 4000]
    images[0, 0, 0] = 1e6
    scaling = IntensityScaling.from_percentiles(images)
    assert_allclose(scaling.high, [100, 4000], rtol=0.02)
    assert scaling.apply(images).max() == 1


def test_large_offsets_keep_their_precision():
    images = np.array([[1e9, 1e9 + 1, 1e9 + 2]])
    scaling = IntensityScaling("range", (1e9,), (1e9 + 2,))
    assert_allclose(scaling.apply(images), [[0, 0.5, 1]])


def test_the_default_follows_the_type():
    def fills(*dtypes):
        return suits_its_type({np.dtype(dtype) for dtype in dtypes})

    assert fills(np.uint8)
    assert fills(np.uint8, bool)
    assert fills(np.uint8, np.uint16)
    assert not fills(np.uint16)
    assert not fills(np.float32)


def test_a_constant_image_is_no_error():
    scaling = IntensityScaling.from_percentiles([np.full((4, 4, 1), 7, np.uint16)])
    assert np.isfinite(scaling.apply(np.full((4, 4), 7, np.uint16))).all()


@pytest.mark.parametrize(
    "arguments",
    [("gamma",), ("range",), ("range", (1.0,), (1.0,)), ("range", (0.0,), (1.0, 2.0))],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(DataError):
        IntensityScaling(*arguments)
