"""Training the network, drawing its map, and retraining with the edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.splits import UNLABELLED, Split
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.estimating import (
    Duration,
    HowLong,
    sample,
    sample_size,
)
from napari_spaceediting.network.jobs import TrainedNetwork
from napari_spaceediting.network.learnable import what_trains
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    TrainSettings,
    usually_trains,
    with_usual_layout,
)
from napari_spaceediting.network.suggesting import Suggestion, suggested_at_once
from napari_spaceediting.network.trust import title_of, trust
from napari_spaceediting.plugin.state import (
    Change,
    WindowState,
    complain,
    complaining,
    preferences,
    tell,
    warn,
)
from napari_spaceediting.plugin.status import Step, Turn, sections
from napari_spaceediting.plugin.training.asking import SAMPLE, START, ask_before
from napari_spaceediting.plugin.training.network_panel import NetworkPanel
from napari_spaceediting.plugin.training.retrain_panel import RetrainPanel
from napari_spaceediting.plugin.widgets.controls import set_text
from napari_spaceediting.projection.layout import MapResult
from napari_spaceediting.projection.settings import Method
from napari_spaceediting.projection.warm_up import WarmUp
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.training import (
    MappedNetwork,
    MappedRound,
    RetrainAndMap,
    TrainAndMap,
)

_READ = "Cancelled; what was read of the images is kept: Train goes on from there."


class TrainingController:
    """Runs what takes long, and hands the results to the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    network_panel, retrain_panel : NetworkPanel, RetrainPanel
        The views.
    open_sample : callable
        Opens some of the images that are open as a session of its own.
    """

    def __init__(
        self,
        window: WindowState,
        network_panel: NetworkPanel,
        retrain_panel: RetrainPanel,
        open_sample: Callable[[ImageDataset], None],
    ) -> None:
        self._window = window
        self._open_sample = open_sample
        self._network_panel = network_panel
        self._retrain_panel = retrain_panel
        self._has_edited = False
        network_panel.train_requested.connect(self.train)
        network_panel.backbone_named.connect(self._trust)
        network_panel.stop_button.clicked.connect(window.training.enough)
        retrain_panel.retrain_requested.connect(self.retrain)
        window.changed.connect(self._on_change)
        window.training.warm_up(WarmUp())

    def _on_change(self, change: Change) -> None:
        if Change.SESSION in change:
            self._on_session()
        if change & (Change.SESSION | Change.IMAGES):
            self._retrain_panel.set_columns(self._session().dataset.columns)
        if Change.JOBS in change:
            self._network_panel.show_stop(False)
        if Change.EDITS in change and not self._has_edited:
            self._has_edited = bool(self._session().edits.edited.any())
            if self._has_edited:
                self._window.turn_to(Turn.FIRST_EDIT)

    def _on_session(self) -> None:
        session = self._session()
        self._has_edited = False
        network = session.state.checkpoint.network
        dataset = session.dataset
        begun = suggested_at_once(dataset)
        spec = begun.spec if begun else ClassifierSpec()
        if network is not None:
            spec = network.spec
        self._network_panel.offer(
            images=dataset.has_images, embeddings=dataset.features is not None
        )
        self._network_panel.set_settings(spec, session.state.train)
        self._network_panel.curve.clear()
        set_text(self._network_panel.status, _in_words(session))
        self._retrain_panel.set_settings(session.state.retrain)
        self._retrain_panel.curve.clear()
        self._window.turn_to(Turn.EDITING if self._window.has_map else Turn.TRAINING)

    # The network and its map

    def begin(self) -> None:
        """Suggest a network for images that no network has seen; a quick one trains."""
        session, wanted = self._session(), preferences().training
        settings = TrainSettings(
            epochs=wanted.epochs,
            learning_rate=float(wanted.learning_rate),
            device=wanted.device,
            seed=wanted.seed,
        )
        session.set_train_settings(settings)

        def take(found: Suggestion) -> None:
            if self._window.session is not session or self._window.facts.backbone:
                return
            chosen = replace(settings, trainable=usually_trains(found.spec))
            session.set_train_settings(chosen)
            self._network_panel.set_settings(found.spec, chosen)
            set_text(self._network_panel.status, found.why)
            if found.is_quick and not self._window.training.is_running:
                self.train(found.spec, chosen)

        at_once = suggested_at_once(session.dataset)
        if at_once is not None and not at_once.spec.sees_images:
            take(at_once)
        else:
            self._network_panel.set_settings(ClassifierSpec(), settings)
            set_text(
                self._network_panel.status, "Looking for networks that are in reach…"
            )
            self._window.training.ask(session.suggesting(), take, complain)

    def _trust(self, name: str) -> None:
        """Remember that the user has named a backbone from elsewhere."""
        with complaining():
            trust(name)

    def train(self, spec: ClassifierSpec, settings: TrainSettings) -> None:
        """Train the network, and draw its map; what takes long is asked before."""
        session, training = self._session(), self._window.training
        before = session.state.train
        session.set_train_settings(settings)
        try:
            job = session.training(with_usual_layout(spec, settings.trainable))
        except SpaceEditingError as error:
            session.set_train_settings(before)
            complain(error)
            return

        def take(found: Duration) -> None:
            if not found.is_long:
                self._train(job)
                return
            is_fresh = self._window.folder is None and session.is_untouched
            n = len(session.dataset)
            size = sample_size(n, found.seconds) if is_fresh else 0

            def decide(answer: str) -> None:
                if session is not self._window.session or training.is_running:
                    return
                if answer == SAMPLE:
                    some = sample(session.state.dataset, size, settings.seed)
                    self._open_sample(some)
                    self.train(spec, settings)
                elif answer == START:
                    self._train(job)

            panel = self._network_panel
            ask_before(panel, "Train the network", found, n, size, decide)

        training.run(HowLong(job.dataset, job.spec, job.settings), take)

    def _train(self, job: TrainAndMap) -> None:
        session, panel = self._session(), self._network_panel
        panel.curve.clear()
        self._window.turn_to(Turn.TRAINING)

        def report(progress: Progress, _remaining: float | None) -> None:
            if "loss" in progress.metrics:
                accuracy = progress.metrics.get("validation_accuracy")
                panel.curve.append(progress.done, progress.metrics["loss"], accuracy)
                panel.show_stop(True)

        def take(trained: MappedNetwork) -> None:
            session.take_network(trained)
            self._tell_trained(trained)
            self.draw_map(session.state.map.method)

        trains = what_trains(job.dataset, job.spec, job.settings)
        reads = job.spec.sees_images and trains != "all"
        self._window.training.run(
            job, take, report=report, rescue=lambda: _READ if reads else ""
        )

    def draw_map(self, method: Method) -> None:
        """Draw the map of the network."""
        session = self._session()

        def take(drawn: MapResult) -> None:
            self._note(drawn)
            session.take_map(drawn)
            self._window.turn_to(Turn.EDITING)

        with complaining():
            settings = replace(session.state.map, method=method)
            job = replace(session.mapping(), settings=settings)
            session.set_map_settings(settings)
            self._window.training.run(job, take)

    def _note(self, drawn: MapResult) -> None:
        """Say how good a map is that is about to be shown."""
        trust = drawn.quality.trustworthiness
        self._window.map_note = (
            f"Trustworthiness of the map: {trust:.2f} of 1. {drawn.note}"
            if trust == trust
            else drawn.note
        )

    def _tell_trained(self, trained: TrainedNetwork) -> None:
        best = trained.train.accuracy
        said = "" if best is None else f": validation accuracy {best:.1%}"
        set_text(
            self._network_panel.status,
            f"{title_of(trained.spec.backbone)} on {trained.train.device}{said}",
        )
        for note in trained.notes:
            tell(note)

    # Retraining

    def retrain(self, settings: RetrainSettings | None = None) -> None:
        """Retrain with the open edits, asked before where it takes long.

        The outcome awaits a decision. Its map is drawn after it. When that is cancelled
        or fails, another one comes with the round, and says so.
        """
        window, session, panel = self._window, self._session(), self._retrain_panel
        if settings is not None:
            session.set_retrain_settings(settings)

        def decide(answer: str) -> None:
            is_free = session is window.session and not window.training.is_running
            if answer == START and is_free:
                self._retrain(job)

        def take(found: Duration) -> None:
            if found.is_long:
                ask_before(panel, job.name, found, len(session.dataset), 0, decide)
            else:
                self._retrain(job)

        with complaining():
            job = session.retraining()
            if not job.settings.n_seen:
                self._retrain(job)
                return
            network = session.shown.network
            assert network is not None
            how = TrainSettings(
                trainable=job.settings.trainable, device=job.settings.device
            )
            seen = HowLong(session.dataset, network.spec, how, job.settings.n_seen)
            window.training.run(seen, take)

    def _retrain(self, job: RetrainAndMap) -> None:
        window, session, panel = self._window, self._session(), self._retrain_panel
        panel.curve.clear()
        window.turn_to(Turn.RETRAINING)

        def report(progress: Progress, _remaining: float | None) -> None:
            if "loss" in progress.metrics:
                panel.curve.append(progress.done, progress.metrics["loss"])

        def take(mapped: MappedRound) -> str:
            self._note(mapped.map)
            session.propose(mapped)
            note = mapped.map.note
            return f"The round is kept. {note}" if note else ""

        window.training.run(job, take, report=report)

    def retrain_as_chosen(self) -> None:
        """Retrain as the panel says, or say why not now."""
        section = sections(self._window.facts)[Step.RETRAIN]
        if section.closed or section.blocked:
            warn(section.closed or section.blocked)
        else:
            self.retrain(self._retrain_panel.settings())

    def _session(self) -> Session:
        if self._window.session is None:
            raise SpaceEditingError("No images are open: open some first.")
        return self._window.session


def _in_words(session: Session) -> str:
    """Say which network a session begins with, and how it does on validation images."""
    checkpoint, dataset = session.state.checkpoint, session.dataset
    if checkpoint.network is None:
        return ""
    backbone = title_of(checkpoint.network.spec.backbone)
    probabilities = checkpoint.network.predictions.probabilities
    known = (dataset.split == Split.VALIDATION) & (checkpoint.labels != UNLABELLED)
    if not (known.any() and probabilities.shape[1]):
        return backbone
    right = probabilities[known].argmax(axis=1) == checkpoint.labels[known]
    return f"{backbone}: validation accuracy {right.mean():.1%}"
