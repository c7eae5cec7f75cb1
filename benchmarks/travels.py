"""Ways to move images to another class, each over its range of strengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from interpolation import arriving_path, interpolate_path
from judges import Arena, Images
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.fashion_mnist import CLASSES
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.traversal.arrival import Arrival, Looks, look_at
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.pace import Trial, find_pace
from napari_spaceediting.traversal.reconstruction import (
    PREVIEW_WEIGHT,
    preview_images,
    reconstruct,
)
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets, choose_sets
from napari_spaceediting.traversal.settings import (
    FITTING,
    NEIGHBOURS,
    TraverseSettings,
)
from napari_spaceediting.traversal.solver import traverse_path
from napari_spaceediting.traversal.table import FeatureTable
from napari_spaceediting.traversal.witness import (
    Array,
    WitnessProblem,
    bandwidth,
    make_problem,
)
from transport import assignment_moves, gaussian_moves

TYPICAL = 0.995, 0.97, 0.95, 0.9, 0.8, 0.65
FEWER_TYPICAL = 0.995, 0.95, 0.85, 0.7
SHARED = 0.5, 0.35, 0.26, 0.2, 0.16, 0.12, 0.09, 0.06
LENGTHS = 0.6, 0.9, 1.2, 1.5, 1.75, 2.0, 2.5
_PGD = 1.0, 2.0, 5.0, 12.0, 30.0
_FGSM = 0.05, 0.1, 0.2, 0.3, 0.4
_CROSSFADE = 0.5, 0.75, 1.0
SHORT = 1.0
"""Stands for a step short of the least typical that is asked for."""
_INTERPOLATED_NEIGHBOURS, _PIXEL_NEIGHBOURS = 100, 30
_CPU = torch.device("cpu")

Path = dict[float, Images]
"""Images (n, C, H, W) by strength."""

Seek = Callable[[Sequence[WitnessProblem], Trial], list[Array]]
"""From problems, one for each of `FITTING`, to the places of originals and steps."""


class Trip:
    """Images of one class on their way to another, and what may be known of both.

    Parameters
    ----------
    arena : Arena
    pair : tuple of str
        The classes.
    count : int
        How many images.
    """

    def __init__(self, arena: Arena, pair: tuple[str, str], count: int) -> None:
        self.arena = arena
        self.target = CLASSES.index(pair[1])
        moved = arena.originals(pair[0], count)
        self.originals = arena.pixels[moved]
        self.dataset = _joined(arena.learn, arena.test, moved)
        learnt = len(arena.learn)
        self.sets, _ = choose_sets(
            np.arange(learnt, learnt + count),
            self.target,
            labels=self.dataset.labels,
            held_out=self.dataset.held_out,
            probabilities=np.zeros((len(self.dataset), len(CLASSES)), np.float32),
        )

    def traverse(self, **settings: object) -> Traversal:
        """Run the job of the plugin."""
        network = self.arena.network
        job = Traverse(
            self.dataset,
            network.spec,
            state_of(network),
            self.sets,
            TraverseSettings(
                device="cpu",
                batch_size=len(self.originals),
                regime="mixtures",
                **settings,  # type: ignore[arg-type]
            ),
        )
        return run_job(job)

    def walk(self, **settings: object) -> Path:
        """Return the images of all budgets, the same for all images."""
        done = self.traverse(**settings)
        budgets = done.budgets[0].tolist()
        return dict(zip(budgets, done.images[:, 1:].swapaxes(0, 1), strict=True))

    def arrive(self, typical: Sequence[float], **settings: object) -> Path:
        """Return each image where it has arrived, else the last.

        The least typical share comes first.
        """
        done = [self.traverse(typical=share, **settings) for share in typical]
        found = [_first(one.images, one.arrived) for one in done]
        short = _first(done[0].images, done[0].arrived, short=1)
        return {SHORT: short, **dict(zip(typical, found, strict=True))}

    def arrive_in_pixels(self, typical: Sequence[float], seek: Seek) -> Path:
        """Do the same with pixels in place of features, as mixtures."""
        found = {}
        for share in typical:
            steps = self._seek(self.pixel_gram, seek, share)
            mixed = [preview_images(step, self.dataset, self.rows) for step in steps]
            found[share] = self._first_arrived(mixed, share)
        return found

    def arrive_by_interpolation(self, typical: Sequence[float]) -> Path:
        """Do the same by feature interpolation."""
        done = {}
        for share in typical:
            steps = self._seek(self.gram, arriving_path, share)
            made = self.make(iter(steps[1:]), range(1, len(steps)))
            done[share] = [self.originals, *made.values()]
        short = self._first_arrived(done[typical[0]], typical[0], short=1)
        found = {share: self._first_arrived(done[share], share) for share in typical}
        return {SHORT: short, **found}

    def _seek(self, gram: Array, seek: Seek, typical: float) -> list[Array]:
        """Return the steps to where mixtures of real images arrive."""
        arrival = Arrival(*self.real, typical)

        def trial(places: Array) -> tuple[NDArray[np.bool_], Array]:
            images = preview_images(places, self.dataset, self.rows)
            change = np.square(images - self.originals).sum(axis=(1, 2, 3))
            looks = look_at(self.arena.network, images, _CPU)
            return arrival.of(looks), np.float64(change)

        return seek([self.problem(gram, k) for k in FITTING], trial)

    def _first_arrived(
        self, steps: Sequence[Images], typical: float, short: int = 0
    ) -> Images:
        arrival = Arrival(*self.real, typical)
        arrived = [arrival.of(look_at(self.arena.network, s, _CPU)) for s in steps]
        return _first(np.stack(steps, axis=1), np.stack(arrived, axis=1), short)

    @cached_property
    def drawn(self) -> TraversalSets:
        """The sets as the job draws them."""
        settings = TraverseSettings()
        return self.sets.drawn(settings.most, settings.seed)

    @cached_property
    def real(self) -> tuple[Looks, Looks]:
        """How the images of the target look, and all others."""
        target, others = (
            look_at(self.arena.network, self.dataset.images(some), _CPU)
            for some in (self.drawn.target, self.drawn.unlike)
        )
        return target, others

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Source, target and moved images, as dataset indices."""
        drawn = self.drawn
        return np.concatenate([drawn.sources[0], drawn.target, drawn.images])

    @cached_property
    def pixels(self) -> Images:
        """Those images."""
        return self.dataset.images(self.rows)

    @cached_property
    def features(self) -> LayerFeatures:
        """Features of a copy of the network."""
        network = self.arena.network
        return LayerFeatures(classifier_from(network.spec, state_of(network)))

    @cached_property
    def table(self) -> FeatureTable:
        """Features of those images."""
        with torch.no_grad():
            return FeatureTable(
                self.features(torch.from_numpy(self.pixels)).numpy(), _CPU
            )

    @cached_property
    def gram(self) -> Array:
        """Gram matrix of the features."""
        return finish(self.table.gram())

    @cached_property
    def pixel_gram(self) -> Array:
        """Gram matrix of the standardised pixels."""
        flat = self.pixels.reshape(len(self.pixels), -1)
        return finish(FeatureTable(flat, _CPU).gram())

    @cached_property
    def members(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows are source and target."""
        at = np.arange(len(self.rows))
        n_source, n_target = len(self.drawn.sources[0]), len(self.drawn.target)
        return at < n_source, (at >= n_source) & (at < n_source + n_target)

    def problem(self, gram: Array, neighbours: int | None) -> WitnessProblem:
        """Return the witness problem of the moved images."""
        source, target = self.members
        count = len(self.originals)
        return make_problem(
            gram,
            np.arange(len(self.rows) - count, len(self.rows)),
            np.broadcast_to(source, (count, len(source))),
            target,
            neighbours=neighbours,
        )

    def mix(self, steps: Iterator[Array], strengths: Sequence[float]) -> Path:
        """Return mixtures of real images."""
        mixed = (preview_images(step, self.dataset, self.rows) for step in steps)
        return dict(zip(strengths, mixed, strict=True))

    def make(
        self,
        steps: Iterator[Array],
        strengths: Sequence[float],
        preview_weight: float = PREVIEW_WEIGHT,
        iterations: int = TraverseSettings().iterations_of("mixtures"),
    ) -> Path:
        """Return images made from features, each near to a mixture of real ones."""
        table = self.table
        arrival = Arrival(*self.real, TraverseSettings.typical)
        spread = table.spread(self.features.sizes)
        path = {}
        for strength, step in zip(strengths, steps, strict=True):
            start = preview_images(step, self.dataset, self.rows)
            *_, (images, _) = reconstruct(
                self.features,
                table.combine(step),
                torch.from_numpy(start),
                spread,
                start_weight=preview_weight / arrival.variance,
                iterations=iterations,
            )
            path[strength] = images.numpy()
        return path


def _first(images: Images, arrived: NDArray[np.bool_], short: int = 0) -> Images:
    """Return each image at its first step that has arrived, or short of it.

    Those that have not take the last.
    """
    there = arrived.copy()
    there[:, 0], there[:, -1] = False, True
    steps = there.argmax(axis=1) - short
    first: Images = images[np.arange(len(images)), steps]
    return first


def _joined(
    learn: ImageDataset, test: ImageDataset, moved: NDArray[np.int64]
) -> ImageDataset:
    """Return what the network has learnt from and, held out, the moved images."""
    raw = [
        np.stack([dataset.original(at) for at in rows])
        for dataset, rows in ((learn, range(len(learn))), (test, moved))
    ]
    return replace(
        learn,
        ids=np.concatenate([learn.ids, test.ids[moved]]),
        labels=np.concatenate([learn.labels, test.labels[moved]]),
        split=np.concatenate([learn.split, test.split[moved]]),
        pixels=ArrayPixels(np.concatenate(raw)),
    )


# Methods


def as_published(trip: Trip) -> Path:
    """All images of both sets, and one bandwidth for all that are moved."""
    problem = trip.problem(trip.gram, None)
    distances = problem.distances(problem.start(), problem.gram[problem.rows])
    shared = bandwidth(distances[:, trip.members[1]].ravel(), 0.5)
    problem = replace(problem, variances=np.full(len(problem.rows), shared))
    strengths = (0.3, 0.2, 0.14, 0.1, 0.07, 0.05)
    steps = traverse_path(problem, strengths)
    return trip.make(steps, strengths, preview_weight=0, iterations=10)


def our_path(problems: Sequence[WitnessProblem], trial: Trial) -> list[Array]:
    """Return the steps of the plugin, as mixtures arrive."""
    return list(finish(find_pace(problems, TraverseSettings(), trial)).path())


def feature_interpolation(trip: Trip) -> Path:
    """Go along the difference of the means of the nearest images of both sets."""
    problem = trip.problem(trip.gram, _INTERPOLATED_NEIGHBOURS)
    steps = interpolate_path(problem, LENGTHS)
    return trip.make(steps, LENGTHS)


def in_pixels(trip: Trip) -> Path:
    """Our path with pixels in place of features."""
    problem = trip.problem(trip.pixel_gram, NEIGHBOURS)
    return trip.mix(traverse_path(problem, SHARED), SHARED)


def pixel_interpolation(trip: Trip) -> Path:
    """Feature interpolation with pixels in place of features."""
    problem = trip.problem(trip.pixel_gram, _PIXEL_NEIGHBOURS)
    return trip.mix(interpolate_path(problem, LENGTHS), LENGTHS)


def mean_difference(trip: Trip) -> Path:
    """Go along the difference of the mean images of both sets."""
    problem = trip.problem(trip.pixel_gram, None)
    return trip.mix(interpolate_path(problem, LENGTHS), LENGTHS)


def nearest_real(trip: Trip) -> Path:
    """Fade to the nearest real image of the target, by pixels."""
    real = trip.dataset.images(trip.drawn.target)
    far = np.linalg.norm(
        trip.originals.reshape(len(trip.originals), 1, -1)
        - real.reshape(len(real), -1),
        axis=2,
    )
    goal = real[far.argmin(axis=1)]
    return {share: (1 - share) * trip.originals + share * goal for share in _CROSSFADE}


def transported(moves: Callable[[WitnessProblem], Array]) -> Callable[[Trip], Path]:
    """Return a method that goes along moves from an optimal transport."""

    def travel(trip: Trip) -> Path:
        problem = trip.problem(trip.gram, None)
        direction = moves(problem)
        steps = (problem.start() + length * direction for length in LENGTHS)
        return trip.mix(steps, LENGTHS)

    return travel


def pgd(trip: Trip) -> Path:
    """Projected gradient descent in a ball, towards the class (Madry et al. 2018)."""
    return {radius: _attack(trip, radius, 20) for radius in _PGD}


def _attack(trip: Trip, radius: float, iterations: int) -> Images:
    start = torch.from_numpy(trip.originals)
    images = start.clone()
    for _ in range(iterations):
        slope = _slope(trip, images).flatten(1)
        slope = slope / slope.norm(dim=1, keepdim=True).clamp_min(1e-12)
        images = images - 2.5 * radius / iterations * slope.view_as(start)
        change = (images - start).flatten(1)
        length = change.norm(dim=1, keepdim=True).clamp_min(1e-12)
        change = change * (radius / length).clamp_max(1)
        images = (start + change.view_as(start)).clamp(0, 1)
    return images.numpy()


def fgsm(trip: Trip) -> Path:
    """One step by the sign of the gradient (Goodfellow et al. 2015)."""
    start = torch.from_numpy(trip.originals)
    sign = _slope(trip, start).sign()
    return {size: (start - size * sign).clamp(0, 1).numpy() for size in _FGSM}


def _slope(trip: Trip, images: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the cross-entropy to the target."""
    images = images.detach().requires_grad_()
    _, logits = trip.arena.network(images)
    wanted = torch.full((len(images),), trip.target)
    loss = F.cross_entropy(logits, wanted, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


@dataclass(frozen=True)
class Way:
    """A way to move images.

    Parameters
    ----------
    name : str
    strength : str
        What its strength is.
    travel : callable
        From a trip to images by strength.
    """

    name: str
    strength: str
    travel: Callable[[Trip], Path]


PUBLISHED, OURS, PATH = "DMT as published", "our default", "our path, one budget"
PIXELS, PREVIEW = "pixel interpolation", "preview of our default"
OURS_IN_PIXELS = "our default in pixels"
PIXELS_ARRIVED = "pixel interpolation, until it arrives"
METHODS = (
    Way(PUBLISHED, "budget", as_published),
    Way(
        PATH,
        "budget",
        lambda trip: trip.walk(budgets=SHARED, neighbours=(NEIGHBOURS,)),
    ),
    Way(OURS, "typical", lambda trip: trip.arrive(TYPICAL)),
    Way(PREVIEW, "typical", lambda trip: trip.arrive(FEWER_TYPICAL, iterations=0)),
    Way("feature interpolation", "length", feature_interpolation),
    Way(
        "feature interpolation, until it arrives",
        "typical",
        lambda trip: trip.arrive_by_interpolation(FEWER_TYPICAL),
    ),
    Way("DMT in pixels", "budget", in_pixels),
    Way(
        OURS_IN_PIXELS, "typical", lambda trip: trip.arrive_in_pixels(TYPICAL, our_path)
    ),
    Way(PIXELS, "length", pixel_interpolation),
    Way(
        PIXELS_ARRIVED,
        "typical",
        lambda trip: trip.arrive_in_pixels(FEWER_TYPICAL, arriving_path),
    ),
    Way("mean difference", "length", mean_difference),
    Way("nearest real image", "share", nearest_real),
    Way(
        "Gaussian transport",
        "length",
        transported(gaussian_moves),
    ),
    Way(
        "assignment",
        "length",
        transported(assignment_moves),
    ),
    Way("PGD", "radius", pgd),
    Way("FGSM", "step", fgsm),
)
