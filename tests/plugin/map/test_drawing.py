"""What reaches the screen of what the map is told to show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QApplication

from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.plugin.map.stamps import crowd, paint_discs
from napari_spaceediting.plugin.map.thumbnails import choose, side


def colour_at(window, image):
    """Return RGB of the canvas where an image lies, 0 to 255."""
    settled(window)
    QApplication.processEvents()
    picture = window.viewer.screenshot(canvas_only=True, flash=False)
    at = window.of_image(image)
    ratio = window.canvas.devicePixelRatioF()
    return picture[round(at.y() * ratio), round(at.x() * ratio), :3].astype(int)


def settled(window):
    for timer in (window.map._refresh, window.map._step_back):
        window.wait(lambda timer=timer: not timer.isActive())


def still(window):
    """Return the pixels of the overlay, without anything that follows the pointer."""
    settled(window)
    image = window.map.overlay.grab().toImage()
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).copy()


def test_what_is_not_selected_steps_back_on_the_canvas(window):
    one, other = window.loners(window.movable)[:2]
    before = colour_at(window, one)
    window.state.select(np.array([other]))
    dim = colour_at(window, one)
    assert np.abs(dim - before).max() > 20
    window.state.select(np.array([], np.int64))
    assert np.abs(colour_at(window, one) - before).max() < 5


def test_the_overlay_follows_selection_and_camera_and_forgets_the_pointer(window):
    image = window.loners(window.movable)[0]
    plain = still(window)
    window.map.show_hovered(image)
    assert not np.array_equal(still(window), plain)
    window.map.show_hovered(-1)
    assert np.array_equal(still(window), plain)
    window.state.select(np.array([image]))
    selected = still(window)
    assert not np.array_equal(selected, plain)
    window.viewer.scene.camera.zoom *= 1.5
    assert not np.array_equal(still(window), selected)


# Thumbnails


def shown(window):
    """Return which images have their thumbnails on the map."""
    return {picture.image for picture in window.map.overlay.scene.pictures}


def test_panning_keeps_the_thumbnails_that_stay_in_view(window):
    with window.new_pictures():
        window.viewer.scene.camera.zoom *= 3
    settled(window)
    before = shown(window)
    start = window.empty_ground()
    with window.new_pictures():
        window.drag(start, start + QPoint(30, 20))
    lowest, highest = window.map.viewport.visible()
    places = window.places[sorted(before)]
    stay = ((places > lowest) & (places < highest)).all(axis=1)
    assert stay.any()
    assert set(np.array(sorted(before))[stay]) <= shown(window)


def test_thumbnails_keep_clear_of_names(window):
    settled(window)
    overlay, viewport = window.map.overlay, window.map.viewport
    middles, halves = overlay.writing()
    assert len(middles) == 10
    places = np.array([picture.place for picture in overlay.scene.pictures])
    names = viewport.to_canvas(middles)
    offsets = np.abs(viewport.to_canvas(places)[:, None] - names)
    reach = halves[:, ::-1] + overlay.scene.side / 2
    assert not (offsets < reach).all(axis=2).any()


def test_the_thumbnail_of_a_dragged_image_goes_with_the_pointer(window):
    settled(window)
    image = next(i for i in window.loners(window.movable) if i in shown(window))
    start, by = window.of_image(image), QPoint(90, -60)
    window.click(start)
    settled(window)
    overlay = window.map.overlay
    edge = start + QPoint(1, 1) * (overlay.scene.side // 2 - 3)
    there = overlay.grab().toImage().pixelColor(edge)
    window.drag(start, start + by, let_go=False)
    (carried,) = overlay.scene.carried
    assert carried.image == image
    zoom = window.map.viewport.zoom
    moved = window.places[image] + np.array([by.y(), by.x()]) / zoom
    assert np.allclose(carried.place, moved, atol=1.5 / zoom)
    # It has left its place.
    assert overlay.grab().toImage().pixelColor(edge) != there
    window.release(start + by)
    window.answer(Qt.Key.Key_Escape)
    assert not overlay.scene.carried
    assert image in shown(window)
    assert overlay.grab().toImage().pixelColor(edge) == there
    window.key(Qt.Key.Key_T)
    window.drag(start, start + by, let_go=False)
    assert not overlay.scene.carried
    window.release(start + by)
    window.answer(Qt.Key.Key_Escape)


def test_a_group_takes_some_thumbnails_along_that_do_not_overlap(window):
    chosen = window.loners(window.movable)[:60]
    window.state.select(chosen)
    start = window.of_image(chosen[0])
    window.drag(start, start + QPoint(40, 30), let_go=False)
    scene = window.map.overlay.scene
    images = [picture.image for picture in scene.carried]
    assert 1 < len(images) <= 24
    assert images[0] == chosen[0]
    assert set(images) <= set(chosen.tolist())
    pixels = window.map.viewport.to_canvas(np.array([p.place for p in scene.carried]))
    offsets = np.abs(pixels[:, None] - pixels).max(axis=2)
    np.fill_diagonal(offsets, np.inf)
    assert offsets.min() >= scene.side
    window.release(start + QPoint(40, 30))
    window.answer(Qt.Key.Key_Escape)


@pytest.mark.parametrize("zoom", [60.0, 120.0, 400.0])
def test_choice_of_thumbnails(zoom):
    rng = np.random.default_rng(0)
    places = rng.normal(size=(3000, 2)).astype(np.float32)
    priority = rng.random(3000)
    priority[:1500] = np.inf
    lowest, highest = np.array([-1.0, -2.0]), np.array([1.0, 2.0])
    writing = np.array([[0.0, 0.0]]), np.array([[10.0, 40.0]])
    viewport = SimpleNamespace(
        zoom=zoom, magnification=zoom / 60, visible=lambda _: (lowest, highest)
    )
    chosen = choose(places, priority, viewport, writing)
    assert len(chosen) > 3
    assert chosen.min() >= 1500
    assert (np.diff(priority[chosen]) > 0).all()
    pixels = places[chosen] * zoom
    offsets = np.abs(pixels[:, None] - pixels).max(axis=2)
    np.fill_diagonal(offsets, np.inf)
    assert offsets.min() >= side(viewport)
    assert (
        not (np.abs(pixels) < np.array([10, 40]) + side(viewport) / 2).all(axis=1).any()
    )
    # What is preferred is there, and takes the place of others.
    last = int(np.setdiff1d(np.arange(1500, 3000), chosen)[0])
    priority[last] = -1
    places[last] = highest * 0.9
    assert choose(places, priority, viewport, writing)[0] == last


# Selections


def pixels_of(image):
    image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    shape = image.height(), image.bytesPerLine() // 4, 4
    return np.frombuffer(bits, np.uint8).reshape(shape)[:, : image.width()]


def test_a_crowd_is_painted_as_discs_are_one_by_one(qapp):
    points = np.array([[20.5, 30.5], [60.5, 10.5], [-1.0, 40.0], [99.0, 79.0]])
    colours = np.eye(4, dtype=np.float32)
    colours[3, 0] = 1
    many = pixels_of(crowd(points, colours, 5.0, (100, 80)))
    single = QImage(100, 80, QImage.Format.Format_ARGB32_Premultiplied)
    single.fill(Qt.GlobalColor.transparent)
    painter = QPainter(single)
    paint_discs(painter, points, colours, 5.0, QColor(0, 0, 0, 0))
    painter.end()
    one_by_one = pixels_of(single)
    opaque = (many[..., 3] == 255) & (one_by_one[..., 3] == 255)
    assert opaque.sum() > 100
    assert np.array_equal(many[opaque], one_by_one[opaque])
    area = many[..., 3].sum() / 255
    assert area == pytest.approx(one_by_one[..., 3].sum() / 255, rel=0.2)


def test_a_large_selection_is_seen_whole(window, monkeypatch):
    monkeypatch.setattr("napari_spaceediting.plugin.map.overlay.MOST_MARKS", 20)
    window.key(Qt.Key.Key_T)
    chosen = window.loners(window.movable)[:40]
    window.state.select(chosen)
    QApplication.processEvents()
    image = window.map.overlay.grab().toImage()
    for index in chosen:
        colour = image.pixelColor(window.of_image(index))
        wanted = QColor.fromRgbF(*window.map.cloud.colours[index, :3].tolist())
        offsets = np.array(colour.getRgb()[:3]) - wanted.getRgb()[:3]
        assert np.abs(offsets).max() < 30


def test_the_canvas_of_a_large_map_follows_an_edit_later(window):
    n = 6000
    rng = np.random.default_rng(0)
    nothing, grey = np.zeros(n, bool), np.full((n, 4), 0.5, np.float32)
    places = rng.normal(size=(n, 2)).astype(np.float32)
    view = window.map
    view.show_cloud(Cloud(places, grey, nothing, nothing))
    moved, coloured = places.copy(), grey.copy()
    moved[7], coloured[7] = 2.0, [1, 0, 0, 1]
    drawn = []
    view.layer.events.set_data.connect(lambda: drawn.append(view.layer.data.copy()))
    view.show_cloud(Cloud(moved, coloured, nothing, nothing))
    assert view.pick(moved[7]) == 7
    assert np.array_equal(view.layer.data, moved)
    assert not drawn
    window.wait(lambda: np.array_equal(view.layer.face_color, coloured))
    assert len(drawn) <= 1
