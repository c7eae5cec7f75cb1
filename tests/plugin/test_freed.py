"""A window that is closed leaves nothing behind."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication


def test_a_closed_window_is_freed_with_the_session_that_was_open(
    make_window, saved: Path, qtbot
):
    window = make_window()
    window.open(saved)
    bench = window.bench
    parts = {
        "viewer": window.viewer,
        "bench": bench,
        "state": bench.state,
        "session": window.session,
        "map": bench.map,
        "view": window.map,
    }
    kept = {name: weakref.ref(part) for name, part in parts.items()}
    window.viewer.close()
    del window, bench, parts

    def left() -> list[str]:
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        return [name for name, part in kept.items() if part() is not None]

    qtbot.waitUntil(lambda: not left(), timeout=30_000)
