"""The map: a Points layer of all images, and what is painted over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QWidget
from superqt.utils import qthrottled

from napari_spaceediting.plugin.map.gestures import Gestures, Tool
from napari_spaceediting.plugin.map.glide import Glide
from napari_spaceediting.plugin.map.outline import inside, simplify
from napari_spaceediting.plugin.map.overlay import (
    Arrows,
    MapOverlay,
    Marks,
    Picture,
    Routes,
)
from napari_spaceediting.plugin.map.thumbnails import (
    Boxes,
    Pixmaps,
    Room,
    choose,
    thumbnail_side,
)
from napari_spaceediting.plugin.map.viewport import Viewport

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer
    from scipy.spatial import KDTree

LAYER = "Map"
_REACH = 14
"""Pixels around a point that count as on it."""
_POINT_LIMITS = (6, 22)
"""Smallest and largest diameter of a point, pixels."""
_DIM = 0.4
_SPARSE = 5000
"""Images up to which points are opaque; more let what lies beneath them through."""
_FAR = 2.0
"""Magnification up to which they do."""
_MARGIN = 1.12
_MOST_CARRIED = 24
"""Thumbnails that a drag takes along at most."""
_MOST = 0.5
"""Share of images that lie elsewhere on another map."""
_NOTHING = np.empty(0, np.int64)
_FAINT = 0.15
"""Opacity of the layer while images glide to their places."""
_SETTLED_MS = 40
"""Milliseconds after the last change at which thumbnails are placed anew."""
_SELECTED_MS = 150
"""Milliseconds after the last selection at which they are, and points step back."""
_FEW = 1000
"""Changed images up to which the layer of a large map follows later."""
_FOLLOW_MS = 250
"""Milliseconds after the last of such changes at which it does."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """What the map shows of all images.

    Parameters
    ----------
    places : (N, 2) float32 array
        Map coordinates.
    colours : (N, 4) float32 array
        RGBA of each image.
    held_out : (N,) bool array
        Images that are drawn as rings and cannot be moved.
    hidden : (N,) bool array
        Images that the legend has switched off.
    """

    places: NDArray[np.float32] = field(repr=False)
    colours: NDArray[np.float32] = field(repr=False)
    held_out: NDArray[np.bool_] = field(repr=False)
    hidden: NDArray[np.bool_] = field(repr=False)


class MapView(QObject):
    """Shows images as points and lets the user select and move them.

    Signals
    -------
    selection_changed(int64 array)
        The user chose other images.
    dragging(int64 array, float array)
        Images are dragged, with their (n, 2) map coordinates now.
    dropped(int64 array, float array, QPoint)
        Images were dropped, with their map coordinates and the global place of the
        pointer.
    hovered(int, QPoint, QRect)
        The image under the pointer (-1 for none), the pointer within the canvas and
        the canvas.
    refused(str)
        Why something was not done.
    layer_made(Points)
        There is a new layer of napari's for the map.
    """

    selection_changed = Signal(object)
    dragging = Signal(object, object)
    dropped = Signal(object, object, QPoint)
    hovered = Signal(int, QPoint, QRect)
    refused = Signal(str)
    layer_made = Signal(object)

    def __init__(self, viewer: Viewer, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._viewer = viewer
        self.canvas = canvas
        self.viewport = Viewport(viewer, canvas)
        self.overlay = MapOverlay(canvas, self.viewport)
        self.tool = Tool.MOVE
        self.include_held_out = False
        self.is_open = True
        """Whether the user may work on the map; a preview is only looked at."""
        self.cloud: Cloud | None = None
        self.selected = _NOTHING
        self._layer: Points | None = None
        self._tree: KDTree | None = None
        self._pickable = _NOTHING
        self._priority: NDArray[np.float64] = np.empty(0)
        self._pixmaps: Pixmaps | None = None
        self._show_thumbnails = True
        self._square = 0.0
        self._dragged = self._carried = _NOTHING
        self._whole_zoom = 1.0
        self._gestures = Gestures(viewer, self)
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_SETTLED_MS)
        self._refresh.timeout.connect(self._place_thumbnails)
        self._step_back = QTimer(self)
        self._step_back.setSingleShot(True)
        self._step_back.setInterval(_SELECTED_MS)
        self._step_back.timeout.connect(self._place_thumbnails)
        self._follow = QTimer(self)
        self._follow.setSingleShot(True)
        self._follow.setInterval(_FOLLOW_MS)
        self._follow.timeout.connect(self._update_layer)
        self.glide = Glide(self)
        self.glide.moved.connect(lambda marks: self.overlay.change(gliding=marks))
        self.glide.ended.connect(self._on_arrived)
        self._refusal = ""
        self._put_back = QTimer(self)
        self._put_back.setSingleShot(True)
        self._put_back.timeout.connect(self._restore)
        self._camera_events = viewer.scene.camera.events
        self._camera_events.connect(self._on_camera)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_active)
        viewer.dims.events.ndisplay.connect(self._on_active)
        viewer.dims.events.order.connect(self._on_active)
        self.hover = qthrottled(self._hover, timeout=30, parent=self)
        canvas.installEventFilter(self)

    # What is shown

    @property
    def is_active(self) -> bool:
        """Whether the map is the layer that the user works on, in two dimensions."""
        return (
            self.is_open
            and self._overlay_shown()
            and self._viewer.layers.selection.active is self._layer
        )

    @property
    def layer(self) -> Points | None:
        """Napari's layer of the map."""
        return self._layer

    def prepare(self) -> None:
        """Have the layer ready, unseen: napari takes a tenth of a second to add it."""
        self._make_layer()

    def show_cloud(self, cloud: Cloud) -> None:
        """Show images; the view stays unless most of them lie elsewhere now.

        Then they are seen to glide to their new places. Where few of many images
        change, as by an edit, the marks over the layer show it at once and the layer
        follows: napari takes all points again, which takes it far longer than the
        rest.
        """
        self.glide.stop()
        old = self.cloud
        others = old is None or len(old.places) != len(cloud.places)
        fresh = others or self._layer is None
        moved = (
            np.ones(len(cloud.places), bool)
            if fresh or old is None
            else _differ(old.places, cloud.places)
        )
        others_hidden = old is None or not np.array_equal(old.hidden, cloud.hidden)
        self.cloud = cloud
        if others:
            self.selected = _NOTHING
        if moved.any() or others_hidden:
            self._tree = None
        if fresh:
            self._show_layer(cloud)
        if fresh or old is None or others_hidden or self._is_quick(old, moved):
            self._update_layer()
        else:
            self._follow.start()
        if moved.mean() > _MOST:
            self._fit_points(cloud)
            self.zoom_to_fit()
            if old is not None and not fresh and self.is_open:
                self._glide_from(old.places)
        if moved.any():
            self._place_thumbnails()
        else:
            self._refresh.start()

    def look_back(self, past: str, refusal: str) -> None:
        """Say which earlier map is shown, and why nothing can be moved there.

        Both are "" for the present one.
        """
        self._refusal = refusal
        self.overlay.change(past=past)

    def show_nothing(self) -> None:
        """Show no images, until there are others."""
        self.glide.stop()
        self.cloud, self._tree = None, None
        self._pickable = self.selected = self._dragged = _NOTHING
        self._carried = _NOTHING
        self.overlay.clear()
        if self._layer is not None:
            self._layer.visible = False

    def show_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Take the pictures of all images, or None while there are none."""
        self._pixmaps = None if thumbnails is None else Pixmaps(thumbnails)
        count = 0 if thumbnails is None else len(thumbnails)
        self._priority = np.random.default_rng(0).random(count)
        self._place_thumbnails()

    def toggle_thumbnails(self, on: bool) -> None:
        """Show pictures on the map, or not."""
        self._show_thumbnails = on
        self._place_thumbnails()

    def select(self, indices: NDArray[np.int64]) -> None:
        """Show images as selected, without a signal."""
        others = not np.array_equal(indices, self.selected)
        self.selected = indices
        if others:
            # After the marks are seen: the canvas is drawn for it.
            self._step_back.start()
        self._mark_selected()

    def show_edits(self, arrows: Arrows, pinned: Marks) -> None:
        """Show the open edits."""
        self.overlay.change(edited=arrows.thinned(), pinned=pinned.thinned())

    def show_proposal(self, arrow: Arrows) -> None:
        """Show what guidance proposes."""
        self.overlay.change(proposal=arrow)

    def show_routes(self, routes: Routes) -> None:
        """Show where images travel that are turned into others."""
        self.overlay.change(route=routes)

    def show_trails(self, trails: Arrows) -> None:
        """Show what moved from one map to the next."""
        self.overlay.change(trails=trails.thinned())

    def show_drag_text(self, text: str) -> None:
        """Show what the place under the drag says."""
        self.overlay.change(drag_text=text)

    def show_names(
        self, names: Sequence[tuple[str, NDArray[np.floating], NDArray[np.float32]]]
    ) -> None:
        """Show class names where their images lie; thumbnails keep clear of them."""
        self.overlay.change(names=names)
        self._refresh.start()

    def set_ink(self, ink: QColor, paper: QColor) -> None:
        """Choose the colours of marks and of the ground beneath them."""
        self.overlay.ink, self.overlay.paper = ink, paper
        self.overlay.paint_anew()

    def zoom_to_fit(self, indices: NDArray[np.int64] | None = None) -> None:
        """Show the whole map but for far outliers, or some images."""
        if self.cloud is None or not len(self.cloud.places):
            return
        places = self.cloud.places if indices is None else self.cloud.places[indices]
        lowest, highest = np.percentile(places, [0.2, 99.8], axis=0)
        extent = np.maximum(highest - lowest, 1e-6)
        width, height = self.viewport.size
        zoom = float(min(height / extent[0], width / extent[1]) / _MARGIN)
        if indices is None:
            self._whole_zoom = zoom
        camera = self._viewer.scene.camera
        camera.center = tuple((lowest + highest) / 2)
        camera.zoom = min(zoom, 12 * self._whole_zoom)

    def remove(self) -> None:
        """Let go of the viewer."""
        self.cloud = None
        self.glide.stop()
        self._gestures.stop()
        self._camera_events.disconnect(self._on_camera)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._viewer.dims.events.ndisplay.disconnect(self._on_active)
        self._viewer.dims.events.order.disconnect(self._on_active)
        self.canvas.removeEventFilter(self)
        self._refresh.stop()
        self._step_back.stop()
        self._follow.stop()
        self._put_back.stop()
        self.overlay.setParent(None)
        self.overlay.deleteLater()

    # What gestures ask

    def place_at(self, pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the map coordinates of a pixel (x, y) of the canvas."""
        return self.viewport.to_map(pixel[None])[0]

    def pick(self, place: NDArray[np.float64]) -> int:
        """Return the nearest image within reach, -1 for none."""
        self._index()
        if self._tree is None:
            return -1
        distance, row = self._tree.query(place)
        if distance * self.viewport.zoom > _REACH:
            return -1
        return int(self._pickable[row])

    def is_selected(self, index: int) -> bool:
        """Return whether an image is selected."""
        return index in self.selected

    def click(self, index: int, modifiers: tuple[str, ...]) -> None:
        """Select an image; add it with Shift, add or take it with Control."""
        if index < 0:
            if not modifiers and len(self.selected):
                self._choose(_NOTHING)
        elif "Control" in modifiers and self.is_selected(index):
            self._choose(self.selected[self.selected != index])
        elif modifiers:
            self._choose(np.union1d(self.selected, [index]))
        else:
            self._choose(np.array([index], np.int64))

    def begin_drag(self, index: int) -> bool:
        """Begin to drag the selection, or an image that is not part of it."""
        assert self.cloud is not None
        if not self.is_selected(index):
            self._choose(np.array([index], np.int64))
        if self._refusal:
            return False
        movable = self.selected[~self.cloud.held_out[self.selected]]
        self._dragged = movable
        self._carried = self._choose_carried(index)
        self._leave_hovered()
        return bool(len(movable))

    def _leave_hovered(self) -> None:
        self.show_hovered(-1)
        self.hovered.emit(-1, QPoint(), self.canvas.rect())

    def refuse_drag(self) -> None:
        """Say why what is selected cannot be dragged."""
        one = len(self.selected) == 1
        them, it = ("This image is", "it") if one else ("These images are", "they")
        held_out = f"{them} held out to measure accuracy, so {it} cannot be moved."
        self.refused.emit(self._refusal or held_out)

    def drag(self, offset: NDArray[np.float64]) -> None:
        """Show what is dragged at its new place."""
        places = self._dragged_places()
        moved = Arrows(places, places + offset, self._colours_of(self._dragged))
        carried = self._pictures(self._carried, offset)
        self.overlay.change(dragged=moved.thinned(), carried=carried, hovered=None)
        self.dragging.emit(self._dragged, places + offset)

    def end_drag(self, offset: NDArray[np.float64]) -> None:
        """Drop what is dragged; what becomes of it is not decided here."""
        places = self._dragged_places() + offset
        x, y = self.viewport.to_canvas(places.mean(axis=0)[None])[0].astype(int)
        here = self.canvas.mapToGlobal(QPoint(int(x), int(y)))
        self.dropped.emit(self._dragged, places, here)

    def clear_drag(self) -> None:
        """Show no drag any more."""
        self.overlay.change(dragged=Arrows(), carried=(), drag_text="")

    def draw_outline(self, vertices: NDArray[np.float64]) -> None:
        """Show the lasso or box that is being drawn."""
        self.overlay.change(outline=simplify(vertices))
        self._leave_hovered()

    def end_outline(
        self, vertices: NDArray[np.float64], modifiers: tuple[str, ...]
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
        if "Control" in modifiers:
            found = np.setdiff1d(self.selected, found)
        elif "Shift" in modifiers and len(self.selected):
            found = np.union1d(self.selected, found)
        self._choose(found)

    def _hover(self, place: NDArray[np.float64]) -> None:
        index = self.pick(place) if self.is_active else -1
        self.show_hovered(index)
        where = self.viewport.to_canvas(place[None])[0].astype(int).tolist()
        self.hovered.emit(index, QPoint(*where), self.canvas.rect())

    def show_hovered(self, index: int) -> None:
        """Show a ring around an image, or none for -1."""
        place = None if index < 0 or self.cloud is None else self.cloud.places[index]
        if place is not None or self.overlay.scene.hovered is not None:
            self.overlay.change(hovered=place)

    # Within

    def _glide_from(self, places: NDArray[np.float32]) -> None:
        """Let images be seen to move from where they were to where they are."""
        cloud = self.cloud
        assert cloud is not None
        seen = ~cloud.hidden
        if self._overlay_shown() and self.glide.start(
            places[seen], cloud.places[seen], cloud.colours[seen]
        ):
            self._fade()

    def _on_arrived(self) -> None:
        self.overlay.change(gliding=Marks())
        self._fade()

    def _choose(self, indices: NDArray[np.int64]) -> None:
        self.select(np.asarray(indices, np.int64))
        self.selection_changed.emit(self.selected)

    def _dragged_places(self) -> NDArray[np.float32]:
        assert self.cloud is not None
        return self.cloud.places[self._dragged]

    def _colours_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self.cloud is not None
        return self.cloud.colours[indices]

    def _index(self) -> None:
        """Build the tree of what can be picked, if there is none for this cloud."""
        from scipy.spatial import KDTree

        if self._tree is None and self.cloud is not None:
            self._pickable = np.flatnonzero(~self.cloud.hidden)
            if len(self._pickable):
                # Built twice as quickly as a balanced tree, and asked as quickly.
                self._tree = KDTree(
                    self.cloud.places[self._pickable],
                    compact_nodes=False,
                    balanced_tree=False,
                )

    def _show_layer(self, cloud: Cloud) -> None:
        """Show the layer with other points.

        It is reused: taking a layer away is slow, and crashes some drivers.
        """
        layer = self._make_layer()
        # napari does not follow the data of a layer that is not visible.
        layer.visible = True
        self._quietly(data=cloud.places)
        layer.symbol = np.where(cloud.held_out, "ring", "disc")
        self._viewer.layers.selection.active = layer
        self._on_active()

    def _make_layer(self) -> Points:
        """Return the layer, added unseen if there is none."""
        if self._layer is None:
            self._layer = self._viewer.add_points(
                np.zeros((1, 2), np.float32),
                name=LAYER,
                border_color="transparent",
                border_width=0,
                canvas_size_limits=_POINT_LIMITS,
                visible=False,
            )
            self._layer.editable = False
            self._layer.events.data.connect(self._on_data)
            self._layer.events.visible.connect(self._on_active)
            self.layer_made.emit(self._layer)
        return self._layer

    def _fit_points(self, cloud: Cloud) -> None:
        """Size the points to the map: many of them are small."""
        assert self._layer is not None
        extent = float(np.ptp(cloud.places, axis=0).max()) or 1.0
        self._layer.size = extent / np.clip(2 * len(cloud.places) ** 0.5, 60, 300)

    def _quietly(self, data: NDArray[np.float32]) -> None:
        assert self._layer is not None
        with self._layer.events.data.blocker(self._on_data):
            # A copy, because points are moved within it.
            self._layer.data = data.copy()

    def _is_quick(self, old: Cloud, moved: NDArray[np.bool_]) -> bool:
        """Whether the layer takes a change at once: of few images in all, or of many.

        Many that change are what the user waits for, and no marks show them.
        """
        assert self.cloud is not None
        if len(moved) <= _SPARSE:
            return True
        changed = moved | _differ(old.colours, self.cloud.colours)
        return bool(np.count_nonzero(changed) > _FEW)

    def _update_layer(self) -> None:
        """Show the places and the colours of the cloud in the layer, in one go.

        Points are moved within its data: other data for the whole layer take twice as
        long, because napari tells of every point.
        """
        self._follow.stop()
        layer, cloud = self._layer, self.cloud
        if layer is None or cloud is None:
            return
        moved = _differ(layer.data, cloud.places)
        layer.data[moved] = cloud.places[moved]
        colours = cloud.colours.copy()
        colours[cloud.held_out, 3] *= 0.6
        colours[cloud.hidden, 3] = 0
        recoloured = not np.array_equal(colours, layer.face_color)
        if recoloured:
            # The layer's colours tell the canvas by themselves, which takes the places
            # along. This signal would have it take all points a second time.
            with layer.events.face_color.blocker():
                layer.face_color = colours
        if moved.any():
            layer.refresh(thumbnail=False, data_displayed=not recoloured)

    def _fade(self) -> None:
        """Choose how opaque points are.

        They let others through where there are many, and step back while some are
        selected or glide to their places, which are painted over them. That is one
        number for napari; other colours for all points take it far longer.
        """
        if self._layer is None or self.cloud is None:
            return
        density = len(self.cloud.places) / _SPARSE
        is_far = self.viewport.zoom < _FAR * self._whole_zoom
        opacity = float(np.clip(density**-0.25, 0.5, 1)) if is_far else 1.0
        if len(self.selected):
            opacity *= _DIM
        if self.glide.is_running:
            opacity = _FAINT
        if self._layer.opacity != opacity:
            self._layer.opacity = opacity

    def _mark_selected(self) -> None:
        if self.cloud is None:
            return
        marks = Marks(self.cloud.places[self.selected], self._colours_of(self.selected))
        self.overlay.change(selected=marks)

    def _place_thumbnails(self) -> None:
        pictures: list[Picture] = []
        side = 0
        cloud = self.cloud
        if cloud is not None and self._has_thumbnails and self._overlay_shown():
            room = self._room()
            side = room.side
            priority = self._priority.copy()
            if room.square == self._square:
                # Those that are shown stay while one pans.
                shown = [picture.image for picture in self.overlay.scene.pictures]
                priority[shown] -= 1
            self._square = room.square
            priority[self.selected] -= 2
            priority[cloud.hidden] = np.inf
            chosen = choose(cloud.places, priority, room, self.overlay.boxes())
            pictures = self._pictures(chosen)
        self._fade()
        self.overlay.change(pictures=pictures, side=side, dot=self._dot())

    @property
    def _has_thumbnails(self) -> bool:
        return (
            self._show_thumbnails
            and self.cloud is not None
            and len(self._priority) == len(self.cloud.places)
        )

    def _room(self) -> Room:
        """Return the part of the map that is seen, with a margin for thumbnails."""
        zoom = self.viewport.zoom
        magnification = zoom / self._whole_zoom
        margin = thumbnail_side(magnification)
        lowest, highest = self.viewport.visible(margin)
        return Room(lowest, highest, zoom, magnification)

    def _choose_carried(self, held: int) -> NDArray[np.int64]:
        """Return which of the dragged images take their thumbnails along."""
        if self.cloud is None or not self._has_thumbnails:
            return _NOTHING
        places = self.cloud.places[self._dragged]
        priority = self._priority[self._dragged]
        priority[self._dragged == held] = -1
        nothing = Boxes(np.empty((0, 2)), np.empty((0, 2)))
        chosen = choose(places, priority, self._room(), nothing)
        return self._dragged[chosen[:_MOST_CARRIED]]

    def _pictures(
        self, images: NDArray[np.int64], offset: NDArray[np.floating] | float = 0.0
    ) -> list[Picture]:
        """Return thumbnails of images, as far as there are any, beside their places."""
        cloud, pixmaps = self.cloud, self._pixmaps
        if cloud is None or pixmaps is None:
            return []
        return [
            Picture(at, cloud.places[at] + offset, pixmaps[at], cloud.colours[at])
            for at in images.tolist()
        ]

    def _dot(self) -> float:
        """Radius of marked points in pixels; small from afar, so that they part."""
        magnification = self.viewport.zoom / self._whole_zoom
        return float(np.clip(3.2 * magnification**0.5, 3.2, 7))

    def _overlay_shown(self) -> bool:
        return (
            self._layer is not None
            and self._layer.visible
            and self._viewer.dims.ndisplay == 2
            # Neither rolled nor transposed: rows run down, columns run right.
            and tuple(self._viewer.dims.order[-2:]) == self._last_axes()
        )

    def _last_axes(self) -> tuple[int, int]:
        return self._viewer.dims.ndim - 2, self._viewer.dims.ndim - 1

    def _on_camera(self) -> None:
        self.overlay.paint_anew()
        self._refresh.start()

    def _on_active(self) -> None:
        self.overlay.setVisible(self._overlay_shown())
        self._refresh.start()
        if not self.is_active:
            self.show_hovered(-1)

    def _on_data(self, event: Any) -> None:
        """Put back points that were added, taken away or moved by other means."""
        if self.cloud is None or event.action in ("adding", "removing", "changing"):
            return
        self._quietly(data=self.cloud.places)
        assert self._layer is not None
        self._layer.symbol = np.where(self.cloud.held_out, "ring", "disc")
        self._update_layer()
        self.refused.emit(
            "The points of the map stand for images, so none can be added or deleted; "
            "the map is as it was."
        )

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._layer = None
            # napari is still busy with the removal.
            self._put_back.start()

    def _restore(self) -> None:
        # A window that closes takes its layers away, too.
        is_open = self.canvas.window().isVisible()
        if self._layer is None and self.cloud is not None and is_open:
            self.show_cloud(self.cloud)
            self.refused.emit(
                "The map belongs to the open session, so it was put back."
            )

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the overlay as large as the canvas, and clear the ring outside it.

        Moves of a drag end here.
        """
        if event is None:
            return False
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseMove:
            at = event.position()
            held = event.buttons() & Qt.MouseButton.LeftButton
            return bool(held) and self._gestures.follow(np.array([at.x(), at.y()]))
        if event.type() == QEvent.Type.Resize:
            self.overlay.resize(self.canvas.size())
            self._refresh.start()
        elif event.type() == QEvent.Type.Leave:
            self._leave_hovered()
        return False


def _differ(
    some: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return which rows of two (N, d) arrays differ, (N,); quicker than along rows."""
    differ = np.zeros(len(some), bool)
    for one, other in zip(some.T, others.T, strict=True):
        differ |= one != other
    return differ
