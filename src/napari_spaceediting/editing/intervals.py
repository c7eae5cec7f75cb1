"""How sure a difference or a share is that was measured on some images."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_UNSURE = 0.05
"""Share of intervals that may miss what is measured."""
_CHANCE = 0.0054
"""Standard deviation of a difference by the chance in two trainings, where each was
done once: of 45 rounds that taught nothing."""


@dataclass(frozen=True)
class Difference:
    """A difference of accuracies with its 95% interval.

    Parameters
    ----------
    value, low, high : float
        In shares of 1 (0.05 is five percentage points).
    """

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def change(self) -> str:
        """The difference in words, such as "1.5 points better"."""
        better = "better" if self.value > 0 else "worse"
        return f"{abs(self.value) * 100:.1f} points {better}"

    @property
    def interval(self) -> str:
        """The interval in words, in points."""
        return f"95% interval {self.low * 100:+.1f} to {self.high * 100:+.1f}"


def compare(
    right: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    groups: NDArray[np.int64] | None = None,
    *,
    chance: bool = False,
    looks: int = 1,
    redrawn: NDArray[np.float64] | None = None,
) -> Difference:
    """Return the paired difference of two accuracies on the same images.

    With single images and one training, the interval is the adjusted Wald interval of
    Bonett and Price (2012, J. Educ. Behav. Stat. 37, 479), which adds one fixed and one
    broken image. Unlike a bootstrap it stays honest where only a few images differ.

    Images of a group count together (Liang and Zeger 1986, Biometrika 73, 13), with
    Student's quantile for as many groups.

    With several trainings, both images and seeds are samples, and each seed meets each
    image. Their variances are added, less that of single predictions, which is in both
    (Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29, 238), and the sum is
    never below either. It has the degrees of freedom of Satterthwaite (1946, Biom.
    Bull. 2, 110). The images that were edited are a sample in the same way.

    Parameters
    ----------
    right, reference : (n,) or (R, n) bool arrays
        Whether each arm classifies each image right, in each of R trainings; n at
        least 1.
    groups : (n,) int64 array, optional
        The same number for images that belong together; by default none do.
    chance : bool
        Whether trainings leave something to chance. Of one training it is not known
        how much; it then counts as in others.
    looks : int
        How many rounds have been measured on these images, with this one. The interval
        misses in 5% over that number (Bonferroni).
    redrawn : (B, n) float64 array, optional
        Difference at each image, 1 where only the first arm is right and -1 where only
        the other, had other images been edited (see `draws`); by default the interval
        does not know of these.
    """
    right, reference = np.atleast_2d(right), np.atleast_2d(reference)
    change = right.astype(np.float64) - reference
    n_seeds, n = change.shape
    each = np.append(change.mean(axis=0), (1, -1))
    centre, value = float(each.mean()), float(change.mean())
    together = np.arange(n)
    if groups is not None:
        _, together = np.unique(groups, return_inverse=True)
    n_groups = int(together.max()) + 1
    of_group = np.append(together, (n_groups, n_groups + 1))

    def by_group(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(of_group[: len(values)], values), np.float64)

    by_images = float(np.square(by_group(each - centre)).sum()) / (n + 2) ** 2
    parts = []
    if n_groups < n:
        if n_groups == 1:
            return Difference(value, -1.0, 1.0)
        by_images *= n_groups / (n_groups - 1)
        parts.append((by_images, n_groups - 1))
    variance, alone = by_images, [by_images]
    if n_seeds == 1 and chance:
        variance += _CHANCE**2
    samples = [(change, n_seeds)] if n_seeds > 1 else []
    if redrawn is not None:
        samples.append((redrawn, 1))
    for rows, count in samples:
        of_row = rows.mean(axis=1, keepdims=True)
        by_rows = float(of_row.var(ddof=1)) / count
        rest = rows - of_row - rows.mean(axis=0) + rows.mean()
        both = sum(float(np.square(by_group(row)).sum()) for row in rest)
        both /= (len(rows) - 1) * count * n**2
        variance += max(by_rows - both, 0.0)
        alone.append(by_rows)
        parts.append((by_rows, len(rows) - 1))
    variance = max(variance, *alone)
    half = _quantile(variance, parts, 1 - _UNSURE / looks / 2) * variance**0.5
    low, high = min(centre - half, value), max(centre + half, value)
    return Difference(value, max(low, -1.0), min(high, 1.0))


def _quantile(variance: float, parts: list[tuple[float, int]], level: float) -> float:
    """Return Student's quantile, for a variance whose parts have degrees of freedom."""
    unsure = sum(part**2 / freedom for part, freedom in parts)
    if unsure == 0:
        return NormalDist().inv_cdf(level)
    from scipy.special import stdtrit

    return float(stdtrit(variance**2 / unsure, level))


def share(
    right: NDArray[np.bool_], groups: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """Return the 95% interval of a share, by the score of Wilson (1927).

    Where images belong together there are as many as single ones would tell as much
    (Korn and Graubard 1998, Surv. Methodol. 24, 193), at most those that there are.

    Parameters
    ----------
    right : (n,) bool array
        n at least 1.
    groups : (n,) int64 array, optional
        The same number for images that belong together; by default none do.
    """
    n, p, z = float(len(right)), float(right.mean()), NormalDist().inv_cdf(0.975)
    if groups is not None and 0 < p < 1:
        _, together = np.unique(groups, return_inverse=True)
        sums, count = np.bincount(together, right - p), int(together.max()) + 1
        if count == 1:
            n = 1.0
        elif count < n:
            variance = float(np.square(sums).sum()) / n**2 * count / (count - 1)
            n = min(n, p * (1 - p) / max(variance, 1e-12))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    half *= z / (1 + z**2 / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)
