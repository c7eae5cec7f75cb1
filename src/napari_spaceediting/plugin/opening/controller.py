"""Opening images and sessions, adding images, and the pictures of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.data.arrays import find_in_stack, finest
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.objects import find_objects
from napari_spaceediting.data.open import FILES, OpenDataset, OpenLayers, OpenSample
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.data.words import details_of, note_of
from napari_spaceediting.errors import SessionBusy, SpaceEditingError
from napari_spaceediting.jobs.job import Job
from napari_spaceediting.network.trust import is_trusted, trust
from napari_spaceediting.plugin.opening.panel import DataPanel, Layers
from napari_spaceediting.plugin.opening.recovery import PROGRAM
from napari_spaceediting.plugin.opening.saving import SavingController
from napari_spaceediting.plugin.state import (
    Change,
    WindowState,
    complain,
    complaining,
    preferences,
    tell,
)
from napari_spaceediting.plugin.status import why_no_adding
from napari_spaceediting.plugin.widgets.controls import agrees
from napari_spaceediting.session.adding import Added
from napari_spaceediting.session.files import is_session
from napari_spaceediting.session.folder import SUFFIX, SessionFolder
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.wording import counted

_SESSIONS = f"Session folder (*{SUFFIX})"
_FILES = f"Tables and arrays ({FILES});;All (*)"
_NO_FILES = (
    "Embeddings are given to images of a folder, a table or an array as they are "
    "opened: open those first, under Data."
)
_FEW = 20_000
"""Images up to which thumbnails have their full size."""


class OpeningController:
    """Opens what the data panel asks for, and hands it to the window.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : DataPanel
        The view.
    saving : SavingController
        Is asked before a session is left.
    prepare : callable
        Called when something is about to be opened.
    begin : callable
        Called when images are open that no network has seen.
    """

    def __init__(
        self,
        window: WindowState,
        panel: DataPanel,
        saving: SavingController,
        prepare: Callable[[], None],
        begin: Callable[[], None],
    ) -> None:
        self._window = window
        self._panel = panel
        self._saving = saving
        self._prepare = prepare
        self._begin = begin
        self._opened_by: Job[ImageDataset] | None = None
        panel.set_samples([(key, sample.title) for key, sample in SAMPLES.items()])
        panel.sample_requested.connect(self.open_sample)
        folder, file = self._ask_folder, self._ask_file
        new, add, files = self.open_path, self.add_images, "Table or array of images"
        for signal, ask, title, take in (
            (panel.folder_button.clicked, folder, "Folder of images", new),
            (panel.file_button.clicked, file, files, new),
            (panel.session_button.clicked, folder, _SESSIONS, self.open_session),
            (panel.add_folder.triggered, folder, "Folder of new images", add),
            (panel.add_file.triggered, file, files, add),
        ):
            signal.connect(lambda *_, a=ask, what=title, then=take: a(what, then))
        panel.layers_requested.connect(self.open_layers)
        panel.restore_button.clicked.connect(self.restore)
        window.changed.connect(self._on_change)
        reading = window.reading
        for ended in (reading.finished, reading.cancelled, reading.failed):
            ended.connect(self._resume_thumbnails)
        layers = window.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.connect(panel.reset_choices)

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.IMAGES):
            self._show_dataset()
        if Change.IMAGES in change:
            self._draw_thumbnails()
        if change & (Change.SESSION | Change.JOBS):
            panel = self._panel
            panel.gate.block(panel.add_button, why_no_adding(self._window.facts))

    # Opening

    def open_sample(self, name: str, labels_per_class: int | None = None) -> None:
        """Open one of the samples, with all labels or only some of each class."""
        self._open(OpenSample(name, _seed(), labels_per_class))

    def open_path(self, path: Path) -> None:
        """Open a saved session, or images."""
        if path.suffix == SUFFIX or is_session(path):
            self.open_session(path)
        else:
            self._open(OpenDataset(path, _seed()))

    def open_with_embeddings(self, path: Path) -> None:
        """Open the images that are open once more, with embeddings from a file."""
        if isinstance(self._opened_by, OpenDataset):
            self._open(replace(self._opened_by, embeddings=path))
        else:
            complain(_NO_FILES)

    def open_layers(self, of: Layers) -> None:
        """Open a stack of images, or the objects of a segmentation."""
        pixels, name, rgb = finest(of.image.data), of.image.name, of.image.rgb
        find: Callable[[], Found]
        if of.labels is None:
            find = partial(find_in_stack, pixels, name, of.channel_axis, rgb=rgb)
        else:
            find = partial(
                find_objects,
                pixels,
                finest(of.labels.data),
                padding=of.padding / 100,
                mask_outside=of.mask_outside,
                channel_axis=of.channel_axis,
                rgb=rgb,
                name=f"Objects of {of.labels.name}",
            )
        self._open(OpenLayers(find, _seed()))

    def open_session(self, path: Path) -> None:
        """Open a saved session and go on where one was.

        One that somebody else has open can be looked at, if the user wants to.
        """

        def failed(error: SpaceEditingError) -> None:
            if not isinstance(error, SessionBusy):
                complain(error)
            elif agrees(
                self._panel,
                "Open read only",
                f"{error}\n\n"
                "Open it read only? What you change can be saved elsewhere.",
            ):
                look = partial(self._opened, path, is_read_only=True)
                self._load(look, self._take_state)

        if self._saving.may_leave():
            self._load(partial(self._opened, path), self._take_state, failed)

    def restore(self) -> None:
        """Open the copy that is offered of a session that was never saved."""
        copy = self._saving.offered
        if copy is None or not self._saving.may_leave():
            return

        def take(state: SessionState, _: SessionFolder) -> None:
            self._take_state(state, None)
            self._saving.adopt(copy)

        self._load(lambda: copy.folder, take)

    def _open(self, job: Job[ImageDataset]) -> None:
        if self._saving.may_leave():
            self._prepare()
            self._window.reading.run(job, partial(self._on_dataset, job))

    def _opened(self, path: Path, *, is_read_only: bool = False) -> SessionFolder:
        """Open a folder, unless it is the one that is open here."""
        own = self._window.folder
        if own is not None and own.path == path.resolve() and not is_read_only:
            return own
        return SessionFolder.open(path, is_read_only=is_read_only, program=PROGRAM)

    def _load(
        self,
        opened: Callable[[], SessionFolder],
        take: Callable[[SessionState, SessionFolder], None],
        failed: Callable[[SpaceEditingError], None] = complain,
    ) -> None:
        notes: list[str] = []

        def load() -> tuple[SessionState, SessionFolder]:
            # It may be the session that is just being saved.
            self._saving.wait()
            folder = opened()
            try:
                return folder.load(notes.append), folder
            except BaseException:
                if folder is not self._window.folder:
                    folder.close()
                raise

        def take_and_tell(loaded: tuple[SessionState, SessionFolder]) -> None:
            take(*loaded)
            if notes:
                tell("\n".join(notes))

        self._prepare()
        self._window.reading.cancel()
        self._window.in_thread(load, take_and_tell, failed)

    def open_dataset(
        self, dataset: ImageDataset, job: Job[ImageDataset] | None = None
    ) -> None:
        """Begin a session on images that no network has seen."""
        self._opened_by = job
        self._window.take_session(new_session(dataset, seed=_seed()), None)
        self._draw_thumbnails()

    def _on_dataset(self, job: Job[ImageDataset], dataset: ImageDataset) -> None:
        self.open_dataset(dataset, job)
        self._begin()

    def _take_state(self, state: SessionState, folder: SessionFolder | None) -> None:
        self._opened_by = None
        self._window.take_session(Session(state), folder)
        self._draw_thumbnails()
        network = state.shown.network
        if network is not None and not is_trusted(network.spec.backbone):
            self._ask_for_trust(network.spec.backbone)

    # Images that come later

    def add_images(self, path: Path) -> None:
        """Add images to the session, where they belong on the map as it is."""
        window, session = self._window, self._window.opened
        n_before = len(session.dataset)

        def take(added: Added) -> None:
            session.take_images(added)
            window.select(np.arange(n_before, len(session.dataset)))
            tell(_describe_added(added, has_map=window.has_map))

        window.training.run(session.adding(path), take)

    # Pictures

    def _draw_thumbnails(self) -> None:
        window, session = self._window, self._window.opened
        full = preferences().display.thumbnail_size
        size = full if len(session.dataset) <= _FEW else min(full, 32)

        def take(thumbnails: NDArray[np.uint8]) -> None:
            if session is window.session:
                window.thumbnails = thumbnails
                window.notify(Change.PICTURES)

        job = PackThumbnails(session.dataset, size)
        window.reading.run(job, take)

    def _resume_thumbnails(self, ended: object, *_: object) -> None:
        """Draw the thumbnails after all, if other work has taken their turn."""
        window = self._window
        missing = window.session is not None and window.thumbnails is None
        own = isinstance(ended, PackThumbnails)
        if missing and not own and not window.reading.is_running:
            self._draw_thumbnails()

    # Asking

    def _ask_for_trust(self, backbone: str) -> None:
        is_known = agrees(
            self._panel,
            "Code from elsewhere",
            f"The network of this session is built by {backbone}, which is code from "
            "outside of this program. From somebody you do not know, it could do harm."
            "\n\nRun it, now and later? You can look at the session without it.",
        )
        if is_known:
            with complaining():
                trust(backbone)

    def _ask_folder(self, title: str, take: Callable[[Path], None]) -> None:
        chosen = QFileDialog.getExistingDirectory(self._panel, title)
        if chosen:
            take(Path(chosen))

    def _ask_file(self, title: str, take: Callable[[Path], None]) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self._panel, title, "", _FILES)
        if chosen:
            take(Path(chosen))

    # What the panel says

    def _show_dataset(self) -> None:
        session = self._window.opened
        dataset = session.dataset
        self._panel.show_dataset(
            dataset.name,
            note_of(dataset),
            details_of(dataset),
            [(entry.name, entry.reason) for entry in dataset.skipped],
        )


def _seed() -> int:
    return int(preferences().training.seed)


def _describe_added(added: Added, *, has_map: bool) -> str:
    """Return such as "Added 12 images, 3 of them labelled. They are selected."."""
    more = added.more
    labelled = int(more.is_labelled.sum())
    which = {0: "none of them", len(more): "all of them"}.get(labelled)
    images = counted(len(more), "image")
    text = f"Added {images}, {which or f'{labelled:,} of them'} labelled."
    if has_map:
        text += " They are selected, so that you see where on the map they belong."
    if more.skipped:
        text += f" {len(more.skipped):,} were left out; Data says why."
    return text
