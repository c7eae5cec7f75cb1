"""Images from places in feature space."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.network.device import torch_errors_in_words
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.lbfgs import Minimiser
from napari_spaceediting.traversal.witness import Array

TV_WEIGHT = 0.05
PREVIEW_WEIGHT = 10.0
"""Of staying near to the preview, over the variance of the pixels."""
_BLOCK = 64
"""Images that are read at once: bounds the memory."""


def preview_images(
    coefficients: Array, dataset: ImageDataset, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mix real images as the places in feature space are mixed from theirs.

    A place is ``F^T c`` with the features F of real images; its preview has the same c
    over their pixels. It shows at once where a path leads, and is what `reconstruct`
    would give if the features were the pixels.

    Parameters
    ----------
    coefficients : (n, K) float64 array
        Each row sums to 1, as from `traverse_path`.
    dataset : ImageDataset
        Of the real images.
    rows : (K,) int64 array
        Dataset index of each.

    Returns
    -------
    (n, C, H, W) float32 array
        In [0, 1].

    Raises
    ------
    DataError
        If an image cannot be read.
    """
    used = np.flatnonzero(coefficients.any(axis=0))
    shape = dataset.n_channels, *dataset.image_size
    mixed = np.zeros((len(coefficients), *shape), np.float32)
    for start in range(0, len(used), _BLOCK):
        block = used[start : start + _BLOCK]
        weights = coefficients[:, block].astype(np.float32)
        mixed += np.tensordot(weights, dataset.images(rows[block]), axes=1)
    return np.clip(mixed, 0, 1, out=mixed)


def reconstruct(
    features: LayerFeatures,
    wanted: Tensor,
    start: Tensor,
    spread: Tensor,
    *,
    start_weight: float,
    iterations: int,
    tv_weight: float = TV_WEIGHT,
) -> Iterator[tuple[Tensor, float]]:
    """Change images until their features are those that are wanted.

    The loss of an image I, after section B.4 of the paper's code (the mean over layers
    of squared differences, with total variation), but with each layer in units of its
    variance, and means in place of sums, so that one weight serves for all networks and
    sizes. An image also stays near to its preview I_0: most places in feature space are
    those of no image, and without it specks and checks make up for that::

        mean_l |phi_l(I) - wanted_l|^2 / spread_l + tv_weight mean(dx^2 + dy^2)
            + start_weight mean((I - I_0)^2)

    It is minimised by projected L-BFGS within [0, 1].

    Parameters
    ----------
    features : LayerFeatures
        On the device.
    wanted : (n, D) float32 tensor
        What the features shall be.
    start : (n, C, H, W) float32 tensor
        The previews, in [0, 1], from which it starts.
    spread : (L,) float32 tensor
        Sum of the variances of the features of each layer.
    start_weight : float
        Weight of the mean squared distance from the previews.
    iterations : int
        How many.
    tv_weight : float
        Weight of the total variation.

    Yields
    ------
    images : (n, C, H, W) float32 tensor
        In [0, 1], after each iteration.
    loss : float
        Its mean over the images.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network, such as for lack of memory.
    """
    layers = torch.split(wanted, list(features.sizes), dim=1)
    previews = start.flatten(1)

    def function(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        with torch_errors_in_words(), torch.enable_grad():
            flat = points.detach().requires_grad_()
            images = flat.view(-1, *start.shape[1:])
            losses = tv_weight * total_variation(images)
            away = (flat - previews[rows]).square().mean(dim=1)
            losses = losses + start_weight * away
            for part, goal, variance in zip(
                features.parts(images), layers, spread, strict=True
            ):
                far = (part - goal[rows]).square().sum(dim=1)
                losses = losses + far / (variance * len(layers))
            (gradients,) = torch.autograd.grad(losses.sum(), flat)
        return losses.detach(), gradients

    for points, losses in Minimiser(0, 1).minimise(function, previews, iterations):
        yield points.view_as(start), float(losses.mean())


def total_variation(images: Tensor) -> Tensor:
    """Return the mean squared forward difference, (n,), of images (n, C, H, W).

    The total variation with beta = 2 (Mahendran & Vedaldi 2015), as a mean over pixels
    and channels.
    """
    down = (images[..., 1:, :] - images[..., :-1, :]).square().sum(dim=(1, 2, 3))
    right = (images[..., 1:] - images[..., :-1]).square().sum(dim=(1, 2, 3))
    return (down + right) / images[0].numel()
