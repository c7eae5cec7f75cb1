"""What a round is given, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.material import Material
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.network.spec import ClassifierSpec, Predictions, State


@dataclass(frozen=True, eq=False)
class Task(Material):
    """What to learn from, and how.

    Parameters
    ----------
    looks : int
        How many rounds have been measured on the same held-out images, with this one.
    """

    settings: RetrainSettings = field(default_factory=RetrainSettings)
    looks: int = 1


@dataclass(frozen=True, eq=False)
class RetrainResult:
    """A finished retraining.

    Parameters
    ----------
    spec : ClassifierSpec
        Of the retrained network; it has the classes that the edits named.
    state : mapping
        Its weights.
    losses : (steps,) float32 array
        Loss of every step; none where the end was solved.
    margins : (N,) float32 array or None
        As of `TrainResult`; None where they are as before.
    """

    spec: ClassifierSpec
    state: State = field(repr=False)
    predictions: Predictions = field(repr=False)
    evidence: Evidence = field(repr=False)
    losses: NDArray[np.float32] = field(repr=False)
    settings: RetrainSettings
    seconds: float
    margins: NDArray[np.float32] | None = field(default=None, repr=False)
