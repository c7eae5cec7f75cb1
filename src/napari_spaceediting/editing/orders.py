"""In which order single images are looked at."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Guide, Proposal
from napari_spaceediting.editing.ranking import clusters
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.projection.neighbours import nearest

NEIGHBOURS = 20
_CROWD = 8
"""Images that a cluster has on average, at least."""
_CLUSTERS = 50


class Order(StrEnum):
    """What comes first."""

    MARGIN = "margin"
    TYPICALITY = "typicality"
    CLUSTER = "cluster"
    DOUBTED = "doubted"
    """Labelled images, as guidance doubts their labels."""


def margins(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much likelier the likeliest class is than the second one, (n,).

    Parameters
    ----------
    probabilities : (n, C) float array
        Of each class. With fewer than two classes there is no doubt: all are 1.
    """
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities))
    best = np.partition(probabilities, -2, axis=1)[:, -2:].astype(float)
    return np.asarray(best[:, 1] - best[:, 0])


def typicality(latents: NDArray[np.float32], seed: int = 0) -> NDArray[np.float64]:
    """Return how crowded it is around images, (n,): TypiClust's measure.

    The inverse of the mean distance to the nearest 20 (Hacohen, Dekel & Weinshall,
    ICML 2022).

    Parameters
    ----------
    latents : (n, D) float32 array
        Of the images among which the nearest are looked for.
    """
    _, distances = nearest(latents, NEIGHBOURS, seed)
    if not distances.shape[1]:
        return np.zeros(len(latents))
    with np.errstate(divide="ignore"):
        return np.asarray(1 / distances.mean(axis=1, dtype=float))


def by_clusters(
    latents: NDArray[np.float32], n_clusters: int, seed: int = 0
) -> NDArray[np.int64]:
    """Return rows such that clusters take turns, each from its middle outwards.

    Parameters
    ----------
    latents : (n, D) float32 array
        Of the images; n is at least 1.
    n_clusters : int
        Clusters of k-means, 1 to n. The largest has the first turn.
    """
    turns = zip_longest(*clusters(latents, n_clusters, seed), fillvalue=-1)
    rows = np.array(list(turns), np.int64).ravel()
    return rows[rows >= 0]


@dataclass(frozen=True, eq=False)
class OneAtATime:
    """Propose single images in an order.

    Parameters
    ----------
    guide : Guide
        What there is to look at, and how many to return at most.
    """

    guide: Guide = field(repr=False)
    order: Order

    name = "Put images in order"

    def run(self) -> Generator[Progress, None, list[Proposal]]:
        """Return proposals of one image each."""
        guide = self.guide
        if self.order is Order.DOUBTED:
            # What people say apart is no reason here, only what their label is.
            found = yield from replace(guide, soft_labels=None).run()
            doubted = [one for one in found if one.kind is ProposalKind.MISLABELLED]
            return [alone for one in doubted for alone in self._apart(one)]
        yield Progress(0, 1, "Comparing images")
        at = np.flatnonzero((guide.labels < 0) & ~guide.settled & ~guide.held_out)
        rows = self._ordered(at)[: guide.n_proposals]
        return [self._unlabelled(index) for index in at[rows].tolist()]

    def _ordered(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        seed, predictions = self.guide.seed, self.guide.predictions
        if self.order is Order.MARGIN:
            return np.argsort(margins(predictions.probabilities[at]), kind="stable")
        if not len(at):
            return at
        latents = predictions.latents[at]
        if self.order is Order.TYPICALITY:
            return np.argsort(-typicality(latents, seed), kind="stable")
        n_clusters = int(np.clip(len(at) // _CROWD, 1, _CLUSTERS))
        return by_clusters(latents, n_clusters, seed)

    def _unlabelled(self, index: int) -> Proposal:
        names = self.guide.class_names
        probabilities = self.guide.predictions.probabilities[index]
        best = np.argsort(-probabilities, kind="stable")[:2].tolist()
        said = [f"{names[each]} ({probabilities[each]:.2f})" for each in best]
        return Proposal(
            ProposalKind.AMBIGUOUS,
            np.array([index]),
            f"The network says {' or '.join(said)}." if said else "What is it?",
            names[best[0]] if best else None,
            None,
            1.0,
        )

    def _apart(self, proposal: Proposal) -> list[Proposal]:
        """Return a proposal for each image of one."""
        if len(proposal.indices) == 1 or proposal.tag is None:
            return [proposal]
        guide, seen = self.guide, self.guide.class_names.index(proposal.tag)
        known = guide.margins[proposal.indices]
        margins = np.where(np.isnan(known), proposal.signs[0], known).tolist()
        return [
            replace(
                proposal,
                indices=np.array([index]),
                reason=guide.doubt(np.array([index]), seen, margin),
                signs=(margin,),
            )
            for index, margin in zip(proposal.indices.tolist(), margins, strict=True)
        ]
