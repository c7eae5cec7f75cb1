"""What would make images those of another kind: asked for, shown, sent and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.colours import named_colours, to_hex
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
from napari_spaceediting.plugin.traversal.coming import Coming
from napari_spaceediting.plugin.traversal.kept import details, notice, titles
from napari_spaceediting.plugin.traversal.panel import TraversalPanel
from napari_spaceediting.plugin.traversal.sending import add_layer, beside_the_map
from napari_spaceediting.plugin.widgets.controls import agrees, set_text
from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.preparing import NO_PIXELS
from napari_spaceediting.session.traversals import KeptTraversal
from napari_spaceediting.traversal.export import write_traversal
from napari_spaceediting.traversal.filmstrip import to_rgb
from napari_spaceediting.traversal.jobs import ListLayers, Traverse
from napari_spaceediting.traversal.layers import Layer
from napari_spaceediting.traversal.result import Asked, Traversal
from napari_spaceediting.traversal.settings import TraverseSettings

NO_MAP = "Open images and train a network first"
PREVIEW = "A preview: mixtures of real images."
_BATCH = 8
"""Images that are finished together: what a cancelled run keeps."""
_AFFECTS_RUN = (
    Change.SESSION | Change.EDITS | Change.SHOWN | Change.SELECTION | Change.JOBS
)
_AFFECTS_KEPT = Change.SESSION | Change.SHOWN | Change.ROUNDS | Change.TRAVERSALS
_NO_PICTURE = np.full((8, 8, 3), 128, np.uint8)


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
        self._shown: Coming | None = None
        self._pictures: dict[int, NDArray[np.uint8] | None] = {}
        self._kept: KeptTraversal | None = None
        self._listed: object = None
        panel.run_button.clicked.connect(self.run)
        panel.progress.cancel_requested.connect(self.cancel)
        panel.group_button.clicked.connect(self.use_selection_as_target)
        panel.targets.activated.connect(self._update)
        panel.image_changed.connect(self._show_image)
        panel.way.step_changed.connect(self._show_route)
        panel.send_button.clicked.connect(self.send_to_napari)
        panel.save_button.clicked.connect(self._ask_folder)
        panel.way.real_images.picture_of = self._picture_of
        panel.way.real_images.chosen.connect(self._select_one)
        panel.decide_button.clicked.connect(on_map.naming.ask_again)
        panel.put_back_button.clicked.connect(on_map.naming.put_back)
        panel.seen_changed.connect(self._show_route)
        panel.options_button.clicked.connect(self._list_layers)
        panel.layers.changed.connect(self._update)
        panel.kept_chosen.connect(self._show_kept)
        panel.remove_requested.connect(self._ask_to_remove)
        window.changed.connect(self._on_change)
        self._update()

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._forget()
        if Change.PICTURES in change:
            self._panel.way.real_images.refresh()
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
        session = self._window.mapped
        if session is None:
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
            set_text(panel.notice, f"{reason}." if reason else "")
            return
        target = self._group if panel.target is None else panel.target
        settings = TraverseSettings(
            layers=panel.layers.chosen, regime=panel.regime, batch_size=_BATCH
        )
        try:
            job = session.traversing(self._window.selected, target, settings)
        except SpaceEditingError as error:
            set_text(panel.notice, str(error))
            return
        assert job.asked is not None
        self._begin(job.asked, job.sets.images, job.settings.steps)
        set_text(panel.notice, " ".join(job.notes))
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
        session = self._window.mapped
        if session is None:
            return NO_MAP
        network = session.shown.network
        if network is not None and not network.spec.sees_images:
            return NO_PIXELS.rstrip(".")
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
        part = progress.finished
        if isinstance(part, Traversal):
            mixed = part.is_preview and part.regime == "mixtures"
            set_text(self._panel.notice, " ".join((*part.notes, PREVIEW * mixed)))
            self._take_part(part)

    def _take(self, traversal: Traversal) -> None:
        job, self._running = self._running, None
        assert job is not None
        self._panel.set_running(False)
        self._keep(job, traversal)

    def _rescue(self) -> str:
        """Keep what was finished when it was cancelled or failed."""
        job, self._running = self._running, None
        if job is None or self._shown is None:
            return ""
        self._panel.set_running(False)
        traversal, total = self._shown.finished, len(job.sets.images)
        if traversal is None:
            notice = "Nothing was finished when it stopped."
            set_text(
                self._panel.notice, f"{notice} {PREVIEW * (self.traversal is not None)}"
            )
            return ""
        whole = int((traversal.made == traversal.settings.steps).sum())
        verb = "was" if whole == 1 else "were"
        words = f"{whole} of {total} images {verb} finished when it stopped"
        if whole < len(traversal.made):
            words += f", {len(traversal.made) - whole} in part"
        self._keep(job, replace(traversal, notes=(f"{words}.", *traversal.notes)))
        return "What was finished is kept."

    def _keep(self, job: Traverse, traversal: Traversal) -> None:
        """Show what came of a job, as what the session keeps from now on."""
        session = self._window.opened
        assert job.asked is not None
        self._shown = Coming(job.asked, traversal.indices, traversal.settings.steps)
        self._take_part(traversal)
        self._choose(session.keep(job, traversal))

    @property
    def traversal(self) -> Traversal | None:
        """What there is to see, of all images; None where there is nothing yet."""
        return None if self._shown is None else self._shown.whole

    def _begin(self, asked: Asked, images: NDArray[np.int64], steps: int) -> None:
        """Show the originals, and empty places for the steps to come."""
        self._show_nothing()
        self._choose(None)
        self._shown = Coming(asked, images, steps)
        self._panel.block_use("Wait for the first step")
        self._panel.show_result(len(images))
        self._show_image()

    def _take_part(self, part: Traversal) -> None:
        """Show what has come of some images; the one at hand stays, and its step."""
        shown, panel = self._shown, self._panel
        assert shown is not None
        shown.take(part)
        if part.last.any():
            panel.block_use("")
        panel.show_result(len(shown.images))
        if shown.images[panel.image] in part.indices:
            self._show_image()
        else:
            self._show_route()

    def _show_image(self, *_: object) -> None:
        """Show the image at hand as far as it is made."""
        shown, session = self._shown, self._window.session
        if shown is None or session is None or session.shown.network is None:
            return
        at = self._panel.image
        index = int(shown.images[at])
        picture = self._picture_of(index)
        if picture is None:
            picture = _NO_PICTURE
        network = session.state.shown.network
        assert network is not None
        said = network.predictions.probabilities[index]
        colours = self._colours(shown.asked)
        strip = shown.strip(at, session.dataset.ids, picture, said, colours)
        self._panel.show_strip(strip)
        self._read(strip.nearest if shown.one(at) else np.array([index]))

    def _picture_of(self, index: int) -> NDArray[np.uint8] | None:
        """Return an image as the network sees it; its thumbnail until it is read."""
        thumbnails, picture = self._window.thumbnails, self._pictures.get(index)
        if picture is None and thumbnails is not None:
            return thumbnails[index]
        return picture

    def _colours(self, asked: Asked) -> NDArray[np.float32]:
        """Return the colours of the classes that were asked for, as they are now."""
        now = map(to_hex, self._window.class_colours)
        chosen = dict(zip(self._window.edits.class_names, now, strict=False))
        return named_colours(asked.class_names, chosen)

    def _read(self, indices: NDArray[np.int64]) -> None:
        """Read real images in a thread: they are shown as large as the steps."""
        session, pictures = self._window.session, self._pictures
        missing = [i for i in np.unique(indices).tolist() if i not in pictures]
        if session is None or not missing:
            return
        dataset = session.dataset
        pictures.update(dict.fromkeys(missing))

        def take(found: NDArray[np.uint8]) -> None:
            pictures.update(zip(missing, found, strict=True))
            if pictures is self._pictures:
                self._panel.way.real_images.refresh()
                if self.traversal is None:
                    self._show_image()

        # What cannot be read is shown as small as it is on the map.
        self._window.in_thread(
            lambda: to_rgb(dataset.images(missing)), take, lambda _: None
        )

    def _show_route(self, *_: object) -> None:
        """Show on the map where the images travel, while the dock is seen."""
        view, session, shown = self._map.view, self._window.mapped, self._shown
        if view is None:
            return
        route = Routes()
        if shown is not None and session is not None and self._panel.is_seen:
            route = shown.routes(
                session.edits.positions,
                self._panel.image,
                self._panel.step,
                self._colours(shown.asked),
            )
        view.overlay.change(route=route)

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
            set_text(panel.notice, notice(kept, self.traversal, session))
            panel.show_details(details(kept, self.traversal, session))

    def _show_kept(self, number: int) -> None:
        """Show a result that was kept."""
        kept = self._all_kept()[number]
        self._show_nothing()
        try:
            traversal = kept.outcome.read()
        except SpaceEditingError as error:
            set_text(self._panel.notice, str(error))
        else:
            steps = traversal.settings.steps
            self._shown = Coming(kept.asked, traversal.indices, steps)
            self._take_part(traversal)
        self._choose(kept)

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
        self._shown = self._kept = None
        self._pictures = {}
        set_text(self._panel.notice, "")
        self._panel.show_result(0)
        self._show_route()

    # Where it goes

    def send_to_napari(self) -> None:
        """Add the images as a layer beside the map; its first axis is the step."""
        traversal, session, shown = self.traversal, self._window.session, self._shown
        if traversal is None or shown is None or session is None:
            return
        layer = beside_the_map(traversal, shown.asked, session)
        name = add_layer(self._window.viewer, layer, self._panel.step)
        tell(f"“{name}” is beside the map: the slider “step” goes through it.")

    def save_to(self, folder: Path) -> None:
        """Write the images into a folder, beside the window."""
        traversal, session, shown = self.traversal, self._window.session, self._shown
        if traversal is None or shown is None or session is None:
            return
        dataset = session.dataset
        self._window.in_thread(
            lambda: write_traversal(traversal, shown.asked, dataset, folder),
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
        if spec is None or not panel.options_button.isChecked():
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
        self._group = NOTHING
        self._panel.set_running(False)
        self._show_nothing()
        self._list_layers()

    def _select_one(self, index: int) -> None:
        self._window.select(np.array([index]))

    def _update(self, *_: object) -> None:
        """Say what is selected and offered, and whether it can run."""
        window, panel, session = self._window, self._panel, self._window.mapped
        panel.set_selection(len(window.selected))
        if session is not None:
            panel.set_targets(session.edits.class_names, len(self._group))
            panel.show_hint("")
        else:
            panel.set_targets((), 0)
            panel.show_hint(f"{NO_MAP}, in the Space Editor.")
        panel.gate.block(panel.run_button, self._why_not())
