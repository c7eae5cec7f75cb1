"""A napari window to measure in: fresh processes, sessions to show, and a hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QWidget

    from napari_spaceediting.session.session import Session
    from watch import Watch

_WINDOW = (1560, 960)
_FOLDER = "BENCHMARK_FOLDER"


def fresh(script: str, base: Path, *part: object) -> Any:
    """Run a part of a benchmark in a process of its own and return what it found."""
    command = [sys.executable, script, "--part", *map(str, part)]
    done = subprocess.run(
        command, env=environment(base), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def environment(base: Path) -> dict[str, str]:
    """Keep away from the user's settings and caches; numba's cache is kept."""
    folder = Path(tempfile.mkdtemp(dir=base))
    own = {
        "NAPARI_CONFIG": str(folder / "settings.yaml"),
        "XDG_CACHE_HOME": str(folder),
        _FOLDER: str(folder),
    }
    return os.environ | own


def own_folder() -> Path:
    """Return the folder of this process, see `environment`."""
    return Path(os.environ[_FOLDER])


def open_viewer() -> tuple[Watch, Viewer]:
    """Open napari and return it with the clock that watches it."""
    from watch import WatchedApplication, spin

    app = WatchedApplication()
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*_WINDOW)
    spin(1.0)
    _KEPT.append(app)
    return app.watch, viewer


_KEPT: list[object] = []
"""What must live as long as the process."""


class Hand:
    """Sends mouse events to a widget, as a user's hand would.

    Parameters
    ----------
    widget : QWidget
        Whose pixels places are.
    """

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget

    def press(self, place: ArrayLike) -> None:
        """Press the left button."""
        self._send("MouseButtonPress", place, held=True)

    def move(self, place: ArrayLike, *, held: bool = False) -> None:
        """Move, with the left button held or not."""
        self._send("MouseMove", place, held=held)

    def release(self, place: ArrayLike) -> None:
        """Let the left button go."""
        self._send("MouseButtonRelease", place, held=False)

    def click(self, place: ArrayLike) -> None:
        """Move there, press and let go."""
        self.move(place)
        self.press(place)
        self.release(place)

    def wheel(self, place: ArrayLike, angle: int) -> None:
        """Turn the wheel by an angle, in eighths of a degree."""
        from qtpy.QtCore import QPoint, QPointF, Qt
        from qtpy.QtGui import QWheelEvent
        from qtpy.QtWidgets import QApplication

        at = QPointF(*np.asarray(place, float).tolist())
        event = QWheelEvent(
            at,
            self._widget.mapToGlobal(at),
            QPoint(),
            QPoint(0, angle),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self._widget, event)

    def _send(self, name: str, place: ArrayLike, *, held: bool) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        kind: QEvent.Type = getattr(QEvent.Type, name)
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        at = QPointF(*np.asarray(place, float).tolist())
        event = QMouseEvent(
            kind,
            at,
            self._widget.mapToGlobal(at),
            none if kind == QEvent.Type.MouseMove else left,
            left if held else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self._widget, event)


def around_half(places: np.ndarray, height: int) -> np.ndarray:
    """Return 60 corners around the left half of the places, from a corner on.

    Parameters
    ----------
    places : (n, 2) array
        Pixels (x, y).
    height : int
        Of the canvas.
    """
    right = np.median(places[:, 0])
    steps = np.linspace(0, 1, 29)[:, None]
    first, last = np.array([3.0, 3.0]), np.array([right, height - 3.0])
    above, below = np.array([right, 3.0]), np.array([3.0, height - 3.0])
    return np.vstack(
        [
            first + steps * (above - first),
            last,
            last + steps * (below - last),
            first,
        ]
    )


def synthetic(n: int) -> tuple[Session, np.ndarray]:
    """Return a session of n images in ten clusters, and thumbnails; nothing trained."""
    from napari_spaceediting.data.dataset import ImageDataset
    from napari_spaceediting.data.intensity import IntensityScaling
    from napari_spaceediting.data.pixels import ArrayPixels
    from napari_spaceediting.data.splits import stratified_split
    from napari_spaceediting.network.spec import ClassifierSpec, Predictions
    from napari_spaceediting.session.session import Session, new_session
    from napari_spaceediting.session.state import Map, Network

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    places = rng.normal(size=(n, 2)) + 6 * rng.normal(size=(10, 2))[labels]
    scores = rng.random((n, 10)) + 2 * np.eye(10)[labels]
    dataset = ImageDataset(
        name="Synthetic",
        ids=np.array([f"image-{index:06d}" for index in range(n)]),
        labels=labels,
        class_names=tuple(f"class {index}" for index in range(10)),
        split=stratified_split(labels, rng),
        pixels=ArrayPixels(np.zeros((n, 8, 8), np.uint8)),
        scaling=IntensityScaling("dtype"),
        image_size=(8, 8),
    )
    predictions = Predictions(
        rng.normal(size=(n, 64)).astype(np.float32),
        (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32),
    )
    network = Network(ClassifierSpec(), {}, predictions, np.full(n, np.nan, np.float32))
    drawn = Map(
        places.astype(np.float32), rng.integers(0, n, (n, 15)).astype(np.int32), "umap"
    )
    state = new_session(dataset).state
    checkpoint = replace(state.checkpoint, network=network, map=drawn)
    tiles = rng.integers(0, 256, (1000, 32, 32, 3), np.uint8)
    return Session(replace(state, checkpoint=checkpoint)), tiles[np.arange(n) % 1000]
