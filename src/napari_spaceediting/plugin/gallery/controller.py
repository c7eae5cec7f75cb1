"""What the gallery shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QMenu

from napari_spaceediting.data.looks import Look
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.orders import margins
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.gallery.bar import (
    BROKEN,
    CHOSEN,
    COLUMN,
    FIXED,
    GUIDANCE,
    NEAREST,
    SELECTION,
    SIMILAR,
)
from napari_spaceediting.plugin.gallery.captions import describer, guesses
from napari_spaceediting.plugin.gallery.finding import Finding
from napari_spaceediting.plugin.gallery.looking import Looking, nearest
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.naming import ShowChange
from napari_spaceediting.plugin.state import NOTHING, Change, WindowState, complain
from napari_spaceediting.plugin.widgets.controls import context_menu, literal, set_text
from napari_spaceediting.session.habits import Way
from napari_spaceediting.session.similar import Similar

_ALL_HELD_OUT = "Held-out images can be relabelled, not pinned."
_NO_NEIGHBOURS = "The map is still being drawn: similar images are known after it."
_NO_CLASSES = "No class has a name yet: name some images first."
_NO_MAP = "No images to show: open some in the Space Editor first, under Data."
_NOT_MAPPED = "The images come here when the network has learnt from them."
_OTHER_IMAGES = Change.PICTURES | Change.EDITS | Change.SHOWN | Change.PAST
_EMPTY = {
    SELECTION: "Click or lasso points on the map to see their images here.",
    NEAREST: "Select an image to see the ones most similar to it.",
    SIMILAR: "Choose “Images like a file…” in the menu beside “Find…”.",
    GUIDANCE: "Press “Find proposals” in the Space Editor.",
    FIXED: "Nothing yet: retrain to see what was put right.",
    BROKEN: "Nothing was broken.",
    CHOSEN: "Click on a cell of the confusion matrix in the Evidence dock.",
}


class GalleryController:
    """Connects the gallery with the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    gallery : ImageGallery
        The view.
    on_map : MapController
        Shows what is hovered, and asks for classes.
    show_change : callable
        Shows what would make images those of a class.
    come_forward : callable
        Brings the gallery to the front; is told whether it was asked for.
    """

    def __init__(
        self,
        window: WindowState,
        gallery: ImageGallery,
        on_map: MapController,
        show_change: ShowChange,
        come_forward: Callable[[bool], None],
    ) -> None:
        self._window = window
        self._show_change = show_change
        self._come_forward = come_forward
        self._looking = Looking(window, gallery)
        self._gallery = gallery
        self._map = on_map
        self.proposed = NOTHING
        self._gathered = self._around = self._chosen = NOTHING
        self._similar: Similar | None = None
        self._last = ""
        self._grid = grid = gallery.grid
        self._bar = bar = gallery.bar
        self.finding = Finding(window, bar, on_map, self._show_similar)
        bar.sources.activated.connect(self._on_source)
        bar.sorts.activated.connect(self.refresh)
        bar.compare_button.clicked.connect(self._on_look_requested)
        bar.look_button.clicked.connect(self._choose_look)
        grid.selection_changed.connect(self._on_chosen)
        grid.hovered.connect(self._on_hovered)
        grid.activated.connect(self._on_activated)
        grid.context_requested.connect(self._on_context)
        grid.focused.connect(window.ask)
        gallery.look.changed.connect(self._show_as)
        gallery.compare.walked.connect(self._walk)
        gallery.compare.closed.connect(self.look_at_all)
        gallery.compare.chosen.connect(self._on_activated)
        gallery.compare.focused.connect(window.ask)
        window.pictures.arrived.connect(self._on_pictures)
        gallery.named.connect(self.name)
        gallery.taken_back.connect(self.take_back)
        window.changed.connect(self._on_change)
        self.refresh()

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self.proposed = self._chosen = self._gathered = self._around = NOTHING
            self._last, self._similar = "", None
            set_text(self._bar.flaw, "")
            self._bar.find_field.clear()
            self.look_at_all()
        if change & (Change.SESSION | Change.IMAGES) and self._window.session:
            self._bar.offer_columns([*self._window.session.dataset.columns])
        if Change.SELECTION in change:
            self._on_selection()
        elif change & _OTHER_IMAGES:
            # While images are named, they stay where they are.
            self.refresh(in_order=change is not Change.EDITS)
        if change & (Change.SESSION | Change.SHOWN | Change.EDITS | Change.HABITS):
            self._show_classes()

    def show(self, indices: NDArray[np.int64], source: str = CHOSEN) -> None:
        """Show images under a heading: `CHOSEN`, `FIXED`, `BROKEN` or `GUIDANCE`."""
        if source == CHOSEN:
            self._chosen = indices
        self._gallery.set_source(source)
        self.look_at_all()
        self.refresh()
        self._come_forward(True)

    def _show_similar(self, found: Similar) -> None:
        """Show and select the images that are like one from outside."""
        self._similar = found
        self._window.select(found.images, self._grid)
        self.show(found.images, SIMILAR)

    def compare(self, images: NDArray[np.int64], tag: str = "") -> None:
        """Show images between those of the classes that they may be of.

        Parameters
        ----------
        images : (n,) int64 array
            The images.
        tag : str
            The class that is proposed for them, "" for none.
        """
        self._looking.show(images, tag)
        self._come_forward(True)

    def look_at_all(self) -> None:
        """Look at all images of the source, after some were looked at closely."""
        self._looking.close()

    def _on_look_requested(self, closely: bool) -> None:
        grid = self._grid
        if not closely or not len(grid.items):
            self.look_at_all()
        else:
            self._on_activated(grid.current if grid.current >= 0 else grid.items[0])

    def _walk(self, step: int) -> None:
        self._go_to(self._looking.next_to(step))

    def _go_to(self, index: int) -> None:
        """Put the frame on an image, and look at it if one was looked at."""
        if index in self._grid.items:
            self._grid.go_to(index)
        if self._gallery.is_close:
            self._looking.show(np.array([index]))

    # How images are shown

    def _choose_look(self) -> None:
        button, pictures = self._bar.look_button, self._window.pictures
        if self._window.session is not None:
            place = button.mapToGlobal(button.rect().topLeft())
            self._gallery.look.open_at(pictures.look, place)

    def _show_as(self, look: Look) -> None:
        """Show all images in another way, now and when the session is opened again."""
        if self._window.session is not None:
            self._window.session.set_look(look)

    def _on_pictures(self, images: NDArray[np.int64]) -> None:
        if np.isin(self._looking.images, images).any():
            self._looking.refresh()

    def refresh(self, *_: object, in_order: bool = True) -> None:
        """Show the images of the chosen source as they are now, in the chosen order."""
        session, grid = self._window.session, self._grid
        source = self._bar.source
        if session is None:
            grid.empty_text = _NO_MAP
            grid.show_items(NOTHING)
            return
        grid.empty_text = _EMPTY[source] if self._window.has_map else _NOT_MAPPED
        edits = self._window.edits
        similar = self._similar if source == SIMILAR else None
        items = self._sorted(self._items(source)) if in_order else grid.items
        grid.show_items(items, describer(self._window, similar))
        grid.set_selected(self._window.selected)
        count = int(np.count_nonzero(edits.edited[items]))
        said = f"{self._last}: {count:,} of {len(items):,} named"
        self._gallery.show_named(said if self._last and count else "")
        self._looking.refresh()

    def _show_classes(self) -> None:
        if self._window.session is not None and self._window.has_map:
            names = self._window.edits.class_names
            self._gallery.class_keys.show_classes(names, self._window.class_keys)

    def name(self, number: int) -> None:
        """Give the image in the frame a class, and go on to the next without an edit.

        Where there is no frame yet, it comes to the first such image.
        """
        session, items = self._window.session, self._grid.items
        if session is None or not self._window.has_map:
            return
        index, ahead = self._looking.at_hand, items
        if index >= 0:
            self._last = tag = self._window.edits.class_names[number]
            if not self._map.naming.apply(Relabel(np.array([index]), tag)):
                return
            self._window.answered(Way.SINGLE, 1)
            ahead = items[np.flatnonzero(items == index).max(initial=-1) + 1 :]
        ahead = ahead[~session.edits.edited[ahead]]
        if len(ahead):
            self._go_to(int(ahead[0]))

    def take_back(self) -> None:
        """Undo the last edit, and go back to its image."""
        undone = self._map.naming.take_back()
        shown = self._grid.items[np.isin(self._grid.items, undone)]
        if len(shown):
            self._window.unanswered(Way.SINGLE, len(undone))
            self._go_to(int(shown[0]))

    def _items(self, source: str) -> NDArray[np.int64]:
        """Return the images of a source."""
        session = self._window.opened
        if source in (FIXED, BROKEN):
            if not session.state.rounds:
                return NOTHING
            evidence = session.state.rounds[-1].evidence
            return evidence.fixed if source == FIXED else evidence.broken
        if source == NEAREST:
            return nearest(self._window.shown.map, self._around)
        return {
            SELECTION: self._gathered,
            SIMILAR: NOTHING if self._similar is None else self._similar.images,
            GUIDANCE: self.proposed,
            CHOSEN: self._chosen,
        }[source]

    def _sorted(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return images in the chosen order; as they come where nothing is known."""
        by, labels = self._bar.sort, self._window.edits.labels[items]
        if by.startswith(COLUMN):
            column = self._window.opened.dataset.columns[by.removeprefix(COLUMN)]
            return items[np.argsort(column[items], kind="stable")]
        said = guesses(self._window.shown)[items]
        order: NDArray[np.number] = labels
        if by == "disagreement":
            # What the network leaves for other classes; -1 without a label.
            known = np.flatnonzero((labels >= 0) & (labels < said.shape[1]))
            order = np.full(len(items), 1, np.float32)
            order[known] = said[known, labels[known]] - 1
        elif by != "label":
            if by == "map" or not said.shape[1]:
                return items
            is_prediction = by == "prediction"
            order = said.argmax(axis=1) if is_prediction else margins(said)
        return items[np.argsort(order, kind="stable")]

    def _on_chosen(self, at: NDArray[np.int64]) -> None:
        self._window.select(at, self._grid)

    def _on_selection(self) -> None:
        if self._window.selected_by is self._grid:
            return
        # What is chosen among the images shown takes none of the others away.
        self._gathered = self._around = self._window.selected
        self._last = ""
        chosen = self._gathered
        if len(chosen) and self._bar.source not in (SELECTION, NEAREST):
            self._gallery.set_source(SELECTION)
        self.refresh()
        if len(chosen):
            self._come_forward(False)
        if np.array_equal(chosen, self._looking.images):
            return
        if self._gallery.is_close and len(chosen) == 1:
            self._looking.show(chosen)
        else:
            self.look_at_all()

    def _on_source(self, _row: int) -> None:
        self._gathered = self._around = self._window.selected
        self._last = ""
        self.refresh()

    def _on_hovered(self, index: int) -> None:
        if self._map.view is not None:
            self._map.view.show_hovered(index)

    def _on_activated(self, index: int) -> None:
        """Look closely at an image."""
        at = np.array([index], np.int64)
        if not np.array_equal(self._window.selected, at):
            self._window.select(at, self._grid)
            self._grid.set_selected(at)
        self._looking.show(at)

    def find_similar(self) -> None:
        """Show the images most similar to the selected ones."""
        self._around = self._window.selected
        self._gallery.set_source(NEAREST)
        self.look_at_all()
        self.refresh()

    def open_original(self) -> None:
        """Show the first selected image as it is on disk, beside the map."""
        session, chosen = self._window.session, self._window.selected
        if session is None or not len(chosen):
            return
        index = int(chosen[0])
        try:
            pixels = session.dataset.original(index)
        except SpaceEditingError as error:
            complain(error)
            return
        places = session.edits.positions
        lowest, highest = places.min(axis=0), places.max(axis=0)
        scale = float(highest[0] - lowest[0]) / 2 / pixels.shape[0]
        active = self._window.viewer.layers.selection.active
        self._window.viewer.add_image(
            pixels,
            name=str(session.dataset.ids[index]),
            scale=(scale, scale),
            translate=(float(lowest[0]), float(highest[1]) * 1.1),
            rgb=pixels.ndim == 3 and pixels.shape[2] in (3, 4),
        )
        self._window.viewer.layers.selection.active = active

    def _on_context(self, indices: NDArray[np.int64], place: QPoint) -> None:
        session, window = self._window.session, self._window
        if session is None or not window.has_map:
            return
        window.select(indices, self._grid)
        menu = context_menu(self._gallery)
        it = "it" if len(indices) == 1 else "them"
        locked, drawn = window.locked, window.shown.map
        fixed = _ALL_HELD_OUT if session.dataset.held_out[indices].all() else ""
        has_neighbours = drawn is not None and drawn.neighbours.shape[1] > 0
        naming = self._map.naming
        _offer(
            menu,
            "Pin: right place, name the class…\tC",
            naming.name_selected,
            f"Say which class belongs where the map has {it}",
            locked or fixed,
        )
        _offer(
            menu,
            "Relabel…\tR",
            naming.relabel_selected,
            f"Give {it} another class, or none, wherever on the map",
            locked,
        )
        _offer(
            menu,
            "Name this part…",
            naming.name_part,
            f"Give {it} a class within the class that all have",
            locked,
        )
        are_out = window.edits.rejected[indices].all()
        _offer(
            menu,
            f"{'Restore' if are_out else 'Reject'}\tX",
            naming.reject_selected,
            f"Take {it} in again"
            if are_out
            else f"Take {it} out of training, map and evidence",
            locked,
        )
        menu.addSeparator()
        _offer(
            menu,
            "Find similar",
            self.find_similar,
            f"Show the images most similar to {it}, to the network",
            "" if has_neighbours else _NO_NEIGHBOURS,
        )
        self._add_changes(menu, it)
        menu.addSeparator()
        zoom = self._map.zoom_to_selection
        _offer(menu, "Show on the map\tF", zoom, f"Zoom to {it}")
        _offer(
            menu,
            "Open the original as a layer",
            self.open_original,
            "Show the image, the first of several, as it is on disk, beside the map",
        )
        menu.popup(place)

    def _add_changes(self, menu: QMenu, it: str) -> None:
        """Offer to show what would make the selected images those of a class."""
        session, chosen = self._window.opened, self._window.selected
        names = session.edits.class_names
        kinds = np.unique(session.kinds(chosen)).tolist()
        changes = QMenu(f"Show what would make {it}", menu)
        menu.addMenu(changes)
        changes.setToolTipsVisible(True)
        tip = "See step by step what would change the network's mind"
        changes.menuAction().setToolTip(tip if names else _NO_CLASSES)
        changes.menuAction().setEnabled(bool(names))
        for kind, name in enumerate(names):
            _offer(
                changes,
                name,
                lambda to=name: self._show_change(chosen, to),
                f"What would make {it} {name}",
                f"Already taken for {name}." if kinds == [kind] else "",
            )


def _offer(
    menu: QMenu, title: str, act: Callable[..., object], tip: str, reason: str = ""
) -> None:
    """Add to a menu what can be done, or why it cannot."""
    action = menu.addAction(literal(title), act)
    action.setEnabled(not reason)
    action.setToolTip(reason or tip)
