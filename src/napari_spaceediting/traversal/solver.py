"""The path of an image in feature space, as coefficients over the images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from napari_spaceediting.traversal.witness import Array, WitnessProblem

_MOST_ITERATIONS = 500
_TOLERANCE = 1e-8
_RELAXATION, _MOST_RELAXATION = 1.5, 4.0
_LEAST_SHARE = 0.1
_NEAR, _FAR, _TRIED = 1.0, 0.015, 33
"""The first and last of the budgets that are tried for a path of even steps, and how
many. Beyond, what is asked for is more than two kinds of photographs differ by."""


def traverse_path(
    problem: WitnessProblem, budgets: Sequence[float] | Array
) -> Iterator[Array]:
    """Minimise the loss for one budget after the other, each from the last optimum.

    Parameters
    ----------
    problem : WitnessProblem
        Of B images and K rows.
    budgets : sequence of float, or (steps, B) float64 array
        From large to small, so that the change grows; for all images or for each.

    Yields
    ------
    (B, K) float64 array
        Coefficients, for each budget; each row sums to 1.
    """
    coefficients = problem.start()
    for budget in budgets:
        coefficients = minimise(problem, coefficients, budget)
        yield coefficients


def even_path(problem: WitnessProblem, steps: int) -> tuple[Array, list[Array]]:
    """Go as far as images stay images, in steps of the same length for each.

    At each place an image keeps what only it has, see `WitnessProblem.own_kept`.

    Parameters
    ----------
    problem : WitnessProblem
        Of B images and K rows.
    steps : int
        How many.

    Returns
    -------
    budgets : (steps, B) float64 array
        At which each image is at each step, from large to small.
    places : list of (B, K) float64 array
        Coefficients of each step.
    """
    budgets = np.concatenate([[math.inf], np.geomspace(_NEAR, _FAR, _TRIED)])
    path = [problem.start()]
    path += [problem.own_kept(p) for p in traverse_path(problem, budgets[1:])]
    lengths = np.maximum.accumulate([problem.length(places) for places in path])
    at = np.stack(
        [
            np.interp(np.arange(1, steps + 1) * far[-1] / steps, far, range(len(path)))
            for far in lengths.T
        ],
        axis=1,
    )
    below = np.minimum(at.astype(int), _TRIED - 1)
    share = at - below
    stacked, images = np.stack(path), np.arange(len(problem.rows))
    places = [
        (1 - part)[:, None] * stacked[low, images]
        + part[:, None] * stacked[low + 1, images]
        for low, part in zip(below, share, strict=True)
    ]
    prices = np.exp(np.interp(at, range(1, len(path)), np.log(budgets[1:])))
    return prices, places


def minimise(
    problem: WitnessProblem, coefficients: Array, budget: float | Array
) -> Array:
    """Minimise the witness loss of each image from the Gram matrix only.

    Where the gradient is zero, with weighted kernels a_i (source positive)::

        z = (2 budget variance x - sum_i a_i F_i) / (2 budget variance - sum_i a_i)

    Each iteration goes towards the right-hand side, further than it by a factor that
    grows with success and is halved where the loss would rise. Where the denominator is
    not clearly positive (the source pushes more than all else pulls), a positive one
    takes its place; the direction still descends. It takes one product with the Gram
    matrix, since along a line all products are linear.

    Parameters
    ----------
    problem : WitnessProblem
        Of B images and K rows.
    coefficients : (B, K) float64 array
        Where to start.
    budget : float, or (B,) float64 array
        Price of the squared distance from the image.

    Returns
    -------
    (B, K) float64 array
        Where each image moved by less than 1e-4 bandwidths in the last step, or 500
        iterations were done.
    """
    start = problem.start()
    stiffness = 2 * budget * problem.variances
    products = coefficients @ problem.gram
    value = problem.value(coefficients, products, budget)
    relaxation = np.full(len(start), _RELAXATION)
    for _ in range(_MOST_ITERATIONS):
        attraction = -np.minimum(value.pulls, 0).sum(axis=1)
        divisor = np.maximum(
            stiffness - value.witness, _LEAST_SHARE * (stiffness + attraction)
        )
        # Minus the gradient by z, times the variance, in coefficients.
        step = (
            stiffness[:, None] * (start - coefficients)
            + value.witness[:, None] * coefficients
            - value.pulls
        ) / divisor[:, None]
        along = step @ problem.gram
        lengths = np.einsum("bk,bk->b", step, along)
        if (lengths <= _TOLERANCE * problem.variances).all():
            break
        factor = relaxation[:, None]
        tried = coefficients + factor * step
        tried_products = products + factor * along
        tried_value = problem.value(tried, tried_products, budget)
        better = tried_value.loss <= value.loss
        coefficients = np.where(better[:, None], tried, coefficients)
        products = np.where(better[:, None], tried_products, products)
        value = value.replaced(better, tried_value)
        relaxation = np.where(
            better, np.minimum(1.1 * relaxation, _MOST_RELAXATION), relaxation / 2
        )
    return coefficients
