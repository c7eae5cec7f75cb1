"""Samples in napari's File menu: they open in the Space Editor."""

from __future__ import annotations

from typing import Any

from napari_spaceediting.data.samples import SAMPLES

LayerData = tuple[Any, dict[str, Any], str]


def open_digits() -> list[LayerData]:
    """Open the digits."""
    return _open("digits")


def open_fashion_mnist() -> list[LayerData]:
    """Open Fashion-MNIST."""
    return _open("fashion_mnist")


def open_poses() -> list[LayerData]:
    """Open the rendered heads."""
    return _open("poses")


def _open(name: str) -> list[LayerData]:
    """Open a sample in the Space Editor; without a window, as a stack of images."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        dataset = SAMPLES[name].open()
        return [(dataset.raw_stack(), {"name": dataset.name}, "image")]
    from napari_spaceediting.plugin.workbench import workbench_of

    workbench = workbench_of(viewer)
    workbench.show_docks()
    workbench.work.open_sample(name)
    return []
