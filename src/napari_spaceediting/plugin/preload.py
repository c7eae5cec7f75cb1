"""What would otherwise be loaded when a first map is shown, and hold up the window."""

from __future__ import annotations

import importlib

from napari.settings import get_plugin_settings
from napari.utils.transforms import Affine

_LIBRARIES = "pandas", "scipy.spatial", "skimage.measure"
"""Needed by napari's layers of points, by picking, and by the lasso."""


def load_units_and_settings() -> None:
    """Have napari read its units and our settings, 0.3 s that the first use takes.

    Its first layer needs the units; for the settings it reads the manifests of all
    plugins anew. Not in a thread: who uses them meanwhile would find half of them.
    """
    Affine()
    get_plugin_settings("napari-spaceediting")


def load_libraries() -> None:
    """Import libraries, half a second in all; in a thread, where nobody waits."""
    for name in _LIBRARIES:
        importlib.import_module(name)
