"""The worker process: results, errors, cancelling, dying and cleaning up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from multiprocessing import process
from pathlib import Path

import numpy as np
import psutil
import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

import worker_jobs as jobs  # noqa: E402

from napari_spaceediting.errors import (  # noqa: E402
    DataError,
    JobCancelled,
    JobFailed,
)
from napari_spaceediting.jobs.job import Job, Progress  # noqa: E402
from napari_spaceediting.jobs.worker import (  # noqa: E402
    WorkerProcess,
    worker_environment,
)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerProcess]:
    """A worker whose child can import the jobs of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
    worker = WorkerProcess(grace=30)
    yield worker
    worker.shutdown()


def run(worker: WorkerProcess, job: Job) -> tuple[object, list[Progress]]:
    steps, seen = worker.run(job), []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def test_returns_the_result_of_another_process(worker: WorkerProcess) -> None:
    (steps, pid), _ = run(worker, jobs.Count(3))
    assert steps == 3
    assert pid == worker.pid != os.getpid()


def test_progress_is_in_order_thinned_and_complete_at_the_end(
    worker: WorkerProcess,
) -> None:
    _, seen = run(worker, jobs.Count(20_000))
    done = [progress.done for progress in seen]
    assert done == sorted(set(done))
    assert seen[-1] == Progress(20_000, 20_000, "counting", {"step": 19_999.0})
    assert len(seen) < 2_000


def test_finished_parts_are_never_left_out(worker: WorkerProcess) -> None:
    steps, seen = run(worker, jobs.FinishParts(30))
    assert steps == 30
    parts = [p.finished for p in seen if p.finished is not None]
    assert [part.shape for part in parts] == [(1 << 19,)] * 30
    assert [part[-1] for part in parts] == list(range(30))
    done = [progress.done for progress in seen]
    assert done == sorted(done)


def test_finished_parts_survive_the_death_of_their_process(
    worker: WorkerProcess,
) -> None:
    parts = []

    def listen() -> None:
        for progress in worker.run(jobs.FinishParts(3, dies=True)):
            if progress.finished is not None:
                parts.append(progress.finished)

    with pytest.raises(JobFailed, match="exit code 3"):
        listen()
    assert len(parts) == 3


@pytest.mark.parametrize("dies", [False, True])
def test_what_stands_in_survives_cancelling_and_death(
    worker: WorkerProcess, dies: bool
) -> None:
    def listen() -> Generator[Progress, None, None]:
        result = yield from worker.run(jobs.StandInAndGoOn(dies), cancel)
        assert result == "kept"

    cancel = threading.Event()
    for progress in listen():
        if progress.message == "working on":
            cancel.set()
    assert run(worker, jobs.Count(3))[0][0] == 3


def test_cancelling_amid_finished_parts(worker: WorkerProcess) -> None:
    cancel = threading.Event()
    steps = worker.run(jobs.FinishParts(1000), cancel)
    while next(steps).finished is None:
        pass
    cancel.set()
    with pytest.raises(JobCancelled):
        list(steps)
    assert run(worker, jobs.Count(3))[0][0] == 3


def test_the_next_job_runs_in_the_same_process(worker: WorkerProcess) -> None:
    (_, first), _ = run(worker, jobs.Count(1))
    (_, second), _ = run(worker, jobs.Count(1))
    assert first == second


def test_a_foreign_error_becomes_one_sentence_with_the_trace_as_a_note(
    worker: WorkerProcess,
) -> None:
    with pytest.raises(JobFailed) as caught:
        run(worker, jobs.Fail())
    assert str(caught.value) == "Fail failed: RuntimeError: CUDA out of memory."
    assert "worker_jobs.py" in caught.value.__notes__[0]
    assert run(worker, jobs.Count(1))[0]


def test_an_error_for_the_user_keeps_its_class_and_words(worker: WorkerProcess) -> None:
    with pytest.raises(DataError) as caught:
        run(worker, jobs.FailForUser())
    assert type(caught.value) is DataError
    assert str(caught.value) == "The folder is empty; choose another one."


def test_a_crash_tells_exit_code_and_last_words(worker: WorkerProcess) -> None:
    with pytest.raises(
        JobFailed, match=r"Crash stopped: .* code 3 \(the disk is on fire\)\.$"
    ):
        run(worker, jobs.Crash(3))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_child_is_replaced(worker: WorkerProcess) -> None:
    steps = worker.run(jobs.NeverYieldAgain())
    next(steps)
    killed = worker.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(JobFailed, match="code -9, probably out of memory"):
        list(steps)
    (_, pid), _ = run(worker, jobs.Count(1))
    assert pid != killed


def test_cancel_closes_the_job_at_its_next_yield(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    cancel = threading.Event()
    steps = worker.run(jobs.CountForever(tmp_path / "trace"), cancel)
    next(steps)
    before = worker.pid
    canceller = threading.Thread(target=cancel.set)
    canceller.start()
    with pytest.raises(JobCancelled, match="Count forever was cancelled"):
        list(steps)
    canceller.join()
    # The next one waits until it has stopped.
    (_, pid), _ = run(worker, jobs.Count(1))
    assert pid == before
    assert (tmp_path / "trace").read_text() == "closed"
    assert not worker.is_running


def test_whoever_cancels_does_not_wait_for_the_job(worker: WorkerProcess) -> None:
    cancel = threading.Event()
    steps = worker.run(jobs.NeverYieldAgain(), cancel)
    next(steps)
    cancel.set()
    with pytest.raises(JobCancelled, match="Work in silence was cancelled"):
        list(steps)
    # It is still at it, and the next one can be cancelled while it waits.
    assert worker.is_running
    waiting = worker.run(jobs.Count(1), cancel)
    with pytest.raises(JobCancelled, match="Count was cancelled"):
        list(waiting)


@pytest.mark.usefixtures("worker")
def test_cancel_kills_a_job_that_never_yields() -> None:
    impatient, cancel = WorkerProcess(grace=0), threading.Event()
    steps = impatient.run(jobs.NeverYieldAgain(), cancel)
    next(steps)
    pid = impatient.pid
    assert pid is not None
    cancel.set()
    with pytest.raises(JobCancelled):
        list(steps)
    assert run(impatient, jobs.Count(1))[0]
    assert not psutil.pid_exists(pid)
    impatient.shutdown()


def test_cancel_before_the_first_step_is_not_lost(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    cancel = threading.Event()
    steps = worker.run(jobs.CountForever(tmp_path / "trace"), cancel)
    cancel.set()
    with pytest.raises(JobCancelled):
        list(steps)


def test_closing_the_generator_cancels(worker: WorkerProcess, tmp_path: Path) -> None:
    steps = worker.run(jobs.CountForever(tmp_path / "trace"))
    next(steps)
    steps.close()
    result, seen = run(worker, jobs.Count(2))
    assert (tmp_path / "trace").read_text() == "closed"
    assert result == (2, worker.pid)
    assert seen[-1].done == 2


def test_one_job_at_a_time(worker: WorkerProcess, tmp_path: Path) -> None:
    steps = worker.run(jobs.CountForever(tmp_path / "trace"))
    next(steps)
    assert worker.is_running
    with pytest.raises(JobFailed, match="another job is still running"):
        run(worker, jobs.Count(1))
    steps.close()


def test_large_arrays_travel_both_ways(worker: WorkerProcess) -> None:
    values = np.arange(12_500_000, dtype=np.float32)  # 50 MB
    result, _ = run(worker, jobs.Double(values))
    np.testing.assert_array_equal(result, values * 2)


def test_what_cannot_be_pickled_is_said(worker: WorkerProcess) -> None:
    generator = (step for step in ())
    with pytest.raises(JobFailed, match="Double cannot be handed to the background"):
        run(worker, jobs.Double(generator))  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match="Return a generator failed: TypeError"):
        run(worker, jobs.ReturnUnpicklable())
    assert run(worker, jobs.Count(1))[0]


def test_a_job_that_the_child_cannot_import_fails(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(JobFailed, match="Count failed: ModuleNotFoundError"):
        run(worker, jobs.Count(1))


def test_a_child_that_cannot_start_is_reported(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", os.devnull)
    with pytest.raises(JobFailed, match=r"Count stopped: .* with exit code 1"):
        run(worker, jobs.Count(1))
    monkeypatch.delenv("PYTHONHOME")
    assert run(worker, jobs.Count(1))[0]


def test_the_environment_of_a_child_is_for_its_work_but_a_user_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "MALLOC_TRIM_THRESHOLD_"
    monkeypatch.delenv(name, raising=False)
    assert int(worker_environment()[name]) > 1 << 20
    monkeypatch.setenv(name, "1")
    assert worker_environment()[name] == "1"


def test_the_child_leaves_a_core_but_a_user_decides(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    settings, _ = run(worker, jobs.ThreadSettings())
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    assert settings == {"OMP_NUM_THREADS": str(max(1, cores - 1))}
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    second = WorkerProcess()
    settings, _ = run(second, jobs.ThreadSettings())
    assert settings == {"OMP_NUM_THREADS": "7"}
    second.shutdown()


def test_shutdown_leaves_no_process_and_can_be_repeated(worker: WorkerProcess) -> None:
    run(worker, jobs.Count(1))
    pid = worker.pid
    assert pid is not None
    worker.shutdown()
    worker.shutdown()
    assert worker.pid is None
    assert not psutil.pid_exists(pid)
    with pytest.raises(JobFailed, match="has been shut down"):
        run(worker, jobs.Count(1))


def test_shutdown_ends_a_running_job_as_cancelled(worker: WorkerProcess) -> None:
    steps = worker.run(jobs.NeverYieldAgain())
    next(steps)
    pid = worker.pid
    assert pid is not None
    stopper = threading.Thread(target=worker.shutdown)
    stopper.start()
    with pytest.raises(JobCancelled):
        list(steps)
    stopper.join()
    assert not psutil.pid_exists(pid)


PARENT = """
import sys
import worker_jobs as jobs
from napari_spaceediting.jobs.worker import WorkerProcess

worker = WorkerProcess()
steps = worker.run(jobs.NeverYieldAgain())
next(steps)
print(worker.pid, flush=True)
next(steps)
"""


def test_the_child_ends_with_its_killed_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    # Nobody may have collected the orphan yet; dead it is all the same.
    with suppress(psutil.NoSuchProcess):
        orphan = psutil.Process(child)
        psutil.wait_procs([orphan], timeout=30)
        assert orphan.status() == psutil.STATUS_ZOMBIE


def test_a_temporary_folder_with_a_long_name_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
    monkeypatch.setattr(tempfile, "tempdir", None)
    # It is remembered by all that listens.
    monkeypatch.setitem(process.current_process()._config, "tempdir", None)
    worker = WorkerProcess(grace=30)
    try:
        (steps, _), _ = run(worker, jobs.Count(3))
        assert steps == 3
    finally:
        worker.shutdown()
