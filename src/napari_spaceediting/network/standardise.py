"""Features of one scale, while the end of a network trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.network.activations import Fetch
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.spec import Trainable

_SAMPLE = 2048
"""Images whose features tell the scales."""
_BLOCK = 256
_LEAST = 0.01
"""Deviation that a feature counts as having at least, in mean deviations of all."""


@contextmanager
def standardised(classifier: LatentClassifier, features: Tensor) -> Iterator[None]:
    """Let the embedding of a network train on standardised features.

    What the network computes is the same before and after: the embedding
    ``W f + b`` is written as ``(W s) ((f - m) / s) + (b + W m)`` with the means m and
    deviations s, and back at the end. Only the training differs. The features of a
    network that was trained for something else have scales that differ by orders of
    magnitude; an optimiser that takes steps of one size for all of them would learn
    from the largest alone.

    Parameters
    ----------
    classifier : LatentClassifier
        Its embedding is given standardised features inside the context.
    features : (n, F) tensor
        Of images like those that it is trained on.
    """
    linear = classifier.embedding
    mean = features.mean(dim=0)
    scale = features.std(dim=0, correction=0)
    scale = scale + _LEAST * scale.mean()
    if not scale.all():
        scale = torch.ones_like(scale)
    with torch.no_grad():
        linear.bias.add_(linear.weight @ mean)
        linear.weight.mul_(scale)
    hook = linear.register_forward_pre_hook(
        lambda _, given: ((given[0] - mean) / scale,)
    )
    try:
        yield
    finally:
        hook.remove()
        with torch.no_grad():
            linear.weight.div_(scale)
            linear.bias.sub_(linear.weight @ mean)


def feature_sample(
    classifier: LatentClassifier,
    fetch: Fetch,
    trainable: Trainable,
    rows: NDArray[np.int64],
    device: torch.device,
) -> Tensor:
    """Return the features of some images, (n, F), for `standardised`.

    Parameters
    ----------
    classifier : LatentClassifier
        On the device, in evaluation mode.
    fetch : callable
        From dataset indices to the inputs of its tail.
    trainable : {"head", "last_block", "all"}
        Which tail.
    rows : (m,) int64 array
        Images to choose from; at most 2,048 of them, evenly, are read.
    """
    tail = classifier.tail(trainable)
    some = rows[:: -(-len(rows) // _SAMPLE)]
    with torch.no_grad():
        return torch.cat(
            [
                tail.features(torch.from_numpy(np.array(fetch(block))).to(device))
                for block in np.array_split(some, -(-len(some) // _BLOCK))
            ]
        )
