"""Starts napari from the command line with the docks open."""

from __future__ import annotations

from pathlib import Path

import napari

from napari_spaceediting.plugin.workbench import Workbench, workbench_of


def launch(path: Path) -> None:
    """Open a session or images in a new window, and wait until it is closed."""
    _start().opening.open_path(path)
    napari.run()


def launch_demo() -> None:
    """Open the digits with few labels in a new window, and wait until it is closed."""
    from napari_spaceediting.demo import LABELS_PER_CLASS

    _start().opening.open_sample("digits", LABELS_PER_CLASS)
    napari.run()


def _start() -> Workbench:
    viewer = napari.Viewer()
    workbench = workbench_of(viewer)
    workbench.show_docks()
    return workbench
