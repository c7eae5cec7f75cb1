"""Lines of equal density: where images lie on top of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QCheckBox

from napari_spaceediting.plugin.state import WindowState, complain

if TYPE_CHECKING:
    from napari_spaceediting.plugin.map.view import MapView

SHARES = 0.2, 0.4, 0.6, 0.8, 0.95
"""Of the images, that lines enclose."""
_CELLS, _BLUR, _MARGIN = 96, 1.5, 6
"""Cells along a side; the standard deviation of a blur, and the margin, in cells."""


def contours(places: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """Return the lines that enclose the densest 20, 40, 60, 80 and 95% of images.

    Parameters
    ----------
    places : (n, 2) array
        Map coordinates; far outliers are left out.

    Returns
    -------
    tuple of (m, 2) arrays
        Map coordinates along each line.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import find_contours

    if not len(places):
        return ()
    lowest, highest = np.percentile(places, [0.2, 99.8], axis=0)
    cell = np.maximum(highest - lowest, 1e-6) / (_CELLS - 2 * _MARGIN)
    corner = lowest - _MARGIN * cell
    at = ((places - corner) / cell).astype(np.intp)
    within = ((at >= 0) & (at < _CELLS)).all(axis=1)
    rows, columns = at[within].T
    counts = np.bincount(rows * _CELLS + columns, minlength=_CELLS**2)
    density = gaussian_filter(counts.reshape(_CELLS, _CELLS).astype(float), _BLUR)
    falling = np.sort(density.ravel())[::-1]
    enclosed = np.cumsum(falling) / falling.sum()
    levels = falling[np.searchsorted(enclosed, SHARES)]
    return tuple(
        corner + (line + 0.5) * cell
        for level in levels
        for line in find_contours(density, level)
    )


class Density:
    """Shows the lines while the user wants to see them.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    check : QCheckBox
        Whether the user does.
    view : callable
        Returns the map, if there is one.
    """

    def __init__(
        self, window: WindowState, check: QCheckBox, view: Callable[[], MapView | None]
    ) -> None:
        self._window = window
        self._check = check
        self._view = view
        check.toggled.connect(self.refresh)

    def refresh(self) -> None:
        """Show the lines of the images that the map shows now; in a thread."""
        view = self._view()
        cloud = None if view is None else view.cloud
        if view is None or cloud is None:
            return
        if not self._check.isChecked():
            view.overlay.change(contours=())
            return

        def take(lines: tuple[NDArray[np.float64], ...]) -> None:
            if view.cloud is cloud and self._check.isChecked():
                view.overlay.change(contours=lines)

        self._window.in_thread(
            lambda: contours(cloud.places[~cloud.hidden]), take, complain
        )
