"""Starts napari from the command line with the docks open."""

from __future__ import annotations

from pathlib import Path

import napari

from napari_spaceediting.plugin.workbench import Workbench, workbench_of


def launch(path: Path) -> None:
    """Open a session or images in a new window, and wait until it is closed."""
    _start().opening.open_path(path)
    napari.run()


def launch_sample(name: str, labels_per_class: int) -> None:
    """Open a sample with few labels in a new window, and wait until it is closed."""
    _start().opening.open_sample(name, labels_per_class)
    napari.run()


def _start() -> Workbench:
    viewer = napari.Viewer()
    workbench = workbench_of(viewer)
    workbench.show_docks()
    return workbench
