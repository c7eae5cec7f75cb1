"""Small jobs for the tests of the worker process, which imports this module."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress, StandIn

Steps = Generator[Progress, None, Any]


@dataclass(frozen=True)
class Count:
    """Counts, and returns how far it came and in which process."""

    steps: int
    name = "Count"

    def run(self) -> Steps:
        for step in range(self.steps):
            yield Progress(step + 1, self.steps, "counting", {"step": float(step)})
        return self.steps, os.getpid()


@dataclass(frozen=True)
class CountForever:
    """Yields until it is closed, and then leaves a trace."""

    trace: Path
    name = "Count forever"

    def run(self) -> Steps:
        try:
            step = 0
            while True:
                step += 1
                yield Progress(step, 0, "counting")
        finally:
            self.trace.write_text("closed")


@dataclass(frozen=True)
class FinishParts:
    """Hands over parts, quicker than progress is told, and then dies or returns."""

    parts: int
    dies: bool = False
    name = "Finish parts"

    def run(self) -> Steps:
        for part in range(self.parts):
            yield Progress(part, self.parts, "working")
            # Larger than what is pickled in one go.
            values = np.full(1 << 19, part, np.float32)
            yield Progress(part + 1, self.parts, "working", finished=values)
        if self.dies:
            os._exit(3)
        return self.parts


@dataclass(frozen=True)
class StandInAndGoOn:
    """Hands over what stands in for its result, and then works on or dies."""

    dies: bool = False
    name = "Stand in and go on"

    def run(self) -> Steps:
        yield Progress(0, 0, "working", finished=StandIn("kept"))
        while not self.dies:
            yield Progress(0, 0, "working on")
        os._exit(3)


@dataclass(frozen=True)
class NeverYieldAgain:
    """Reports once and then does not come back."""

    name = "Work in silence"

    def run(self) -> Steps:
        yield Progress(0, 1, "started")
        while True:
            time.sleep(1)


@dataclass(frozen=True)
class Fail:
    """Raises an error that nobody foresaw."""

    name = "Fail"

    def run(self) -> Steps:
        yield Progress(0, 1)
        raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")


@dataclass(frozen=True)
class FailForUser:
    """Raises an error that is written for the user."""

    name = "Read the data"

    def run(self) -> Steps:
        yield Progress(0, 1)
        raise DataError("The folder is empty; choose another one.")


@dataclass(frozen=True)
class Crash:
    """Ends the process, with a last word on the standard error."""

    code: int
    name = "Crash"

    def run(self) -> Steps:
        yield Progress(0, 1)
        sys.stderr.write("first\nthe disk is on fire.\n")
        sys.stderr.flush()
        os._exit(self.code)


@dataclass(frozen=True)
class Double:
    """Returns twice what it is given."""

    values: NDArray[np.float32] = field(repr=False)
    name = "Double"

    def run(self) -> Steps:
        yield Progress(1, 1)
        return self.values * 2


@dataclass(frozen=True)
class ReturnUnpicklable:
    """Returns something that cannot leave its process."""

    name = "Return a generator"

    def run(self) -> Steps:
        yield Progress(1, 1)
        return (step for step in ())


@dataclass(frozen=True)
class ThreadSettings:
    """Returns what the process was told about threads."""

    name = "Look around"

    def run(self) -> Steps:
        yield Progress(1, 1)
        return {name: os.environ.get(name) for name in ("OMP_NUM_THREADS",)}
