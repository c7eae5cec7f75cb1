"""From edits on the map to what the network shall learn.

SpaceEditing (Wei et al., arXiv 2212.04065) moves a projected point and lets the
program "find the corresponding high-dimensional features", without saying how. The
rule here is ours: the latent anchor of a place is the barycentre of the latents of
its neighbours on the map, among images that no edit has touched. Where the edit names a
class, they speak as far as they are believed to be of it: an image that is pinned amid
others, because the network takes it for one of them, must not be drawn to these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.editing.places import Places, Surroundings, beliefs


@dataclass(frozen=True, eq=False)
class Anchors:
    """What edits ask of the network, for M edited training images.

    Parameters
    ----------
    indices : (M,) int64 array
        Positions in the data set.
    weights : (M,) float32 array
        How much the anchor counts, 0 to 1: for moves and pins the support of the
        place, times the vote for the class that they name if any is known there; 0
        for relabelled and arranged images.
    votes : (M, C) float32 array
        Share of each class among the neighbours of the place.
    tags : (M,) int64 array
        Class that the edits say, -1 where they say none.
    near : (M, k) int64 array
        Images that surround the place after the edits; the image itself where there
        are none.
    speaking : (M, k) float32 array
        How much each of `near` speaks; a row sums to 1.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    votes: NDArray[np.float32]
    tags: NDArray[np.int64]
    near: NDArray[np.int64]
    speaking: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indices)

    def among(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the latent anchors (M, D): barycentres of latents (N, D) of `near`."""
        found: NDArray[np.float32] = np.einsum(
            "mk,mkd->md", self.speaking, latents[self.near]
        )
        return found

    def mask(self, n_images: int) -> NDArray[np.bool_]:
        """Return the edited training images as an (N,) mask."""
        mask = np.zeros(n_images, bool)
        mask[self.indices] = True
        return mask


def surroundings(
    state: EditState, probabilities: NDArray[np.float32], held_out: NDArray[np.bool_]
) -> Surroundings:
    """Prepare to ask what surrounds a place, among images that may speak for it.

    Parameters
    ----------
    probabilities : (N, c) float32 array
        Of the network.
    held_out : (N,) bool array
        Images kept apart for measuring; they never speak.
    """
    return Surroundings(
        state.positions,
        np.flatnonzero(~state.edited & ~held_out),
        beliefs(state.labels, probabilities, len(state.class_names)),
    )


def find_anchors(
    state: EditState,
    probabilities: NDArray[np.float32],
    held_out: NDArray[np.bool_],
) -> Anchors:
    """Find what the edits ask of the network.

    Parameters
    ----------
    probabilities : (N, c) float32 array
        Of the network that made the map.
    held_out : (N,) bool array
        Images kept apart for measuring; edits of them are left out.
    """
    at = np.flatnonzero(state.edited & ~held_out)
    kinds = state.kinds[at]
    placed = (kinds == EditKind.MOVED) | (kinds == EditKind.PINNED)
    weights = np.zeros(len(at), np.float32)
    around_map = surroundings(state, probabilities, held_out)
    places = around_map.at(state.positions[at])
    near = places.neighbours
    speaking = places.weights
    if not near.shape[1]:
        near = at[:, None]
        speaking = np.ones((len(at), 1), np.float32)
    tags = np.where(state.tagged[at], state.labels[at], UNLABELLED)
    if places.neighbours.shape[1]:
        speaking, vote = _speaking(around_map, places, tags)
        weights[placed] = (places.support * vote)[placed]
    return Anchors(
        indices=at,
        weights=weights,
        votes=places.votes,
        tags=tags,
        near=near,
        speaking=speaking,
    )


def _speaking(
    around: Surroundings, places: Places, tags: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much each neighbour speaks, and their share in all, for what is named.

    All speak alike for an edit that names no class, and where none is known.
    """
    believed = around.beliefs[places.neighbours, tags.clip(0)[:, None]]
    agreeing = places.weights * believed
    total = agreeing.sum(axis=1)
    asked = (tags >= 0) & places.votes.any(axis=1)
    some = asked & (total > 0)
    speaking = places.weights.copy()
    speaking[some] = agreeing[some] / total[some, None]
    vote = np.where(asked, total, np.float32(1))
    return speaking, vote
