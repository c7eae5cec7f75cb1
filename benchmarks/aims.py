"""What editing is to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import common
from intervals import Interval, Run, Runs, interval, paired


@dataclass(frozen=True)
class Aim:
    """A figure that the method is to reach."""

    name: str
    scenario: str
    of: Callable[[Run], Interval]
    floor: float
    goal: float
    at_most: bool = False

    def reached(self, value: float, wanted: float) -> bool:
        """Whether a value is at least (or at most) what is wanted."""
        return value <= wanted if self.at_most else value >= wanted


def _difference(one: str, other: str) -> Callable[[Run], Interval]:
    return lambda runs: paired(runs, one, other)


def _figure(name: str) -> Callable[[Run], Interval]:
    return lambda runs: interval([run[name] for run in runs])


def remaining(percent: int) -> Callable[[Run], Interval]:
    def share(runs: Run) -> Interval:
        # A ratio of means: that of single seeds has no bounds.
        gain = paired(runs, "0% wrong", "plain control").mean
        left = paired(runs, f"{percent}% wrong", "plain control")
        return Interval(100 * left.mean / gain, 100 * left.half / gain, left.n)

    return share


AIMS = (
    Aim("few labels, 100 lasso actions, over the plain control", "few",
        _difference("lasso 100", "plain control 100"), 6.0, 8.5),
    Aim("the same over the best without a human", "few",
        _difference("lasso 100", "automatic 100"), 3.5, 6.0),
    Aim("the same, lasso over single drags", "few",
        _difference("lasso 100", "single 100"), 0.8, 3.0),
    Aim("few labels, 25 lasso actions, over the plain control", "few",
        _difference("lasso 25", "plain control 25"), 2.5, 4.5),
    Aim("noisy labels, 200 reviews, over the plain control", "noise",
        _difference("lasso 200", "plain control 200"), 2.5, 4.0),
    Aim("noisy labels, the human's part over the automatic correction", "noise",
        _difference("lasso 200", "automatic 200"), 0.2, 0.8),
    Aim("noisy labels, whole network, 200 reviews, over the plain control",
        "noise_deep", _difference("lasso", "plain control"), 0.6, 1.9),
    Aim("clean labels, harm against the control", "clean",
        _difference("control", "after"), 0.3, 0.1, at_most=True),
    Aim("poses, 400 arranged, rank correlation on people never seen", "pose",
        _figure("400 arranged: rank correlation"), 0.70, 0.75),
    Aim("poses, 100 at random, share of axes that are offered", "pose",
        _figure("100 at random: offered"), 0.0, 0.0, at_most=True),
    Aim("guidance, wrong labels among the first 100, %", "noise",
        _figure("guidance: wrong among the first 100"), 78, 88),
    Aim("20% of the moves wrong, share of the gain that remains, %", "careless",
        remaining(20), 60, 85),
    Aim("drift of untouched latents, noisy labels, 50 reviews at once", "noise",
        _figure("drift"), 0.25, 0.10, at_most=True),
    Aim("drift of untouched latents, few labels, 100 actions at once", "places",
        _figure("after: drift"), 0.40, 0.20, at_most=True),
    Aim("retraining of the head, of the time of a cold fit of umap-learn", "quickness",
        lambda runs: interval([run["retraining"] / run["umap-learn"] for run in runs]),
        1 / 18, 1 / 30, at_most=True),
)  # fmt: skip


def targets(runs: Runs) -> list[common.Target]:
    """Return the goals and whether they are met, of the scenarios that were run."""
    found = []
    for aim in AIMS:
        if runs.get(aim.scenario):
            value = aim.of(runs[aim.scenario]).mean
            sign = "<=" if aim.at_most else ">="
            met = aim.reached(value, aim.goal)
            found.append(common.Target(aim.name, value, f"{sign} {aim.goal:.4g}", met))
    return found
