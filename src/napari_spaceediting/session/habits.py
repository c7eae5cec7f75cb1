"""How the user names images: how long answers took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

PAUSE = 30.0
"""Seconds after which nobody was at work any more."""
ENOUGH = 5
"""Answers from which it is told how quick a way is."""


class Way(StrEnum):
    """In which way images get their class."""

    GROUP = "group"
    SINGLE = "single"
    REVIEW = "review"


_TITLES = {
    Way.GROUP: "groups",
    Way.SINGLE: "one at a time",
    Way.REVIEW: "labels reviewed",
}


@dataclass(frozen=True)
class Pace:
    """How quick one way was.

    Parameters
    ----------
    n_answers : int
        Answers that were given, but for those with a pause.
    n_images : int
        Images that they decided on.
    seconds : float
        Time that they took in all.
    """

    n_answers: int = 0
    n_images: int = 0
    seconds: float = 0.0

    @property
    def per_minute(self) -> float:
        """Images a minute; 0 where no time has passed."""
        return 60 * self.n_images / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Habits:
    """How the user names images.

    Parameters
    ----------
    paces : dict of str to Pace
        How quick each `Way` was that has been measured.
    """

    paces: dict[str, Pace] = field(default_factory=dict)

    def with_answer(self, way: Way, n_images: int, seconds: float) -> Habits:
        """Return them with one more answer; one with a pause tells nothing."""
        if seconds > PAUSE:
            return self
        pace = self.paces.get(way, Pace())
        return self._with(
            way,
            Pace(pace.n_answers + 1, pace.n_images + n_images, pace.seconds + seconds),
        )

    def without_answer(self, way: Way, n_images: int) -> Habits:
        """Return them with one answer less; the time for it was spent all the same."""
        pace = self.paces.get(way, Pace())
        rest = max(0, pace.n_answers - 1), max(0, pace.n_images - n_images)
        return self._with(way, Pace(*rest, pace.seconds))

    def _with(self, way: Way, pace: Pace) -> Habits:
        return replace(self, paces={**self.paces, str(way): pace})


def describe_paces(paces: Mapping[str, Pace]) -> str:
    """Say how quick each way was, and which was quicker; "" while too few are known.

    Parameters
    ----------
    paces : mapping of str to Pace
        As measured, by `Way`. Nothing is said of a way with fewer than `ENOUGH`
        answers.
    """
    known = {
        way: paces[way].per_minute
        for way in Way
        if way in paces and paces[way].n_answers >= ENOUGH
    }
    if not known:
        return ""
    parts = [f"{_TITLES[way]} {_rounded(figure)}" for way, figure in known.items()]
    text = f"Measured, in images a minute: {', '.join(parts)}."
    if Way.GROUP in known and Way.SINGLE in known:
        quicker = max(Way.GROUP, Way.SINGLE, key=known.__getitem__)
        text += f" {_TITLES[quicker].capitalize()} named more."
    return text


def _rounded(figure: float) -> str:
    return f"{figure:.1f}" if figure < 9.95 else f"{figure:,.0f}"
