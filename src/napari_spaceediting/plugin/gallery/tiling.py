"""How large the tiles of a gallery are, and in how many columns they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect

SIZES = (32, 2048)
"""Wanted sides of an image, in logical pixels; none is larger than the room for it."""
USUAL_SIZE = 84
_LEAST = 8


@dataclass(frozen=True)
class Tiling:
    """Columns of tiles, in logical pixels; positions count tiles, row by row.

    Parameters
    ----------
    width : int
        Of the room.
    columns : int
        How many there are.
    side : int
        Of an image.
    caption : int
        Height of the writing beneath an image.
    gap : int
        Between tiles.
    """

    width: int = 1
    columns: int = 1
    side: int = _LEAST
    caption: int = 0
    gap: int = 6

    @property
    def row(self) -> int:
        """Height of a row of tiles, with the gap below."""
        return self.side + self.caption + self.gap + 2

    def height(self, n: int) -> int:
        """Return the height of n tiles."""
        return -(-n // self.columns) * self.row + self.gap

    def tile(self, position: int) -> QRect:
        """Return the square of an image."""
        row, column = divmod(position, self.columns)
        left = self.gap + round(column * self._pitch)
        left += max(0, (round(self._pitch) - self.gap - self.side) // 2)
        return QRect(left, self.gap + row * self.row, self.side, self.side)

    def plate(self, position: int) -> QRect:
        """Return the tile with its caption and a little air."""
        air = self.gap // 2 - 1
        below = self.caption + 2 + air // 2
        return self.tile(position).adjusted(-air, -air, air, below)

    def position_at(self, point: QPoint) -> int:
        """Return the position whose plate is at a point, or -1."""
        column = int((point.x() - self.gap / 2) // self._pitch)
        row = (point.y() - self.gap // 2) // self.row
        position = int(row * self.columns + column)
        is_there = 0 <= column < self.columns and position >= 0
        return position if is_there and self.plate(position).contains(point) else -1

    def touched_by(self, band: QRect) -> NDArray[np.int64]:
        """Return the positions of images that a rectangle touches."""
        lefts = np.array([self.tile(column).left() for column in range(self.columns)])
        across = np.flatnonzero(
            (lefts <= band.right()) & (lefts + self.side > band.left())
        )
        first = max(0, -(-(band.top() - self.gap - self.side + 1) // self.row))
        rows = np.arange(first, (band.bottom() - self.gap) // self.row + 1)
        return (rows[:, None] * self.columns + across).ravel()

    @property
    def _pitch(self) -> float:
        return (self.width - self.gap) / self.columns


def tiling(
    size: tuple[int, int],
    gap: int,
    caption_of: Callable[[int], int],
    wanted: int,
) -> Tiling:
    """Return the columns whose tiles come closest to a wanted side.

    Parameters
    ----------
    size : (width, height)
        Of the room.
    gap : int
        Between tiles.
    caption_of : callable
        Returns the height of the writing beneath an image of a side.
    wanted : int
        Side of the images; one image fills the room at most.
    """
    width, largest = size[0], max(_side(size, gap, caption_of, 1, 1), SIZES[0])
    near = min(wanted, largest)
    columns = max(1, round((width - gap) / (near + gap)))
    side = (width - gap * (columns + 1)) // columns
    side = max(min(side, 2 * near if wanted < largest else near), _LEAST)
    return Tiling(size[0], columns, side, caption_of(side), gap)


def tiling_of_all(
    size: tuple[int, int], gap: int, caption_of: Callable[[int], int], n: int
) -> Tiling:
    """Return the columns that show n images as large as all of them can be in view."""
    n = max(n, 1)
    sides = {
        columns: _side(size, gap, caption_of, columns, -(-n // columns))
        for columns in range(1, n + 1)
    }
    columns = max(sides, key=sides.__getitem__)
    side = max(sides[columns], _LEAST)
    return Tiling(size[0], columns, side, caption_of(side), gap)


def _side(
    size: tuple[int, int],
    gap: int,
    caption_of: Callable[[int], int],
    columns: int,
    rows: int,
) -> int:
    """Return the side of images that have room in so many columns and rows."""
    across = (size[0] - gap * (columns + 1)) // columns
    below = (size[1] - gap) // rows - gap - 2
    return min(across, below - caption_of(min(across, below)))
