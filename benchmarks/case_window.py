"""The window of a case study: a session is open, a hand works, pictures are taken.

The hand and the way to open the window are those of the pictures of the guide.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtCore import QBuffer, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from make_pictures import (
    CORNER,
    Photographer,
    decide_all,
    find_proposals,
    wait_for_round,
)

import case_page
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.plugin.status import Step
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.storage import SUFFIX, save_session

__all__ = ["Camera", "decide_all", "find_proposals", "wait_for_round", "window"]


class Camera(Photographer):
    """Takes what is seen of the window, for a page."""

    def __init__(self, height: int = 240) -> None:
        super().__init__()
        dock = self.bench.gallery.parent()
        while not isinstance(dock, QDockWidget):
            dock = dock.parent()
        dock.parent().resizeDocks([dock], [height], Qt.Orientation.Vertical)
        self.rest(300)

    def picture(self, name: str) -> None:
        """Write a picture of the window as it is."""
        self.rest(600)
        window = self.main.geometry()
        shot = self.main.screen().grabWindow(
            0, window.x(), window.y(), window.width(), window.height()
        )
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        shot.save(buffer, "PNG")
        case_page.keep(Image.open(BytesIO(bytes(buffer.data()))), name)

    def show_only(self, step: Step) -> None:
        """Unfold one section of the Space Editor, and fold all others."""
        for other in Step:
            self.fold(other)
        self.unfold(step)

    def idle(self) -> None:
        """Wait until nothing runs, and the map is at rest."""
        self.wait(lambda: not self.bench.state.is_busy)
        self.wait(lambda: not self.map.is_gliding)
        self.rest(400)

    def carry(self, images: NDArray[np.int64], pixels: tuple[int, int]) -> None:
        """Drag images, which are selected, as far as a number of pixels."""
        self.bench.state.select(images)
        self.rest(200)
        places = self.session.edits.positions[images]
        # Where others lie nearer to the pointer, they would be dragged.
        start = next(at for at in map(self.pixel, places) if self._is_held(at, images))
        self.press(start)
        self.drag(start + QPoint(*pixels) * part / 12 for part in range(1, 13))
        self.release(start + QPoint(*pixels))
        self.move(CORNER)
        self.wait(self.bench.map.naming.picker.isVisible)

    def _is_held(self, at: QPoint, images: NDArray[np.int64]) -> bool:
        place = self.map.viewport.to_map(np.array([[at.x(), at.y()]], float))[0]
        return self.map.pick(place) in images

    def colour_by(self, title: str) -> None:
        """Choose what colours the map."""
        combo = self.bench.panels.map.colour_combo
        combo.setCurrentIndex(combo.findText(title))
        combo.activated.emit(combo.currentIndex())
        self.rest(300)

    def press_keys(self, keys: str) -> None:
        """Press keys with Alt in the question that is open."""
        picker = self.bench.map.naming.picker
        for key in keys:
            QTest.keyClick(picker, key, Qt.KeyboardModifier.AltModifier)
        QTest.keyClick(picker, Qt.Key.Key_Return)
        self.rest(300)


@contextmanager
def window(session: Session, folder: Path) -> Iterator[Camera]:
    """Open a window with a session, whose map is drawn by UMAP."""
    session.set_map_settings(MapSettings())
    session.take_map(run_job(session.mapping()))
    path = folder / f"case{SUFFIX}"
    save_session(session.state, path)
    with empty_window() as camera:
        camera.bench.opening.open_session(path)
        camera.wait_mapped()
        yield camera


@contextmanager
def empty_window() -> Iterator[Camera]:
    """Open a window with nothing in it."""
    camera = Camera()
    try:
        yield camera
    finally:
        camera.bench.shutdown()
        camera.viewer.close()
