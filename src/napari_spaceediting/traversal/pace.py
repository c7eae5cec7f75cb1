"""How far each image goes, and by which neighbours: to where it arrives soonest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.traversal.settings import TO_ARRIVAL, TraverseSettings
from napari_spaceediting.traversal.solver import traverse_path
from napari_spaceediting.traversal.witness import (
    Array,
    WitnessProblem,
    choose_problems,
)

_HALVINGS = 3
"""Of the stretch between the last place that has not arrived and the first that has."""

Trial = Callable[[Array], tuple[NDArray[np.bool_], Array]]
"""From places, as coefficients (B, K), to whether each has arrived and how far it is
from its original, (B,)."""


@dataclass(frozen=True, eq=False)
class Pace:
    """What is decided for each of B images.

    Parameters
    ----------
    problem : WitnessProblem
        With the neighbours of each image.
    which : (B,) intp array
        Place of these in `TraverseSettings.neighbours`.
    budgets : (steps, B) float64 array
        In the order in which the change grows.
    """

    problem: WitnessProblem
    which: NDArray[np.intp]
    budgets: Array

    def path(self) -> Iterator[Array]:
        """Yield the coefficients (B, K) of the originals, then those of each step."""
        yield self.problem.start()
        yield from traverse_path(self.problem, self.budgets)


def find_pace(
    problems: Sequence[WitnessProblem],
    settings: TraverseSettings,
    trial: Trial,
    turn: tuple[int, int] = (0, 1),
) -> Generator[Progress, None, Pace]:
    """Find by which neighbours each image arrives with the least change, and where.

    Few neighbours pull more decisively, all of them keep more of the image; which of
    the two takes it to the target with less change differs from image to image, and so
    does the budget. Both are tried on previews, which cost little. An image that
    arrives nowhere takes the first neighbours and goes as far as is tried.

    Unless budgets were asked for, each image gets its own: its preview arrives at step
    `TO_ARRIVAL`, and all steps are even. All this is ours, chosen on the tuning half of
    `benchmarks/traversal.py`.

    Parameters
    ----------
    problems : sequence of WitnessProblem
        Of the same images, one for each of `TraverseSettings.neighbours`.
    settings : TraverseSettings
        How it is done.
    trial : callable
        Tells which places have arrived.
    turn : tuple of int
        Which batch of images this is, and of how many, for the progress.

    Yields
    ------
    Progress
        In trials.
    """
    own = settings.budgets is None
    if not own and len(problems) == 1:
        return shared_pace(problems[0], settings)
    found: list[Array] = []
    each = len(settings.path) + _HALVINGS
    total = each * len(problems) * turn[1]
    for at, problem in enumerate(problems, start=turn[0] * len(problems)):
        begin = Progress(at * each, total, "Find where they arrive")
        found.append((yield from _land(problem, settings, trial, begin)))
    landings = np.stack(found)
    which = landings[:, 1].argmin(axis=0)
    chosen = choose_problems(problems, which)
    if not own:
        return replace(shared_pace(chosen, settings), which=which)
    goal, change = landings[which, :, np.arange(len(which))].T
    # Nothing is known beyond the end of what was tried.
    until = np.where(np.isfinite(change), TO_ARRIVAL, settings.steps)
    shares = np.arange(1, settings.steps + 1)[:, None] / until
    return Pace(chosen, which, np.exp(shares * goal))


def shared_pace(problem: WitnessProblem, settings: TraverseSettings) -> Pace:
    """Return the pace at which all images take the same steps."""
    n = len(problem.rows)
    budgets = np.repeat(np.array(settings.path)[:, None], n, axis=1)
    return Pace(problem, np.zeros(n, np.intp), budgets)


def _land(
    problem: WitnessProblem,
    settings: TraverseSettings,
    trial: Trial,
    begin: Progress,
) -> Generator[Progress, None, Array]:
    """Go along the path until all have arrived, then narrow down where each has.

    Returns (2, B): the logarithm of the budget, which is 0 at the image itself and in
    which all steps are even, and the change, infinite where an image does not arrive.
    """
    change = np.full(len(problem.rows), np.inf)
    before = goal = np.zeros(len(change))
    steps = zip(settings.path, traverse_path(problem, settings.path), strict=True)
    for number, (budget, places) in enumerate(steps):
        going = np.isinf(change)
        if not going.any():
            break
        arrived, far = trial(places)
        before = np.where(going, goal, before)
        goal = np.where(going, np.log(budget), goal)
        change = np.where(going & arrived, far, change)
        yield replace(begin, done=begin.done + number)
    if settings.budgets is None:
        for number in range(_HALVINGS):
            middle = (before + goal) / 2
            (places,) = traverse_path(problem, np.exp(middle)[None])
            arrived, far = trial(places)
            arrived &= np.isfinite(change)
            change = np.where(arrived, far, change)
            before, goal = (
                np.where(arrived, before, middle),
                np.where(arrived, middle, goal),
            )
            yield replace(begin, done=begin.done + len(settings.path) + number)
    return np.stack([goal, change])
