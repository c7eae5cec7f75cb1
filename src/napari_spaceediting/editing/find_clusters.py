"""Clusters among the latents, found without labels."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.projection.neighbours import among

NONE = -1
"""The cluster of images that are in none."""
_DIMENSIONS = 10
"""Principal components in which clusters are looked for: in more all is far apart."""
_MOST = 20_000
"""Images that are clustered; others get the cluster of the most similar of these."""
_SMALLEST = 8
_SHARE = 0.005
"""Images of a cluster at least, and as a share of all."""


@dataclass(frozen=True, eq=False)
class FindClusters:
    """Find clusters by HDBSCAN (Campello, Moulavi and Sander, 2013).

    Parameters
    ----------
    latents : (N, D) float32 array
        Of all images.
    rows : (n,) int64 array
        The images that are clustered.
    seed : int
        Draws those that are clustered, of very many.
    """

    latents: NDArray[np.float32] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    seed: int = 0
    name: ClassVar[str] = "Find clusters"

    def run(self) -> Generator[Progress, None, NDArray[np.int64]]:
        """Find them.

        Returns
        -------
        (N,) int64 array
            Cluster of every image, the largest is 0; `NONE` for those in no cluster.
        """
        found = np.full(len(self.latents), NONE, np.int64)
        if len(self.rows) < 2 * _SMALLEST or not np.ptp(self.latents, axis=0).any():
            return found
        from sklearn.cluster import HDBSCAN
        from sklearn.decomposition import PCA

        yield Progress(0, 3, "Finding the main directions")
        rng = np.random.default_rng(self.seed)
        some = self.rows
        if len(some) > _MOST:
            some = np.sort(rng.choice(some, _MOST, replace=False))
        n_axes = min(_DIMENSIONS, self.latents.shape[1], len(some))
        points = PCA(n_axes, random_state=self.seed).fit_transform(self.latents[some])
        yield Progress(1, 3, "Finding clusters")
        smallest = max(_SMALLEST, round(_SHARE * len(some)))
        finder = HDBSCAN(
            min_cluster_size=smallest, cluster_selection_method="leaf", copy=True
        )
        found[some] = by_size(finder.fit_predict(points))
        rest = np.setdiff1d(self.rows, some)
        if len(rest):
            yield Progress(2, 3, "Placing the other images")
            near, _ = among(self.latents[rest], self.latents[some], 1)
            found[rest] = found[some[near[:, 0]]]
        return found


def by_size(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return clusters numbered anew, from the largest to the smallest."""
    counts = np.bincount(clusters[clusters >= 0])
    number = np.append(np.argsort(np.argsort(-counts, kind="stable")), NONE)
    numbered: NDArray[np.int64] = number[clusters]
    return numbered
