"""One workbench for each viewer: the docks, and the controllers behind them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.plugins import menu_item_template
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from napari_spaceediting.data import cache
from napari_spaceediting.jobs.job import Job
from napari_spaceediting.plugin.edits.controller import EditsController
from napari_spaceediting.plugin.edits.panel import EditsPanel
from napari_spaceediting.plugin.evidence.controller import EvidenceController
from napari_spaceediting.plugin.evidence.panel import EvidencePanel
from napari_spaceediting.plugin.gallery.controller import GalleryController
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.guidance.controller import GuidanceController
from napari_spaceediting.plugin.guidance.panel import GuidancePanel
from napari_spaceediting.plugin.keys import KEYS
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.panel import MapPanel
from napari_spaceediting.plugin.map.viewport import find_canvas
from napari_spaceediting.plugin.objects.controller import ObjectsController
from napari_spaceediting.plugin.opening.controller import OpeningController
from napari_spaceediting.plugin.opening.panel import DataPanel
from napari_spaceediting.plugin.opening.saving import SavingController
from napari_spaceediting.plugin.preload import load_libraries, load_units_and_settings
from napari_spaceediting.plugin.results.controller import ResultsController
from napari_spaceediting.plugin.results.panel import ResultsPanel
from napari_spaceediting.plugin.space_editor import SpaceEditor
from napari_spaceediting.plugin.state import (
    STATUS,
    Change,
    WindowState,
    complain,
    preferences,
    warn,
)
from napari_spaceediting.plugin.status import Folding, Step, sections
from napari_spaceediting.plugin.threads import in_thread
from napari_spaceediting.plugin.training.controller import TrainingController
from napari_spaceediting.plugin.training.network_panel import NetworkPanel
from napari_spaceediting.plugin.training.retrain_panel import RetrainPanel
from napari_spaceediting.plugin.traversal.controller import TraversalController
from napari_spaceediting.plugin.traversal.panel import TraversalPanel
from napari_spaceediting.plugin.widgets.controls import Panel

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

DISPLAY_NAME = "SpaceEditing"
"""As in the manifest: napari's menus name the docks after it."""
EDITOR, GALLERY, EVIDENCE = "Space Editor", "Image Gallery", "Evidence"
TRAVERSAL = "Manifold Traversal"
View = SpaceEditor | ImageGallery | EvidencePanel | TraversalPanel
_WIDTH, _HEIGHT = 380, 300
"""Of the docks at first, in pixels."""


class Panels:
    """The panels of the Space Editor."""

    def __init__(self) -> None:
        self.data = DataPanel()
        self.network = NetworkPanel()
        self.map = MapPanel()
        self.guidance = GuidancePanel()
        self.edits = EditsPanel()
        self.retrain = RetrainPanel()
        self.results = ResultsPanel()

    def by_step(self) -> dict[Step, Panel]:
        """Return the panel of each step."""
        return {step: getattr(self, step) for step in Step}


class Workbench:
    """The views and controllers of one viewer; they live as long as it does.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, viewer: Viewer) -> None:
        folder = preferences().storage.cache_folder
        if folder:
            # Processes that are started from here find it, too.
            os.environ[cache.VARIABLE] = str(Path(folder).expanduser())
        # Before processes are started, so that all have the same one.
        cache.cache_dir(warn)
        self.state = state = WindowState(viewer)
        self.panels = panels = Panels()
        self.editor = SpaceEditor(panels.by_step())
        self.gallery = ImageGallery()
        self.evidence = EvidencePanel()
        self.traversal = TraversalPanel()
        self._viewer = viewer
        self._settled = False
        # Comes first: a section is opened before a room turns to it.
        state.changed.connect(self._on_change)
        self._tell_of_jobs()
        self.saving = SavingController(state, panels.data)
        self.training = TrainingController(state, panels.network, panels.retrain)
        self.opening = OpeningController(
            state,
            panels.data,
            self.saving,
            lambda: self.map.prepare(),
            self.training.begin,
        )
        self.map = MapController(state, panels.map, self.show_change, self._bind_keys)
        panels.map.redraw_requested.connect(self.training.draw_map)
        panels.network.embeddings_given.connect(self.opening.open_with_embeddings)
        self.galleries = GalleryController(
            state, self.gallery, self.map, self.show_change, self._show_gallery
        )
        self.edits = EditsController(state, panels.edits, self.map)
        self.objects = ObjectsController(state, self.map, self.editor)
        self.review = GuidanceController(
            state, panels.guidance, self.map, self.galleries, self.show_change
        )
        self.rounds = EvidenceController(state, self.evidence, self.galleries)
        self.traversals = TraversalController(state, self.traversal, self.map)
        self.results = ResultsController(state, panels.results)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self._on_change(STATUS)

    # What is shown

    def _on_change(self, change: Change) -> None:
        """Show in all sections how their steps stand, and fold them at a turn."""
        if change & STATUS:
            self.editor.show_states(sections(self.state.facts))
        if Change.TURN in change:
            self.editor.fold(self.state.turn.value)
        if change & (Change.SESSION | Change.ROUNDS):
            session = self.state.session
            if session is not None and session.state.proposal:
                _raise(self.evidence)

    def _tell_of_jobs(self) -> None:
        """Let the bar of the editor say what runs, and how it ended."""
        bar = self.editor.job_bar

        def finish(_job: Job[object], said: str) -> None:
            if not self.state.is_busy:
                bar.finish(said or "Done")

        def cancel(_job: Job[object], kept: str) -> None:
            bar.finish(kept or "Cancelled; nothing was changed")

        def fail(_job: Job[object], sentence: str) -> None:
            bar.fail(sentence)
            complain(sentence)

        bar.cancel_requested.connect(self.state.cancel)
        for runner in (self.state.reading, self.state.training):
            runner.started.connect(lambda job: bar.start(job.name))
            runner.progressed.connect(bar.report)
            runner.finished.connect(finish)
            runner.cancelled.connect(cancel)
            runner.failed.connect(fail)

    def show_change(self, images: NDArray[np.int64], name: str) -> None:
        """Show what would make images those of a class."""
        self.traversals.show_change(images, name)
        self.show_traversal()

    def _show_gallery(self, asked: bool) -> None:
        """Bring the gallery to the front; unasked, only from behind the evidence."""
        if asked or not self.evidence.visibleRegion().isEmpty():
            _raise(self.gallery)

    @property
    def _views(self) -> tuple[View, ...]:
        return self.editor, self.gallery, self.evidence, self.traversal

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what keys can do, by name."""
        return {
            "tool_move": lambda: self.map.set_tool("move"),
            "tool_lasso": lambda: self.map.set_tool("lasso"),
            "tool_box": lambda: self.map.set_tool("box"),
            "select_none": lambda: self.map.select_like("none"),
            "select_neighbours": lambda: self.map.select_like("neighbours"),
            "name_selected": self.map.naming.name_selected,
            "relabel_selected": self.map.naming.relabel_selected,
            "reject_selected": self.map.naming.reject_selected,
            "show_object": self.objects.toggle,
            "toggle_thumbnails": self.map.toggle_thumbnails,
            "zoom_to_selection": self.map.zoom_to_selection,
            "flip_maps": self.rounds.flip,
            "show_traversal": self.show_traversal,
            "answer_yes": lambda: self.review.answer("yes"),
            "answer_no": lambda: self.review.answer("no"),
            "answer_unsure": lambda: self.review.answer("unsure"),
            "answer_elsewhere": lambda: self.review.answer("elsewhere"),
            "undo": self.edits.undo,
            "redo": self.edits.redo,
            "retrain": self.training.retrain_as_chosen,
        }

    def show_docks(self) -> None:
        """Open all docks: the editor on the right, the others below the map."""
        views: dict[str, tuple[QWidget, str]] = {
            EDITOR: (self.editor, "right"),
            GALLERY: (self.gallery, "bottom"),
            EVIDENCE: (self.evidence, "bottom"),
            TRAVERSAL: (self.traversal, "bottom"),
        }
        is_new = not self._settled
        for name, (view, area) in views.items():
            is_new |= self._open(name, view, area)
        self.settle_in()
        if is_new:
            self._arrange()

    def show_traversal(self) -> None:
        """Bring the traversal to the front, with the other docks below the map."""
        if self._open(TRAVERSAL, self.traversal, "bottom"):
            dock, other = _dock_of(self.traversal), _dock_of(self.gallery)
            if other is not None:
                other.parent().tabifyDockWidget(other, dock)
        _raise(self.traversal)

    def show_results(self) -> None:
        """Bring what can be taken out into view."""
        if _dock_of(self.editor) is None:
            self.show_docks()
        _raise(self.editor)
        self.editor.fold(Folding((Step.RESULTS,)))

    def settle_in(self) -> None:
        """Take the window that a view is docked in into use, and end with it."""
        docks = map(_dock_of, self._views)
        main = next((dock.parent() for dock in docks if dock is not None), None)
        if self._settled or not isinstance(main, QMainWindow):
            return
        self._settled = True
        main.destroyed.connect(self._end)
        QApplication.instance().aboutToQuit.connect(self._end)
        load_units_and_settings()
        in_thread(load_libraries, lambda _: None, complain)
        self.map.set_canvas(find_canvas(main))
        self.saving.offer()

    def shutdown(self) -> None:
        """End all background work and let go of the viewer."""
        self.objects.stop()
        self.map.shutdown()
        self._end()

    def _end(self) -> None:
        """End all background work; the window may be gone already."""
        self.saving.finish()
        self.state.shutdown()
        self.map.forget()
        _WORKBENCHES.pop(id(self._viewer), None)

    def _open(self, name: str, view: QWidget, area: str) -> bool:
        """Show the dock of a view, and return whether it had to be made."""
        dock = _dock_of(view)
        if dock is not None:
            dock.show()
            return False
        self._viewer.window.add_dock_widget(
            view,
            name=menu_item_template.format(DISPLAY_NAME, name),
            area=area,
            add_vertical_stretch=False,
        )
        return True

    def _arrange(self) -> None:
        editor, gallery = _dock_of(self.editor), _dock_of(self.gallery)
        assert editor is not None
        assert gallery is not None
        main = editor.parent()
        assert isinstance(main, QMainWindow)
        # The editor and the layer list keep the full height of the window.
        for corner, area in (
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        ):
            main.setCorner(corner, area)
        for view in (self.evidence, self.traversal):
            main.tabifyDockWidget(gallery, _dock_of(view))
        gallery.raise_()
        main.resizeDocks([editor], [_WIDTH], Qt.Orientation.Horizontal)
        main.resizeDocks([gallery], [_HEIGHT], Qt.Orientation.Vertical)

    def _bind_keys(self, layer: Points) -> None:
        """Bind the keys to a layer of the map."""
        commands = self.commands()
        for entry in KEYS:
            layer.bind_key(entry.key, _calls(commands[entry.command]), overwrite=True)

    def _on_theme(self) -> None:
        palette = self.state.palette
        for view in self._views:
            view.set_theme(palette)
        self.state.notify(Change.THEME)


_WORKBENCHES: dict[int, Workbench] = {}


def workbench_of(viewer: Viewer) -> Workbench:
    """Return the workbench of a viewer, made when it is first asked for.

    It ends with the window that its views are docked in.
    """
    if id(viewer) not in _WORKBENCHES:
        _WORKBENCHES[id(viewer)] = Workbench(viewer)
    return _WORKBENCHES[id(viewer)]


def _calls(command: Callable[[], object]) -> Callable[[object], None]:
    def call(_layer: object) -> None:
        command()

    return call


def _raise(view: QWidget) -> None:
    """Bring the dock of a view to the front, if it has one."""
    dock = _dock_of(view)
    if dock is not None:
        dock.show()
        dock.raise_()


def _dock_of(view: QWidget) -> QDockWidget | None:
    parent = view.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
