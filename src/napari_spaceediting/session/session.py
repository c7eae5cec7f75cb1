"""The session: the only owner of mutable state, changed on one thread."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_spaceediting.data.columns import rejected_in
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.looks import Look
from napari_spaceediting.editing.answers import Answer
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.edits import Edit, EditLog, check_edit
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.network.spec import Trainable, TrainSettings
from napari_spaceediting.projection.layout import MapResult
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.adding import Added, with_images
from napari_spaceediting.session.axes import KeptAxis, named
from napari_spaceediting.session.classes import came_after
from napari_spaceediting.session.habits import Habits
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import (
    Checkpoint,
    DamagedCheckpoint,
    Map,
    Network,
    Round,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.training import MappedNetwork, MappedRound
from napari_spaceediting.session.traversals import KeptTraversal, Outcome
from napari_spaceediting.session.weights import Weights
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Traversal


class Session(Preparing):
    """A data set, its network and map, the edits on it and the rounds so far.

    Long work happens in jobs, which the session prepares (`training`, `mapping`,
    `retraining`, `guiding`, `adding`) and whose results it takes (`take_network`,
    `take_map`, `propose`, `take_images`); between the two it is unchanged.

    Parameters
    ----------
    state : SessionState
        What to start with; see `new_session` and `SessionFolder.load`.

    Attributes
    ----------
    author : str
        Who makes the edits; at first whoever has logged in.

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
    habits_changed
        An answer was timed.
    axes_changed
        One more axis is kept, or one less.
    look_changed
        Images are shown in another way.
    """

    images_changed = Signal()
    edits_changed = Signal()
    answers_changed = Signal()
    shown_changed = Signal()
    rounds_changed = Signal()
    traversals_changed = Signal()
    habits_changed = Signal()
    axes_changed = Signal()
    look_changed = Signal()

    def __init__(self, state: SessionState) -> None:
        super().__init__(state)
        self.author = whoever()

    def set_train_settings(self, settings: TrainSettings) -> None:
        """Choose how the network is trained."""
        self._state = replace(self._state, train=settings)

    def set_map_settings(self, settings: MapSettings) -> None:
        """Choose how the map is drawn."""
        self._state = replace(self._state, map=settings)

    def set_retrain_settings(self, settings: RetrainSettings) -> None:
        """Choose how rounds are trained."""
        self._state = replace(self._state, retrain=settings)

    def set_habits(self, habits: Habits) -> None:
        """Remember how the user names images."""
        self._state = replace(self._state, habits=habits)
        self.habits_changed.emit()

    def set_look(self, look: Look) -> None:
        """Remember how images are shown."""
        self._state = replace(self._state, look=look)
        self.look_changed.emit()

    # Images that come later

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
            Weights(trained.train.state),
            trained.predictions,
            trained.train.margins,
        )
        nobody = np.empty((len(self.dataset), 0), np.int32)
        first = Map(trained.coordinates, nobody, "pca")
        checkpoint = replace(self._state.checkpoint, network=network, map=first)
        self._change(replace(self._state, checkpoint=checkpoint, log=self._kept()))
        self.shown_changed.emit()

    def take_map(self, result: MapResult) -> None:
        """Take a map of what is shown; edits that were undone are forgotten.

        Raises
        ------
        EditError
            If edits wait that say something of places on the old map.
        """
        self._check_no_places()
        checkpoint = replace(self._state.checkpoint, map=_map_of(result))
        self._change(replace(self._state, checkpoint=checkpoint, log=self._kept()))
        self.shown_changed.emit()

    # Edits

    def apply(self, edit: Edit) -> None:
        """Add an edit.

        Raises
        ------
        EditError
            If it cannot be applied, or a round awaits a decision.
        """
        self.replay([edit])

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
        log, start = self._state.log, self._state.checkpoint
        held_out = self._state.dataset.held_out
        for edit in edits:
            check_edit(edit, log.done, held_out, start.class_names)
            log = log.append(self._signed(edit))
        self._set_log(log)

    # Guidance

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

    # What images are arranged by

    def keep_axes(self, axes: Sequence[Axis], name: str) -> tuple[KeptAxis, ...]:
        """Keep those axes from `finding_axes` that hold, under a name.

        Raises
        ------
        SessionError
            If none holds, or the name is empty or taken.
        """
        kept = named(axes, name, self._state.axes)
        self._set_axes((*self._state.axes, *kept))
        return kept

    def remove_axis(self, kept: KeptAxis) -> None:
        """Keep an axis no more."""
        self._set_axes(tuple(one for one in self._state.axes if one is not kept))

    def _set_axes(self, axes: tuple[KeptAxis, ...]) -> None:
        self._state = replace(self._state, axes=axes)
        self.axes_changed.emit()

    # What would change

    def keep(self, job: Traverse, traversal: Traversal) -> KeptTraversal:
        """Keep what came of a job from `traversing`.

        Parameters
        ----------
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

    def propose(self, mapped: MappedRound) -> None:
        """Take a retraining and its map as a round that awaits a decision.

        Raises
        ------
        EditError
            If another round awaits a decision.
        """
        self._check_open()
        state, edits, before = self._state, self.edits, self._state.checkpoint
        result = mapped.result
        after = Checkpoint(
            class_names=edits.class_names,
            labels=edits.labels,
            confirmed=before.confirmed | edits.edited,
            rejected=edits.rejected if edits.rejected.any() else None,
            came=came_after(before, edits),
            traits=edits.traits,
            network=Network(
                result.spec,
                Weights(result.state),
                result.predictions,
                self._network().margins if result.margins is None else result.margins,
            ),
            map=_map_of(mapped.map),
            soft_labels=edits.soft_labels,
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
        proposal = self._state.proposal
        if proposal is None:
            raise SessionError("No round awaits a decision: retrain first.")
        self._decide(proposal, RoundStatus.ACCEPTED, proposal.after, EditLog())

    def roll_back(self) -> None:
        """Go back to before the last round that stands; its edits are open again.

        That is the proposed round, or the last accepted one.

        Raises
        ------
        SessionError
            If no round stands, or what was before it is damaged.
        EditError
            If edits were made since the round was accepted, on a map that goes
            with it.
        """
        standing = self._state.standing_rounds
        if not standing:
            raise SessionError("There is no round to roll back.")
        last, log = standing[-1], self._state.log
        if isinstance(last.before, DamagedCheckpoint):
            raise SessionError(
                f"The round cannot be rolled back, as what was before it is damaged "
                f"({last.before.damage}): restore it from a copy."
            )
        if last.before.network is not None:
            len(last.before.network.state)  # which are read only now
        for part in last.before.parts:
            part.hold()
        if not self._state.proposal:
            if log.done:
                raise EditError(
                    "Edits made since the round was accepted would be lost: take them "
                    "back first."
                )
            log = EditLog(last.edits)
        self._decide(last, RoundStatus.ROLLED_BACK, last.before, log)

    def _decide(
        self, past: Round, status: RoundStatus, checkpoint: Checkpoint, log: EditLog
    ) -> None:
        """Go on from a checkpoint of a round, whose status becomes another one."""
        rounds = tuple(
            replace(one, status=status) if one is past else one
            for one in self._state.rounds
        )
        self._change(
            replace(self._state, checkpoint=checkpoint, log=log, rounds=rounds)
        )
        self._tell_of_round()

    def _signed(self, edit: Edit) -> Edit:
        """Return an edit with its author and its time, unless it has them."""
        signed: Edit = replace(
            edit, author=edit.author or self.author, made=edit.made or _now()
        )
        return signed

    def _kept(self) -> EditLog:
        """Return the open edits, which mean the same on any map; none is undone."""
        return EditLog(self._state.log.done)

    def _set_log(self, log: EditLog) -> None:
        if log != self._state.log:
            self._change(replace(self._state, log=log))
            self.edits_changed.emit()

    def _change(self, state: SessionState) -> None:
        self._state = state
        self._folded = self._shown = self._dataset = None
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
) -> Session:
    """Start a session on a data set.

    Parameters
    ----------
    train, map_settings, retrain : settings, optional
        The defaults where not given, with `seed` in each of them; on embeddings only
        the head trains.
    seed : int
        From which every random choice follows.
    """
    trainable: Trainable = "all" if dataset.features is None else "head"
    checkpoint = Checkpoint(
        class_names=dataset.class_names,
        labels=dataset.labels,
        confirmed=np.zeros(len(dataset), bool),
        soft_labels=dataset.soft_labels,
        rejected=rejected_in(dataset.columns),
    )
    state = SessionState(
        dataset=dataset,
        checkpoint=checkpoint,
        train=train or TrainSettings(seed=seed, trainable=trainable),
        map=map_settings or MapSettings(seed=seed),
        retrain=retrain or RetrainSettings(seed=seed),
        seed=seed,
    )
    return Session(state)


def whoever() -> str:
    """Return the name of who has logged in, "" where it is not known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _map_of(result: MapResult) -> Map:
    neighbours: NDArray[np.int32] = result.neighbours
    return Map(result.coordinates, neighbours, result.method)
