"""An expert who knows the true classes and sees what a user sees.

For demonstrations and benchmarks: such a user looks at the images that guidance
proposes, knows the true class of each, and acts on the map. Of a group the expert
names the class of the majority, if it is clear, and leaves out some of the images
that plainly differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import ImageEdit, name_images
from napari_spaceediting.editing.places import Homes
from napari_spaceediting.editing.ranking import CLEAR_MAJORITY

LEFT_OUT = 0.5


@dataclass(frozen=True, eq=False)
class SimulatedExpert:
    """Decides proposals by the true classes.

    Parameters
    ----------
    truth : (N,) int64 array
        True class of every image.
    rng : numpy.random.Generator
        Chooses which of the images that differ are noticed, and the slips.
    slips : float
        Share of the decisions, 0 to 1, that name another class by mistake.
    """

    truth: NDArray[np.int64]
    class_names: tuple[str, ...]
    rng: np.random.Generator
    slips: float = 0.0

    knowledge = (
        "knows the true class of every image that it looks at; looks at what "
        "guidance proposes; names a group where at least "
        f"{CLEAR_MAJORITY:.0%} are of one class, and leaves out {LEFT_OUT:.0%} of "
        "those that differ"
    )

    def decide(
        self, proposal: Proposal, positions: NDArray[np.float32], homes: Homes
    ) -> ImageEdit:
        """Answer a proposal with an edit.

        Images that lie where their class is at home are pinned; others are moved to
        the nearest place where it is.

        Parameters
        ----------
        positions : (N, 2) float32 array
            Map coordinates.
        homes : Homes
            Where the classes are at home on the map.
        """
        at, tag = self.name(proposal.indices)
        place = homes.near(tag, positions[at].mean(axis=0))
        return name_images(at, self.class_names[tag], positions, place)

    def name(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """Return which of some images are named, (m,), and their class.

        Of a group without a clear majority only the first image is named.

        Parameters
        ----------
        indices : (n,) int64 array
            Images that are looked at; n at least 1.
        """
        at = indices
        counts = np.bincount(self.truth[at], minlength=len(self.class_names))
        tag = int(counts.argmax())
        if counts[tag] < CLEAR_MAJORITY * len(at):
            at = at[:1]
            tag = int(self.truth[at[0]])
        differs = self.truth[at] != tag
        at = at[~(differs & (self.rng.random(len(at)) < LEFT_OUT))]
        if self.slips and self.rng.random() < self.slips:
            others = np.setdiff1d(np.unique(self.truth), [tag])
            tag = int(self.rng.choice(others))
        return at, tag
