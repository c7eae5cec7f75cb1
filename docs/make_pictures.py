"""Draw the pictures of the documentation: drive a real window, and photograph it.

``make docs-pictures`` runs it. It needs Fashion-MNIST (30 MB, fetched once) and some
minutes, and writes into ``docs/pictures/``. Mouse and keyboard are real Qt events, and
the pictures are taken from the screen, so that they show what a user sees. On a desktop
let nothing cover the window while it runs.

Decisions are those of somebody who knows the true classes, which the data have.
"""

# The environment is set before napari and Qt read it.
# ruff: noqa: E402

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

os.environ["QT_SCALE_FACTOR"] = "1"
_CONFIG = tempfile.TemporaryDirectory()
# The reader's own preferences stay as they are, and do not show.
os.environ["NAPARI_CONFIG"] = str(Path(_CONFIG.name) / "settings.yaml")

import napari
import numpy as np
import pandas as pd
from napari.settings import get_plugin_settings
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtCore import QBuffer, QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolTip, QWidget
from scipy.spatial import KDTree

from napari_spaceediting.commands.demonstration import LABELS_PER_CLASS
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.simulated_expert import CLEAR_MAJORITY
from napari_spaceediting.network import estimating
from napari_spaceediting.plugin.map.view import MapView
from napari_spaceediting.plugin.status import Folding, Step
from napari_spaceediting.plugin.workbench import Workbench, workbench_of
from napari_spaceediting.session.session import Session

FOLDER = Path(__file__).parent / "pictures"
LIGHT = {
    "empty", "map", "zoom", "drag", "review", "retraining", "evidence", "rounds",
    "traversal",
}  # fmt: skip
"""Pictures that are taken in napari's light theme, too."""
SIZE = 1400, 900
"""Of the window, in pixels."""
LARGEST = 250_000
"""Bytes of a picture at most."""
REVIEWS = 3
"""Lists of proposals that are decided before the network is retrained."""
_LABELS = 20
_MOVED = 6
_PACE = 20
"""Milliseconds between two moves of the hand: napari skips those that come sooner."""
_SMALLEST_GROUP, _LARGEST_GROUP = 8, 24
_PATIENCE = 600
"""Seconds after which a wait has failed."""
CORNER = QPoint(3, 3)
"""Of the canvas, where the pointer is in nobody's way."""
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
NO_BUTTON = Qt.MouseButton.NoButton


class Photographer:
    """A napari window with the docks, a hand on its mouse, and a camera before it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.main: QWidget = QApplication.activeWindow() or next(
            widget for widget in QApplication.topLevelWidgets() if widget.isVisible()
        )
        self.main.move(0, 0)
        self.main.resize(*SIZE)
        self.bench: Workbench = workbench_of(self.viewer)
        self.bench.show_docks()
        self.rest(1000)

    # The camera

    def take(self, name: str) -> None:
        """Write a picture of the window as it is; of some states in both themes."""
        self.rest(1000)
        self._photograph(FOLDER / f"{name}.png")
        if name in LIGHT:
            self.viewer.theme = "light"
            self.rest(600)
            self._photograph(FOLDER / "light" / f"{name}.png")
            self.viewer.theme = "dark"
            self.rest(600)

    def _photograph(self, file: Path) -> None:
        screen = self.main.screen()
        corner = self.main.mapToGlobal(QPoint(0, 0)) - screen.geometry().topLeft()
        size = self.main.size()
        pixels = screen.grabWindow(
            0, corner.x(), corner.y(), size.width(), size.height()
        )
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        pixels.save(buffer, "PNG")
        picture = Image.open(BytesIO(bytes(buffer.data()))).convert("RGB")
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, optimize=True)
        if file.stat().st_size > LARGEST:
            # Spares colours that few pixels have, such as those of points.
            few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
            few.save(file, optimize=True)
        name = file.relative_to(FOLDER)
        print(f"{name}: {file.stat().st_size / 1000:.0f} kB", flush=True)

    # What is there

    @property
    def session(self) -> Session:
        """The open session."""
        assert self.bench.state.session is not None
        return self.bench.state.session

    @property
    def map(self) -> MapView:
        """The map."""
        assert self.bench.map.view is not None
        return self.bench.map.view

    def pixel(self, place: NDArray[np.floating]) -> QPoint:
        """Return the pixel of the canvas at map coordinates."""
        x, y = self.map.viewport.to_canvas(np.asarray(place, float)[None])[0]
        return QPoint(round(x), round(y))

    def unfold(self, step: Step) -> None:
        """Unfold a section of the Space Editor, and bring it into view."""
        self.bench.editor.fold(Folding((step,)))

    def fold(self, step: Step) -> None:
        """Fold a section of the Space Editor."""
        self.bench.editor.section(step).set_open(False)

    # Waiting

    def rest(self, milliseconds: int) -> None:
        """Let the window live for some time."""
        QTest.qWait(milliseconds)

    def wait(self, condition: Callable[[], object]) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > end:
                sys.exit("The window did not get where the picture is taken.")
            self.rest(_PACE)

    def wait_mapped(self) -> None:
        """Wait for the map of a data set that is being opened."""
        state = self.bench.state
        self.wait(
            lambda: (
                state.has_map
                and not state.is_busy
                and state.thumbnails is not None
                and self.session.shown.map is not None
                and self.session.shown.map.method == "umap"
            )
        )
        self.wait(lambda: not self.map.is_gliding)
        self.rest(500)

    # The hand

    def _send(
        self,
        kind: QEvent.Type,
        at: QPoint,
        button: Qt.MouseButton,
        buttons: Qt.MouseButton,
        widget: QWidget | None = None,
    ) -> None:
        widget = widget or self.map.canvas
        there = QPointF(widget.mapToGlobal(at))
        QApplication.sendEvent(
            widget, QMouseEvent(kind, QPointF(at), there, button, buttons, NONE)
        )
        self.rest(_PACE)

    def move(self, at: QPoint, buttons: Qt.MouseButton = NO_BUTTON) -> None:
        """Move the pointer over the map."""
        self._send(QEvent.Type.MouseMove, at, NO_BUTTON, buttons)

    def press(self, at: QPoint) -> None:
        """Press the left button on the map."""
        self._send(QEvent.Type.MouseButtonPress, at, LEFT, LEFT)

    def release(self, at: QPoint) -> None:
        """Release the left button on the map."""
        self._send(QEvent.Type.MouseButtonRelease, at, LEFT, NO_BUTTON)

    def drag(self, way: Iterable[QPoint]) -> None:
        """Move with the button pressed."""
        for at in way:
            self.move(at, LEFT)

    def scroll(self, at: QPoint, notches: int) -> None:
        """Turn the wheel over the map: zoom in."""
        canvas = self.map.canvas
        for _ in range(notches):
            QApplication.sendEvent(
                canvas,
                QWheelEvent(
                    QPointF(at),
                    QPointF(canvas.mapToGlobal(at)),
                    QPoint(0, 0),
                    QPoint(0, 120),
                    NO_BUTTON,
                    NONE,
                    Qt.ScrollPhase.NoScrollPhase,
                    False,
                ),
            )
            self.rest(_PACE)

    def approach(self, places: Iterable[NDArray[np.floating]], reach: float) -> None:
        """Zoom to the images within reach of some map coordinates."""
        positions = self.session.edits.positions
        ways = [np.linalg.norm(positions - place, axis=1) for place in places]
        self.map.zoom_to_fit(np.flatnonzero(np.min(ways, axis=0) < reach))
        self.rest(500)

    def key(self, key: Any) -> None:
        """Press a key over the map."""
        QTest.keyClick(self.map.canvas, key)
        self.rest(_PACE)

    def type(self, *keys: Any) -> None:
        """Type into the class picker."""
        picker = self.bench.map.naming.picker
        self.wait(picker.isVisible)
        for key in keys:
            QTest.keyClick(QApplication.focusWidget() or picker, key)
            self.rest(_PACE)


def main() -> None:
    """Take all pictures."""
    # Nor does their unsaved work show, and what is left here is not offered to them.
    storage = get_plugin_settings("napari-spaceediting").storage
    storage.cache_folder = str(Path(_CONFIG.name) / "cache")
    # Nobody is there to be asked whether a training may take long.
    estimating.LONG = math.inf
    for scene in (draw_digits, draw_embeddings, draw_look_alikes, draw_traversal):
        camera = Photographer()
        try:
            scene(camera)
        finally:
            camera.bench.shutdown()
            camera.viewer.close()
    _CONFIG.cleanup()


def draw_digits(camera: Photographer) -> None:
    """Open what the demonstration opens."""
    camera.take("empty")
    camera.bench.opening.open_sample("digits", LABELS_PER_CLASS)
    camera.wait_mapped()
    camera.take("digits")


def draw_embeddings(camera: Photographer) -> None:
    """Open a table of embeddings whose points have texts and no images."""
    dataset = digits()
    pixels = [dataset.original(at).ravel() for at in range(len(dataset))]
    table = pd.DataFrame(
        {
            "id": dataset.ids,
            "label": [dataset.class_names[label] for label in dataset.labels],
            "text": [f"number {name[-4:]}" for name in dataset.ids],
            "embedding": [row.astype(np.float32) for row in pixels],
        }
    )
    path = Path(_CONFIG.name) / "points.parquet"
    table.to_parquet(path)
    camera.bench.opening.open_path(path)
    camera.wait_mapped()
    camera.unfold(Step.NETWORK)
    places = camera.session.edits.positions
    middle = places[np.flatnonzero(dataset.labels == 3)].mean(axis=0)
    ways = np.linalg.norm(places - middle, axis=1)
    camera.bench.state.select(np.argsort(ways)[:24])
    camera.rest(1500)
    camera.take("embeddings")


def draw_look_alikes(camera: Photographer) -> None:
    """Teach a network five kinds of clothes that look alike."""
    bench = camera.bench
    losses: list[float] = []
    bench.state.training.progressed.connect(
        lambda progress, _: losses.append(progress.metrics.get("loss", np.nan))
    )

    def steps() -> int:
        return int(np.isfinite(losses).sum())

    bench.opening.open_sample("fashion_look_alikes", _LABELS)
    camera.wait(lambda: bench.state.session is not None)
    camera.unfold(Step.NETWORK)
    camera.wait(lambda: steps() > 25)
    camera.take("training")
    camera.wait_mapped()
    camera.fold(Step.NETWORK)
    camera.take("map")

    group = a_group(camera.session)
    at = camera.pixel(group.middle)
    camera.move(at + QPoint(30, 30))
    camera.move(at)
    camera.wait(QToolTip.isVisible)
    camera.take("hover")
    camera.move(CORNER)

    camera.scroll(at, 14)
    camera.rest(500)
    camera.take("zoom")
    camera.key("f")
    camera.rest(500)

    home = class_home(camera.session, group.name)
    camera.approach((group.middle, home), 5 * group.radius)
    camera.key("l")
    way = around(camera, group)
    camera.press(way[0])
    camera.drag(way[1:])
    camera.take("lasso")
    camera.release(way[-1])
    camera.move(CORNER)
    camera.take("selected")

    camera.key("m")
    start = camera.pixel(camera.session.edits.positions[bench.state.selected[0]])
    end = camera.pixel(home)
    camera.press(start)
    camera.drag(start + (end - start) * part / 12 for part in range(1, 13))
    camera.take("drag")
    camera.release(end)
    camera.wait(bench.map.naming.picker.isVisible)
    camera.take("picker")
    camera.type(*group.name, Qt.Key.Key_Return)
    bench.state.select(np.empty(0, np.int64))
    camera.key("f")

    for number in range(REVIEWS):
        find_proposals(camera)
        if not number:
            camera.take("review")
        decide_all(camera)
    camera.fold(Step.GUIDANCE)
    camera.unfold(Step.EDITS)
    bench.state.select(np.empty(0, np.int64))
    camera.take("edits")

    camera.fold(Step.EDITS)
    camera.unfold(Step.RETRAIN)
    bench.panels.retrain.retrain_button.click()
    camera.wait(lambda: bench.state.is_busy)
    camera.take("retraining")
    wait_for_round(camera)
    camera.take("evidence")

    # A second round, beside the start; on the map, what was before it.
    bench.evidence.accept_button.click()
    find_proposals(camera)
    decide_all(camera)
    camera.fold(Step.GUIDANCE)
    bench.panels.retrain.retrain_button.click()
    wait_for_round(camera)
    QTest.keyClick(bench.evidence.others, Qt.Key.Key_Down)
    camera.rest(1000)
    camera.key("v")
    camera.wait(lambda: not camera.map.is_gliding)
    camera.take("rounds")
    camera.key("v")
    camera.wait(lambda: not camera.map.is_gliding)
    camera.unfold(Step.RESULTS)
    camera.take("results")


def find_proposals(camera: Photographer) -> None:
    """Have the guidance look for what is worth a decision."""
    camera.bench.panels.guidance.refresh_button.click()
    camera.wait(lambda: not camera.bench.state.is_busy)


def decide_all(camera: Photographer) -> None:
    """Answer all proposals."""
    review = camera.bench.review
    while review.proposal is not None:
        decide(camera, review.proposal)


def wait_for_round(camera: Photographer) -> None:
    """Wait until a round is there to decide on, and the map at rest."""
    camera.wait(lambda: camera.session.state.proposal is not None)
    camera.bench.state.select(np.empty(0, np.int64))
    camera.wait(lambda: not camera.map.is_gliding)
    camera.rest(500)
    print(camera.session.state.rounds[-1].evidence.verdict())


def draw_traversal(camera: Photographer) -> None:
    """Show what would make T-shirts dresses."""
    bench, panel = camera.bench, camera.bench.traversal
    bench.opening.open_sample("fashion_look_alikes")
    camera.wait_mapped()
    session = camera.session
    own, goal = "T-shirt/top", "Dress"
    truth = session.dataset.columns["truth"]
    everything = np.arange(len(truth))
    wanted = session.edits.class_names.index(own)
    free = (truth == wanted) & (session.kinds(everything) == wanted)
    bench.state.select(np.flatnonzero(free & ~session.dataset.held_out)[:_MOVED])
    camera.key("w")
    panel.choose_target(goal)
    panel.targets.activated.emit(0)
    panel.run_button.click()
    camera.wait(lambda: not bench.state.is_busy)
    camera.take("traversal")


@dataclass(frozen=True)
class Group:
    """Images of one class that lie together among those of another.

    Parameters
    ----------
    name : str
        Their class.
    middle : (2,) array
        The map coordinates that they lie around.
    radius : float
        How far around, in units of the map.
    """

    name: str
    middle: NDArray[np.float32]
    radius: float


def a_group(session: Session) -> Group:
    """Return the group that the network mistakes most plainly."""
    network = session.shown.network
    assert network is not None
    free = np.flatnonzero(~session.dataset.held_out)
    truth = session.dataset.columns["truth"][free]
    predicted = network.predictions.probabilities.argmax(axis=1)[free]
    places = session.edits.positions[free]
    ways, near = KDTree(places).query(places, k=_LARGEST_GROUP + 1)
    best, highest = Group("", places[0], 0.0), -1.0
    for middle, distances, members in zip(places, ways, near, strict=True):
        for size in range(_SMALLEST_GROUP, _LARGEST_GROUP):
            counts = np.bincount(truth[members[:size]])
            wanted = int(counts.argmax())
            wrong = (predicted[members[:size]] != wanted).mean()
            value = counts.max() / size * wrong + 0.01 * size
            if value > highest:
                radius = float(distances[size - 1] + distances[size]) / 2
                name = session.dataset.class_names[wanted]
                best, highest = Group(name, middle, radius), value
    return best


def class_home(session: Session, name: str) -> NDArray[np.float32]:
    """Return the place where a class is surrounded best by its like."""
    wanted = session.dataset.class_names.index(name)
    places = session.edits.positions[~session.dataset.held_out]
    around = session.surroundings.at(places)
    home: NDArray[np.float32] = places[
        (around.support * around.votes[:, wanted]).argmax()
    ]
    return home


def around(camera: Photographer, group: Group) -> list[QPoint]:
    """Return a way around a group, as a hand draws it."""
    turns = np.linspace(0, 2 * np.pi, 40)[:-1]
    ring = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    return [camera.pixel(group.middle + group.radius * turn) for turn in ring]


def decide(camera: Photographer, proposal: Proposal) -> None:
    """Answer a proposal as somebody who knows the true classes."""
    truth = camera.session.dataset.columns["truth"][proposal.indices]
    classes, counts = np.unique(truth, return_counts=True)
    names = camera.session.edits.class_names
    name = names[classes[counts.argmax()]]
    if counts.max() < CLEAR_MAJORITY * len(truth):
        camera.key("u")
    elif name == proposal.tag:
        camera.key("y")
    else:
        camera.key("e")
        camera.type(*name, Qt.Key.Key_Return)
        # A popup that follows at once goes with the one before it.
        camera.rest(300)
    camera.rest(50)


if __name__ == "__main__":
    main()
