"""napari's layer of the map: made, kept in step with the session, and read.

The coordinates of edited images are read from this layer. Whatever moves its points, a
drag on the map, napari's own tools or a script that assigns `data`, is read in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers.base import ActionType
from numpy.typing import NDArray
from pandas import DataFrame
from qtpy.QtCore import QObject, Signal

from napari_spaceediting.plugin.state import complain, warn
from napari_spaceediting.plugin.threads import in_thread
from napari_spaceediting.plugin.widgets.controls import once

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

LAYER = "Map"
_USUAL_SIZE = 10
"""Point size in napari's controls with which points are as large as suits the map."""
_POINT_LIMITS = (6, 22)
"""Smallest and largest diameter of a point, pixels."""
_SPARSE = 5000
"""Images up to which points are opaque, and drawn at once whatever changes."""
_FEW = 1000
"""Changed images up to which the canvas of a large map follows later, and selected
ones up to which napari knows of them."""
_FOLLOW_MS = 250
"""Milliseconds after the last of such changes at which it does."""
_BEGUN = (ActionType.ADDING, ActionType.CHANGING, ActionType.REMOVING)
_OTHER_POINTS = (
    "The points of the map stand for images, so none can be added or deleted; the map "
    "is as it was."
)
_AS_A_WHOLE = "The map as a whole cannot be moved, turned or sized."
_TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine")
_NOWHERE = "Coordinates on the map must be numbers; the images were put back."


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
    features : callable, optional
        Returns what is known of them, as columns of napari's table.
    """

    places: NDArray[np.float32] = field(repr=False)
    colours: NDArray[np.float32] = field(repr=False)
    held_out: NDArray[np.bool_] = field(repr=False)
    hidden: NDArray[np.bool_] = field(repr=False)
    features: Callable[[], Mapping[str, NDArray[Any]]] = field(default=dict, repr=False)


class MapLayer(QObject):
    """A Points layer that has a point for each image.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer as soon as it is needed.
    parent : QObject
        Qt parent.
    take : callable
        Is given every layer that is made.

    Signals
    -------
    changed
        It may be seen or worked on otherwise than before.
    moved(int64 array, float32 array)
        Images lie elsewhere in the layer than they should, with their (n, 2) map
        coordinates there: who hears of it makes an edit of it, or has them put back.
    selected(int64 array)
        Images were selected in napari, as by its table or its select tool.
    removed
        The layer is gone, though it is needed.
    """

    changed = Signal()
    moved = Signal(object, object)
    selected = Signal(object)
    removed = Signal()

    def __init__(
        self, viewer: Viewer, parent: QObject, take: Callable[[Points], None]
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._take_layer = take
        self.points: Points | None = None
        self._cloud: Cloud | None = None
        self._data = self._read = self._drawn = np.empty((0, 2), np.float32)
        self._is_changing = self._is_straightening = self._are_many = False
        self._is_fading = False
        self._fitted = self._enlarged = self._faded = self._opaque = 1.0
        self._follow = once(self, _FOLLOW_MS, self.draw)
        self._tell = once(self, _FOLLOW_MS, self._tell_features)
        self._hear = once(self, 0, self._tell_selected)
        # napari is still busy with the removal.
        self._miss = once(self, 0, self.removed.emit)
        self._seen_by = (
            viewer.layers.selection.events.active,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
        )
        for event in self._seen_by:
            event.connect(self._on_changed)
        viewer.layers.events.removed.connect(self._on_removed)

    def stop(self) -> None:
        """Let go of the viewer."""
        self._cloud = None
        for clock in (self._follow, self._tell, self._hear, self._miss):
            clock.stop()
        for event in self._seen_by:
            event.disconnect(self._on_changed)
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    # What is shown

    @property
    def is_seen(self) -> bool:
        """Whether the layer is visible, in two dimensions, and lies as it should."""
        dims = self._viewer.dims
        return (
            self.points is not None
            and self.points.visible
            and dims.ndisplay == 2
            # Neither rolled nor transposed: rows run down, columns run right.
            and tuple(dims.order[-2:]) == (dims.ndim - 2, dims.ndim - 1)
        )

    @property
    def is_active(self) -> bool:
        """Whether it is what the user works on, with none of napari's own tools."""
        points = self.points
        return (
            points is not None
            and self.is_seen
            and self._viewer.layers.selection.active is points
            and points.mode == "pan_zoom"
        )

    @property
    def crowdedness(self) -> float:
        """Above 1 where points are so many that they hide each other."""
        return 0.0 if self._cloud is None else len(self._cloud.places) / _SPARSE

    def leave_tools(self) -> None:
        """Put napari's own tools away."""
        if self.points is not None:
            self.points.mode = "pan_zoom"

    def prepare(self) -> Points:
        """Return the layer, added unseen if there is none.

        napari takes a tenth of a second to add one.
        """
        if self.points is None:
            points = self._viewer.add_points(
                np.zeros((1, 2), np.float32),
                name=LAYER,
                border_color="transparent",
                border_width=0,
                canvas_size_limits=_POINT_LIMITS,
                visible=False,
            )
            self.points = points
            points.events.data.connect(self._on_data)
            points.events.set_data.connect(self._on_drawn)
            points.events.visible.connect(self._on_changed)
            points.events.mode.connect(self._on_mode)
            points.selected_data.events.items_changed.connect(self._on_selected)
            for event in (points.events[name] for name in _TRANSFORMS):
                event.connect(self._on_transform)
            points.events.current_size.connect(self._on_size)
            points.events.opacity.connect(self._on_opacity)
            self._take_layer(points)
        return self.points

    def show(self, cloud: Cloud) -> None:
        """Have the layer show images.

        Where few of many change, as by an edit, their coordinates are right at once
        and the canvas follows: napari takes all points again, which takes it far
        longer than the rest.
        """
        old, self._cloud = self._cloud, cloud
        self._tell.start()
        if self.points is None or old is None or len(old.places) != len(cloud.places):
            self._fill()
            self._viewer.layers.selection.active = self.points
            self.draw()
            return
        self._write()
        if not np.array_equal(old.hidden, cloud.hidden) or self._is_quick(old):
            self.draw()
        else:
            self._follow.start()

    def hide(self) -> None:
        """Show no images, until there are others."""
        self._cloud = None
        for clock in (self._follow, self._tell, self._hear):
            clock.stop()
        if self.points is not None:
            self.points.visible = False

    def fit(self) -> None:
        """Size the points to the map: many of them are small."""
        assert self.points is not None
        assert self._cloud is not None
        places = self._cloud.places
        extent = float(np.ptp(places, axis=0).max()) or 1.0
        self._fitted = extent / float(np.clip(2 * len(places) ** 0.5, 60, 300))
        self.points.size = self._fitted * self._enlarged

    def _on_size(self) -> None:
        """Enlarge all points as the user says in napari's controls."""
        points = self.points
        # When points are selected, napari takes their size for the one that is chosen.
        if points is None or self._cloud is None or points.current_size in points.size:
            return
        self._enlarged = max(points.current_size / _USUAL_SIZE, 0.1)
        low, high = (limit * self._enlarged for limit in _POINT_LIMITS)
        points.canvas_size_limits = max(low, 1.0), max(high, 2.0)
        points.size = self._fitted * self._enlarged

    def fade(self, opacity: float) -> None:
        """Choose how opaque all points are, beside what the user chose."""
        self._faded = opacity
        wanted = min(self._opaque * opacity, 1.0)
        if self.points is not None and self.points.opacity != wanted:
            self._is_fading = True
            self.points.opacity = wanted
            self._is_fading = False

    def _on_opacity(self) -> None:
        """Remember how opaque the user has the points in napari's controls."""
        if self.points is not None and not self._is_fading:
            self._opaque = self.points.opacity / self._faded

    def draw(self) -> None:
        """Have napari draw the coordinates and the colours as they are, in one go."""
        self._follow.stop()
        points, cloud = self.points, self._cloud
        if points is None or cloud is None:
            return
        with self._unheard():
            colours = cloud.colours.copy()
            colours[cloud.held_out, 3] *= 0.6
            colours[cloud.hidden, 3] = 0
            recoloured = not np.array_equal(colours, points.face_color)
            if recoloured:
                # The layer's colours tell the canvas by themselves, which takes the
                # places along. This signal would have it take all a second time.
                with points.events.face_color.blocker():
                    points.face_color = colours
            if differ(points.data, self._drawn).any():
                points.refresh(thumbnail=False, data_displayed=not recoloured)
        self._drawn = points.data.copy()

    # What napari's own table shows

    def select(self, images: NDArray[np.int64]) -> None:
        """Have napari show images as selected, in its table, too.

        Very many take it too long: it shows none of them.
        """
        points = self.points
        if points is None or self._cloud is None:
            return
        self._are_many = len(images) > _FEW
        chosen = set() if self._are_many else set(images.tolist())
        if chosen != set(points.selected_data):
            points.selected_data = chosen

    def _on_selected(self, *_: object) -> None:
        # napari tells of what goes and of what comes one after the other.
        self._hear.start()

    def _tell_selected(self) -> None:
        points, cloud = self.points, self._cloud
        if points is None or cloud is None:
            return
        if points.selected_data or not self._are_many:
            chosen = np.array(sorted(points.selected_data), np.int64)
            self.selected.emit(chosen[chosen < len(cloud.places)])

    def _tell_features(self) -> None:
        """Fill napari's table when nothing has changed for a moment.

        In a thread: pandas takes a tenth of a second for the texts of 100,000 images.
        """
        cloud = self._cloud

        def take(features: DataFrame) -> None:
            if self.points is not None and self._cloud is cloud:
                with self._unheard():
                    self.points.features = features

        if self.points is not None and cloud is not None:
            in_thread(lambda: DataFrame(dict(cloud.features())), take, complain)

    # What is moved

    def move(self, images: NDArray[np.int64], places: NDArray[np.floating]) -> None:
        """Move images, as napari's own tools do; the canvas follows with the edit.

        Parameters
        ----------
        images : (n,) int64 array
            Which.
        places : (n, 2) array
            Where to, in map coordinates.
        """
        points = self.points
        assert points is not None
        about = {"data_indices": tuple(images.tolist()), "vertex_indices": ((),)}
        points.events.data(value=points.data, action=ActionType.CHANGING, **about)
        points.data[images] = places
        points.events.data(value=points.data, action=ActionType.CHANGED, **about)

    def put_back(self, images: NDArray[np.int64] | None = None) -> None:
        """Let some images, or all, lie where they should again."""
        if self.points is None or self._cloud is None:
            return
        self._write(images)
        if differ(self._data, self._drawn).any():
            self._follow.start()

    def _on_data(self, event: Any) -> None:
        """Read the layer when its points have been moved, added or deleted."""
        self._is_changing = event.action in _BEGUN
        if not self._is_changing:
            self._take()

    def _on_drawn(self) -> None:
        """Read the layer when napari draws it: a script may have changed its data."""
        assert self.points is not None
        self._drawn = self.points.data.copy()
        if not self._is_changing:
            self._take()

    def _take(self) -> None:
        """Tell of what lies elsewhere than it should, if that is new."""
        points, cloud = self.points, self._cloud
        if points is None or cloud is None:
            return
        if points.data.shape != cloud.places.shape:
            self._fill()
            self.draw()
            warn(_OTHER_POINTS)
            return
        if points.data is not self._data:
            self._own(points.data)
        if not np.isfinite(self._data).all():
            self.put_back()
            warn(_NOWHERE)
        elif differ(self._data, self._read).any():
            self._read = self._data.copy()
            moved = np.flatnonzero(differ(self._data, cloud.places))
            self.moved.emit(moved, self._data[moved])

    # Within

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Change the layer without reading it."""
        assert self.points is not None
        events = self.points.events
        with (
            events.data.blocker(self._on_data),
            events.set_data.blocker(self._on_drawn),
        ):
            yield

    def _own(self, places: NDArray[np.floating]) -> None:
        """Give the layer an array that nobody else has: points are moved within it."""
        assert self.points is not None
        with self._unheard():
            self.points.data = np.array(places, np.float32)
        self._data = self.points.data

    def _fill(self) -> None:
        """Give the layer other points; `draw` has the canvas show them.

        It is reused: taking a layer away is slow, and crashes some drivers.
        """
        cloud, points = self._cloud, self.prepare()
        assert cloud is not None
        with self._unheard():
            # napari does not follow the data of a layer that is not visible.
            points.visible = True
            # Each of these would have the canvas take all points anew.
            with points.events.blocker_all():
                self._own(cloud.places)
                points.symbol = np.where(cloud.held_out, "ring", "disc")
                self.fit()
        self._read = self._data.copy()
        self._drawn = np.full_like(self._data, np.nan)
        self._tell.start()

    def _write(self, images: NDArray[np.int64] | None = None) -> None:
        """Write where images should lie into the layer.

        Other data for the whole layer take twice as long, because napari tells of
        every point.
        """
        assert self._cloud is not None
        rows = differ(self._data, self._cloud.places)
        if images is not None:
            rows &= np.isin(np.arange(len(rows)), images)
        self._data[rows] = self._read[rows] = self._cloud.places[rows]

    def _is_quick(self, old: Cloud) -> bool:
        """Whether a change is drawn at once: of few images in all, or of many.

        Many that change are what the user waits for, and no marks show them.
        """
        assert self._cloud is not None
        if self.crowdedness <= 1:
            return True
        changed = differ(old.places, self._cloud.places)
        changed |= differ(old.colours, self._cloud.colours)
        return bool(np.count_nonzero(changed) > _FEW)

    def _on_mode(self) -> None:
        """Refuse the tool that turns the layer beneath the marks on it."""
        assert self.points is not None
        if self.points.mode == "transform":
            self.points.mode = "pan_zoom"
            warn(_AS_A_WHOLE)
        self.changed.emit()

    def _on_transform(self) -> None:
        """Undo what scales, moves or turns the layer beneath the marks on it."""
        points = self.points
        assert points is not None
        ends = np.vstack([np.zeros(points.ndim), np.eye(points.ndim)])
        drawn = [points.data_to_world(end) for end in ends]
        if self._is_straightening or np.array_equal(drawn, ends):
            return
        self._is_straightening = True
        points.scale = np.ones(points.ndim)
        points.translate = np.zeros(points.ndim)
        points.rotate, points.shear = 0, [0]
        points.affine = np.eye(points.ndim + 1)
        self._is_straightening = False
        warn(_AS_A_WHOLE)

    def _on_changed(self) -> None:
        self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value is self.points:
            self.points = None
            self._miss.start()


def differ(
    some: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return which rows of two (N, d) arrays differ, (N,); quicker than along rows."""
    differing = np.zeros(len(some), bool)
    for one, other in zip(some.T, others.T, strict=True):
        differing |= one != other
    return differing
