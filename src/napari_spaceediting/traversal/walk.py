"""The work of a traversal: features, path, images."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.device import pick_device
from napari_spaceediting.network.spec import ClassifierSpec, State
from napari_spaceediting.traversal.arrival import Arrival, Looks, look_at, read_looks
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.pace import Pace, find_pace, shared_pace
from napari_spaceediting.traversal.reconstruction import (
    PREVIEW_WEIGHT,
    preview_images,
    reconstruct,
)
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraverseSettings
from napari_spaceediting.traversal.table import FeatureTable, read_features
from napari_spaceediting.traversal.witness import Array, WitnessProblem, make_problem

_NEAREST = 5
_NO_DISTANCE = 1e-9
"""Below it, a place is the image itself; distances are of the order of 1."""

_Batch = tuple[Traversal, list[WitnessProblem]]
"""A part of the traversal, which is filled in, with a problem for each of the numbers
of neighbours."""


def walk(
    dataset: ImageDataset,
    spec: ClassifierSpec,
    state: State,
    sets: TraversalSets,
    settings: TraverseSettings,
    notes: tuple[str, ...],
) -> Generator[Progress, None, Traversal]:
    """Do the work of `Traverse`, whose fields these are; the sets were checked.

    Yields
    ------
    Progress
        In images, in features, then in iterations of the reconstruction.
    """
    began = time.perf_counter()
    sets = sets.drawn(settings.most, settings.seed)
    rows = np.unique(np.concatenate([sets.images, *sets.sources, sets.target]))
    device = pick_device(settings.device)
    classifier = classifier_from(spec, state)
    features = LayerFeatures(classifier, settings.layers)
    classifier.to(device)
    table = yield from read_features(
        features,
        dataset,
        rows,
        device=device,
        batch_size=settings.batch_size,
    )
    gram = yield from table.gram()
    n = settings.batch_size
    target = yield from read_looks(classifier, dataset, sets.target, device, n)
    others = yield from read_looks(classifier, dataset, sets.unlike, device, n)
    on_the_way = _Walk(
        dataset=dataset,
        settings=settings,
        device=device,
        classifier=classifier,
        features=features,
        table=table,
        rows=rows,
        of_target=np.isin(rows, sets.target),
        arrival=Arrival(target, others, settings.typical),
        began=began,
    )
    whole = on_the_way.begin(sets, notes)
    batches = []
    for start in range(0, len(sets.images), n):
        batch = slice(start, start + n)
        problems = on_the_way.problems(gram, sets, batch)
        batches.append((whole.part(batch), problems))
    yield from on_the_way.preview(batches)
    paths = yield from on_the_way.find_paths(batches)
    yield from on_the_way.make_images(batches, paths)
    return replace(whole, seconds=time.perf_counter() - began)


@dataclass(frozen=True, eq=False)
class _Walk:
    """What all parts of the work use; `rows` are the dataset indices of the table."""

    dataset: ImageDataset
    settings: TraverseSettings
    device: torch.device
    classifier: LatentClassifier
    features: LayerFeatures
    table: FeatureTable
    rows: NDArray[np.int64]
    of_target: NDArray[np.bool_]
    arrival: Arrival
    began: float

    def begin(self, sets: TraversalSets, notes: tuple[str, ...]) -> Traversal:
        """Return a traversal on which nothing has moved yet, to be filled in."""
        n_images, n_steps = len(sets.images), 1 + self.settings.steps
        originals = self.dataset.images(sets.images)
        n_classes = self.classifier.spec.n_classes
        n_nearest = min(_NEAREST, int(self.of_target.sum()))
        n_around = min(_NEAREST, len(self.rows))
        return Traversal(
            indices=sets.images,
            images=np.repeat(originals[:, None], n_steps, axis=1),
            budgets=np.empty((n_images, n_steps - 1)),
            neighbours=np.empty(n_images, np.int64),
            witness=np.empty((n_images, n_steps)),
            probabilities=np.empty((n_images, n_steps, n_classes), np.float32),
            arrived=np.empty((n_images, n_steps), bool),
            nearest=np.empty((n_images, n_steps, n_nearest), np.int64),
            around=np.empty((n_images, n_steps, n_around), np.int64),
            closeness=np.empty((n_images, n_steps, n_around)),
            own=np.ones((n_images, n_steps), bool),
            made=np.zeros(n_images, np.int64),
            regime="mixtures",
            layers=self.features.layers,
            settings=self.settings,
            notes=notes,
            seconds=0.0,
        )

    def problems(
        self, gram: Array, sets: TraversalSets, batch: slice
    ) -> list[WitnessProblem]:
        """Return one for each of the numbers of neighbours."""
        moved = np.searchsorted(self.rows, sets.images[batch])
        sources = np.stack(
            [np.isin(self.rows, source) for source in sets.sources[batch]]
        )
        return [
            make_problem(
                gram,
                moved,
                sources,
                self.of_target,
                neighbours=neighbours,
            )
            for neighbours in self.settings.neighbours
        ]

    def preview(self, batches: Sequence[_Batch]) -> Generator[Progress, None, None]:
        """Show where all images may go, mixed from real ones, all at the same pace."""
        for number, (part, (problem, *_)) in enumerate(batches, start=1):
            self._mix_path(part, shared_pace(problem, self.settings))
            yield Progress(
                number, len(batches), "Mix real images", finished=part.copied()
            )

    def find_paths(
        self, batches: Sequence[_Batch]
    ) -> Generator[Progress, None, list[list[Array]]]:
        """Find how far each image goes; return the places of each batch and step."""
        paths = []
        for number, (part, problems) in enumerate(batches):

            def trial(
                places: Array, start: NDArray[np.float32] = part.images[:, 0]
            ) -> tuple[NDArray[np.bool_], Array]:
                images = preview_images(places, self.dataset, self.rows)
                change = np.square(images - start, dtype=float).sum(axis=(1, 2, 3))
                return self.arrival.of(self._look_at(images)), change

            turn = number, len(batches)
            pace = yield from find_pace(problems, self.settings, trial, turn)
            paths.append(self._mix_path(part, pace))
        return paths

    def make_images(
        self, batches: Sequence[_Batch], paths: Sequence[Sequence[Array]]
    ) -> Generator[Progress, None, None]:
        """Make the images of all steps from what was mixed for them."""
        settings = self.settings
        spread = self.table.spread(self.features.sizes)
        near = PREVIEW_WEIGHT / max(self.arrival.variance, _NO_DISTANCE)
        total = len(batches) * settings.steps * settings.iterations
        done = 0
        for (part, _), path in zip(batches, paths, strict=True):
            for step, places in enumerate(path[1:], start=1):
                current = torch.from_numpy(part.images[:, step]).to(self.device)
                for current, loss in reconstruct(  # noqa: B007, B020
                    self.features,
                    self.table.combine(places),
                    current,
                    spread,
                    start_weight=near,
                    iterations=settings.iterations,
                ):
                    done += 1
                    yield Progress(done, total, "Make the images", {"loss": loss})
                part.images[:, step] = current.cpu().numpy()
            self._judge(part)
            part.made[:] = settings.steps
            timed = replace(part, seconds=time.perf_counter() - self.began)
            yield Progress(done, total, "Judge the images", finished=timed)

    def _mix_path(self, part: Traversal, pace: Pace) -> list[Array]:
        """Fill in a path, with its images mixed from real ones; return its places."""
        path = list(pace.path())
        mixed = preview_images(np.concatenate(path[1:]), self.dataset, self.rows)
        by_step = mixed.reshape(len(path) - 1, -1, *mixed.shape[1:])
        part.images[:, 1:] = by_step.swapaxes(0, 1)
        part.budgets[:] = pace.budgets.T
        part.neighbours[:] = [self.settings.neighbours[at] or 0 for at in pace.which]
        for step, places in enumerate(path):
            products = places @ pace.problem.gram
            value = pace.problem.value(places, products, 0.0)
            part.witness[:, step] = value.witness
            distances = pace.problem.distances(places, products)
            near = _nearest(distances, part.nearest.shape[2], self.of_target)
            part.nearest[:, step] = self.rows[near]
            near = _nearest(distances, part.around.shape[2])
            part.around[:, step] = self.rows[near]
            nearest = np.take_along_axis(distances, near, axis=1)
            shares = 1 / np.maximum(nearest, _NO_DISTANCE)
            part.closeness[:, step] = shares / shares.sum(axis=1, keepdims=True)
        self._judge(part)
        return path

    def _judge(self, part: Traversal) -> None:
        """Fill in what the network says of the images, and which have arrived."""
        n_images, n_steps = part.images.shape[:2]
        looks = self._look_at(part.images.reshape(-1, *part.images.shape[2:]))
        part.probabilities[:] = looks.probabilities.reshape(n_images, n_steps, -1)
        part.arrived[:] = self.arrival.of(looks).reshape(n_images, n_steps)

    def _look_at(self, images: NDArray[np.float32]) -> Looks:
        return look_at(self.classifier, images, self.device, self.settings.batch_size)


def _nearest(
    distances: Array, n_nearest: int, among: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return the nearest rows (B, k), nearest first, of all or of some."""
    members = np.arange(distances.shape[1]) if among is None else np.flatnonzero(among)
    order = np.argsort(distances[:, members], axis=1, kind="stable")[:, :n_nearest]
    return members[order]
