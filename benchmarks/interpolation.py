"""Deep Feature Interpolation, as a rival: along the difference of the means.

``z = x + length (mean of the nearest targets - mean of the nearest sources)``
(Upchurch et al. 2017, arXiv 1611.05507). How far each image goes, and by which
neighbours, is found as the plugin finds it for its own path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_spaceediting.traversal.pace import Trial
from napari_spaceediting.traversal.settings import TO_ARRIVAL
from napari_spaceediting.traversal.witness import (
    Array,
    WitnessProblem,
    choose_problems,
)

_TRIED = 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.5
_HALVINGS = 3


def interpolate_path(
    problem: WitnessProblem, lengths: Sequence[float] | Array
) -> Iterator[Array]:
    """Yield places (B, K) for lengths, or lengths (steps, B), in mean differences.

    The weights of the problem say which images are the nearest.
    """
    for length in lengths:
        yield problem.start() - np.reshape(length, (-1, 1)) * problem.weights


def arriving_path(problems: Sequence[WitnessProblem], trial: Trial) -> list[Array]:
    """Return the originals and steps at which images arrive, with the least change."""
    landings = np.stack([_land(problem, trial) for problem in problems])
    which = landings[:, 1].argmin(axis=0)
    goal, change = landings[which, :, np.arange(len(which))].T
    until = np.where(np.isfinite(change), TO_ARRIVAL, len(_TRIED))
    lengths = np.arange(1, len(_TRIED) + 1)[:, None] / until * goal
    chosen = choose_problems(problems, which)
    return [chosen.start(), *interpolate_path(chosen, lengths)]


def _land(problem: WitnessProblem, trial: Trial) -> Array:
    """Return where images arrive and how they have changed there, (2, B)."""
    change = np.full(len(problem.rows), np.inf)
    before = goal = np.zeros(len(change))
    for length, places in zip(_TRIED, interpolate_path(problem, _TRIED), strict=True):
        going = np.isinf(change)
        if not going.any():
            break
        arrived, far = trial(places)
        before, goal = np.where(going, goal, before), np.where(going, length, goal)
        change = np.where(going & arrived, far, change)
    for _ in range(_HALVINGS):
        middle = (before + goal) / 2
        (places,) = interpolate_path(problem, middle[None])
        arrived, far = trial(places)
        arrived = arrived & np.isfinite(change)
        change = np.where(arrived, far, change)
        before, goal = (
            np.where(arrived, before, middle),
            np.where(arrived, middle, goal),
        )
    return np.stack([goal, change])
