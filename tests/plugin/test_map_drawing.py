"""What reaches the screen of what the map is told to show."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QApplication


def colour_at(window, image):
    """Return RGB of the canvas where an image lies, 0 to 255."""
    QApplication.processEvents()
    picture = window.viewer.screenshot(canvas_only=True, flash=False)
    at = window.of_image(image)
    ratio = window.canvas.devicePixelRatioF()
    return picture[round(at.y() * ratio), round(at.x() * ratio), :3].astype(int)


def still(window):
    """Return the pixels of the overlay, without anything that follows the pointer."""
    window.wait(lambda: not window.map._refresh.isActive())
    image = window.map.overlay.grab().toImage()
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).copy()


def test_what_is_not_selected_steps_back_on_the_canvas(window):
    one, other = window.loners(window.movable)[:2]
    before = colour_at(window, one)
    window.desk.select(np.array([other]))
    dim = colour_at(window, one)
    assert np.abs(dim - before).max() > 20
    window.desk.select(np.array([], np.int64))
    assert np.abs(colour_at(window, one) - before).max() < 5


def test_the_overlay_follows_selection_and_camera_and_forgets_the_pointer(window):
    image = window.loners(window.movable)[0]
    plain = still(window)
    window.map.show_hovered(image)
    assert not np.array_equal(still(window), plain)
    window.map.show_hovered(-1)
    assert np.array_equal(still(window), plain)
    window.desk.select(np.array([image]))
    selected = still(window)
    assert not np.array_equal(selected, plain)
    window.viewer.scene.camera.zoom *= 1.5
    assert not np.array_equal(still(window), selected)
