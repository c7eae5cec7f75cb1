"""Lassos that are drawn faster than the window can follow."""

from __future__ import annotations

import ctypes
import ctypes.util
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QPointF, Qt
from qtpy.QtGui import QGuiApplication, QPolygonF
from qtpy.QtTest import QTest

from napari_spaceediting.plugin.map.outline import inside

FEWER_MOVES = Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents


class Server:
    """The X server, as a mouse would reach it: apart from Qt's own connection."""

    def __init__(self):
        names = [ctypes.util.find_library(name) for name in ("X11", "Xtst")]
        if QGuiApplication.platformName() != "xcb" or None in names:
            pytest.skip("needs an X server with its extension for tests")
        self._x, self._test = map(ctypes.CDLL, names)
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(None))

    def move(self, at):
        fake = self._test.XTestFakeMotionEvent
        fake(self._display, -1, at.x(), at.y(), ctypes.c_ulong(0))

    def button(self, is_down):
        fake = self._test.XTestFakeButtonEvent
        fake(self._display, 1, int(is_down), ctypes.c_ulong(0))

    def sync(self):
        self._x.XSync(self._display, 0)

    def close(self):
        self._x.XCloseDisplay(self._display)


@pytest.fixture
def server(window):
    opened = Server()
    yield opened
    opened.close()


def star(window, n_spikes=9, n_steps=60):
    """Return a way on the canvas, from spike to spike, pixel by pixel."""
    width, height = window.map.viewport.size
    angles = np.linspace(0, 2 * np.pi, 2 * n_spikes + 1)
    reach = np.where(np.arange(2 * n_spikes + 1) % 2, 0.1, 0.45) * min(width, height)
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
    parts = np.linspace(0, 1, n_steps, endpoint=False)[:, None]
    way = [a + parts * (b - a) for a, b in pairwise(corners)]
    return np.round(np.vstack(way) + np.array([width, height]) / 2)


def test_every_move_of_a_lasso_counts_while_the_window_is_busy(window, server):
    usual = QCoreApplication.testAttribute(FEWER_MOVES)
    window.key(Qt.Key.Key_L)
    way = star(window)
    pixels = [window.canvas.mapToGlobal(QPointF(*at)).toPoint() for at in way.tolist()]
    server.move(pixels[0])
    server.button(True)
    server.sync()
    window.wait(lambda: QCoreApplication.testAttribute(FEWER_MOVES) is False)
    for at in pixels[1:]:  # this thread is the window's, which hears none of it yet
        server.move(at)
    server.button(False)
    server.sync()
    window.wait(lambda: len(window.state.selected))

    assert QCoreApplication.testAttribute(FEWER_MOVES) is usual
    drawn = QPolygonF([QPointF(*at) for at in way.tolist()])
    places = window.map.viewport.to_canvas(window.places)
    apart = np.abs(places[:, None] - way).max(axis=2).min(axis=1) > 3
    rule = Qt.FillRule.OddEvenFill
    within = [drawn.containsPoint(QPointF(*at), rule) for at in places.tolist()]
    expected = np.flatnonzero(within & apart)
    expected = np.setdiff1d(expected, window.held_out)
    assert len(expected) > 10
    chosen = window.state.selected
    assert chosen[apart[chosen]].tolist() == expected.tolist()


def test_the_outline_that_is_seen_is_the_one_that_counts(window):
    window.key(Qt.Key.Key_L)
    way = [QPointF(*at).toPoint() for at in star(window, n_steps=20).tolist()]
    window.stroke(way, let_go=False)
    window.wait(lambda: len(window.map.overlay.scene.outline) == len(way))
    seen = window.map.overlay.scene.outline
    window.release(way[-1])
    expected = np.setdiff1d(inside(window.places, seen), window.held_out)
    assert window.state.selected.tolist() == expected.tolist()
    QTest.qWait(50)  # longer than a frame: nothing draws it once more
    assert not len(window.map.overlay.scene.outline)
