"""The way of one image as plain values, and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.plugin.widgets.palette import Colour
from napari_spaceediting.traversal.filmstrip import (
    changes_to_rgb,
    largest_change,
    to_rgb,
)

SURE = 0.8
"""From this probability of the target on, the network is sure of it."""
_SMALL = 112
"""Pixels that the shorter side of a small picture has at least, if the image has."""


class Chance(NamedTuple):
    """How probable, 0 to 1, one class is to the network at each of s steps."""

    name: str
    colour: Colour
    values: NDArray[np.floating]


class Pictures:
    """Pictures of the steps of an image, each drawn when it is asked for.

    Parameters
    ----------
    images : (s, C, H, W) float32 array
        In [0, 1], the original first.
    """

    def __init__(self, images: NDArray[np.float32]) -> None:
        self._images = images
        self._small = _shrunk(images, max(1, min(images.shape[2:]) // _SMALL))
        # Of the small ones, so that noise in single pixels does not set the scale.
        self._most = largest_change(self._small)
        self._drawn: dict[tuple[int, bool, bool], NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self._images)

    def draw(
        self, step: int, *, changes: bool = False, small: bool = False
    ) -> NDArray[np.uint8]:
        """Return a step (h, w, 3), on demand with what changed drawn over it."""
        key = step, changes, small
        if key not in self._drawn:
            pair = (self._small if small else self._images)[[0, step]]
            drawn = changes_to_rgb(pair, self._most) if changes else to_rgb(pair[1:])
            self._drawn[key] = drawn[-1]
        return self._drawn[key]


@dataclass(frozen=True, eq=False)
class Strip:
    """The way of one image, from the original on, as far as it is made.

    Parameters
    ----------
    name : str
        Of the original.
    start, goal : str
        What it is, and what it becomes.
    pictures : Pictures
        Of s steps, the first of them the original.
    steps : int
        How many come after the original in the end, at least s - 1.
    leaves, nears : Chance or None
        What the network says of the class that it moves away from and of the one that
        it moves to; None where the network does not know it.
    captions : sequence of s str or more
        Such as "budget 0.14"; "" for the original.
    passes, own : sequences of s bool
        Whether each step can pass for a real image of what it becomes, and whether the
        real image that the network finds most like it is still its original.
    nearest : (s, k) int64 array
        Dataset indices of the real images of the target that are nearest to each step.
    nearest_names : (s, k) sequences of str
        Their names.
    """

    name: str
    start: str
    goal: str
    pictures: Pictures = field(repr=False)
    steps: int
    leaves: Chance | None
    nears: Chance | None
    captions: Sequence[str] = ("",)
    passes: Sequence[bool] = (False,)
    own: Sequence[bool] = (True,)
    nearest: NDArray[np.int64] = field(
        default_factory=lambda: np.empty((1, 0), np.int64), repr=False
    )
    nearest_names: Sequence[Sequence[str]] = field(default=((),), repr=False)

    @property
    def last(self) -> int:
        """The last step that there is."""
        return len(self.pictures) - 1

    @property
    def arrival(self) -> int:
        """The first step that passes, else the last one."""
        return next((n for n in self._made if self.passes[n]), self.last)

    @property
    def sure(self) -> int | None:
        """The first step that the network is sure of, or that passes."""
        sure = None if self.nears is None else self.nears.values >= SURE
        return next(
            (n for n in self._made if self.passes[n] or (sure is not None and sure[n])),
            None,
        )

    @property
    def foreign(self) -> int | None:
        """The first step that is no longer nearest to its own original."""
        return next((n for n in self._made if not self.own[n]), None)

    @property
    def chances(self) -> list[Chance]:
        """What the network says, of the classes that it knows."""
        return [chance for chance in (self.leaves, self.nears) if chance is not None]

    @property
    def _made(self) -> range:
        return range(1, self.last + 1)


def _shrunk(images: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Return means (s, C, H / block, W / block) of blocks of pixels.

    Of large blocks every second or third pixel or so counts: it takes less time.
    """
    if block == 1:
        return images
    height, width = (side // block * block for side in images.shape[2:])
    some = range(0, block, max(1, block // 2))
    parts = [
        images[:, :, down:height:block, along:width:block]
        for down in some
        for along in some
    ]
    return np.mean(parts, axis=0, dtype=np.float32)
