"""Attacks by and on the window: as second writer, two viewers, and killed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attack_base import (
    LONGEST_S,
    Child,
    Ended,
    Sessions,
    Tried,
    after_next_save,
    free_images,
    is_one_sentence,
    retrain,
    run_command,
)
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.session.storage import load_session

if TYPE_CHECKING:
    from napari_spaceediting.plugin.workbench import Workbench

_SAVED = "saved by "


class Windows:
    """A real window in a forked process, beside another program or until it is killed.

    It needs a display, such as that of ``xvfb-run``.
    """

    def __init__(self, sessions: Sessions, work: Path) -> None:
        ready_for_windows(work)
        self._sessions, self._work = sessions, work

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        folder = self._sessions.copy("trained", self._work / "shown.spaceediting")
        if number % 3 == 0:
            return "a window, killed", self._killed(folder, rng)
        tasks = [lambda w=which: _edit(folder, w) for which in (0, 1)]
        how = "two windows"
        if number % 3 == 1:
            words = [*retrain(self._sessions.edits(1)), "--accept"]
            tasks[1] = lambda: run_command(words, folder)
            how = "a window and a command"
        if rng.random() < 0.5:
            tasks.reverse()
        return how, self._beside(folder, tasks, float(rng.uniform(0, 4)))

    def _beside(
        self, folder: Path, tasks: list[Callable[[], int]], apart: float
    ) -> list[str]:
        first = Child(tasks[0], self._work / "output1")
        time.sleep(apart)
        second = Child(tasks[1], self._work / "output2")
        problems = []
        for child in (first, second):
            ended = child.wait()
            problems += _not_as_told(ended, folder)
            problems += [f"process {pid} is left" for pid in _left(child)]
        for place in folder.parent.glob("*.spaceediting"):
            problems += after_next_save(place)
        return problems

    def _killed(self, folder: Path, rng: np.random.Generator) -> list[str]:
        output = self._work / "output"
        child = Child(lambda: _edit(folder, 0), output)
        time.sleep(rng.uniform(0, 8))
        child.kill()
        ended = child.wait()
        problems = [f"process {pid} is left" for pid in _left(child)]
        problems += _not_as_told(ended, folder)
        return problems + after_next_save(folder)


def ready_for_windows(work: Path) -> None:
    """Import what windows need, so that forked processes need not.

    The application is made by each of its own.
    """
    if not os.environ.get("DISPLAY"):
        raise SystemExit("There is no display: run it by xvfb-run -a.")
    os.environ["NAPARI_CONFIG"] = str(work.parent / "napari.yaml")
    import napari  # noqa: F401

    import napari_spaceediting.plugin.workbench  # noqa: F401


class Asked(Exception):
    """The window has asked something before it opened a session."""


@contextmanager
def window_on(folder: Path) -> Iterator[Workbench]:
    """Open a session in a window; close it at the end.

    Raises
    ------
    Asked
        If it can only be read; that is declined.
    """
    import napari

    from napari_spaceediting.network import estimating
    from napari_spaceediting.plugin.opening import controller
    from napari_spaceediting.plugin.workbench import workbench_of

    estimating.LONG = math.inf  # nobody is there to be asked
    asked: list[str] = []

    def answer_no(_: object, __: str, question: str) -> bool:
        asked.append(question)
        return False

    controller.agrees = answer_no
    viewer = napari.Viewer()
    try:
        bench = workbench_of(viewer)
        bench.show_docks()
        bench.opening.open_session(folder)
        wait(lambda: asked or bench.state.session is not None)
        if asked:
            raise Asked(asked[0].partition("\n")[0])
        wait(lambda: not bench.state.is_busy)
        yield bench
    finally:
        viewer.close()


def wait(is_so: Callable[[], object], seconds: float = LONGEST_S) -> None:
    """Let the window do what it does until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError
        QApplication.processEvents()
        time.sleep(0.005)


def spin(seconds: float) -> None:
    """Let the window do what it does for some time."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def _edit(folder: Path, which: int) -> int:
    """Open a session in a window, edit it, and close the window; print what was told.

    What was edited counts as done when the window has closed without complaint.
    """
    from napari.utils.notifications import notification_manager

    try:
        with window_on(folder) as bench:
            session = bench.state.session
            free = free_images(session.dataset)
            for step in range(3):
                session.apply(Pin(free[3 * which + step :][:1], f"by {which}"))
                spin(0.7)
            place = bench.state.folder
            bench.shutdown()
            told = [note.message for note in notification_manager.records]
            print(*told, f"{_SAVED}{which}: {place.path}", sep="\n", flush=True)
    except Asked as asked:
        print(asked)
        return 1
    return 0


def _not_as_told(ended: Ended, folder: Path) -> list[str]:
    """Return what is wrong with the end of a program."""
    lines = ended.output.strip().splitlines()
    if "Traceback" in ended.output:
        return [ended.output[-1500:]]
    # Libraries may say something when the window closes.
    saved = [line for line in lines if line.startswith(_SAVED)]
    if saved:
        which, _, place = saved[0].removeprefix(_SAVED).partition(": ")
        tags = {edit.tag for edit in load_session(Path(place)).log.done}
        is_there = f"by {which}" in tags
        return [] if is_there else [f"{which} was told done, but {tags} is there"]
    if ended.code == 0:
        is_there = bool(load_session(folder).rounds)
        return [] if is_there else [f"no round is there: {ended.output[-1000:]}"]
    if ended.code == 1 and not is_one_sentence(lines[-1] if lines else ""):
        return [f"told: {ended.output[-300:]}"]
    return [] if ended.code in (1, -9) else [f"ended with {ended.code}"]


def _left(child: Child) -> list[int]:
    """Return processes that are still there when they have had time to end."""
    end = time.monotonic() + 10
    while (left := child.orphans()) and time.monotonic() < end:
        time.sleep(0.1)
    return left
