"""What an image is compared with: examples of the classes that it may be of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.network.spec import Predictions

_CANDIDATES = 2_000
"""Images of a class among which examples are sought."""


def in_question(
    kinds: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    proposed: int = -1,
) -> tuple[int, int]:
    """Return the two classes that images may be of, the likelier one first.

    Parameters
    ----------
    kinds : (n,) int64 array
        What the images are taken for, -1 where nothing is known.
    probabilities : (n, C) float32 array
        What the network says of them.
    proposed : int
        The class that is proposed for them, -1 for none.

    Returns
    -------
    tuple of two int
        -1 where there is no such class.
    """
    known = kinds[kinds >= 0]
    first = int(np.bincount(known).argmax()) if len(known) else proposed
    if proposed not in (-1, first):
        return first, proposed
    shares = probabilities.mean(axis=0)
    others = [kind for kind in np.argsort(-shares).tolist() if kind != first]
    return first, others[0] if others else -1


def examples(
    kind: int,
    near: NDArray[np.int64],
    labels: NDArray[np.int64],
    predictions: Predictions,
    n: int,
) -> NDArray[np.int64]:
    """Return images of a class that are most similar to some others.

    Labels that the network does not believe are no examples, where there are others.

    Parameters
    ----------
    kind : int
        The class.
    near : (m,) int64 array
        The images that they are compared with; none of them is an example.
    labels : (N,) int64 array
        Class of every image, -1 for none.

    Returns
    -------
    (k,) int64 array
        The most similar first.
    """
    candidates = np.flatnonzero(labels == kind)
    candidates = candidates[~np.isin(candidates, near)]
    if predictions.probabilities.shape[1]:
        believed = predictions.probabilities[candidates].argmax(axis=1) == kind
        candidates = candidates[believed] if believed.any() else candidates
    step = -(-len(candidates) // _CANDIDATES) or 1
    candidates = candidates[::step]
    middle = predictions.latents[near].mean(axis=0)
    away = ((predictions.latents[candidates] - middle) ** 2).sum(axis=1)
    return candidates[np.argsort(away, kind="stable")[:n]]
