"""Photographs of garbage, five of each material known: groups are named in rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from case_page import Row, Run, gained, keep, sheet, told
from case_rounds import ROUNDS, WAYS, compared, groups, in_rounds, known, really, rivals
from common import table
from real_sets import Begun

SEEDS = 5
NAME = "garbage"
LABELS = 5


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Name groups in rounds; rivals learn the same labels, or choose their own."""
    begun = known(data, work, NAME, seed, LABELS)
    session, found = in_rounds(begun, seed)
    return found | rivals(begun, session, seed)


def scene(data: Path, work: Path, runs: Run) -> None:
    """Name groups in the window, retrain, and look at what was proposed wrongly."""
    from case_window import decide_all, find_proposals, wait_for_round, window
    from napari_spaceediting.plugin.status import Step

    begun = known(data, work, NAME, 0, LABELS)
    keep(sheet(list(_wrong(begun))[:5]), "garbage-wrong")
    with window(compared(begun.session), work) as camera:
        camera.show_only(Step.MAP)
        camera.picture("garbage-start")
        camera.show_only(Step.GUIDANCE)
        find_proposals(camera)
        camera.idle()
        camera.picture("garbage-group")
        decide_all(camera)
        camera.bench.panels.retrain.retrain_button.click()
        wait_for_round(camera)
        camera.show_only(Step.MAP)
        camera.picture("garbage-round")


def _wrong(begun: Begun) -> Iterator[Row]:
    """Yield the first groups that were proposed to be what they are not."""
    dataset = begun.session.dataset
    for proposal in groups(begun.session):
        what = really(proposal, begun.truth, dataset.class_names)
        if what != "right":
            images = [dataset.original(i) for i in proposal.indices[:9].tolist()]
            yield f"proposed as {proposal.tag}: {what}", images


def words(runs: Run) -> dict[str, str]:
    """Return what the figures say on the page."""
    clear = [f"{sum(run[f'round {k}: clear'] for run in runs):.0f}" for k in (1, 2, 3)]
    last = f"round {ROUNDS}: program"
    rows = [
        (what, told(runs, way), gained(runs, last, way)) for way, what in WAYS.items()
    ]
    found = {
        "table": table(("", "accuracy, %", "program in the end less this"), rows),
        "clear": ", ".join(clear),
        "brought": gained(runs, f"round {ROUNDS}: program", "start: program"),
        "over_labels": gained(
            runs, f"round {ROUNDS}: program", "same labels: regression"
        ),
        "over_groups": gained(
            runs, f"round {ROUNDS}: program", "k-means groups: regression"
        ),
        "over_keys": gained(
            runs, f"round {ROUNDS}: program", "doubtful singles by key: regression"
        ),
    }
    return found | {
        key: told(runs, name, 0)
        for key, name in (
            ("right", "proposals right, %"),
            ("mixed", "proposals mixed, %"),
            ("named", "images named"),
            ("named_right", "named right, %"),
        )
    }
