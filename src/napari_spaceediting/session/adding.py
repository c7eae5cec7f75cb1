"""Images that come to a session later, on the map as it is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import rejected_in
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.soft_labels import renamed, stacked
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.classes import regrouped
from napari_spaceediting.editing.find_axes import extended as extended_axes
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.network.spec import ClassifierSpec, Predictions, State
from napari_spaceediting.projection.neighbours import extended
from napari_spaceediting.projection.placing import place
from napari_spaceediting.session.state import (
    Checkpoint,
    Map,
    Network,
    SessionState,
    ends,
    is_whole,
)


@dataclass(frozen=True, eq=False)
class Placed:
    """What a checkpoint says of new images.

    Parameters
    ----------
    predictions : Predictions or None
        Of the M new images by its network, if it has one.
    map : Map or None
        Of the N old and M new images, if it has one.
    """

    predictions: Predictions | None = field(default=None, repr=False)
    map: Map | None = None


@dataclass(frozen=True, eq=False)
class Added:
    """New images, and what every checkpoint of a session says of them.

    Parameters
    ----------
    more : ImageDataset
        The M new images.
    n_before : int
        Images that the session had.
    placed : tuple of Placed
        One for each of `checkpoints_of`.
    axes : tuple of Axis
        Those of the session, of the N old and M new images.
    """

    more: ImageDataset
    n_before: int
    placed: tuple[Placed, ...]
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True, eq=False)
class AddImages:
    """Read new images and put them on the maps that there are.

    Nothing is trained and no map is fitted anew: the networks see the new images only,
    and each goes to where its nearest images lie (`place`).

    Parameters
    ----------
    path : Path
        As for `OpenDataset`.
    dataset : ImageDataset
        The images that there are.
    checkpoints : tuple of Checkpoint
        As from `checkpoints_of`.
    axes : tuple of Axis
        Those of the session.
    spec, weights : ClassifierSpec and mapping, or None
        Of the network that reads them off the new images.
    """

    path: Path
    dataset: ImageDataset = field(repr=False)
    checkpoints: tuple[Checkpoint, ...] = field(repr=False)
    axes: tuple[Axis, ...] = field(default=(), repr=False)
    spec: ClassifierSpec | None = None
    weights: State | None = field(default=None, repr=False)
    device: str = "auto"

    name = "Add images"

    def __getstate__(self) -> dict[str, Any]:
        """To another process it travels with what is needed of rounds long past."""
        return {**vars(self), "checkpoints": tuple(map(_as_needed, self.checkpoints))}

    def run(self) -> Generator[Progress, None, Added]:
        """Read, predict and place them.

        Raises
        ------
        DataError
            If they cannot be read, or are there already.
        TrainingFailed
            If torch cannot run the network.
        """
        more = yield from OpenDataset(self.path, like=self.dataset).run()
        placed = []
        for checkpoint in self.checkpoints:
            placed.append((yield from self._place(checkpoint, more)))
        axes = yield from self._axes(more)
        return Added(more, len(self.dataset), tuple(placed), axes)

    def _axes(self, more: ImageDataset) -> Generator[Progress, None, tuple[Axis, ...]]:
        if self.spec is None or self.weights is None or not self.axes:
            return ()
        from napari_spaceediting.network.activations import activations
        from napari_spaceediting.network.classifier import classifier_from

        spec = replace(self.spec, mirror=False)  # as `FindAxes`
        classifier = classifier_from(spec, self.weights)
        rows = []
        for images in (self.dataset, more):
            found = activations(classifier, images, "last_block", device=self.device)
            rows.append((yield from found))
        old, new = rows
        return (yield from extended_axes(self.axes, old, new))

    def _place(
        self, checkpoint: Checkpoint, more: ImageDataset
    ) -> Generator[Progress, None, Placed]:
        network, drawn = checkpoint.network, checkpoint.map
        if network is None:
            return Placed()
        predictions = yield from ExtractPredictions(
            more, network.spec, network.state, self.device
        ).run()
        if drawn is None:
            return Placed(predictions)
        yield Progress(0, 1, "Placing them on the map")
        old, new = network.predictions.latents, predictions.latents
        places = place(new, old, drawn.coordinates, drawn.method)
        both = Map(
            np.concatenate([drawn.coordinates, places]),
            extended(old, drawn.neighbours, new),
            drawn.method,
        )
        return Placed(predictions, both)


def checkpoints_of(state: SessionState) -> tuple[Checkpoint, ...]:
    """Return every checkpoint that a session may come back to, each once."""
    return tuple(dict.fromkeys(filter(is_whole, state.standing)))


def _as_needed(checkpoint: Checkpoint) -> Checkpoint:
    """Return of a checkpoint its network, latents and map only; no more is read."""
    network, none = checkpoint.network, np.empty(0, np.float32)
    if network is not None:
        said = Predictions(network.predictions.latents, none[:, None])
        network = Network(network.spec, network.state, said, none)
    nobody = none.astype(np.int64), none.astype(bool)
    return Checkpoint((), *nobody, network, checkpoint.map)


def with_images(state: SessionState, added: Added) -> SessionState:
    """Return a session with further images; edits, rounds and answers stay valid.

    What rounds led to that were rolled back has no network any more that could see
    the new images: it is left without one, and without a map.

    Raises
    ------
    SessionError
        If the session is another one by now.
    """
    checkpoints = checkpoints_of(state)
    others = len(checkpoints) != len(added.placed) or len(state.axes) != len(added.axes)
    if len(state.dataset) != added.n_before or others:
        raise SessionError(
            "The session has changed while the images were read: add them again."
        )
    more = added.more
    placed = dict(zip(checkpoints, added.placed, strict=True))
    every = dict.fromkeys((*checkpoints, *filter(is_whole, ends(state.rounds))))
    n_own = state.dataset.n_classes
    now = {
        one: _checkpoint_with(one, more, n_own, placed.get(one, Placed()))
        for one in every
    }
    return replace(
        state,
        dataset=_dataset_with(state.dataset, more, tuple(every)),
        checkpoint=now[state.checkpoint],
        rounds=tuple(
            replace(
                past,
                before=now.get(past.before, past.before),
                after=now.get(past.after, past.after),
            )
            for past in state.rounds
        ),
        axes=tuple(
            replace(kept, axis=axis)
            for kept, axis in zip(state.axes, added.axes, strict=True)
        ),
    )


def _checkpoint_with(
    checkpoint: Checkpoint, more: ImageDataset, n_own: int, placed: Placed
) -> Checkpoint:
    class_names, where, came = _classes_with(checkpoint, more, n_own)
    soft, n_before = more.soft_labels, len(checkpoint.labels)
    if soft is not None:
        soft = regrouped(soft, where, len(class_names))
    before = renamed(checkpoint.soft_labels, checkpoint.class_names, class_names)
    masks = (checkpoint.rejected, n_before), (rejected_in(more.columns), len(more))
    rejected = np.concatenate(
        [np.zeros(n, bool) if mask is None else mask for mask, n in masks]
    )
    network = checkpoint.network if placed.predictions is not None else None
    if network is not None and placed.predictions is not None:
        old, new = network.predictions, placed.predictions
        nothing = np.full(len(more), np.nan, np.float32)
        network = replace(
            network,
            predictions=Predictions(
                _joined(old.latents, new.latents),
                _joined(old.probabilities, new.probabilities),
            ),
            margins=np.concatenate([network.margins, nothing]),
        )
    return Checkpoint(
        class_names=class_names,
        labels=np.concatenate([checkpoint.labels, where[more.labels]]),
        confirmed=np.concatenate([checkpoint.confirmed, np.zeros(len(more), bool)]),
        network=network,
        map=placed.map,
        soft_labels=stacked([(before, n_before), (soft, len(more))], len(class_names)),
        rejected=rejected if rejected.any() else None,
        came=came,
        traits=checkpoint.traits,
    )


def _classes_with(
    checkpoint: Checkpoint, more: ImageDataset, n_own: int
) -> tuple[tuple[str, ...], NDArray[np.int64], tuple[int, ...]]:
    """Return the classes of a checkpoint with those that new images bring.

    Then (c + 1,) where among them each of the c classes of the new images is, and -1;
    and `Checkpoint.came` with what is brought. An image of a class that was renamed or
    merged is of what has become of it.
    """
    names, brought = checkpoint.class_names, set(_brought(more).tolist())
    where: list[int] = []
    for at, name in enumerate(more.class_names):
        if checkpoint.came and at < n_own:
            where.append(checkpoint.came[at])
            continue
        if at in brought and name not in names:
            names = (*names, name)
        where.append(names.index(name) if name in names else UNLABELLED)
    came = tuple(at for own, at in enumerate(where) if own < n_own or own in brought)
    if came == tuple(range(len(came))):
        came = ()
    return names, np.array([*where, UNLABELLED], np.int64), came


def _dataset_with(
    dataset: ImageDataset, more: ImageDataset, checkpoints: Sequence[Checkpoint]
) -> ImageDataset:
    brought = (more.class_names[at] for at in _brought(more))
    class_names = tuple(dict.fromkeys((*dataset.class_names, *brought)))
    columns = dict(more.columns)
    if "truth" in columns:
        # Truth is counted in classes that mean the same in every round.
        everywhere = tuple(
            name
            for at, name in enumerate(dataset.class_names)
            if all(c.class_names[at : at + 1] == (name,) for c in checkpoints)
        )
        columns["truth"] = _renamed(columns["truth"], more.class_names, everywhere)
    labels = _renamed(more.labels, more.class_names, class_names)
    more = replace(
        more,
        labels=labels,
        class_names=class_names,
        columns=columns,
        soft_labels=renamed(more.soft_labels, more.class_names, class_names),
    )
    return dataset.joined(more)


def _brought(more: ImageDataset) -> NDArray[np.int64]:
    """Return the classes that new images are of, by their numbers."""
    brought = np.unique(more.labels[more.is_labelled])
    if more.soft_labels is not None:
        shared = np.flatnonzero(more.soft_labels.any(axis=0))
        brought = np.union1d(brought, shared)
    return brought


def _renamed(
    labels: NDArray[np.int64], names: tuple[str, ...], others: tuple[str, ...]
) -> NDArray[np.int64]:
    """Return labels as indices into other names; what is not among them has none."""
    index = {name: at for at, name in enumerate(others)}
    # The last one is what -1, for no class, leads to.
    lookup = [*(index.get(name, UNLABELLED) for name in names), UNLABELLED]
    return np.array(lookup, np.int64)[labels]


def _joined(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([old, new.astype(old.dtype)])
