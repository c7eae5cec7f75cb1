"""Photographs that the crowd labelled: what to look at again, and what it brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from case_page import Run, curves, gained, keep, told
from common import table
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.rival import components, logistic
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session
from real_sets import ONE_PERSON, Begun, begin
from real_trials import REVIEWS, doubted, out_of_fold

SEEDS = 5
NAME, NETWORK = "CIFAR-10N", "EfficientNet-lite0"
OURS, CLEANLAB, CHANCE = "the program", "cleanlab", "chance"
_STEPS = range(10, REVIEWS + 1, 10)


def _begin(data: Path, work: Path, seed: int) -> Begun:
    return begin(
        data, work, NAME, NETWORK, "reporting", seed, noise=ONE_PERSON, layout=True
    )


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Review 200 labels in three orders, and learn from what each has mended."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    begun = _begin(data, work, seed)
    labels, pool = begun.session.dataset.labels, begun.pool
    wrong, n_classes = labels != begun.truth, begun.session.dataset.n_classes
    space = components(begun.features, pool)
    said = out_of_fold(space, labels, pool, n_classes)
    issues = pool[find_label_issues(labels[pool], said, n_jobs=1)]
    scores = get_label_quality_scores(labels[pool], said, method="self_confidence")
    orders = {
        OURS: doubted(Session(begun.session.state), REVIEWS),
        CLEANLAB: pool[np.argsort(scores)][:REVIEWS],
        CHANCE: np.random.default_rng(seed).permutation(pool)[:REVIEWS],
    }

    def by_regression(known: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
        return begun.accuracy(logistic(space, labels, known, n_classes))

    found = {
        "wrong, %": float(100 * wrong[pool].mean()),
        "nobody asked: program": begun.now(),
        "nobody asked: regression": by_regression(pool, labels),
        "nobody asked: doubted dropped": by_regression(
            np.setdiff1d(pool, issues), labels
        ),
        "all mended: program": _reviewed(begun, pool[wrong[pool]]),
        "all mended: regression": by_regression(pool, begun.truth),
    }
    ours = wrong[orders[OURS]].sum()
    found["found, %"] = float(100 * ours / wrong[pool].sum())
    for way, order in orders.items():
        counts = np.cumsum(wrong[order])
        found |= {f"{way}: wrong of {k}": float(counts[k - 1]) for k in _STEPS}
        mended = labels.copy()
        mended[order] = begun.truth[order]
        kept = np.setdiff1d(pool, np.setdiff1d(issues, order))
        found[f"{way}: program"] = _reviewed(begun, order)
        found[f"{way}: regression"] = by_regression(pool, mended)
        found[f"{way}: doubted dropped"] = by_regression(kept, mended)
    return found


def _reviewed(begun: Begun, order: NDArray[np.int64]) -> float:
    """Return the accuracy after images were named rightly, and a round."""
    session = Session(begun.session.state)
    names = session.dataset.class_names
    session.replay([Relabel(np.array([i]), names[begun.truth[i]]) for i in order])
    session.propose(run_job(session.retraining()))
    session.accept()
    return Begun(session, begun.truth, begun.features).now()


def scene(data: Path, work: Path, runs: Run) -> None:
    """Review doubted labels in the window by keys, and draw what was found."""
    from qtpy.QtTest import QTest

    from case_window import window
    from napari_spaceediting.plugin.status import Step

    lines = {
        way: np.array(
            [np.mean([r[f"{way}: wrong of {k}"] for r in runs]) for k in _STEPS]
        )
        for way in (OURS, CLEANLAB, CHANCE)
    }
    keep(
        curves(lines, 10, "labels looked at", "wrong labels among them"), "crowd-found"
    )
    begun = _begin(data, work, 0)
    session = Session(begun.session.state)
    session.set_retrain_settings(replace(session.state.retrain, arms=("control",)))
    with window(session, work) as camera:
        bench, guidance = camera.bench, camera.bench.panels.guidance
        bench.panels.map.thumbnails_check.click()  # these photographs are not ours
        camera.show_only(Step.GUIDANCE)
        which = guidance.orders.findText("One at a time: doubted labels")
        guidance.orders.setCurrentIndex(which)
        guidance.orders.activated.emit(which)
        camera.wait(lambda: bench.review.proposal is not None)
        camera.idle()
        for _ in range(REVIEWS):
            if bench.review.proposal is None:
                break
            (image,) = bench.review.proposal.indices
            QTest.keyClick(guidance, bench.state.class_keys[begun.truth[image]])
        camera.show_only(Step.EDITS)
        bench.panels.retrain.retrain_button.click()
        camera.wait(lambda: camera.session.state.proposal is not None)
        camera.idle()
        bench.state.select(np.empty(0, np.int64))
        camera.picture("crowd-round")
        print(camera.session.state.rounds[-1].evidence.verdict())


def words(runs: Run) -> dict[str, str]:
    """Return what the figures say on the page."""
    nobody = [
        told(runs, f"nobody asked: {by}")
        for by in ("program", "regression", "doubted dropped")
    ]
    rows = [("nobody is asked", "", "", *nobody)]
    rows += [
        (
            f"200 reviewed, in the order of {way}",
            *(told(runs, f"{way}: wrong of {k}") for k in (100, 200)),
            *(
                told(runs, f"{way}: {by}")
                for by in ("program", "regression", "doubted dropped")
            ),
        )
        for way in (OURS, CLEANLAB, CHANCE)
    ]
    everything = told(runs, "all mended: program"), told(runs, "all mended: regression")
    rows.append(("all labels mended", "", "", *everything, ""))
    heads = (
        "",
        "wrong of 100",
        "wrong of 200",
        "program, %",
        "regression, %",
        "the same, doubted dropped, %",
    )
    return {
        "table": table(heads, rows),
        "wrong": told(runs, "wrong, %"),
        "found": told(runs, "found, %", 0),
        "first": gained(runs, f"{OURS}: wrong of 100", f"{CLEANLAB}: wrong of 100"),
        "all_200": gained(runs, f"{OURS}: wrong of 200", f"{CLEANLAB}: wrong of 200"),
        "brought": gained(runs, f"{OURS}: program", "nobody asked: program"),
        "over_chance": gained(runs, f"{OURS}: program", f"{CHANCE}: program"),
        "over_cleanlab": gained(runs, f"{OURS}: program", f"{CLEANLAB}: regression"),
        "same_network": gained(runs, f"{OURS}: program", f"{CLEANLAB}: program"),
    }
