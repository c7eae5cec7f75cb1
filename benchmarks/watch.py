"""Watches napari's window from within: how long its thread was busy, and with what."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from types import FunctionType
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication, QOpenGLWidget, QWidget

INTERVAL = 0.005
"""Seconds between two ticks of the clock whose lateness is measured."""
_OURS = "napari_spaceediting.plugin"
_DRAWN = {QEvent.Type.UpdateRequest, QEvent.Type.Expose}
"""Events in which Qt draws the canvas and puts the picture of the window together."""


@dataclass
class Spent:
    """Seconds on the wall, and processor time of the thread and of all threads."""

    wall: float = 0.0
    cpu: float = 0.0
    process: float = 0.0

    def add(self, start: Spent) -> None:
        """Add what has passed since."""
        self.wall += time.perf_counter() - start.wall
        self.cpu += time.thread_time() - start.cpu
        self.process += time.process_time() - start.process

    @staticmethod
    def now() -> Spent:
        """Return the clocks as they are."""
        return Spent(time.perf_counter(), time.thread_time(), time.process_time())


@dataclass(frozen=True)
class Gap:
    """The time between two ticks of the clock, beyond the interval; seconds."""

    late: float
    drawing: float
    computed: float
    """Processor time of all threads of the window's process but for drawing."""
    slowest: tuple[float, str]

    @property
    def undrawn(self) -> float:
        """How late the tick was but for the drawing of the canvas."""
        return max(0.0, self.late - self.drawing)

    @property
    def own(self) -> float:
        """The part of it that this process can have caused, by computing."""
        return min(self.undrawn, self.computed)


@dataclass
class Phase:
    """What happened while something went on."""

    name: str
    seconds: float = 0.0
    gaps: list[Gap] = field(default_factory=list)
    calls: list[tuple[float, float, str]] = field(default_factory=list)
    """Wall and processor seconds of every call into the plugin, and its name."""

    def summary(self) -> dict[str, Any]:
        """Return the figures of a document, in ms; plain types."""
        late = 1e3 * np.array([gap.late for gap in self.gaps] or [0.0])
        undrawn = 1e3 * np.array([gap.undrawn for gap in self.gaps] or [0.0])
        worst = max(self.gaps, key=lambda gap: gap.undrawn, default=None)
        own = sorted(self.calls, reverse=True)
        return {
            "phase": self.name,
            "seconds": self.seconds,
            "longest": float(late.max()),
            "p95": float(np.percentile(late, 95)),
            "longest_undrawn": float(undrawn.max()),
            "p95_undrawn": float(np.percentile(undrawn, 95)),
            "longest_own": 1e3 * max((gap.own for gap in self.gaps), default=0.0),
            "during_longest": worst.slowest[1] if worst else "",
            "own_cpu_longest": 1e3 * max((call[1] for call in own), default=0.0),
            "own_cpu_total": 1e3 * sum(call[1] for call in own),
            "slowest_calls": [(1e3 * w, 1e3 * c, name) for w, c, name in own[:6]],
        }


class Watch(QObject):
    """A clock in the thread of the window, and the times of what delays it.

    Make it before the viewer: it has the application and the classes of the plugin
    tell how long things take.
    """

    def __init__(self) -> None:
        super().__init__()
        self.drawing = Spent()
        self._phase = Phase("")
        self._last = Spent.now()
        self._drawn = Spent()
        self._slowest = (0.0, "")
        self._depth = 0
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.setInterval(round(1e3 * INTERVAL))
        self._clock.timeout.connect(self._tick)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Measure while something goes on."""
        phase = self._phase = Phase(name)
        start = time.perf_counter()
        self._last, self._drawn = Spent.now(), replace(self.drawing)
        self._clock.start()
        try:
            yield phase
        finally:
            spin(0.02)  # a last tick, so that what came before it counts
            self._clock.stop()
            phase.seconds = time.perf_counter() - start
            self._phase = Phase("")

    def _tick(self) -> None:
        now = Spent.now()
        self._phase.gaps.append(
            Gap(
                max(0.0, now.wall - self._last.wall - INTERVAL),
                self.drawing.wall - self._drawn.wall,
                (now.process - self._last.process)
                - (self.drawing.process - self._drawn.process),
                self._slowest,
            )
        )
        self._last, self._drawn, self._slowest = now, replace(self.drawing), (0.0, "")

    def time_plugin(self) -> None:
        """Time every call from outside into a class of the plugin."""
        for module_name, module in list(sys.modules.items()):
            if not module_name.startswith(_OURS):
                continue
            for cls in vars(module).values():
                if isinstance(cls, type) and cls.__module__ == module_name:
                    self._time_class(cls)

    def _time_class(self, cls: type) -> None:
        if not issubclass(cls, QObject) and not cls.__name__.endswith("Controller"):
            return
        for name, function in list(vars(cls).items()):
            if type(function) is FunctionType and not (
                name.startswith("__") or inspect.isgeneratorfunction(function)
            ):
                setattr(cls, name, self._timed(function))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        parameters = inspect.signature(function).parameters.values()
        takes_all = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        most = None if takes_all else len(parameters)

        @wraps(function)
        def timed(*args: Any, **values: Any) -> Any:
            # PyQt leaves out arguments of a signal that a slot does not take.
            args = args[:most]
            if self._depth:
                return function(*args, **values)
            self._depth += 1
            start, spent = Spent.now(), Spent()
            try:
                return function(*args, **values)
            finally:
                self._depth -= 1
                spent.add(start)
                name = function.__qualname__
                self._phase.calls.append((spent.wall, spent.cpu, name))
                self._slowest = max(self._slowest, (spent.wall, name))

        return timed


class WatchedApplication(QApplication):
    """An application that tells how long the canvas takes to draw."""

    _update: Spent | None = None
    _others = Spent()

    def __init__(self) -> None:
        super().__init__(sys.argv[:1])
        self.watch = Watch()

    def notify(self, receiver: QObject, event: QEvent) -> bool:
        """Time the drawing of the canvas, but not that of other widgets."""
        kind = event.type()
        if self._update is None:
            if kind in _DRAWN or _is_canvas(receiver, kind):
                return self._draw(receiver, event)
        elif kind == QEvent.Type.Paint and not isinstance(receiver, QOpenGLWidget):
            start = Spent.now()
            result = super().notify(receiver, event)
            self._others.add(start)
            return result
        return super().notify(receiver, event)

    def _draw(self, receiver: QObject, event: QEvent) -> bool:
        self._update, self._others = Spent.now(), Spent()
        try:
            return super().notify(receiver, event)
        finally:
            drawing = self.watch.drawing
            drawing.add(self._update)
            drawing.wall -= self._others.wall
            drawing.cpu -= self._others.cpu
            drawing.process -= self._others.process
            self._update = None


def _is_canvas(receiver: QObject, kind: QEvent.Type) -> bool:
    """Whether an event has the canvas draw itself outside of an update."""
    draws = kind in (QEvent.Type.Paint, QEvent.Type.Resize)
    return draws and isinstance(receiver, QOpenGLWidget)


class PaintTimes(QObject):
    """When widgets were painted for the first time since.

    Parameters
    ----------
    widgets : QWidget
        To be painted.
    """

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self._waiting = set(widgets)
        self.last = 0.0
        for widget in widgets:
            widget.installEventFilter(self)

    @property
    def all_painted(self) -> bool:
        """Whether each of them has been painted."""
        return not self._waiting

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take note of a first painting."""
        is_paint = event is not None and event.type() == QEvent.Type.Paint
        if is_paint and watched in self._waiting:
            self._waiting.discard(watched)
            self.last = time.perf_counter()
        return False


def spin(seconds: float) -> None:
    """Let the window live for some time."""
    loop = QEventLoop()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()


def wait(condition: Callable[[], object], timeout: float = 600) -> None:
    """Let the window live until something is so."""
    loop = QEventLoop()
    poll = QTimer(interval=20)
    end = time.monotonic() + timeout
    poll.timeout.connect(
        lambda: (condition() or time.monotonic() > end) and loop.quit()
    )
    poll.start()
    loop.exec()
    poll.stop()
    if not condition():
        raise TimeoutError(f"Waited {timeout} s in vain.")


def renderer(canvas: QWidget) -> str:
    """Return the name of what draws the canvas."""
    from vispy.gloo import gl

    canvas.makeCurrent()
    return str(gl.glGetParameter(gl.GL_RENDERER))
