"""Certainty that means what it says, and a class for what is none of those known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.certainty import calibration_error, log_loss

NONE_OF_THESE = "none of these"
_TEMPERATURES = 0.05, 20.0
_FEWEST = 10
"""Images from which a temperature can be told."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Calibration:
    """How probabilities become certainties, and which are too low for any class.

    Parameters
    ----------
    temperature : float
        Logits are divided by it (Guo et al., ICML 2017); above 1 the network states
        too much.
    threshold : float
        Images whose certainty is below it are of none of the classes; 0 for never.
    share : float
        Share of images of known classes that are called so at most, by chance (split
        conformal prediction: Vovk et al., 2005).
    n_images : int
        Validation images that temperature and threshold were told from.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    share: float = 0.0
    n_images: int = 0

    def certainties(self, probabilities: Floats) -> NDArray[np.float32]:
        """Return the certainty of the most probable class, (n,), of (n, C)."""
        said = at_temperature(probabilities, self.temperature)
        return np.asarray(said.max(axis=1), np.float32)

    def is_known(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Return which images are taken for one of the classes, (n,)."""
        return np.asarray(self.certainties(probabilities) >= self.threshold)

    @property
    def caution(self) -> str:
        """Why nothing is called none of these, though it was asked for; else ""."""
        if self.threshold > 0 or not self.share:
            return ""
        needed = int(np.ceil(1 / self.share)) - 1
        return (
            f"Nothing is called “{NONE_OF_THESE}”: that takes {needed:,} labelled "
            f"validation images, and there are {self.n_images:,}."
        )


def calibrate(probabilities: Floats, classes: Floats, share: float) -> Calibration:
    """Return the temperature with the least log-loss, and the threshold that follows.

    Parameters
    ----------
    probabilities : (n, C) float array
        Of images that nothing was learnt from.
    classes : (n, C) float array
        What they are, as for `log_loss`.
    share : float
        Of images like these that may be called none of these, from 0 to below 1.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    temperature = 1.0
    if len(probabilities) >= _FEWEST:
        low, high = np.log(_TEMPERATURES)
        found = minimize_scalar(
            lambda t: log_loss(at_temperature(probabilities, np.exp(t)), classes),
            bounds=(low, high),
            method="bounded",
        )
        temperature = float(np.exp(found.x))
    made = Calibration(temperature, 0.0, share, len(probabilities))
    # A new image is as likely to have any rank among them: at most this share of those
    # like them come before that one.
    rank = int(np.floor(share * (len(probabilities) + 1)))
    if not rank:
        return made
    threshold = float(np.sort(made.certainties(probabilities))[rank - 1])
    return Calibration(temperature, threshold, share, len(probabilities))


def at_temperature(probabilities: Floats, temperature: float) -> NDArray[np.float64]:
    """Return probabilities (n, C) whose logits were divided by a temperature."""
    from scipy.special import softmax

    least = np.finfo(np.float32).tiny
    logits = np.log(np.clip(probabilities, least, None, dtype=np.float64))
    return np.asarray(softmax(logits / temperature, axis=1))


def errors(
    probabilities: Floats, classes: Floats, learnt: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the expected calibration error before and after, 0 to 1.

    Parameters
    ----------
    probabilities, classes : (n, C) float arrays
        Of held-out images, as for `calibrate`.
    learnt : (n,) bool array
        Those that the temperature is told from. It is measured on the others; where
        there are none, on each half with the temperature of the other half.

    Returns
    -------
    before, after : float
        NaN where nothing can be measured.
    """
    at = np.arange(len(probabilities))
    halves = [at % 2 == 0, at % 2 == 1] if learnt.all() else [~learnt]
    measured = np.zeros(len(at), bool)
    after = np.array(probabilities, np.float64)
    for half in halves:
        others = learnt & ~half
        if others.any() and half.any():
            found = calibrate(probabilities[others], classes[others], 0.0)
            after[half] = at_temperature(probabilities[half], found.temperature)
            measured |= half
    if not measured.any():
        return np.nan, np.nan
    wanted = classes[measured]
    before = calibration_error(probabilities[measured], wanted)
    return before, calibration_error(after[measured], wanted)
