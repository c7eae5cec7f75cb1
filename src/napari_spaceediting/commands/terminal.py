"""What the terminal shows: words, a bar while a job runs, and JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Job, Progress, run_job

R = TypeVar("R")


def tells() -> bool:
    """Whether this is the process, of several, that writes and tells."""
    return int(os.environ.get("RANK", 0)) == 0


def tell(text: str) -> None:
    """Print a line, in one of the processes."""
    if tells():
        print(text)


def run(job: Job[R]) -> R:
    """Run a job in this process, with a bar, and return its result."""
    if not tells():
        return run_job(job)
    with Bar() as bar:
        return run_job(job, lambda progress: bar.show(job.name, progress))


class Bar:
    """A progress bar on the terminal, one line for each stage."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, stage: str, progress: Progress) -> None:
        """Show the progress of a stage; `total` may change while it runs."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage = stage
            # Quiet where the standard error is no terminal.
            self._bar = tqdm(
                desc=stage, file=sys.stderr, dynamic_ncols=True, disable=None
            )
        self._bar.total = progress.total or None
        self._bar.n = progress.done
        self._bar.set_postfix(
            {name: f"{value:.3f}" for name, value in progress.metrics.items()},
            refresh=False,
        )
        self._bar.update(0)


def write_json(target: str, values: Any) -> None:
    """Write values to a file, or print them where it is called "-"."""
    text = json.dumps(values, indent=2)
    if target == "-":
        print(text)
        return
    try:
        Path(target).write_text(text + "\n")
    except OSError as error:
        raise SessionError(
            f"The outcome could not be written to {target} ({error.strerror})."
        ) from error
