"""Classes on the segmentation that images come from, and the way there and back."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject

from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.features import features_of
from napari_spaceediting.plugin.objects.source import Source, by_label, find_source
from napari_spaceediting.plugin.state import Change, WindowState, warn
from napari_spaceediting.plugin.widgets.controls import once

if TYPE_CHECKING:
    from napari.layers import Layer

_AROUND = 12
"""How many times the side of an object the canvas shows of its picture."""
_LATER_MS = 100
"""Milliseconds after the last change at which the layer is painted anew."""
_NO_MAP = "There is no map yet: open images first."
_NO_LAYERS = (
    "There are no other layers in this window: open the picture or the segmentation "
    "that the images come from."
)
_OTHERS = (
    Change.SESSION | Change.IMAGES | Change.EDITS | Change.SHOWN | Change.PAST
)  # fmt: skip


class ObjectsController:
    """Connects a Labels layer with the images that its objects are.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    on_map : MapController
        The map.
    parent : QObject
        Qt parent.
    """

    def __init__(
        self, window: WindowState, on_map: MapController, parent: QObject
    ) -> None:
        self._window = window
        self._map = on_map
        self._source: Source | None = None
        self._was: Any = None
        self._label = 0
        self._paint = once(parent, _LATER_MS, self._show)
        viewer = window.viewer
        self._heard = (
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
            viewer.dims.events.current_step,
        )
        for event in self._heard:
            event.connect(self._on_viewer)
        window.changed.connect(self._on_change)
        on_map.coloured.connect(self._on_viewer)

    def stop(self) -> None:
        """Let go of the viewer, whose layer looks as it did."""
        self._paint.stop()
        for event in self._heard:
            with suppress(TypeError, RuntimeError):
                event.disconnect(self._on_viewer)
        self._take(None)

    def _on_viewer(self, *_: object) -> None:
        self._paint.start()

    def _on_change(self, change: Change) -> None:
        if change & _OTHERS:
            self._paint.start()
        if Change.SELECTION in change:
            self._on_selection()

    @property
    def _plane(self) -> int:
        assert self._source is not None
        if self._source.layer.ndim == 2:
            return 0
        return int(self._window.viewer.dims.current_step[-3])

    # What is shown

    def _show(self) -> None:
        """Paint the objects in the colours of the map, and fill the table."""
        window, session = self._window, self._window.session
        layers = window.viewer.layers
        source, dataset = self._source, session and session.state.dataset
        if (
            source is None
            or source.layer not in layers
            or source.dataset is not dataset
        ):
            is_open = dataset is not None and window.has_map
            self._take(find_source(layers, dataset) if dataset and is_open else None)
        source, session = self._source, window.mapped
        if source is None or session is None:
            return
        rows = source.images_in(self._plane)
        edits, colours = window.edits, self._map.colours
        if colours is None:
            return
        colours = colours[rows]
        colours[edits.rejected[rows], 3] = 0.25
        table = dict(zip(source.numbers[rows].tolist(), colours, strict=True))
        nothing = np.zeros(4, np.float32)
        source.layer.colormap = DirectLabelColormap(
            color_dict={None: nothing, 0: nothing, **table}
        )
        features = features_of(session.dataset, window.shown, edits)
        source.layer.features = by_label(
            source.numbers[rows],
            {name: values[rows] for name, values in features.items()},
        )

    def _take(self, source: Source | None) -> None:
        """Work with another layer, or none; the last one looks as it did."""
        old, self._source = self._source, source
        if old is not None and (source is None or source.layer is not old.layer):
            old.layer.events.selected_label.disconnect(self._on_label)
            if self._on_mouse in old.layer.mouse_drag_callbacks:
                old.layer.mouse_drag_callbacks.remove(self._on_mouse)
            old.layer.colormap = self._was
        if source is not None and (old is None or source.layer is not old.layer):
            self._was, self._label = source.layer.colormap, source.layer.selected_label
            source.layer.events.selected_label.connect(self._on_label)
            source.layer.mouse_drag_callbacks.append(self._on_mouse)

    # From the picture to the map

    def _on_mouse(self, layer: Layer, event: Any) -> Generator[None, None, None]:
        """Select the image of an object that is clicked, with no tool in hand."""
        if layer.mode != "pan_zoom":
            return
        yield
        if event.type == "mouse_move":
            return  # the picture is moved
        number = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        self._choose(number or 0)

    def _on_label(self) -> None:
        """Select the image of a label that is chosen, as in napari's own table."""
        assert self._source is not None
        label = int(self._source.layer.selected_label)
        if label != self._label:  # napari tells of other colours, too
            self._label = label
            self._choose(label)

    def _choose(self, number: int) -> None:
        assert self._source is not None
        image = self._source.image_of(number, self._plane)
        if image >= 0 and not np.array_equal(self._window.selected, [image]):
            self._window.select(np.array([image]), self)

    # From the map to the picture

    @property
    def is_in_picture(self) -> bool:
        """Whether the picture of the objects is seen, and not the map."""
        stage = self._map.stage
        return self._source is not None and stage is not None and not stage.shows_map

    def toggle(self) -> None:
        """Show the other layers, with the selected object in its picture, or the map.

        Back on the map, what is selected is seen.
        """
        source, view, stage = self._source, self._map.view, self._map.stage
        if view is None or stage is None:
            warn(_NO_MAP)
        elif not stage.shows_map:
            stage.show_map()
            if source is not None and len(self._window.selected):
                self._map.zoom_to_selection()
        elif not stage.show_others(source and source.layer):
            warn(_NO_LAYERS)
        elif source is not None:
            source.layer.visible = True
            height = view.viewport.size[1]
            self._window.viewer.scene.camera.zoom = height / (_AROUND * source.side)
            self._on_selection()

    def _on_selection(self) -> None:
        """Go to the object that is selected, where its picture is seen."""
        source, selected = self._source, self._window.selected
        if source is None or not len(selected) or not self.is_in_picture:
            return
        if self._window.selected_by is self:
            return
        image, viewer = int(selected[0]), self._window.viewer
        if source.layer.ndim == 3:
            viewer.dims.set_current_step(viewer.dims.ndim - 3, source.plane_of(image))
        middle = source.middle_of(image)
        camera = viewer.scene.camera
        camera.center = (*camera.center[:-2], *middle)
