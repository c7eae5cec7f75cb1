"""What is known of images, as columns of a table that napari shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.session.state import Checkpoint


def features_of(
    dataset: ImageDataset, shown: Checkpoint, edits: EditState
) -> dict[str, NDArray[np.generic]]:
    """Return what is known of all images, by the names of columns.

    Parameters
    ----------
    dataset : ImageDataset
        The images; its own columns come last.
    shown : Checkpoint
        What the map shows.
    edits : EditState
        What the edits add up to on it.

    Returns
    -------
    dict of str to (N,) array
        "id", "class", "prediction" and its "probability", "part" and "edit".
    """
    names = np.array([*edits.class_names, ""])
    found: dict[str, NDArray[np.generic]] = {
        "id": dataset.ids,
        "class": names[edits.labels],
    }
    network = shown.network
    if network is not None and network.predictions.probabilities.shape[1]:
        probabilities = network.predictions.probabilities
        found["prediction"] = names[probabilities.argmax(axis=1)]
        found["probability"] = probabilities.max(axis=1)
    parts = np.array([part.name.lower() for part in Split])
    kinds = np.array([kind.name.lower() if kind else "" for kind in EditKind])
    found["part"] = parts[dataset.split]
    found["edit"] = kinds[edits.kinds]
    for name, values in dataset.columns.items():
        if name == "truth":
            values = np.array([*dataset.class_names, ""])[values]
        found[name if name not in found else f"{name} (column)"] = values
    return found
