"""What the document on real data says of the layout of features."""

from __future__ import annotations

import numpy as np

from common import Target, at_least, table
from intervals import interval

Part = dict[tuple[str, str, str], list[dict[str, float]]]
"""Figures of the repetitions by part, set and network; of this part alone."""
_ARMS = {
    "before": "before, with layout",
    "before, without": "before, without",
    "ours": "ours, with layout",
    "ours without, same labels": "ours without, same labels",
    "logistic, same labels": "logistic with layout, same labels",
    "logistic without, same labels": "logistic without, same labels",
    "rival margin groups": "rival margin groups, with layout",
    "rival margin groups without": "rival margin groups, without",
}
_OVER = {
    "logistic without, same labels": "layout: over LR without it on the same labels",
    "logistic, same labels": "layout: over LR with it on the same labels",
    "ours without, same labels": "layout: over ours without it on the same labels",
    "rival margin groups without": "layout: over margin groups with LR, without it",
    "rival margin groups": "layout: over margin groups with LR, with it",
}
_GOAL = 3.0
_FEW = 4
"""Runs below which an interval says nothing."""
_WRONG = {"worse": 95.0, "one person": 75.0}
_DOUBT = "wrong of 100", "wrong of 200", "accuracy"


def section(runs: Part, targets: list[Target]) -> list[str]:
    """Return the lines of the section, and add its targets."""
    of = {
        name: [run for (_, one, _), some in runs.items() if one == name for run in some]
        for name in dict.fromkeys(name for _, name, _ in runs)
    }
    every = [run for some in of.values() for run in some]
    rows = [
        (
            title,
            *(f"{np.mean([run[arm] for run in some]):.1f}" for some in of.values()),
            _told([run[arm] - run["ours"] for run in every]),
        )
        for arm, title in _ARMS.items()
    ]
    lines = [
        "## Where things are in an image",
        "",
        "The layout: means of the maps before the last block over a grid of 4 x 4, "
        "beside the averaged features, and as long as these. As above, ten labels a "
        "class and then 100 actions in four rounds, which go by the features with the "
        "layout. *With layout* logistic regression has it, too. "
        f"{len(every)} runs.",
        "",
        table(("accuracy, %", *of, "all, less ours"), rows),
        "",
    ]
    for arm, what in _OVER.items():
        gains = {
            name: [run["ours"] - run[arm] for run in some] for name, some in of.items()
        }
        joined = [gain for some in gains.values() for gain in some]
        by_set = "; ".join(f"{name} {_told(some)}" for name, some in gains.items())
        lines.append(f"- {what}: **{_told(joined)}** ({by_set}).")
        if arm != "ours without, same labels":
            targets.append(at_least(f"{what}, points", float(np.mean(joined)), _GOAL))
    named = float(np.mean([run["named an action"] for run in every]))
    right = float(np.mean([run["named right"] for run in every]))
    targets += [
        at_least("layout: images named an action", named, 5),
        at_least("layout: of them rightly, %", right, 94),
    ]
    lines += [f"- images named an action: {named:.1f}, {right:.1f}% of them rightly."]
    judged = [run for run in every if _key("worse") in run]
    for kind, goal in _WRONG.items() if judged else ():
        hit = float(np.mean([run[_key(kind)] for run in judged]))
        what = f"layout, {kind}: wrong among the first 100, %"
        targets.append(at_least(what, hit, goal))
    return [*lines, "", *_doubted(judged)]


def _key(title: str, what: str = _DOUBT[0]) -> str:
    return f"{title}: {what}"


def _doubted(runs: list[dict[str, float]]) -> list[str]:
    """Return what is doubted where people have given wrong labels."""
    if not runs:
        return []
    rows = []
    for kind in _WRONG:
        for what in _DOUBT:
            with_it = [run[_key(kind, what)] for run in runs]
            without = [run[_key(f"{kind} without", what)] for run in runs]
            gains = [a - b for a, b in zip(with_it, without, strict=True)]
            means = f"{np.mean(with_it):.1f}", f"{np.mean(without):.1f}"
            rows.append((_key(kind, what), *means, _told(gains)))
    return [
        "Labels with errors that people made (CIFAR-10N): wrong ones among the first "
        "100 (%) and 200 that are doubted, and accuracy before any is reviewed (%).",
        "",
        table(("labels", "with layout", "without", "gain"), rows),
        "",
    ]


def _told(values: list[float]) -> str:
    if len(values) < _FEW:
        return f"{np.mean(values):+.1f}"
    found = interval(values)
    return f"{found.mean:+.1f} ± {found.half:.1f}"
