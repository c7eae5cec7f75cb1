"""What would otherwise be loaded when a first map is shown, and hold up the window."""

from __future__ import annotations

import importlib

from napari.utils.transforms import Affine

_LIBRARIES = "pandas", "scipy.spatial", "skimage.measure"
"""Needed by napari's layers of points, by picking, and by the lasso."""


def load_units() -> None:
    """Have napari read its units, a quarter of a second that its first layer takes.

    Not in a thread: a layer that is made meanwhile would find half of them.
    """
    Affine()


def load_libraries() -> None:
    """Import libraries, half a second in all; in a thread, where nobody waits."""
    for name in _LIBRARIES:
        importlib.import_module(name)
