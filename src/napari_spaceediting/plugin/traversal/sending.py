"""The images of a traversal as a layer of napari beside the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.session.session import Session
from napari_spaceediting.traversal.export import report
from napari_spaceediting.traversal.result import Asked, Traversal

if TYPE_CHECKING:
    from napari.viewer import Viewer


def beside_the_map(
    traversal: Traversal, asked: Asked, session: Session
) -> dict[str, Any]:
    """Return what `add_image` takes: a stack that covers nothing of the map.

    Parameters
    ----------
    traversal : Traversal
        Of n images.
    asked : Asked
        Of which it is the outcome.
    session : Session
        It has the images, and a map.
    """
    ids, size = session.dataset.ids, session.dataset.image_size
    stack, axes, is_rgb = _stack(traversal.images[:, : 1 + int(traversal.last.max())])
    places = session.edits.positions
    lowest, extent = places.min(axis=0), np.ptp(places, axis=0)
    scale = float(extent.max()) / 2 / max(size)
    across = float(lowest[0] + (extent[0] - size[0] * scale) / 2)
    count = len(traversal.indices)
    what = f"{count} images" if count > 1 else str(ids[traversal.indices[0]])
    figures = report(traversal, asked, ids)
    others = len(axes) - 2
    return {
        "data": stack,
        "name": f"{what} → {asked.goal}",
        "rgb": is_rgb,
        "axis_labels": axes,
        "scale": [1.0] * others + [scale, scale],
        "translate": [0.0] * others + [across, float(lowest[1] + 1.08 * extent[1])],
        "contrast_limits": None if is_rgb else (0.0, 1.0),
        "metadata": {"spaceediting": {"target": asked.goal, **figures}},
    }


def add_layer(viewer: Viewer, layer: dict[str, Any], step: int) -> str:
    """Add it at a step, with both in view; return its name.

    The map stays the active layer, because there one works.
    """
    active = viewer.layers.selection.active
    added = viewer.add_image(**layer)
    viewer.layers.selection.active = active
    viewer.reset_view()
    viewer.dims.set_current_step(viewer.dims.ndim - added.ndim, step)
    return str(added.name)


def _stack(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[str], bool]:
    """Return images (n, s, C, H, W) for a layer, the names of its axes, whether RGB.

    The step comes first, then the image if there are several, then the channel unless
    it is the only one or a colour.
    """
    stack = images.swapaxes(0, 1)
    axes = ["step", "image", "channel", "y", "x"]
    is_rgb = stack.shape[2] == 3
    if is_rgb:
        stack = np.moveaxis(stack, 2, -1)
        axes.remove("channel")
    elif stack.shape[2] == 1:
        stack = stack[:, :, 0]
        axes.remove("channel")
    if stack.shape[1] == 1:
        stack = stack[:, 0]
        axes.remove("image")
    return stack, axes, is_rgb
