from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_spaceediting.data.intensity import (
    IntensityScaling,
    is_dark,
    judge,
    kind_of_numbers,
)
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
    scaling, odd = judge(images)
    assert not len(odd)
    assert_allclose(scaling.high, [100, 4000], rtol=0.02)
    assert scaling.apply(images).max() == 1


def test_large_offsets_keep_their_precision():
    images = np.array([[1e9, 1e9 + 1, 1e9 + 2]])
    scaling = IntensityScaling("range", (1e9,), (1e9 + 2,))
    assert_allclose(scaling.apply(images), [[0, 0.5, 1]])


def test_types_whose_numbers_mean_the_same_have_one_name():
    def names(*dtypes):
        return {kind_of_numbers(np.dtype(dtype)) for dtype in dtypes}

    assert len(names(np.uint8, bool)) == 1
    assert len(names(np.float32, np.float64, np.float16)) == 1
    assert len(names("<u2", ">u2")) == 1
    assert len(names(np.uint8, np.uint16, np.int16, np.float32)) == 4


def test_images_of_8_bits_are_dark_unless_one_of_them_is_not():
    dark, bright = np.full((3, 3, 1), 9, np.uint8), np.full((3, 3, 1), 90, np.uint8)
    assert is_dark([dark, dark])
    assert not is_dark([dark, bright])
    assert not is_dark([np.ones((3, 3, 1), bool)])


@pytest.mark.parametrize("top", [60_000, 1e30, -1e9])
def test_one_image_far_off_does_not_make_the_others_black(top):
    rng = np.random.default_rng(0)
    images = [rng.uniform(100, 300, (20, 20, 1)) for _ in range(60)]
    images[7][:] = top
    scaling, odd = judge(images)
    assert odd.tolist() == [7]
    assert 0.4 < scaling.apply(images[0]).mean() < 0.6


def test_bright_images_are_not_odd_if_they_are_several():
    rng = np.random.default_rng(0)
    images = [rng.uniform(0, 1, (20, 20, 1)) for _ in range(60)]
    for at in (3, 20, 40):
        images[at] *= 100
    scaling, odd = judge(images)
    assert not len(odd)
    assert scaling.high[0] > 90


@pytest.mark.parametrize("size", [28, 300])
@pytest.mark.parametrize("background", [0, 65_000])
def test_a_few_spots_on_one_number_do_not_become_binary(size, background):
    rng = np.random.default_rng(0)
    images = np.full((40, size, size, 1), background, np.uint16)
    spots = np.linspace(1000, 40_000, len(images)).astype(np.uint16)
    images[np.arange(40), rng.integers(0, size, 40), 3, 0] = spots
    scaling, _ = judge(images)
    scaled = scaling.apply(spots)
    assert len(np.unique(scaled)) > 30
    assert abs(float(scaled.mean()) - 0.5) < 0.35


def test_each_type_is_stretched_by_itself():
    deep = IntensityScaling("range", (0.0,), (4095.0,))
    scaling = IntensityScaling(others={"uint16": deep})
    assert_allclose(scaling.apply(np.array([255], np.uint8)), [1])
    assert_allclose(scaling.apply(np.array([4095], ">u2")), [1])
    assert "uint16" in scaling.describe()


def test_a_constant_image_is_no_error():
    scaling, _ = judge([np.full((4, 4, 1), 7, np.uint16)])
    assert np.isfinite(scaling.apply(np.full((4, 4), 7, np.uint16))).all()


@pytest.mark.parametrize(
    "arguments",
    [("gamma",), ("range",), ("range", (1.0,), (1.0,)), ("range", (0.0,), (1.0, 2.0))],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(DataError):
        IntensityScaling(*arguments)
