"""Axes: what images have in common along which a user has arranged them.

A user lays images out by something that changes from one to the next, such as the angle
that heads face. Whether the images show it is a regression, apart from the classes: of
the place on the activations of the network's trunk as they are before pooling, as
pooling deletes the layout, and the layout is what tells an angle. Places of images that
were left out say how well it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_ARRANGED = 20
"""Images from which on an axis is believed; of 10, chance foretells up to 0.43."""
LEAST_R2 = 0.5
"""Share of the differences between places that an axis has to foretell.

Of shuffled places it was at most 0.25 with 20 images and 0.09 with 50 (40 trials each,
photographs of heads); between that and a half lies what is there, but too weak to sort
by.
"""

_FOLDS = 5
_STRENGTHS = np.logspace(-5, 0, 11)
"""Of the ridge, for rows whose mean squared length is 1."""
_SMALLEST = 1e-7
"""Of the variances along principal axes; below it is rounding."""
_SECOND = 1 / 3
"""Spread of a second axis, of that of the first one, from which on it counts."""
_RING = 0.25
"""Spread of the distances from the middle, of their mean, up to which it is a ring."""
_WIDEST_GAP = np.pi / 2


@dataclass(frozen=True, eq=False)
class Coordinate:
    """Something that an arrangement says of its images.

    Parameters
    ----------
    title : str
        In which direction it goes.
    targets : (m, 1) or (m, 2) float64 array
        Along a line, places from the middle on, in units of the map; in a ring, cosine
        and sine of the angle.
    """

    title: str
    targets: NDArray[np.float64] = field(repr=False)

    @property
    def is_circular(self) -> bool:
        """Whether it goes around."""
        return len(self.targets.T) == 2

    def read(self, found: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values (n,) of (n, 1 or 2) targets; angles in degrees."""
        if not self.is_circular:
            return found[:, 0]
        angles: NDArray[np.float32] = np.degrees(np.arctan2(found[:, 1], found[:, 0]))
        return angles


@dataclass(frozen=True, eq=False)
class Axis:
    """A coordinate as all images have it, and how well it holds.

    Parameters
    ----------
    title : str
        In which direction it goes on the map.
    values : (N,) float32 array
        Of every image, also of those that are held out; in units of the map, or in
        degrees from -180 to 180 where it goes around.
    r2 : float
        Share of the differences between the places of arranged images that follows
        from the others, each image foretold by those of other parts (of five), and of
        other groups. At most 1, and about 0 where nothing does.
    rank_correlation : float
        Spearman's, of the same; of cosine and sine on average.
    n_arranged : int
        Images that it was learnt from.
    """

    title: str
    values: NDArray[np.float32] = field(repr=False)
    is_circular: bool
    r2: float
    rank_correlation: float
    n_arranged: int

    @property
    def holds(self) -> bool:
        """Whether it is offered."""
        return self.n_arranged >= LEAST_ARRANGED and self.r2 >= LEAST_R2

    @property
    def verdict(self) -> str:
        """Say in a sentence how well it holds."""
        if self.n_arranged < LEAST_ARRANGED:
            return (
                f"{self.n_arranged} arranged images say too little of an axis: arrange "
                f"at least {LEAST_ARRANGED}."
            )
        share = f"{max(self.r2, 0):.0%} of the differences between places"
        if not self.holds:
            return (
                f"These places do not follow from the images: {share} can be foretold, "
                f"and {LEAST_R2:.0%} are needed."
            )
        what = "angles around a ring" if self.is_circular else self.title
        return (
            f"An axis of {what}: it foretells {share} of images that it has not seen "
            f"(rank correlation {self.rank_correlation:.2f}, {self.n_arranged:,} "
            "arranged)."
        )


def coordinates_of(places: NDArray[np.floating]) -> tuple[Coordinate, ...]:
    """Return what an arrangement says.

    Images in a ring around their middle, with no gap of a quarter, are meant as angles.
    Others lie along the direction in which their places spread most (the first
    principal direction); the one across it is a second coordinate where they spread at
    least a third as far. There is none where all lie in one place.

    Parameters
    ----------
    places : (m, 2) float array
        Of the arranged images on the map.
    """
    if len(places) < 2 or not np.ptp(places, axis=0).any():
        return ()
    around = np.asarray(places, np.float64) - np.mean(places, axis=0)
    lengths = np.linalg.norm(around, axis=1)
    angles = np.sort(np.arctan2(around[:, 1], around[:, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    if lengths.std() <= _RING * lengths.mean() and gaps.max() < _WIDEST_GAP:
        return (Coordinate("angles", around / lengths[:, None]),)
    _, spreads, directions = np.linalg.svd(around, full_matrices=False)
    found: list[Coordinate] = []
    for spread, direction in zip(spreads, directions, strict=True):
        if spread < _SECOND * spreads[0]:
            continue
        # It goes the way of the map.
        direction = direction * np.sign(direction[abs(direction).argmax()])
        title = "places along the arrangement" if not found else "places across it"
        found.append(Coordinate(title, around @ direction[:, None]))
    return tuple(found)


def targets_of(axis: Axis) -> NDArray[np.float64]:
    """Return the values of an axis as (N, 1 or 2) targets, as in `Coordinate`."""
    if not axis.is_circular:
        return axis.values.astype(np.float64)[:, None]
    angles = np.radians(axis.values.astype(np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@dataclass(frozen=True, eq=False)
class Regression:
    """From activations to a coordinate.

    Parameters
    ----------
    keeps_means : bool
        Whether it looks at what pooling would keep, too.
    middle : (D,) float32 array
        Of the rows that it learnt from.
    weights : (D, k) float32 array
        Of each activation.
    start : (k,) float32 array
        At the middle.
    foretold : (m, k) float64 array
        What it says of each row that it learnt from, when that is left out.
    """

    keeps_means: bool
    middle: NDArray[np.float32] = field(repr=False)
    weights: NDArray[np.float32] = field(repr=False)
    start: NDArray[np.float32] = field(repr=False)
    foretold: NDArray[np.float64] = field(repr=False)

    def __call__(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (n, k) coordinate of (n, ...) activations."""
        rows = described(activations, keeps_means=self.keeps_means)
        found = (rows - self.middle) @ self.weights + self.start
        return found.astype(np.float32, copy=False)


def described(
    activations: NDArray[np.float32], *, keeps_means: bool
) -> NDArray[np.float32]:
    """Return activations as (n, D) rows of length 1.

    Parameters
    ----------
    activations : (n, ...) float32 array
        Maps (n, C, H, W), or others.
    keeps_means : bool
        Keep the mean of each map, which is what pooling would keep: what the image
        shows rather than where.
    """
    maps = activations
    if not keeps_means:
        maps = np.subtract(maps, maps.mean(axis=(2, 3), keepdims=True))
    rows = maps.reshape(len(maps), -1)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, np.where(lengths > 0, lengths, 1))
    return unit.astype(np.float32, copy=False)


def learn(
    activations: NDArray[np.float32],
    targets: NDArray[np.float64],
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> Regression:
    """Learn a coordinate by ridge regression, with and without the means of maps.

    The one that foretells left-out images better is taken; each chooses its strength by
    leaving out one image after the other. Only products between images are needed, so
    that it takes the cube of their number, whatever D.

    Parameters
    ----------
    activations : (m, ...) float32 array
        Of the arranged images.
    targets : (m, k) float64 array
        As in `Coordinate`; m at least 2.
    groups : (m,) array, optional
        Images of the same group are left out together.
    """
    has_layout = activations.ndim == 4 and np.prod(activations.shape[2:]) > 1
    found = [
        _learn(activations, targets, groups, seed, keeps_means=keeps)
        for keeps in ((False, True) if has_layout else (True,))
    ]
    return max(found, key=lambda one: goodness(targets, one.foretold)[0])


def goodness(
    targets: NDArray[np.float64], foretold: NDArray[np.float64]
) -> tuple[float, float]:
    """Return R2 and rank correlation of (m, k) targets and what was foretold of them.

    R2 is over all k targets; a correlation that is not defined counts as 0.
    """
    from scipy.stats import spearmanr

    away = ((targets - foretold) ** 2).sum()
    whole = ((targets - targets.mean(axis=0)) ** 2).sum()
    ranks = [
        spearmanr(one, other).statistic if np.ptp(one) and np.ptp(other) else 0.0
        for one, other in zip(targets.T, foretold.T, strict=True)
    ]
    return float(1 - away / whole) if whole else 0.0, float(np.mean(ranks))


def _learn(
    activations: NDArray[np.float32],
    targets: NDArray[np.float64],
    groups: NDArray[Any] | None,
    seed: int,
    *,
    keeps_means: bool,
) -> Regression:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict

    rows = described(activations, keeps_means=keeps_means)
    middle = rows.mean(axis=0)
    rows -= middle
    products = (rows @ rows.T).astype(np.float64)
    size = float(np.trace(products)) / len(rows) or 1.0
    # Images on their own principal axes have the same products, in m numbers each.
    values, vectors = np.linalg.eigh(products / size)
    some = values > _SMALLEST
    vectors, roots = vectors[:, some], np.sqrt(values[some])
    images = vectors * roots
    ridge = RidgeCV(_STRENGTHS)
    parts = _parts(len(rows), groups, seed)
    foretold = cross_val_predict(ridge, images, targets, cv=parts)
    ridge.fit(images, targets)
    by_image = (vectors / roots) @ np.atleast_2d(ridge.coef_).T / size
    return Regression(
        keeps_means=keeps_means,
        middle=middle,
        weights=rows.T @ by_image.astype(np.float32),
        start=np.atleast_1d(ridge.intercept_).astype(np.float32),
        foretold=foretold.reshape(targets.shape),
    )


def _parts(
    n: int, groups: NDArray[Any] | None, seed: int
) -> Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Deal n images into parts; return which learn and which are left out in turn."""
    from sklearn.model_selection import GroupKFold, KFold

    everything = np.arange(n)
    n_groups = 0 if groups is None else len(np.unique(groups))
    if 2 <= n_groups < n:
        by_group = GroupKFold(min(_FOLDS, n_groups))
        return list(by_group.split(everything, groups=groups))
    dealt = KFold(min(_FOLDS, n), shuffle=True, random_state=seed)
    return list(dealt.split(everything))
