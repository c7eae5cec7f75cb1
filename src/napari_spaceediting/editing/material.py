"""What there is to learn from in a round."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.soft_labels import SoftLabels
from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.network.spec import ClassifierSpec, Predictions, State

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset


@dataclass(frozen=True, eq=False)
class Material:
    """Images before and after the edits, and the network that edits start from.

    Parameters
    ----------
    dataset : ImageDataset
        The images, with the classes that they had before the edits.
    class_names : tuple of str
        The data set's classes and those that edits have named.
    labels : (N,) int64 array
        Classes after the edits.
    anchors : Anchors
        What the edits ask.
    confirmed : (N,) bool array
        Images whose class or place an earlier round has settled.
    state : mapping
        Its weights.
    soft_labels : (N, C) float32 array or None
        Soft labels after the edits.
    """

    dataset: ImageDataset = field(repr=False)
    class_names: tuple[str, ...]
    labels: NDArray[np.int64] = field(repr=False)
    anchors: Anchors = field(repr=False)
    confirmed: NDArray[np.bool_] = field(repr=False)
    spec: ClassifierSpec
    state: State = field(repr=False)
    predictions: Predictions = field(repr=False)
    soft_labels: SoftLabels = field(default=None, repr=False)

    @property
    def training(self) -> NDArray[np.bool_]:
        """Images that may be trained on, as an (N,) mask."""
        return ~self.dataset.held_out

    @property
    def labelled_share(self) -> float:
        """Share of the training images that had a class before the edits, 0 to 1.

        Judged before the edits, so that the control differs in nothing but them.
        """
        return float(self.dataset.is_labelled[self.training].mean())


def are_few(labelled_share: float) -> bool:
    """Whether that share of labelled training images, 0 to 1, counts as few labels."""
    return labelled_share < 0.5
