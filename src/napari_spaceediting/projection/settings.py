"""What the user can choose about the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_spaceediting.errors import MapFailed

Method = Literal["umap", "pca"]


@dataclass(frozen=True)
class MapSettings:
    """How the latents are brought to two dimensions.

    Parameters
    ----------
    method : {"umap", "pca"}
        UMAP keeps neighbourhoods, PCA is linear and quick.
    neighbours : int
        Nearest neighbours of each image that make up the graph, at least 2. Few
        show detail, many the coarse structure.
    min_dist : float
        How tightly UMAP may pack points, from 0 to 1, in units of the map.
    epochs : int or None
        Passes of UMAP's optimisation. None chooses by the number of images, and
        few when the map starts from a previous one.
    seed : int
        The same seed and the same latents give the same map.

    Raises
    ------
    MapFailed
        If a value is out of its range.
    """

    method: Method = "umap"
    neighbours: int = 15
    min_dist: float = 0.1
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise MapFailed(f'The map method is "umap" or "pca", not {self.method!r}.')
        if self.neighbours < 2:
            raise MapFailed(
                f"The map needs at least 2 neighbours, not {self.neighbours}."
            )
        if not 0 <= self.min_dist <= 1:
            raise MapFailed(
                "The smallest distance on the map lies between 0 and 1, "
                f"not at {self.min_dist}."
            )
        if self.epochs is not None and self.epochs < 1:
            raise MapFailed(f"The map needs at least 1 epoch, not {self.epochs}.")
