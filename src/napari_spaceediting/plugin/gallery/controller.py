"""What the gallery shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.gallery.captions import caption_of, disagreement
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.naming import ShowChange
from napari_spaceediting.plugin.state import NOTHING, Change, WindowState, complain
from napari_spaceediting.plugin.widgets.palette import label_colours
from napari_spaceediting.session.session import Session

SELECTION, NEAREST, GUIDANCE = "selection", "nearest", "guidance"
FIXED, BROKEN, CHOSEN = "fixed", "broken", "chosen"
_SOURCES = (
    (SELECTION, "Selection", "What was last selected on the map"),
    (NEAREST, "Nearest images", "Images most similar to the selection, to the network"),
    (GUIDANCE, "Guidance", "All images that guidance proposes to look at"),
    (FIXED, "Fixed", "Held-out images that the last round put right"),
    (BROKEN, "Broken", "Held-out images that the last round got wrong"),
    (CHOSEN, "Evidence", "What was clicked on in the Evidence dock"),
)
_ALL_HELD_OUT = "Held-out images can be relabelled, not pinned."
_NO_NEIGHBOURS = "The map is still being drawn: similar images are known after it."
_NO_MAP = "No images to show: open some in the Space Editor first, under Data."
_NOT_MAPPED = "The images come here when the network has learnt from them."
_OTHER_IMAGES = Change.PICTURES | Change.EDITS | Change.SHOWN | Change.PAST
_EMPTY = {
    SELECTION: "Click or lasso points on the map to see their images here.",
    NEAREST: "Select an image to see the ones most similar to it.",
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
    """

    def __init__(
        self,
        window: WindowState,
        gallery: ImageGallery,
        on_map: MapController,
        show_change: ShowChange,
    ) -> None:
        self._window = window
        self._show_change = show_change
        self._gallery = gallery
        self._map = on_map
        self.proposed = NOTHING
        self._gathered = self._around = NOTHING
        self._chosen = NOTHING
        gallery.set_sources(_SOURCES)
        gallery.source_changed.connect(self._on_source)
        gallery.sort_changed.connect(self.refresh)
        gallery.selection_changed.connect(self._on_chosen)
        gallery.hovered.connect(self._on_hovered)
        gallery.activated.connect(self._on_activated)
        gallery.context_requested.connect(self._on_context)
        window.changed.connect(self._on_change)
        self.refresh()

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self.proposed = self._chosen = self._gathered = self._around = NOTHING
        if Change.PICTURES in change:
            self._gallery.set_thumbnails(self._window.thumbnails)
        if Change.SELECTION in change:
            self._on_selection()
        elif change & _OTHER_IMAGES:
            self.refresh()

    def show(self, indices: NDArray[np.int64], source: str = CHOSEN) -> None:
        """Show images under a heading: `CHOSEN`, `FIXED`, `BROKEN` or `GUIDANCE`."""
        if source == CHOSEN:
            self._chosen = indices
        self._gallery.set_source(source)
        self.refresh()

    def refresh(self) -> None:
        """Show the images of the chosen source as they are now."""
        session = self._window.session
        source = self._gallery.source
        if session is None or not self._window.has_map:
            self._gallery.empty_text = _NO_MAP if session is None else _NOT_MAPPED
            self._gallery.show_items(NOTHING)
            return
        self._gallery.empty_text = _EMPTY.get(source, "")
        shown, edits = self._window.shown, self._window.edits
        items = self._sorted(self._items(source))
        held_out, classes = session.dataset.held_out, range(len(edits.class_names))
        # The last one is what -1, for no class, leads to.
        colours = label_colours([*classes, UNLABELLED], len(classes)).tolist()

        def describe(index: int) -> Caption:
            caption = caption_of(index, shown, edits)
            return replace(
                caption,
                border=colours[edits.labels[index]],
                badge="held out" if held_out[index] else "",
            )

        self._gallery.show_items(items, describe)
        self._gallery.set_selected(self._window.selected)

    def _items(self, source: str) -> NDArray[np.int64]:
        session = self._window.session
        assert session is not None
        rounds = session.state.rounds
        if source == SELECTION:
            return self._gathered
        if source == NEAREST:
            return self._nearest()
        if source == GUIDANCE:
            return self.proposed
        if source == CHOSEN:
            return self._chosen
        if not rounds:
            return NOTHING
        evidence = rounds[-1].evidence
        return evidence.fixed if source == FIXED else evidence.broken

    def _nearest(self) -> NDArray[np.int64]:
        session, chosen = self._window.session, self._around
        assert session is not None
        drawn = self._window.shown.map
        if drawn is None or not len(chosen) or not drawn.neighbours.shape[1]:
            return NOTHING
        around = drawn.neighbours[chosen].T.ravel()
        _, first = np.unique(around, return_index=True)
        ordered = around[np.sort(first)].astype(np.int64)
        return ordered[~np.isin(ordered, chosen)]

    def _sorted(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        session = self._window.session
        assert session is not None
        network = self._window.shown.network
        by = self._gallery.sort
        if by == "label":
            return items[np.argsort(self._window.edits.labels[items], kind="stable")]
        if by == "disagreement":
            left = disagreement(self._window.shown, self._window.edits)
            return items[np.argsort(-left[items], kind="stable")]
        if network is None or not network.predictions.probabilities.shape[1]:
            return items
        guesses = network.predictions.probabilities[items]
        if by == "prediction":
            return items[np.argsort(guesses.argmax(axis=1), kind="stable")]
        if by == "confidence":
            return items[np.argsort(guesses.max(axis=1), kind="stable")]
        return items

    def _on_chosen(self, at: NDArray[np.int64]) -> None:
        self._window.select(at, self._gallery)

    def _on_selection(self) -> None:
        if self._window.selected_by is self._gallery:
            return
        # What is chosen among the images shown takes none of the others away.
        self._gathered = self._around = self._window.selected
        if self._gallery.source not in (SELECTION, NEAREST) and len(
            self._window.selected
        ):
            self._gallery.set_source(SELECTION)
        self.refresh()

    def _on_source(self) -> None:
        self._gathered = self._around = self._window.selected
        self.refresh()

    def _on_hovered(self, index: int) -> None:
        if self._map.view is not None:
            self._map.view.show_hovered(index)

    def _on_activated(self, index: int) -> None:
        self._window.select(np.array([index]), self._gallery)
        self.find_similar()

    def find_similar(self) -> None:
        """Show the images most similar to the selected ones."""
        self._around = self._window.selected
        self._gallery.set_source(NEAREST)
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
        session = self._window.session
        if session is None or not self._window.has_map:
            return
        self._window.select(indices, self._gallery)
        menu = QMenu(self._gallery)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        locked = self._window.locked
        fixed = _ALL_HELD_OUT if session.dataset.held_out[indices].all() else ""
        alone = len(indices) == 1
        it = "it" if alone else "them"

        def offer(title: str, act: Callable[[], None], tip: str, reason: str) -> None:
            _explain(menu.addAction(title, act), tip, reason)

        offer(
            "Pin: right place, name the class…\tC",
            self._map.naming.name_selected,
            f"Say which class {'it has' if alone else 'they have'} where "
            f"{'it lies' if alone else 'they lie'} on the map",
            locked or fixed,
        )
        offer(
            "Relabel…\tR",
            self._map.naming.relabel_selected,
            f"Give {it} another class, or none, wherever on the map",
            locked,
        )
        menu.addSeparator()
        no_neighbours = "" if _has_neighbours(session) else _NO_NEIGHBOURS
        offer(
            "Find similar",
            self.find_similar,
            f"Show the images most similar to {it}, to the network",
            no_neighbours,
        )
        self._add_changes(menu, it)
        menu.addSeparator()
        offer("Show on the map\tF", self._map.zoom_to_selection, f"Zoom to {it}", "")
        offer(
            "Open the original as a layer",
            self.open_original,
            "Show the image as it is on disk, beside the map"
            if alone
            else "Show the first of them as it is on disk, beside the map",
            "",
        )
        menu.popup(place)

    def _add_changes(self, menu: QMenu, it: str) -> None:
        """Offer to show what would make the selected images those of a class."""
        session, chosen = self._window.session, self._window.selected
        assert session is not None
        names = session.edits.class_names
        kinds = np.unique(session.kinds(chosen)).tolist()
        offer = menu.addMenu(f"Show what would make {it}")
        offer.setToolTipsVisible(True)
        _explain(
            offer.menuAction(),
            "See step by step what would change the network's mind",
            "" if names else "No class has a name yet: name some images first.",
        )
        for kind, name in enumerate(names):
            action = offer.addAction(
                name, lambda to=name: self._show_change(chosen, to)
            )
            same = f"Already taken for {name}." if kinds == [kind] else ""
            _explain(action, f"What would make {it} {name}", same)


def _explain(action: QAction, tip: str, reason: str) -> None:
    """Say what an action does, or close it and say why."""
    action.setEnabled(not reason)
    action.setToolTip(reason or tip)


def _has_neighbours(session: Session) -> bool:
    drawn = session.shown.map
    return drawn is not None and drawn.neighbours.shape[1] > 0
