"""A map of the pictures, while no network has learnt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.plugin.map.display import Colouring, by_class
from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.projection.pca import pca_map

TITLE = "A first map, until the network has learnt"


def places_of(
    dataset: ImageDataset, thumbnails: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return (N, 2) map coordinates: principal components of pictures or embeddings."""
    features = None if dataset.has_images else dataset.features
    return pca_map(_rough(thumbnails) if features is None else features)


def cloud_of(
    dataset: ImageDataset, places: NDArray[np.float32]
) -> tuple[Colouring, Cloud]:
    """Return how images are coloured there, and what the layer shows."""
    colouring = by_class(dataset.labels, dataset.class_names)
    nothing_hidden = np.zeros(len(dataset), bool)
    return colouring, Cloud(places, colouring.colours, dataset.held_out, nothing_hidden)


def _rough(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (N, d) grey values of thumbnails on a grid of about 16 x 16."""
    step = max(1, thumbnails.shape[1] // 16)
    coarse = thumbnails[:, ::step, ::step].mean(axis=3, dtype=np.float32)
    return coarse.reshape(len(thumbnails), -1)
