"""What a retraining did, measured on held-out images beside its control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.editing.arms import AFTER, ARMS, BEFORE, CEILING, CONTROL
from napari_spaceediting.network.spec import Predictions

_Z = 1.96  # of a 95% interval


@dataclass(frozen=True)
class Difference:
    """A difference of accuracies with its 95% interval.

    Parameters
    ----------
    value, low, high : float
        In shares of 1 (0.05 is five percentage points).
    """

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def change(self) -> str:
        """The difference in words, such as "1.5 points better"."""
        better = "better" if self.value > 0 else "worse"
        return f"{abs(self.value) * 100:.1f} points {better}"

    @property
    def interval(self) -> str:
        """The interval in words, in points."""
        return f"95% interval {self.low * 100:+.1f} to {self.high * 100:+.1f}"


@dataclass(frozen=True, eq=False)
class ArmScore:
    """How one arm does on the held-out images.

    Parameters
    ----------
    accuracy : float
        Share of images classified right.
    interval : tuple of float
        95% Wilson score interval of the accuracy.
    recall : (C,) float64 array
        Share of each class found; NaN for a class without held-out images.
    confusion : (C, C) int64 array
        Images of the true class (row) given the predicted class (column).
    """

    accuracy: float
    interval: tuple[float, float]
    recall: NDArray[np.float64]
    confusion: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything a round shows for itself.

    Parameters
    ----------
    measured_on : str
        "test" or "validation": the held-out images that were used.
    n_images : int
        How many of them have a label.
    class_names : tuple of str
        Names of the C classes.
    arms : mapping of str to ArmScore
        "after", and "before" and what was trained beside it (see `arms`) where they
        could name a class.
    over : mapping of str to Difference
        Accuracy of "after" less that of another arm, paired by image.
    seeds : int
        How often the training was repeated, with other random choices.
    over_seeds : mapping of str to Difference
        The same difference as the mean over these repetitions, with Student's
        interval; empty where there was one.
    fixed, broken : (n,) int64 arrays
        Dataset indices of held-out images that went from wrong to right, and
        from right to wrong; none where there is no "before".
    drift : float
        Mean relative L2 movement of the latents of untouched images.
    edited, followed : (M,) int64 array, (M,) bool array
        Dataset indices of the images that were given a class, and whether the
        retrained network agrees with it.
    """

    measured_on: str
    n_images: int
    class_names: tuple[str, ...]
    arms: Mapping[str, ArmScore]
    over: Mapping[str, Difference]
    seeds: int
    over_seeds: Mapping[str, Difference]
    fixed: NDArray[np.int64]
    broken: NDArray[np.int64]
    drift: float
    edited: NDArray[np.int64]
    followed: NDArray[np.bool_]

    @property
    def reference(self) -> str:
        """The arm that "after" is compared with first."""
        return CONTROL if CONTROL in self.over else BEFORE

    def gain_over(self, arm: str) -> Difference | None:
        """Return the difference to an arm: over the seeds, where there are several."""
        return self.over_seeds.get(arm) or self.over.get(arm)

    @property
    def headroom_share(self) -> float | None:
        """Share of what all labels right would gain over the control that was gained.

        None where that gain is not known or cannot be told from nothing.
        """
        if not {CONTROL, CEILING} <= self.arms.keys():
            return None
        control = self.arms[CONTROL].accuracy
        to_gain = self.arms[CEILING].accuracy - control
        low, high = self.arms[CONTROL].interval
        if to_gain <= (high - low) / 2:
            return None
        return (self.arms[AFTER].accuracy - control) / to_gain

    def verdict(self) -> str:
        """Say in plain words whether the edits helped."""
        if not self.n_images:
            return (
                "No held-out image has a label, so nothing can be measured: "
                "label some held-out images to see whether the edits help."
            )
        reference, gain = self.reference, self.gain_over(self.reference)
        if gain is None:
            return (
                f"The network now names {self.arms[AFTER].accuracy:.0%} of the "
                "held-out images rightly; before the edits it knew no class, so there "
                "is nothing to compare with."
            )
        than = "the same training without them" if reference == CONTROL else "before"
        interval = gain.interval
        if reference in self.over_seeds:
            interval += f" over {self.seeds} repetitions"
        if not gain.is_clear:
            sentence = (
                f"Within noise: the edits cannot be told from {than} "
                f"({gain.value * 100:+.1f} points, {interval})."
            )
        else:
            sentence = f"The edits did {gain.change} than {than} ({interval})."
        if reference == BEFORE:
            sentence += " Run the control to see how much the extra training did."
        return " ".join([sentence, *self._remarks()])

    def _remarks(self) -> list[str]:
        """Say what the other arms show."""
        remarks = []
        over_control = self.gain_over(CONTROL)
        share = self.headroom_share
        if over_control and over_control.is_clear and share is not None and share > 0:
            remarks.append(
                f"That is {share:.0%} of what all labels right would have gained."
            )
        for name, arm in ARMS.items():
            gain = self.gain_over(name)
            if gain is None or name in (BEFORE, CONTROL, CEILING):
                continue
            if gain.is_clear:
                remarks.append(f"They did {gain.change} than {arm.compared}.")
            else:
                remarks.append(f"They cannot be told from {arm.compared}.")
        missing = [
            name
            for name, recall in zip(
                self.class_names, self.arms[AFTER].recall, strict=True
            )
            if np.isnan(recall)
        ]
        if missing:
            remarks.append(
                f"Nothing is measured of {', '.join(missing)}: no held-out image has "
                "that class."
            )
        return remarks


def score(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], n_classes: int
) -> ArmScore:
    """Score predictions against true classes.

    Parameters
    ----------
    predicted, truth : (n,) int64 arrays
        Classes of the same images, 0 to C - 1; n at least 1.
    n_classes : int
        Number of classes C.
    """
    confusion = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    totals = confusion.sum(axis=1)
    recall = np.full(n_classes, np.nan)
    np.divide(np.diag(confusion), totals, out=recall, where=totals > 0)
    right = int(np.trace(confusion))
    return ArmScore(right / len(truth), _wilson(right, len(truth)), recall, confusion)


def compare(right: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Difference:
    """Return the paired difference of two accuracies on the same images.

    The interval is the adjusted Wald interval of Bonett and Price (2012, J. Educ.
    Behav. Stat. 37, 479), which adds one fixed and one broken image. Unlike a
    bootstrap it stays honest where only a few images differ.

    Parameters
    ----------
    right, reference : (n,) bool arrays
        Whether each arm classifies each image right; n at least 1.
    """
    n = len(right)
    fixed = int(np.count_nonzero(right & ~reference))
    broken = int(np.count_nonzero(~right & reference))
    gain, loss = (fixed + 1) / (n + 2), (broken + 1) / (n + 2)
    centre = gain - loss
    half = _Z * ((gain + loss - centre**2) / (n + 2)) ** 0.5
    return Difference(
        (fixed - broken) / n, max(centre - half, -1.0), min(centre + half, 1.0)
    )


def measured_images(
    split: NDArray[np.int8], labels: NDArray[np.int64]
) -> tuple[Split, NDArray[np.int64]]:
    """Choose the images that measure: test, or validation where none is labelled.

    Parameters
    ----------
    split : (N,) int8 array
        Values of `Split`.
    labels : (N,) int64 array
        Class of every image, -1 for none.

    Returns
    -------
    part : Split
        Which images they are.
    held_out : (n,) int64 array
        The labelled ones of them; may be empty.
    """
    has_test = ((split == Split.TEST) & (labels >= 0)).any()
    part = Split.TEST if has_test else Split.VALIDATION
    return part, np.flatnonzero((split == part) & (labels >= 0))


def predicted_classes(predictions: Predictions) -> NDArray[np.int64]:
    """Return the (N,) most probable classes, -1 where no class is known yet."""
    probabilities = predictions.probabilities
    if probabilities.shape[1] == 0:
        return np.full(len(probabilities), -1, np.int64)
    classes: NDArray[np.int64] = probabilities.argmax(axis=1)
    return classes


def mean_drift(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Return the mean movement of latents over their mean length; 0 for no images.

    Parameters
    ----------
    before : (n, D) float32 array
        Latents of some images.
    after : (n, E) float32 array
        Those of the same images by a network after it. With another number of
        dimensions they are first laid over the others as well as turning and scaling
        can (Procrustes), for that is no movement.
    """
    if not len(before):
        return 0.0
    if before.shape[1] != after.shape[1]:
        before, after = _laid_over(before, after)
    moved = np.linalg.norm(after - before, axis=1).mean()
    return float(moved / max(np.linalg.norm(before, axis=1).mean(), 1e-12))


def _laid_over(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both about their means, the second turned and scaled onto the first."""
    from scipy.linalg import orthogonal_procrustes

    width = max(before.shape[1], after.shape[1])
    before, after = (
        np.pad(one - one.mean(axis=0), ((0, 0), (0, width - one.shape[1])))
        for one in (before, after)
    )
    turn, scale = orthogonal_procrustes(after, before)
    return before, after @ turn * (scale / max(np.square(after).sum(), 1e-12))


def mean_difference(values: Sequence[float] | NDArray[np.float64]) -> Difference:
    """Return the mean of paired differences with Student's 95% interval.

    Parameters
    ----------
    values : (n,) floats
        One of each repetition, at least two.
    """
    from scipy.stats import t

    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(t.ppf(0.975, len(values) - 1)) * error
    return Difference(mean, mean - half, mean + half)


def gather_evidence(
    *,
    measured_on: str,
    held_out: NDArray[np.int64],
    truth: NDArray[np.int64],
    class_names: tuple[str, ...],
    predicted: Mapping[str, NDArray[np.int64]],
    again: Sequence[Mapping[str, NDArray[np.int64]]] = (),
    drift: float,
    edited: NDArray[np.int64],
    tags: NDArray[np.int64],
) -> Evidence:
    """Put the evidence of a round together.

    Parameters
    ----------
    measured_on : str
        "test" or "validation".
    held_out : (n,) int64 array
        Dataset indices of the labelled images of that part; may be empty.
    truth : (n,) int64 array
        Their classes.
    class_names : tuple of str
        Names of the C classes.
    predicted : mapping of str to (N,) int64 array
        Predicted class of every image of the data set, by arm; "before" and
        "after" must be there. -1 where an arm knows no class yet.
    again : sequence of mappings of str to (N,) int64 array
        The same of every repetition, without "before".
    drift : float
        As in `Evidence`.
    edited, tags : (M,) int64 arrays
        Dataset indices of the images that were given a class, and the class.
    """
    followed = predicted[AFTER][edited] == tags
    arms = {}
    right = {}
    for name, classes in predicted.items():
        known = classes[held_out]
        if len(known) and (known >= 0).all():
            arms[name] = score(known, truth, len(class_names))
            right[name] = known == truth
    # Without a "before" nothing was fixed or broken.
    after = right.get(AFTER, np.empty(0, bool))
    before = right.get(BEFORE, after)
    others = [name for name in right if name != AFTER]
    # The network before is the same for all seeds.
    rounds = [{**predicted, **more} for more in ({}, *again)]
    accuracies = {
        name: np.array([np.mean(one[name][held_out] == truth) for one in rounds])
        for name in right
    }
    over_seeds = {
        name: mean_difference(accuracies[AFTER] - accuracies[name])
        for name in (others if again else [])
    }
    return Evidence(
        measured_on=measured_on,
        n_images=len(held_out),
        class_names=class_names,
        arms=arms,
        over={name: compare(after, right[name]) for name in others},
        seeds=1 + len(again),
        over_seeds=over_seeds,
        fixed=held_out[after & ~before],
        broken=held_out[before & ~after],
        drift=drift,
        edited=edited,
        followed=followed,
    )


def _wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson (1927) score interval of a proportion."""
    share = right / n
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5
    half *= _Z / (1 + _Z**2 / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)
