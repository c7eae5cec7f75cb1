"""How long a traversal takes, and how much memory, each beside what it is to beat.

Times are seconds of the processor on one thread. Arms of a comparison take turns.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.fashion_mnist import CLASSES, load_fashion_mnist
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import Progress, finish
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.reconstruction import (
    PREVIEW_WEIGHT,
    TV_WEIGHT,
    preview_images,
    reconstruct,
    total_variation,
)
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import NEIGHBOURS, TraverseSettings
from napari_spaceediting.traversal.solver import traverse_path
from napari_spaceediting.traversal.table import FeatureTable
from napari_spaceediting.traversal.witness import (
    Array,
    WitnessProblem,
    WitnessValue,
    make_problem,
)

_MOVED, _IN_SETS = 60, 600
_BUDGETS = 0.3, 0.2, 0.14, 0.1, 0.07
_ONE_BY_ONE = 6
"""Images of those whose time is taken where each is worked on alone."""
_TURNS = 3
_SCALES: tuple[dict[str, object], ...] = (
    *({"sets": size, "side": 28} for size in (100, 500, 1000, 2000)),
    *({"sets": 100, "side": side} for side in (56, 112, 224)),
    {"sets": 300, "side": 112, "channels": 3},
    {"sets": 10, "side": 224, "channels": 3, "backbone": "vgg19", "moved": 1},
)

Seconds = dict[str, float]


def measured(quick: bool) -> dict[str, object]:
    """Return the figures of all comparisons."""
    torch.set_num_threads(1)
    bench = _Bench(quick)
    turns = [bench.compare() for _ in range(1 if quick else _TURNS)]
    return {
        "turns": turns,
        "scales": [_child(scale) for scale in (_SCALES[:1] if quick else _SCALES)],
    }


class _Bench:
    """Images of two classes and the features of a network that never learnt."""

    def __init__(self, quick: bool) -> None:
        self.moved = 10 if quick else _MOVED
        dataset = finish(load_fashion_mnist(20_000, 1000))
        kinds = [
            np.flatnonzero((dataset.labels == CLASSES.index(name)) & ~dataset.held_out)
            for name in ("Pullover", "Coat")
        ]
        half = _IN_SETS // 2
        self.rows = np.concatenate(
            [kinds[0][:half], kinds[1][:half], kinds[0][half : half + self.moved]]
        )
        self.dataset = dataset
        self.features = LayerFeatures(classifier_from(ClassifierSpec(n_classes=10)))
        with torch.no_grad():
            found = self.features(torch.from_numpy(dataset.images(self.rows)))
        self.table = FeatureTable(found.numpy(), torch.device("cpu"))
        at = np.arange(len(self.rows))
        self.problem = make_problem(
            finish(self.table.gram()),
            at[_IN_SETS:],
            np.broadcast_to(at < half, (self.moved, len(at))),
            (at >= half) & (at < _IN_SETS),
        )
        self.spread = self.table.spread(self.features.sizes)
        variance = dataset.images(self.rows[:_IN_SETS]).var(axis=0).mean()
        self.near = PREVIEW_WEIGHT / float(variance)

    def compare(self) -> Seconds:
        """Take the times of one turn."""
        ours, path = _timed(lambda: list(traverse_path(self.problem, _BUDGETS)))
        some = [_single(self.problem, at) for at in range(_ONE_BY_ONE)]
        best = np.array(
            [
                _losses(self.problem, step, budget)
                for step, budget in zip(path, _BUDGETS, strict=True)
            ]
        )
        published, reached = _timed(
            lambda: [_published(one, best[:, at]) for at, one in enumerate(some)]
        )
        together, reached_together = _timed(
            lambda: _published_in_a_batch(self.problem, best)
        )
        preview, start = _timed(
            lambda: preview_images(path[-1], self.dataset, self.rows)
        )
        settings = TraverseSettings()
        wanted = self.table.combine(path[-1])

        def reconstructed() -> tuple[torch.Tensor, float]:
            *_, last = reconstruct(
                self.features,
                wanted,
                torch.from_numpy(start),
                self.spread,
                start_weight=self.near,
                iterations=settings.iterations_of("mixtures"),
            )
            return last

        final, (images, _) = _timed(reconstructed)
        goals = self._reconstruction_losses(images, wanted, torch.from_numpy(start))
        # As published, from the original.
        originals = self.dataset.images(self.rows[_IN_SETS:])
        alone, found = _timed(
            lambda: [
                self._one_by_one(
                    wanted[at : at + 1],
                    originals[at : at + 1],
                    torch.from_numpy(start[at : at + 1]),
                    goals[at],
                )
                for at in range(_ONE_BY_ONE)
            ]
        )
        error = np.mean((images.numpy() - start) ** 2, axis=(1, 2, 3))
        share = self.moved / _ONE_BY_ONE
        return {
            "traversal, ours": ours,
            "traversal, published": published * share,
            "traversal, published in a batch": together,
            "loss, published over ours": float(
                np.max(np.array(reached).T - best[:, :_ONE_BY_ONE])
            ),
            "loss, published in a batch over ours": float(
                np.max(reached_together - best)
            ),
            "reconstruction, ours": final,
            "reconstruction, one by one": alone * share,
            "loss, one by one over ours": float(
                np.mean(np.array(found) / goals[:_ONE_BY_ONE]) - 1
            ),
            "preview": preview,
            "PSNR of the preview": float(np.mean(-10 * np.log10(error))),
        }

    def _reconstruction_losses(
        self, images: torch.Tensor, wanted: torch.Tensor, previews: torch.Tensor
    ) -> Array:
        with torch.no_grad():
            losses = self._besides(images, previews)
            goals = torch.split(wanted, list(self.features.sizes), dim=1)
            for part, goal, variance in zip(
                self.features.parts(images), goals, self.spread, strict=True
            ):
                far = (part - goal).square().sum(dim=1)
                losses = losses + far / (variance * len(goals))
        return losses.double().numpy()

    def _besides(self, images: torch.Tensor, previews: torch.Tensor) -> torch.Tensor:
        """Return the terms of the losses that need no features, (n,)."""
        away = (images - previews).square().mean(dim=(1, 2, 3))
        rough = TV_WEIGHT * total_variation(images)
        return self.near * away + rough

    def _one_by_one(
        self, wanted: torch.Tensor, start: Array, preview: torch.Tensor, goal: float
    ) -> float:
        """Minimise the loss of one image by L-BFGS-B until it is as low as ours."""
        goals = torch.split(wanted, list(self.features.sizes), dim=1)
        lowest = [np.inf]

        def function(point: Array) -> tuple[float, Array]:
            flat = torch.from_numpy(point.astype(np.float32)).requires_grad_()
            images = flat.view(start.shape)
            loss = self._besides(images, preview).sum()
            for part, wish, variance in zip(
                self.features.parts(images), goals, self.spread, strict=True
            ):
                loss = loss + (part - wish).square().sum() / (variance * len(goals))
            (slope,) = torch.autograd.grad(loss, flat)
            value = loss.item()
            lowest[0] = min(lowest[0], value)
            return value, slope.double().numpy()

        def stop(_: Array) -> None:
            if lowest[0] <= goal:
                raise StopIteration

        minimize(
            function,
            np.float64(start.ravel()),
            method="L-BFGS-B",
            jac=True,
            bounds=[(0, 1)] * start.size,
            callback=stop,
            options={"maxiter": 2000},
        )
        return lowest[0]


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def _single(problem: WitnessProblem, at: int) -> WitnessProblem:
    one = slice(at, at + 1)
    return replace(
        problem,
        rows=problem.rows[one],
        weights=problem.weights[one],
        variances=problem.variances[one],
    )


def _losses(problem: WitnessProblem, coefficients: Array, budget: float) -> Array:
    return problem.value(coefficients, coefficients @ problem.gram, budget).loss


_TOLERANCE = 1e-5
"""Of the loss, which is of the order of 1: where two optima count as the same."""


def _published(problem: WitnessProblem, goals: Array) -> list[float]:
    """Minimise over the coefficients by nonlinear conjugate gradients, as published.

    One image at a time, each budget from the last result, until the loss is that of
    our solver.
    """
    found = problem.start()
    reached = []
    for budget, goal in zip(_BUDGETS, goals, strict=True):
        lowest = [np.inf, found]

        def function(
            point: Array, budget: float = budget, lowest: list = lowest
        ) -> tuple[float, Array]:
            coefficients = point[None]
            products = coefficients @ problem.gram
            value = problem.value(coefficients, products, budget)
            if value.loss[0] < lowest[0]:
                lowest[:] = [value.loss[0], coefficients]
            slope = _slope(problem, value, coefficients, budget)
            return float(value.loss[0]), slope[0]

        def stop(_: Array, goal: float = goal, lowest: list = lowest) -> None:
            if lowest[0] <= goal + _TOLERANCE:
                raise StopIteration

        minimize(function, found[0], method="CG", jac=True, callback=stop,
                 options={"maxiter": 300})  # fmt: skip
        found = lowest[1]
        reached.append(float(lowest[0]))
    return reached


def _slope(
    problem: WitnessProblem, value: WitnessValue, coefficients: Array, budget: float
) -> Array:
    """Return the gradient (B, K) of the loss by the coefficients."""
    towards = value.pulls - value.witness[:, None] * coefficients
    back = coefficients - problem.start()
    return (towards / problem.variances[:, None] + 2 * budget * back) @ problem.gram


def _published_in_a_batch(problem: WitnessProblem, goals: Array) -> Array:
    """Do the same for all images at once (Polak & Ribière 1969, from 0 on).

    Each image has a line search of its own, by halves; along a line all products with
    the Gram matrix are linear, so that it takes none.
    """
    coefficients = problem.start()
    reached = []
    for budget, goal in zip(_BUDGETS, goals, strict=True):
        products = coefficients @ problem.gram
        value = problem.value(coefficients, products, budget)
        slope = _slope(problem, value, coefficients, budget)
        direction, lengths = -slope, np.full(len(slope), 1.0)
        for _ in range(300):
            if (value.loss <= goal + _TOLERANCE).all():
                break
            falls = np.einsum("bk,bk->b", direction, slope)
            direction = np.where(falls[:, None] < 0, direction, -slope)
            falls = np.einsum("bk,bk->b", direction, slope)
            along = direction @ problem.gram
            better = np.zeros(len(slope), bool)
            lengths *= 4
            for _ in range(20):
                step = lengths[:, None]
                tried = problem.value(
                    coefficients + step * direction, products + step * along, budget
                )
                better = tried.loss <= value.loss + 1e-4 * lengths * falls
                if better.all():
                    break
                lengths = np.where(better, lengths, lengths / 2)
            step = np.where(better, lengths, 0)[:, None]
            coefficients = coefficients + step * direction
            products = products + step * along
            value = problem.value(coefficients, products, budget)
            old, slope = slope, _slope(problem, value, coefficients, budget)
            turn = np.einsum("bk,bk->b", slope, slope - old)
            share = turn / np.maximum(np.einsum("bk,bk->b", old, old), 1e-30)
            direction = np.maximum(share, 0)[:, None] * direction - slope
        reached.append(value.loss)
    return np.array(reached)


# Scales


def _child(scale: dict[str, object]) -> dict[str, object]:
    """Take time and memory of one scale in a process of its own."""
    done = subprocess.run(
        [sys.executable, Path(__file__), json.dumps(scale)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {**scale, **json.loads(done.stdout)}


def _at_scale(
    sets: int,
    side: int,
    channels: int = 1,
    backbone: str = "small_cnn",
    moved: int = 32,
) -> Seconds:
    """Move images amid `sets` of source and as many of target.

    Returns
    -------
    dict
        Seconds for each image and step, alone and in a batch, and gigabytes at most.
    """
    torch.set_num_threads(1)
    dataset = _enlarged(2 * sets + moved, side, channels)
    classifier = classifier_from(
        ClassifierSpec(
            backbone, n_classes=2, in_channels=channels, image_size=(side, side)
        )
    )
    settings = TraverseSettings(most=sets, regime="mixtures", device="cpu")
    if side > 28:
        settings = replace(settings, budgets=(0.2,))
    groups = np.split(np.arange(2 * sets + moved), [sets, 2 * sets])
    figures = {}
    for count in dict.fromkeys((1, moved)):
        job = Traverse(
            dataset,
            classifier.spec,
            state_of(classifier),
            TraversalSets(groups[2][:count], (groups[0],) * count, groups[1]),
            settings,
        )
        ticks = [
            (progress.message, time.process_time()) for progress in _steps(job.run())
        ]
        taken: Seconds = {}
        for (_, begin), (message, end) in pairwise(ticks):
            taken[message] = taken.get(message, 0) + end - begin
        steps = job.settings.steps
        key = "alone" if count == 1 else "in a batch"
        figures[f"reconstruction, {key}"] = taken["Make the images"] / count / steps
        figures["features"] = taken["Read the images"] / len(dataset)
        figures["Gram matrix"] = taken["Compare features"]
        path = _path_time(sets, count)
        figures[f"search, {key}"] = taken["Find where they arrive"] / count
        figures[f"path, {key}"] = path / count / len(TraverseSettings().path)
    figures["GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return figures


def _steps(steps: Iterator[Progress]) -> Iterator[Progress]:
    yield Progress(0, 0)
    yield from steps


def _path_time(sets: int, count: int) -> float:
    """Return the seconds of the solver; the number of features does not matter."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(2 * sets + count, 50))
    places[sets : 2 * sets, :5] += 2
    at = np.arange(len(places))
    problem = make_problem(
        places @ places.T / 50,
        at[2 * sets :],
        np.broadcast_to(at < sets, (count, len(at))),
        (at >= sets) & (at < 2 * sets),
        neighbours=NEIGHBOURS,
    )
    return _timed(lambda: list(traverse_path(problem, TraverseSettings().path)))[0]


def _enlarged(count: int, side: int, channels: int) -> ImageDataset:
    """Return images of two classes in another size and with more channels."""
    source = finish(load_fashion_mnist(50_000, 1000))
    kinds = [
        np.flatnonzero(source.labels == CLASSES.index(name))[: count // 2 + 32]
        for name in ("Pullover", "Coat")
    ]
    rows = np.concatenate(kinds)[:count]
    pixels = np.stack([source.original(at) for at in rows])
    if channels > 1:
        pixels = np.stack([pixels] * channels, axis=-1)
    return ImageDataset(
        name="Enlarged",
        ids=source.ids[rows],
        labels=source.labels[rows],
        class_names=source.class_names,
        split=np.full(len(rows), Split.TRAIN, np.int8),
        pixels=ArrayPixels(pixels),
        scaling=IntensityScaling("dtype"),
        image_size=(side, side),
    )


if __name__ == "__main__":
    print(json.dumps(_at_scale(**json.loads(sys.argv[1]))))
