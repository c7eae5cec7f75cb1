"""The job that draws the map."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress, StandIn, relayed
from napari_spaceediting.projection.align import align
from napari_spaceediting.projection.neighbours import (
    distances_to,
    nearest,
    torch_threads_kept,
)
from napari_spaceediting.projection.pca import compact, pca_map
from napari_spaceediting.projection.placing import place, place_among
from napari_spaceediting.projection.quality import (
    UNKNOWN,
    MapQuality,
    neighbourhood_preservation,
    trustworthiness,
)
from napari_spaceediting.projection.settings import MapSettings, Method

NOT_DRAWN = (
    "The map was not drawn: every image lies among its neighbours, on the map as it "
    "was. Accept the round, and draw the map anew."
)
# Below this UMAP has nothing to say.
FEWEST_FOR_UMAP = 10
_MANY = 10_000
_LANDMARKS, _LANDMARK_EPOCHS, _LANDMARK_RATE = 5_000, 200, 1.0
_EPOCHS_AND_RATE = {
    # umap-learn's default epochs up to 10,000 images, and its learning rate.
    (False, False): (500, 1.0),
    # From a previous map. On digits these move untouched images by a fifth of what a
    # cold fit does, at a trustworthiness within 0.003 of it.
    (False, True): (100, 0.25),
    # Some of many are drawn first, with umap-learn's epochs for many, and the others
    # are placed among them; what is left to do for all is little.
    (True, False): (20, 0.5),
    # From a previous map of many: untouched images move a quarter of what two cold fits
    # differ, at a trustworthiness within 0.002 of theirs (docs/results/scale.md).
    (True, True): (10, 0.05),
}
"""By whether images are many, and whether there is a previous map."""


@dataclass(frozen=True)
class MapResult:
    """A map of the images.

    Parameters
    ----------
    coordinates : ndarray of float32, shape (N, 2)
        Where each image lies, over the previous map if there was one.
    neighbours : ndarray of int32, shape (N, k)
        Nearest other images in the latents, nearest first.
    method : {"umap", "pca"}
        What the map was drawn with; not always what was asked for, see `note`.
    note : str
        One sentence for the user, empty if all went as asked.
    """

    coordinates: NDArray[np.float32]
    neighbours: NDArray[np.int32]
    method: Method
    seconds: float
    quality: MapQuality
    note: str = ""


@dataclass(frozen=True)
class MapJob:
    """Bring latents to two dimensions.

    The same inputs give the same map.

    Parameters
    ----------
    latents : ndarray of float32, shape (N, D)
    previous : ndarray of float32, shape (N, 2), optional
        An earlier UMAP of the same images in the same order. UMAP starts from it and
        the result is aligned to it. Without it UMAP starts from `pca_map`, so that
        a preview by PCA needs no alignment; beyond 10,000 images, 5,000 of them do,
        and the others are placed among these before all are drawn.
    fixed_weight : ndarray of float32, shape (N,), optional
        How much each image counts in the alignment; 0 for images that are expected
        to move, such as edited ones. Equal weights if not given.
    neighbours : ndarray of int32, shape (N, k), optional
        As in a `MapResult` of the same latents, so that they need not be found again;
        of no account where they are not as many as the settings say.

    Raises
    ------
    MapFailed
        By `run`, if the latents are not finite.
    """

    latents: NDArray[np.floating] = field(repr=False)
    settings: MapSettings = field(default_factory=MapSettings)
    previous: NDArray[np.floating] | None = field(default=None, repr=False)
    fixed_weight: NDArray[np.floating] | None = field(default=None, repr=False)
    neighbours: NDArray[np.int32] | None = field(default=None, repr=False)
    name = "Draw the map"

    def run(self) -> Generator[Progress, None, MapResult]:
        """Yield one step per epoch; return the map.

        Where there is a previous map, the images placed on that among their neighbours
        are handed over before (`StandIn`).
        """
        with torch_threads_kept():
            return (yield from self._draw())

    def _draw(self) -> Generator[Progress, None, MapResult]:
        began = time.perf_counter()
        usual, rate = _EPOCHS_AND_RATE[self._are_many, self.previous is not None]
        epochs = self.settings.epochs or usual
        yield Progress(0, epochs, "Finding neighbours")
        coordinates = pca_map(self.latents)
        neighbours, distances = self._nearest()
        method, note = self._method(coordinates)

        def result(
            coordinates: NDArray[np.float32], quality: MapQuality, note: str
        ) -> MapResult:
            seconds = time.perf_counter() - began
            return MapResult(coordinates, neighbours, method, seconds, quality, note)

        if self.previous is not None and neighbours.shape[1]:
            before = np.asarray(self.previous, np.float32)
            placed = self._aligned(place_among(neighbours, distances, before))
            stand_in = StandIn(result(placed, UNKNOWN, NOT_DRAWN))
            yield Progress(0, epochs, "Placing images", finished=stand_in)
        if method == "umap":
            coordinates = yield from self._umap(
                coordinates, neighbours, distances, epochs, rate
            )
        coordinates = self._aligned(coordinates)
        yield Progress(epochs, epochs, "Judging the map")
        return result(coordinates, self._quality(coordinates, neighbours), note)

    def _nearest(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        known, k = self.neighbours, self.settings.neighbours
        n = len(self.latents)
        if known is not None and k and known.shape == (n, min(k, n - 1)):
            return known, distances_to(self.latents, known)
        return nearest(self.latents, k, self.settings.seed)

    def _umap(
        self,
        linear: NDArray[np.float32],
        neighbours: NDArray[np.int32],
        distances: NDArray[np.float32],
        epochs: int,
        rate: float,
    ) -> Generator[Progress, None, NDArray[np.float32]]:
        yield Progress(0, epochs, "Loading UMAP")
        from napari_spaceediting.projection import umap_fit

        rng = np.random.default_rng(self.settings.seed)
        graph = umap_fit.fuzzy_graph(neighbours, distances, self.settings.min_dist)
        if self.previous is not None:
            previous = np.asarray(self.previous, np.float32)
            movable = np.zeros(len(previous), bool)
            if self.fixed_weight is not None:
                movable = np.asarray(self.fixed_weight) == 0
            start = umap_fit.warm_start(graph, previous, neighbours, movable, rng)
        elif self._are_many:
            placed = yield from self._from_landmarks(linear, rng)
            start = placed * umap_fit.natural_scale(graph, placed, rng)
        else:
            start = umap_fit.cold_start(linear)
        return (yield from umap_fit.optimise(graph, start, epochs, rate, rng))

    def _from_landmarks(
        self, linear: NDArray[np.float32], rng: np.random.Generator
    ) -> Generator[Progress, None, NDArray[np.float32]]:
        """Draw some images, and place all of them among these."""
        from napari_spaceediting.projection import umap_fit

        settings = self.settings
        at = np.sort(rng.choice(len(self.latents), _LANDMARKS, replace=False))
        latents = compact(self.latents)
        neighbours, distances = nearest(latents[at], settings.neighbours)
        graph = umap_fit.fuzzy_graph(neighbours, distances, settings.min_dist)
        start = umap_fit.cold_start(linear[at])
        steps = umap_fit.optimise(graph, start, _LANDMARK_EPOCHS, _LANDMARK_RATE, rng)
        drawn = yield from relayed(
            steps, lambda p: Progress(p.done, p.total, "Drawing some of the images")
        )
        return place(latents, latents[at], drawn)

    @property
    def _are_many(self) -> bool:
        return len(self.latents) > _MANY

    def _method(self, linear: NDArray[np.float32]) -> tuple[Method, str]:
        if self.settings.method == "umap":
            if len(self.latents) < FEWEST_FOR_UMAP:
                return "pca", (
                    f"The map shows principal components, because UMAP needs at least "
                    f"{FEWEST_FOR_UMAP} images."
                )
            if not linear.any():
                return "pca", (
                    "The map shows all images in one place, because their latents are "
                    "all equal."
                )
        return self.settings.method, ""

    def _aligned(self, coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.previous is None:
            return coordinates
        return align(coordinates, self.previous, self.fixed_weight)

    def _quality(
        self, coordinates: NDArray[np.float32], neighbours: NDArray[np.int32]
    ) -> MapQuality:
        k, seed = self.settings.neighbours, self.settings.seed
        return MapQuality(
            trustworthiness(self.latents, coordinates, k, seed),
            neighbourhood_preservation(neighbours, coordinates, seed),
        )
