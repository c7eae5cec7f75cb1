"""What is written under the images of the gallery, and how doubtful they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.session.state import Checkpoint


def caption_of(index: int, checkpoint: Checkpoint, edits: EditState) -> Caption:
    """Return what is written under a tile of the gallery.

    The label, or what the network guesses for want of one; then how sure the network
    is, and of what if that is another class.
    """
    label = int(edits.labels[index])
    own = edits.class_names[label] if label >= 0 else "?"
    network = checkpoint.network
    if network is None or not network.predictions.probabilities.shape[1]:
        return Caption(own)
    probabilities = network.predictions.probabilities[index]
    best = int(probabilities.argmax())
    guess, sure = edits.class_names[best], f"{probabilities[best]:.0%}"
    if label < 0:
        return Caption(f"{guess}?", figure=sure)
    if best == label:
        return Caption(own, figure=sure)
    return Caption(own, detail=f"→ {guess}", figure=sure, is_odd=True)


def disagreement(checkpoint: Checkpoint, edits: EditState) -> NDArray[np.float32]:
    """Return what the network leaves for other classes than the label, (N,) 0 to 1.

    Less than 0 for an image without a label, and where the network knows no class.
    """
    labels, network = edits.labels, checkpoint.network
    left = np.full(len(labels), -1, np.float32)
    if network is not None:
        probabilities = network.predictions.probabilities
        known = np.flatnonzero((labels >= 0) & (labels < probabilities.shape[1]))
        left[known] = 1 - probabilities[known, labels[known]]
    return left
