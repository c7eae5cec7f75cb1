"""Images that are like the selected ones in some way, or the map has in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.plugin.map.panel import LEAST_SURE
from napari_spaceediting.session.state import Checkpoint

_NEIGHBOURS = 10

Rows = NDArray[np.int64]


def images_like(
    key: str,
    chosen: Rows,
    shown: Checkpoint,
    edits: EditState,
    selectable: Callable[[Rows], Rows],
) -> Rows:
    """Return images that an entry of the menu *Select* means.

    Parameters
    ----------
    key : str
        One of `panel.SELECTIONS`.
    chosen : (n,) int64 array
        The images that are selected.
    shown : Checkpoint
        It has a network and a map.
    edits : EditState
        What the edits add up to on it.
    selectable : callable
        Returns those of some images that may be selected.
    """
    assert shown.network is not None
    assert shown.map is not None
    everything, labels = np.arange(len(edits.labels)), edits.labels
    probabilities = shown.network.predictions.probabilities
    guesses = labels
    if probabilities.shape[1]:
        guesses = probabilities.argmax(axis=1)
    neighbours = shown.map.neighbours
    rows: Rows = {
        "same_class": lambda: np.flatnonzero(np.isin(labels, labels[chosen])),
        "same_prediction": lambda: (
            np.flatnonzero(np.isin(guesses, guesses[chosen]))
            if probabilities.shape[1]
            else chosen
        ),
        "neighbours": lambda: np.union1d(
            chosen, neighbours[chosen, :_NEIGHBOURS].ravel()
        ).astype(np.int64),
        "unlabelled": lambda: np.flatnonzero(labels == UNLABELLED),
        "edited": lambda: np.flatnonzero(edits.edited),
        "disagree": lambda: np.flatnonzero((labels >= 0) & (guesses != labels)),
        "unsure": lambda: selectable(
            np.argsort(probabilities.max(axis=1, initial=0), kind="stable")
        )[:LEAST_SURE],
        "all": lambda: everything,
        "invert": lambda: np.setdiff1d(everything, chosen),
        "none": lambda: chosen[:0],
    }[key]()
    return selectable(rows)
