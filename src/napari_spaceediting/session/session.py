"""The session: the only owner of mutable state, changed on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.editing.anchors import find_anchors, surroundings
from napari_spaceediting.editing.answers import Answer, standing
from napari_spaceediting.editing.contradictions import (
    Contradiction,
    find_contradictions,
)
from napari_spaceediting.editing.edits import Edit, EditState, check_edit, fold
from napari_spaceediting.editing.guidance import Guide
from napari_spaceediting.editing.log import EditLog
from napari_spaceediting.editing.places import Surroundings
from napari_spaceediting.editing.propagation import Propagate
from napari_spaceediting.editing.retrain import Retrain, RetrainResult
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.network.spec import ClassifierSpec, State, TrainSettings
from napari_spaceediting.projection.layout import MapJob, MapResult
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.adding import (
    Added,
    AddImages,
    checkpoints_of,
    with_images,
)
from napari_spaceediting.session.state import (
    Checkpoint,
    Map,
    Network,
    Round,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.training import MappedNetwork, TrainAndMap
from napari_spaceediting.session.traversals import KeptTraversal, Outcome
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Asked, Traversal
from napari_spaceediting.traversal.sets import (
    classes_of,
    sets_of_classes,
    sets_of_group,
)
from napari_spaceediting.traversal.settings import TraverseSettings


class Session:
    """A data set, its network and map, the edits on it and the rounds so far.

    Long work happens in jobs, which the session prepares (`training`, `mapping`,
    `retraining`, `guiding`, `adding`) and whose results it takes (`take_network`,
    `take_map`, `propose`, `take_images`); between the two it is unchanged.

    Parameters
    ----------
    state : SessionState
        What to start with; see `new_session` and `storage.load`.
    cache_dir : Path or None
        Where frozen activations are kept; None for the user's cache.

    Signals
    -------
    images_changed
        There are more images; comes before `shown_changed`.
    edits_changed
        The list of edits is another one; what they are made on is the same.
    answers_changed
        The user has answered a proposal; comes after what the answer edits.
    shown_changed
        Network, map or labels that are shown are others, and with them the edits.
    rounds_changed
        There is a new round, or a decision on one; comes after `shown_changed`.
    traversals_changed
        One more traversal is kept, or one less.
    """

    images_changed = Signal()
    edits_changed = Signal()
    answers_changed = Signal()
    shown_changed = Signal()
    rounds_changed = Signal()
    traversals_changed = Signal()

    def __init__(self, state: SessionState, cache_dir: Path | None = None) -> None:
        self._state = state
        self._folded: EditState | None = None
        self._surroundings: Surroundings | None = None
        self.cache_dir = cache_dir

    @property
    def state(self) -> SessionState:
        """Everything the session knows, as an immutable value."""
        return self._state

    @property
    def dataset(self) -> ImageDataset:
        """The images."""
        return self._state.dataset

    @property
    def shown(self) -> Checkpoint:
        """What the map shows."""
        return self._state.shown

    @property
    def edits(self) -> EditState:
        """What the edits add up to, on what the map shows.

        While a round awaits a decision no edit is open: they are in the round.

        Raises
        ------
        SessionError
            If there is no map yet.
        """
        if self._folded is None:
            shown = self.shown
            done = () if self._state.proposal else self._state.log.done
            self._folded = folded(done, shown)
        return self._folded

    @property
    def surroundings(self) -> Surroundings:
        """Answers what surrounds a place on the map."""
        if self._surroundings is None:
            network = self._network()
            self._surroundings = surroundings(
                self.edits, network.predictions.probabilities, self.dataset.held_out
            )
        return self._surroundings

    def set_train_settings(self, settings: TrainSettings) -> None:
        """Choose how the network is trained."""
        self._state = replace(self._state, train=settings)

    def set_map_settings(self, settings: MapSettings) -> None:
        """Choose how the map is drawn."""
        self._state = replace(self._state, map=settings)

    def set_retrain_settings(self, settings: RetrainSettings) -> None:
        """Choose how rounds are trained."""
        self._state = replace(self._state, retrain=settings)

    # Images that come later

    def adding(self, path: Path) -> AddImages:
        """Prepare to add images, which go where they belong on the map as it is.

        Parameters
        ----------
        path : Path
            A folder, table or array, as for `OpenDataset`. Labels may name new
            classes. Image files that the session has are passed over.
        """
        state = self._state
        return AddImages(
            path,
            state.dataset,
            checkpoints_of(state),
            device=state.train.device,
            cache_dir=self.cache_dir,
        )

    def take_images(self, added: Added) -> None:
        """Take images that were added; edits, rounds and what can be undone stay.

        Raises
        ------
        SessionError
            If the session is no longer the one that `adding` was asked of.
        """
        self._change(with_images(self._state, added))
        self.images_changed.emit()
        self.shown_changed.emit()

    # The network and its map

    def training(self, spec: ClassifierSpec | None = None) -> TrainAndMap:
        """Prepare to train the network on the labels as they are accepted.

        Parameters
        ----------
        spec : ClassifierSpec, optional
            Which network; the size and channels of the images are filled in.

        Raises
        ------
        EditError
            If edits wait that were made on the present map.
        """
        self._check_no_edits()
        checkpoint = self._state.checkpoint
        return TrainAndMap(
            dataset=self.dataset.with_labels(checkpoint.labels, checkpoint.class_names),
            spec=self._filled_in(spec or ClassifierSpec()),
            settings=self._state.train,
            cache_dir=self.cache_dir,
        )

    def network_or(
        self, backbone: str | None = None, weights: str | None = None
    ) -> tuple[ClassifierSpec, State | None]:
        """Return the network that is shown, or one to begin with.

        Parameters
        ----------
        backbone, weights : str, optional
            Of the one to begin with, as in `ClassifierSpec`.

        Raises
        ------
        SessionError
            If there is no network and no backbone, or both.
        """
        network = self.shown.network
        if network is not None and backbone is None:
            return network.spec, network.state
        if network is not None or backbone is None:
            raise SessionError(
                "The session has a network: leave out the backbone."
                if network is not None
                else "There is no network yet: train one first, or name a backbone."
            )
        return self._filled_in(ClassifierSpec(backbone, weights)), None

    def take_network(self, trained: MappedNetwork) -> None:
        """Take a trained network; its principal components are the map at first.

        Raises
        ------
        EditError
            If edits wait that were made on the old map.
        """
        self._check_no_edits()
        network = Network(
            trained.spec,
            trained.train.state,
            trained.predictions,
            trained.train.margins,
        )
        nobody = np.empty((len(self.dataset), 0), np.int32)
        first = Map(trained.coordinates, nobody, "pca")
        checkpoint = replace(self._state.checkpoint, network=network, map=first)
        self._change(replace(self._state, checkpoint=checkpoint, log=EditLog()))
        self.shown_changed.emit()

    def mapping(self) -> MapJob:
        """Prepare to draw the map of the network that is shown.

        Raises
        ------
        EditError
            If edits wait that were made on the present map.
        """
        self._check_no_edits()
        return MapJob(self._network().predictions.latents, self._state.map)

    def take_map(self, result: MapResult) -> None:
        """Take a map of what is shown; edits that were undone are forgotten.

        Raises
        ------
        EditError
            If edits wait that were made on the old map.
        """
        self._check_no_edits()
        checkpoint = replace(self._state.checkpoint, map=_map_of(result))
        self._change(replace(self._state, checkpoint=checkpoint, log=EditLog()))
        self.shown_changed.emit()

    # Edits

    def apply(self, edit: Edit) -> None:
        """Add an edit.

        Raises
        ------
        EditError
            If it cannot be applied, or a round awaits a decision.
        """
        self._check_open()
        check_edit(edit, self._state.log.done, self.dataset.held_out)
        self._set_log(self._state.log.append(edit))

    def undo(self) -> None:
        """Take the last edit back, if there is one."""
        self._check_open()
        self._set_log(self._state.log.undo())

    def redo(self) -> None:
        """Do the last undone edit again, if there is one."""
        self._check_open()
        self._set_log(self._state.log.redo())

    def replay(self, edits: Sequence[Edit]) -> None:
        """Add edits one after the other; none of them if one cannot be applied.

        Raises
        ------
        EditError
            If one of them cannot be applied.
        """
        self._check_open()
        log = self._state.log
        for edit in edits:
            check_edit(edit, log.done, self.dataset.held_out)
            log = log.append(edit)
        self._set_log(log)

    # Guidance

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Answers to proposals, but for those whose edit was taken back."""
        decided = self.edits.edited | self.shown.confirmed
        return standing(self._state.answers, decided)

    def answer(self, answer: Answer) -> None:
        """Remember what the user said to a proposal, instead of what was said before.

        Parameters
        ----------
        answer : Answer
            The answer; the edit that comes with it is applied apart. Where that is
            taken back, by whatever means, the answer no longer counts.
        """
        others = [old for old in self._state.answers if not old.repeats(answer)]
        self._state = replace(self._state, answers=(*others, answer))
        self.answers_changed.emit()

    @property
    def named_by(self) -> NDArray[np.int64]:
        """Number of the edit that has named an image's class, (N,); -1 where none has.

        Counted through all accepted rounds and the open edits.
        """
        named_by, before = np.full(len(self.dataset), -1), 0
        accepted = [
            (past.edits, folded(past.edits, past.before))
            for past in self._state.rounds
            if past.status is RoundStatus.ACCEPTED
        ]
        for edits, state in [*accepted, (self._state.log.done, self.edits)]:
            named_by = np.where(state.tagged, before + state.named_by, named_by)
            before += len(edits)
        return named_by

    def guiding(self, n_proposals: int = 50) -> Guide:
        """Prepare to rank what is worth looking at next."""
        network, edits = self._network(), self.edits
        return Guide(
            class_names=edits.class_names,
            labels=edits.labels,
            settled=edits.edited | self.shown.confirmed | self.dataset.held_out,
            held_out=self.dataset.held_out,
            named_by=self.named_by,
            predictions=network.predictions,
            margins=network.margins,
            positions=edits.positions,
            n_proposals=n_proposals,
            seed=self._state.seed,
            answers=self.answers,
        )

    # What would change

    def kinds(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class that images would move away from, -1 where none is known.

        Their label or, where they have none, what the network sees in them.
        """
        guesses = self._network().predictions.probabilities
        return classes_of(images, self.edits.labels, guesses)

    def traversing(
        self,
        images: NDArray[np.int64],
        target: str | NDArray[np.int64],
        settings: TraverseSettings | None = None,
    ) -> Traverse:
        """Prepare to show what would make images those of another kind.

        Parameters
        ----------
        images : (n,) int64 array
            Images to move, as dataset indices.
        target : str or (M,) int64 array
            A class by its name, or a group of images to move to.
        settings : TraverseSettings, optional
            How; seed and device are those of the session.

        Raises
        ------
        SessionError
            If there is no network or map yet, or no such class.
        TraversalError
            If the sets cannot be used.
        """
        edits, network = self.edits, self._network()
        known: dict[str, Any] = {
            "labels": edits.labels,
            "held_out": self.dataset.held_out,
            "probabilities": network.predictions.probabilities,
        }
        group = None if isinstance(target, str) else target
        if isinstance(target, str):
            kind, name = self._class(target), target
            sets, classes = sets_of_classes(images, kind, **known)
        else:
            kind = _usual(self.kinds(target))
            most = f" (mostly {edits.class_names[kind]})" if kind >= 0 else ""
            name = f"group of {len(target):,}{most}"
            sets, classes = sets_of_group(images, target, **known)
        return Traverse(
            dataset=self.dataset,
            spec=network.spec,
            state=network.state,
            sets=sets,
            settings=replace(
                settings or TraverseSettings(),
                seed=self._state.seed,
                device=self._state.train.device,
            ),
            cache_dir=self.cache_dir,
            asked=Asked(classes, kind, name, edits.class_names, group),
        )

    def keep(self, job: Traverse, traversal: Traversal) -> KeptTraversal:
        """Keep what came of a job from `traversing`.

        Parameters
        ----------
        job : Traverse
            The job.
        traversal : Traversal
            All of its outcome, or that of its first images.
        """
        assert job.asked is not None
        sources = job.asked.sources[: len(traversal.indices)]
        kept = KeptTraversal(
            asked=replace(job.asked, sources=sources),
            outcome=Outcome(traversal),
            weights=job.state,
            created=_now(),
        )
        self._keep((*self._state.traversals, kept))
        return kept

    def remove(self, kept: KeptTraversal) -> None:
        """Keep a traversal no more; it cannot be brought back."""
        self._keep(tuple(one for one in self._state.traversals if one is not kept))

    def _keep(self, traversals: tuple[KeptTraversal, ...]) -> None:
        self._state = replace(self._state, traversals=traversals)
        self.traversals_changed.emit()

    # Rounds

    def retraining(self) -> Retrain:
        """Prepare to retrain with the open edits.

        Raises
        ------
        EditError
            If there is no open edit.
        """
        self._check_open()
        if not self.edits.edited.any():
            raise EditError(
                "There is no edit to learn from: move, pin or relabel images first."
            )
        checkpoint, network = self._state.checkpoint, self._network()
        edits, drawn = self.edits, checkpoint.map
        assert drawn is not None
        return Retrain(
            dataset=self.dataset.with_labels(checkpoint.labels, checkpoint.class_names),
            class_names=edits.class_names,
            labels=edits.labels,
            positions=edits.positions,
            anchors=find_anchors(
                edits,
                network.predictions.latents,
                network.predictions.probabilities,
                self.dataset.held_out,
                drawn.coordinates,
            ),
            confirmed=checkpoint.confirmed,
            spared=edits.spared,
            spec=network.spec,
            state=network.state,
            predictions=network.predictions,
            settings=self._state.retrain,
            cache_dir=self.cache_dir,
        )

    def contradictions(self) -> list[Contradiction]:
        """Find open edits that say different things of images that look the same."""
        drawn = self.shown.map
        if drawn is None:
            return []
        latents = self._network().predictions.latents
        held_out = self.dataset.held_out
        return find_contradictions(self.edits, latents, drawn.coordinates, held_out)

    def propagating(self) -> Propagate:
        """Prepare to find the unmoved images that the open edits speak for."""
        edits = self.edits
        return Propagate(
            labels=edits.labels,
            n_classes=len(edits.class_names),
            edited=edits.edited,
            said=edits.tagged & (edits.labels >= 0),
            closed=self.shown.confirmed | edits.spared,
            held_out=self.dataset.held_out,
            predictions=self._network().predictions,
        )

    def remapping(self, result: RetrainResult) -> MapJob:
        """Prepare the map after a retraining, from where the images lie now."""
        edits = self.edits
        return MapJob(
            result.predictions.latents,
            self._state.map,
            previous=edits.positions,
            fixed_weight=(~edits.edited).astype(np.float32),
        )

    def propose(self, result: RetrainResult, drawn: MapResult) -> None:
        """Take a retraining and its map as a round that awaits a decision.

        Raises
        ------
        EditError
            If another round awaits a decision.
        """
        self._check_open()
        state, edits, before = self._state, self.edits, self._state.checkpoint
        after = Checkpoint(
            class_names=edits.class_names,
            labels=edits.labels,
            confirmed=before.confirmed | edits.edited,
            network=Network(
                result.spec, result.state, result.predictions, self._network().margins
            ),
            map=_map_of(drawn),
        )
        proposal = Round(
            edits=state.log.done,
            settings=result.settings,
            before=before,
            after=after,
            evidence=result.evidence,
            losses=result.losses,
            seconds=result.seconds,
            created=_now(),
        )
        self._change(replace(state, rounds=(*state.rounds, proposal)))
        self._tell_of_round()

    def accept(self) -> None:
        """Go on from the outcome of the proposed round.

        Raises
        ------
        SessionError
            If no round awaits a decision.
        """
        proposal = self._proposal()
        self._change(
            replace(
                self._state,
                checkpoint=proposal.after,
                log=EditLog(),
                rounds=(
                    *self._state.rounds[:-1],
                    replace(proposal, status=RoundStatus.ACCEPTED),
                ),
            )
        )
        self._tell_of_round()

    def roll_back(self) -> None:
        """Go back to before the last round that stands; its edits are open again.

        That is the proposed round, or the last accepted one.

        Raises
        ------
        SessionError
            If no round stands.
        EditError
            If edits were made since the round was accepted, on a map that goes
            with it.
        """
        standing = [
            number
            for number, past in enumerate(self._state.rounds)
            if past.status is not RoundStatus.ROLLED_BACK
        ]
        if not standing:
            raise SessionError("There is no round to roll back.")
        last = standing[-1]
        past = self._state.rounds[last]
        log = self._state.log
        if not self._state.proposal:
            self._check_no_edits()
            log = EditLog(past.edits)
        rounds = list(self._state.rounds)
        rounds[last] = replace(past, status=RoundStatus.ROLLED_BACK)
        self._change(
            replace(
                self._state,
                checkpoint=past.before,
                log=log,
                rounds=tuple(rounds),
            )
        )
        self._tell_of_round()

    def _filled_in(self, spec: ClassifierSpec) -> ClassifierSpec:
        return replace(
            spec,
            n_classes=len(self._state.checkpoint.class_names),
            in_channels=self.dataset.n_channels,
            image_size=self.dataset.image_size,
        )

    def _proposal(self) -> Round:
        if self._state.proposal is None:
            raise SessionError("No round awaits a decision: retrain first.")
        return self._state.proposal

    def _check_open(self) -> None:
        if self._state.proposal:
            raise EditError(
                "A retraining awaits your decision: accept it or roll it back first."
            )

    def _check_no_edits(self) -> None:
        self._check_open()
        if self._state.log.done:
            raise EditError(
                "Edits made on the present map would be lost: retrain with them, or "
                "take them back first."
            )

    def _class(self, name: str) -> int:
        names = self.edits.class_names
        if name not in names:
            raise SessionError(
                f'There is no class "{name}": choose one of {", ".join(names)}.'
            )
        return names.index(name)

    def _network(self) -> Network:
        if self.shown.network is None:
            raise SessionError("There is no network yet: train one first.")
        return self.shown.network

    def _set_log(self, log: EditLog) -> None:
        if log != self._state.log:
            self._change(replace(self._state, log=log))
            self.edits_changed.emit()

    def _change(self, state: SessionState) -> None:
        self._state = state
        self._folded = None
        self._surroundings = None

    def _tell_of_round(self) -> None:
        self.shown_changed.emit()
        self.rounds_changed.emit()


def new_session(
    dataset: ImageDataset,
    *,
    train: TrainSettings | None = None,
    map_settings: MapSettings | None = None,
    retrain: RetrainSettings | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Session:
    """Start a session on a data set.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    train, map_settings, retrain : settings, optional
        The defaults where not given, with `seed` in each of them.
    seed : int
        From which every random choice follows.
    cache_dir : Path, optional
        Where frozen activations are kept.
    """
    checkpoint = Checkpoint(
        class_names=dataset.class_names,
        labels=dataset.labels,
        confirmed=np.zeros(len(dataset), bool),
    )
    state = SessionState(
        dataset=dataset,
        checkpoint=checkpoint,
        train=train or TrainSettings(seed=seed),
        map=map_settings or MapSettings(seed=seed),
        retrain=retrain or RetrainSettings(seed=seed),
        seed=seed,
    )
    return Session(state, cache_dir)


def folded(edits: Sequence[Edit], start: Checkpoint) -> EditState:
    """Return what edits add up to on the map of a checkpoint.

    Raises
    ------
    SessionError
        If it has no map.
    """
    if start.map is None:
        raise SessionError("There is no map yet: train a network first.")
    return fold(edits, start.labels, start.map.coordinates, start.class_names)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _usual(kinds: NDArray[np.int64]) -> int:
    """Return the class that more than half of some images have, -1 if there is none."""
    counts = np.bincount(kinds[kinds >= 0], minlength=1)
    most = int(counts.argmax())
    return most if counts[most] > len(kinds) / 2 else -1


def _map_of(result: MapResult) -> Map:
    neighbours: NDArray[np.int32] = result.neighbours
    return Map(result.coordinates, neighbours, result.method)
