"""What both ways of making images stand on: features, looks, arrival, places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.traversal.arrival import Arrival, Looks, look_at
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import Regime, TraverseSettings
from napari_spaceediting.traversal.table import FeatureTable
from napari_spaceediting.traversal.witness import Array, WitnessProblem, make_problem

_NEAREST = 5
_NO_DISTANCE = 1e-9
"""Below it, a place is the image itself; distances are of the order of 1."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What all parts of the work use.

    Parameters
    ----------
    dataset, settings, device, classifier, features
        As for `Traverse`.
    sets : TraversalSets
        As they were drawn.
    table : FeatureTable
        Of K images, moved ones, sources and target.
    looks : Looks
        Of the same.
    gram : (K, K) float64 array
        Of their features.
    rows : (K,) int64 array
        Their dataset indices, ascending.
    arrival : Arrival
        Tells what has arrived.
    began : float
        When, by `time.perf_counter`.
    """

    dataset: ImageDataset
    settings: TraverseSettings
    device: torch.device
    classifier: LatentClassifier
    features: LayerFeatures
    sets: TraversalSets
    table: FeatureTable
    looks: Looks
    gram: Array
    rows: NDArray[np.int64]
    arrival: Arrival
    began: float

    @property
    def of_target(self) -> NDArray[np.bool_]:
        """Which rows are the target, (K,)."""
        return np.isin(self.rows, self.sets.target)

    def begin(self, regime: Regime, notes: tuple[str, ...]) -> Traversal:
        """Return a traversal on which nothing has moved yet, to be filled in."""
        sets, n_images = self.sets, len(self.sets.images)
        n_steps = 1 + self.settings.steps
        originals = self.dataset.images(sets.images)
        n_classes = self.classifier.spec.n_classes
        n_nearest = min(_NEAREST, int(self.of_target.sum()))
        n_around = min(_NEAREST, len(self.rows))
        return Traversal(
            indices=sets.images,
            images=np.repeat(originals[:, None], n_steps, axis=1),
            budgets=np.zeros((n_images, n_steps - 1)),
            neighbours=np.zeros(n_images, np.int64),
            witness=np.zeros((n_images, n_steps)),
            probabilities=np.zeros((n_images, n_steps, n_classes), np.float32),
            arrived=np.zeros((n_images, n_steps), bool),
            nearest=np.zeros((n_images, n_steps, n_nearest), np.int64),
            around=np.zeros((n_images, n_steps, n_around), np.int64),
            closeness=np.zeros((n_images, n_steps, n_around)),
            own=np.ones((n_images, n_steps), bool),
            made=np.zeros(n_images, np.int64),
            regime=regime,
            layers=self.features.layers,
            settings=self.settings,
            notes=notes,
            seconds=0.0,
        )

    def problem(self, batch: slice, neighbours: int | None) -> WitnessProblem:
        """Return where some of the images shall go, by so many of their nearest."""
        sets = self.sets
        moved = np.searchsorted(self.rows, sets.images[batch])
        sources = np.stack(
            [np.isin(self.rows, source) for source in sets.sources[batch]]
        )
        return make_problem(
            self.gram, moved, sources, self.of_target, neighbours=neighbours
        )

    def fill(
        self, part: Traversal, problem: WitnessProblem, path: Sequence[Array]
    ) -> None:
        """Fill in what follows from the places alone, the first the originals."""
        of_target = self.of_target
        for step, places in enumerate(path):
            products = places @ problem.gram
            value = problem.value(places, products, 0.0)
            part.witness[:, step] = value.witness
            distances = problem.distances(places, products)
            near = _nearest(distances, part.nearest.shape[2], of_target)
            part.nearest[:, step] = self.rows[near]
            near = _nearest(distances, part.around.shape[2])
            part.around[:, step] = self.rows[near]
            nearest = np.take_along_axis(distances, near, axis=1)
            shares = 1 / np.maximum(nearest, _NO_DISTANCE)
            part.closeness[:, step] = shares / shares.sum(axis=1, keepdims=True)

    def judge(self, part: Traversal, steps: slice = slice(None)) -> None:
        """Fill in what the network says of some steps, and which have arrived."""
        images = part.images[:, steps]
        looks = self.look_at(images.reshape(-1, *images.shape[2:]))
        shape = images.shape[:2]
        part.probabilities[:, steps] = looks.probabilities.reshape(*shape, -1)
        part.arrived[:, steps] = self.arrival.of(looks).reshape(shape)
        known = NearestNeighbors(n_neighbors=1).fit(self.looks.latents)
        nearest = known.kneighbors(looks.latents, return_distance=False).reshape(shape)
        part.own[:, steps] = self.rows[nearest] == part.indices[:, None]

    def look_at(self, images: NDArray[np.float32]) -> Looks:
        """Look at images (n, C, H, W)."""
        return look_at(self.classifier, images, self.device, self.settings.batch_size)


def _nearest(
    distances: Array, n_nearest: int, among: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return the nearest rows (B, k), nearest first, of all or of some."""
    members = np.arange(distances.shape[1]) if among is None else np.flatnonzero(among)
    order = np.argsort(distances[:, members], axis=1, kind="stable")[:, :n_nearest]
    return members[order]
