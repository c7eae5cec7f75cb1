"""A traversal as far as it has come, and what the window shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.plugin.map.scene import Routes
from napari_spaceediting.plugin.traversal.strip import Chance, Pictures, Strip
from napari_spaceediting.traversal.result import Asked, Traversal, join


class Coming:
    """A traversal that comes in parts; a part may come again with more steps.

    Parameters
    ----------
    asked : Asked
        What for.
    images : (n,) int64 array
        All that are moved, as dataset indices.
    steps : int
        Of each image in the end.
    """

    def __init__(self, asked: Asked, images: NDArray[np.int64], steps: int) -> None:
        self.asked = asked
        self.images = images
        self._steps = steps
        self._parts: dict[int, Traversal] = {}

    def take(self, part: Traversal) -> None:
        """Take what has come of some images."""
        self._parts[int(part.indices[0])] = part

    def one(self, at: int) -> Traversal | None:
        """Return what has come of one of the images."""
        index = self.images[at]
        for part in self._parts.values():
            for row in np.flatnonzero(part.indices == index):
                return part.part(slice(row, row + 1))
        return None

    @property
    def whole(self) -> Traversal | None:
        """What there is to see of it; None where there is nothing yet."""
        return _joined([part for part in self._parts.values() if part.last.any()])

    @property
    def finished(self) -> Traversal | None:
        """The first images, those with finished steps; None where there are none."""
        return _joined([part for part in self._parts.values() if not part.is_preview])

    def routes(
        self,
        positions: NDArray[np.floating],
        at: int,
        step: int,
        colours: NDArray[np.float32],
    ) -> Routes:
        """Return where the images travel on a map; nowhere before that is known.

        Parameters
        ----------
        positions : (N, 2) array
            Map coordinates of all images of the data set.
        at, step : int
            The image and the step that are looked at.
        colours : (C + 1, 4) float32 array
            Those of the classes that were asked for, and of none.
        """
        parts = [part for part in self._parts.values() if part.last.any()]
        moved = [index for part in parts for index in part.indices]
        if self.images[at] not in moved:
            return Routes()
        return Routes(
            np.concatenate([part.route(positions) for part in parts]),
            moved.index(self.images[at]),
            step,
            colours[self.asked.target],
        )

    def strip(
        self,
        at: int,
        ids: NDArray[np.str_],
        picture: NDArray[np.uint8],
        said: NDArray[np.float32],
        colours: NDArray[np.float32],
    ) -> Strip:
        """Return the way of an image as far as it is made.

        Parameters
        ----------
        at : int
            Which of the images.
        ids : (N,) str array
            Names of the images of the data set.
        picture : (h, w, 3) uint8 array
            Of the original, for as long as nothing has come of it.
        said : (classes,) float32 array
            What the network says of it, likewise.
        colours : (C + 1, 4) float32 array
            As for `routes`.
        """
        one = self.one(at)
        if one is None:
            images = np.asarray(np.moveaxis(picture, -1, 0)[None] / 255, np.float32)
            said = said[None]
        else:
            made = slice(0, 1 + int(one.last[0]))
            images, said = one.images[0, made], one.probabilities[0, made]
        asked, source = self.asked, int(self.asked.sources[at])

        def chance(kind: int) -> Chance | None:
            names = asked.class_names
            if not 0 <= kind < min(said.shape[1], len(names)):
                return None  # the network does not know it
            return Chance(names[kind], colours[kind].tolist(), said[:, kind])

        strip = Strip(
            name=str(ids[self.images[at]]),
            start=asked.name(source),
            goal=asked.goal,
            pictures=Pictures(images),
            steps=self._steps,
            leaves=chance(source),
            nears=None if asked.target == source else chance(asked.target),
        )
        if one is None or not one.last[0]:
            return strip
        nearest = one.nearest[0, made]
        return replace(
            strip,
            captions=["", *(f"budget {value:.2g}" for value in one.budgets[0])],
            passes=one.arrived[0, made].tolist(),
            own=one.own[0, made].tolist(),
            nearest=nearest,
            nearest_names=ids[nearest].tolist(),
        )


def _joined(parts: Sequence[Traversal]) -> Traversal | None:
    return parts[0] if len(parts) == 1 else join(parts) if parts else None
