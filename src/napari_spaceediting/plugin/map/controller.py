"""The map: what it shows, and what is hovered and selected on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QToolTip, QWidget

from napari_spaceediting.editing.classes import Trait, TraitKind
from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.plugin.keys import LAYERS, refusal, with_key
from napari_spaceediting.plugin.map import display, preview
from napari_spaceediting.plugin.map.clustering import Clustering
from napari_spaceediting.plugin.map.density import Density
from napari_spaceediting.plugin.map.features import features_of
from napari_spaceediting.plugin.map.gestures import Gestures
from napari_spaceediting.plugin.map.layer import Cloud
from napari_spaceediting.plugin.map.naming import ONLY_PREVIEW, Naming, ShowChange
from napari_spaceediting.plugin.map.panel import MapPanel
from napari_spaceediting.plugin.map.scene import Arrows, Marks, Tool
from napari_spaceediting.plugin.map.selecting import images_like
from napari_spaceediting.plugin.map.stage import Stage
from napari_spaceediting.plugin.map.view import MapView
from napari_spaceediting.plugin.state import (
    STATUS,
    Change,
    WindowState,
    complain,
    warn,
)
from napari_spaceediting.plugin.status import why_no_new_map
from napari_spaceediting.plugin.widgets.controls import choose, once, set_text
from napari_spaceediting.session.classes import reclassed
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.session import Session

if TYPE_CHECKING:
    from napari.layers import Points

_DWELL_MS = 120
"""Milliseconds that the pointer rests on a point before its picture is shown."""
_VICINITY = 40
"""Images that are shown with a single one."""
_LAID_OUT = "Images lie along an axis: untick “Lay out along it” before you move them."
_OTHER_CLOUD = Change.SESSION | Change.SHOWN | Change.EDITS | Change.PAST


class MapController:
    """Connects the map with the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : MapPanel
        Its tools and looks.
    show_change : callable
        Shows what would make images those of a class.
    take_layer : callable
        Is given every layer of napari's that is made for the map.

    Signals
    -------
    coloured
        `colours` are others, perhaps.
    """

    coloured = Signal()

    def __init__(
        self,
        window: WindowState,
        panel: MapPanel,
        show_change: ShowChange,
        take_layer: Callable[[Points], None],
    ) -> None:
        self._window = window
        self._panel = panel
        self._take_layer = take_layer
        self._canvas: QWidget | None = None
        self.view: MapView | None = None
        self.stage: Stage | None = None
        self.clustering = Clustering(window)
        self._density = Density(window, panel.density_check, lambda: self.view)
        self.naming = Naming(window, lambda: self.view, show_change)
        self.colour_key = display.LABEL
        self._is_coloured = self._is_new = False
        self._colouring: display.Colouring | None = None
        self._columns: list[tuple[str, str]] = []
        self._hovered = -1
        self._dwell = once(panel, _DWELL_MS, self._show_card)
        panel.tool_changed.connect(self.set_tool)
        panel.colour_by_changed.connect(self.colour_by)
        panel.lay_out_toggled.connect(lambda _: self.refresh())
        panel.removal_requested.connect(self._remove_axis)
        panel.thumbnails_check.toggled.connect(self._set_checks)
        panel.held_out_check.toggled.connect(self._set_checks)
        panel.select_requested.connect(self.select_like)
        panel.legend.changed.connect(self.refresh)
        panel.legend.select_requested.connect(self._select_group)
        panel.legend.key_chosen.connect(self._choose_key)
        panel.legend.edit_requested.connect(self.naming.apply)
        panel.legend.reject_requested.connect(self._reject_class)
        window.pictures.arrived.connect(self._on_better_pictures)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._on_session()
        if change & (Change.SESSION | Change.IMAGES):
            self._on_images()
        if Change.AXES in change:
            self._on_axes()
        if Change.PICTURES in change:
            self._on_pictures()
        session = self._window.session
        if Change.SHOWN in change and not self._is_coloured and session is not None:
            # A network that has learnt its first classes shows them.
            usual = display.usual_key(session)
            if usual != self.colour_key:
                self._colour(usual)
        if Change.EDITS in change:
            self._offer_colours()
        if change & _OTHER_CLOUD:
            self.refresh()
        if Change.SELECTION in change:
            self._on_selection()
        if change & (Change.SESSION | Change.SHOWN):
            set_text(self._panel.quality, self._window.map_note)
        if Change.THEME in change:
            self._set_theme()
        if change & STATUS:
            reason = why_no_new_map(self._window.facts)
            self._panel.set_redraw_enabled(not reason, reason)

    # What is shown

    def set_canvas(self, canvas: QWidget) -> None:
        """Take napari's drawing surface, as soon as it is known."""
        self._canvas = canvas
        self.refresh()

    def prepare(self) -> None:
        """Have the map ready for what is about to be opened."""
        if self._canvas is not None:
            self._make_view(self._canvas).prepare()

    def refresh(
        self,
        replayed: EditState | None = None,
        selected: NDArray[np.int64] | None = None,
    ) -> None:
        """Show the session as it is now, or some of its edits, only to be looked at.

        Parameters
        ----------
        replayed : EditState, optional
            What some of the edits add up to.
        selected : (n,) int64 array, optional
            Images that are shown as selected meanwhile.
        """
        window, session = self._window, self._window.session
        if session is None or self._canvas is None:
            return
        if not window.has_map:
            if self.view is not None:
                self.view.show_nothing()
            self._preview()
            return
        view = self._make_view(self._canvas)
        view.is_open = replayed is None
        edits, shown, past = replayed or window.edits, window.shown, window.past
        if replayed is not None:
            shown = reclassed(session.state.shown, replayed)
        drawn = shown.map
        assert drawn is not None
        axis = display.axis_of(self.colour_key, session.state.axes)
        self._panel.show_axis(axis.axis.verdict if axis else "")
        along = axis if self._panel.along_check.isChecked() else None
        places = display.laid_out(along, edits.positions) if along else edits.positions
        view.refusal = past.refusal if past else _LAID_OUT if along else ""
        colouring = (
            display.by_axis(axis)
            if axis
            else display.colour_by(
                self.colour_key, session.dataset, shown, edits, self._groups(session)
            )
        )
        self._panel.scale.show_span(*colouring.span)
        self._colouring = colouring
        names, groups = colouring.names, colouring.groups
        legend = self._panel.legend
        are_classes = tuple(names) == edits.class_names
        legend.set_classes(
            names,
            np.bincount(groups[(groups >= 0) & ~edits.rejected], minlength=len(names)),
            window.class_keys[: len(names)] if are_classes else (),
            colouring.table,
        )
        hidden = np.isin(groups, np.flatnonzero(~legend.visible)) | edits.rejected
        arrows, marks = Arrows(), Marks()
        if along is None:
            arrows, marks = display.edit_marks(edits, drawn.coordinates)
        # Thumbnails keep clear of names.
        view.overlay.change(
            edited=arrows,
            pinned=marks,
            past=past.title if past else "",
            trails=self._trails(session) if along is None else Arrows(),
            names=display.class_places(colouring, places, ~hidden),
        )
        self._show_cloud(
            Cloud(
                places,
                colouring.colours,
                session.dataset.held_out,
                hidden,
                partial(features_of, session.dataset, shown, edits),
            )
        )
        view.select(window.selected if selected is None else selected)
        self.coloured.emit()

    @property
    def colours(self) -> NDArray[np.float32] | None:
        """RGBA of every image as on the map, (N, 4); None before there is one."""
        return self._colouring.colours if self._colouring is not None else None

    def _groups(self, session: Session) -> dict[str, NDArray[np.int64]]:
        """Return the clusters and saved selections that images can be coloured by."""
        groups = display.saved_groups(selections(session.state), len(session.dataset))
        if self.clustering.clusters is not None:
            groups[display.CLUSTERS] = self.clustering.clusters
        return groups

    def _trails(self, session: Session) -> Arrows:
        """Return the ways from where images were to where the map has them."""
        past, proposal = self._window.past, session.state.proposal
        if past is not None:
            return display.trails(past.compared, past.checkpoint)
        return display.trails(proposal.before, proposal.after) if proposal else Arrows()

    def colour_by(self, key: str) -> None:
        """Colour images by their class, their prediction or a column."""
        self._is_coloured = True
        self._colour(key)
        if key == display.CLUSTERS:
            self.clustering.find(lambda _: self._colour(key))

    def _colour(self, key: str) -> None:
        self.colour_key = key
        self._offer_colours()
        self._panel.legend.forget_hidden()
        self.refresh()

    def set_tool(self, tool: str) -> None:
        """Choose what a drag on empty ground does."""
        if self.view is not None:
            self.view.take_tool(Tool(tool))
        self._panel.set_tool(tool)

    def toggle_thumbnails(self) -> None:
        """Show pictures on the map, or not."""
        self._panel.thumbnails_check.toggle()

    def zoom_to_selection(self) -> None:
        """Show the selected images, one with those around it, or the whole map."""
        if self.view is not None:
            selected = self._window.selected
            if len(selected) == 1:
                selected = self._around(int(selected[0]))
            self.view.zoom_to_fit(selected if len(selected) else None)

    def shutdown(self) -> None:
        """Let go of the viewer."""
        self._dwell.stop()
        self.naming.picker.close()
        if self.view is not None:
            self.view.remove()
        if self.stage is not None:
            self.stage.leave()
        self.forget()

    def forget(self) -> None:
        """Hold on to nothing in a window that is gone."""
        self.view = self.stage = self._canvas = None

    # Selecting

    def select_like(self, key: str) -> None:
        """Select images that are like the selected ones in some way."""
        window, session = self._window, self._window.session
        if session is None or not window.has_map:
            return
        if key == "to_name":
            window.select(session.held_out_to_name())
        elif key == "rejected":
            window.select(np.flatnonzero(window.edits.rejected))
        else:
            window.select(
                images_like(
                    key, window.selected, window.shown, window.edits, self._selectable
                )
            )

    def _select_group(self, group: int) -> None:
        """Select the images of an entry of the legend."""
        if self._colouring is not None and self._window.has_map:
            rows = np.flatnonzero(self._colouring.groups == group)
            self._window.select(self._selectable(rows))

    def _selectable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some images that the map shows and lets one select."""
        session, view = self._window.opened, self.view
        if view is None or view.cloud is None:
            return rows
        left = view.cloud.hidden
        if not view.include_held_out:
            left = left | session.dataset.held_out
        return rows[~left[rows]]

    def _around(self, index: int) -> NDArray[np.int64]:
        """Return an image and those that lie nearest to it on the map."""
        assert self.view is not None
        assert self.view.cloud is not None
        places = self.view.cloud.places
        away = ((places - places[index]) ** 2).sum(axis=1)
        return np.argsort(away, kind="stable")[:_VICINITY].astype(np.int64)

    def _choose_key(self, row: int, key: str) -> None:
        session = self._window.session
        if session is None or (why_not := refusal(key)):
            warn(why_not)
            return
        edits = self._window.edits
        chosen = edits.traits.get(TraitKind.KEY, {})
        keys = with_key(edits.class_names, chosen, edits.class_names[row], key)
        self.naming.apply(Trait(TraitKind.KEY, keys))

    def _reject_class(self, row: int) -> None:
        session = self._window.opened
        name = self._window.edits.class_names[row]
        self.naming.attempt(lambda: session.apply(session.rejecting(name)))

    # Hovering and dragging

    def _on_hovered(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            QToolTip.hideText()
            (self._dwell.start if index >= 0 else self._dwell.stop)()

    def _show_card(self) -> None:
        window, index, view = self._window, self._hovered, self.view
        session, picture = window.session, window.pictures.at(index, display.CARD_SIDE)
        if session is None or picture is None or view is None:
            return
        assert self._colouring is not None
        lines = display.describe_image(
            index, session.dataset, window.shown, window.edits
        )
        colour = self._colouring.colours[index]
        assert view.cloud is not None
        place = view.on_screen(view.cloud.places[index][None])
        text = display.card(picture, lines, colour)
        QToolTip.showText(place, text, view.canvas)

    def _on_dragging(self, places: NDArray[np.float64]) -> None:
        session, view = self._window.opened, self.view
        assert view is not None
        around = session.surroundings.of_group(places)
        text = display.describe_place(around, session.edits.class_names)
        view.overlay.change(drag_text=text)

    # A map of the pictures, while there is no network

    def _preview(self) -> None:
        session, thumbnails = self._window.session, self._window.thumbnails
        if session is None or thumbnails is None:
            return
        # In a thread: beside a training it takes a second.
        self._window.in_thread(
            lambda: preview.places_of(session.dataset, thumbnails),
            lambda places: self._show_preview(session, places),
            complain,
        )

    def _show_preview(self, session: Session, places: NDArray[np.float32]) -> None:
        """Show the map of the pictures, if it is still needed."""
        others = session is not self._window.session
        others |= len(places) != len(session.dataset)
        if others or self._window.has_map or self._canvas is None:
            return
        view = self._make_view(self._canvas)
        view.is_open, view.refusal = True, ONLY_PREVIEW
        self._colouring, cloud = preview.cloud_of(session.dataset, places)
        self._show_cloud(cloud)
        view.overlay.change(past=preview.TITLE)

    # Within

    def _show_cloud(self, cloud: Cloud) -> None:
        """Show images; others than before take the canvas to themselves."""
        view, stage = self.view, self.stage
        assert view is not None
        assert stage is not None
        others = view.cloud is None or len(view.cloud.places) != len(cloud.places)
        view.show_cloud(cloud)
        self._density.refresh()
        if others or self._is_new:
            stage.show_map()
        self._is_new = False

    def _make_view(self, canvas: QWidget) -> MapView:
        if self.view is None:
            window = self._window
            view = MapView(window.viewer, canvas, self._take_layer)
            view.selection_changed.connect(window.select)
            view.dragging.connect(self._on_dragging)
            view.dropped.connect(self.naming.move)
            view.hovered.connect(self._on_hovered)
            self.view, self.stage = view, Stage(window.viewer, view, LAYERS)
            Gestures(view)
            self._set_theme()
            self._set_checks()
        return self.view

    def _set_theme(self) -> None:
        palette = self._window.palette
        if self.view is not None:
            self.view.set_ink(QColor(palette.text), QColor(palette.canvas))

    def _on_session(self) -> None:
        session = self._window.opened
        self.colour_key, self._is_coloured = display.usual_key(session), False
        self._is_new = True
        choose(self._panel.method_combo, session.state.map.method)

    def _on_images(self) -> None:
        """Have more images, perhaps of more classes and with more columns."""
        session = self._window.opened
        self._columns = display.column_keys(session.dataset)
        self._panel.legend.forget_hidden()
        self._on_hovered(-1)
        self._offer_colours()

    def _offer_colours(self) -> None:
        session = self._window.opened
        keys = display.colour_keys(self._columns, selections(session.state))
        keys += [(display.axis_key(one), one.name) for one in session.state.axes]
        self._panel.offer_colours(keys, self.colour_key)

    def _on_axes(self) -> None:
        """Colour by the class again where the axis has gone."""
        session = self._window.opened
        known = display.axis_of(self.colour_key, session.state.axes) is not None
        if display.is_axis(self.colour_key) and not known:
            self.colour_key = display.usual_key(session)
        self._colour(self.colour_key)

    def _remove_axis(self) -> None:
        session = self._window.opened
        kept = display.axis_of(self.colour_key, session.state.axes)
        if kept is not None:
            session.remove_axis(kept)

    def _on_pictures(self) -> None:
        self._set_checks()
        if not self._window.has_map:
            self._preview()

    def _on_better_pictures(self, images: NDArray[np.int64]) -> None:
        if self.view is not None:
            self.view.renew_pictures()
        if self._hovered in images and QToolTip.isVisible():
            self._show_card()

    def _on_selection(self) -> None:
        selected = self._window.selected
        self._panel.set_any_selected(bool(len(selected)))
        if self.view is not None:
            self.view.select(selected)

    def _set_checks(self) -> None:
        if self.view is not None:
            self.view.include_held_out = self._panel.held_out_check.isChecked()
            wanted = self._panel.thumbnails_check.isChecked()
            self.view.show_pictures(self._window.pictures if wanted else None)
