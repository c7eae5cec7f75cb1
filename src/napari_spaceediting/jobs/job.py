"""A job: frozen inputs and a generator that reports progress and returns a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from napari_spaceediting.errors import SpaceEditingError

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Progress:
    """How far a job has come.

    Parameters
    ----------
    done, total : int
        Steps finished and steps in all, in a unit of the job's own choice.
        A `total` of 0 means that the end is not known.
    message : str
        What is being done, in a few words for the user.
    metrics : mapping of str to float
        Live figures, such as the loss.
    finished : object
        A part of the result that stands by itself, where there is a new one. Whoever
        waits may keep it when the job is cancelled or fails; a `StandIn` is what they
        then get as the result.
    """

    done: int
    total: int
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    finished: object = field(default=None, repr=False)


@dataclass(frozen=True)
class StandIn(Generic[R]):
    """What takes the place of a result if the job does not come to its end.

    Parameters
    ----------
    result : object
        Whole in itself, of the same type as the job's result.
    """

    result: R


class Job(Protocol[R_co]):
    """Long work on plain inputs that touches no session.

    Implementations are frozen, picklable dataclasses in modules that import
    neither torch nor umap; `run` imports what it needs.
    """

    @property
    def name(self) -> str:
        """What the job does, in a few words for the user."""

    def run(self) -> Generator[Progress, None, R_co]:
        """Do the work: yield progress often, return the result."""


def run_job(job: Job[R], on_progress: Callable[[Progress], None] | None = None) -> R:
    """Run a job to its end in this process and return its result.

    If it fails or is interrupted after it has handed over a `StandIn`, return that.
    """

    def tell(progress: Progress) -> Progress:
        if on_progress is not None:
            on_progress(progress)
        return progress

    return finish(or_stand_in(relayed(job.run(), tell)))


def finish(steps: Generator[Progress, None, R]) -> R:
    """Do work to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: R = end.value
            return result


def or_stand_in(steps: Generator[Progress, None, R]) -> Generator[Progress, None, R]:
    """Do work; where it fails or is stopped, return its last `StandIn`.

    Raises
    ------
    SpaceEditingError, KeyboardInterrupt
        What stopped it, if there is none yet.
    """
    kept: StandIn[R] | None = None

    def keep(progress: Progress) -> Progress:
        nonlocal kept
        if isinstance(progress.finished, StandIn):
            kept = progress.finished
        return progress

    try:
        return (yield from relayed(steps, keep))
    except (SpaceEditingError, KeyboardInterrupt):
        if kept is None:
            raise
        return kept.result


def relayed(
    steps: Generator[Progress, None, R], change: Callable[[Progress], Progress]
) -> Generator[Progress, None, R]:
    """Do work as part of other work, with its progress told otherwise.

    Parameters
    ----------
    steps : generator
        The work.
    change : callable
        From its progress to that of the whole.
    """
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            result: R = end.value
            return result
        yield change(progress)


class Estimate:
    """Seconds that a job will still take, judged from its progress so far.

    A job that counts anew, in a next stage, is judged by that stage alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = clock()
        self._done = 0

    def update(self, progress: Progress) -> float | None:
        """Return the remaining seconds, or None while they cannot be judged."""
        now = self._clock()
        if progress.done < self._done:
            self._start = self._last
        self._last, self._done = now, progress.done
        if not 0 < progress.done <= progress.total:
            return None
        return (now - self._start) * (progress.total - progress.done) / progress.done


def in_words(seconds: float) -> str:
    """Return how long something takes, such as "about 2 h 5 min"."""
    hours, minutes = divmod(max(round(seconds / 60), 1), 60)
    parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0)
    return f"about {' '.join(parts)}"
