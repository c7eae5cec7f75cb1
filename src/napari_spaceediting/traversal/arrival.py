"""Whether an image that was made can pass for a real one of the target."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import torch_errors_in_words

_LIKELY = 0.8
"""Or less, where the network is less sure of most of the target's real images."""
_VOTERS, _VOTES = 7, 6
_FLOOR = 0.2
"""Least deviation of a pixel, in mean deviations."""
_MOST_SIDE = 32
"""Pixels: that images look alike can be told from less than all of them."""


class Looks(NamedTuple):
    """How images look to a network, and to the eye in small.

    Parameters
    ----------
    latents : (n, D) float32 array
    probabilities : (n, classes) float32 array
    pixels : (n, P) float32 array
        Shrunk to 32 px at most, flattened.
    """

    latents: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    pixels: NDArray[np.float32]

    @classmethod
    def joined(cls, looks: Iterable[Looks]) -> Looks:
        """Return how images of several parts look, one after the other."""
        return cls(*map(np.concatenate, zip(*looks, strict=True)))

    def of(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Looks:
        """Return those of some of the images."""
        return Looks(*(values[rows] for values in self))


class Arrival:
    """What tells that an image has arrived at the target, by three signs.

    1. The network gives it the class of the target (that which it sees most in the
       target's images) with a probability of at least 0.8, or of the median of these
       where that is less.
    2. Of the 7 real images that are nearest to it in pixels, 6 are of the target.
    3. It is as near to a real image of the target, in pixels and in latents, as a share
       of those are to each other. Each pixel counts in units of its deviation there:
       a trace of what it was, where no image of the target has anything, weighs most.

    No sign will do alone: the first is what adversarial images are made for, and an
    image half-way is seen as the target long before it looks like it. The rule and its
    numbers are ours, chosen on the tuning half of `benchmarks/traversal.py`. It knows
    only the network and images of the user, so it is no independent judge.

    Where objects do not lie alike, the pixels that are nearest are those of a similar
    background: of photographs, pixels say nothing, and only network and latents do.

    Parameters
    ----------
    target, others : Looks
        Of real images of the target, and of other kinds.
    typical : float
        Share of the target's images that are at most so far from each other.
    by_pixels : bool, optional
        Whether pixels say something.

    Attributes
    ----------
    variance : float
        Mean variance of a pixel of the real images, target and others.
    """

    def __init__(
        self, target: Looks, others: Looks, typical: float, *, by_pixels: bool = True
    ) -> None:
        self._by_pixels = by_pixels
        knows_classes = target.probabilities.shape[1] > 0
        likely = target.probabilities.mean(axis=0)
        self._class = int(likely.argmax()) if knows_classes else None
        if self._class is not None:
            usual = float(np.median(target.probabilities[:, self._class]))
            self._likely = min(_LIKELY, usual)
        self._n_target = len(target.pixels)
        everything = np.concatenate([target.pixels, others.pixels])
        self.variance = float(everything.var(axis=0, dtype=np.float64).mean())
        self._voters = _neighbours(everything)
        self._n_voters = min(_VOTERS, self._n_target + len(others.pixels))
        deviations = target.pixels.std(axis=0)
        self._scale = np.maximum(
            deviations, _FLOOR * deviations.mean(), dtype=np.float32
        )
        np.maximum(self._scale, np.finfo(np.float32).tiny, out=self._scale)
        self._pixels = _neighbours(target.pixels / self._scale)
        self._latents = _neighbours(target.latents)
        self._far_pixels, self._far_latents = (
            float(np.quantile(_to_nearest(known), typical))
            for known in (self._pixels, self._latents)
        )

    def of(self, looks: Looks) -> NDArray[np.bool_]:
        """Return which images have arrived, (n,)."""
        arrived = _to_nearest(self._latents, looks.latents) <= self._far_latents
        if self._class is not None:
            arrived &= looks.probabilities[:, self._class] >= self._likely
        if self._by_pixels:
            scaled = looks.pixels / self._scale
            arrived &= _to_nearest(self._pixels, scaled) <= self._far_pixels
            voters = self._voters.kneighbors(
                looks.pixels, self._n_voters, return_distance=False
            )
            arrived &= (voters < self._n_target).mean(axis=1) >= _VOTES / _VOTERS
        result: NDArray[np.bool_] = arrived
        return result


def look_at(
    classifier: LatentClassifier,
    images: NDArray[np.float32],
    device: torch.device,
    batch_size: int = 32,
) -> Looks:
    """Look at images (n, C, H, W) in [0, 1].

    Raises
    ------
    TrainingFailed
        If torch cannot run the network.
    """
    latents, probabilities, pixels = [], [], []
    with torch_errors_in_words(), torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[start : start + batch_size])
            pixels.append(small_pixels(batch))
            some_latents, logits = classifier(batch.to(device))
            latents.append(some_latents.cpu().numpy())
            probabilities.append(logits.softmax(dim=1).cpu().numpy())
    return Looks(*map(np.concatenate, (latents, probabilities, pixels)))


def small_pixels(images: Tensor) -> NDArray[np.float32]:
    """Return the pixels of images (n, C, H, W), shrunk to 32 px at most, (n, P)."""
    height, width = (min(side, _MOST_SIDE) for side in images.shape[2:])
    small: NDArray[np.float32] = (
        F.adaptive_avg_pool2d(images, (height, width)).flatten(1).numpy()
    )
    return small


def read_looks(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    device: torch.device,
    batch_size: int = 32,
) -> Generator[Progress, None, Looks]:
    """Look at images of a data set.

    Yields
    ------
    Progress
        In images.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network.
    DataError
        If an image cannot be read.
    """
    found = []
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        found.append(look_at(classifier, dataset.images(batch), device, batch_size))
        yield Progress(start + len(batch), len(indices), "Look at the images")
    return Looks.joined(found)


def _neighbours(places: NDArray[np.float32]) -> NearestNeighbors:
    # Sums of squares of float32 lose the distances of near images.
    return NearestNeighbors(algorithm="brute").fit(places.astype(np.float64))


def _to_nearest(
    known: NearestNeighbors, places: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Return how far the nearest known place is; of a known one, the nearest other."""
    distances: NDArray[np.float64] = known.kneighbors(places, 1)[0][:, 0]
    return distances
