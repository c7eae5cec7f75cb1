import numpy as np
import pytest

from napari_spaceediting.colours import UNLABELLED_COLOUR, class_colours
from napari_spaceediting.plugin.widgets.palette import (
    continuous_colours,
    contrast,
    mix,
    readable,
    to_qcolor,
)


def test_every_writing_of_a_theme_reads_on_its_background(palette):
    for name in ("text", "muted", "gain", "loss", "warning_text"):
        assert contrast(getattr(palette, name), palette.background) >= 4.5, name
    assert contrast(palette.accent, palette.background) >= 3


def test_readable_leaves_alone_what_reads_already():
    assert readable("#ffffff", "#000000") == "#ffffff"
    assert contrast(readable("#888888", "#777777"), "#777777") >= 4.5


def test_mix_goes_from_one_colour_to_the_other():
    assert mix("#000000", "#ffffff", 0) == "#000000"
    assert mix("#000000", "#ffffff", 1) == "#ffffff"


@pytest.mark.parametrize("n", [0, 1, 2, 10, 64, 65, 200])
def test_class_colours_are_opaque_and_distinct(n):
    colours = class_colours(n)
    assert colours.shape == (n, 4)
    assert colours.dtype == np.float32
    assert (colours[:, 3] == 1).all()
    assert len(np.unique(colours.round(3), axis=0)) == n


def test_a_new_class_changes_no_other_colour():
    np.testing.assert_array_equal(class_colours(7), class_colours(200)[:7])
    np.testing.assert_array_equal(class_colours(64), class_colours(65)[:64])


def test_class_colours_show_on_black_and_on_white():
    for rgba in class_colours(40):
        name = to_qcolor(rgba).name()
        assert contrast(name, "#000000") > 3
        assert contrast(name, "#ffffff") > 1.5


def test_continuous_colours_run_from_dark_to_light_and_grey_for_nan():
    colours = continuous_colours([3.0, np.nan, 1.0, 2.0, np.inf])
    assert colours.shape == (5, 4)
    light = colours[:, :3].sum(axis=1)
    assert light[2] < light[3] < light[0]
    for unknown in (1, 4):
        np.testing.assert_allclose(colours[unknown], UNLABELLED_COLOUR, atol=1e-6)


def test_continuous_colours_of_equal_values_are_equal():
    colours = continuous_colours([5.0, 5.0])
    np.testing.assert_array_equal(colours[0], colours[1])
    assert continuous_colours([]).shape == (0, 4)
