"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

Run = Sequence[dict[str, float]]
"""Figures by name, of every seed of one scenario."""

Runs = dict[str, list[dict[str, float]]]
"""The same of every scenario."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with half of Student's 95% interval, of n values."""

    mean: float
    half: float
    n: int

    def __str__(self) -> str:
        if self.n < 2:
            return f"{self.mean:+.2f} (one seed)"
        return f"{self.mean:+.2f} ± {self.half:.2f}"


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of values with its interval; of a single one it is not known."""
    if len(values) < 2:
        return Interval(float(np.mean(values)), float("nan"), len(values))
    n = len(values)
    error = float(np.std(values, ddof=1)) / n**0.5
    return Interval(float(np.mean(values)), float(t.ppf(0.975, n - 1)) * error, n)


def paired(runs: Run, one: str, other: str) -> Interval:
    """Return the difference of two figures over the same seeds."""
    return interval([run[one] - run[other] for run in runs])
