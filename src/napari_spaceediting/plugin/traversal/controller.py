"""What would make images those of another kind: asked for, shown, sent and saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.scene import Routes
from napari_spaceediting.plugin.state import (
    NOTHING,
    Change,
    WindowState,
    complain,
    tell,
)
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.plugin.traversal.filmstrip import Chance, Strip
from napari_spaceediting.plugin.traversal.kept import details, notice, titles
from napari_spaceediting.plugin.traversal.panel import TraversalPanel
from napari_spaceediting.plugin.widgets.controls import agrees
from napari_spaceediting.plugin.widgets.palette import class_colours
from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.traversals import KeptTraversal
from napari_spaceediting.traversal.export import report, write_traversal
from napari_spaceediting.traversal.filmstrip import differences_to_rgb, to_rgb
from napari_spaceediting.traversal.jobs import ListLayers, Traverse
from napari_spaceediting.traversal.layers import Layer
from napari_spaceediting.traversal.result import Asked, Traversal, join
from napari_spaceediting.traversal.settings import TraverseSettings

NO_MAP = "Open images and train a network first"
PREVIEW = "A preview: mixtures of real images."
_BATCH = 8
"""Images that are finished together: what a cancelled run keeps."""
_AFFECTS_RUN = (
    Change.SESSION | Change.EDITS | Change.SHOWN | Change.SELECTION | Change.JOBS
)
_AFFECTS_KEPT = Change.SESSION | Change.SHOWN | Change.ROUNDS | Change.TRAVERSALS
_GREY = np.full(4, 0.7, np.float32)


class TraversalController:
    """Connects the traversal dock with the session and the map.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : TraversalPanel
        The view.
    on_map : MapController
        Shows the route, and asks again what was put off.
    """

    def __init__(
        self, window: WindowState, panel: TraversalPanel, on_map: MapController
    ) -> None:
        self._window = window
        self._panel = panel
        self._map = on_map
        self._group = NOTHING
        self._running: Traverse | None = None
        self._previews: list[Traversal] = []
        self._parts: list[Traversal] = []
        self._asked: Asked | None = None
        self._kept: KeptTraversal | None = None
        self._listed: object = None
        self.traversal: Traversal | None = None
        panel.run_requested.connect(self.run)
        panel.progress.cancel_requested.connect(self.cancel)
        panel.group_requested.connect(self.use_selection_as_target)
        panel.target_changed.connect(self._update)
        panel.image_changed.connect(self._show_image)
        panel.way.step_changed.connect(self._show_route)
        panel.send_requested.connect(self.send_to_napari)
        panel.save_requested.connect(self._ask_folder)
        panel.way.real_images.chosen.connect(self._select_one)
        panel.decide_requested.connect(on_map.naming.ask_again)
        panel.put_back_requested.connect(on_map.naming.put_back)
        panel.seen_changed.connect(self._show_route)
        panel.layers_button.clicked.connect(self._list_layers)
        panel.layers.changed.connect(self._update)
        panel.kept_chosen.connect(self._show_kept)
        panel.remove_requested.connect(self._ask_to_remove)
        window.changed.connect(self._on_change)
        self._update()

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._forget()
        if Change.PICTURES in change:
            self._panel.way.real_images.set_thumbnails(self._window.thumbnails)
        if Change.SHOWN in change:
            self._list_layers()
        if Change.PUT_OFF in change:
            self._panel.show_waiting(self._window.put_off)
        if change & _AFFECTS_KEPT:
            self._choose(self._kept)
        if change & _AFFECTS_RUN:
            self._update()
        if change & (Change.EDITS | Change.SHOWN):
            self._show_route()

    # Asking

    def show_change(self, images: NDArray[np.int64], name: str) -> None:
        """Show what would make images those of a class, but for those that are."""
        session = self._window.session
        if session is None or not self._window.has_map:
            return
        kind = session.edits.class_names.index(name)
        others = images[session.kinds(images) != kind]
        self._window.select(others if len(others) else images)
        self._panel.choose_target(name)
        self._update()
        self.run()

    def use_selection_as_target(self) -> None:
        """Let the selected images be what others shall become."""
        self._group = self._window.selected
        self._update()
        self._panel.choose_target(None)
        self._window.select(NOTHING)

    def run(self) -> None:
        """Move the selected images to the target that is chosen."""
        session, panel = self._window.session, self._panel
        reason = self._why_not()
        if session is None or reason:
            panel.show_notice(f"{reason}." if reason else "")
            return
        target = self._group if panel.target is None else panel.target
        settings = TraverseSettings(layers=panel.layers.chosen, batch_size=_BATCH)
        try:
            job = session.traversing(self._window.selected, target, settings)
        except SpaceEditingError as error:
            panel.show_notice(str(error))
            return
        panel.show_notice(" ".join(job.notes))
        self._previews, self._parts = [], []
        self._running = job
        panel.set_running(True)
        self._window.training.run(
            job, self._take, report=self._on_progress, rescue=self._rescue
        )

    def cancel(self) -> None:
        """Stop, and keep the images that are finished."""
        if self._running is not None:
            self._window.training.cancel()

    def _why_not(self) -> str:
        """Say why it cannot run now; "" if it can."""
        session = self._window.session
        if session is None or not self._window.has_map:
            return NO_MAP
        if self._window.training.is_running:
            return BUSY.rstrip(".")
        if not len(self._window.selected):
            return "Select images first, on the map or in the gallery"
        if self._panel.layers.chosen == ():
            return "Tick at least one layer"
        target = self._panel.target
        if target is None:
            inside = np.isin(self._window.selected, self._group).any()
            return "Some of the selected images are in the target" if inside else ""
        names = session.edits.class_names
        if target not in names:
            return "Choose what they shall become first"
        same = session.kinds(self._window.selected) == names.index(target)
        return f"All of these are {target} already" if same.all() else ""

    # What comes of it

    def _on_progress(self, progress: Progress, remaining: float | None) -> None:
        if self._running is None:
            return
        self._panel.progress.report(progress, remaining)
        part, asked = progress.finished, self._running.asked
        if isinstance(part, Traversal) and asked is not None:
            parts = self._previews if part.is_preview else self._parts
            parts.append(part)
            # After 1, 2, 4, 8, …: what is put together again stays a small part of all.
            if len(parts).bit_count() == 1:
                rest = self._previews[len(self._parts) :]
                self._show(asked, join([*self._parts, *rest]))
                if part.is_preview:
                    self._panel.show_notice(PREVIEW)

    def _take(self, traversal: Traversal) -> None:
        job, self._running = self._running, None
        assert job is not None
        self._panel.set_running(False)
        self._keep(job, traversal)

    def _rescue(self) -> str:
        """Keep what was finished when it was cancelled or failed."""
        job, self._running = self._running, None
        if job is None:
            return ""
        self._panel.set_running(False)
        done, total = sum(len(p.indices) for p in self._parts), len(job.sets.images)
        if not done:
            notice = "No image was finished when it stopped."
            shown = f" {PREVIEW}" if self._previews else ""
            self._panel.show_notice(f"{notice}{shown}")
            return ""
        verb = "was" if done == 1 else "were"
        finished = f"{done} of {total} images {verb} finished when it stopped."
        traversal = join(self._parts)
        self._keep(job, replace(traversal, notes=(finished, *traversal.notes)))
        return "What was finished is kept."

    def _keep(self, job: Traverse, traversal: Traversal) -> None:
        """Show what came of a job, as what the session keeps from now on."""
        session = self._window.session
        assert session is not None
        assert job.asked is not None
        self._show(job.asked, traversal)
        self._choose(session.keep(job, traversal))

    def _show(self, asked: Asked, traversal: Traversal) -> None:
        """Show a traversal; more of the one that is shown leaves image and step."""
        if asked is not self._asked:
            self._panel.show_result(0)
            self._choose(None)
        self._asked, self.traversal = asked, traversal
        self._panel.show_result(len(traversal.indices))
        self._show_image(self._panel.image)

    def _show_image(self, image: int) -> None:
        traversal, asked, session = self.traversal, self._asked, self._window.session
        if traversal is None or asked is None or session is None:
            return
        images, ids = np.asarray(traversal.images[image]), session.dataset.ids
        names = asked.class_names
        own, goal = int(asked.sources[image]), asked.target
        said = traversal.probabilities[image]
        self._panel.show_strip(
            Strip(
                name=str(ids[traversal.indices[image]]),
                start=asked.name(own),
                goal=asked.goal,
                pictures=to_rgb(images),
                differences=differences_to_rgb(images),
                captions=[
                    "",
                    *(f"budget {value:.2g}" for value in traversal.budgets[image]),
                ],
                passes=traversal.arrived[image].tolist(),
                leaves=_chance(own, names, said),
                nears=None if goal == own else _chance(goal, names, said),
                nearest=traversal.nearest[image],
                nearest_names=ids[traversal.nearest[image]].tolist(),
            )
        )

    def _show_route(self, *_: object) -> None:
        """Show on the map where the images travel, while the dock is seen."""
        view, session = self._map.view, self._window.session
        traversal, asked = self.traversal, self._asked
        if view is None:
            return
        if (
            traversal is None
            or asked is None
            or session is None
            or not self._window.has_map
            or not self._panel.is_seen
        ):
            view.overlay.change(route=Routes())
            return
        colours = class_colours(len(asked.class_names))
        view.overlay.change(
            route=Routes(
                traversal.route(session.edits.positions),
                self._panel.image,
                self._panel.step,
                colours[asked.target] if asked.target >= 0 else _GREY,
            )
        )

    # What was found before

    def _all_kept(self) -> list[KeptTraversal]:
        """Return what the session keeps, the newest first."""
        session = self._window.session
        return [] if session is None else list(session.state.traversals[::-1])

    def _choose(self, kept: KeptTraversal | None) -> None:
        """Offer what is kept, and tell of the result that is shown, if it is kept."""
        session, panel, offered = self._window.session, self._panel, self._all_kept()
        self._kept = kept = kept if kept in offered else None
        results = [] if session is None else titles(offered, session)
        panel.show_kept(results, -1 if kept is None else offered.index(kept))
        if session is None or kept is None or self.traversal is None:
            panel.show_details("")
        else:
            panel.show_notice(notice(kept, self.traversal, session))
            panel.show_details(details(kept, self.traversal, session))

    def _show_kept(self, number: int) -> None:
        """Show a result that was kept."""
        kept = self._all_kept()[number]
        self._show_nothing()
        try:
            self._show(kept.asked, kept.outcome.read())
        except SpaceEditingError as error:
            self._panel.show_notice(str(error))
        self._choose(kept)
        self._show_route()

    def _ask_to_remove(self) -> None:
        session, kept = self._window.session, self._kept
        if session is None or kept is None:
            return
        if agrees(
            self._panel,
            "Remove a result",
            f"Remove “{describe_kept(kept, session.state)}”? "
            "It cannot be brought back.",
        ):
            self._show_nothing()
            session.remove(kept)

    def _show_nothing(self) -> None:
        self._asked = self.traversal = self._kept = None
        self._panel.show_notice("")
        self._panel.show_result(0)
        self._show_route()

    # Where it goes

    def send_to_napari(self) -> None:
        """Add the images as a layer beside the map; its first axis is the step.

        Beside it, because the map is where one works: the layer covers nothing, and the
        view is widened so that both are seen. The map stays the active layer.
        """
        traversal, asked, session = self.traversal, self._asked, self._window.session
        if traversal is None or asked is None or session is None:
            return
        dataset = session.dataset
        stack, axes, is_rgb = _stack(traversal.images)
        figures = report(traversal, asked, dataset.ids)
        places = session.edits.positions
        lowest, highest = places.min(axis=0), places.max(axis=0)
        extent = highest - lowest
        size = float(extent.max()) / 2
        scale = size / max(dataset.image_size)
        corner = (
            float(lowest[0] + (extent[0] - dataset.image_size[0] * scale) / 2),
            float(highest[1] + 0.08 * extent[1]),
        )
        viewer = self._window.viewer
        active = viewer.layers.selection.active
        count = len(traversal.indices)
        what = (
            f"{count} images" if count > 1 else str(dataset.ids[traversal.indices[0]])
        )
        layer = viewer.add_image(
            stack,
            name=f"{what} → {asked.goal}",
            rgb=is_rgb,
            axis_labels=axes,
            scale=[1.0] * (len(axes) - 2) + [scale, scale],
            translate=[0.0] * (len(axes) - 2) + list(corner),
            contrast_limits=None if is_rgb else (0.0, 1.0),
            metadata={"spaceediting": {"target": asked.goal, **figures}},
        )
        viewer.layers.selection.active = active
        viewer.reset_view()
        viewer.dims.set_current_step(viewer.dims.ndim - layer.ndim, self._panel.step)
        tell(f"“{layer.name}” is beside the map: the slider “step” goes through it.")

    def save_to(self, folder: Path) -> None:
        """Write the images into a folder, beside the window."""
        traversal, asked, session = self.traversal, self._asked, self._window.session
        if traversal is None or asked is None or session is None:
            return
        dataset = session.dataset
        self._window.in_thread(
            lambda: write_traversal(traversal, asked, dataset, folder),
            lambda _: tell(f"The images are in {folder}."),
            complain,
        )

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._panel, "Folder for the images")
        if chosen:
            self.save_to(Path(chosen))

    # What the network has

    def _list_layers(self) -> None:
        """Have the layers of the network listed as soon as the user asks for them."""
        session, panel = self._window.session, self._panel
        network = None if session is None else session.shown.network
        spec = (
            None
            if network is None
            else replace(network.spec, weights=None, n_classes=0)
        )
        if spec == self._listed:
            return
        self._listed = None
        panel.layers.offer(())
        if spec is None or panel.layers.isHidden():
            return
        self._listed = spec
        panel.layers.offer((), "Looking at the network…")

        def take(layers: tuple[Layer, ...]) -> None:
            if self._listed == spec:
                panel.layers.offer(layers)
                self._update()

        def fail(error: SpaceEditingError) -> None:
            if self._listed == spec:
                # Looked at again, it is tried again.
                self._listed = None
                panel.layers.offer((), str(error))

        self._window.training.ask(ListLayers(spec), take, fail)

    # What the panel says

    def _forget(self) -> None:
        """Show nothing of another session."""
        self._running = None
        self._previews, self._parts, self._group = [], [], NOTHING
        self._panel.set_running(False)
        self._show_nothing()
        self._list_layers()

    def _select_one(self, index: int) -> None:
        self._window.select(np.array([index]))

    def _update(self, *_: object) -> None:
        """Say what is selected and offered, and whether it can run."""
        window, panel, session = self._window, self._panel, self._window.session
        panel.set_selection(len(window.selected))
        if session is not None and window.has_map:
            panel.set_targets(session.edits.class_names, len(self._group))
            panel.show_hint("")
        else:
            panel.set_targets((), 0)
            panel.show_hint(f"{NO_MAP}, in the Space Editor.")
        panel.block_run(self._why_not())


def _chance(
    kind: int, names: Sequence[str], said: NDArray[np.float32]
) -> Chance | None:
    """Return what the network says of a class, None where it does not know it."""
    if not 0 <= kind < min(said.shape[1], len(names)):
        return None
    colour = class_colours(len(names))[kind].tolist()
    return Chance(names[kind], colour, said[:, kind])


def _stack(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[str], bool]:
    """Return images (n, s, C, H, W) for a layer, the names of its axes, whether RGB.

    The step comes first, then the image if there are several, then the channel unless
    it is the only one or a colour.
    """
    stack = images.swapaxes(0, 1)
    axes = ["step", "image", "channel", "y", "x"]
    is_rgb = stack.shape[2] == 3
    if is_rgb:
        stack = np.moveaxis(stack, 2, -1)
        axes.remove("channel")
    elif stack.shape[2] == 1:
        stack = stack[:, :, 0]
        axes.remove("channel")
    if stack.shape[1] == 1:
        stack = stack[:, 0]
        axes.remove("image")
    return stack, axes, is_rgb
