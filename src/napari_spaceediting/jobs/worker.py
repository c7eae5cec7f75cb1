"""A process beside the window that runs jobs, so that the window stays fluid."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from typing import IO, Any, TypeVar

from napari_spaceediting.errors import JobCancelled, JobFailed
from napari_spaceediting.jobs.job import Job, Progress, or_stand_in
from napari_spaceediting.jobs.messages import BROKEN, Message, receive, send

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
        before its process is killed. Only the next job waits for that.
    """

    def __init__(self, grace: float = 3.0) -> None:
        self._grace = grace
        self._child: _Child | None = None
        self._busy = threading.Lock()  # held until a job has stopped
        self._stopping: threading.Thread | None = None
        self._state = threading.Lock()  # guards what start and shutdown change
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether a job is being run, or has not stopped yet."""
        return self._busy.locked()

    @property
    def pid(self) -> int | None:
        """The child's process id, None if there is no living child."""
        child = self._child
        return child.process.pid if child is not None and child.is_alive else None

    def run(
        self,
        job: Job[R],
        cancel: threading.Event | None = None,
        enough: threading.Event | None = None,
    ) -> Generator[Progress, None, R]:
        """Run a job in the child.

        Parameters
        ----------
        job : Job
            Frozen inputs that can be pickled.
        cancel : threading.Event, optional
            Asks the job to stop when it is set, from any thread; so does closing the
            generator.
        enough : threading.Event, optional
            Asks the job to come to its end sooner, from any thread, see `enough`.

        Yields
        ------
        Progress
            At most about 20 times a second, but the last one and those with a finished
            part always.

        Returns
        -------
        object
            The job's result, or its last `StandIn` if it is cancelled or fails.

        Raises
        ------
        SpaceEditingError
            Whatever the job raised of this kind, as its own class.
        JobCancelled
            If it was cancelled, or after `shutdown`.
        JobFailed
            If the job raised anything else, could not be sent, or its process
            died; the child's traceback is attached as a note.
        """
        cancel, enough = cancel or threading.Event(), enough or threading.Event()
        self._take_turn(job, cancel)
        return (yield from or_stand_in(self._drive(job, cancel, enough)))

    def shutdown(self) -> None:
        """End the child at once and for good; a running job ends as cancelled."""
        with self._state:
            self._closed = True
            if self._child is not None:
                self._child.kill()
                # A job that is running holds the pipes and tidies up itself.
                if self._busy.acquire(blocking=False):
                    self._child.end()
                    self._busy.release()

    def _take_turn(self, job: Job[Any], cancel: threading.Event) -> None:
        """Wait for a cancelled job to stop, but for no other."""
        while True:
            stopping = self._stopping
            waits = stopping is not None and stopping.is_alive()
            if self._busy.acquire(timeout=_POLL if waits else 0):
                return
            if not waits:
                raise JobFailed(f"{job.name} must wait: another job is still running.")
            if cancel.is_set():
                raise JobCancelled(f"{job.name} was cancelled.")

    def _living_child(self, job: Job[Any]) -> _Child:
        """Return the child; launch one if there is none, or it died."""
        with self._state:
            if self._closed:
                raise JobFailed(
                    f"{job.name} cannot run: the background process has been shut down."
                )
            if self._child is None or not self._child.is_alive:
                if self._child is not None:
                    self._child.end()
                self._child = _Child()
            return self._child

    def _drive(
        self, job: Job[R], cancel: threading.Event, enough: threading.Event
    ) -> Generator[Progress, None, R]:
        child, runs, is_told = None, False, False
        try:
            child = self._living_child(job)
            child.run(job)
            runs = True
            while not cancel.is_set():
                if enough.is_set() and not is_told:
                    child.send("enough")
                    is_told = True
                message = child.receive(_POLL)
                if message is None:
                    continue
                kind, unpickle = message
                if kind == "progress":
                    yield unpickle()
                    continue
                runs = False
                if kind == "failed":
                    raise _error(job, *unpickle())
                result: R = unpickle()
                return result
            raise JobCancelled(f"{job.name} was cancelled.")
        except (EOFError, OSError):
            runs = False
            raise self._death(child, job, cancel) from None
        finally:
            if child is not None and runs:
                # Whoever cancels need not wait for that.
                self._stopping = threading.Thread(
                    target=self._stop, args=(child,), name="stop", daemon=True
                )
                self._stopping.start()
            else:
                self._busy.release()

    def _stop(self, child: _Child) -> None:
        """Wait until the job has stopped, or kill its process after the grace."""
        deadline = time.monotonic() + self._grace
        try:
            with suppress(EOFError, OSError):
                child.send("cancel")
                while (left := deadline - time.monotonic()) > 0:
                    message = child.receive(min(_POLL, left))
                    if message is not None and message[0] != "progress":
                        return
            child.end()
        finally:
            self._busy.release()

    def _death(
        self, child: _Child | None, job: Job[Any], cancel: threading.Event
    ) -> JobCancelled | JobFailed:
        """Bury the child and return what to tell the user."""
        words = "before it began"
        if child is not None:
            words = child.last_words()
            child.end()
        if cancel.is_set() or self._closed:
            return JobCancelled(f"{job.name} was cancelled.")
        return JobFailed(f"{job.name} stopped: the background process ended {words}.")


class _Child:
    """The process, the pipes to and from it, and what it has printed."""

    def __init__(self) -> None:
        # Held by the file system only as long as somebody has it open.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        self.process = subprocess.Popen(
            # -P: the folder that the user happens to be in holds no modules of ours.
            [sys.executable, "-P", "-m", "napari_spaceediting.jobs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=worker_environment(),
            creationflags=flags,
        )
        assert self.process.stdin is not None
        self._requests = self.process.stdin
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        # It knows nothing of this object: when that is gone, so is the process.
        threading.Thread(
            target=_hear,
            args=(self.process.stdout, self._answers),
            name="worker",
            daemon=True,
        ).start()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def run(self, job: Job[Any]) -> None:
        """Hand a job over."""
        try:
            send(self._requests, "run", job)
        except OSError:
            raise
        except Exception as error:
            # pickle, and what it calls, raises errors of many kinds.
            raise JobFailed(
                f"{job.name} cannot be handed to the background process: {error}."
            ) from error

    def send(self, wish: str) -> None:
        """Ask the job to "cancel", or that it is "enough"."""
        send(self._requests, wish)

    def receive(self, timeout: float) -> Message | None:
        """Return the next message, None if there is none within `timeout` seconds."""
        try:
            message = self._answers.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise EOFError
        return message

    def kill(self) -> None:
        """End the process; its pipes break."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End the process and let go of everything that belongs to it."""
        self.kill()
        with suppress(OSError):  # what it did not take
            self._requests.close()
        self._log.close()

    def last_words(self) -> str:
        """Say how the process, whose pipes broke, came to its end."""
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


def _hear(pipe: IO[bytes], messages: queue.SimpleQueue[Message | None]) -> None:
    """Put what comes through a pipe into a queue, and None when it breaks."""
    try:
        with pipe, suppress(*BROKEN):
            while True:
                messages.put(receive(pipe))
    finally:
        messages.put(None)


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker: this one, with a core left to the window."""
    threads = str(max(1, len(_usable_cores()) - 1))
    return dict.fromkeys(_THREAD_VARIABLES, threads) | _ALLOCATOR | os.environ


def _usable_cores() -> range | set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _error(
    job: Job[Any], kind: type[Exception] | None, message: str, trace: str
) -> Exception:
    """Return the error that a job ended with, to be raised here."""
    if kind is not None:
        return kind(message)
    error = JobFailed(f"{job.name} failed: {message}.")
    error.add_note(trace)
    return error
