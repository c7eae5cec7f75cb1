"""Attacks by work: cancelled in the window at any moment, and a window long in use."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from attack_base import Child, Sessions, Tried, after_next_save, content, free_images
from attack_windows import ready_for_windows, spin, wait, window_on
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.estimating import HowLong
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session

if TYPE_CHECKING:
    from napari_spaceediting.plugin.workbench import Workbench
    from napari_spaceediting.session.session import Session

LONGEST, GROWTH, OWN, THREADS, HANDLES = (
    "longest time from Cancel to a free window, s",
    "memory of the window after the first 5 minutes, % more at most",
    "the same without files that are mapped, % more at most",
    "threads of the window, more at the end than after 5 minutes",
    "handles of the window, more at the end than after 5 minutes",
)
SOAK_S, SETTLED_S = 1800.0, 300.0
_CANCELS, _REPORTS, _LABELS, _PATIENCE = 12, 8, 40, 600.0


class CancelledInWindow:
    """Jobs that are cancelled in a real window at random moments, several in each.

    Attributes
    ----------
    figures : dict of str to float
        What was measured.
    """

    def __init__(self, sessions: Sessions, work: Path) -> None:
        ready_for_windows(work)
        self._sessions, self._work = sessions, work
        self._large = _make_large(sessions.base.parent / "large.spaceediting")
        self.figures: dict[str, float] = {}

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        folder = self._work / "shown.spaceediting"
        save_session(load_session(self._large), folder)
        more, seed = self._sessions.more(0), int(rng.integers(1 << 32))
        found, problems = _found_by(lambda: _cancel(folder, more, seed), self._work)
        if found:
            self.figures = {LONGEST: max(found["seconds"], default=0.0)}
            problems += found["problems"]
            return f"a window, {_CANCELS} jobs", problems + after_next_save(folder)
        return "a window", problems


class Soak:
    """One window in use for half an hour.

    Attributes
    ----------
    figures : dict of str to float
        What was measured.
    """

    def __init__(self, sessions: Sessions, work: Path) -> None:
        ready_for_windows(work)
        self._work = work
        self._large = _make_large(sessions.base.parent / "large.spaceediting")
        self.figures: dict[str, float] = {}

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        folder = self._work / "shown.spaceediting"
        save_session(load_session(self._large), folder)
        found, problems = _found_by(lambda: _use(folder), self._work)
        if not found:
            return "a window", problems
        n_rounds = len(load_session(folder).rounds)
        if n_rounds != found["times"]:
            problems.append(f"{n_rounds} rounds are there of {found['times']}")
        self.figures = _grown(found["samples"])
        first, last = found["samples"][0], found["samples"][-1]
        how = (
            f"{found['times']} times all of it in {last[0] / 60:.0f} min, "
            f"memory from {first[1]:.0f} to {last[1]:.0f} MB, "
            f"without mapped files from {first[2]:.0f} to {last[2]:.0f} MB"
        )
        return how, problems + after_next_save(folder)


def _found_by(task: Callable[[], int], work: Path) -> tuple[Any, list[str]]:
    """Run a task in a process of its own; return what it has written as JSON."""
    child = Child(task, work / "output")
    ended = child.wait(SOAK_S + 10 * _PATIENCE)
    lines = ended.output.strip().splitlines()
    if ended.code or not lines or "Traceback" in ended.output:
        return None, [f"ended with {ended.code}: {ended.output[-1500:]}"]
    return json.loads(lines[-1]), []


def _make_large(folder: Path) -> Path:
    """Make a session of 1,797 digits with a network and a map, once."""
    if not folder.exists():

        def make() -> int:
            settings = MapSettings(method="umap")
            session = new_session(digits(_LABELS), map_settings=settings)
            train = replace(session.state.train, epochs=5, device="cpu")
            session.set_train_settings(train)
            session.take_network(run_job(session.training()))
            session.take_map(run_job(session.mapping()))
            retraining = replace(session.state.retrain, arms=("control",))
            session.set_retrain_settings(retraining)
            save_session(session.state, folder)
            return 0

        ended = Child(make, folder.with_name("output")).wait(600)
        if ended.code:
            raise SystemExit(f"The session could not be made:\n{ended.output}")
    return folder


# Cancelling


def _cancel(folder: Path, more: Path, seed: int) -> int:
    """Start jobs in a window, cancel each, and print how that went."""
    rng = np.random.default_rng(seed)
    with window_on(folder) as bench:
        session = bench.state.session
        spec = session.shown.network.spec
        long = replace(session.state.train, epochs=200)
        free = free_images(session.dataset)
        starts: list[tuple[str, Callable[[], object]]] = [
            ("train", lambda: bench.training.train(spec, long)),
            ("map", lambda: bench.training.draw_map("umap")),
            ("add", lambda: bench.opening.add_images(more)),
            ("guide", bench.review.find),
            ("retrain", lambda: bench.training.retrain(session.state.retrain)),
            ("traverse", lambda: bench.show_change(free[10:40], "3")),
        ]
        seconds: list[float] = []
        problems: list[str] = []
        for number in range(_CANCELS):
            name, start = starts[number % len(starts)]
            if name == "guide":
                session.apply(Pin(free[:5], "3"))
            problem, took = _cancelled(bench, start, rng)
            seconds += [] if took is None else [took]
            problems += [f"{name}: {problem}"] if problem else []
            if session.state.proposal is not None:
                session.roll_back()
            if name == "traverse":
                while session.state.log.done:
                    session.undo()
    print(json.dumps({"seconds": seconds, "problems": problems}), flush=True)
    return 0


def _cancelled(
    bench: Workbench, start: Callable[[], object], rng: np.random.Generator
) -> tuple[str, float | None]:
    """Start a job and cancel it; return what is wrong, and how long it took in s.

    None where it came to its end before.
    """
    state = bench.state
    wait(lambda: not state.is_busy, _PATIENCE)
    start()
    # It keeps what was chosen for it.
    before, steps, ended = state.session.state, [], []
    runner = state.training if state.training.is_running else state.reading
    if runner.running is None:
        return "it did not begin", None
    # A training begins when it is known how long it takes.
    wait(lambda: runner.running and not isinstance(runner.running, HowLong), _PATIENCE)
    job = runner.running
    with (
        connected(runner.progressed, lambda *_: steps.append(1)),
        connected(runner.finished, lambda *_: ended.append(1)),
    ):
        at, pause = int(rng.integers(_REPORTS)), float(rng.uniform(0, 0.3))
        wait(lambda: len(steps) >= at or runner.running is not job, _PATIENCE)
        spin(pause)
        begun = time.perf_counter()
        bench.editor.job_bar.cancel_button.click()
        wait(lambda: runner.running is not job)
        took = time.perf_counter() - begun
    now = state.session.state
    if ended:
        return "", None
    # What was finished is kept.
    kept = now.traversals != before.traversals or now.proposal is not None
    if not kept and content(now) != content(before):
        return "the session is not as before", took
    return "", took


@contextmanager
def connected(signal: Any, hear: Callable[..., object]) -> Iterator[None]:
    """Hear a signal for some time."""
    signal.connect(hear)
    try:
        yield
    finally:
        signal.disconnect(hear)


# A long time


def _use(folder: Path) -> int:
    """Use a window again and again, and print what it takes."""
    from napari_spaceediting.plugin.evidence import controller as evidence

    def agree(*_: object) -> bool:
        return True

    evidence.agrees = agree
    samples: list[tuple[float, ...]] = []
    with window_on(folder) as bench:
        session, me = bench.state.session, psutil.Process()
        start, times = time.monotonic(), 0
        while time.monotonic() < start + SOAK_S:
            _go_round(bench, session, np.random.default_rng(times))
            times += 1
            spin(0.5)
            now = time.monotonic() - start
            memory = [me.memory_info().rss / 1e6, _own_memory()]
            samples.append((now, *memory, me.num_threads(), me.num_fds()))
    print(json.dumps({"times": times, "samples": samples}), flush=True)
    return 0


def _go_round(bench: Workbench, session: Session, rng: np.random.Generator) -> None:
    """Select, drag, name, undo, redo, retrain, accept, and roll back."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from desktop import Hand

    view, naming = bench.map.view, bench.map.naming
    hand, free = Hand(view.canvas), free_images(session.dataset)
    pixels = view.viewport.to_canvas(session.edits.positions)
    size = np.array(view.viewport.size)
    inside = ((pixels > 60) & (pixels < size - 60)).all(axis=1)
    chosen = rng.permutation(free[inside[free]])[:5]
    for image in chosen:
        hand.click(pixels[image])
        spin(0.05)
        hand.press(pixels[image])
        for step in range(1, 6):
            hand.move(pixels[image] + 6 * step, held=True)
            spin(0.02)
        hand.release(pixels[image] + 30)
        wait(naming.picker.isVisible)
        QTest.keyClicks(naming.picker.focusWidget() or naming.picker, "3")
        QTest.keyClick(naming.picker.focusWidget() or naming.picker, Qt.Key.Key_Return)
        wait(lambda: not naming.picker.isVisible())
    bench.edits.undo()
    bench.edits.redo()
    wait(lambda: not bench.state.is_busy, _PATIENCE)
    bench.panels.retrain.retrain_button.click()
    wait(lambda: session.state.proposal is not None, _PATIENCE)
    wait(lambda: not bench.state.is_busy, _PATIENCE)
    spin(0.3)
    bench.evidence.accept_button.click()
    wait(lambda: session.state.proposal is None)
    spin(0.3)
    bench.evidence.roll_back_button.click()
    wait(lambda: session.state.log.done)
    while session.state.log.done:
        bench.edits.undo()
        spin(0.02)


def _grown(samples: list[list[float]]) -> dict[str, float]:
    """Return what a window takes more than when it had settled."""
    settled = [one for one in samples if one[0] >= SETTLED_S]
    first, last = settled[: len(settled) // 5 + 1], settled[-len(settled) // 5 :]

    def usual(of: list[list[float]], at: int) -> float:
        return statistics.median(one[at] for one in of)

    return {
        **{
            name: 100 * (max(one[at] for one in settled) / usual(first, at) - 1)
            for name, at in ((GROWTH, 1), (OWN, 2))
        },
        **{
            name: usual(last, at) - usual(first, at)
            for name, at in ((THREADS, 3), (HANDLES, 4))
        },
    }


def _own_memory() -> float:
    """Return what this process has in memory but for files, MB."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("RssAnon:")[2].split()[0]) / 1e3
