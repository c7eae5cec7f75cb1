"""How well the certainty that a network states agrees with what is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 15

Floats = NDArray[np.floating]


def log_loss(said: Floats, classes: Floats) -> float:
    """Return the mean cross-entropy, in nats.

    As in scikit-learn, no probability counts as less than the least step of float32:
    what was held to be impossible costs 16.

    Parameters
    ----------
    said : (n, C) float array
        Probabilities that a network states; n at least 1.
    classes : (n, C) float array
        What the images are: 1 for a class, or shares of those that people named.
    """
    least = np.finfo(np.float32).eps
    told = np.log(np.clip(said, least, 1 - least, dtype=np.float64))
    return float(-(classes * told).sum(axis=1).mean())


def calibration_error(said: Floats, classes: Floats) -> float:
    """Return by how much certainty misses the share that is right, 0 to 1.

    The expected calibration error (Guo et al., ICML 2017): images fall into 15 bins by
    the probability of the most probable class. Each bin counts, by its images, what
    lies between their mean probability and the share of them that is right.

    Parameters
    ----------
    said, classes : (n, C) float arrays
        As for `log_loss`; an image is right as far as people named that class.
    """
    certain = said.max(axis=1).astype(np.float64)
    right = classes[np.arange(len(said)), said.argmax(axis=1)]
    of_bin = np.minimum((certain * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(of_bin, right - certain, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(said))
