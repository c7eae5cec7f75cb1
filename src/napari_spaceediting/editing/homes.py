"""Where on the map each class is at home, so that a move can be proposed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.places import Surroundings, beliefs


@dataclass(frozen=True, eq=False)
class Homes:
    """Where on the map every class is at home.

    Parameters
    ----------
    surroundings : Surroundings
        Of the map.
    positions : (n, 2) float32 array
        Images that stand well inside a class.
    classes : (n,) int64 array
        That class.
    """

    surroundings: Surroundings
    positions: NDArray[np.float32]
    classes: NDArray[np.int64]


def find_homes(
    positions: NDArray[np.float32],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    candidates: NDArray[np.int64],
    n_classes: int,
) -> Homes:
    """Find the images around which one class has at least 70% of the vote.

    Parameters
    ----------
    positions : (N, 2) float32 array
        Map coordinates.
    labels : (N,) int64 array
        Classes, -1 for none.
    probabilities : (N, c) float32 array
        Of the network.
    candidates : (n,) int64 array
        Images that may speak.
    n_classes : int
        Number of classes.
    """
    around = Surroundings(
        positions, candidates, beliefs(labels, probabilities, n_classes)
    )
    if not n_classes or not len(candidates):
        return Homes(around, np.empty((0, 2), np.float32), np.empty(0, np.int64))
    votes = around.at(positions[candidates]).votes
    sure = votes.max(axis=1) >= 0.7
    return Homes(around, positions[candidates[sure]], votes[sure].argmax(axis=1))


def place_for(
    tag: int, start: NDArray[np.float32], homes: Homes
) -> NDArray[np.float32] | None:
    """Return the nearest place where a class is at home.

    None where the start is such a place already, or the class has no home.

    Parameters
    ----------
    tag : int
        The class.
    start : (2,) float32 array
        Where the images lie.
    homes : Homes
        See `find_homes`.
    """
    members = homes.positions[homes.classes == tag]
    if not len(members):
        return None
    votes = homes.surroundings.at(start[None].astype(np.float32)).votes[0]
    if votes[tag] >= 0.5:
        return None
    nearest_member: NDArray[np.float32] = members[
        np.linalg.norm(members - start, axis=1).argmin()
    ]
    return nearest_member
