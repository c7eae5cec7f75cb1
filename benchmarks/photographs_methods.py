"""Ways to move photographs, each in eight steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from interpolation import interpolate_path
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import Regime, TraverseSettings
from napari_spaceediting.traversal.witness import Array, WitnessProblem
from photographs_faces import Outing

MIXTURES, INTERPOLATION, OURS = "mixtures", "feature interpolation", "ours"
MOST_LENGTH = 4.8
"""Of feature interpolation: how many differences of the means the last step goes."""
READING = "Read the images", "Compare features", "Look at the images"
"""What is known once the features of the sets are."""


@dataclass(frozen=True)
class Piece:
    """A piece of the work: the faces of one way, by one method.

    Parameters
    ----------
    network, method, way : str
    seed : int
        Of the draw of the sets.
    """

    network: str
    method: str
    way: str
    seed: int

    def path(self, work: Path) -> Path:
        """Return the file of its figures; its images lie beside it."""
        key = f"{self.network}-{self.method}-{self.way}-{self.seed}.json"
        return work / key.replace(" ", "_")


@dataclass(frozen=True, eq=False)
class Moved:
    """What came of n faces.

    Parameters
    ----------
    images : (n, 1 + steps, 3, H, W) float32 array
        In [0, 1], the first the original.
    arrival : (n,) int64 array
        The step at which the method itself says that a face is there, -1 for none.
    own : (n, 1 + steps) bool array
        Whether its network still finds each face most like its own original.
    seconds : dict of str to float
        Processor seconds of one core by what was going on, for all faces together.
    notes : tuple of str
        What the user is told.
    """

    images: NDArray[np.float32]
    arrival: NDArray[np.int64]
    own: NDArray[np.bool_]
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()

    @property
    def originals(self) -> NDArray[np.float32]:
        """The originals, (n, 3, H, W)."""
        return self.images[:, 0]


def _traversed(regime: Regime | None) -> Callable[[Outing, TraversalSets], Moved]:
    def move(outing: Outing, sets: TraversalSets) -> Moved:
        network = outing.trained
        settings = TraverseSettings(regime=regime, device="cpu")
        done, seconds = _timed(
            Traverse(outing.dataset, network.spec, network.train.state, sets, settings)
        )
        return Moved(done.images, done.arrival, done.own, seconds, done.notes)

    return move


def _timed(job: Traverse) -> tuple[Traversal, dict[str, float]]:
    """Run a job; return processor seconds by what was going on, too."""
    seconds: dict[str, float] = {}
    steps = job.run()
    while True:
        begin = time.process_time()
        try:
            progress = next(steps)
        except StopIteration as end:
            result: Traversal = end.value
            return result, seconds
        spent = time.process_time() - begin
        seconds[progress.message] = seconds.get(progress.message, 0.0) + spent


def _interpolated(outing: Outing, sets: TraversalSets) -> Moved:
    """Move faces along the difference of the means, all else as ours."""
    from napari_spaceediting.traversal import changes

    def path(problem: WitnessProblem, steps: int) -> tuple[Array, list[Array]]:
        lengths = MOST_LENGTH / steps * np.arange(1, steps + 1)
        every = np.repeat(lengths[:, None], len(problem.rows), axis=1)
        return every, list(interpolate_path(problem, every))

    with patch.object(changes, "even_path", path):
        return _traversed("features")(outing, sets)


METHODS: dict[str, Callable[[Outing, TraversalSets], Moved]] = {
    MIXTURES: _traversed("mixtures"),
    INTERPOLATION: _interpolated,
    OURS: _traversed(None),
}
