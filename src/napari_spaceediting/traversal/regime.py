"""Which way of making images suits them: mixtures of real ones, or changed features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.settings import Regime

_ALIKE = 0.45
_FEWER = 0.05
"""So much less is asked for with each halving of the images: fewer lie near."""
_MOST = 150
_NEAREST = 5
_PHOTOGRAPH = 48
"""Pixels of the shorter side from which a network that saw photographs sees one."""


def alignment(images: NDArray[np.float32]) -> float:
    """Return how much images of one kind lie alike, from 0 to 1.

    It is how well the slopes of an image follow those of the mean of the 5 images that
    are most like it. Where it is high, mixtures of images look like one of them.

    Parameters
    ----------
    images : (n, C, H, W) float32 array
        At least 2; small, such as of 32 px.
    """
    flat = images.reshape(len(images), -1)
    n_nearest = min(_NEAREST, len(flat) - 1)
    near = NearestNeighbors(n_neighbors=n_nearest).fit(flat)
    nearest = near.kneighbors(return_distance=False)
    slopes = np.concatenate(
        [np.diff(images, axis=axis).reshape(len(images), -1) for axis in (2, 3)], axis=1
    )
    means = slopes[nearest].mean(axis=1)
    sizes = np.square(slopes).sum(dtype=float) * np.square(means).sum(dtype=float)
    return float((slopes * means).sum(dtype=float) / np.sqrt(sizes)) if sizes else 0.0


def sees_photographs(spec: ClassifierSpec) -> bool:
    """Return whether a network that was trained before sees images of 48 px or more."""
    return spec.weights is not None and min(spec.image_size) >= _PHOTOGRAPH


def choose_regime(
    kinds: Sequence[NDArray[np.float32]], spec: ClassifierSpec
) -> tuple[Regime, str]:
    """Choose how images are made.

    Parameters
    ----------
    kinds : sequence of (n_k, C, H, W) float32 array
        Images of each kind, shrunk to 32 px.
    spec : ClassifierSpec
        The network.

    Returns
    -------
    regime : str
        "features" where a network that was trained before sees images of 48 px or more,
        or where the images of a kind do not lie alike; else "mixtures".
    reason : str
        A sentence for the user.
    """
    if sees_photographs(spec):
        return "features", (
            f"Features of each original are changed, as suits photographs: the network "
            f"came with weights, and the images have {min(spec.image_size)} px."
        )
    some = [kind[:_MOST] for kind in kinds]
    fewest = min(len(kind) for kind in some)
    alike = float(np.mean([alignment(kind) for kind in some]))
    if alike >= _ALIKE + _FEWER * np.log2(fewest / _MOST):
        return "mixtures", (
            "Images stay near to mixtures of real ones, as suits small images in which "
            f"objects lie alike (alignment {alike:.2f})."
        )
    return "features", (
        "Features of each original are changed, as suits images in which objects do "
        f"not lie alike (alignment {alike:.2f})."
    )
