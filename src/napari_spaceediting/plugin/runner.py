"""Runs jobs beside the window and reports on the main thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from psygnal import Signal

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Estimate, Job, Progress, finish, relayed
from napari_spaceediting.jobs.worker import WorkerProcess
from napari_spaceediting.plugin.threads import Failure, start

R = TypeVar("R")

_POLL = 0.02
"""Seconds between two looks at whether the process is free."""


class JobRunner:
    """Runs one job at a time in a worker process.

    A thread waits for the process. A result is handed over on the main thread; of a job
    that failed or was cancelled nothing is, but for its `StandIn` and parts that its
    progress brought.

    Signals
    -------
    started(Job)
        A job began.
    progressed(Progress, float or None)
        How far it is, and the seconds that it will still take.
    finished(Job, str)
        It is done, and what there is to say of it; "" for nothing.
    cancelled(Job, str)
        It was cancelled, and what was kept of it in a sentence; "" for nothing.
    failed(Job, str)
        It failed: why, and what was kept of it.
    """

    started = Signal(object)
    progressed = Signal(object, object)
    finished = Signal(object, str)
    cancelled = Signal(object, str)
    failed = Signal(object, str)

    def __init__(self) -> None:
        self._process = WorkerProcess()
        self._turn = threading.Lock()  # held by the thread whose job the process runs
        self._current: _Call | None = None
        self._asked: _Call | None = None

    @property
    def is_running(self) -> bool:
        """Whether a job runs that somebody waits for."""
        return self._current is not None

    @property
    def running(self) -> Job[Any] | None:
        """The job that runs, if there is one."""
        return None if self._current is None else self._current.job

    def warm_up(self, job: Job[Any]) -> None:
        """Run a job that nobody waits for; the next job begins when it is done."""
        start(_Call(job, self._process, self._turn).work, lambda _: None)

    def ask(
        self,
        job: Job[R],
        then: Callable[[R], None],
        failed: Callable[[SpaceEditingError], None],
    ) -> None:
        """Run a short job without a word, when the process is free.

        Parameters
        ----------
        job : Job
            What to find out; one that was asked for before and still waits is dropped.
        then, failed : callable
            Take its result, or the error instead, on the main thread.
        """
        if self._asked is not None:
            self._asked.cancel()
        self._asked = call = _Call(job, self._process, self._turn)

        def end(outcome: Any) -> None:
            if call is not self._asked:
                return
            self._asked = None
            if isinstance(outcome, Failure):
                failed(outcome.error)
            else:
                then(outcome)

        start(call.work, end)

    def run(
        self,
        job: Job[R],
        then: Callable[[R], str | None],
        *,
        report: Callable[[Progress, float | None], None] | None = None,
        rescue: Callable[[], str] | None = None,
    ) -> None:
        """Run a job and hand its result over; a job that still runs is dropped.

        Parameters
        ----------
        job : Job
            What to do.
        then : callable
            Takes the result, on the main thread, and returns what there is to say.
        report : callable, optional
            Is told of this job's progress, as `progressed` is.
        rescue : callable, optional
            Keeps what was finished of it when it is cancelled or fails, and says so in
            a sentence; "" for nothing.
        """
        self.cancel()
        call = _Call(job, self._process, self._turn)
        self._current = call
        estimate = Estimate()

        def tell(progress: Progress) -> None:
            if call is self._current:
                remaining = estimate.update(progress)
                self.progressed.emit(progress, remaining)
                if report is not None:
                    report(progress, remaining)

        def end(outcome: Any) -> None:
            if call is self._current:
                self._current = None
                self._end(call, outcome, then, rescue or (lambda: ""))

        self.started.emit(job)
        start(call.work, end, tell)

    def cancel(self) -> None:
        """Cancel the job that runs."""
        if self._current is not None:
            self._current.cancel()

    def enough(self) -> None:
        """Let the job that runs come to its end by the short way, if it has one."""
        if self._current is not None:
            self._current.enough.set()

    def shutdown(self) -> None:
        """End the process at once; no result is handed over any more."""
        self.cancel()
        if self._asked is not None:
            self._asked.cancel()
        self._current = self._asked = None
        self._process.shutdown()

    def _end(
        self,
        call: _Call,
        outcome: Any,
        then: Callable[[Any], str | None],
        rescue: Callable[[], str],
    ) -> None:
        job = call.job
        try:
            if call.is_cancelled and isinstance(outcome, Failure | None):
                self.cancelled.emit(job, rescue())
            elif isinstance(outcome, Failure):
                self.failed.emit(job, f"{outcome.error} {rescue()}".rstrip())
            else:
                said = then(outcome)
                if not self.is_running:
                    self.finished.emit(job, said or "")
        except SpaceEditingError as error:
            self.failed.emit(job, str(error))
        except Exception:
            # A fault of ours, which napari reports; the work has ended nonetheless.
            sentence = f"{job.name} is done, but its result could not be shown."
            self.failed.emit(job, sentence)
            raise


class _Call:
    """One job on its way, from the thread that waits for it."""

    def __init__(
        self, job: Job[Any], process: WorkerProcess, turn: threading.Lock
    ) -> None:
        self.job = job
        self._process = process
        self._turn = turn
        self._cancelled = threading.Event()
        self.enough = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the job, or its waiting for the process to be free."""
        self._cancelled.set()

    def work(self, tell: Callable[[Progress], None]) -> Any:
        """Run the job when the process is free; return None if nobody waits for it."""

        def relay(progress: Progress) -> Progress:
            tell(progress)
            return progress

        while not self._turn.acquire(timeout=_POLL):
            if self.is_cancelled:
                return None

        try:
            steps = self._process.run(self.job, self._cancelled, self.enough)
            return finish(relayed(steps, relay))
        finally:
            self._turn.release()
