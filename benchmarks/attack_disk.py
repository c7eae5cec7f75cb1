"""Attacks by what happens to folders, disks that fail, and work that is cancelled."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from attack_base import (
    CLASSES,
    Child,
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
from napari_spaceediting.errors import JobCancelled, SpaceEditingError
from napari_spaceediting.jobs.job import Job, Progress, run_job
from napari_spaceediting.session.files import is_session
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session

_NAMES = "b.backup", "x.spaceediting (copy)", "plain", "ü ñ.spaceediting", "exp.v2", "a"
_DISK = 16 << 20
"""Bytes of a disk of our own."""
_STARTS = "new", "trained", "proposed", "whole"


class Places:
    """A session that is copied, renamed, linked or moved, closed and open."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        tasks = (
            self._copied,
            self._renamed,
            self._linked,
            self._within,
            self._moved_while_open,
            self._moved_and_back,
            self._gone_while_open,
            self._over_another,
            self._to_another_drive,
            self._from_another_drive,
        )
        task = tasks[number % len(tasks)]
        start = self._work / "one.spaceediting"
        self._sessions.copy(str(rng.choice(_STARTS)), start)
        place = self._work / str(rng.choice(_NAMES))
        return task.__name__[1:].replace("_", " "), task(start, place)

    def _copied(self, start: Path, place: Path) -> list[str]:
        shutil.copytree(start, place)
        shutil.rmtree(start)
        return _edited_in(place)

    def _renamed(self, start: Path, place: Path) -> list[str]:
        start.rename(place)
        return _edited_in(place)

    def _linked(self, start: Path, place: Path) -> list[str]:
        place.symlink_to(start, target_is_directory=True)
        return _edited_in(place)

    def _within(self, start: Path, _: Path) -> list[str]:
        before = Path.cwd()
        os.chdir(start)
        try:
            return _edited_in(Path())
        finally:
            os.chdir(before)

    def _moved_while_open(self, start: Path, place: Path) -> list[str]:
        return _saved_elsewhere(start, place, lambda: start.rename(place))

    def _moved_and_back(self, start: Path, place: Path) -> list[str]:
        with SessionFolder.open(start) as folder:
            state = _edit(folder.load())
            start.rename(place)
            problems = _refused(lambda: folder.save(state))
            if start.exists():
                problems.append("a stub is left")
            place.rename(start)
            folder.save(state)
        return problems + _holds(start, state)

    def _gone_while_open(self, start: Path, place: Path) -> list[str]:
        return _saved_elsewhere(start, place, lambda: shutil.rmtree(start))

    def _over_another(self, start: Path, place: Path) -> list[str]:
        """Another session takes the name while it is open."""
        shutil.copytree(start, place)
        save_session(_edit(load_session(place)), place)
        theirs = content(load_session(place))
        with SessionFolder.open(start) as folder:
            state = _edit(_edit(folder.load()))
            start.rename(start.with_name("away"))
            place.rename(start)
            with folder.save(state, lambda _: None) as other:
                mine = other.path
        problems = _holds(mine, state)
        if content(load_session(start)) != theirs:
            problems.append("the other session was overwritten")
        return problems

    def _to_another_drive(self, start: Path, place: Path) -> list[str]:
        drive = _other_drive()
        if drive is None:
            return []
        try:
            return _saved_elsewhere(
                start, place, lambda: shutil.move(start, drive / place.name)
            ) + _edited_in(drive / place.name)
        finally:
            shutil.rmtree(drive)

    def _from_another_drive(self, start: Path, place: Path) -> list[str]:
        drive = _other_drive()
        if drive is None:
            return []
        try:
            there = Path(shutil.move(start, drive / start.name))
            problems = _edited_in(there)
            return problems + _saved_elsewhere(
                there, place, lambda: shutil.move(there, self._work / "back")
            )
        finally:
            shutil.rmtree(drive)


def _other_drive() -> Path | None:
    memory = Path("/dev/shm")
    if not memory.is_dir():
        return None
    drive = memory / f"attack-{os.getpid()}"
    drive.mkdir()
    return drive


def _edit(state: SessionState) -> SessionState:
    """Return a state with one more edit, or a decision first where one is due."""
    session = Session(state)
    if state.proposal is not None:
        session.accept()
    if state.checkpoint.map is None:
        return replace(state, seed=state.seed + 1)
    free = free_images(session.dataset)
    session.apply(Pin(free[-3:], CLASSES[0]))
    return session.state


def _edited_in(place: Path) -> list[str]:
    """Open, edit, save and open again; return what is wrong."""
    with SessionFolder.open(place) as folder:
        state = _edit(folder.load())
        folder.save(state)
    return _holds(place, state)


def _holds(place: Path, state: SessionState) -> list[str]:
    if content(load_session(place)) != content(state):
        return ["what was saved is not what is there"]
    return after_next_save(place)


def _saved_elsewhere(start: Path, place: Path, move: Callable[[], object]) -> list[str]:
    """Edit a session whose folder goes meanwhile, and save it elsewhere."""
    with SessionFolder.open(start) as folder:
        state = _edit(folder.load())
        # A traversal that nobody looked at stays in its files, as documented.
        for kept in state.traversals:
            kept.outcome.source = kept.outcome.read()
        before = content(state)
        move()
        problems = _refused(lambda: folder.save(state))
        if start.exists():
            problems.append("a stub is left")
        other = place.with_name("saved elsewhere")
        with SessionFolder.new(other) as there:
            there.save(state)
    if content(load_session(other)) != before:
        problems.append("what was saved elsewhere is not all")
    return problems + after_next_save(other)


def _refused(work: Callable[[], object]) -> list[str]:
    try:
        work()
    except SpaceEditingError as error:
        told = str(error)
        return [] if is_one_sentence(told) else [f"it was told as: {told}"]
    return ["it was not refused"]


_FAULTS = {
    "full disk": (errno.ENOSPC, ("open", "os.mkdir", "os.rename", "fsync")),
    "quota": (errno.EDQUOT, ("open", "os.mkdir", "os.rename", "fsync")),
    "read-only": (
        errno.EROFS,
        ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"),
    ),
    "permission": (
        errno.EACCES,
        ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"),
    ),
    "broken disk": (errno.EIO, ("open", "os.mkdir", "os.rename", "os.remove", "fsync")),
}


class FullDisk:
    """A write that fails, and with it all later ones or that one alone."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        is_command = number % 2 == 1
        if number % 4 == 0:
            return self._file_size(rng)
        if number % 4 == 1 and _may_mount():
            return self._small_disk(rng, is_command=number % 8 == 1)
        fault = list(_FAULTS)[number % len(_FAULTS)]
        return self._fault(fault, rng, is_command)

    def _file_size(self, rng: np.random.Generator) -> Tried:
        """Let no file grow beyond some size, as a quota does in the midst of it."""
        limit = int(np.exp(rng.uniform(0, np.log(300_000))))

        def limited(_: Path) -> None:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

        problems = self._tried(limited, False, rng, self._work)
        return "a size that no file exceeds, saving", problems

    def _small_disk(self, rng: np.random.Generator, is_command: bool) -> Tried:
        """Fill a disk but for some bytes, as other programs do."""
        disk = self._work / "disk"
        disk.mkdir()
        room = int(np.exp(rng.uniform(0, np.log(300_000))))

        def limited(_: Path) -> None:
            free = shutil.disk_usage(disk).free
            (disk / "of others").write_bytes(bytes(max(0, free - room)))

        mount = "mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(disk)
        subprocess.run(mount, check=True)
        try:
            problems = self._tried(limited, is_command, rng, disk)
        finally:
            subprocess.run(("umount", "-l", str(disk)), check=True)
        return f"a disk that is full, {_how(is_command)}", problems

    def _fault(self, fault: str, rng: np.random.Generator, is_command: bool) -> Tried:
        number, events = _FAULTS[fault]
        at, lasts = int(rng.integers(40)), bool(rng.random() < 0.7)

        def limited(folder: Path) -> None:
            count = 0

            def fail(_: int, event: str) -> None:
                nonlocal count
                if event not in events:
                    return
                count += 1
                if count > at if lasts else count == at + 1:
                    raise OSError(number, os.strerror(number), str(folder))

            at_event(folder, fail)

        problems = self._tried(limited, is_command, rng, self._work)
        return f"{fault}, {_how(is_command)}", problems

    def _tried(
        self,
        limit: Callable[[Path], None],
        is_command: bool,
        rng: np.random.Generator,
        place: Path,
    ) -> list[str]:
        start = str(rng.choice(_STARTS[1:]))
        if is_command:
            start = "trained"
        folder = self._sessions.copy(start, place / "one.spaceediting")
        before = self._sessions.contents[start]
        words = self._words(rng)
        state = _with_other_arrays(_edit(load_session(folder)), rng)
        after = content(state)

        def save() -> int:
            try:
                with SessionFolder.open(folder) as place:
                    place.load()
                    limit(folder)
                    place.save(state, print)
            except SpaceEditingError as error:
                os.write(1, str(error).encode())
                return 1
            return 0

        def command() -> int:
            limit(folder)
            return run_command(words, folder)

        # What is printed goes through a pipe, which no limit of sizes concerns.
        ended = Child(command if is_command else save, self._work / "output").wait()
        problems = []
        if ended.code not in (0, 1) or "Traceback" in ended.output:
            problems.append(f"ended with {ended.code}: {ended.output[-400:]}")
        elif ended.code and not is_one_sentence(ended.output):
            problems.append(f"it was told as: {ended.output[-400:]}")
        found = content(load_session(folder))
        (place / "of others").unlink(missing_ok=True)
        if not is_command and found not in (before, after):
            problems.append("it is neither as before nor as after")
        if ended.code == 0 and found == before and words[0] != "evidence":
            problems.append("it was told done, and is as before")
        if is_command and ended.code and found != before:
            # What could not be confirmed on disk may be there all the same.
            problems += [] if _is_decided(folder) else ["a failed command changed it"]
        return problems + after_next_save(folder)

    def _words(self, rng: np.random.Generator) -> list[str]:
        made = self._sessions
        every = [
            ["train", "SESSION", "--epochs", "2"],
            [*retrain(made.edits(1)), "--accept"],
            ["add", "SESSION", str(made.more(0))],
        ]
        return every[rng.integers(len(every))]


def _how(is_command: bool) -> str:
    return "a command" if is_command else "saving"


def _may_mount() -> bool:
    """Whether a disk of our own can be had, for which the system wants rights."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def _is_decided(folder: Path) -> bool:
    """Whether all that a session names is there, so that it is as after."""
    return is_session(folder) and bool(content(load_session(folder)))


def _with_other_arrays(state: SessionState, rng: np.random.Generator) -> SessionState:
    """Return a state that takes writing arrays to save."""
    checkpoint = state.checkpoint
    labels = rng.integers(-1, len(CLASSES), len(checkpoint.labels))
    return replace(state, checkpoint=replace(checkpoint, labels=labels))


# Cancelling


@dataclass
class _Stop:
    """Raises at a step of a job."""

    at: int
    error: type[BaseException]
    steps: int = 0

    def __call__(self, _: Progress) -> None:
        self.steps += 1
        if self.steps > self.at:
            raise self.error("Cancelled.")


class Cancelled:
    """Jobs that are cancelled at a random step."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work
        self._steps: dict[str, int] = {}
        self._results: dict[str, str] = {}

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        from napari_spaceediting.network.jobs import ExtractActivations

        made = self._sessions
        session = Session(load_session(made["whole"]))
        free = Session(load_session(made["trained"]))
        network = session.shown.network
        assert network is not None
        sources = np.flatnonzero(session.dataset.labels == 0)[:2]
        jobs: dict[str, Callable[[], Job]] = {
            "train": lambda: free.training(),
            "map": lambda: free.mapping(),
            "retrain": lambda: session.retraining(),
            "guide": lambda: session.guiding(),
            "add": lambda: session.adding(made.more(0)),
            "traverse": lambda: session.traversing(sources, CLASSES[1]),
            "extract": lambda: ExtractActivations(
                session.dataset, network.spec, network.state, "cpu", "head"
            ),
        }
        free.set_train_settings(replace(free.state.train, epochs=2, device="cpu"))
        retraining = replace(session.state.retrain, steps=3, arms=("control",))
        session.set_retrain_settings(retraining)
        name = list(jobs)[number % len(jobs)]
        if name not in self._steps:
            whole = _Stop(10**9, JobCancelled)
            self._results[name] = content_of(run_job(jobs[name](), whole))
            self._steps[name] = whole.steps
        before = content(session.state), content(free.state), _bytes(made.base)
        error = KeyboardInterrupt if rng.random() < 0.5 else JobCancelled
        stop = _Stop(int(rng.integers(max(1, self._steps[name]))), error)
        kind = name
        try:
            run_job(jobs[name](), stop)
            kind += ", with what was finished"
        except (JobCancelled, KeyboardInterrupt):
            pass
        problems = []
        if (content(session.state), content(free.state), _bytes(made.base)) != before:
            problems.append("the session is not as before")
        again = content_of(run_job(jobs[name]()))
        if again != self._results[name]:
            problems.append("what comes of it the next time is not the same")
        return kind, problems


def content_of(result: object) -> str:
    """Return a digest of what came of a job."""
    return content(result)


def _bytes(base: Path) -> str:
    files = sorted(base.rglob("*.spaceediting/**/*"))
    return content([path.read_bytes() for path in files if path.is_file()])
