"""What a reader finds, before any image is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.embeddings import Features
from napari_spaceediting.data.pixels import PixelSource, select


@dataclass(frozen=True)
class Found:
    """What a reader found, before any image was looked at.

    Parameters
    ----------
    ids : sequence of N str
        Unique names.
    labels : sequence of N str or None
        Class names, None where unknown.
    class_names : tuple of str, optional
        All classes in order; by default those among `labels`, sorted.
    truth : sequence of N str or None, optional
        True classes, where `labels` are incomplete or noisy on purpose.
    votes : sequence of N sequences of str, optional
        The class that each of several people named, where several did.
    split : (N,) int8, optional
        Parts that are given; by default they are drawn.
    columns : mapping
        Further values of every image.
    features : (N, F) float32 array or None
        Embeddings of the images.
    skipped, notes : tuple
        What the reader left out and decided already.
    """

    name: str
    pixels: PixelSource
    ids: Sequence[str]
    labels: Sequence[str | None]
    class_names: tuple[str, ...] | None = None
    truth: Sequence[str | None] | None = None
    votes: Sequence[Sequence[str]] | None = None
    split: NDArray[np.int8] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    features: Features = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def some(self, kept: NDArray[np.intp]) -> Found:
        """Return what was found, with some of the images only."""
        truth, votes = self.truth, self.votes
        return replace(
            self,
            pixels=select(self.pixels, kept),
            ids=[self.ids[i] for i in kept],
            labels=[self.labels[i] for i in kept],
            truth=None if truth is None else [truth[i] for i in kept],
            votes=None if votes is None else [votes[i] for i in kept],
            split=None if self.split is None else self.split[kept],
            columns={name: values[kept] for name, values in self.columns.items()},
            features=None if self.features is None else self.features[kept],
        )
