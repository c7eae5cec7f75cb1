"""Lines of equal density on the map."""

import numpy as np
import pytest

from napari_spaceediting.plugin.map.density import SHARES, contours


def test_lines_enclose_the_share_of_images_that_they_stand_for():
    rng = np.random.default_rng(0)
    places = rng.normal(size=(50_000, 2)) * [1, 20] + [5, -100]
    lines = contours(places)
    assert len(lines) == len(SHARES)
    for line, share in zip(lines, SHARES, strict=True):
        # Of a normal distribution, the densest lie within an ellipse.
        radius = np.sqrt(-2 * np.log(1 - share))
        found = np.hypot(*((line - [5, -100]) / [1, 20]).T)
        assert found.mean() == pytest.approx(radius, rel=0.15)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_images_and_images_at_one_place_have_lines_or_none(n):
    for line in contours(np.full((n, 2), 3.0)):
        assert np.isfinite(line).all()


def test_they_are_drawn_while_they_are_wanted(window):
    window.unfold("map")
    check, overlay = window.panels.map.density_check, window.map.overlay
    check.click()
    window.wait(lambda: len(overlay.scene.contours))
    before = overlay.scene.contours
    window.panels.map.legend.toggle(0)
    window.wait(lambda: overlay.scene.contours is not before)
    check.click()
    assert not overlay.scene.contours
