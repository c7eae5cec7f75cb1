"""Features of many images, their Gram matrix and combinations, in blocks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import blocks, room
from napari_spaceediting.network.device import torch_errors_in_words
from napari_spaceediting.traversal.arrival import Looks, small_pixels
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.settings import TraversalError

_FLOOR = 0.05
"""Least deviation of a feature, in mean deviations: dead ones must not count."""


_LAST: dict[str, tuple[NDArray[np.int64], NDArray[np.float32], Looks]] = {}
"""Images, features and looks that were read last, by `read_features`."""


class FeatureTable:
    """Features of K images, standardised where they are compared.

    Parameters
    ----------
    rows : (K, D) float32 array
        As the network gives them; may be memory-mapped.
    device : torch.device
        Where blocks of them are worked on.

    Attributes
    ----------
    mean, scale : (D,) float32 arrays
        Of each feature over the rows; the scale is the standard deviation, but at least
        5% of the mean deviation.
    """

    def __init__(self, rows: NDArray[np.float32], device: torch.device) -> None:
        self.rows = rows
        self.device = device
        n_features = rows.shape[1]
        self.mean = np.empty(n_features, np.float32)
        self.scale = np.empty(n_features, np.float32)
        for part in self._parts():
            block = rows[:, part].astype(np.float64)
            self.mean[part] = block.mean(axis=0)
            self.scale[part] = block.std(axis=0)
        if not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all()):
            raise TraversalError(
                "The network gives features that are not finite: train it anew, with a "
                "smaller learning rate."
            )
        mean_scale = float(self.scale.mean(dtype=np.float64))
        if mean_scale == 0:
            raise TraversalError(
                "The network gives the same features for all of the images: train it, "
                "or choose other layers."
            )
        np.maximum(self.scale, _FLOOR * mean_scale, out=self.scale)

    def gram(
        self, sizes: Sequence[int] | None = None
    ) -> Generator[Progress, None, NDArray[np.float64]]:
        """Return the mean product of standardised features, (K, K).

        It is the Gram matrix divided by D, so that a budget means the same whatever the
        number of features.

        Parameters
        ----------
        sizes : sequence of int, optional
            Features of each layer, in turn, where layers shall count the same, however
            many features they have.

        Yields
        ------
        Progress
            In features.
        """
        n_rows, n_features = self.rows.shape
        total = np.zeros((n_rows, n_rows))
        shares = np.ones(n_features, np.float32)
        if sizes is not None:
            even = n_features / (len(sizes) * np.array(sizes))
            shares = np.repeat(np.sqrt(even, dtype=np.float32), sizes)
        for part in self._parts():
            with torch_errors_in_words():
                block = (self.rows[:, part] - self.mean[part]) / self.scale[part]
                block *= shares[part]
                on_device = torch.from_numpy(block).to(self.device)
                total += (on_device @ on_device.T).cpu().double().numpy()
            yield Progress(min(part.stop, n_features), n_features, "Compare features")
        mean: NDArray[np.float64] = total / n_features
        return mean

    def combine(self, coefficients: NDArray[np.float64]) -> Tensor:
        """Return combinations of the rows, float32 (B, D), on the device.

        Parameters
        ----------
        coefficients : (B, K) float64 array
            Each row sums to 1, so it does not matter that the rows are not
            standardised.
        """
        used = np.flatnonzero(coefficients.any(axis=0))
        weights = torch.from_numpy(coefficients[:, used].astype(np.float32))
        weights = weights.to(self.device)
        with torch_errors_in_words():
            return torch.cat(
                [
                    weights @ torch.from_numpy(self.rows[used, part]).to(self.device)
                    for part in self._parts()
                ],
                dim=1,
            )

    def spread(self, sizes: Sequence[int]) -> Tensor:
        """Return the sum of the squared scales of layers of D features in all, (L,)."""
        layers = np.split(self.scale.astype(np.float64) ** 2, np.cumsum(sizes)[:-1])
        sums = [layer.sum() for layer in layers]
        return torch.tensor(sums, dtype=torch.float32, device=self.device)

    def _parts(self) -> Iterator[slice]:
        n_rows, n_features = self.rows.shape
        return blocks(n_features, 4 * n_rows)


def is_read(key: str) -> bool:
    """Return whether images were read last by a key, as for `read_features`."""
    return key in _LAST


def read_features(
    features: LayerFeatures,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    *,
    device: torch.device,
    key: str,
    batch_size: int = 32,
) -> Generator[Progress, None, tuple[FeatureTable, Looks]]:
    """Compute the features of images, and how they look to the network.

    Parameters
    ----------
    features : LayerFeatures
        On the device.
    dataset : ImageDataset
        The images.
    indices : (K,) int64 array
        Which of them, ascending.
    device : torch.device
        Where to compute.
    batch_size : int
        Images per step.
    key : str
        Tells networks, layers and data sets apart. What was read last is kept by it, so
        that the next images with the same source and target are there at once.

    Yields
    ------
    Progress
        In images.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network, such as for lack of memory.
    DataError
        If an image cannot be read.
    TraversalError
        If the features are not finite.
    SpaceEditingError
        If the disk has no room for them.
    """
    rows = room((len(indices), sum(features.sizes)), np.float32, cache_dir())
    is_known, looks = np.zeros(len(indices), bool), []
    if key in _LAST:
        known, known_rows, known_looks = _LAST[key]
        is_known = np.isin(indices, known)
        again = np.searchsorted(known, indices[is_known])
        rows[is_known] = known_rows[again]
        looks.append(known_looks.of(again))
    missing = indices[~is_known]
    for start in range(0, len(missing), batch_size):
        batch = missing[start : start + batch_size]
        images = torch.from_numpy(dataset.images(batch))
        with torch_errors_in_words(), torch.no_grad():
            parts, *seen = features.look(images.to(device))
            found = torch.cat(parts, dim=1).cpu().numpy()
        rows[np.searchsorted(indices, batch)] = found
        latents, probabilities = (values.cpu().numpy() for values in seen)
        looks.append(Looks(latents, probabilities, small_pixels(images)))
        yield Progress(start + len(batch), len(missing), "Read the images")
    # Those that were known came first.
    order = np.argsort(np.argsort(~is_known, kind="stable"))
    together = Looks.joined(looks).of(order)
    table = FeatureTable(rows, device)
    _LAST.clear()
    _LAST[key] = indices, rows, together
    return table, together
