"""Opening, training, mapping, retraining and adding images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from napari.layers import Image, Labels
from napari.settings import get_plugin_settings
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.open import (
    OpenDataset,
    OpenObjects,
    OpenSample,
    OpenStack,
)
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.editing.retrain import Retrain, RetrainResult
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Job, Progress
from napari_spaceediting.network.jobs import TrainedNetwork
from napari_spaceediting.network.spec import (
    BACKBONES,
    ClassifierSpec,
    TrainSettings,
)
from napari_spaceediting.plugin.opening.panel import DatasetSummary
from napari_spaceediting.plugin.opening.saving import SavingController
from napari_spaceediting.plugin.runner import JobRunner
from napari_spaceediting.plugin.space_editor import (
    DATA,
    EDITS,
    GUIDANCE,
    MAP,
    NETWORK,
    RETRAIN,
    SpaceEditor,
)
from napari_spaceediting.plugin.state import BUSY, TO_DECIDE, Desk, complain, tell
from napari_spaceediting.plugin.widgets.section import ACTIVE, DONE, TODO
from napari_spaceediting.projection.layout import MapResult
from napari_spaceediting.projection.settings import Method
from napari_spaceediting.projection.warm_up import WarmUp
from napari_spaceediting.session.adding import Added
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import SUFFIX, load_session
from napari_spaceediting.session.training import MappedNetwork
from napari_spaceediting.traversal.job import Traverse

R = TypeVar("R")

KEEP_MAP = "Retrain with the edits, or take them back, before a new map."
_FILES = "Tables and arrays (*.csv *.tsv *.parquet *.npy *.npz *.zarr);;All (*)"
_SMALL = 96
"""Longer side in pixels up to which the small network trains by itself."""
_FEW = 20_000
"""Images up to which thumbnails have their full size."""


class WorkController:
    """Runs what takes long, and hands the results to the session.

    Parameters
    ----------
    desk : Desk
        What the controllers share.
    editor : SpaceEditor
        Its data, network and retrain panels and its job bar belong here.
    saving : SavingController
        Is asked before a session is left.
    """

    def __init__(
        self, desk: Desk, editor: SpaceEditor, saving: SavingController
    ) -> None:
        self._desk = desk
        self._editor = editor
        self._saving = saving
        self._reads = ""
        self._spec = ClassifierSpec()
        self._show_figures: Callable[[Progress], None] | None = None
        desk.reading.started.connect(self._on_reading)
        for runner in (desk.reading, desk.training):
            self._listen(runner)
        for signal in (
            desk.reading.finished,
            desk.reading.cancelled,
            desk.reading.failed,
        ):
            signal.connect(self._resume_thumbnails)
        editor.job_bar.cancel_requested.connect(self.cancel)
        data = editor.data
        data.set_samples([(key, sample.title) for key, sample in SAMPLES.items()])
        data.sample_requested.connect(self.open_sample)
        data.folder_requested.connect(self._ask_folder)
        data.file_requested.connect(self._ask_file)
        data.session_requested.connect(self._ask_session)
        data.layers_requested.connect(self.open_layers)
        data.add_folder_requested.connect(self._ask_folder_to_add)
        data.add_file_requested.connect(self._ask_file_to_add)
        data.restore_requested.connect(self.restore)
        editor.network.set_backbones(BACKBONES)
        editor.network.train_requested.connect(self.train)
        editor.map.redraw_requested.connect(self.draw_map)
        editor.retrain.retrain_requested.connect(self.retrain)
        desk.session_changed.connect(self._on_session)
        for signal in (desk.edits_changed, desk.shown_changed, desk.rounds_changed):
            signal.connect(self._update)
        self._offered = False
        desk.session_changed.connect(self._withhold_retraining)
        desk.edits_changed.connect(self._offer_retraining)
        desk.images_changed.connect(self._on_images)
        layers = desk.viewer.layers.events
        layers.inserted.connect(self._list_layers)
        layers.removed.connect(self._list_layers)
        self._list_layers()
        self._update()
        desk.training.warm_up(WarmUp())

    def _listen(self, runner: JobRunner) -> None:
        """Tell of all jobs of a runner."""
        runner.started.connect(self._editor.job_bar.start)
        runner.progressed.connect(self._on_progress)
        runner.finished.connect(self._on_finished)
        runner.cancelled.connect(self._on_cancelled)
        runner.failed.connect(self._on_failed)
        for signal in (
            runner.started,
            runner.finished,
            runner.cancelled,
            runner.failed,
        ):
            signal.connect(self._update)

    # Opening

    def open_sample(self, name: str, labels_per_class: int | None = None) -> None:
        """Open one of the samples, with all labels or only some of each class."""
        self._open(OpenSample(name, self._seed, labels_per_class))

    def open_path(self, path: Path) -> None:
        """Open a saved session, or images."""
        if path.suffix == SUFFIX:
            self.open_session(path)
        else:
            self._open(OpenDataset(path, seed=self._seed))

    def open_layers(self, image: str, labels: str, options: dict[str, Any]) -> None:
        """Open a stack of images, or the objects of a segmentation."""
        layers = self._desk.viewer.layers
        if labels:
            job: Job[ImageDataset] = OpenObjects(
                layers[image].data,
                layers[labels].data,
                title=f"Objects of {labels}",
                seed=self._seed,
                **options,
            )
        else:
            job = OpenStack(
                layers[image].data,
                title=image,
                channel_axis=options.get("channel_axis"),
                seed=self._seed,
            )
        self._open(job)

    def open_session(self, path: Path) -> None:
        """Open a saved session and go on where one was."""
        if self._saving.may_leave():
            self._desk.opening.emit()
            self._desk.reading.cancel()

            def load() -> SessionState:
                # It may be the session that is just being saved.
                self._saving.wait()
                return load_session(path)

            self._desk.in_thread(
                load, lambda state: self._take_state(state, path), complain
            )

    def _open(self, job: Job[ImageDataset]) -> None:
        if self._saving.may_leave():
            self._desk.opening.emit()
            self._desk.reading.run(job, self._on_dataset)

    def _on_dataset(self, dataset: ImageDataset) -> None:
        session = new_session(
            dataset,
            train=self._preferred_training(),
            seed=self._seed,
            cache_dir=self._cache_dir,
        )
        small = max(dataset.image_size) <= _SMALL
        self._spec = (
            ClassifierSpec()
            if small
            else ClassifierSpec(backbone="resnet18", weights="pretrained")
        )
        if not small:
            session.set_train_settings(
                replace(session.state.train, trainable="head", epochs=60)
            )
        self._desk.take_session(session, None)
        self._draw_thumbnails()
        if small:
            self.train(self._spec, session.state.train)
        else:
            self._editor.open_section(NETWORK)

    def restore(self) -> None:
        """Open the copy that is offered of a session that was never saved."""
        copy = self._saving.offered
        if copy is None or not self._saving.may_leave():
            return

        def take(state: SessionState) -> None:
            self._take_state(state, None)
            self._saving.adopt(copy)

        self._desk.opening.emit()
        self._desk.reading.cancel()
        self._desk.in_thread(lambda: load_session(copy.session), take, complain)

    def _take_state(self, state: SessionState, path: Path | None) -> None:
        network = state.checkpoint.network
        self._spec = network.spec if network else ClassifierSpec()
        self._desk.take_session(Session(state, self._cache_dir), path)
        self._draw_thumbnails()
        if self._desk.has_map:
            self._unfold_map()
        elif network is None:
            self._editor.open_section(NETWORK)

    def _draw_thumbnails(self) -> None:
        session = self._desk.session
        assert session is not None
        full = self._preferences().display.thumbnail_size
        size = full if len(session.dataset) <= _FEW else min(full, 32)

        def take(thumbnails: Any) -> None:
            if session is self._desk.session:
                self._desk.thumbnails = thumbnails
                self._desk.thumbnails_changed.emit()

        job = PackThumbnails(session.dataset, size, session.cache_dir)
        self._desk.reading.run(job, take)

    def _on_reading(self, name: str) -> None:
        self._reads = name

    def _resume_thumbnails(self, _ended: str) -> None:
        """Draw the thumbnails after all, if other work has taken their turn."""
        desk = self._desk
        missing = desk.session is not None and desk.thumbnails is None
        if (
            missing
            and self._reads != PackThumbnails.name
            and not desk.reading.is_running
        ):
            self._draw_thumbnails()

    # Training and mapping

    def train(self, spec: ClassifierSpec, settings: TrainSettings) -> None:
        """Train the network, and draw its map."""
        session = self._session()
        try:
            job = replace(session.training(spec), settings=settings)
        except SpaceEditingError as error:
            complain(error)
            return
        self._spec = spec
        session.set_train_settings(settings)
        network = self._editor.network
        network.clear_curve()
        self._editor.open_section(NETWORK)

        def show(progress: Progress) -> None:
            if "loss" in progress.metrics:
                accuracy = progress.metrics.get("validation_accuracy")
                network.show_progress(progress.done, progress.metrics["loss"], accuracy)

        def take(trained: MappedNetwork) -> None:
            session.take_network(trained)
            self._tell_trained(trained)
            self.draw_map(session.state.map.method)

        self._run(job, take, show)

    def draw_map(self, method: Method) -> None:
        """Draw the map of the network."""
        session = self._session()
        try:
            job = replace(
                session.mapping(), settings=replace(session.state.map, method=method)
            )
        except SpaceEditingError as error:
            complain(error)
            return
        session.set_map_settings(job.settings)

        def take(drawn: MapResult) -> None:
            session.take_map(drawn)
            self._tell_map(drawn)
            self._unfold_map()

        self._run(job, take)

    def _withhold_retraining(self) -> None:
        self._offered = False

    def _offer_retraining(self) -> None:
        """Unfold the retraining at the first edit of a session, and then no more."""
        session = self._desk.session
        if not self._offered and session is not None and session.edits.edited.any():
            self._offered = True
            self._editor.unfold_section(RETRAIN)

    def retrain(self, settings: RetrainSettings | None = None) -> None:
        """Retrain with the open edits; the outcome awaits a decision."""
        session = self._session()
        if settings is not None:
            session.set_retrain_settings(settings)
        panel = self._editor.retrain
        try:
            job = session.retraining()
        except SpaceEditingError as error:
            complain(error)
            return
        panel.clear_curve()
        self._editor.fold_section(GUIDANCE)
        self._editor.open_section(RETRAIN)

        def show(progress: Progress) -> None:
            if "loss" in progress.metrics:
                panel.show_progress(progress.done, progress.metrics["loss"])

        def redraw(result: RetrainResult) -> None:
            self._run(
                session.remapping(result), lambda drawn: self._propose(result, drawn)
            )

        self._run(job, redraw, show)

    # Images that come later

    def add_images(self, path: Path) -> None:
        """Add images to the session, where they belong on the map as it is."""
        session = self._session()
        n_before = len(session.dataset)

        def take(added: Added) -> None:
            session.take_images(added)
            self._desk.select(np.arange(n_before, len(session.dataset)))
            tell(_describe_added(added, has_map=self._desk.has_map))

        self._run(session.adding(path), take)

    def _on_images(self) -> None:
        """Show that there are more images, and draw the pictures of the new ones."""
        session = self._session()
        self._show_dataset(session)
        self._draw_thumbnails()

    def cancel(self) -> None:
        """Cancel whatever the user waits for."""
        desk = self._desk
        unasked = self._reads == PackThumbnails.name
        if not (desk.training.is_running and unasked):
            desk.reading.cancel()
        desk.training.cancel()

    def _propose(self, result: RetrainResult, drawn: MapResult) -> None:
        self._session().propose(result, drawn)
        self._tell_map(drawn)

    def _run(
        self,
        job: Job[R],
        then: Callable[[R], None],
        show: Callable[[Progress], None] | None = None,
    ) -> None:
        self._show_figures = show
        self._desk.training.run(job, then)

    # Asking

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._editor, "Folder of images")
        if chosen:
            self.open_path(Path(chosen))

    def _ask_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._editor, "Table or array of images", "", _FILES
        )
        if chosen:
            self.open_path(Path(chosen))

    def _ask_session(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self._editor, f"Session folder (*{SUFFIX})"
        )
        if chosen:
            self.open_session(Path(chosen))

    def _ask_folder_to_add(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._editor, "Folder of new images")
        if chosen:
            self.add_images(Path(chosen))

    def _ask_file_to_add(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._editor, "Table or array of new images", "", _FILES
        )
        if chosen:
            self.add_images(Path(chosen))

    # What the panels say

    def _on_session(self) -> None:
        session = self._session()
        self._show_dataset(session)
        self._editor.network.set_settings(self._spec, session.state.train)
        self._editor.network.clear_curve()
        self._editor.map.set_method(session.state.map.method)
        self._editor.retrain.set_settings(session.state.retrain)
        self._editor.retrain.clear_curve()
        self._update()

    def _show_dataset(self, session: Session) -> None:
        dataset = session.dataset
        self._editor.data.show_dataset(
            DatasetSummary(
                name=dataset.name,
                # The name stands above them.
                lines=tuple(
                    line.removeprefix(f"{dataset.name}: ") for line in dataset.summary()
                ),
                scaling=dataset.scaling.describe(),
                skipped=tuple((entry.name, entry.reason) for entry in dataset.skipped),
                notes=dataset.notes,
            )
        )
        self._editor.retrain.set_truth_known("truth" in dataset.columns)

    def _on_progress(self, progress: Progress, remaining: float | None) -> None:
        self._editor.job_bar.report(progress, remaining)
        if self._show_figures is not None:
            self._show_figures(progress)

    def _on_finished(self, _name: str) -> None:
        if not self._desk.is_busy:
            self._editor.job_bar.finish("Done")

    def _on_cancelled(self, name: str) -> None:
        kept = name == Traverse.name
        self._editor.job_bar.finish(
            "Stopped; what was finished is kept"
            if kept
            else "Cancelled; nothing was changed"
        )

    def _on_failed(self, sentence: str) -> None:
        self._editor.job_bar.fail(sentence)
        complain(sentence)

    def _tell_trained(self, trained: TrainedNetwork) -> None:
        scores = [epoch.validation_accuracy for epoch in trained.train.history]
        known = [score for score in scores if score == score]
        best = f": validation accuracy {max(known):.1%}" if known else ""
        self._editor.network.show_status(
            f"{trained.spec.backbone} on {trained.train.device}{best}"
        )
        for note in trained.notes:
            tell(note)

    def _unfold_map(self) -> None:
        self._editor.fold_section(DATA)
        self._editor.fold_section(NETWORK)
        self._editor.open_section(MAP)
        self._editor.open_section(GUIDANCE)

    def _tell_map(self, drawn: MapResult) -> None:
        trust = drawn.quality.trustworthiness
        self._editor.map.show_quality(
            f"Trustworthiness of the map: {trust:.2f} of 1. {drawn.note}"
            if trust == trust
            else drawn.note
        )

    def _list_layers(self, _event: object = None) -> None:
        layers = self._desk.viewer.layers
        self._editor.data.set_layers(
            [layer.name for layer in layers if isinstance(layer, Image)],
            [layer.name for layer in layers if isinstance(layer, Labels)],
        )

    def _update(self, *_: object) -> None:
        """Say in every section how its step stands and whether it can be used."""
        editor, session, desk = self._editor, self._desk.session, self._desk
        editor.data.set_enabled(not desk.reading.is_running, BUSY)
        steps = (NETWORK, MAP, GUIDANCE, EDITS, RETRAIN)
        if session is None:
            editor.set_status(DATA, "", ACTIVE)
            for key in steps:
                editor.set_available(key, False, "Open images first")
            return
        state, shown = session.state, session.shown
        editor.data.block_add(BUSY if desk.training.is_running else "")
        editor.set_available(NETWORK, True)
        trained = shown.network is not None
        editor.set_status(
            NETWORK,
            shown.network.spec.backbone if shown.network else "",
            DONE if trained else ACTIVE,
        )
        for key in steps[1:]:
            editor.set_available(key, trained, "Train a network first")
        editor.set_status(MAP, shown.map.method.upper() if shown.map else "", DONE)
        locked = desk.locked
        blocked = BUSY if desk.training.is_running else locked
        no_new_map = blocked or (KEEP_MAP if state.log.done else "")
        editor.network.set_enabled(not no_new_map, no_new_map)
        editor.map.set_redraw_enabled(not no_new_map, no_new_map)
        edited = trained and bool(session.edits.edited.any())
        editor.retrain.set_enabled(
            edited and not blocked,
            blocked
            or "Move, pin or relabel images first; the network learns from that.",
        )
        editor.set_status(
            RETRAIN,
            "running"
            if desk.training.running == Retrain.name
            else {TO_DECIDE: "to decide"}.get(locked, ""),
            ACTIVE if edited or state.proposal else TODO,
        )

    # Preferences

    @staticmethod
    def _preferences() -> Any:
        return get_plugin_settings("napari-spaceediting")

    def _preferred_training(self) -> TrainSettings:
        wanted = self._preferences().training
        return TrainSettings(
            epochs=wanted.epochs,
            learning_rate=float(wanted.learning_rate),
            device=wanted.device,
            seed=wanted.seed,
        )

    @property
    def _seed(self) -> int:
        return int(self._preferences().training.seed)

    @property
    def _cache_dir(self) -> Path | None:
        folder = self._preferences().storage.cache_folder
        return Path(folder).expanduser() if folder else None

    def _session(self) -> Session:
        if self._desk.session is None:
            raise SpaceEditingError("No images are open: open some first.")
        return self._desk.session


def _describe_added(added: Added, *, has_map: bool) -> str:
    """Return such as "Added 12 images, 3 of them labelled. They are selected."."""
    more = added.more
    labelled = int(more.is_labelled.sum())
    which = {0: "none of them", len(more): "all of them"}.get(labelled)
    images = "1 image" if len(more) == 1 else f"{len(more):,} images"
    text = f"Added {images}, {which or f'{labelled:,} of them'} labelled."
    if has_map:
        text += " They are selected, so that you see where on the map they belong."
    if more.skipped:
        text += f" {len(more.skipped):,} were left out; Data says why."
    return text
