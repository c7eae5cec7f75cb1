"""What is painted over the map, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QPixmap

MOST_MARKS = 2000
"""Marks of a kind that are painted at most, one by one."""
_NO_PLACES = np.empty((0, 2), np.float32)
_NO_COLOURS = np.empty((0, 4), np.float32)


class Tool(StrEnum):
    """What a drag on empty ground does."""

    MOVE = "move"
    LASSO = "lasso"
    BOX = "box"


@dataclass(frozen=True)
class Marks:
    """Points to mark, with their colours."""

    places: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    colours: NDArray[np.float32] = field(default_factory=lambda: _NO_COLOURS)

    def thinned(self) -> Marks:
        """Return at most 2,000 of them."""
        step = -(-len(self.places) // MOST_MARKS) or 1
        return Marks(self.places[::step], self.colours[::step])


@dataclass(frozen=True)
class Arrows:
    """Lines from where images were to where they are, in the colour of their class."""

    starts: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    ends: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    colours: NDArray[np.float32] = field(default_factory=lambda: _NO_COLOURS)

    def thinned(self, most: int = MOST_MARKS) -> Arrows:
        """Return at most so many of them."""
        step = -(-len(self.starts) // most) or 1
        return Arrows(self.starts[::step], self.ends[::step], self.colours[::step])


@dataclass(frozen=True)
class Routes:
    """Ways of images over the map, step by step; one of them is looked at.

    Parameters
    ----------
    paths : (n, s, 2) array
        Map coordinates of each step; beyond 60 ways only the one is shown.
    at : int
        The way that is looked at.
    step : int
        Its step that is looked at.
    colour : (4,) array
        RGBA of what they lead to.
    """

    paths: NDArray[np.floating] = field(
        default_factory=lambda: np.empty((0, 0, 2), np.float32)
    )
    at: int = 0
    step: int = 0
    colour: NDArray[np.float32] = field(default_factory=lambda: np.ones(4, np.float32))


@dataclass(frozen=True)
class Picture:
    """A thumbnail on the map, of an image with a number."""

    image: int
    place: NDArray[np.floating]
    pixmap: QPixmap
    colour: NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """All that is painted over the canvas, in map coordinates.

    Parameters
    ----------
    selected : Marks
        What is selected, each with a ring up to 2,000 of them.
    edited : Arrows
        Edits that are open.
    pinned : Marks
        Images pinned or relabelled where they are.
    dragged : Arrows
        A drag that is going on.
    carried : sequence of Picture
        Thumbnails of what is dragged, where they are now.
    drag_text : str
        What the place under the drag says.
    proposal : Arrows
        What guidance proposes, as one arrow.
    trails : Arrows
        What moved most between two rounds.
    outline : (n, 2) array
        Lasso or box that is being drawn.
    hovered : (2,) array or None
        The point under the pointer.
    route : Routes
        Where the features of images travel that are turned into others.
    pictures : sequence of Picture
        Thumbnails.
    side : int
        Their side in pixels.
    dot : float
        Radius of marked points in pixels.
    names : sequence of (str, (2,) array, (4,) array)
        Class names, where they stand, and their colour.
    gliding : Marks
        Images on their way from one map to the next; little else is painted meanwhile.
    contours : sequence of (m, 2) array
        Lines of equal density.
    past : str
        Which other map is shown, "" for the present one; edits do not belong on it.
    """

    selected: Marks = field(default_factory=Marks)
    edited: Arrows = field(default_factory=Arrows)
    pinned: Marks = field(default_factory=Marks)
    dragged: Arrows = field(default_factory=Arrows)
    carried: Sequence[Picture] = ()
    drag_text: str = ""
    proposal: Arrows = field(default_factory=Arrows)
    trails: Arrows = field(default_factory=Arrows)
    outline: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    hovered: NDArray[np.floating] | None = None
    route: Routes = field(default_factory=Routes)
    pictures: Sequence[Picture] = ()
    side: int = 0
    dot: float = 4.0
    names: Sequence[tuple[str, NDArray[np.floating], NDArray[np.float32]]] = ()
    gliding: Marks = field(default_factory=Marks)
    contours: Sequence[NDArray[np.floating]] = ()
    past: str = ""

    @property
    def lifted(self) -> set[int]:
        """Images whose thumbnails are not where they were, but dragged."""
        return {picture.image for picture in self.carried}
