"""What is written around the tiles of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.plugin.state import WindowState
from napari_spaceediting.plugin.widgets.palette import Colour
from napari_spaceediting.session.similar import Similar
from napari_spaceediting.session.state import Checkpoint


def guesses(checkpoint: Checkpoint) -> NDArray[np.float32]:
    """Return the network's (N, C) probabilities; of no class where there are none."""
    network = checkpoint.network
    if network is None:
        return np.empty((len(checkpoint.labels), 0), np.float32)
    return network.predictions.probabilities


def describer(
    window: WindowState, similar: Similar | None = None
) -> Callable[[int], Caption]:
    """Return a function that returns what is written around the tile of an image.

    The label, or what the network guesses for want of one; then how sure the network
    is, and of what if that is another class. Of images that are like one from outside,
    the distance to it is written instead.
    """
    edits, colours = window.edits, window.class_colours.tolist()
    said, held_out = guesses(window.shown), window.opened.dataset.held_out
    away = {}
    if similar is not None:
        away = dict(
            zip(similar.images.tolist(), similar.distances.tolist(), strict=True)
        )

    def describe(index: int) -> Caption:
        border = colours[edits.labels[index]]
        badge = "held out" if held_out[index] else ""
        badge = "rejected" if edits.rejected[index] else badge
        caption = _caption(int(edits.labels[index]), said[index], edits, border, badge)
        return (
            replace(caption, figure=f"{away[index]:.2f}") if index in away else caption
        )

    return describe


def _caption(
    label: int,
    said: NDArray[np.float32],
    edits: EditState,
    border: Colour,
    badge: str,
) -> Caption:
    own = edits.class_names[label] if label >= 0 else "?"
    if not len(said):
        return Caption(own, border, badge)
    best = int(said.argmax())
    guess, sure = edits.class_names[best], f"{said[best]:.0%}"
    if label < 0:
        return Caption(f"{guess}?", border, badge, figure=sure)
    if best == label:
        return Caption(own, border, badge, figure=sure)
    return Caption(own, border, badge, f"→ {guess}", sure, is_odd=True)
