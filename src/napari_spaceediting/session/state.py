"""Everything a session knows, as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset
from napari_spaceediting.data.filed import Filed
from napari_spaceediting.data.looks import Look
from napari_spaceediting.data.soft_labels import SoftLabels
from napari_spaceediting.editing.answers import Answer
from napari_spaceediting.editing.classes import Traits
from napari_spaceediting.editing.edits import Edit, EditLog
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    State,
    TrainSettings,
)
from napari_spaceediting.projection.settings import MapSettings, Method
from napari_spaceediting.session.axes import KeptAxis
from napari_spaceediting.session.habits import Habits
from napari_spaceediting.session.store import Store
from napari_spaceediting.session.traversals import KeptTraversal


@dataclass(frozen=True, eq=False)
class Network(Filed):
    """A trained network and what it says of all images.

    Parameters
    ----------
    state : mapping
        Its weights.
    margins : (N,) float32 array
        By how much the other labels speak for that of each image, NaN where that is
        not known.
    """

    spec: ClassifierSpec
    state: State = field(repr=False)
    predictions: Predictions = field(repr=False)
    margins: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Map(Filed):
    """The map of the latents.

    Parameters
    ----------
    coordinates : (N, 2) float32 array
        Place of every image.
    neighbours : (N, k) int32 array
        Nearest images in latent space, nearest first; k is 0 on the quick first
        map.
    method : {"pca", "umap"}
        What it was drawn with.
    """

    coordinates: NDArray[np.float32] = field(repr=False)
    neighbours: NDArray[np.int32] = field(repr=False)
    method: Method


@dataclass(frozen=True, eq=False)
class Checkpoint(Filed):
    """What edits start from, and what a round leads to.

    Saved, one that is only looked back at lies in its file.

    Parameters
    ----------
    class_names : tuple of str
        Classes of the data set and those named by accepted edits.
    labels : (N,) int64 array
        Class of every image, -1 for none.
    confirmed : (N,) bool array
        Images whose class or place an accepted edit has settled.
    network : Network or None
        None before the first training.
    map : Map or None
        None before the first map.
    soft_labels : (N, C) float32 array or None
        Shares of the classes, for images of which one class does not say everything.
    rejected : (N,) bool array or None
        Images that are taken out; None for none.
    came : tuple of int
        What has become of the data set's own classes: where each of them is among the
        classes, -1 for one that is gone. Empty where they are the first ones.
    traits : mapping
        What the classes have beside their names.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64] = field(repr=False)
    confirmed: NDArray[np.bool_] = field(repr=False)
    network: Network | None = None
    map: Map | None = None
    # A factory, for a default would stay as a value of the class, and be found in place
    # of what was let go.
    soft_labels: SoftLabels = field(default_factory=lambda: None, repr=False)
    rejected: NDArray[np.bool_] | None = field(default_factory=lambda: None, repr=False)
    came: tuple[int, ...] = ()
    traits: Traits = field(default_factory=dict)

    def labelled(self, dataset: ImageDataset) -> ImageDataset:
        """Return the images with the labels of this checkpoint."""
        if self.came and "truth" in dataset.columns:
            # What is known of them is counted in the data set's own classes.
            truth = np.array([*self.came, UNLABELLED])[dataset.columns["truth"]]
            dataset = replace(dataset, columns={**dataset.columns, "truth": truth})
        return dataset.with_labels(self.labels, self.class_names, self.soft_labels)


@dataclass(frozen=True, eq=False)
class DamagedCheckpoint(Checkpoint):
    """One of which nothing can be read; it takes part in nothing, but is not forgotten.

    Parameters
    ----------
    damage : str
        What is wrong with it, in a few words.
    values : mapping
        As in ``session.json``: with its files, it would be whole again.
    store : Store
        Where those files were.
    """

    damage: str = field(kw_only=True)
    values: Mapping[str, Any] = field(kw_only=True, repr=False)
    store: Store = field(kw_only=True, repr=False)


def is_whole(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint could be read; a damaged one stays as it was saved."""
    return not isinstance(checkpoint, DamagedCheckpoint)


class RoundStatus(StrEnum):
    """What became of a round."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, eq=False)
class Round:
    """One retraining, with all that is needed to judge, undo or repeat it.

    Parameters
    ----------
    edits : tuple of Edit
        What it was trained with.
    settings : RetrainSettings
        How.
    before, after : Checkpoint
        From what, to what.
    losses : (steps,) float32 array
        Loss of every step.
    created : str
        When, ISO 8601 with time zone.
    """

    edits: tuple[Edit, ...]
    settings: RetrainSettings
    before: Checkpoint
    after: Checkpoint
    evidence: Evidence
    losses: NDArray[np.float32] = field(repr=False)
    seconds: float
    created: str
    status: RoundStatus = RoundStatus.PROPOSED

    @property
    def damage(self) -> str:
        """What is wrong with the networks and maps of it, "" for nothing."""
        ends = self.before, self.after
        gone = (end.damage for end in ends if isinstance(end, DamagedCheckpoint))
        return next(gone, "")


@dataclass(frozen=True, eq=False)
class SessionState:
    """A whole session.

    Parameters
    ----------
    dataset : ImageDataset
        The images, with their labels as they were opened.
    checkpoint : Checkpoint
        What the edits start from.
    log : EditLog
        Edits since the checkpoint.
    rounds : tuple of Round
        All retrainings, oldest first. The last may await a decision.
    answers : tuple of Answer
        What the user said to proposals, oldest first; see `Session.answers` for those
        that count.
    traversals : tuple of KeptTraversal
        What the user has seen of what would make images those of another kind, oldest
        first.
    axes : tuple of KeptAxis
        What images are arranged by, oldest first.
    train, map, retrain : settings
        What the user chose.
    look : Look
        How images are shown; as at first where it has no channel.
    seed : int
        From which every random choice follows.
    """

    dataset: ImageDataset
    checkpoint: Checkpoint
    log: EditLog = field(default_factory=EditLog)
    rounds: tuple[Round, ...] = ()
    answers: tuple[Answer, ...] = ()
    traversals: tuple[KeptTraversal, ...] = ()
    axes: tuple[KeptAxis, ...] = ()
    train: TrainSettings = field(default_factory=TrainSettings)
    map: MapSettings = field(default_factory=MapSettings)
    retrain: RetrainSettings = field(default_factory=RetrainSettings)
    habits: Habits = field(default_factory=Habits)
    look: Look = field(default_factory=lambda: Look(()))
    seed: int = 0

    @property
    def proposal(self) -> Round | None:
        """The round that awaits a decision, if there is one."""
        if self.rounds and self.rounds[-1].status is RoundStatus.PROPOSED:
            return self.rounds[-1]
        return None

    @property
    def shown(self) -> Checkpoint:
        """What the map shows: the proposal's outcome, or what edits start from."""
        return self.proposal.after if self.proposal else self.checkpoint

    @property
    def standing(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that the session can go on from or come back to.

        A network that none of them has is only looked back at.
        """
        return self.checkpoint, *ends(self.standing_rounds)

    @property
    def standing_rounds(self) -> tuple[Round, ...]:
        """The rounds that were not rolled back."""
        gone = RoundStatus.ROLLED_BACK
        return tuple(past for past in self.rounds if past.status is not gone)

    @property
    def past(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that are only looked back at."""
        present = self.checkpoint, self.shown
        return tuple(end for end in ends(self.rounds) if end not in present)


def ends(rounds: Iterable[Round]) -> list[Checkpoint]:
    """Return the checkpoints that rounds began and ended with."""
    return [end for past in rounds for end in (past.before, past.after)]
