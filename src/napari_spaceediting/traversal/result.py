"""What a traversal was asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.traversal.settings import Regime, TraverseSettings


@dataclass(frozen=True, eq=False)
class Asked:
    """What a traversal was asked for, as far as it takes to show what came of it.

    Parameters
    ----------
    sources : (n,) int64 array
        The class that each image moves away from, -1 where it is not known.
    target : int
        The class that all or most of the target's images have, -1 where there is none.
    goal : str
        What the images move to, in a few words for the user.
    class_names : tuple of str
        Names of the classes, as they were then.
    group : (M,) int64 array or None
        The images to move to, as dataset indices, where they were chosen as a group.
    """

    sources: NDArray[np.int64]
    target: int
    goal: str
    class_names: tuple[str, ...]
    group: NDArray[np.int64] | None = field(default=None, repr=False)

    def name(self, kind: int) -> str:
        """Return the name of a class."""
        return self.class_names[kind] if kind >= 0 else "No class"


@dataclass(frozen=True, eq=False)
class Traversal:
    """Images on their way; step 0 is the original.

    Parameters
    ----------
    indices : (n,) int64 array
        Dataset indices of the originals.
    images : (n, 1 + steps, C, H, W) float32 array
        In [0, 1].
    budgets : (n, steps) float64 array
        Budget of each step after the original.
    neighbours : (n,) int64 array
        How many of the nearest images of source and target moved each; 0 for all.
    witness : (n, 1 + steps) float64 array
        Mean kernel to the source less that to the target, at the place in feature
        space: falls from step to step.
    probabilities : (n, 1 + steps, classes) float32 array
        What the classifier says of each image.
    arrived : (n, 1 + steps) bool array
        Whether each image can pass for a real one of the target, see `Arrival`.
    nearest : (n, 1 + steps, k) int64 array
        Dataset indices of the real target images nearest to each place in feature
        space, nearest first; k is 5, or the size of the target.
    around : (n, 1 + steps, 5) int64 array
        Dataset indices of the real images of any kind nearest to each place, the
        image itself among them; from them follows where it lies on the map.
    closeness : (n, 1 + steps, 5) float64 array
        How much each of them counts there: by the inverse of its squared distance.
        Sums to 1.
    own : (n, 1 + steps) bool array
        Whether of all real images that were used the one that the network finds most
        like each step is its own original.
    made : (n,) int64 array
        Last step of each image that is finished. What is beyond it shows the last that
        is, or a mixture of real images.
    regime : str
        "mixtures" or "features".
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
    budgets: NDArray[np.float64] = field(repr=False)
    neighbours: NDArray[np.int64] = field(repr=False)
    witness: NDArray[np.float64] = field(repr=False)
    probabilities: NDArray[np.float32] = field(repr=False)
    arrived: NDArray[np.bool_] = field(repr=False)
    nearest: NDArray[np.int64] = field(repr=False)
    around: NDArray[np.int64] = field(repr=False)
    closeness: NDArray[np.float64] = field(repr=False)
    own: NDArray[np.bool_] = field(repr=False)
    made: NDArray[np.int64] = field(repr=False)
    regime: Regime
    layers: tuple[str, ...]
    settings: TraverseSettings
    notes: tuple[str, ...]
    seconds: float

    @property
    def arrival(self) -> NDArray[np.int64]:
        """First step at which each image has arrived, (n,); -1 where none has."""
        first = self.arrived[:, 1:].argmax(axis=1) + 1
        return np.where(self.arrived[:, 1:].any(axis=1), first, -1)

    @property
    def is_preview(self) -> bool:
        """Whether no step of any image is finished."""
        return not self.made.any()

    @property
    def last(self) -> NDArray[np.int64]:
        """Last step of each image that there is to see, if only as a mixture, (n,)."""
        is_mixed = self.regime == "mixtures"
        return np.full_like(self.made, self.settings.steps) if is_mixed else self.made

    def part(self, rows: slice) -> Traversal:
        """Return that of some of the images."""
        return replace(self, **{name: getattr(self, name)[rows] for name in BY_IMAGE})

    def copied(self) -> Traversal:
        """Return the same, which later changes do not reach."""
        return replace(self, **{name: getattr(self, name).copy() for name in BY_IMAGE})

    def route(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return about where the images travel on a map, (n, 1 + steps, 2).

        Each place is the mean of those of the real images that are most like it, the
        closer the more they count (inverse distance weighting, Shepard 1968). That is
        all that a map can tell: it does not show the place itself, which no image has.

        Parameters
        ----------
        positions : (N, 2) array
            Map coordinates of all images of the data set.
        """
        places: NDArray[np.float64] = np.einsum(
            "nsk,nskd->nsd", self.closeness, positions[self.around]
        )
        return places


BY_IMAGE = tuple(f.name for f in fields(Traversal) if "NDArray" in str(f.type))
"""Fields with an entry for each image."""


def join(parts: Sequence[Traversal]) -> Traversal:
    """Return parts of one traversal as one.

    Parameters
    ----------
    parts : sequence of Traversal
        At least one, as `Traversal.part` gives them.
    """
    together: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in BY_IMAGE
    }
    return replace(parts[-1], **together)
