"""UMAP in steps that can be watched, stopped and started from an earlier map.

umap-learn's `UMAP` class stretches every starting layout to a square, hides the
epochs, and cannot be stopped. Here its own steps (graph, optimisation) are called
one by one instead.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from umap.layouts import optimize_layout_euclidean
from umap.umap_ import (
    compute_membership_strengths,
    find_ab_params,
    fuzzy_simplicial_set,
    make_epochs_per_sample,
    smooth_knn_dist,
)

from napari_spaceediting.jobs.job import Progress

# Compiling these takes 4 s, and umap-learn forgets it: numba keeps it for the next
# process, where it finds a folder to keep it in.
for _function in smooth_knn_dist, compute_membership_strengths:
    with suppress(RuntimeError):
        _function.enable_caching()

# Defaults of umap-learn.
_NEGATIVES_PER_EDGE = 5
_EXTENT = 10.0
_JITTER = 1e-4
_EDGES_FOR_SCALE = 1_000_000
# Seconds between two looks at how far the optimisation is.
_POLL = 0.05


@dataclass(frozen=True)
class FuzzyGraph:
    """UMAP's weighted graph of neighbours, and the curve that belongs to it.

    Parameters
    ----------
    heads, tails : ndarray of int32, shape (E,)
        The images that an edge joins.
    weights : ndarray of float32, shape (E,)
        Strength of each edge, above 0 and at most 1.
    a, b : float
        The attraction on the map at distance d is that of 1 / (1 + a d^(2b)).
    """

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    weights: NDArray[np.float32]
    a: float
    b: float


def fuzzy_graph(
    neighbours: NDArray[np.int32], distances: NDArray[np.float32], min_dist: float
) -> FuzzyGraph:
    """Return UMAP's graph for known neighbours, shape (N, k) without the image."""
    n, k = neighbours.shape
    # umap-learn counts the image itself as its first neighbour.
    itself = np.arange(n, dtype=np.int32)[:, None]
    graph, _, _ = fuzzy_simplicial_set(
        itself,  # only its length is looked at
        k + 1,
        None,
        "euclidean",
        knn_indices=np.hstack([itself, neighbours]),
        knn_dists=np.hstack([np.zeros((n, 1), np.float32), distances]),
    )
    edges = graph.tocoo()
    a, b = find_ab_params(1.0, min_dist)
    return FuzzyGraph(edges.row, edges.col, edges.data, float(a), float(b))


def cold_start(layout: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a linear map as a start: its longer side brought to UMAP's extent."""
    low = layout.min(axis=0)
    return np.asarray(_EXTENT * (layout - low) / np.ptp(layout, axis=0).max())


def warm_start(
    graph: FuzzyGraph,
    previous: NDArray[np.float32],
    neighbours: NDArray[np.int32],
    movable: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return an earlier map as a start.

    Parameters
    ----------
    previous : ndarray of float32, shape (N, 2)
        The earlier map, of any scale.
    neighbours : ndarray of int32, shape (N, k)
        In the new latents.
    movable : ndarray of bool, shape (N,)
        Images that are expected to move. They start in the middle (median) of those
        new neighbours that are not; a gentle optimisation would not get them there.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        At the scale that suits UMAP's objective best.
    """
    start = previous.copy()
    for image in np.flatnonzero(movable):
        settled = neighbours[image][~movable[neighbours[image]]]
        if settled.size:
            start[image] = np.median(previous[settled], axis=0)
    return np.asarray(start * natural_scale(graph, start, rng), np.float32)


def natural_scale(
    graph: FuzzyGraph, layout: NDArray[np.float32], rng: np.random.Generator
) -> float:
    """Return the factor by which a layout fits UMAP's objective best.

    The cross-entropy is estimated from the edges, evenly chosen if they are more than a
    million, and 20,000 random pairs, weighted as umap-learn samples them (McInnes,
    Healy & Melville, arXiv 1802.03426), on a grid of factors around the one that gives
    the layout UMAP's usual extent.
    """
    extent = np.ptp(layout, axis=0).max()
    if extent == 0:
        return 1.0
    pairs = rng.integers(0, len(layout), (2, 20_000))
    some = slice(None, None, -(-len(graph.weights) // _EDGES_FOR_SCALE))
    pulled = _squared_distances(layout, graph.heads[some], graph.tails[some])
    pushed = _squared_distances(layout, *pairs)
    pushed = pushed[pushed > 0]
    share = graph.weights[some] / graph.weights[some].sum()

    def objective(scale: float) -> float:
        pull = graph.a * (scale**2 * pulled) ** graph.b
        push = graph.a * (scale**2 * pushed) ** graph.b
        attraction = share @ np.log1p(pull)
        repulsion = np.log1p(1 / push).sum() / pairs.shape[1]
        return float(attraction + _NEGATIVES_PER_EDGE * repulsion)

    factors = _EXTENT / extent * np.geomspace(0.1, 10, 41)
    return float(min(factors, key=objective))


def optimise(
    graph: FuzzyGraph,
    start: NDArray[np.float32],
    epochs: int,
    rate: float,
    rng: np.random.Generator,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Improve a layout by stochastic gradient descent, on one thread.

    Parameters
    ----------
    start : ndarray of float32, shape (N, 2)
    rate : float
        Initial learning rate; umap-learn's default is 1.
    rng : numpy.random.Generator
        Decides everything that is random.

    Yields
    ------
    Progress
        Epochs finished so far, about 20 times a second. Closing the generator stops
        the optimisation within an epoch.

    Returns
    -------
    ndarray of float32, shape (N, 2)
    """
    # Images in one place would never part: nothing pushes at a distance of 0.
    jitter = _JITTER * _EXTENT * rng.standard_normal(start.shape)
    layout = np.ascontiguousarray(start + jitter, np.float32)
    # Edges too weak to be sampled once are left out.
    strong = graph.weights >= graph.weights.max() / epochs
    counter = _EpochCounter()
    arguments: dict[str, Any] = {
        "head_embedding": layout,
        "tail_embedding": layout,
        "head": graph.heads[strong],
        "tail": graph.tails[strong],
        "n_epochs": epochs,
        "n_vertices": len(layout),
        "epochs_per_sample": make_epochs_per_sample(graph.weights[strong], epochs),
        "a": graph.a,
        "b": graph.b,
        "rng_state": rng.integers(-(2**31) + 1, 2**31 - 1, 3),
        "gamma": 1.0,
        "initial_alpha": rate,
        "negative_sample_rate": float(_NEGATIVES_PER_EDGE),
        "move_other": True,
        "tqdm_kwds": {
            "disable": False,
            "file": counter,
            "lock_args": counter,
            "bar_format": "{n}",
            "mininterval": 0,
            "miniters": 1,
            "leave": False,
        },
    }
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(optimize_layout_euclidean, **arguments)
        try:
            while not running.done():
                wait([running], timeout=_POLL)
                yield Progress(counter.epochs, epochs, "Drawing the map")
        finally:
            counter.stopped = True
        return np.asarray(running.result(), np.float32)


class _EpochCounter:
    """A file that umap-learn's progress bar is printed to, once in each epoch.

    It is the bar's `lock_args`, too, whose truth the bar asks for before it locks all
    bars of the process. That is the moment to stop: raised later, in `write`, an
    error would leave them locked for good, and the next map would wait for ever.
    """

    encoding = "utf-8"

    def __init__(self) -> None:
        self.epochs = 0
        self.stopped = False

    def __bool__(self) -> bool:
        if self.stopped:
            raise InterruptedError
        return False

    def write(self, text: str) -> None:
        if text.strip().isdecimal():
            self.epochs = int(text)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


def _squared_distances(
    layout: NDArray[np.float32], one: NDArray[np.integer], other: NDArray[np.integer]
) -> NDArray[np.float64]:
    apart = (layout[one] - layout[other]).astype(np.float64)
    return np.asarray(np.square(apart).sum(axis=1))
