"""What the terminal shows: words, a bar while a job runs, and JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Job, Progress, run_job

R = TypeVar("R")


def tells() -> bool:
    """Whether this is the process, of several, that writes and tells."""
    return int(os.environ.get("RANK", 0)) == 0


def tell(text: str, to: TextIO | None = None) -> None:
    """Print a line, in one of the processes; to the standard output by default."""
    if tells():
        to = to or sys.stdout
        # What the terminal has no letter for must not end the command.
        letters = to.encoding or "utf-8"
        print(text.encode(letters, "backslashreplace").decode(letters), file=to)


def run(job: Job[R]) -> R:
    """Run a job in this process, with a bar on the terminal, and return its result."""
    if not tells():
        return run_job(job)
    # Quiet where the standard error is no terminal.
    with tqdm(desc=job.name, file=sys.stderr, dynamic_ncols=True, disable=None) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total or None
            bar.n = progress.done
            bar.set_postfix(
                {name: f"{value:.3f}" for name, value in progress.metrics.items()},
                refresh=False,
            )
            bar.update(0)

        return run_job(job, show)


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
