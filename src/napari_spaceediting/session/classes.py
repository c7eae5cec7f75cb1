"""What a checkpoint is with its classes as edits have left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.colours import named_colours, to_hex
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.editing.classes import TraitKind, regrouped
from napari_spaceediting.editing.edits import Edit, EditState, fold
from napari_spaceediting.network.spec import ClassifierSpec, Predictions, State
from napari_spaceediting.session.state import Checkpoint, Network


@dataclass(frozen=True)
class ClassRow:
    """A class, and what is known of it.

    Parameters
    ----------
    above : str
        The class of a higher rank, "" for none.
    key : str
        The key that was chosen for it, "" for none.
    colour : str
        As "#rrggbb".
    n_training, n_held_out : int
        Its images, but for those that are rejected.
    """

    name: str
    above: str
    key: str
    colour: str
    n_training: int
    n_held_out: int


def class_rows(edits: EditState, held_out: NDArray[np.bool_]) -> tuple[ClassRow, ...]:
    """Return all classes as edits have left them, in their order.

    Parameters
    ----------
    held_out : (N,) bool array
        Images kept apart for measuring.
    """
    names, traits = edits.class_names, edits.traits
    counts = [
        np.bincount(edits.labels[part & (edits.labels >= 0)], minlength=len(names))
        for part in (~held_out & ~edits.rejected, held_out & ~edits.rejected)
    ]
    colours = named_colours(names, traits.get(TraitKind.COLOUR))
    return tuple(
        ClassRow(
            name=name,
            above=traits.get(TraitKind.ABOVE, {}).get(name, ""),
            key=traits.get(TraitKind.KEY, {}).get(name, ""),
            colour=to_hex(colours[at]),
            n_training=int(counts[0][at]),
            n_held_out=int(counts[1][at]),
        )
        for at, name in enumerate(names)
    )


def folded(edits: Sequence[Edit], start: Checkpoint) -> EditState:
    """Return what edits add up to on a checkpoint; without a map, all lie at 0."""
    places = np.zeros((len(start.labels), 2), np.float32)
    return fold(
        edits,
        start.labels,
        places if start.map is None else start.map.coordinates,
        start.class_names,
        start.soft_labels,
        start.rejected,
        start.traits,
    )


def reclassed(checkpoint: Checkpoint, edits: EditState) -> Checkpoint:
    """Return a checkpoint with the classes that it had, as they are after edits.

    Its labels are those before the edits but for what has become of their classes, and
    what its network says of a class goes to what has become of that. So it can be
    compared with what follows, class by class. The network itself is as it was: see
    `ready_to_train`.

    Parameters
    ----------
    checkpoint : Checkpoint
        What the edits start from.
    edits : EditState
        What they add up to; the same checkpoint comes back where they leave the classes
        as they are.
    """
    if not edits.changes_classes:
        return checkpoint
    places = edits.places
    # Classes that edits have added come behind them, where nothing is known of these.
    n_classes = int(places.max(initial=-1)) + 1
    labels = places[checkpoint.labels]
    soft = checkpoint.soft_labels
    network = checkpoint.network
    if network is not None:
        said = predictions_after(network.predictions, places, n_classes)
        network = replace(network, predictions=said)
    return replace(
        checkpoint,
        class_names=edits.class_names[:n_classes],
        labels=labels,
        network=network,
        soft_labels=None if soft is None else regrouped(soft, places, n_classes),
        came=came_after(checkpoint, edits),
        traits=edits.traits,
    )


def came_after(checkpoint: Checkpoint, edits: EditState) -> tuple[int, ...]:
    """Return `Checkpoint.came` after edits."""
    if not edits.changes_classes:
        return checkpoint.came
    before = checkpoint.came or range(len(edits.places) - 1)
    return tuple(edits.places[list(before)].tolist())


def as_known(
    edits: EditState, before: tuple[str, ...], spec: ClassifierSpec
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the classes as a network counts them, whatever edits have made of these.

    Parameters
    ----------
    edits : EditState
        What was done to the classes since the network learnt them.
    before : tuple of str
        What they were called then.

    Returns
    -------
    tuple of str
        First those that the network knows: by their present name, or by the old one
        where they are gone or were merged. Then all others that there are now.
    (C + 1,) int64 array
        Where among them each of the present classes is, and -1.
    """
    now, places = edits.class_names, edits.places[: spec.n_classes]
    if not edits.changes_classes:
        return now, np.array([*range(len(now)), UNLABELLED])
    names = [f"{name} (before)" for name in before[: spec.n_classes]]
    where = []
    for at, name in enumerate(now):
        known = np.flatnonzero(places == at)
        if len(known) == 1:
            names[known[0]] = name
            where.append(int(known[0]))
        else:
            where.append(len(names))
            names.append(name)
    return tuple(names), np.array([*where, UNLABELLED])


def without_rejected(
    dataset: ImageDataset, rejected: NDArray[np.bool_] | None
) -> ImageDataset:
    """Return images of which those that are rejected neither train nor measure."""
    if rejected is None or not rejected.any():
        return dataset
    split = np.where(rejected, np.int8(Split.REJECTED), dataset.split)
    return replace(dataset, split=split)


def predictions_after(
    said: Predictions, places: NDArray[np.int64], n_classes: int
) -> Predictions:
    """Return what a network says, of what has become of its classes.

    Where it is sure of classes that are gone, it is sure of nothing.

    Parameters
    ----------
    said : Predictions
        Of the classes before edits.
    places : (c + 1,) int64 array
        As in `EditState`.
    n_classes : int
        Classes that there are now.
    """
    if not said.probabilities.shape[1]:
        return said
    probabilities = regrouped(said.probabilities, places, n_classes)
    unsure = ~probabilities.any(axis=1)
    probabilities[unsure] = 1 / n_classes if n_classes else 0
    return replace(said, probabilities=probabilities)


def ready_to_train(network: Network, edits: EditState) -> tuple[ClassifierSpec, State]:
    """Return a network whose head has the classes after edits, to be trained on.

    Of classes that became one, the logit is their mean.
    """
    spec, state, places = network.spec, network.state, edits.places
    if not edits.changes_classes or "head.bias" not in state:
        return spec, state
    n_classes = int(places.max(initial=-1)) + 1
    found = dict(state)
    n_before = len(state["head.bias"])
    mean = np.zeros((n_classes, n_before), np.float32)
    for before, place in enumerate(places[:n_before]):
        if place >= 0:
            mean[place, before] = 1
    mean /= np.maximum(mean.sum(axis=1, keepdims=True), 1)
    for name in ("head.weight", "head.bias"):
        found[name] = (mean @ state[name]).astype(state[name].dtype)
    return replace(spec, n_classes=n_classes), found
