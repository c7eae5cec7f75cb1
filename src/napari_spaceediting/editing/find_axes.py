"""The job that reads off all images what some were arranged by."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.editing.axis import (
    Axis,
    Coordinate,
    Regression,
    coordinates_of,
    goodness,
    learn,
    targets_of,
)
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import array_limit, blocks
from napari_spaceediting.network.spec import ClassifierSpec, State

_MOST = 1_000
"""Images that an axis is learnt from; it takes the cube of their number."""


@dataclass(frozen=True, eq=False)
class FindAxes:
    """Find the axes along which images are arranged.

    Held-out images are learnt nothing from; they have values like all others.

    Parameters
    ----------
    dataset : ImageDataset
        All N images; those that belong together (`groups_of`) are left out together
        when an axis is tried.
    state : mapping of str to array
        Its weights.
    indices : (m,) int64 array
        The arranged images.
    places : (m, 2) float32 array
        Where they lie on the map.
    """

    name: ClassVar[str] = "Find what the images are arranged by"

    dataset: ImageDataset
    spec: ClassifierSpec
    state: State = field(repr=False)
    indices: NDArray[np.int64] = field(repr=False)
    places: NDArray[np.float32] = field(repr=False)
    seed: int = 0
    device: str = "auto"

    def run(self) -> Generator[Progress, None, tuple[Axis, ...]]:
        """Learn each coordinate, and read it off all images.

        Returns
        -------
        tuple of Axis
            That of the largest spread first; none where all images lie in one place.
            Whether they hold is another question (`Axis.holds`).

        Raises
        ------
        TrainingFailed
            If torch cannot run the network.
        DataError
            If an image cannot be read.
        """
        from napari_spaceediting.network.activations import activations
        from napari_spaceediting.network.classifier import classifier_from

        usable = np.flatnonzero(~self.dataset.held_out[self.indices])
        coordinates = coordinates_of(self.places[usable])
        if not coordinates:
            return ()
        # The mirror image may lie elsewhere on an axis.
        rows = yield from activations(
            classifier_from(replace(self.spec, mirror=False), self.state),
            self.dataset,
            "last_block",
            device=self.device,
        )
        found = []
        for coordinate in coordinates:
            found.append((yield from self._axis(coordinate, rows, usable)))
        return tuple(found)

    def _axis(
        self,
        coordinate: Coordinate,
        rows: NDArray[np.float32],
        usable: NDArray[np.int64],
    ) -> Generator[Progress, None, Axis]:
        some = _some_of(usable, rows, self.seed)
        at, targets = self.indices[some], coordinate.targets[np.isin(usable, some)]
        groups = groups_of(self.dataset.columns, len(self.dataset))
        yield Progress(0, len(rows), "Learning what the images are arranged by")
        read = learn(rows[at], targets, groups[at])
        values = yield from _read_off(rows, read)
        r2, ranks = goodness(targets, read.foretold)
        return Axis(
            title=coordinate.title,
            values=coordinate.read(values),
            is_circular=coordinate.is_circular,
            r2=r2,
            rank_correlation=ranks,
            n_arranged=len(usable),
        )


def extended(
    axes: Sequence[Axis],
    old: NDArray[np.float32],
    new: NDArray[np.float32],
    seed: int = 0,
) -> Generator[Progress, None, tuple[Axis, ...]]:
    """Read axes off images that came later, too.

    An axis is a linear function of what images show, so that the values of the images
    that there were tell which.

    Parameters
    ----------
    axes : sequence of Axis
        Of N images.
    old, new : (N, ...) and (M, ...) float32 arrays
        Activations of the trunk.

    Returns
    -------
    tuple of Axis
        Of the N and M images.
    """
    longer = []
    for axis in axes:
        at = _some_of(np.arange(len(old)), old, seed)
        targets = targets_of(axis)[at]
        found = yield from _read_off(new, learn(old[at], targets))
        values = Coordinate(axis.title, targets).read(found)
        longer.append(replace(axis, values=np.concatenate([axis.values, values])))
    return tuple(longer)


def _some_of(
    images: NDArray[np.int64], rows: NDArray[np.float32], seed: int
) -> NDArray[np.int64]:
    """Return as many of some images, in order, as are learnt from at once."""
    most = max(2, min(_MOST, array_limit() // rows[:1].nbytes))
    return np.sort(np.random.default_rng(seed).permutation(images)[:most])


def _read_off(
    rows: NDArray[np.float32], read: Regression
) -> Generator[Progress, None, NDArray[np.float32]]:
    values = np.empty((len(rows), len(read.start)), np.float32)
    for block in blocks(len(rows), rows[:1].nbytes):
        values[block] = read(rows[block])
        yield Progress(block.stop, len(rows), "Reading it off the images")
    return values
