"""The images that are moved, those they move away from and those they move to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.traversal.settings import TraversalError

FEWEST = 3
"""Images that a source and a target must have."""

FEW = 10
"""Below it, a warning is given."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TraversalSets:
    """Which images are moved, from where and to where, as dataset indices.

    Parameters
    ----------
    images : (n,) int64 array
        Images that are moved.
    sources : tuple of (N_i,) int64 arrays
        For each of them, images of the kind that it is now. An image is never part
        of its own source, even if it is named there.
    target : (M,) int64 array
        Images of the kind that all of them are moved to.
    others : tuple of (R_k,) int64 arrays
        Images of each other kind, which one that has arrived is no longer like; the
        sources if not given.
    """

    images: Indices
    sources: tuple[Indices, ...]
    target: Indices
    others: tuple[Indices, ...] = ()

    def drawn(self, most: int, seed: int) -> TraversalSets:
        """Return the same with at most so many images in every set, at random."""

        def draw(members: Indices) -> Indices:
            if len(members) <= most:
                return members
            # A generator for each: images of one kind keep one source.
            rng = np.random.default_rng(seed)
            return np.sort(rng.choice(members, most, replace=False))

        sources = tuple(
            drawn[drawn != image]
            for image, drawn in zip(self.images, map(draw, self.sources), strict=True)
        )
        others = tuple(map(draw, self.others))
        return TraversalSets(self.images, sources, draw(self.target), others)

    @property
    def rows(self) -> Indices:
        """All of its images but the others, each once, ascending."""
        return np.unique(np.concatenate([self.images, *self.sources, self.target]))

    @property
    def unlike(self) -> Indices:
        """What an image that has arrived is no longer like, each once."""
        return np.unique(np.concatenate(self.others or self.sources))

    def check(self, ids: NDArray[np.str_]) -> tuple[str, ...]:
        """Return what the user should know of the sets, a sentence each.

        Parameters
        ----------
        ids : (N,) str array
            Names of all images of the data set.

        Raises
        ------
        TraversalError
            If nothing is moved, an image is in the target already, or a set has fewer
            than `FEWEST` images.
        """
        if not len(self.images):
            raise TraversalError(
                "No image was chosen to be moved: choose at least one."
            )
        inside = self.images[np.isin(self.images, self.target)]
        if len(inside):
            raise TraversalError(
                f"The image {ids[inside[0]]} is in the target already: choose other "
                "images or another target."
            )
        # Images of one kind share their source.
        n_source = {id(source): len(np.unique(source)) for source in self.sources}
        smallest = min(
            n_source[id(source)] - bool((source == image).any())
            for image, source in zip(self.images, self.sources, strict=True)
        )
        sizes = {"source": smallest, "target": len(np.unique(self.target))}
        for name, size in sizes.items():
            if size < FEWEST:
                raise TraversalError(
                    f"The {name} has {size} images, but it takes at least {FEWEST}: "
                    "label or choose more images of that kind."
                )
        return tuple(
            f"The {name} has only {size} images: the result may show those images "
            "rather than their kind."
            for name, size in sizes.items()
            if size < FEW
        )


def choose_sets(
    images: Sequence[int] | Indices,
    target: int | Sequence[int] | Indices,
    *,
    labels: Indices,
    held_out: NDArray[np.bool_],
    probabilities: NDArray[np.float32],
) -> tuple[TraversalSets, Indices]:
    """Choose the sets for moving images to a class, or to a group of images.

    Each image moves away from the labelled images of its own class that are neither
    held out nor in the target. Its class is its label or, where it has none, what the
    network sees in it. On the way to a group, an image of which no class is known moves
    away from those that are moved with it.

    Parameters
    ----------
    images : (n,) int
        Dataset indices.
    target : int, or (M,) int
        Class to move to, by its labelled images that are not held out; or dataset
        indices of the images to move to.
    labels : (N,) int64 array
        Class of every image, -1 where it is not known.
    held_out : (N,) bool array
        Images kept apart for measuring.
    probabilities : (N, C) float32 array
        What the network says of every image; C is 0 while it knows no classes.

    Returns
    -------
    sets : TraversalSets
        To be checked.
    classes : (n,) int64 array
        The class that each image moves away from, -1 where it is not known.

    Raises
    ------
    TraversalError
        If images move to a class, and one is of it already or of none.
    """
    moved = np.asarray(images, np.int64)
    classes = classes_of(moved, labels, probabilities)
    free = ~held_out
    if isinstance(target, int):
        if (classes < 0).any():
            raise TraversalError(
                f"{int((classes < 0).sum())} of the images have no class to move away "
                "from: label them, or train the network with labels first."
            )
        if (classes == target).any():
            raise TraversalError(
                f"{int((classes == target).sum())} of the images are of the target's "
                "class already: choose other images or another class."
            )
        goal = np.flatnonzero((labels == target) & free)
    else:
        goal = np.unique(target).astype(np.int64)
    free[goal] = False
    members = {
        kind: np.flatnonzero((labels == kind) & free)
        for kind in {*labels[labels >= 0].tolist(), *classes.tolist()}
    }
    others = tuple(members[kind] for kind in sorted(members) if kind >= 0)
    members[-1] = moved[~np.isin(moved, goal)]
    sources = tuple(members[kind] for kind in classes.tolist())
    return TraversalSets(moved, sources, goal, others), classes


def classes_of(
    images: Indices, labels: Indices, probabilities: NDArray[np.float32]
) -> Indices:
    """Return the class of each image, else what the network sees in it, else -1."""
    classes: Indices = labels[images]
    unknown = np.flatnonzero(classes < 0)
    if len(unknown) and probabilities.shape[1]:
        classes[unknown] = probabilities[images[unknown]].argmax(axis=1)
    return classes
