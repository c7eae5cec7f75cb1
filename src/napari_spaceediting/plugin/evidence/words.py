"""How evidence is told: names of what is compared, rows of charts, sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_spaceediting.editing.arms import AFTER, ARMS, BEFORE, CEILING
from napari_spaceediting.editing.evidence import ArmScore, Evidence
from napari_spaceediting.editing.intervals import Difference
from napari_spaceediting.plugin.evidence.chart import Interval


def titles(earlier: str = "", later: str = "") -> dict[str, tuple[str, str]]:
    """Return title and meaning of what is compared, in the order that is shown.

    Of the arms of a round, or of two stages that are named.
    """
    if earlier:
        stages = {BEFORE: earlier, AFTER: later}
        return {arm: (name, f"The network of: {name}") for arm, name in stages.items()}
    return {name: (arm.title, arm.meaning) for name, arm in ARMS.items()}


def differences(earlier: str = "") -> dict[str, tuple[str, str]]:
    """Return the title of the difference of "after" to an arm, and its full words."""
    if earlier:
        return {BEFORE: (f"vs {earlier.partition(',')[0]}", f"than {earlier}")}
    return {n: (f"vs {arm.short}", f"than {arm.compared}") for n, arm in ARMS.items()}


def drift_in_words(drift: float, whose: str = "Images you did not touch") -> str:
    """Say how far images moved; `drift` is relative, 0.1 is 10%."""
    if np.isnan(drift):
        return "How far images moved was not measured."
    if drift < 0.05:
        words = "hardly moved"
    elif drift < 0.2:
        words = "moved a little"
    elif drift < 0.5:
        words = "moved noticeably"
    else:
        words = "moved a lot: the network has rearranged its space"
    return f"{whose} {words} (drift {drift:.0%})."


def accuracy_rows(
    evidence: Evidence, arms: Mapping[str, tuple[str, str]]
) -> list[Interval]:
    """Return the accuracies, each with the title and meaning that `arms` give it."""
    return [
        accuracy_row(title, evidence.arms[arm], arm == AFTER, what)
        for arm, (title, what) in arms.items()
        if arm in evidence.arms
    ]


def accuracy_row(name: str, score: ArmScore, is_main: bool, what: str) -> Interval:
    """Return the row of an accuracy; `what` says in its tooltip whose it is."""
    low, high = score.interval
    return Interval(
        name,
        score.accuracy,
        low,
        high,
        f"{score.accuracy:.1%}",
        "text" if is_main else "muted",
        f"{what}: {score.accuracy:.1%} of held-out images right "
        f"(95% interval {low:.1%} to {high:.1%}).",
    )


CERTAINTY_TIP = (
    "Log-loss: how unlikely a network holds what images are, 0 at best. Calibration "
    "error: by how much the certainty that it states misses the share that is right. "
    "Where people disagree, both are taken against what all of them say."
)

CALIBRATED_TIP = (
    "By how much the certainty that the network states misses the share that is right, "
    "as it is and with the temperature that suits the validation images. Predictions "
    "of new images go by the second."
)


def certainty_in_words(evidence: Evidence, arms: Mapping[str, tuple[str, str]]) -> str:
    """Say in two lines how well probabilities agree with what images are.

    "" where it was not measured. `arms` are as for `accuracy_rows`.
    """
    found = [
        (title, evidence.arms[arm])
        for arm, (title, _) in arms.items()
        if arm in evidence.arms
    ]
    losses = [f"{t} {s.log_loss:.3f}" for t, s in found if s.log_loss is not None]
    gaps = [f"{t} {s.calibration:.1%}" for t, s in found if s.calibration is not None]
    if not losses:
        return ""
    return f"Log-loss: {', '.join(losses)}\nCalibration error: {', '.join(gaps)}"


def difference_rows(
    evidence: Evidence, differences: Mapping[str, tuple[str, str]]
) -> list[Interval]:
    """Return how much better "after" is than the arms that `differences` name."""
    rows = []
    for arm, (name, than) in differences.items():
        difference = evidence.over.get(arm)
        if difference is not None:
            if evidence.seeds > 1:
                than += f", on average over {evidence.seeds} repetitions"
            if evidence.looks > 1:
                than += f", allowing for {evidence.looks} looks at these images"
            tone = "muted"
            # To stay below what all labels right would give is no loss.
            if difference.is_clear and arm != CEILING:
                tone = "gain" if difference.value > 0 else "loss"
            rows.append(_difference_row(name, difference, than, tone))
    share = evidence.headroom_share
    if share is not None:
        more = f" Of what there was to gain over the control, {share:.0%} was gained."
        rows[-1] = replace(rows[-1], tooltip=rows[-1].tooltip + more)
    return rows


def _difference_row(
    name: str, difference: Difference, than: str, tone: str
) -> Interval:
    low, value, high = (
        100 * v for v in (difference.low, difference.value, difference.high)
    )
    better = "worse" if value < 0 else "better"
    noise = "" if difference.is_clear else " It may be noise: the interval holds zero."
    return Interval(
        name,
        difference.value,
        difference.low,
        difference.high,
        f"{value:+.1f}  ({low:+.1f} to {high:+.1f})",
        tone,
        f"{abs(value):.1f} points {better} {than} "
        f"(95% interval {low:+.1f} to {high:+.1f}).{noise}",
    )


def recall_rows(evidence: Evidence) -> list[Interval]:
    """Return the share found of each class, with a line from that of before."""
    if AFTER not in evidence.arms:
        return []
    after = evidence.arms[AFTER].recall
    before = np.full(len(after), np.nan)
    if BEFORE in evidence.arms:
        before = evidence.arms[BEFORE].recall
    rows = []
    for name, old, new in zip(evidence.class_names, before, after, strict=True):
        tone = "muted"
        # Less than half a point is shown as the same figure.
        if abs(new - old) >= 0.005:
            tone = "gain" if new > old else "loss"
        was, now = ("–" if np.isnan(v) else f"{v * 100:.0f}" for v in (old, new))
        rows.append(
            Interval(
                name,
                float(new),
                float(np.fmin(old, new)),
                float(np.fmax(old, new)),
                "–" if np.isnan(new) else f"{was} → {now}",
                tone,
                f"{name}: of its held-out images found {was}% before, {now}% after",
            )
        )
    return rows
