"""What all attacks share: small sessions, what is in them, and processes of our own."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import os
import pkgutil
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import napari_spaceediting
from napari_spaceediting.commands.main import main as command
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.index import weights_of
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session
from napari_spaceediting.session.store import SHELVES
from napari_spaceediting.session.traversals import Outcome
from napari_spaceediting.session.weights import Weights

N_IMAGES, N_MORE, CLASSES = 60, 6, ("bar", "dot", "ring")
TIMES = "created", "made", "seconds"
"""Fields in which the same work differs each time."""
LONGEST_S = 60.0
_END_WITH_PARENT = 1
_NAME = "napari_spaceediting"
_LIBRARIES = (
    "pandas",
    "scipy.optimize",
    "sklearn.decomposition",
    "sklearn.manifold",
    "sklearn.neighbors",
    "torch",
    "torch._dynamo",
    "umap",
)
_STATE_EVENTS = "open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"
_KEYED = re.compile(r"(arrays|checkpoints|weights)/([0-9a-f]{32})\.(npy|safetensors)")

Tried = tuple[str, list[str]]
"""The kind of a try, and what went wrong."""


@dataclass(frozen=True)
class Sessions:
    """Small sessions, only to be copied, and what is beside them.

    Attributes
    ----------
    base : Path
        Their folder.
    """

    base: Path

    def __getitem__(self, name: str) -> Path:
        return self.base / f"{name}.spaceediting"

    def copy(self, name: str, to: Path) -> Path:
        """Copy one, such as "trained"."""
        return Path(shutil.copytree(self[name], to))

    @property
    def images(self) -> Path:
        """What they were made of."""
        return self.base / "images.npz"

    def more(self, which: int) -> Path:
        """Return images to be added, of two such files."""
        return self.base / f"more{which}.npz"

    def edits(self, which: int) -> Path:
        """Return edits to be made, of two such files."""
        return self.base / f"edits{which}.json"

    @cached_property
    def contents(self) -> dict[str, str]:
        """What is in each."""
        found = self.base.glob("*.spaceediting")
        return {path.stem: content(load_session(path)) for path in found}


def make_sessions(base: Path) -> Sessions:
    """Make sessions that are new, trained, proposed and whole, once."""
    made = Sessions(base)
    if made["whole"].exists():
        return made
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    rng = np.random.default_rng(0)
    _write_images(made.images, rng, N_IMAGES)
    for which in (0, 1):
        _write_images(made.more(which), rng, N_MORE)
    todo: list[tuple[str, str, list[str]]] = [
        ("new", "drawn", ["train", "SESSION", "--epochs", "1"]),
        ("drawn", "trained", ["map", "SESSION", "--method", "pca"]),
        ("trained", "proposed", retrain(made.edits(0))),
        ("proposed", "accepted", ["accept", "SESSION"]),
    ]
    _succeed(lambda: _begin(made), base / "output")
    _write_edits(made)
    for start, name, words in todo:
        made.copy(start, made[name])
        _succeed(lambda n=name, w=words: run_command(w, made[n]), base / "output")
    _succeed(lambda: _add_the_rest(made), base / "output")
    return made


def import_everything() -> None:
    """Import what the commands use, so that forked processes need not."""
    for module in pkgutil.walk_packages(napari_spaceediting.__path__, f"{_NAME}."):
        if not module.name.startswith((f"{_NAME}.plugin", f"{_NAME}.__main__")):
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)


def retrain(edits: Path) -> list[str]:
    """Return the words of the quickest retraining."""
    return ["retrain", "SESSION", "--edits", str(edits), "--arms", "--steps", "1"]


def run_command(words: list[str], session: Path) -> int:
    """Run a command of the terminal in this process."""
    return command([str(session) if w == "SESSION" else w for w in words])


def free_images(dataset: ImageDataset) -> np.ndarray:
    """Return the images that may be edited and have no label."""
    return np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)


def _write_images(path: Path, rng: np.random.Generator, n: int) -> None:
    labels = np.arange(n) % len(CLASSES)
    images = rng.integers(0, 60, (n, 8, 8), np.uint8)
    images[labels == 0, :, 3:5] += 150
    images[labels == 1, 3:5, 3:5] += 190
    images[labels == 2, 1:7, 1] += 150
    images[labels == 2, 1:7, 6] += 150
    names = np.array(CLASSES)
    np.savez(path, images=images, labels=labels, class_names=names)


def _write_edits(made: Sessions) -> None:
    dataset = load_session(made["new"]).dataset
    free = dataset.ids[free_images(dataset)].tolist()
    for which in (0, 1):
        images = free[4 * which : 4 * which + 3]
        edit = {"kind": "pin", "images": images, "tag": CLASSES[which]}
        made.edits(which).write_text(json.dumps([edit]))


def _begin(made: Sessions) -> int:
    """Make a session that has its pixels in it."""
    from napari_spaceediting.data.open import OpenDataset
    from napari_spaceediting.data.pixels import ArrayPixels
    from napari_spaceediting.jobs.job import run_job
    from napari_spaceediting.session.session import new_session
    from napari_spaceediting.session.storage import save_session

    dataset = run_job(OpenDataset(made.images))
    pixels = ArrayPixels(np.load(made.images)["images"])
    dataset = replace(dataset, pixels=pixels)
    few = dataset.keep_labels(8, np.random.default_rng(0))
    save_session(new_session(few).state, made["new"])
    return 0


def _add_the_rest(made: Sessions) -> int:
    """Make a session that has one of everything."""
    from napari_spaceediting.editing.answers import Answer, ProposalKind
    from napari_spaceediting.editing.edits import Withdraw
    from napari_spaceediting.editing.image_edits import Move, Pin
    from napari_spaceediting.jobs.job import run_job
    from napari_spaceediting.session.session import Session
    from napari_spaceediting.traversal.settings import TraverseSettings

    with SessionFolder.open(made.copy("accepted", made["whole"])) as folder:
        session = Session(folder.load())
        free = free_images(session.dataset)
        places = session.edits.positions[free[:2]]
        session.apply(Move(free[:2], places, places + 1))
        session.apply(Pin(free[2:5], CLASSES[2]))
        session.apply(Withdraw(0))
        session.apply(Pin(free[5:6], "another"))
        session.undo()
        session.answer(Answer(ProposalKind.GROUP, free[:3], False, (0.5,)))
        sources = np.flatnonzero(session.dataset.labels == 0)[:1]
        job = session.traversing(sources, CLASSES[1], TraverseSettings(iterations=0))
        session.keep(job, run_job(job))
        folder.save(session.state)
    return 0


# What is in a session


def content(value: Any) -> str:
    """Return a digest of all that is in a state, or in a part of it.

    Weights are those of networks that a session can come back to; pixels are what they
    read; times are left out.
    """
    digest = hashlib.blake2b(digest_size=16)
    kept = set()
    if isinstance(value, SessionState):
        kept = set(map(id, weights_of(value.standing)))
    _feed(digest.update, value, kept)
    return digest.hexdigest()


def _feed(take: Callable[[bytes], object], value: Any, kept: set[int]) -> None:
    if isinstance(value, Weights) and id(value) not in kept:
        return
    if isinstance(value, Outcome):
        value = value.read()
    if isinstance(value, ImageDataset):
        for index in range(len(value)):
            _feed(take, value.original(index), kept)
    if is_dataclass(value):
        take(type(value).__name__.encode())
        for field in fields(value):
            part = getattr(value, field.name)
            is_time = field.name in TIMES and isinstance(part, str | float)
            if not is_time and field.name != "pixels":
                take(field.name.encode())
                _feed(take, part, kept)
    elif isinstance(value, np.ndarray):
        take(f"{value.dtype.str}{value.shape}".encode())
        take(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for name in sorted(value):
            take(name.encode())
            _feed(take, value[name], kept)
    elif isinstance(value, (tuple, list)):
        take(f"{len(value)}".encode())
        for each in value:
            _feed(take, each, kept)
    else:
        take(repr(value).encode())


def strays(folder: Path) -> list[str]:
    """Return the files of a session's folder that nothing names."""
    index = (folder / "session.json").read_text()
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        keyed = _KEYED.fullmatch(name)
        is_named = keyed is not None and keyed[2] in index
        known = *SHELVES, "session.json", "session.lock"
        if not is_named and name not in known:
            found.append(name)
    return found


def after_next_save(folder: Path) -> list[str]:
    """Save a session again; return what is wrong with it then."""
    before = content(load_session(folder, _ignore))
    with SessionFolder.open(folder) as place:
        place.save(place.load(_ignore))
    problems = [f"{name} is left after the next save" for name in strays(folder)]
    if content(load_session(folder, _ignore)) != before:
        problems.append("the next save changed it")
    return problems


def _ignore(_: str) -> None:
    return


def is_one_sentence(text: str) -> bool:
    """Whether what was told to the user is one line and no traceback."""
    told = text.strip()
    return bool(told) and "\n" not in told and "Traceback" not in told


# Processes


@dataclass(frozen=True)
class Ended:
    """How a process came to its end: its exit code, below 0 for a signal."""

    code: int
    output: str
    seconds: float


class Child:
    """A task in a forked process with a process group of its own.

    The program is imported already, so that a try takes no seconds.

    Parameters
    ----------
    task : callable
        Returns the exit code.
    output : Path
        Takes what it prints.
    """

    def __init__(self, task: Callable[[], int], output: Path) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._output = output
        # It may be killed before it writes anything.
        output.write_bytes(b"")
        self._start = time.perf_counter()
        self.pid = os.fork()
        if not self.pid:
            _work(task, output)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = LONGEST_S) -> Ended:
        """Wait for its end; what takes longer is killed, with the code -9."""
        end = time.perf_counter() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            now = time.perf_counter()
            if pid:
                output = self._output.read_text(errors="replace")
                took = now - self._start
                return Ended(os.waitstatus_to_exitcode(status), output, took)
            if now > end:
                self.kill()
            time.sleep(0.001)

    def orphans(self) -> list[int]:
        """Return processes that it has left behind."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                rest = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if self.pid in (int(rest[2]), int(rest[3])):
                found.append(int(stat.parent.name))
        return found


def _work(task: Callable[[], int], output: Path) -> None:
    code = 70
    try:
        # It does not outlive the benchmark.
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        os.setsid()
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = task()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _succeed(task: Callable[[], int], output: Path) -> None:
    ended = Child(task, output).wait()
    if ended.code:
        raise SystemExit(f"The sessions could not be made:\n{ended.output}")


def at_event(folder: Path, act: Callable[[int, str], object]) -> None:
    """Act before each change of files that this process makes in a folder.

    It cannot be taken back: only a child should call it.

    Parameters
    ----------
    folder : Path
        Of which files are watched.
    act : callable
        Takes the number of the event, from 0, and its name. What it raises, the call
        raises.
    """
    count, inside, fsync = 0, os.fsdecode(folder), os.fsync

    def happen(name: str) -> None:
        nonlocal count
        count += 1
        act(count - 1, name)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event not in _STATE_EVENTS or not isinstance(values[0], (str, Path)):
            return
        changes = event != "open" or bool(
            (values[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if changes and str(values[0]).startswith(inside):
            happen(event)

    def watched(handle: int) -> None:
        happen("fsync")
        fsync(handle)

    os.fsync = watched
    sys.addaudithook(hook)
