"""One workbench for each viewer: the docks, and the controllers behind them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication

from napari_spaceediting.data import cache
from napari_spaceediting.jobs.job import Job
from napari_spaceediting.plugin.docks import Docks, dock_of
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
from napari_spaceediting.plugin.widgets.dock_bar import DockBar

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

GALLERY, EVIDENCE = "Image Gallery", "Evidence"
TRAVERSAL = "Manifold Traversal"
_BELOW = (GALLERY, "Gallery"), (EVIDENCE, EVIDENCE), (TRAVERSAL, "Traversal")
"""Docks below the map, and what their buttons say."""


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
        dock_bar = DockBar(_BELOW)
        self.editor = SpaceEditor(panels.by_step(), dock_bar)
        self.gallery = ImageGallery(state.pictures)
        self.evidence = EvidencePanel()
        self.traversal = TraversalPanel()
        below = {
            GALLERY: self.gallery,
            EVIDENCE: self.evidence,
            TRAVERSAL: self.traversal,
        }
        self.docks = Docks(viewer, self.editor, below, dock_bar)
        self._viewer = viewer
        self._settled = self._ended = False
        # Comes first: a section is opened before a room turns to it.
        state.changed.connect(self._on_change)
        self._tell_of_jobs()
        self.saving = SavingController(state, panels.data)
        self.training = TrainingController(
            state,
            panels.network,
            panels.retrain,
            lambda some: self.opening.open_dataset(some),
        )
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
                self.docks.bring_forward(self.evidence)

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
        """Bring the gallery to the front; unasked, only from behind the evidence.

        That is, or where nothing is below the map.
        """
        is_behind = not self.evidence.visibleRegion().isEmpty()
        if asked or is_behind or self.docks.is_folded:
            self.docks.bring_forward(self.gallery, asked=asked)

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
        is_new = not self._settled
        self.docks.show_all(anew=is_new)
        self.settle_in()

    def show_traversal(self) -> None:
        """Bring the traversal to the front, with the other docks below the map."""
        self.docks.bring_forward(self.traversal)

    def show_results(self) -> None:
        """Bring what can be taken out into view."""
        if dock_of(self.editor) is None:
            self.show_docks()
        self.docks.bring_forward(self.editor)
        self.editor.fold(Folding((Step.RESULTS,)))

    def settle_in(self) -> None:
        """Take the window that a view is docked in into use, and end with it."""
        main = self.docks.main
        if self._settled or main is None:
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
        """End all background work, once; the window may be gone already."""
        if self._ended:
            return
        self._ended = True
        self.saving.finish()
        self.state.shutdown()
        self.map.forget()
        _WORKBENCHES.pop(id(self._viewer), None)

    def _bind_keys(self, layer: Points) -> None:
        """Bind the keys to a layer of the map."""
        commands = self.commands()
        for entry in KEYS:
            layer.bind_key(entry.key, _calls(commands[entry.command]), overwrite=True)

    def _on_theme(self) -> None:
        palette = self.state.palette
        for view in (self.editor, self.gallery, self.evidence, self.traversal):
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
