"""The job that moves images to another kind."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import ClassifierSpec, State
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraverseSettings

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset


@dataclass(frozen=True, eq=False)
class Traversal:
    """Images on their way; step 0 is the original.

    Parameters
    ----------
    indices : (n,) int64 array
        Dataset indices of the originals.
    images : (n, 1 + steps, C, H, W) float32 array
        In [0, 1].
    budgets : (steps,) float64 array
        Budget of each step after the original.
    witness : (n, 1 + steps) float64 array
        Mean kernel to the source less that to the target, at the place in feature
        space: falls from step to step with "dmt".
    probabilities : (n, 1 + steps, classes) float32 array
        What the classifier says of each image.
    arrived : (n, 1 + steps) bool array
        Whether each image can pass for a real one of the target, see `Arrival`.
    nearest : (n, 1 + steps, k) int64 array
        Dataset indices of the real target images nearest to each place in feature
        space, nearest first; k is 5, or the size of the target.
    layers : tuple of str
        Modules of the backbone whose outputs are the features.
    settings : TraverseSettings
        How it was done.
    notes : tuple of str
        What the user should know, one sentence each.
    seconds : float
        Wall time.
    """

    indices: NDArray[np.int64]
    images: NDArray[np.float32] = field(repr=False)
    budgets: NDArray[np.float64]
    witness: NDArray[np.float64] = field(repr=False)
    probabilities: NDArray[np.float32] = field(repr=False)
    arrived: NDArray[np.bool_] = field(repr=False)
    nearest: NDArray[np.int64] = field(repr=False)
    layers: tuple[str, ...]
    settings: TraverseSettings
    notes: tuple[str, ...]
    seconds: float

    @property
    def arrival(self) -> NDArray[np.int64]:
        """First step at which each image has arrived, (n,); -1 where none has."""
        first = self.arrived[:, 1:].argmax(axis=1) + 1
        return np.where(self.arrived[:, 1:].any(axis=1), first, -1)


@dataclass(frozen=True, eq=False)
class Traverse:
    """Move images in the features of a network and show what would change.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    spec : ClassifierSpec
        The network.
    state : mapping of str to array
        Its weights.
    sets : TraversalSets
        Which images are moved, from where and to where.
    settings : TraverseSettings
        How.
    cache_dir : Path, optional
        Where large features are kept meanwhile; the user's cache if not given.
    """

    name: ClassVar[str] = "Traverse"

    dataset: ImageDataset = field(repr=False)
    spec: ClassifierSpec
    state: State = field(repr=False)
    sets: TraversalSets
    settings: TraverseSettings = field(default_factory=TraverseSettings)
    cache_dir: Path | None = None

    def run(self) -> Generator[Progress, None, Traversal]:
        """Move the images.

        Raises
        ------
        TraversalError
            If the sets or a layer cannot be used, or the features are not finite.
        TrainingFailed
            If torch cannot run the network.
        DataError
            If an image cannot be read.
        """
        notes = self.sets.check(self.dataset.ids)
        from napari_spaceediting.traversal.walk import walk

        return (yield from walk(self, notes))
