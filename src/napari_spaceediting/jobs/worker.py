"""A process beside the window that runs jobs, so that the window stays fluid."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, TypeVar

from napari_spaceediting.errors import JobCancelled, JobFailed
from napari_spaceediting.jobs.job import Job, Progress, or_stand_in
from napari_spaceediting.jobs.parcel import Parcel

R = TypeVar("R")

# Seconds between two looks at what the user and the child are doing.
_POLL = 0.02
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# By default glibc gives large blocks back to the system after each step of a network,
# and page faults fetch them anew. So blocks of up to 32 MB, the most that it can, come
# from its heap, of which half a gigabyte may lie idle. Other systems ignore this.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
}


class WorkerProcess:
    """Runs one job at a time in a process of its own.

    The child is a fresh interpreter (``python -m napari_spaceediting.jobs``), so
    that nothing of the user's script is imported again. It is started when it is
    first needed, kept for the next job, replaced if it dies, and ends with this
    process, however this process ends.

    Parameters
    ----------
    grace : float
        Seconds that a cancelled job has to stop by itself, at its next yield,
        before its process is killed.
    """

    def __init__(self, grace: float = 3.0) -> None:
        self._grace = grace
        self._child: _Child | None = None
        self._number = 0
        self._busy = threading.Lock()  # held while a job runs
        self._state = threading.Lock()  # guards what start and shutdown change
        self._cancel = threading.Event()  # belongs to the latest job
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether a job is being run."""
        return self._busy.locked()

    @property
    def pid(self) -> int | None:
        """The child's process id, None if there is no living child."""
        child = self._child
        return child.process.pid if child is not None and child.is_alive else None

    def start(self) -> None:
        """Launch the child, if there is none; returns at once."""
        # A running job has launched its own, and buries it if it dies.
        if not self.is_running:
            self._launch()

    def run(self, job: Job[R]) -> Generator[Progress, None, R]:
        """Run a job in the child.

        Parameters
        ----------
        job : Job
            Frozen inputs that can be pickled.

        Returns
        -------
        generator of Progress
            Blocks until the child reports, and returns the job's result, or its last
            `StandIn` if it is cancelled or fails. Progress comes at most about 20 times
            a second, but the last one and those with a finished part always. Closing
            the generator cancels the job.

        Raises
        ------
        SpaceEditingError
            Whatever the job raised of this kind, as its own class.
        JobCancelled
            After `cancel` or `shutdown`.
        JobFailed
            If the job raised anything else, could not be sent, or its process
            died; the child's traceback is attached as a note.
        """
        if self.is_running:
            raise JobFailed(f"{job.name} must wait: another job is still running.")
        self._cancel = cancel = threading.Event()
        return self._run(job, cancel)

    def cancel(self) -> None:
        """Ask the current job to stop; callable from any thread, returns at once."""
        self._cancel.set()

    def shutdown(self) -> None:
        """End the child at once and for good; a running job ends as cancelled."""
        self._cancel.set()
        with self._state:
            self._closed = True
            if self._child is not None:
                self._child.kill()
                # A job that is running holds the connection and tidies up itself.
                if self._busy.acquire(blocking=False):
                    self._child.end()
                    self._busy.release()

    def _launch(self) -> None:
        with self._state:
            if self._closed or (self._child is not None and self._child.is_alive):
                return
            if self._child is not None:
                self._child.end()
            self._child = _Child()

    def _run(
        self, job: Job[R], cancel: threading.Event
    ) -> Generator[Progress, None, R]:
        if not self._busy.acquire(blocking=False):
            raise JobFailed(f"{job.name} must wait: another job is still running.")
        try:
            self._number += 1
            packed = _pack(job)
            child = self._connected_child(job, cancel)
            steps = self._drive(child, job, packed, self._number, cancel)
            return (yield from or_stand_in(steps))
        finally:
            self._busy.release()

    def _connected_child(self, job: Job[Any], cancel: threading.Event) -> _Child:
        self._launch()
        child = self._child
        if child is None or self._closed:
            raise JobFailed(
                f"{job.name} cannot run: the background process has been shut down."
            )
        while not child.accepted.wait(_POLL) and child.is_alive:
            if cancel.is_set():
                raise JobCancelled(f"{job.name} was cancelled.")
        if child.connection is None:
            raise self._death(child, job, cancel)
        return child

    def _drive(
        self,
        child: _Child,
        job: Job[R],
        packed: Parcel,
        number: int,
        cancel: threading.Event,
    ) -> Generator[Progress, None, R]:
        finished = False
        try:
            child.send("run", number, packed)
            while not cancel.is_set():
                message = child.receive(_POLL)
                if message is None or message[1] != number:
                    continue  # a late word of an earlier job is not for this one
                kind, _, parcel = message
                if kind == "progress":
                    yield parcel.unpack()
                    continue
                finished = True
                if kind == "failed":
                    raise _error(job, *parcel.unpack())
                result: R = parcel.unpack()
                return result
            raise JobCancelled(f"{job.name} was cancelled.")
        except (EOFError, OSError):
            finished = True
            raise self._death(child, job, cancel) from None
        finally:
            if not finished:
                self._stop(child, number)

    def _stop(self, child: _Child, number: int) -> None:
        """Wait until the job has stopped, or kill its process after the grace."""
        deadline = time.monotonic() + self._grace
        with suppress(EOFError, OSError):
            child.send("cancel", number, Parcel.pack(None))
            while (left := deadline - time.monotonic()) > 0:
                message = child.receive(min(_POLL, left))
                if message is None or message[0] == "progress":
                    continue
                if message[1] == number:
                    return
        child.end()

    def _death(
        self, child: _Child, job: Job[Any], cancel: threading.Event
    ) -> JobCancelled | JobFailed:
        """Bury the child and return what to tell the user."""
        words = child.last_words()
        child.end()
        if cancel.is_set():
            return JobCancelled(f"{job.name} was cancelled.")
        return JobFailed(f"{job.name} stopped: the background process ended {words}.")


class _Child:
    """The process, the connection to it, and what it has printed."""

    def __init__(self) -> None:
        key = secrets.token_bytes(32)
        self._listener = _listener(key)
        # Held by the file system only as long as somebody has it open.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        self.process = subprocess.Popen(
            # -P: the folder that the user happens to be in holds no modules of ours.
            [sys.executable, "-P", "-m", "napari_spaceediting.jobs"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env=worker_environment(),
            creationflags=flags,
        )
        self.connection: Connection[Any, Any] | None = None
        self.accepted = threading.Event()
        threading.Thread(target=self._accept, name="worker", daemon=True).start()
        call = {"address": self._listener.address, "key": key.hex()}
        # A child that is dead already is noticed where its connection is awaited.
        with suppress(OSError), self.process.stdin as stdin:  # type: ignore[union-attr]
            stdin.write(json.dumps(call).encode() + b"\n")

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def send(self, kind: str, number: int, parcel: Parcel) -> None:
        assert self.connection is not None
        parcel.send(self.connection, kind, number)

    def receive(self, timeout: float) -> tuple[str, int, Parcel] | None:
        """Return the next message, None if there is none within `timeout` seconds."""
        assert self.connection is not None
        if self.connection.poll(timeout):
            return Parcel.receive(self.connection)
        if not self.is_alive and not self.connection.poll():
            raise EOFError
        return None

    def kill(self) -> None:
        """End the process; its connection breaks."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End the process and let go of everything that belongs to it."""
        self.kill()
        if not self.accepted.is_set():
            # The only way to wake a thread that waits for a call is to call it.
            with suppress(OSError):
                Client(self._listener.address).close()
            self.accepted.wait(timeout=1)
        if self.connection is not None:
            self.connection.close()
        self._log.close()

    def last_words(self) -> str:
        """Say how the process, whose connection broke, came to its end."""
        try:
            code = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the conversation"
        if code == -9:
            return "with exit code -9, probably out of memory"
        words = f"with exit code {code}"
        if code < 0:
            with suppress(ValueError):
                words += f", {signal.Signals(-code).name}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        spoken = [line.strip().rstrip(".") for line in lines if line.strip()]
        return f"{words} ({spoken[-1]})" if spoken else words

    def _accept(self) -> None:
        with suppress(EOFError, OSError, AuthenticationError), self._listener:
            self.connection = self._listener.accept()
        self.accepted.set()


def _listener(key: bytes) -> Listener:
    try:
        return Listener(authkey=key)
    except OSError:  # a socket has room for 100 letters; a temporary folder may not
        return Listener(("localhost", 0), authkey=key)


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker: this one, with a core left to the window."""
    threads = str(max(1, len(_usable_cores()) - 1))
    return dict.fromkeys(_THREAD_VARIABLES, threads) | _ALLOCATOR | os.environ


def _usable_cores() -> range | set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _pack(job: Job[Any]) -> Parcel:
    try:
        return Parcel.pack(job)
    except Exception as error:
        # pickle, and what it calls, raises errors of many kinds.
        raise JobFailed(
            f"{job.name} cannot be handed to the background process: {error}."
        ) from error


def _error(
    job: Job[Any], kind: type[Exception] | None, message: str, trace: str
) -> Exception:
    """Return the error that a job ended with, to be raised here."""
    if kind is not None:
        return kind(message)
    error = JobFailed(f"{job.name} failed: {message}.")
    error.add_note(trace)
    return error
