"""The map and the other layers of the window: each is seen, and can be worked on."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def photograph(make_window, saved):
    """Return a window in which a picture was looked at before the map came."""
    window = make_window()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 400, 600), np.uint8)
    picture = window.viewer.add_image(pixels, name="Slide")
    window.viewer.add_image(pixels[0], name="Put aside", visible=False)
    window.viewer.dims.ndisplay = 3
    window.open(saved)
    return window, picture


def test_the_map_has_the_canvas_to_itself_and_one_key_shows_the_rest(photograph):
    window, picture = photograph
    layers, aside = window.viewer.layers, window.viewer.layers["Put aside"]
    camera = window.viewer.scene.camera
    assert not picture.visible
    assert window.map.is_active
    assert window.viewer.dims.ndisplay == 2

    own = tuple(camera.center), camera.zoom
    window.key("Q")
    assert picture.visible
    assert not aside.visible, "it was not seen before either"
    assert not window.map.layer.visible
    assert not window.map.overlay.isVisible()
    assert layers.selection.active is picture
    # All of the picture is seen.
    corners = window.map.viewport.to_canvas(np.array([[0, 0], [399, 599]]))
    assert (corners > 0).all()
    assert (corners < window.map.viewport.size).all()
    camera.zoom *= 3
    seen = camera.zoom

    window.key("Q")
    assert window.map.is_active
    assert not picture.visible
    assert (tuple(camera.center), camera.zoom) == own
    image = int(window.loners(window.movable)[0])
    window.click(window.of_image(image))
    assert window.state.selected.tolist() == [image]
    # The picture is where one was in it.
    window.key("Q")
    assert camera.zoom == seen


def test_the_key_brings_the_map_back_from_any_layer_and_only_then(photograph):
    window, picture = photograph
    window.key("Q")
    more = window.viewer.add_points(np.zeros((1, 2)), name="Seeds")
    assert window.viewer.layers.selection.active is more
    window.key("Q")
    assert window.map.is_active
    assert not more.visible
    window.viewer.layers.selection.active = picture
    window.key("Q")
    assert window.map.layer.visible, "the key is the layer's own again"
    window.viewer.layers.remove(picture)
    window.bench.objects.toggle()
    assert more.visible


def test_another_map_comes_to_the_front(photograph, saved):
    window, picture = photograph
    window.key("Q")
    window.bench.map.view.show_nothing()
    window.bench.map.refresh()
    assert window.map.is_active
    assert not picture.visible
    window.bench.shutdown()
    assert picture.visible
