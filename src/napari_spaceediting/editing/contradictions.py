"""Edits that say different things of one image, or of two that look the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.edits import EditKind, EditState

NEIGHBOURS = 15
NEAR_IDENTICAL = 0.1
"""Distance of near-identical latents, as a share of that to the 15th neighbour."""
FAR_APART = 0.25
"""Distance of contradictory places, as a share of the extent of the map."""
_COMPARED = 50
"""Edited images that each is compared with."""
_ASKED = 64
"""Images whose 15th neighbour is looked for: the median needs no more."""


@dataclass(frozen=True)
class Contradiction:
    """Two edited images that look the same to the network but were told apart.

    Parameters
    ----------
    first, second : int
        The images, as positions in the data set.
    classes : tuple of two str or None
        Classes that they were given; None where only their places contradict.
    people : tuple of two str or None
        Who gave them, where two people contradict each other on one image.
    """

    first: int
    second: int
    classes: tuple[str, str] | None = None
    people: tuple[str, str] | None = None


def find_contradictions(
    state: EditState,
    latents: NDArray[np.float32],
    start: NDArray[np.float32],
    held_out: NDArray[np.bool_],
) -> list[Contradiction]:
    """Find edits that contradict each other, the most alike images first.

    Two images are near-identical if the distance of their latents is at most a tenth
    of the usual distance to the 15th nearest of the training images. Their edits
    contradict each other if they name different classes; or else, where both were
    placed by hand, if the places are farther apart than a quarter of the extent of
    the map and than they were before.

    Parameters
    ----------
    latents : (N, D) float32 array
        Of all images.
    start : (N, 2) float32 array
        Map coordinates before the edits.
    held_out : (N,) bool array
        Images that do not train.

    Returns
    -------
    list of Contradiction
        Each image is in one at most. Of an image with many near-identical ones only
        the nearest 50 are compared.
    """
    at = np.flatnonzero(state.edited)
    if len(at) < 2:
        return []
    first, second, distances = _near_identical(
        latents[at], NEAR_IDENTICAL * _usual_distance(latents[~held_out])
    )
    first, second = at[first], at[second]
    labels = state.labels
    named = state.tagged & (labels >= 0)
    differ = named[first] & named[second] & (labels[first] != labels[second])
    placed = np.isin(state.kinds, (EditKind.MOVED, EditKind.ARRANGED, EditKind.PINNED))
    apart, before = (
        np.linalg.norm(places[first] - places[second], axis=1)
        for places in (state.positions, start)
    )
    far = apart > FAR_APART * np.ptp(start, axis=0).max()
    # Images that were moved together keep their distance but for rounding.
    parted = placed[first] & placed[second] & far & (apart > 1.001 * before)
    found: list[Contradiction] = []
    used: set[int] = set()
    hits = np.flatnonzero(differ | parted)
    for hit in hits[np.lexsort((second[hits], first[hits], distances[hits]))]:
        one, other = int(first[hit]), int(second[hit])
        if used.isdisjoint((one, other)):
            used |= {one, other}
            names = None
            if differ[hit]:
                names = state.class_names[labels[one]], state.class_names[labels[other]]
            found.append(Contradiction(one, other, names))
    return found


def describe(contradiction: Contradiction, ids: NDArray[np.str_]) -> str:
    """Return a contradiction in one sentence.

    Parameters
    ----------
    ids : (N,) str array
        Ids of the data set's images.
    """
    one, other = ids[contradiction.first], ids[contradiction.second]
    told = "put far apart"
    if contradiction.classes is not None:
        first, second = contradiction.classes
        told = f"called {first} and {second}"
        if contradiction.people is not None:
            who, whom = (name or "somebody" for name in contradiction.people)
            return f"Image {one} was called {first} by {who}, but {second} by {whom}."
    return (
        f"Image {one} and image {other} look the same to the network, but were {told}."
    )


def _near_identical(
    points: NDArray[np.float32], reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return pairs of points within reach, the lower row first, and their distances.

    A pair may come twice.
    """
    from scipy.spatial import KDTree

    k = min(_COMPARED + 1, len(points))
    # The tree leaves the bound itself out; duplicates count whatever the reach.
    bound = max(float(np.nextafter(reach, np.inf)), float(np.finfo(np.float32).tiny))
    distances, rows = KDTree(points).query(points, k=k, distance_upper_bound=bound)
    one, nth = np.nonzero(np.isfinite(distances))
    other = rows[one, nth]
    pairs = one != other
    one, other, nth = one[pairs], other[pairs], nth[pairs]
    return np.minimum(one, other), np.maximum(one, other), distances[one, nth]


def _usual_distance(latents: NDArray[np.float32]) -> float:
    """Return the median distance to the 15th neighbour, from some of the images."""
    from scipy.spatial.distance import cdist

    k = min(NEIGHBOURS, len(latents) - 1)
    if k < 1:
        return 0.0
    points = latents.astype(np.float64)
    asked = np.linspace(0, len(points) - 1, min(_ASKED, len(points))).astype(int)
    kth = [np.partition(cdist(points[[row]], points)[0], k)[k] for row in asked]
    return float(np.median(kth))
