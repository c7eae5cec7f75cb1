"""What a retraining did, measured on held-out images beside its control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.soft_labels import SoftLabels, believed
from napari_spaceediting.editing.arms import (
    AFTER,
    ARMS,
    BEFORE,
    CEILING,
    CONTROL,
    RELABEL,
)
from napari_spaceediting.editing.certainty import calibration_error, log_loss
from napari_spaceediting.editing.intervals import Difference, compare, share
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.projection.align import align
from napari_spaceediting.wording import quoted


@dataclass(frozen=True, eq=False)
class ArmScore:
    """How one arm does on the held-out images.

    Parameters
    ----------
    accuracy : float
        Share of images classified right.
    interval : tuple of float
        95% interval of the accuracy (see `share`).
    recall : (C,) float64 array
        Share of each class found; NaN for a class without held-out images.
    confusion : (C, C) int64 array
        Images of the true class (row) given the predicted class (column).
    log_loss, calibration : float or None
        As of `certainty`, against soft labels where there are some; None where it was
        not measured.
    """

    accuracy: float
    interval: tuple[float, float]
    recall: NDArray[np.float64]
    confusion: NDArray[np.int64]
    log_loss: float | None = None
    calibration: float | None = None


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
        Accuracy of "after" less that of another arm, paired by image, as the mean over
        all trainings (see `compare`).
    seeds : int
        How often the training was done, with other random choices; 0 where it leaves
        nothing to chance.
    looks : int
        How many rounds have been measured on these images, with this one.
    fixed, broken : (n,) int64 arrays
        Dataset indices of held-out images that went from wrong to right, and
        from right to wrong; none where there is no "before".
    drift : float
        Mean relative L2 movement of the latents of untouched images.
    edited, followed : (M,) int64 array, (M,) bool array
        Dataset indices of the images that were given a class, and whether the
        retrained network agrees with it.
    draws : int
        How many other draws of the edited images the intervals go by; 0 where they do
        not know of these.
    """

    measured_on: str
    n_images: int
    class_names: tuple[str, ...]
    arms: Mapping[str, ArmScore]
    over: Mapping[str, Difference]
    seeds: int
    looks: int
    fixed: NDArray[np.int64]
    broken: NDArray[np.int64]
    drift: float
    edited: NDArray[np.int64]
    followed: NDArray[np.bool_]
    draws: int = 0

    @property
    def reference(self) -> str:
        """The arm that "after" is compared with first: the best that was trained.

        What was trained on the truth, or on these very edits without their places, is
        beside the point. "before" where there is none.
        """
        beside = BEFORE, CEILING, RELABEL
        trained = [name for name in self.over if name not in beside]
        return min(trained, key=lambda name: self.over[name].value, default=BEFORE)

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
        """Say in plain words whether the round helped.

        First that the network is worse than before, if it is; then how it stands to the
        best of what was trained beside it, and to the rest.
        """
        if not self.n_images:
            return (
                "No held-out image has a label, so nothing can be measured: "
                "label some held-out images to see whether the edits help."
            )
        before, reference = self.over.get(BEFORE), self.reference
        if reference not in self.over:
            return (
                f"The network now names {self.arms[AFTER].accuracy:.0%} of the "
                "held-out images rightly; before the edits it knew no class, so there "
                "is nothing to compare with."
            )
        said = []
        is_below = before is not None and round(before.value, 3) < 0
        if before is not None and is_below:
            noise = "" if before.is_clear else ", within noise"
            said.append(
                f"Now {abs(before.value) * 100:.1f} points below where this round "
                f"began{noise} ({self._interval(before)})."
            )
        if reference != BEFORE or not is_below:
            said += [self._compared(reference), *self._of_headroom(reference)]
        for name in ARMS:
            if name in self.over and name not in (BEFORE, CEILING, reference):
                gain, than = self.over[name], ARMS[name].compared
                told = (
                    f"is {gain.change} than" if gain.is_clear else "cannot be told from"
                )
                said += [f"It {told} {than}.", *self._of_headroom(name)]
        if before is not None and CONTROL not in self.over:
            said.append("Run the control to see how much the extra training did.")
        return " ".join([*said, *self._unmeasured()])

    def cautions(self) -> str:
        """Say what the intervals allow for, and what they cannot; "" for nothing."""
        said = []
        if self.looks > 1:
            said.append(
                f"Number {self.looks} of the rounds on these images, which intervals "
                "allow for: who looks more often is fooled more often."
            )
        if self.over and not self.draws:
            said.append(
                "Intervals do not know which images happened to be edited, only which "
                "measure."
            )
        if self.seeds == 1:
            said.append(
                "Chance plays a part in this training: repeat it over seeds to see "
                "how much."
            )
        return " ".join(said)

    def _interval(self, gain: Difference) -> str:
        often = f" over {self.seeds} repetitions" if self.seeds > 1 else ""
        return gain.interval + often

    def _compared(self, name: str) -> str:
        gain, than = self.over[name], ARMS[name].compared
        if gain.is_clear:
            return (
                f"The network is now {gain.change} than {than} "
                f"({self._interval(gain)})."
            )
        return (
            f"Within noise: the network cannot be told from {than} "
            f"({gain.value * 100:+.1f} points, {self._interval(gain)})."
        )

    def _of_headroom(self, name: str) -> list[str]:
        """Say beside the control how much of what there was to gain was gained."""
        part = self.headroom_share
        if name != CONTROL or part is None or part <= 0:
            return []
        if not self.over[CONTROL].is_clear:
            return []
        return [f"That is {part:.0%} of what all labels right would have gained."]

    def _unmeasured(self) -> list[str]:
        found = zip(self.class_names, self.arms[AFTER].recall, strict=True)
        missing = ", ".join(quoted(name) for name, recall in found if np.isnan(recall))
        if not missing:
            return []
        return [f"Nothing is measured of {missing}: no held-out image has that class."]


def score(
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    n_classes: int,
    groups: NDArray[np.int64] | None = None,
) -> ArmScore:
    """Score predictions against true classes.

    Parameters
    ----------
    predicted, truth : (n,) int64 arrays
        Classes of the same images, 0 to C - 1; n at least 1.
    n_classes : int
        Number of classes C.
    groups : (n,) int64 array, optional
        The same number for images that belong together; by default none do.
    """
    confusion = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    totals = confusion.sum(axis=1)
    recall = np.full(n_classes, np.nan)
    np.divide(np.diag(confusion), totals, out=recall, where=totals > 0)
    right = predicted == truth
    return ArmScore(float(right.mean()), share(right, groups), recall, confusion)


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
    """Return the first about its mean, and the second turned and scaled onto it."""
    width = max(before.shape[1], after.shape[1])
    before, after = (
        np.pad(one, ((0, 0), (0, width - one.shape[1])))
        for one in (before - before.mean(axis=0), after)
    )
    return before, align(after, before)


def gather_evidence(
    *,
    measured_on: str,
    held_out: NDArray[np.int64],
    truth: NDArray[np.int64],
    class_names: tuple[str, ...],
    predicted: Mapping[str, NDArray[np.int64]],
    again: Sequence[Mapping[str, NDArray[np.int64]]] = (),
    redrawn: Mapping[str, NDArray[np.int64]] | None = None,
    groups: NDArray[np.int64] | None = None,
    chance: bool = False,
    looks: int = 1,
    drift: float,
    edited: NDArray[np.int64],
    tags: NDArray[np.int64],
    said: Mapping[str, NDArray[np.floating]] | None = None,
    soft_truth: SoftLabels = None,
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
        The same of every repetition, without what chance has no part in, such as
        "before".
    redrawn : mapping of str to (B, n) int64 arrays, optional
        The same of the held-out images, had other images been edited. "before" changes
        as the control does, or else not at all; an arm that is not there is compared
        without.
    groups : (N,) int64 array, optional
        The same number for images that belong together; by default none do.
    chance : bool
        Whether the training leaves something to chance.
    looks : int
        As in `Evidence`.
    drift : float
        As in `Evidence`.
    edited, tags : (M,) int64 arrays
        Dataset indices of the images that were given a class, and the class.
    said : mapping of str to (n, c) float arrays, optional
        Probabilities that arms state of the held-out images, over their first classes.
    soft_truth : (n, C) float32 array, optional
        Soft labels of the held-out images.
    """
    groups = None if groups is None else groups[held_out]
    wanted = believed(truth, soft_truth, len(class_names))
    arms = {}
    right = {}
    for name, classes in predicted.items():
        known = classes[held_out]
        if len(known) and (known >= 0).all():
            arms[name] = score(known, truth, len(class_names), groups)
            trainings = [classes, *(one.get(name, classes) for one in again)]
            right[name] = np.array([one[held_out] == truth for one in trainings])
            if said and name in said:
                arms[name] = _with_certainty(arms[name], said[name], wanted)
    # Without a "before" nothing was fixed or broken.
    nothing = np.empty((1, 0), bool)
    after = right.pop(AFTER, nothing)
    first, before = after[0], right.get(BEFORE, after)[0]
    drawn = {name: classes == truth for name, classes in (redrawn or {}).items()}
    if AFTER in drawn and BEFORE in right:
        drawn[BEFORE] = drawn.get(CONTROL, right[BEFORE])
    over = {
        name: compare(
            after,
            other,
            groups,
            chance=chance,
            looks=looks,
            redrawn=drawn[AFTER] * 1.0 - drawn[name] if name in drawn else None,
        )
        for name, other in right.items()
    }
    return Evidence(
        measured_on=measured_on,
        n_images=len(held_out),
        class_names=class_names,
        arms=arms,
        over=over,
        seeds=1 + len(again) if chance else 0,
        looks=looks,
        fixed=held_out[first & ~before],
        broken=held_out[before & ~first],
        drift=drift,
        edited=edited,
        followed=predicted[AFTER][edited] == tags,
        draws=len(drawn.get(AFTER, ())),
    )


def _with_certainty(
    found: ArmScore, said: NDArray[np.floating], wanted: NDArray[np.float32]
) -> ArmScore:
    said = widened(said, wanted.shape[1])
    return replace(
        found,
        log_loss=log_loss(said, wanted),
        calibration=calibration_error(said, wanted),
    )
