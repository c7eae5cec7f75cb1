"""Images near to mixtures of real ones, each at its own pace."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.traversal.ground import Ground
from napari_spaceediting.traversal.pace import Pace, find_pace, shared_pace
from napari_spaceediting.traversal.reconstruction import (
    PREVIEW_WEIGHT,
    preview_images,
    reconstruct,
)
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.witness import Array, WitnessProblem

_LEAST_VARIANCE = 1e-9

_Batch = tuple[Traversal, list[WitnessProblem]]
"""A part of the traversal, which is filled in, with a problem for each of the numbers
of neighbours."""


def make_mixtures(ground: Ground, whole: Traversal) -> Generator[Progress, None, None]:
    """Fill in a traversal: mix real images, find how far each goes, make the images.

    Yields
    ------
    Progress
        With previews of all batches, then with each batch as it is finished.
    """
    size, batches = ground.settings.batch_size, []
    for start in range(0, len(whole.indices), size):
        batch = slice(start, start + size)
        problems = [ground.problem(batch, n) for n in ground.settings.neighbours]
        batches.append((whole.part(batch), problems))
    yield from _preview(ground, batches)
    paths = yield from _find_paths(ground, batches)
    yield from _make_images(ground, batches, paths)


def _preview(
    ground: Ground, batches: Sequence[_Batch]
) -> Generator[Progress, None, None]:
    """Show where all images may go, mixed from real ones, all at the same pace."""
    for number, (part, (problem, *_)) in enumerate(batches, start=1):
        _mix_path(ground, part, shared_pace(problem, ground.settings))
        yield Progress(number, len(batches), "Mix real images", finished=part.copied())


def _find_paths(
    ground: Ground, batches: Sequence[_Batch]
) -> Generator[Progress, None, list[list[Array]]]:
    """Find how far each image goes; return the places of each batch and step."""
    paths = []
    for number, (part, problems) in enumerate(batches):

        def trial(
            places: Array, start: NDArray[np.float32] = part.images[:, 0]
        ) -> tuple[NDArray[np.bool_], Array]:
            images = preview_images(places, ground.dataset, ground.rows)
            change = np.square(images - start, dtype=float).sum(axis=(1, 2, 3))
            return ground.arrival.of(ground.look_at(images)), change

        turn = number, len(batches)
        pace = yield from find_pace(problems, ground.settings, trial, turn)
        paths.append(_mix_path(ground, part, pace))
    return paths


def _make_images(
    ground: Ground, batches: Sequence[_Batch], paths: Sequence[Sequence[Array]]
) -> Generator[Progress, None, None]:
    """Make the images of all steps from what was mixed for them."""
    settings = ground.settings
    iterations = settings.iterations_of("mixtures")
    spread = ground.table.spread(ground.features.sizes)
    near = PREVIEW_WEIGHT / max(ground.arrival.variance, _LEAST_VARIANCE)
    total = len(batches) * settings.steps * iterations
    done = 0
    for (part, _), path in zip(batches, paths, strict=True):
        for step, places in enumerate(path[1:], start=1):
            current = torch.from_numpy(part.images[:, step]).to(ground.device)
            for current, loss in reconstruct(  # noqa: B007, B020
                ground.features,
                ground.table.combine(places),
                current,
                spread,
                start_weight=near,
                iterations=iterations,
            ):
                done += 1
                yield Progress(done, total, "Make the images", {"loss": loss})
            part.images[:, step] = current.cpu().numpy()
        ground.judge(part)
        part.made[:] = settings.steps
        timed = replace(part, seconds=time.perf_counter() - ground.began)
        yield Progress(done, total, "Judge the images", finished=timed)


def _mix_path(ground: Ground, part: Traversal, pace: Pace) -> list[Array]:
    """Fill in a path, with its images mixed from real ones; return its places."""
    path = list(pace.path())
    mixed = preview_images(np.concatenate(path[1:]), ground.dataset, ground.rows)
    by_step = mixed.reshape(len(path) - 1, -1, *mixed.shape[1:])
    part.images[:, 1:] = by_step.swapaxes(0, 1)
    part.budgets[:] = pace.budgets.T
    part.neighbours[:] = [ground.settings.neighbours[at] or 0 for at in pace.which]
    ground.fill(part, pace.problem, path)
    ground.judge(part)
    return path
