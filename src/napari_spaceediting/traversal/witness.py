"""What a traversal minimises, in the span of the images, from their Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BISECTIONS = 60

_LEAST_VARIANCE = 1e-12
"""Of an image whose targets all look the same as it does."""


@dataclass(frozen=True, eq=False)
class WitnessValue:
    """The objective at one place for each image.

    Parameters
    ----------
    pulls : (B, K) float64 array
        Weight times kernel of every row.
    witness : (B,) float64 array
        Mean kernel to the source less that to the target.
    change : (B,) float64 array
        Squared distance in feature space from the image.
    loss : (B,) float64 array
        Witness plus budget times change.
    """

    pulls: Array
    witness: Array
    change: Array
    loss: Array

    def replaced(self, where: NDArray[np.bool_], other: WitnessValue) -> WitnessValue:
        """Return the values with those of `other` for some of the images."""
        return WitnessValue(
            np.where(where[:, None], other.pulls, self.pulls),
            np.where(where, other.witness, self.witness),
            np.where(where, other.change, self.change),
            np.where(where, other.loss, self.loss),
        )


@dataclass(frozen=True, eq=False)
class WitnessProblem:
    """Where B images shall go, each by its own source and target.

    A place is ``z = F^T c`` with coefficients c over the K rows of the features F; the
    image itself is ``c = e_x``. The loss is::

        mean_i k(z, P_i) - mean_j k(z, Q_j) + budget ||z - x||^2
        k(a, b) = exp(-||a - b||^2 / (2 variance))

    with sources P and targets Q (Gardner et al., arXiv 1511.06421; the function
    `witness_fn3` of their code). All distances follow from ``G = F F^T``::

        ||z - F_i||^2 = c^T G c + G_ii - 2 (G c)_i

    Parameters
    ----------
    gram : (K, K) float64 array
        G.
    rows : (B,) intp array
        Row of each image that is moved.
    weights : (B, K) float64 array
        1 / N in the source of an image, -1 / M in its target, 0 elsewhere.
    variances : (B,) float64 array
        Squared bandwidth of the kernel, in the unit of the Gram matrix.
    """

    gram: Array
    rows: NDArray[np.intp]
    weights: Array
    variances: Array

    def start(self) -> Array:
        """Return the coefficients (B, K) of the images themselves."""
        coefficients = np.zeros_like(self.weights)
        coefficients[np.arange(len(self.rows)), self.rows] = 1
        return coefficients

    def length(self, coefficients: Array) -> Array:
        """Return how far places (B, K) are from the images, (B,)."""
        moved = coefficients - self.start()
        squared = np.einsum("bk,bk->b", moved @ self.gram, moved)
        lengths: Array = np.sqrt(np.maximum(squared, 0))
        return lengths

    def own_kept(self, coefficients: Array) -> Array:
        """Return places (B, K) at which an image keeps what only it has.

        What it loses of itself on the way is taken from the mean of its source in its
        place: so it loses what its kind has, and no more.
        """
        rows = np.arange(len(self.rows)), self.rows
        kept = coefficients.copy()
        lost = 1 - kept[rows]
        kept[rows] = 1
        kind = np.maximum(self.weights, 0)
        kept -= lost[:, None] * kind / kind.sum(axis=1, keepdims=True)
        return kept

    def distances(self, coefficients: Array, products: Array) -> Array:
        """Return the squared distances (B, K) of places to all rows.

        Parameters
        ----------
        coefficients : (B, K) float64 array
            The places.
        products : (B, K) float64 array
            Coefficients times Gram matrix.
        """
        norms = np.einsum("bk,bk->b", coefficients, products)
        squared = norms[:, None] + np.diagonal(self.gram) - 2 * products
        clipped: Array = np.maximum(squared, 0)
        return clipped

    def value(
        self, coefficients: Array, products: Array, budget: float | Array
    ) -> WitnessValue:
        """Return the objective; budgets (B,) or one, else as for `distances`."""
        distances = self.distances(coefficients, products)
        pulls = self.weights * np.exp(-distances / (2 * self.variances[:, None]))
        witness = pulls.sum(axis=1)
        change = distances[np.arange(len(self.rows)), self.rows]
        return WitnessValue(pulls, witness, change, witness + budget * change)


def choose_problems(
    problems: Sequence[WitnessProblem], which: NDArray[np.intp]
) -> WitnessProblem:
    """Return a problem in which each image has the sets of one of several.

    Parameters
    ----------
    problems : sequence of WitnessProblem
        Of the same B images.
    which : (B,) intp array
        Which of them, for each image.
    """
    images = np.arange(len(which))
    weights, variances = (
        np.stack([getattr(problem, name) for problem in problems])[which, images]
        for name in ("weights", "variances")
    )
    return replace(problems[0], weights=weights, variances=variances)


def make_problem(
    gram: Array,
    rows: NDArray[np.intp],
    sources: NDArray[np.bool_],
    target: NDArray[np.bool_],
    neighbours: int | None = None,
) -> WitnessProblem:
    """Weigh source and target, and choose a bandwidth for each image.

    Parameters
    ----------
    gram : (K, K) float64 array
        Gram matrix of the features.
    rows : (B,) intp array
        Row of each image that is moved.
    sources : (B, K) bool array
        Which rows are the source of each image.
    target : (K,) bool array
        Which rows are the target.
    neighbours : int, optional
        Only so many of the nearest of each set count for an image.
    """
    weights = np.zeros((len(rows), len(gram)))
    problem = WitnessProblem(gram, rows, weights, np.ones(len(rows)))
    distances = problem.distances(problem.start(), gram[rows])
    targets = np.broadcast_to(target, sources.shape)
    variances = np.empty(len(rows))
    for at, (far, source, goal) in enumerate(
        zip(distances, sources, targets, strict=True)
    ):
        for sign, members in ((1, source), (-1, goal)):
            chosen = np.flatnonzero(members)
            chosen = chosen[np.argsort(far[chosen], kind="stable")[:neighbours]]
            weights[at, chosen] = sign / len(chosen)
        variances[at] = bandwidth(far[weights[at] < 0])
    return replace(problem, variances=variances)


def bandwidth(distances: Array, kernel_mean: float = 0.5) -> float:
    """Return the squared bandwidth at which the mean kernel has a given value.

    The rule of the authors' code (`initialize_KQ`: mean kernel between image and
    target), solved by bisection instead of by one step of correction.

    Parameters
    ----------
    distances : (M,) float64 array
        Squared distances of an image to its target.
    kernel_mean : float
        Above 0, below 1.
    """
    # By Jensen's inequality the mean kernel is too large at `high`.
    to_variance = 1 / (2 * np.log(1 / kernel_mean))
    high = max(float(distances.mean()) * to_variance, _LEAST_VARIANCE)
    low = max(float(distances.min()) * to_variance, 1e-12 * high)
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        if np.exp(-distances / (2 * middle)).mean() < kernel_mean:
            low = middle
        else:
            high = middle
    return float(high)
