"""What surrounds a place on the map: neighbours, classes and support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.targets import widened

LOW_SUPPORT = 0.3
"""Support below which an edit is said to weigh little."""
NEIGHBOURS = 15
_AT_HOME, _AMONG_ITS_OWN = 0.7, 0.5
"""Votes for a class: where it is at home, and where images of it may stay."""
_OF_GROUP = 100
"""Places at most that are asked for a group."""


@dataclass(frozen=True, eq=False)
class Places:
    """The surroundings of m places.

    Parameters
    ----------
    neighbours : (m, k) int64 array
        Nearest candidate images of each place, nearest first.
    weights : (m, k) float32 array
        Weight of each neighbour; a row sums to 1.
    votes : (m, C) float32 array
        Share of each class among the neighbours; a row sums to 1, or to 0
        where nothing is known of them.
    support : (m,) float32 array
        0 to 1: how well images surround the place.
    """

    neighbours: NDArray[np.int64]
    weights: NDArray[np.float32]
    votes: NDArray[np.float32]
    support: NDArray[np.float32]


class Surroundings:
    """Answers what surrounds a place, quickly enough to ask while dragging.

    Parameters
    ----------
    positions : (N, 2) float32 array
        Map coordinates of all images.
    candidates : (n,) int64 array
        Images that may speak for a place: those that no edit has touched.
    beliefs : (N, C) float32 array
        What is believed of the class of every image, a row each that sums to
        1, or to 0 where nothing is.

    Attributes
    ----------
    positions : (n, 2) float32 array
        Where the candidates lie.
    beliefs : (N, C) float32 array
        As they were given.
    """

    def __init__(
        self,
        positions: NDArray[np.float32],
        candidates: NDArray[np.int64],
        beliefs: NDArray[np.float32],
    ) -> None:
        from scipy.spatial import KDTree

        self._candidates = candidates
        self.positions = positions[candidates]
        self.beliefs = beliefs
        self._tree = None
        if len(candidates):
            # Built twice as quickly as a balanced tree, and asked as quickly.
            self._tree = KDTree(
                self.positions, compact_nodes=False, balanced_tree=False
            )

    def at(self, places: NDArray[np.float32], k: int = NEIGHBOURS) -> Places:
        """Describe the surroundings of places.

        The weight of a neighbour at distance d is exp(-(d / mean d)^2), with
        the mean over the neighbours of its place.

        Support is the product of two judgements. *Density*: the usual distance
        of the neighbours from their own neighbours over that from the place, at
        most 1. *Enclosure*: twice one less the length of the mean unit vector to
        the neighbours, at most 1; it vanishes where all of them lie on one side.

        Parameters
        ----------
        places : (m, 2) float32 array
            Map coordinates.
        k : int
            Neighbours to ask.
        """
        m, n, n_classes = len(places), len(self._candidates), self.beliefs.shape[1]
        k = min(k, n)
        if self._tree is None or not m:
            return Places(
                np.empty((m, 0), np.int64),
                np.empty((m, 0), np.float32),
                np.zeros((m, n_classes), np.float32),
                np.zeros(m, np.float32),
            )
        distances, rows = self._tree.query(places, k=k)
        distances, rows = distances.reshape(m, k), rows.reshape(m, k)
        mean = distances.mean(axis=1, keepdims=True)
        weights = np.exp(-((distances / np.where(mean > 0, mean, 1)) ** 2))
        weights /= weights.sum(axis=1, keepdims=True)
        neighbours = self._candidates[rows]
        votes = np.einsum("mk,mkc->mc", weights, self.beliefs[neighbours])
        total = votes.sum(axis=1, keepdims=True)
        np.divide(votes, total, out=votes, where=total > 0)
        asked, at = np.unique(rows, return_inverse=True)
        reach = self._tree.query(self.positions[asked], k=[min(k + 1, n)])[0][:, 0]
        usual = np.median(reach[at.reshape(m, k)], axis=1)
        support = _density(distances[:, -1], usual) * self._enclosure(places, rows)
        return Places(
            neighbours,
            weights.astype(np.float32),
            votes.astype(np.float32),
            support.astype(np.float32),
        )

    def of_group(self, places: NDArray[np.floating]) -> Places:
        """Describe the surroundings of a group by those of up to 100 of its places."""
        step = max(-(-len(places) // _OF_GROUP), 1)
        return self.at(places[::step].astype(np.float32))

    def _enclosure(
        self, places: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        offsets = self.positions[rows] - places[:, None]
        lengths = np.linalg.norm(offsets, axis=2, keepdims=True)
        units = np.divide(
            offsets, lengths, out=np.zeros_like(offsets), where=lengths > 0
        )
        one_sided = np.linalg.norm(units.mean(axis=1), axis=1)
        return np.asarray(np.clip(2 * (1 - one_sided), 0, 1))


class Homes:
    """Where on the map the classes are at home, so that a move can be proposed.

    Those are the images around which one class has at least 70% of the vote.

    Parameters
    ----------
    around : Surroundings
        Of the map; its candidates are looked at.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._votes = around.at(around.positions).votes

    def near(self, tag: int, start: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the nearest place where a class is at home, (2,).

        None where the start, (2,), is such a place already, or the class has no home.
        """
        members = self._around.positions[self._votes[:, tag] >= _AT_HOME]
        if not len(members):
            return None
        votes = self._around.at(start[None].astype(np.float32)).votes[0]
        if votes[tag] >= _AMONG_ITS_OWN:
            return None
        away = np.linalg.norm(members - start, axis=1)
        nearest_member: NDArray[np.float32] = members[away.argmin()]
        return nearest_member


def _density(
    reach: NDArray[np.float64], usual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return usual over actual reach, at most 1; 1 where the reach is 0."""
    return np.minimum(
        1, np.divide(usual, reach, out=np.ones_like(reach), where=reach > 0)
    )


def beliefs(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], n_classes: int
) -> NDArray[np.float32]:
    """Return what is believed of every image's class, (N, C) float32.

    The class of a labelled image is certain; of another one the network's
    probabilities are believed, where it has any.

    Parameters
    ----------
    labels : (N,) int64 array
        Classes, -1 for none.
    probabilities : (N, c) float32 array
        Of the network, over its first c of the C classes.
    n_classes : int
        Number of classes C.
    """
    believed = widened(probabilities, n_classes)
    known = np.flatnonzero(labels >= 0)
    believed[known] = 0
    believed[known, labels[known]] = 1
    return believed
