"""Draining a job in this process, and the time that it still takes."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from napari_spaceediting.errors import MapFailed
from napari_spaceediting.jobs.job import (
    Estimate,
    Progress,
    StandIn,
    finish,
    or_stand_in,
    run_job,
)


class Squares:
    name = "Square"

    def run(self) -> Generator[Progress, None, list[int]]:
        squares = []
        for step in range(3):
            squares.append(step**2)
            yield Progress(step + 1, 3)
        return squares


def test_run_job_reports_each_step_and_returns_the_result() -> None:
    seen: list[Progress] = []
    assert run_job(Squares(), seen.append) == [0, 1, 4]
    assert [progress.done for progress in seen] == [1, 2, 3]


class Stopping:
    """Stops with an error, after it has handed over what there is."""

    name = "Stop"

    def __init__(self, error: BaseException, *parts: object) -> None:
        self._error, self._parts = error, parts

    def run(self) -> Generator[Progress, None, str]:
        yield Progress(0, 1)
        for part in self._parts:
            yield Progress(0, 1, finished=part)
            yield Progress(0, 1)
        raise self._error


@pytest.mark.parametrize("error", [MapFailed("No."), KeyboardInterrupt()])
def test_what_stands_in_is_the_result_of_a_job_that_is_stopped(error) -> None:
    assert run_job(Stopping(error, StandIn("first"), StandIn("last"))) == "last"
    for parts in ((), ("only a part",)):
        with pytest.raises(type(error)):
            run_job(Stopping(error, *parts))


def test_a_fault_of_ours_is_not_hidden_by_what_stands_in() -> None:
    with pytest.raises(ZeroDivisionError):
        run_job(Stopping(ZeroDivisionError(), StandIn("kept")))


def test_a_job_that_comes_to_its_end_needs_no_stand_in() -> None:
    def steps() -> Generator[Progress, None, str]:
        yield Progress(0, 1, finished=StandIn("kept"))
        return "whole"

    assert finish(or_stand_in(steps())) == "whole"


def test_the_estimate_follows_the_progress_so_far() -> None:
    times = iter([0.0, 0.0, 10.0, 30.0, 30.0])
    estimate = Estimate(clock=lambda: next(times))
    assert estimate.update(Progress(0, 4)) is None
    assert estimate.update(Progress(1, 4)) == pytest.approx(30)
    assert estimate.update(Progress(4, 4)) == 0
    assert estimate.update(Progress(3, 0)) is None


def test_the_estimate_begins_anew_with_a_stage() -> None:
    times = iter([0.0, 100.0, 102.0, 104.0])
    estimate = Estimate(clock=lambda: next(times))
    assert estimate.update(Progress(600, 600, "Read")) == 0
    assert estimate.update(Progress(1, 10, "Make")) == pytest.approx(18)
    assert estimate.update(Progress(2, 10, "Make")) == pytest.approx(16)
