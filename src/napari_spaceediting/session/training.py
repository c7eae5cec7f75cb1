"""Training the network of a session: with a map to show at once."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.jobs import TrainedNetwork, TrainNetwork
from napari_spaceediting.projection.pca import pca_map


@dataclass(frozen=True, eq=False)
class MappedNetwork(TrainedNetwork):
    """A trained network and the first map of its latents.

    Parameters
    ----------
    coordinates : (N, 2) float32 array
        Their principal components, as `pca_map` gives them.
    """

    coordinates: NDArray[np.float32] = field(kw_only=True, repr=False)


@dataclass(frozen=True, eq=False)
class TrainAndMap(TrainNetwork):
    """Train a network; then work out its first map, where nobody waits for it."""

    def run(self) -> Generator[Progress, None, MappedNetwork]:
        """Train, predict all images, and map them."""
        trained = yield from super().run()
        coordinates = pca_map(trained.predictions.latents)
        return MappedNetwork(**vars(trained), coordinates=coordinates)
