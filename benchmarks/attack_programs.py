"""Attacks by other programs: kills at random moments, and two writers at once."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock

from attack_base import (
    CLASSES,
    N_IMAGES,
    N_MORE,
    Child,
    Ended,
    Sessions,
    Tried,
    after_next_save,
    at_event,
    content,
    free_images,
    is_one_sentence,
    retrain,
    run_command,
)
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.session.files import is_session
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session
from napari_spaceediting.session.weights import Weights


class Killed:
    """SIGKILL at random moments of a command, or of saving again and again."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work
        self._known: dict[str, tuple[float, int, str]] = {}

    @cached_property
    def _commands(self) -> dict[str, tuple[str, list[str]]]:
        made = self._sessions
        return {
            "new": ("", ["new", str(made.images), "SESSION"]),
            "train": ("trained", ["train", "SESSION", "--epochs", "1"]),
            "map": ("trained", ["map", "SESSION", "--method", "pca"]),
            "retrain": ("trained", [*retrain(made.edits(1)), "--accept"]),
            "add": ("whole", ["add", "SESSION", str(made.more(0))]),
            "evidence": ("proposed", ["evidence", "SESSION"]),
        }

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        if number % 2:
            return self._saving(rng)
        return self._command(list(self._commands)[number // 2 % 6], rng)

    def _command(self, name: str, rng: np.random.Generator) -> Tried:
        seconds, events, after = self._undisturbed(name)
        start, words = self._commands[name]
        before = self._sessions.contents[start] if start else ""
        folder, output = self._work / f"{name}.spaceediting", self._work / "output"
        if start:
            self._sessions.copy(start, folder)
        is_timed = events == 0 or rng.random() < 0.5
        at = int(rng.integers(events or 1))

        def work() -> int:
            if not is_timed:
                at_event(folder, lambda n, _: n < at or os.kill(os.getpid(), 9))
            return run_command(words, folder)

        child = Child(work, output)
        if is_timed:
            time.sleep(rng.uniform(0, 1.1 * seconds))
            child.kill()
        ended = child.wait()
        how = f"{name}, {'at a moment' if is_timed else 'at a change of files'}"
        problems = [f"process {pid} is left" for pid in child.orphans()]
        if ended.code not in (0, -9):
            return how, [f"ended with {ended.code}: {ended.output[-300:]}"]
        if not start and not is_session(folder):
            again = Child(lambda: run_command(words, folder), output).wait()
            if again.code:
                return how, [*problems, f"not made again: {again.output[-300:]}"]
        found = content(load_session(folder))
        wanted = [after] if ended.code == 0 or not start else [before, after]
        if found not in wanted:
            problems.append("it is neither as before nor as after")
        problems += after_next_save(folder)
        return how if ended.code else f"{name}, at its end", problems

    def _undisturbed(self, name: str) -> tuple[float, int, str]:
        """Return how long a command takes, in s and events, and what comes of it."""
        if name not in self._known:
            start, words = self._commands[name]
            folder = self._work / "undisturbed.spaceediting"
            counted = self._work / "counted"
            counted.write_text("")
            if start:
                self._sessions.copy(start, folder)

            def work() -> int:
                handle = os.open(counted, os.O_WRONLY)
                at_event(folder, lambda *_: os.write(handle, b"."))
                return run_command(words, folder)

            ended = Child(work, self._work / "output").wait()
            if ended.code:
                raise SystemExit(f"{name} failed undisturbed: {ended.output}")
            events = len(counted.read_text())
            found = content(load_session(folder))
            self._known[name] = ended.seconds, events, found
        return self._known[name]

    def _saving(self, rng: np.random.Generator) -> Tried:
        folder = self._sessions.copy("trained", self._work / "saved.spaceediting")
        at = int(rng.integers(200))

        def work() -> int:
            with SessionFolder.open(folder) as place:
                start = place.load()
                at_event(folder, lambda n, _: n < at or os.kill(os.getpid(), 9))
                for step in range(1, 100):
                    os.write(1, f"{step} ".encode())
                    place.save(_changed(start, step))
                    os.write(1, b"done ")
            return 0

        child = Child(work, self._work / "output")
        if rng.random() < 0.5:
            at = 10**9
            time.sleep(rng.uniform(0.02, 0.3))
            child.kill()
        ended = child.wait()
        if ended.code != -9:
            return "saving", [f"ended with {ended.code}: {ended.output[-300:]}"]
        said = ended.output.split()
        begun = int(said[-1]) if said and said[-1] != "done" else None
        finished = int(said[-2]) if said[-1:] == ["done"] else (begun or 1) - 1
        found = load_session(folder)
        start = load_session(self._sessions["trained"])
        wanted = {content(_changed(start, n)) for n in (finished, begun or finished)}
        problems = [f"process {pid} is left" for pid in child.orphans()]
        if content(found) not in wanted:
            problems.append(f"it is not as after saving {finished}")
        return "saving", problems + after_next_save(folder)


def _changed(state: SessionState, step: int) -> SessionState:
    """Return a state with other labels and weights for each step; as it was for 0."""
    checkpoint = state.checkpoint
    if not step:
        return state
    assert checkpoint.network is not None
    network = replace(
        checkpoint.network,
        state=Weights({n: v + step for n, v in checkpoint.network.state.items()}),
    )
    rng = np.random.default_rng(step)
    labels = rng.integers(-1, len(CLASSES), N_IMAGES)
    changed = replace(checkpoint, labels=labels, network=network)
    return replace(state, checkpoint=changed, seed=step)


class TwoWriters:
    """Two commands or two scripts on one session, a random time apart."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        return self._commands(rng) if number % 5 == 0 else self._scripts(rng)

    def _commands(self, rng: np.random.Generator) -> Tried:
        folder = self._sessions.copy("trained", self._work / "both.spaceediting")
        names = rng.choice(["retrain", "add", "map", "evidence", "new"], 2)
        waits = bool(rng.random() < 0.4)
        pair = []
        for which, name in enumerate(names):
            words = self._words(name, which)
            if waits and name in ("retrain", "add", "map"):
                words.append("--wait")
            pair.append((folder, words))
        first, second = self._both(
            [lambda w=words, f=path: run_command(w, f) for path, words in pair],
            rng.uniform(0, 0.5),
        )
        state = load_session(folder)
        problems = []
        done = {"retrain": 0, "add": 0}
        for name, ended in zip(names, (first, second), strict=True):
            if ended.code == 0 and name in done:
                done[name] += 1
            must_fail = name == "new" or (name == "evidence" and not state.rounds)
            if "Traceback" in ended.output or ended.code not in (0, 1):
                problems.append(f"{name} ended with {ended.code}: {ended.output}")
            elif ended.code and not is_one_sentence(ended.output):
                problems.append(f"{name} told: {ended.output}")
            elif ended.code and waits and not must_fail and name != "evidence":
                problems.append(f"{name} waited in vain: {ended.output}")
        if len(state.rounds) != done["retrain"]:
            problems.append(f"{len(state.rounds)} rounds, {done['retrain']} told done")
        if len(state.dataset) != N_IMAGES + N_MORE * done["add"]:
            problems.append(f"{len(state.dataset)} images, {done['add']} told done")
        how = "two commands" + (", waiting" if waits else "")
        return how, problems + after_next_save(folder)

    def _words(self, name: str, which: int) -> list[str]:
        made = self._sessions
        return {
            "retrain": [*retrain(made.edits(which)), "--accept"],
            "add": ["add", "SESSION", str(made.more(which))],
            "map": ["map", "SESSION", "--method", "pca"],
            "evidence": ["evidence", "SESSION"],
            "new": ["new", str(made.images), "SESSION"],
        }[name]

    def _scripts(self, rng: np.random.Generator) -> Tried:
        folder = self._sessions.copy("trained", self._work / "both.spaceediting")
        how = str(rng.choice(["told", "waiting", "without locks"], p=[0.5, 0.3, 0.2]))
        pauses = rng.uniform(0, 0.02, (2, 3))
        ends = self._both(
            [lambda w=which: _edit(folder, w, pauses[w], how) for which in (0, 1)],
            rng.uniform(0, 0.03),
        )
        problems = []
        for which, ended in enumerate(ends):
            if ended.code == 0:
                place = Path(ended.output.strip().splitlines()[-1])
                tags = {edit.tag for edit in load_session(place).log.done}
                if f"by {which}" not in tags:
                    problems.append(f"{which} was told done, but {tags} is there")
            elif ended.code != 1 or not is_one_sentence(ended.output):
                problems.append(f"{which} ended with {ended.code}: {ended.output}")
            elif how == "waiting":
                problems.append(f"{which} waited in vain: {ended.output}")
        for place in folder.parent.glob("*.spaceediting"):
            problems += after_next_save(place)
        return f"two scripts, {how}", problems

    def _both(self, tasks: list, apart: float) -> tuple[Ended, Ended]:
        first = Child(tasks[0], self._work / "output1")
        time.sleep(apart)
        second = Child(tasks[1], self._work / "output2")
        return first.wait(), second.wait()


def _edit(folder: Path, which: int, pauses: np.ndarray, how: str) -> int:
    """Open a session, edit it and save it; print where it is."""
    if how == "without locks":
        FileLock.acquire = _without_locks
    try:
        with SessionFolder.open(folder, waits=how == "waiting") as place:
            time.sleep(pauses[0])
            session = Session(place.load(print))
            for pause in pauses[1:]:
                time.sleep(pause)
                free = free_images(session.dataset)
                session.apply(Pin(free[which : which + 1], f"by {which}"))
                place = place.save(session.state, print)
            print(place.path)
            place.close()
    except SpaceEditingError as error:
        print(error)
        return 1
    return 0


def _without_locks(*_: object, **__: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
