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
    latents : (M, D) float32 array
        Latent anchor of each; the image's own latent where its weight is 0.
    weights : (M,) float32 array
        How much the anchor counts, 0 to 1: for moves and pins the support of the
        place, times the vote for the class that they name if any is known there; 0
        for relabelled and arranged images.
    tags : (M,) int64 array
        Class that the edits say, -1 where they say none.
    arranged : (M,) bool array
        Images whose distances to each other are right as they lie.
    near, away : (M, k) int64 arrays
        Images that surround the place after the edits, and the one before; the image
        itself where there are none.
    """

    indices: NDArray[np.int64]
    latents: NDArray[np.float32]
    weights: NDArray[np.float32]
    tags: NDArray[np.int64]
    arranged: NDArray[np.bool_]
    near: NDArray[np.int64]
    away: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

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
    state : EditState
        The edits so far.
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
    latents: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    held_out: NDArray[np.bool_],
    start: NDArray[np.float32],
) -> Anchors:
    """Find what the edits ask of the network.

    Parameters
    ----------
    state : EditState
        The edits, added up.
    latents : (N, D) float32 array
        Of all images, by the network that made the map.
    probabilities : (N, c) float32 array
        Of the same network.
    held_out : (N,) bool array
        Images kept apart for measuring; edits of them are left out.
    start : (N, 2) float32 array
        Map coordinates before the edits.
    """
    at = np.flatnonzero(state.edited & ~held_out)
    kinds = state.kinds[at]
    placed = (kinds == EditKind.MOVED) | (kinds == EditKind.PINNED)
    targets = latents[at].copy()
    weights = np.zeros(len(at), np.float32)
    around_map = surroundings(state, probabilities, held_out)
    places = around_map.at(state.positions[at])
    near = places.neighbours
    away = around_map.at(start[at]).neighbours
    if not near.shape[1]:
        near = away = at[:, None]
    tags = np.where(state.tagged[at], state.labels[at], UNLABELLED)
    if places.neighbours.shape[1]:
        speaking, vote = _speaking(around_map, places, tags)
        around = np.einsum("mk,mkd->md", speaking, latents[places.neighbours])
        targets[placed] = around[placed]
        weights[placed] = (places.support * vote)[placed]
    return Anchors(
        indices=at,
        latents=targets,
        weights=weights,
        tags=tags,
        arranged=kinds == EditKind.ARRANGED,
        near=near,
        away=away,
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
