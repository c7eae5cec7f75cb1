"""Moves by optimal transport between source and target, as coefficients over images.

Ideas that the benchmark of the traversal tries: they keep what tells images of one
class apart, because every image gets a goal of its own.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment

from napari_spaceediting.traversal.witness import Array, WitnessProblem

_COMPONENTS = 100
_SHRINKAGE = 0.05
_NEIGHBOURS = 30


def gaussian_moves(problem: WitnessProblem) -> Array:
    """Return the moves of the optimal transport between two normal distributions.

    ``T(x) = m_Q + A (x - m_P)`` with ``A = S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2`` and the
    covariances S of the source and R of the target (Dowson & Landau 1982), in the first
    principal components of both sets.

    Returns
    -------
    (B, K) array
        ``T(x) - x`` in coefficients; rows sum to 0.
    """
    gram = problem.gram
    source, target = _members(problem)
    both = np.concatenate([source, target])
    share = np.zeros(len(gram))
    share[both] = 1 / len(both)
    centre = np.eye(len(gram)) - share
    centred = centre @ gram @ centre.T
    values, vectors = np.linalg.eigh(centred[np.ix_(both, both)])
    values, vectors = values[-_COMPONENTS:], vectors[:, -_COMPONENTS:]
    axes = vectors / np.sqrt(values)
    places = centred[:, both] @ axes
    spreads = [np.cov(places[rows].T) for rows in (source, target)]
    least = _SHRINKAGE * np.trace(spreads[0] + spreads[1]) / (2 * _COMPONENTS)
    one, other = (spread + least * np.eye(_COMPONENTS) for spread in spreads)
    root = sqrtm(one).real
    back = np.linalg.inv(root)
    turn = back @ sqrtm(root @ other @ root).real @ back
    here = places[problem.rows]
    move = (here - places[source].mean(axis=0)) @ turn.T
    move += places[target].mean(axis=0) - here
    coefficients = np.zeros((len(here), len(gram)))
    weights = move @ axes.T
    coefficients[:, both] = weights - weights.mean(axis=1, keepdims=True)
    return coefficients


def assignment_moves(problem: WitnessProblem) -> Array:
    """Return mean moves of the nearest sources to the targets assigned to them.

    The assignment has the least sum of squared distances of all that use every target
    once (optimal transport between two samples).
    """
    gram = problem.gram
    source, target = _members(problem)
    norms = np.diag(gram)
    far = norms[source][:, None] + norms[target] - 2 * gram[np.ix_(source, target)]
    one, other = linear_sum_assignment(far)
    distances = problem.distances(problem.start(), gram[problem.rows])
    near = np.argsort(distances[:, source[one]], axis=1)[:, :_NEIGHBOURS]
    coefficients = np.zeros_like(distances)
    for row, chosen in zip(coefficients, near, strict=True):
        row[source[one[chosen]]] -= 1 / _NEIGHBOURS
        row[target[other[chosen]]] += 1 / _NEIGHBOURS
    return coefficients


def _members(problem: WitnessProblem) -> tuple[Array, Array]:
    weights = problem.weights[0]
    return np.flatnonzero(weights > 0), np.flatnonzero(weights < 0)
