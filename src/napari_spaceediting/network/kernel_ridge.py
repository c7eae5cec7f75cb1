"""Classes from frozen features and the labels of a few, in closed form.

Kernel ridge regression (Saunders et al., ICML 1998) on the roots of the features, which
even out those of which few are large (Arandjelović & Zisserman, CVPR 2012). How
strongly it is regularised follows from the labels themselves, each of which is left out
once: no step of it is random or has to be tuned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

from napari_spaceediting.network.margins import leads

_RIDGES = 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0
_TEMPERATURES = 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.5
_USUAL = 0.1, 0.14
"""Ridge and temperature where each class has one image: none can be left out."""
_CHOSEN_ON, _LANDMARKS = 500, 2_000
"""Images at most on which ridge and temperature are chosen, and between which classes
are interpolated (Nyström)."""
_ROWS = 4_096
_EVEN = 1e-4
"""Below this feature the root is nearly a straight line, so that it has a slope."""

Floats = NDArray[np.float64]


def roots(features: Tensor) -> Tensor:
    """Return signed roots of features, each image's of length 1.

    Parameters
    ----------
    features : (n, F) float32 tensor
        Of a network.
    """
    rooted = features / (features.abs() + _EVEN).sqrt()
    return F.normalize(rooted, eps=1e-12)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What is said of labelled images by a regression on all the others.

    Parameters
    ----------
    scores : (n, C) float32 array
        Of the classes; about 1 for a certain one and 0 for the others.
    temperature : float
        Scores over it are logits.
    """

    scores: NDArray[np.float32]
    temperature: float

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probabilities of the classes, (n, C)."""
        said: NDArray[np.float32] = softmax(self.scores / self.temperature, axis=1)
        return said

    def margins(self, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return by how much the others speak for each label.

        Parameters
        ----------
        labels : (n,) int64 array
            What is said to be right.

        Returns
        -------
        (n,) float32 array
            Score of the label less the largest other one, not of the probabilities,
            which hardly differ where all are certain; NaN where no other image has that
            label, or there is no other class.
        """
        if self.scores.shape[1] < 2:
            return np.full(len(labels), np.nan, np.float32)
        margins = leads(self.scores, labels)
        margins[np.bincount(labels)[labels] < 2] = np.nan
        return margins


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """A fitted regression, from roots of features to scores of C classes.

    ``scores = exp(-gamma |roots - landmarks|^2) @ weights + bias``; their softmax are
    the probabilities.

    Parameters
    ----------
    landmarks : (m, F) float32 array
        Roots of labelled images; of all of them, if they are few.
    gamma : float
        Of the kernel.
    weights : (m, C) float32 array
        Of the landmarks.
    bias : (C,) float32 array
        Score of a class far from all landmarks.
    left_out : LeftOut
        What is said of the labelled images.
    redrawn : (B, m, C) float32 array
        The weights of the landmarks, had labelled images been drawn as in `fit`.
    """

    landmarks: NDArray[np.float32]
    gamma: float
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    left_out: LeftOut
    redrawn: NDArray[np.float32]


def fit(
    rooted: NDArray[np.float32],
    classes: NDArray[np.float32],
    weights: NDArray[np.float32],
    draws: NDArray[np.float32] | None = None,
) -> KernelRidge:
    """Fit a regression of classes on roots of features.

    Half the inverse of the median squared distance is gamma. The ridge has the least
    squared error on images that are left out, the temperature by which scores are
    divided the least log-loss.

    Parameters
    ----------
    rooted : (n, F) float32 array
        `roots` of the labelled images; n at least 1.
    classes : (n, C) float32 array
        Probabilities of their classes; a row sums to 1.
    weights : (n,) float32 array
        How much each image counts among those of its classes, more than 0; every
        class counts the same.
    draws : (B, n) float32 array, optional
        By how much more than once each image is there in B other draws. What an image
        brings is what would be lost without it: as often as that is added.
    """
    if draws is None:
        draws = np.empty((0, len(rooted)), np.float32)
    n, order = len(rooted), np.arange(len(rooted))
    if n > _CHOSEN_ON:
        order = np.random.default_rng(0).permutation(n)
    at, some = np.sort(order[:_LANDMARKS]), np.sort(order[:_CHOSEN_ON])
    inner = np.ix_(np.searchsorted(at, some), np.searchsorted(at, some))
    counting = _balanced(classes.astype(np.float64), weights)
    mean = np.asarray(np.average(classes, axis=0, weights=counting), np.float64)
    wanted = classes.astype(np.float64) - mean
    landmarks = rooted[at]
    squared = 2 - 2 * (landmarks @ landmarks.T).astype(np.float64)
    gamma = _gamma(squared[inner])
    kernel = np.exp(-gamma * squared)
    ridge, temperature = _chosen(kernel[inner], wanted[some], mean, counting[some])
    fitted = (kernel, wanted, counting, ridge, draws)
    if n <= _LANDMARKS:
        solved, left_out, redrawn = _exact(*fitted)
    else:
        solved, left_out, redrawn = _interpolated(rooted, landmarks, gamma, *fitted)
    return KernelRidge(
        landmarks,
        gamma,
        (solved / temperature).astype(np.float32),
        (mean / temperature).astype(np.float32),
        LeftOut((left_out + mean).astype(np.float32), temperature),
        (redrawn / temperature).astype(np.float32),
    )


def _balanced(classes: Floats, weights: NDArray[np.float32]) -> Floats:
    """Return weights by which every class counts the same, 1 on average."""
    mass = classes * weights[:, None]
    totals = mass.sum(axis=0)
    np.divide(mass, totals, out=mass, where=totals > 0)
    counting = mass.sum(axis=1)
    return np.asarray(counting / counting.mean())


def _gamma(squared: Floats) -> float:
    upper = squared[np.triu_indices(len(squared), 1)]
    median = float(np.median(upper)) if len(upper) else 0.0
    return 0.5 / median if median > 1e-6 else 0.5


def _chosen(
    kernel: Floats, wanted: Floats, mean: Floats, weights: Floats
) -> tuple[float, float]:
    """Return the ridge and the temperature that are best for images left out.

    By the eigenvalues, of which all ridges are solved as in `_exact`.
    """
    if np.count_nonzero((wanted + mean).sum(axis=0)) == len(wanted):
        return _USUAL
    by_weight = np.sqrt(weights)[:, None]
    values, vectors = np.linalg.eigh(by_weight * kernel * by_weight.T)
    turned = vectors.T @ (by_weight * wanted)

    def mistakes(ridge: float) -> Floats:
        shrunk = 1 / (values.clip(0) + ridge)
        solved = vectors @ (shrunk[:, None] * turned)
        return np.asarray(solved / (vectors**2 @ shrunk)[:, None])

    tried = {ridge: mistakes(ridge) for ridge in _RIDGES}
    ridge = min(_RIDGES, key=lambda ridge: float(np.square(tried[ridge]).sum()))
    said, classes = wanted - tried[ridge] / by_weight + mean, wanted + mean

    def log_loss(temperature: float) -> float:
        told = log_softmax(said / temperature, axis=1)
        return -float(weights @ (classes * told).sum(axis=1))

    return ridge, min(_TEMPERATURES, key=log_loss)


def _exact(
    kernel: Floats,
    wanted: Floats,
    weights: Floats,
    ridge: float,
    draws: NDArray[np.float32],
) -> tuple[Floats, Floats, Floats]:
    """Return the solution, what is said of images left out, and solutions of draws.

    An image that counts w times has a w-th of the ridge. Leaving out (Craven & Wahba,
    Numer. Math. 31, 377, 1979): with H = (K + ridge)^-1, what image i is
    mistaken by when it is left out is (H t)_i / H_ii, and the solution then lacks as
    much of the column H_i.
    """
    by_weight = np.sqrt(weights)[:, None]
    square = by_weight * kernel * by_weight.T
    square[np.diag_indices(len(square))] += ridge
    inverse = cho_solve(cho_factor(square, lower=True), np.eye(len(square)))
    solved = inverse @ (by_weight * wanted)
    mistakes = solved / np.diag(inverse)[:, None]
    drawn = draws.any(axis=0)
    redrawn = solved + inverse[:, drawn] @ (draws[:, drawn, None] * mistakes[drawn])
    return by_weight * solved, wanted - mistakes / by_weight, by_weight * redrawn


def _interpolated(
    rooted: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    gamma: float,
    kernel: Floats,
    wanted: Floats,
    weights: Floats,
    ridge: float,
    draws: NDArray[np.float32],
) -> tuple[Floats, Floats, Floats]:
    """Fit all images by weights of landmarks (Williams & Seeger, NIPS 2000)."""
    m = len(landmarks)
    factor = np.linalg.cholesky(kernel + 1e-6 * np.eye(m))
    square, right = ridge * np.eye(m), np.zeros((m, wanted.shape[1]))
    blocks = [slice(at, at + _ROWS) for at in range(0, len(rooted), _ROWS)]

    def coordinates(rows: slice) -> Floats:
        to_landmarks = np.exp(-gamma * (2 - 2 * (rooted[rows] @ landmarks.T)))
        found: Floats = solve_triangular(
            factor, to_landmarks.T.astype(np.float64), lower=True
        )
        return found

    for rows in blocks:
        part = coordinates(rows)
        square += (part * weights[rows]) @ part.T
        right += (part * weights[rows]) @ wanted[rows]
    inverse = cho_factor(square, lower=True)
    solved = cho_solve(inverse, right)
    left_out, more = np.empty_like(wanted), np.zeros((len(draws), *solved.shape))
    for rows in blocks:
        part = coordinates(rows)
        leverage = weights[rows] * np.einsum("mn,mn->n", part, cho_solve(inverse, part))
        mistakes = (wanted[rows] - part.T @ solved) / (1 - leverage)[:, None]
        left_out[rows] = wanted[rows] - mistakes
        drawn = draws[:, rows].any(axis=0)
        lost = weights[rows][drawn, None] * mistakes[drawn]
        more += part[:, drawn] @ (draws[:, rows][:, drawn, None] * lost)
    redrawn = [solved + cho_solve(inverse, one) for one in more]
    solved, *redrawn = (solve_triangular(factor.T, one) for one in (solved, *redrawn))
    return solved, left_out, np.array(redrawn).reshape(more.shape)
