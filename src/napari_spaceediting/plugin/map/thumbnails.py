"""Which pictures to show on the map: as many as there is room for."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage, QPixmap

SMALLEST, LARGEST = 26, 64
_ROOMY, _TIGHT = 3.4, 1.25
_CACHED = 2048


def thumbnail_side(magnification: float) -> int:
    """Return the side of a thumbnail in pixels.

    Parameters
    ----------
    magnification : float
        Zoom over the zoom at which the whole map is seen.
    """
    return int(np.clip(SMALLEST * magnification**0.5, SMALLEST, LARGEST))


def choose(
    places: NDArray[np.floating],
    priority: NDArray[np.floating],
    lowest: NDArray[np.floating],
    highest: NDArray[np.floating],
    zoom: float,
    magnification: float,
) -> NDArray[np.int64]:
    """Choose images whose thumbnails do not overlap.

    The plane is divided into squares that keep their place while one pans and that
    shrink as one zooms in; the first image of each square by priority is a candidate,
    and candidates too close to a better one are left out.

    Parameters
    ----------
    places : (N, 2) float array
        Map coordinates of all images.
    priority : (N,) float array
        Images of low values are preferred.
    lowest, highest : (2,) float arrays
        Map coordinates that are visible.
    zoom : float
        Pixels per unit of the map.
    magnification : float
        Zoom over the zoom at which the whole map is seen; the closer one is, the more
        densely the thumbnails stand.

    Returns
    -------
    (n,) int64 array
    """
    seen = np.flatnonzero(
        (places >= lowest).all(axis=1) & (places <= highest).all(axis=1)
    )
    if not len(seen):
        return seen
    side = thumbnail_side(magnification)
    room = max(_TIGHT, _ROOMY / max(magnification, 1) ** 0.5)
    # Steps of a half octave: the choice stays while one zooms a little.
    step = 2 ** (np.round(2 * np.log2(room * side / zoom)) / 2)
    cells = np.floor(places[seen] / step).astype(np.int64)
    order = np.lexsort((priority[seen], cells[:, 1], cells[:, 0]))
    ordered = cells[order]
    first = np.ones(len(order), bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    candidates = seen[order[first]]
    candidates = candidates[np.argsort(priority[candidates], kind="stable")]
    apart = 1.08 * side / zoom
    chosen: list[int] = []
    taken = np.empty((len(candidates), 2))
    for candidate in candidates.tolist():
        offsets = np.abs(taken[: len(chosen)] - places[candidate])
        if not (offsets.max(axis=1, initial=0) < apart).any():
            taken[len(chosen)] = places[candidate]
            chosen.append(candidate)
    return np.array(chosen, np.int64)


class Pixmaps:
    """Pixmaps of thumbnails, made when first shown.

    Parameters
    ----------
    thumbnails : (N, s, s, 3) uint8 array
        Pictures of all images.
    """

    def __init__(self, thumbnails: NDArray[np.uint8]) -> None:
        self._thumbnails = thumbnails
        self._made: OrderedDict[int, QPixmap] = OrderedDict()

    def __getitem__(self, index: int) -> QPixmap:
        """Return the pixmap of an image."""
        if index in self._made:
            self._made.move_to_end(index)
            return self._made[index]
        picture = np.ascontiguousarray(self._thumbnails[index])
        height, width, _ = picture.shape
        image = QImage(
            picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
        )
        self._made[index] = QPixmap.fromImage(image)
        if len(self._made) > _CACHED:
            self._made.popitem(last=False)
        return self._made[index]
