"""Finding images by what is asked for, and selections that are saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog, QMenu

from napari_spaceediting.editing.selections import SaveSelection
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.gallery.bar import GalleryBar
from napari_spaceediting.plugin.map.class_menu import ask_text
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.state import NOTHING, WindowState, complaining
from napari_spaceediting.plugin.widgets.controls import literal, set_text
from napari_spaceediting.session.export.results import SELECTION, results_of
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.query import matching
from napari_spaceediting.session.similar import Similar, finding_similar

NONE_FOUND = "No image is like that."
_NONE_SELECTED = "Select images first: on the map, here, or by what you look for."


class Finding:
    """Selects what the field asks for, and keeps selections under a name.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    bar : GalleryBar
        The view.
    on_map : MapController
        Applies edits, and knows the clusters.
    show_similar : callable
        Shows images that are like one from outside.
    """

    def __init__(
        self,
        window: WindowState,
        bar: GalleryBar,
        on_map: MapController,
        show_similar: Callable[[Similar], None],
    ) -> None:
        self._window = window
        self._bar = bar
        self._map = on_map
        self._show_similar = show_similar
        bar.find_field.returnPressed.connect(lambda: self.find(bar.find_field.text()))
        bar.find_menu.aboutToShow.connect(self._fill_menu)

    def find(self, text: str) -> None:
        """Select, everywhere, the images that a condition or some words mean."""
        window, session, bar = self._window, self._window.session, self._bar
        if session is None or not window.has_map or not text.strip():
            set_text(bar.flaw, "")
            return
        # As it is now, whatever happens meanwhile.
        frozen, selected = Preparing(session.state), window.selected
        extra = self._map.clustering.columns

        def look() -> NDArray[np.int64]:
            columns = {**results_of(frozen).columns, **extra}
            everything = np.arange(len(frozen.dataset))
            return matching(columns | {"selected": np.isin(everything, selected)}, text)

        def take(found: NDArray[np.int64]) -> None:
            if window.session is session:
                set_text(bar.flaw, "" if len(found) else NONE_FOUND)
                if len(found):
                    window.select(found)

        def fail(error: SpaceEditingError) -> None:
            set_text(bar.flaw, str(error))

        window.in_thread(look, take, fail)

    def save_selection(self) -> None:
        """Ask for a name, and save the selected images under it."""
        chosen = self._window.selected
        if len(chosen):
            ask_text(
                self._bar,
                "Save the selection",
                f"Name of these {len(chosen):,} images, to find them again:",
                "",
                lambda name: self._map.naming.apply(
                    SaveSelection(chosen, name.strip())
                ),
            )

    def choose_file(self) -> None:
        """Ask for an image, and look for those that are like it."""
        file, _ = QFileDialog.getOpenFileName(self._bar, "Images like this one")
        if file:
            self.find_like(Path(file))

    def find_like(self, file: Path) -> None:
        """Look for the images that are most similar to one from outside."""
        session = self._window.session
        if session is None:
            return
        with complaining():
            job = finding_similar(session, file)
            self._window.reading.run(job, self._take_similar)

    def _take_similar(self, found: Similar) -> None:
        if self._window.has_map:
            set_text(self._bar.flaw, "")
            self._show_similar(found)

    def _fill_menu(self) -> None:
        """Offer what there is now."""
        menu, session = self._bar.find_menu, self._window.session
        menu.clear()
        if session is None or not self._window.has_map:
            menu.addAction("Open images first").setEnabled(False)
            return
        saved = selections(session.state)
        for name, images in saved.items():
            action = menu.addAction(literal(f"{name} ({len(images):,})"))
            action.triggered.connect(partial(self._ask_for, f"{SELECTION}{name}"))
            action.setToolTip(f"Select the images that were saved as {name}")
        menu.addSeparator()
        save = menu.addAction("Save the selection as…", self.save_selection)
        save.setEnabled(bool(len(self._window.selected)))
        save.setToolTip("" if save.isEnabled() else _NONE_SELECTED)
        if saved:
            forget = menu.addMenu("Forget a selection")
            for name in saved:
                gone = SaveSelection(NOTHING, name)
                forget.addAction(literal(name), partial(self._map.naming.apply, gone))
        by_column = menu.addMenu("Find by a column")
        assert by_column is not None
        self._add_columns(by_column)
        menu.addSeparator()
        menu.addAction("Images like a file…", self.choose_file)

    def _add_columns(self, menu: QMenu) -> None:
        session = self._window.opened
        some = results_of(session, np.arange(min(len(session.dataset), 1)))
        for name in (*some.columns, *self._map.clustering.columns, "selected"):
            menu.addAction(literal(name), partial(self._begin, _written(name)))

    def _begin(self, text: str) -> None:
        """Begin, or go on with, a condition on a column."""
        field = self._bar.find_field
        before = field.text()[: field.cursorPosition()].rstrip()
        field.insert(f" {text} " if before else f"{text} ")
        field.setFocus()

    def _ask_for(self, column: str) -> None:
        text = _written(column)
        self._bar.find_field.setText(text)
        self.find(text)


def _written(column: str) -> str:
    """Return a column as it stands in a condition."""
    return column if column.isidentifier() else f"`{column}`"
