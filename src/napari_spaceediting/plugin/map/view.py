"""The map: a Points layer of all images, and what is painted over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QEasingCurve,
    QEvent,
    QObject,
    QPoint,
    Qt,
    QVariantAnimation,
    Signal,
)
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget
from superqt.utils import qthrottled

from napari_spaceediting.plugin.map.layer import Cloud, MapLayer, differ
from napari_spaceediting.plugin.map.outline import inside
from napari_spaceediting.plugin.map.overlay import MapOverlay
from napari_spaceediting.plugin.map.scene import Arrows, Marks, Picture, Tool
from napari_spaceediting.plugin.map.thumbnails import PicturesOnMap
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.state import warn
from napari_spaceediting.plugin.widgets.controls import once

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer
    from scipy.spatial import KDTree

_REACH = 14
"""Pixels around a point that count as on it."""
_OVER = 5
"""Pixels within which the eye cannot tell which of two points is pressed."""
_DIM = 0.4
_FAR = 2.0
"""Magnification up to which points that are many let what lies beneath them through."""
_MOST = 0.5
"""Share of images that lie elsewhere on another map."""
_NOTHING = np.empty(0, np.int64)
_CONTROL = Qt.KeyboardModifier.ControlModifier
_FAINT = 0.15
"""Opacity of the layer while images glide to their places."""
_GLIDE_MS = 700
_MOST_GLIDING = 1000
"""How many images are seen to move to another map; the eye follows fewer."""
_SETTLED_MS = 40
"""Milliseconds after the last change at which thumbnails are placed anew."""
_SELECTED_MS = 150
"""Milliseconds after the last selection at which they are, and points step back."""
_HIDDEN = "Images that the legend hides cannot be moved: show their class first."
_ONLY_SHOWN = "The map is only shown now: nothing can be moved on it."


class MapView(QObject):
    """Shows images as points and lets the user select and move them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets a layer for the map.
    canvas : QWidget
        Its drawing surface.
    take_layer : callable
        Is given every layer of napari's that is made for the map.

    Signals
    -------
    selection_changed(int64 array)
        The user chose other images; who hears of it has them shown by `select`.
    dragging(float array)
        Images are dragged; their (n, 2) map coordinates now.
    dropped(int64 array, float32 array)
        Images were moved, by a drag, napari's own tools or a script: with their map
        coordinates.
    hovered(int)
        The image under the pointer, -1 for none.
    """

    selection_changed = Signal(object)
    dragging = Signal(object)
    dropped = Signal(object, object)
    hovered = Signal(int)

    def __init__(
        self, viewer: Viewer, canvas: QWidget, take_layer: Callable[[Points], None]
    ) -> None:
        super().__init__(canvas)
        self.canvas = canvas
        self.viewport = Viewport(viewer, canvas)
        self.overlay = MapOverlay(canvas, self.viewport)
        self._layer = MapLayer(viewer, self, take_layer)
        self._layer.changed.connect(self._on_layer_changed)
        self._layer.moved.connect(self._on_moved)
        self._layer.removed.connect(self._restore)
        self._layer.selected.connect(self._on_selected)
        self._pictures = PicturesOnMap(self.viewport)
        self.tool = Tool.MOVE
        """What a drag on empty ground does."""
        self.include_held_out = False
        self.is_open = True
        """Whether the user may work on the map; a preview is only looked at."""
        self.cloud: Cloud | None = None
        self.selected = _NOTHING
        self._tree: KDTree | None = None
        self._pickable = _NOTHING
        self._dragged = self._carried = _NOTHING
        self._refresh = once(self, _SETTLED_MS, self._place_thumbnails)
        self._step_back = once(self, _SELECTED_MS, self._place_thumbnails)
        self._ways = Arrows()
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(_GLIDE_MS)
        self._glide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.valueChanged.connect(self._glide_to)
        self._glide.stateChanged.connect(self._on_glide)
        self.refusal = ""
        """Why nothing can be moved on the map that is shown; "" where it can."""
        self._camera_events = viewer.scene.camera.events
        self._camera_events.connect(self._on_camera)
        self.hover = qthrottled(self._hover, timeout=30, parent=self)
        canvas.installEventFilter(self)

    # What is shown

    def take_tool(self, tool: Tool) -> None:
        """Choose what a drag on empty ground does; napari's own tools are put away."""
        self.tool = tool
        self._layer.leave_tools()

    @property
    def is_active(self) -> bool:
        """Whether the map is what the user works on, with the tools of the map."""
        return self.is_open and self._layer.is_active

    @property
    def is_gliding(self) -> bool:
        """Whether images are on their way from one map to the next."""
        return self._glide.state() == QVariantAnimation.State.Running

    @property
    def layer(self) -> Points | None:
        """Napari's layer of the map."""
        return self._layer.points

    def prepare(self) -> None:
        """Have the layer ready, unseen."""
        self._layer.prepare()

    def show_cloud(self, cloud: Cloud) -> None:
        """Show images; the view stays unless most of them lie elsewhere now.

        Then they are seen to glide to their new places.
        """
        self._glide.stop()
        old = self.cloud
        others = old is None or len(old.places) != len(cloud.places)
        fresh = others or self.layer is None
        moved = (
            np.ones(len(cloud.places), bool)
            if fresh or old is None
            else differ(old.places, cloud.places)
        )
        self.cloud, self._tree = cloud, None
        if others:
            self.selected = _NOTHING
        self._layer.show(cloud)
        if moved.mean() > _MOST:
            if not fresh:
                self._layer.fit()
            self.zoom_to_fit()
            if old is not None and not fresh and self.is_open and self._layer.is_seen:
                seen = ~cloud.hidden
                ways = old.places[seen], cloud.places[seen], cloud.colours[seen]
                self._ways = Arrows(*ways).thinned(_MOST_GLIDING)
                self._glide.start()
        if moved.any():
            self._place_thumbnails()
        else:
            self._refresh.start()

    def show_nothing(self) -> None:
        """Show no images, until there are others."""
        self._glide.stop()
        self.cloud, self._tree = None, None
        self.selected = self._dragged = self._carried = _NOTHING
        self.overlay.clear()
        self._layer.hide()

    def show_pictures(self, pictures: Pictures | None) -> None:
        """Show pictures of all images where there is room; None for no pictures."""
        self._pictures.take(pictures)
        self._place_thumbnails()

    def renew_pictures(self) -> None:
        """Show the better pictures that there are by now."""
        self._refresh.start()

    def select(self, indices: NDArray[np.int64]) -> None:
        """Show images as selected, without a signal."""
        others = not np.array_equal(indices, self.selected)
        self.selected = indices
        self._layer.select(indices)
        if others:
            # After the marks are seen: the canvas is drawn for it.
            self._step_back.start()
        if self.cloud is not None:
            marks = Marks(self.cloud.places[indices], self.cloud.colours[indices])
            self.overlay.change(selected=marks)

    def set_ink(self, ink: QColor, paper: QColor) -> None:
        """Choose the colours of marks and of the ground beneath them."""
        self.overlay.ink, self.overlay.paper = ink, paper
        self.overlay.paint_anew()

    def zoom_to_fit(self, indices: NDArray[np.int64] | None = None) -> None:
        """Show the whole map but for far outliers, or some images."""
        if self.cloud is None or not len(self.cloud.places):
            return
        places = self.cloud.places if indices is None else self.cloud.places[indices]
        self.viewport.fit(places, whole=indices is None)

    def remove(self) -> None:
        """Let go of the viewer."""
        self.cloud, self.is_open = None, False
        self._glide.stop()
        self._camera_events.disconnect(self._on_camera)
        self._layer.stop()
        self.canvas.removeEventFilter(self)
        self._refresh.stop()
        self._step_back.stop()
        self.overlay.setParent(None)
        self.overlay.deleteLater()

    # What gestures ask

    def pick(self, place: NDArray[np.float64]) -> int:
        """Return the nearest image within reach, -1 for none."""
        if self.cloud is None:
            return -1
        if self._tree is None:
            from scipy.spatial import KDTree

            # Made when first asked: it takes a moment, and maps follow each other. It
            # is built twice as quickly as a balanced tree, and asked as quickly.
            self._pickable = np.flatnonzero(~self.cloud.hidden)
            self._tree = KDTree(
                self.cloud.places[self._pickable],
                compact_nodes=False,
                balanced_tree=False,
            )
        distance, row = self._tree.query(place)
        within = distance <= _REACH / self.viewport.zoom
        return int(self._pickable[row]) if within else -1

    def held(self, place: NDArray[np.float64]) -> int:
        """Return the nearest image, or a selected one as near by eye; -1 for none."""
        index = self.pick(place)
        if index < 0 or index in self.selected or self.cloud is None:
            return index
        seen = self.selected[~self.cloud.hidden[self.selected]]
        ways = np.linalg.norm(self.cloud.places[seen] - place, axis=1)
        is_over = (ways <= _OVER / self.viewport.zoom).any()
        return int(seen[ways.argmin()]) if is_over else index

    def _on_selected(self, indices: NDArray[np.int64]) -> None:
        """Select what napari has selected by its own means."""
        if self.is_open and not np.array_equal(indices, np.sort(self.selected)):
            self._choose(indices)

    def click(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        """Select an image; add it with Shift, add or take it with Control."""
        if index < 0:
            if not modifiers and len(self.selected):
                self._choose(_NOTHING)
        elif modifiers & _CONTROL and index in self.selected:
            self._choose(self.selected[self.selected != index])
        elif modifiers:
            self._choose(np.union1d(self.selected, [index]))
        else:
            self._choose(np.array([index], np.int64))

    def begin_drag(self, index: int) -> None:
        """Begin to drag the selection, or an image that is not part of it."""
        assert self.cloud is not None
        if index not in self.selected:
            self._choose(np.array([index], np.int64))
        self._layer.put_back()
        movable = self.selected[~self.cloud.held_out[self.selected]]
        self._dragged = _NOTHING if self.refusal else movable
        self._carried = self._pictures.carried(self.cloud, self._dragged, index)
        self._leave_hovered()

    def _leave_hovered(self) -> None:
        self.show_hovered(-1)
        self.hovered.emit(-1)

    def drag(self, offset: NDArray[np.float64]) -> None:
        """Show what is dragged at its new place."""
        if len(self._dragged):
            self._show_dragged(self._dragged_places() + offset)

    def end_drag(self, offset: NDArray[np.float64]) -> None:
        """Let what is dragged lie where it is, or say why nothing can be dragged.

        Its places are read from the layer.
        """
        places = self._dragged_places() + offset
        self.clear_drag()
        if len(self._dragged):
            self._layer.move(self._dragged, places)
        else:
            warn(self.refusal or _held_out(len(self.selected)))

    def _show_dragged(self, places: NDArray[np.floating]) -> None:
        assert self.cloud is not None
        starts = self._dragged_places()
        moved = Arrows(starts, places, self.cloud.colours[self._dragged])
        carried = self._pictures.of(
            self.cloud, self._carried, places.mean(axis=0) - starts.mean(axis=0)
        )
        self.overlay.change(dragged=moved.thinned(), carried=carried, hovered=None)
        self.dragging.emit(places)

    def _on_moved(self, images: NDArray[np.int64], places: NDArray[np.float32]) -> None:
        """Show what lies elsewhere in the layer; what becomes of it is not decided."""
        assert self.cloud is not None
        if self.refusal or not self.is_open:
            self.clear_drag()
            warn(self.refusal or _ONLY_SHOWN)
            return
        held_out, hidden = self.cloud.held_out[images], self.cloud.hidden[images]
        if held_out.any():
            warn(_held_out(int(held_out.sum())))
        if hidden.any():
            warn(_HIDDEN)
        fixed = held_out | hidden
        self._layer.put_back(images[fixed])
        images, places = images[~fixed], places[~fixed]
        if not len(images):
            return
        if not np.array_equal(images, np.sort(self._dragged)):
            self._carried = _NOTHING
        self._dragged = images
        self._show_dragged(places)
        self.dropped.emit(images, places)

    def on_screen(self, places: NDArray[np.floating]) -> QPoint:
        """Return where the middle of (n, 2) places is on the screen, within the map."""
        middle = self.viewport.to_canvas(places.mean(axis=0)[None])[0]
        width, height = self.viewport.size
        x, y = np.clip(middle, 20, [width - 20, height - 20]).astype(int).tolist()
        return self.canvas.mapToGlobal(QPoint(x, y))

    def clear_drag(self) -> None:
        """Show no drag any more: what was moved goes back."""
        self._layer.put_back()
        self.overlay.change(dragged=Arrows(), carried=(), drag_text="")

    def draw_outline(self, vertices: NDArray[np.float64]) -> None:
        """Show the lasso or box that is being drawn."""
        self.overlay.change(outline=vertices)
        self._leave_hovered()

    def end_outline(
        self, vertices: NDArray[np.float64], modifiers: Qt.KeyboardModifier
    ) -> None:
        """Select what lies within; add with Shift, take away with Control.

        Held-out images are left out unless the user asked for them.
        """
        assert self.cloud is not None
        self.overlay.change(outline=np.empty((0, 2)))
        found = inside(self.cloud.places, vertices)
        left_out = self.cloud.hidden[found]
        if not self.include_held_out:
            left_out = left_out | self.cloud.held_out[found]
        found = found[~left_out]
        if modifiers & _CONTROL:
            found = np.setdiff1d(self.selected, found)
        elif modifiers and len(self.selected):
            found = np.union1d(self.selected, found)
        self._choose(found)

    def _hover(self, place: NDArray[np.float64]) -> None:
        index = self.pick(place) if self.is_active else -1
        self.show_hovered(index)
        self.hovered.emit(index)

    def show_hovered(self, index: int) -> None:
        """Show a ring around an image, or none for -1."""
        place = None if index < 0 or self.cloud is None else self.cloud.places[index]
        if place is not None or self.overlay.scene.hovered is not None:
            self.overlay.change(hovered=place)

    # Within

    def _glide_to(self, part: float) -> None:
        ways = self._ways
        places = ways.starts + part * (ways.ends - ways.starts)
        self.overlay.change(gliding=Marks(places, ways.colours))

    def _on_glide(self) -> None:
        if not self.is_gliding:
            self.overlay.change(gliding=Marks())
        self._fade()

    def _choose(self, indices: NDArray[np.int64]) -> None:
        self.selection_changed.emit(np.asarray(indices, np.int64))

    def _dragged_places(self) -> NDArray[np.float32]:
        assert self.cloud is not None
        return self.cloud.places[self._dragged]

    def _fade(self) -> None:
        """Choose how opaque points are.

        They let others through where there are many, and step back while some are
        selected or glide to their places, which are painted over them. That is one
        number for napari; other colours for all points take it far longer.
        """
        if self.cloud is None:
            return
        opacity = 1.0
        if self.viewport.magnification < _FAR:
            opacity = float(np.clip(self._layer.crowdedness**-0.25, 0.5, 1))
        if len(self.selected):
            opacity *= _DIM
        if self.is_gliding:
            opacity = _FAINT
        self._layer.fade(opacity)

    def _place_thumbnails(self) -> None:
        pictures: list[Picture] = []
        side = 0
        if self.cloud is not None and self._layer.is_seen:
            pictures, side = self._pictures.placed(
                self.cloud,
                self.overlay.scene.pictures,
                self.selected,
                self.overlay.writing(),
            )
        self._fade()
        self.overlay.change(pictures=pictures, side=side, dot=self._dot())

    def _dot(self) -> float:
        """Radius of marked points in pixels; small from afar, so that they part."""
        return float(np.clip(3.2 * self.viewport.magnification**0.5, 3.2, 7))

    def _on_camera(self) -> None:
        self.overlay.paint_anew()
        self._refresh.start()

    def _on_layer_changed(self) -> None:
        self.overlay.setVisible(self._layer.is_seen)
        self._refresh.start()
        if not self.is_active:
            self.show_hovered(-1)

    def _restore(self) -> None:
        # A window that closes takes its layers away, too.
        if self.cloud is not None and self.canvas.window().isVisible():
            self.show_cloud(self.cloud)
            warn("The map belongs to the open session, so it was put back.")

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the overlay as large as the canvas, and clear the ring outside it."""
        if event is None:
            return False
        if event.type() == QEvent.Type.Resize:
            self.overlay.resize(self.canvas.size())
            self._refresh.start()
        elif event.type() == QEvent.Type.Leave:
            self._leave_hovered()
        return False


def _held_out(count: int) -> str:
    one = count == 1
    them, it = ("This image is", "it") if one else ("These images are", "they")
    return f"{them} held out to measure accuracy, so {it} cannot be moved."
