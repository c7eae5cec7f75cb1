"""A real napari window with the docks, and a hand on its mouse and keyboard."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from napari.qt import get_stylesheet
from napari.utils.notifications import notification_manager
from numpy.typing import ArrayLike, NDArray
from psygnal import SignalInstance
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.evidence import ArmScore, Evidence
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.intervals import Difference
from napari_spaceediting.jobs.worker import WorkerProcess
from napari_spaceediting.network import estimating
from napari_spaceediting.plugin import runner
from napari_spaceediting.plugin.map.view import MapView
from napari_spaceediting.plugin.status import Folding, Step
from napari_spaceediting.plugin.widgets.controls import dress
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.plugin.workbench import Workbench, workbench_of
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Round, RoundStatus, SessionState
from napari_spaceediting.session.storage import save_session

NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
NO_BUTTON = Qt.MouseButton.NoButton
LONG = 120_000
"""Milliseconds after which a wait has failed; nothing depends on how long it takes."""
A_GAIN = Difference(0.02, 0.01, 0.03)
_PACE = 15
"""Milliseconds between two moves of the hand: napari skips those that come sooner."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marks of these tests mean."""
    config.addinivalue_line("markers", "trains: trains a network")
    config.addinivalue_line("markers", "own_process: shares no worker process")


class Window:
    """A napari window with the docks, driven as a user drives it."""

    def __init__(self, viewer: Any, qtbot: QtBot) -> None:
        self.viewer = viewer
        self.qtbot = qtbot
        self.bench: Workbench = workbench_of(viewer)
        self.state = self.bench.state
        self.editor = self.bench.editor
        self.panels = self.bench.panels

    # What is there

    @property
    def session(self) -> Session:
        assert self.state.session is not None
        return self.state.session

    @property
    def map(self) -> MapView:
        assert self.bench.map.view is not None
        return self.bench.map.view

    @property
    def canvas(self) -> QWidget:
        return self.map.canvas

    @property
    def places(self) -> NDArray[np.float32]:
        return self.session.edits.positions

    @property
    def movable(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.session.dataset.held_out)

    @property
    def held_out(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.session.dataset.held_out)

    def loners(self, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return images within the canvas, loneliest first."""
        pixels = self.map.viewport.to_canvas(self.places)
        width, height = self.map.viewport.size
        inside = ((pixels > 30) & (pixels < [width - 30, height - 30])).all(axis=1)
        offsets = np.abs(pixels[:, None] - pixels[None]).max(axis=2)
        np.fill_diagonal(offsets, np.inf)
        among = among[inside[among]]
        return among[np.argsort(-offsets.min(axis=1)[among], kind="stable")]

    def empty_ground(self) -> QPoint:
        """Return the pixel of the canvas that is farthest from any image."""
        width, height = self.map.viewport.size
        grid = np.stack(
            np.meshgrid(np.arange(40, width - 40, 10), np.arange(40, height - 40, 10)),
            axis=-1,
        ).reshape(-1, 2)
        pixels = self.map.viewport.to_canvas(self.places)
        offsets = np.abs(grid[:, None] - pixels[None]).max(axis=2).min(axis=1)
        assert offsets.max() > 16
        return QPoint(*grid[offsets.argmax()].tolist())

    def pixel(self, place: ArrayLike) -> QPoint:
        """Return the pixel of the canvas at map coordinates."""
        x, y = self.map.viewport.to_canvas(np.asarray(place, float)[None])[0]
        return QPoint(round(x), round(y))

    def of_image(self, index: int) -> QPoint:
        return self.pixel(self.places[index])

    # Waiting

    def wait(self, condition: Callable[[], object], timeout: int = LONG) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=timeout)

    def wait_idle(self) -> None:
        """Wait until nothing runs, and the pictures are there."""
        self.wait(
            lambda: (
                not self.state.is_busy
                and (self.state.session is None or self.state.thumbnails is not None)
            )
        )
        QApplication.processEvents()

    @contextmanager
    def new_pictures(self) -> Iterator[None]:
        """Wait until the pictures on the map are others."""
        before = self.map.overlay.scene.pictures
        yield
        self.wait(lambda: self.map.overlay.scene.pictures is not before)

    @contextmanager
    def hears(self, signal: SignalInstance) -> Iterator[None]:
        """Wait until a signal speaks."""
        heard: list[object] = []
        signal.connect(hear := lambda *said: heard.append(said))
        yield
        self.wait(lambda: heard)
        signal.disconnect(hear)

    # Opening

    def unfold(self, step: str) -> None:
        """Unfold a section of the editor, and bring it into view."""
        self.editor.fold(Folding((Step(step),)))

    def fold(self, step: str) -> None:
        """Fold a section of the editor."""
        self.editor.section(step).set_open(False)

    def open(self, folder: Path) -> None:
        """Open a saved session, and wait until all of it is there."""
        before = self.state.session
        self.bench.opening.open_session(folder)
        self.wait(lambda: self.state.session is not before)
        self.wait_idle()

    def take_round(self, status: RoundStatus, gain: Difference = A_GAIN) -> None:
        """Let the session be one with a round, without a folder."""
        state = with_round(self.session.state, gain, status)
        self.state.take_session(Session(state), None)
        self.bench.opening._draw_thumbnails()
        self.wait_idle()

    # The mouse

    def _send(
        self,
        kind: QEvent.Type,
        at: QPoint,
        button: Qt.MouseButton,
        buttons: Qt.MouseButton,
        modifiers: Qt.KeyboardModifier,
        widget: QWidget | None,
    ) -> None:
        widget = widget or self.canvas
        there = QPointF(widget.mapToGlobal(at))
        event = QMouseEvent(kind, QPointF(at), there, button, buttons, modifiers)
        QApplication.sendEvent(widget, event)
        self.qtbot.wait(_PACE)

    def move(
        self,
        at: QPoint,
        buttons: Qt.MouseButton = NO_BUTTON,
        modifiers: Qt.KeyboardModifier = NONE,
        widget: QWidget | None = None,
    ) -> None:
        kind = QEvent.Type.MouseMove
        self._send(kind, at, NO_BUTTON, buttons, modifiers, widget)

    def press(
        self,
        at: QPoint,
        modifiers: Qt.KeyboardModifier = NONE,
        widget: QWidget | None = None,
    ) -> None:
        kind = QEvent.Type.MouseButtonPress
        self._send(kind, at, LEFT, LEFT, modifiers, widget)

    def release(
        self,
        at: QPoint,
        modifiers: Qt.KeyboardModifier = NONE,
        widget: QWidget | None = None,
    ) -> None:
        kind = QEvent.Type.MouseButtonRelease
        self._send(kind, at, LEFT, NO_BUTTON, modifiers, widget)

    def click(
        self,
        at: QPoint,
        modifiers: Qt.KeyboardModifier = NONE,
        widget: QWidget | None = None,
    ) -> None:
        # Two clicks within the system's interval are one double click otherwise.
        self.press(at, modifiers, widget)
        self.release(at, modifiers, widget)

    def stroke(
        self,
        way: Sequence[QPoint],
        modifiers: Qt.KeyboardModifier = NONE,
        *,
        let_go: bool = True,
    ) -> None:
        """Press at the first place, move over the others and release at the last."""
        self.move(way[0], modifiers=modifiers)
        self.press(way[0], modifiers)
        for at in way[1:]:
            self.move(at, LEFT, modifiers)
        if let_go:
            self.release(way[-1], modifiers)

    def drag(self, start: QPoint, end: QPoint, **options: Any) -> None:
        """Drag from one place to another in a few steps."""
        steps = [start + (end - start) * part / 4 for part in range(1, 5)]
        self.stroke([start, *steps], **options)

    def around(self, indices: NDArray[np.int64], margin: float = 12) -> list[QPoint]:
        """Return a way around images, as for a lasso: a box, corner by corner."""
        pixels = self.map.viewport.to_canvas(self.places[indices])
        (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
        left, top = left - margin, top - margin
        right, bottom = right + margin, bottom + margin
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return [QPoint(round(x), round(y)) for x, y in corners]

    # The keyboard

    def key(
        self,
        key: Qt.Key | str,
        modifiers: Qt.KeyboardModifier = NONE,
        widget: QWidget | None = None,
    ) -> None:
        QTest.keyClick(widget or self.canvas, key, modifiers)

    def answer(self, *keys: Qt.Key | str) -> None:
        """Answer the class picker by keyboard."""
        picker = self.bench.map.naming.picker
        self.wait(picker.isVisible)
        for key in keys:
            QTest.keyClick(QApplication.focusWidget() or picker, key)
        self.wait(lambda: not picker.isVisible())

    def type(self, text: str) -> None:
        """Type into the class picker, and confirm."""
        self.answer(*text, Qt.Key.Key_Return)


Opener = Callable[..., Window]


@pytest.fixture(autouse=True)
def caches() -> Path:
    """Return the folder of caches, which windows share as worker processes do."""
    return cache_dir()


@pytest.fixture(autouse=True)
def _no_warm_up(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep processes from importing torch for tests that do not train."""
    if request.node.get_closest_marker("trains") is None:
        monkeypatch.setattr(runner.JobRunner, "warm_up", lambda self, job: None)


@pytest.fixture(autouse=True)
def _nothing_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test be asked whether to train because the machine is busy."""
    monkeypatch.setattr(estimating, "LONG", float("inf"))


@pytest.fixture(autouse=True)
def _nothing_to_look_through_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the garbage collector pass over what windows of other tests left behind.

    napari looks for garbage whenever a layer goes, and its app model keeps 5,000
    objects of each window.
    """
    yield
    if "make_napari_viewer" in request.fixturenames:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _no_question_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer with no what a test does not expect to be asked."""
    no = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *_: no)


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[str]]:
    """Return a function that answers questions that come; it returns what they ask."""

    def begin(agrees: bool) -> list[str]:
        asked: list[str] = []

        def answer(_parent: object, _title: str, text: str) -> object:
            asked.append(text)
            kind = QMessageBox.StandardButton
            return kind.Yes if agrees else kind.No

        monkeypatch.setattr(QMessageBox, "question", answer)
        return asked

    return begin


@pytest.fixture(autouse=True)
def _nothing_to_recover() -> Iterator[None]:
    """Let no test find the unsaved work of another one."""
    yield
    shutil.rmtree(cache_dir() / "recovery", ignore_errors=True)


class SharedProcess(WorkerProcess):
    """A worker process that serves one window after the other."""

    is_free = True

    def __init__(self) -> None:
        super().__init__()
        self._latest = threading.Event()

    def run(
        self,
        job: Any,
        cancel: threading.Event | None = None,
        enough: threading.Event | None = None,
    ) -> Any:
        """Run a job, and know what cancels it."""
        self._latest = cancel or threading.Event()
        return super().run(job, self._latest, enough)

    def shutdown(self) -> None:
        """Cancel what runs, and wait for the next window."""
        self._latest.set()
        self.is_free = True


@pytest.fixture(scope="session")
def _shared_processes() -> Iterator[list[SharedProcess]]:
    processes: list[SharedProcess] = []
    yield processes
    for process in processes:
        WorkerProcess.shutdown(process)


@pytest.fixture(autouse=True)
def _no_process_is_left(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _shared_processes: list[SharedProcess],
) -> Iterator[None]:
    """Share worker processes, and check that a test ends all others that it starts."""

    def take() -> SharedProcess:
        free = (one for one in _shared_processes if one.is_free and not one.is_running)
        process = next(free, None)
        if process is None:
            process = SharedProcess()
            _shared_processes.append(process)
        process.is_free = False
        return process

    if request.node.get_closest_marker("own_process") is None:
        monkeypatch.setattr(runner, "WorkerProcess", take)
    before = set(_workers())
    yield
    shared = {process.pid for process in _shared_processes}
    begun = {one for one in set(_workers()) - before if one.pid not in shared}
    _, left = psutil.wait_procs(begun, timeout=10)
    for process in left:
        process.kill()
    assert not left


def _workers() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def make_window(saved: Path, make_napari_viewer: Any, qtbot: QtBot) -> Opener:
    """Return a function that opens a napari window with the docks.

    Only the tests import torch into the process of a window, for `saved`. It has to
    come first: once Mesa has loaded its LLVM, loading triton's may crash.
    """

    def make(**options: Any) -> Window:
        viewer = make_napari_viewer(show=True, **options)
        viewer.window.resize(1400, 900)
        window = Window(viewer, qtbot)
        window.bench.show_docks()
        QApplication.processEvents()
        return window

    return make


@pytest.fixture(scope="session")
def _saved_once(
    trained_state: SessionState, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "digits.spaceediting"
    save_session(trained_state, folder)
    return folder


@pytest.fixture
def saved(_saved_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a session on 300 digits, with a network and a map.

    Every test has its own: what is done in a window is saved by itself.
    """
    folder = tmp_path_factory.mktemp("saved") / _saved_once.name
    shutil.copytree(_saved_once, folder)
    return folder


def with_round(
    state: SessionState, gain: Difference, status: RoundStatus
) -> SessionState:
    """Return a session with a round, of one edit that stands and one taken back."""
    nobody, held_out = np.empty(0, np.int64), np.flatnonzero(state.dataset.held_out)
    n = len(state.shown.class_names)
    score = ArmScore(0.5, (0.4, 0.6), np.full(n, 0.5), np.eye(n, dtype=np.int64))
    evidence = Evidence(
        measured_on="test",
        n_images=len(held_out),
        class_names=state.shown.class_names,
        arms={"before": score, "after": score, "control": score},
        over={"control": gain, "before": gain},
        seeds=0,
        looks=1,
        fixed=held_out[:2],
        broken=held_out[2:3],
        drift=0.1,
        edited=nobody,
        followed=np.empty(0, bool),
    )
    movable = np.flatnonzero(~state.dataset.held_out)
    past = Round(
        edits=(Pin(movable[:4], "3"), Pin(movable[4:6], "5"), Withdraw(1)),
        settings=state.retrain,
        before=state.checkpoint,
        after=state.checkpoint,
        evidence=evidence,
        losses=np.ones(3, np.float32),
        seconds=1.0,
        created="2026-01-01T00:00:00+00:00",
        status=status,
    )
    return replace(state, rounds=(past,))


@pytest.fixture
def window(make_window: Opener, saved: Path) -> Window:
    """Return a window with the session of `saved` open."""
    opened = make_window()
    opened.open(saved)
    return opened


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """Return the messages that napari is asked to show."""
    heard: list[str] = []

    def hear(notification: Any) -> None:
        heard.append(notification.message)

    notification_manager.notification_ready.connect(hear)
    yield heard
    notification_manager.notification_ready.disconnect(hear)


@pytest.fixture
def dark():
    return Palette.from_theme_id("dark")


@pytest.fixture
def light():
    return Palette.from_theme_id("light")


@pytest.fixture
def shown(qtbot, dark):
    """Return a function that shows a panel at the dock's width, in napari's style."""
    docks = []

    def show(panel_type, **arguments):
        if "palette" in signature(panel_type).parameters:
            arguments["palette"] = dark
        dock = QWidget()
        docks.append(dock)
        qtbot.addWidget(dock)
        dock.setStyleSheet(get_stylesheet("dark"))
        dock.resize(1000, 1000)
        panel = panel_type(**arguments)
        panel.setParent(dock)
        dress(panel, dark)
        if hasattr(panel, "set_theme"):
            panel.set_theme(dark)
        panel.resize(340, 700)
        dock.show()
        qtbot.waitExposed(dock)
        return panel

    return show


@pytest.fixture
def told():
    """Return a function that records what a signal says in a list."""

    def record(signal):
        calls = []
        signal.connect(lambda *values: calls.append(values))
        return calls

    return record


@pytest.fixture(params=["dark", "light"])
def palette(request):
    return Palette.from_theme_id(request.param)


@pytest.fixture
def host(qtbot):
    """A shown parent, kept alive for the whole test."""
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(600, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget
