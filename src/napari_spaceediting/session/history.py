"""The networks that a session has been through, and what lies between two of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.data.soft_labels import renamed, rows_of
from napari_spaceediting.editing.arms import AFTER, BEFORE
from napari_spaceediting.editing.edits import Edit
from napari_spaceediting.editing.evidence import (
    ArmScore,
    Evidence,
    gather_evidence,
    mean_drift,
    measured_images,
    predicted_classes,
    score,
)
from napari_spaceediting.session.classes import (
    folded,
    reclassed,
    without_rejected,
)
from napari_spaceediting.session.state import (
    Checkpoint,
    Network,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.traversals import KeptTraversal
from napari_spaceediting.wording import counted

START, NOW = "Start", "Now"


@dataclass(frozen=True, eq=False)
class Stage:
    """A checkpoint that rounds began or ended with.

    Parameters
    ----------
    name : str
        Such as "Start" or "Round 2, rolled back".
    checkpoint : Checkpoint
        It has a network and a map.
    round : int or None
        Which round led to it, from 0; None where none did.
    edits : tuple of Edit
        All that led to it since the start.
    """

    name: str
    checkpoint: Checkpoint = field(repr=False)
    round: int | None = None
    edits: tuple[Edit, ...] = field(default=(), repr=False)


def stages(state: SessionState) -> tuple[Stage, ...]:
    """Return every checkpoint of the rounds and the present one, oldest first.

    A network that was trained anew between two rounds stands before the second of them.
    """
    found: list[Stage] = []
    made: tuple[Edit, ...] = ()

    def add(name: str, checkpoint: Checkpoint, number: int | None = None) -> None:
        known = any(stage.checkpoint is checkpoint for stage in found)
        if not known and checkpoint.network is not None and checkpoint.map is not None:
            led = state.rounds[number].edits if number is not None else ()
            found.append(Stage(name, checkpoint, number, (*made, *led)))

    for number, past in enumerate(state.rounds):
        add(f"Before round {number + 1}" if number else START, past.before)
        name = f"Round {number + 1}"
        if past.status is RoundStatus.ROLLED_BACK:
            name += ", rolled back"
        add(name, past.after, number)
        if past.status is not RoundStatus.ROLLED_BACK:
            made = (*made, *past.edits)
    add(NOW if state.rounds else START, state.shown)
    return tuple(found)


def stage_of(kept: KeptTraversal, state: SessionState) -> str:
    """Return the stage whose network made a traversal, such as "round 2"."""
    for stage in stages(state):
        if _network(stage).state is kept.weights:
            return stage.name[0].lower() + stage.name[1:]
    return "a network that is gone"


def describe_kept(kept: KeptTraversal, state: SessionState) -> str:
    """Return a traversal in words, such as "Pullover → Coat, 8 images, start"."""
    asked = kept.asked
    kinds = [asked.name(kind) for kind in np.unique(asked.sources).tolist()]
    start = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
    images = counted(len(asked.sources), "image")
    return f"{start} → {asked.goal}, {images}, {stage_of(kept, state)}"


def compare(dataset: ImageDataset, earlier: Stage, later: Stage) -> Evidence:
    """Compare two stages on the held-out images.

    No control stands beside them: the evidence says what is different, not what made
    the difference.

    Parameters
    ----------
    earlier, later : Stage
        They become the arms "before" and "after". Their classes are matched by name.

    Returns
    -------
    Evidence
        Its drift is that of all images, its truth the labels of the later stage.
    """
    earlier = followed(earlier, later)
    dataset = without_rejected(dataset, later.checkpoint.rejected)
    names = _all_classes(later.checkpoint, earlier.checkpoint)
    labels = later.checkpoint.labels
    part, held_out = measured_images(dataset.split, labels)
    nothing = np.empty(0, np.int64)
    before, after = _network(earlier).predictions, _network(later).predictions
    same_space = before.latents.shape == after.latents.shape
    return gather_evidence(
        measured_on=part.name.lower(),
        held_out=held_out,
        truth=labels[held_out],
        class_names=names,
        predicted={
            BEFORE: predicted_among(earlier.checkpoint, names),
            AFTER: predicted_among(later.checkpoint, names),
        },
        groups=groups_of(dataset.columns, len(dataset)),
        drift=mean_drift(before.latents, after.latents) if same_space else np.nan,
        edited=nothing,
        tags=nothing,
        said={
            name: _said(stage.checkpoint, held_out, names)
            for name, stage in ((BEFORE, earlier), (AFTER, later))
        },
        soft_truth=renamed(
            rows_of(later.checkpoint.soft_labels, held_out),
            later.checkpoint.class_names,
            names,
        ),
    )


def verdict(evidence: Evidence, earlier: Stage, later: Stage) -> str:
    """Say in plain words what `compare` has found."""
    if not evidence.n_images:
        return "No held-out image has a label, so nothing can be measured."
    difference = evidence.over.get(BEFORE)
    if difference is None:
        return f"{earlier.name} knew no class, so there is nothing to compare with."
    interval = difference.interval
    if difference.is_clear:
        told = f"{later.name} is {difference.change} than {earlier.name} ({interval})."
    else:
        points = f"{difference.value * 100:+.1f} points"
        told = (
            f"Within noise: {later.name} cannot be told from {earlier.name} "
            f"({points}, {interval})."
        )
    return f"{told} All that lies between them made the difference, not only edits."


def scores(dataset: ImageDataset, over: tuple[Stage, ...]) -> list[ArmScore | None]:
    """Return how stages do on the same held-out images; None where it is not known.

    The images, and their true classes, are those of the last stage.
    """
    last = over[-1].checkpoint
    dataset = without_rejected(dataset, last.rejected)
    _, held_out = measured_images(dataset.split, last.labels)
    groups = groups_of(dataset.columns, len(dataset))[held_out]
    found: list[ArmScore | None] = []
    for each in over:
        stage = followed(each, over[-1])
        names = _all_classes(last, stage.checkpoint)
        classes = predicted_among(stage.checkpoint, names)[held_out]
        known = len(held_out) and (classes >= 0).all()
        truth = last.labels[held_out]
        found.append(score(classes, truth, len(names), groups) if known else None)
    return found


def predicted_among(
    checkpoint: Checkpoint, names: tuple[str, ...]
) -> NDArray[np.int64]:
    """Return the (N,) classes that a network predicts, as places in `names`.

    -1 where it knows no class. All classes of the checkpoint must be among the names.
    """
    assert checkpoint.network is not None
    place = np.array([names.index(name) for name in checkpoint.class_names] + [-1])
    return place[predicted_classes(checkpoint.network.predictions)]


def followed(earlier: Stage, later: Stage) -> Stage:
    """Return a stage with its classes as they are at a later one that followed it.

    Where neither led to the other, classes are told by their names.
    """
    n_before = len(earlier.edits)
    if later.edits[:n_before] != earlier.edits:
        return earlier
    edits = folded(later.edits[n_before:], earlier.checkpoint)
    return replace(earlier, checkpoint=reclassed(earlier.checkpoint, edits))


def _said(
    checkpoint: Checkpoint, at: NDArray[np.int64], names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return the (n, C) probabilities of some images, over these classes."""
    assert checkpoint.network is not None
    probabilities = checkpoint.network.predictions.probabilities[at]
    said = renamed(probabilities, checkpoint.class_names, names)
    assert said is not None
    return said


def _all_classes(later: Checkpoint, earlier: Checkpoint) -> tuple[str, ...]:
    gone = [name for name in earlier.class_names if name not in later.class_names]
    return (*later.class_names, *gone)


def _network(stage: Stage) -> Network:
    assert stage.checkpoint.network is not None
    return stage.checkpoint.network
