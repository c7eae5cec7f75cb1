"""From edits on the map to what the network shall learn.

SpaceEditing (Wei et al., arXiv 2212.04065) moves a projected point and lets the
program "find the corresponding high-dimensional features", without saying how. The
rule here is ours: the latent anchor of a place is the barycentre of the latents of
its neighbours on the map, among images that no edit has touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.editing.places import Surroundings, beliefs


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
        How much the anchor counts, 0 to 1: the support of the place for moves
        and pins, 0 for relabelled and arranged images.
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
    if places.neighbours.shape[1]:
        around = np.einsum("mk,mkd->md", places.weights, latents[places.neighbours])
        targets[placed] = around[placed]
        weights[placed] = places.support[placed]
    return Anchors(
        indices=at,
        latents=targets,
        weights=weights,
        tags=np.where(state.tagged[at], state.labels[at], UNLABELLED),
        arranged=kinds == EditKind.ARRANGED,
        near=near,
        away=away,
    )
