"""Images whose features are changed, from the original on: for photographs."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import memory_limit
from napari_spaceediting.network.device import torch_errors_in_words
from napari_spaceediting.traversal.envelope import envelope
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.ground import Ground
from napari_spaceediting.traversal.lbfgs import Minimiser
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.solver import even_path, traverse_path
from napari_spaceediting.traversal.whitening import Whitening, learn_whitening
from napari_spaceediting.traversal.witness import Array

_CLIPPING, _PRIOR = 10.0, 0.2
"""Weights of what lies outside [0, 1], and of the size of the change."""
_MOST_GROWTH = 1.6
"""Of the unknowns from a step to the next, before they are adapted."""
_PAIRS = 60
_PER_UNKNOWN = 150
"""Bytes, about: the memory of the minimiser, and the activations of a network."""
_AT_ONCE = 4
"""Images, where a processor works: so that the first step comes soon."""
_DOING = "Change the images"


def change_features(
    ground: Ground, whole: Traversal, *, is_shown: bool = False
) -> Generator[Progress, None, None]:
    """Fill in a traversal step by step.

    Parameters
    ----------
    ground : Ground
        What it stands on.
    whole : Traversal
        To be filled in.
    is_shown : bool, optional
        Whether `look_first` has shown more of the first image than its original.

    Yields
    ------
    Progress
        With the originals of all batches, then with each batch after each of its steps.
    """
    settings = ground.settings
    unknowns = 2 * whole.images[0, 0].size
    fit = max(1, memory_limit() // 4 // (_PER_UNKNOWN * unknowns))
    at_once = _AT_ONCE if ground.device.type == "cpu" else settings.batch_size
    size = min(at_once, settings.batch_size, fit)
    parts = [
        whole.part(slice(start, start + size))
        for start in range(0, len(whole.indices), size)
    ]
    for number, part in enumerate(parts):
        ground.judge(part, slice(0, 1))
        if number or not is_shown:
            yield Progress(0, 0, _DOING, finished=part.copied())
    kinds = _Kinds(ground)
    iterations = settings.iterations_of("features")
    done = 0
    for number, part in enumerate(parts):
        batch = slice(number * size, number * size + size)
        for progress in _travel(kinds, part, batch, settings.steps):
            done += "loss" in progress.metrics
            total = len(parts) * settings.steps * iterations
            yield replace(progress, done=done, total=total)


def look_first(ground: Ground, whole: Traversal) -> Generator[Progress, None, None]:
    """Show the original and the first step of the first image.

    Yields
    ------
    Progress
        With the original, then with the step.
    """
    first = slice(0, 1)
    part = whole.part(first)
    ground.judge(part, first)
    yield Progress(0, 0, _DOING, finished=part.copied())
    yield from _travel(_Kinds(ground), part, first, 1)


class _Kinds:
    """What both kinds of images tell of changes: which are usual, and where."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.usual = learn_whitening(_differences(ground), ground.device)
        self.spread = ground.table.spread(ground.features.sizes)
        # Images of one kind share their source.
        sources = {id(source): source for source in ground.sets.sources}
        self._places = {at: _where(ground, source) for at, source in sources.items()}

    def where(self, batch: slice) -> NDArray[np.float32]:
        """Return how much each pixel of some images may change, (n, 1, H, W)."""
        sources = self.ground.sets.sources[batch]
        return np.stack([self._places[id(source)] for source in sources])[:, None]


def _travel(
    kinds: _Kinds, part: Traversal, batch: slice, steps: int
) -> Generator[Progress, None, None]:
    """Make the first steps of some images, and tell each."""
    ground, settings = kinds.ground, kinds.ground.settings
    problem = ground.problem(batch, None)
    if settings.budgets is None:
        budgets, path = even_path(problem, settings.steps)
    else:
        budgets = np.repeat(np.array(settings.path)[:, None], len(part.indices), 1)
        path = [problem.own_kept(p) for p in traverse_path(problem, budgets)]
    part.budgets[:] = budgets.T
    ground.fill(part, problem, [problem.start(), *path])
    lengths = [problem.length(step) for step in path]
    images = ChangedImages(
        ground.features,
        torch.from_numpy(part.images[:, 0]).to(ground.device),
        kinds.usual,
        torch.from_numpy(kinds.where(batch)).to(ground.device),
        kinds.spread,
    )
    for step, wanted in enumerate(path[:steps], start=1):
        if step > 1:
            growth = lengths[step - 1] / np.maximum(lengths[step - 2], 1e-12)
            images.grow(np.minimum(growth, _MOST_GROWTH))
        features = ground.table.combine(wanted)
        for loss in images.approach(features, settings.iterations_of("features")):
            yield Progress(0, 0, _DOING, {"loss": loss})
        part.images[:, step:] = images.now().cpu().numpy()[:, None]
        ground.judge(part, slice(step, step + 1))
        part.made[:] = step
        timed = replace(part.copied(), seconds=time.perf_counter() - ground.began)
        yield Progress(0, 0, _DOING, finished=timed)


class ChangedImages:
    """Images on their way from their originals.

    The change of an image is made of whitened unknowns, and damped where the two kinds
    do not differ. With an image I, whatever is clipped off it, and the features phi_l
    that are wanted, the loss is::

        mean_l |phi_l(clip(I)) - wanted_l|^2 / spread_l + 10 mean((I - clip(I))^2)
            + 0.2 mean(unknowns^2)

    Parameters
    ----------
    features : LayerFeatures
        On the device.
    originals : (n, C, H, W) float32 tensor
        In [0, 1].
    usual : Whitening
        Makes changes of unknowns.
    where : (n, 1, H, W) float32 tensor
        How much each pixel may change, in [0, 1].
    spread : (L,) float32 tensor
        Sum of the variances of the features of each layer.
    """

    def __init__(
        self,
        features: LayerFeatures,
        originals: Tensor,
        usual: Whitening,
        where: Tensor,
        spread: Tensor,
    ) -> None:
        self._features = features
        self._originals = originals
        self._usual = usual
        self._where = where
        self._spread = spread
        self._minimiser = Minimiser()
        self._unknowns = originals.new_zeros(len(originals), usual.n_unknowns)

    def now(self) -> Tensor:
        """Return the images as they are, (n, C, H, W) in [0, 1]."""
        everyone = torch.arange(len(self._originals), device=self._originals.device)
        with torch.no_grad():
            return self._made(self._unknowns, everyone).clamp(0, 1)

    def grow(self, factors: Array) -> None:
        """Make the change of each image larger by a factor, (n,)."""
        self._unknowns *= self._unknowns.new_tensor(factors)[:, None]

    def approach(self, wanted: Tensor, iterations: int) -> Iterator[float]:
        """Change the images until their features are those that are wanted.

        Parameters
        ----------
        wanted : (n, D) float32 tensor
            Features of all layers.
        iterations : int
            How many.

        Yields
        ------
        float
            The mean loss, after each iteration.

        Raises
        ------
        TrainingFailed
            If torch cannot run the network, such as for lack of memory.
        """
        layers = torch.split(wanted, list(self._features.sizes), dim=1)
        n_pixels = self._originals[0].numel()

        def function(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            with torch_errors_in_words(), torch.enable_grad():
                unknowns = points.detach().requires_grad_()
                images = self._made(unknowns, rows)
                clipped = images.clamp(0, 1)
                losses = _PRIOR * unknowns.square().sum(dim=1) / n_pixels
                outside = (images - clipped).square().flatten(1).mean(dim=1)
                losses = losses + _CLIPPING * outside
                for part, goal, variance in zip(
                    self._features.parts(clipped), layers, self._spread, strict=True
                ):
                    far = (part - goal[rows]).square().sum(dim=1)
                    losses = losses + far / (variance * len(layers))
                (gradients,) = torch.autograd.grad(losses.sum(), unknowns)
            return losses.detach(), gradients

        for points, losses in self._minimiser.minimise(
            function, self._unknowns, iterations
        ):
            self._unknowns = points
            yield float(losses.mean())

    def _made(self, unknowns: Tensor, rows: Tensor) -> Tensor:
        change = self._usual.change(unknowns)
        return self._originals[rows] + self._where[rows] * change


def _where(ground: Ground, source: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how much each pixel of an image of a kind may change, (H, W)."""
    of_source, of_target = (
        np.searchsorted(ground.rows, some) for some in (source, ground.sets.target)
    )
    shapes, size = ground.features.shapes, ground.dataset.image_size
    return envelope(ground.table, shapes, of_source, of_target, size)


def _differences(ground: Ground) -> Iterator[NDArray[np.float32]]:
    """Yield differences between random images of the sets, over the root of 2."""
    rng = np.random.default_rng(ground.settings.seed)
    sets = ground.sets
    members = np.unique(np.concatenate([*sets.sources, sets.target]))
    drawn = rng.permutation(members)[: _PAIRS + 1]
    images = (ground.dataset.images(drawn[at : at + 1]) for at in range(len(drawn)))
    for one, other in pairwise(images):
        yield (one - other) / np.float32(2**0.5)
