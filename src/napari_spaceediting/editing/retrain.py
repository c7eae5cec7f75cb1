"""The job that retrains a network with edits, its control beside it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import ClassifierSpec, Predictions, State

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset


@dataclass(frozen=True, eq=False)
class RetrainResult:
    """A finished retraining.

    Parameters
    ----------
    spec : ClassifierSpec
        Of the retrained network; it has the classes that the edits named.
    state : mapping
        Its weights.
    predictions : Predictions
        Of all images.
    evidence : Evidence
        On held-out images.
    losses : (steps,) float32 array
        Loss of every step.
    settings : RetrainSettings
        How it was trained.
    seconds : float
        Wall time.
    """

    spec: ClassifierSpec
    state: State = field(repr=False)
    predictions: Predictions = field(repr=False)
    evidence: Evidence = field(repr=False)
    losses: NDArray[np.float32] = field(repr=False)
    settings: RetrainSettings
    seconds: float


@dataclass(frozen=True, eq=False)
class Retrain:
    """Retrain a network with what edits ask of it.

    Parameters
    ----------
    dataset : ImageDataset
        The images, with the classes that they had before the edits.
    class_names : tuple of str
        The data set's classes and those that edits have named.
    labels : (N,) int64 array
        Classes after the edits.
    positions : (N, 2) float32 array
        Map coordinates after the edits.
    anchors : Anchors
        What the edits ask.
    confirmed : (N,) bool array
        Images whose class or place an earlier round has settled.
    spec : ClassifierSpec
        The network before.
    state : mapping
        Its weights.
    predictions : Predictions
        What it said of all images.
    settings : RetrainSettings
        How to train.
    cache_dir : Path or None
        Where frozen activations are kept; None for the user's cache.
    """

    dataset: ImageDataset = field(repr=False)
    class_names: tuple[str, ...]
    labels: NDArray[np.int64] = field(repr=False)
    positions: NDArray[np.float32] = field(repr=False)
    anchors: Anchors = field(repr=False)
    confirmed: NDArray[np.bool_] = field(repr=False)
    spec: ClassifierSpec
    state: State = field(repr=False)
    predictions: Predictions = field(repr=False)
    settings: RetrainSettings = field(default_factory=RetrainSettings)
    cache_dir: Path | None = None

    name = "Retrain with edits"

    def run(self) -> Generator[Progress, None, RetrainResult]:
        """Train; raise `TrainingFailed` where the loss or torch fails."""
        from napari_spaceediting.editing.rounds import retrain

        return (yield from retrain(self))
