"""Unmoved images that edits speak for, because they are the same case."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.targets import Targets, widened
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.projection.neighbours import nearest

_NEIGHBOURS = 10
_VOTERS = 5
_BELIEVED = 0.5
"""Probability from which the network believes a label."""
_LEAST = 0.25
"""Weight below which an edit does not speak for an image."""


@dataclass(frozen=True, eq=False)
class Propagation:
    """What edits say of n images that nobody has touched.

    Parameters
    ----------
    indices : (n,) int64 array
        Positions in the data set, the surest first.
    classes : (n,) int64 array
        The class that they are taken for.
    weights : (n,) float32 array
        How much each counts, 0 to 1.
    sources : (n,) int64 array
        The edited image that each resembles most.
    """

    indices: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]
    sources: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def targets(self, n_classes: int) -> Targets:
        """Return them as targets over C classes."""
        classes = np.eye(n_classes, dtype=np.float32)[self.classes]
        return Targets(self.indices, classes, self.weights)


@dataclass(frozen=True, eq=False)
class Propagate:
    """Find the images that edits speak for.

    An image can be spoken for if it has no class, or one that the network does not
    believe. Its voters are the five nearest images in latent space of those whose
    class is known; one at distance d counts ``exp(-(d / r)^2)``, with r the distance
    at which the image has its tenth neighbour. The weight is the product of how near
    the nearest edited image of the winning class is, of the share of the votes that
    the class has, and of the network's doubt of it (one less its probability). Below
    a quarter nothing is said.

    Parameters
    ----------
    labels : (N,) int64 array
        Classes after the edits, -1 for none.
    n_classes : int
        Number of classes C.
    edited : (N,) bool array
        Images that edits have touched.
    said : (N,) bool array
        Those of them whose class an edit has said.
    closed : (N,) bool array
        Images that nothing is said of: confirmed earlier, or spared by the user.
    held_out : (N,) bool array
        Images kept apart; they neither speak nor are spoken for.
    predictions : Predictions
        Of the network that is shown.
    """

    labels: NDArray[np.int64] = field(repr=False)
    n_classes: int
    edited: NDArray[np.bool_] = field(repr=False)
    said: NDArray[np.bool_] = field(repr=False)
    closed: NDArray[np.bool_] = field(repr=False)
    held_out: NDArray[np.bool_] = field(repr=False)
    predictions: Predictions = field(repr=False)

    name = "Look for the same cases"

    def run(self) -> Generator[Progress, None, Propagation]:
        """Compare latents."""
        yield Progress(0, 2, "Comparing with what you edited")
        training = np.flatnonzero(~self.held_out)
        labels = self.labels[training]
        speaks = self.said[training] & (labels >= 0)
        if not speaks.any():
            return _NOTHING
        latents = self.predictions.latents[training]
        believed = widened(self.predictions.probabilities[training], self.n_classes)
        own = np.take_along_axis(believed, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
        doubted = (labels < 0) | (own < _BELIEVED)
        asked = np.flatnonzero(
            doubted & ~self.edited[training] & ~self.closed[training]
        )
        voters = np.flatnonzero((labels >= 0) & ~np.isin(np.arange(len(labels)), asked))
        if not len(asked):
            return _NOTHING
        reach = nearest(latents, _NEIGHBOURS)[1][asked, -1:]
        yield Progress(1, 2, "Comparing with what you edited")
        distances, who = _nearest_of(latents[asked], latents[voters])
        who = voters[who]
        near = np.exp(-((distances / np.maximum(reach, 1e-12)) ** 2))
        votes = np.zeros((len(asked), self.n_classes))
        np.add.at(votes, (np.arange(len(asked))[:, None], labels[who]), near)
        winner, total = votes.argmax(axis=1), votes.sum(axis=1)
        agreement = votes.max(axis=1) / np.maximum(total, 1e-12)
        nearness = np.where(speaks[who] & (labels[who] == winner[:, None]), near, 0)
        rows, source = np.arange(len(asked)), nearness.argmax(axis=1)
        doubt = 1 - believed[asked, winner]
        weights = (nearness[rows, source] * agreement * doubt).astype(np.float32)
        order = np.argsort(-weights, kind="stable")
        order = order[weights[order] >= _LEAST]
        return Propagation(
            training[asked[order]],
            winner[order],
            weights[order],
            training[who[rows, source][order]],
        )


def _nearest_of(
    latents: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(_VOTERS, len(others))).fit(others)
    distances, rows = index.kneighbors(latents)
    return distances, rows


_NOTHING = Propagation(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.float32),
    np.empty(0, np.int64),
)
