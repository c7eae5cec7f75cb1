"""The work of a traversal: features, path, images."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.device import pick_device
from napari_spaceediting.traversal.arrival import Arrival, look_at, read_looks
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.job import Traversal, Traverse
from napari_spaceediting.traversal.pace import Pace, find_pace, shared_pace
from napari_spaceediting.traversal.preview import preview_images
from napari_spaceediting.traversal.reconstruction import reconstruct
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraverseSettings
from napari_spaceediting.traversal.table import FeatureTable, read_features
from napari_spaceediting.traversal.witness import Array, WitnessProblem, make_problem

_NEAREST = 5
_NO_DISTANCE = 1e-9
"""Below it, a place is the image itself; distances are of the order of 1."""


def walk(job: Traverse) -> Generator[Progress, None, Traversal]:
    """Do the work of a job whose sets were checked.

    Yields
    ------
    Progress
        In images, in features, then in iterations of the reconstruction.
    """
    began = time.perf_counter()
    settings, dataset = job.settings, job.dataset
    device = pick_device(settings.device)
    classifier = classifier_from(job.spec, job.state)
    features = LayerFeatures(classifier, settings.layers)
    classifier.to(device)
    sets = job.sets.drawn(settings.most, settings.seed)
    rows = np.unique(np.concatenate([sets.images, *sets.sources, sets.target]))
    table = yield from read_features(
        features,
        dataset,
        rows,
        device=device,
        batch_size=settings.batch_size,
        cache_dir=job.cache_dir,
    )
    gram = yield from table.gram()
    spread = _spread(table, features)

    n_images, n_steps = len(sets.images), 1 + settings.steps
    originals = dataset.images(sets.images)
    arrival = yield from _arrival(classifier, job, sets, device)
    n_nearest = min(_NEAREST, len(np.unique(sets.target)))
    n_around = min(_NEAREST, len(rows))
    whole = Traversal(
        indices=sets.images,
        images=np.repeat(originals[:, None], n_steps, axis=1),
        budgets=np.empty((n_images, n_steps - 1)),
        neighbours=np.empty(n_images, np.int64),
        witness=np.empty((n_images, n_steps)),
        probabilities=np.empty((n_images, n_steps, job.spec.n_classes), np.float32),
        arrived=np.empty((n_images, n_steps), bool),
        nearest=np.empty((n_images, n_steps, n_nearest), np.int64),
        around=np.empty((n_images, n_steps, n_around), np.int64),
        closeness=np.empty((n_images, n_steps, n_around)),
        layers=features.layers,
        settings=settings,
        notes=job.notes,
        seconds=0.0,
    )
    of_target = np.isin(rows, sets.target)
    batches = [
        slice(start, min(start + settings.batch_size, n_images))
        for start in range(0, n_images, settings.batch_size)
    ]

    def mixed(places: Array) -> NDArray[np.float32]:
        return preview_images(places, dataset, rows)

    def judge(part: Traversal) -> None:
        flat = part.images.reshape(-1, *originals.shape[1:])
        looks = look_at(classifier, flat, device, settings.batch_size)
        shape = part.images.shape[:2]
        part.probabilities[:] = looks.probabilities.reshape(*shape, -1)
        part.arrived[:] = arrival.of(looks).reshape(shape)

    def preview(part: Traversal, pace: Pace) -> list[Array]:
        path = list(pace.path(settings.method))
        images = mixed(np.concatenate(path[1:]))
        shape = settings.steps, len(part.indices), *originals.shape[1:]
        part.images[:, 1:] = images.reshape(shape).swapaxes(0, 1)
        part.budgets[:] = pace.budgets.T
        part.neighbours[:] = [settings.neighbours[at] or 0 for at in pace.which]
        for step, places in enumerate(path):
            part.witness[:, step], distances = _look_around(pace.problem, places)
            near = _nearest(distances, n_nearest, of_target)
            part.nearest[:, step] = rows[near]
            near = _nearest(distances, n_around)
            part.around[:, step] = rows[near]
            part.closeness[:, step] = _closeness(
                np.take_along_axis(distances, near, axis=1)
            )
        judge(part)
        return path

    problems = [
        _problems(gram, rows, of_target, sets, batch, settings) for batch in batches
    ]
    for number, (batch, (first, *_)) in enumerate(
        zip(batches, problems, strict=True), start=1
    ):
        part = whole.part(batch)
        preview(part, shared_pace(first, settings))
        yield Progress(
            number, len(batches), "Mix real images", finished=part.as_preview()
        )

    paths = []
    for number, (batch, choice) in enumerate(zip(batches, problems, strict=True)):

        def trial(
            places: Array, start: NDArray[np.float32] = originals[batch]
        ) -> tuple[NDArray[np.bool_], Array]:
            images = mixed(places)
            looks = look_at(classifier, images, device, settings.batch_size)
            change = np.square(images - start, dtype=float).sum(axis=(1, 2, 3))
            return arrival.of(looks), change

        turn = number, len(batches)
        pace = yield from find_pace(choice, settings, trial, turn)
        paths.append(preview(whole.part(batch), pace))

    near = settings.preview_weight / max(arrival.variance, _NO_DISTANCE)
    total = len(batches) * settings.steps * settings.iterations
    done = 0
    for batch, path in zip(batches, paths, strict=True):
        part = whole.part(batch)
        for step, places in enumerate(path[1:], start=1):
            current = torch.from_numpy(part.images[:, step]).to(device)
            for current, loss in reconstruct(  # noqa: B007, B020
                features,
                table.combine(places),
                current,
                spread,
                tv_weight=settings.tv_weight,
                start_weight=near,
                iterations=settings.iterations,
            ):
                done += 1
                yield Progress(done, total, "Make the images", {"loss": loss})
            part.images[:, step] = current.cpu().numpy()
        judge(part)
        yield Progress(done, total, "Judge the images", finished=part)
    return replace(whole, seconds=time.perf_counter() - began)


def _arrival(
    classifier: LatentClassifier,
    job: Traverse,
    sets: TraversalSets,
    device: torch.device,
) -> Generator[Progress, None, Arrival]:
    """Learn what real images look like."""
    n = job.settings.batch_size
    target = yield from read_looks(classifier, job.dataset, sets.target, device, n)
    others = yield from read_looks(classifier, job.dataset, sets.unlike, device, n)
    return Arrival(target, others, job.settings.typical)


def _problems(
    gram: Array,
    rows: NDArray[np.int64],
    of_target: NDArray[np.bool_],
    sets: TraversalSets,
    batch: slice,
    settings: TraverseSettings,
) -> list[WitnessProblem]:
    """Return one for each of the numbers of neighbours."""
    moved = np.searchsorted(rows, sets.images[batch])
    sources = np.stack([np.isin(rows, source) for source in sets.sources[batch]])
    return [
        make_problem(
            gram,
            moved,
            sources,
            of_target,
            kernel_mean=settings.kernel_mean,
            neighbours=neighbours,
        )
        for neighbours in settings.neighbours
    ]


def _look_around(problem: WitnessProblem, coefficients: Array) -> tuple[Array, Array]:
    """Return the witness (B,) and the squared distances (B, K) to all rows."""
    products = coefficients @ problem.gram
    value = problem.value(coefficients, products, 0.0)
    return value.witness, problem.distances(coefficients, products)


def _nearest(
    distances: Array, n_nearest: int, among: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return the nearest rows (B, k), nearest first, of all or of some."""
    members = np.arange(distances.shape[1]) if among is None else np.flatnonzero(among)
    order = np.argsort(distances[:, members], axis=1, kind="stable")[:, :n_nearest]
    return members[order]


def _closeness(distances: Array) -> Array:
    """Return shares by the inverse of squared distances (B, k)."""
    shares = 1 / np.maximum(distances, _NO_DISTANCE)
    together: Array = shares / shares.sum(axis=1, keepdims=True)
    return together


def _spread(table: FeatureTable, features: LayerFeatures) -> torch.Tensor:
    """Return the sum of the squared scales of each layer, (L,)."""
    ends = np.cumsum(features.sizes)[:-1]
    squared = table.scale.astype(np.float64) ** 2
    sums = [part.sum() for part in np.split(squared, ends)]
    return torch.tensor(sums, dtype=torch.float32, device=table.device)
