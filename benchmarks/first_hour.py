r"""Ten tasks of a first hour in the window, by real clicks and keys.

On Linux without a display::

    xvfb-run -a -s "-screen 0 1920x1080x24" \
        python benchmarks/first_hour.py --data FOLDER

It writes docs/results/first-hour.md. ``FOLDER/trashnet`` has photographs in a folder
for each class (github.com/garythung/trashnet), ``FOLDER/weights`` those of MobileNetV2;
see `photo_networks`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import common
from desktop import fresh
from hour_tasks import GROUPS, WHOLE, do_all, n_labelled

_FEW, _MANY = 2_000, 100_000
_QUICK = 200, 5_000
_GOALS = {_FEW: 0.25, _MANY: 0.5}
"""Seconds of the 95th percentile of a reaction, by the number of images."""
_SLOWEST = 8


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--images", type=int, default=_FEW, metavar="N", help="photographs"
    )
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(do_all(options.data, *map(int, options.part))))
        return
    sizes = _QUICK if options.quick else (options.images, _MANY)
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder:
        given = *sizes, "--data", options.data.resolve()
        found = fresh(__file__, Path(folder), *given)
    common.publish(
        "first-hour", _document(found, sizes), _targets(found), options, tasks=found
    )


def _reactions(tasks: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [tuple(each) for task in tasks for each in task["reactions"]]


def _p95(tasks: list[dict[str, Any]], figure: int = 1) -> float:
    """Return the 95th percentile of reactions: processor time, or on the clock (2)."""
    found = [each[figure] for each in _reactions(tasks)]
    return float(np.percentile(found or [0.0], 95))


def _targets(tasks: list[dict[str, Any]]) -> list[common.Target]:
    ends = sum(bool(task["dead_end"]) for task in tasks)
    few = [task for task in tasks if task["images"] <= _FEW]
    many = [task for task in tasks if task["images"] > _FEW]
    said = "95th percentile of a reaction, processor time, "
    return [
        common.at_most("dead ends", ends, 1),
        common.at_most(f"{said}few images", _p95(few), _GOALS[_FEW], "s"),
        common.at_most(f"{said}many images", _p95(many), _GOALS[_MANY], "s"),
    ]


def _document(tasks: list[dict[str, Any]], sizes: tuple[int, int]) -> str:
    rows = [
        (
            task["task"],
            task["clicks"],
            task["keys"],
            f"{task['seconds']:.1f}",
            f"{1e3 * _p95([task]):.0f}",
            f"{1e3 * _p95([task], 2):.0f}",
            task["dead_end"] or task["said"],
        )
        for task in tasks
    ]
    heads = (
        "task",
        "clicks",
        "keys",
        "seconds",
        "95% of reactions, ms CPU",
        "95% on the clock, ms",
        "what came of it",
    )
    slowest = sorted(
        ((task["task"], *each) for task in tasks for each in task["reactions"]),
        key=lambda row: -row[2],
    )[:_SLOWEST]
    few, many = sizes
    return f"""# The first hour

{common.machine()}
- One run, seed 0: {few:,} photographs of garbage (TrashNet) on disk, {n_labelled(few)}
  of them labelled, with a plate and a date made up; {many:,} synthetic images
- Load average at the end: {os.getloadavg()[2]:.1f} over 15 minutes

Ten tasks by real clicks and keys in one window of {WHOLE[0]} x {WHOLE[1]} px, by a hand
that knows the true classes and reads nothing; a person needs the time for that in
addition. Nothing is fetched: the backbone is MobileNetV2, exported to a file. Seconds
are those of the clock, the waiting for network, map and retraining included. A reaction
is what follows a click or a key: the processor time of the window's thread until 60 ms
later, without the drawing of napari's canvas, which has no graphics card here; and the
time on the clock until the window is painted, with all drawing. Of a dialog for
files, the click that opens it and the one that closes it are counted. A dead end is a
task that could not be done. {GROUPS} groups are {GROUPS} answers.

{common.table(heads, rows)}
The slowest reactions:

{
        common.table(
            ("task", "act", "ms CPU", "ms on the clock"),
            (
                (task, what, f"{1e3 * own:.0f}", f"{1e3 * seen:.0f}")
                for task, what, own, seen in slowest
            ),
        )
    }"""


if __name__ == "__main__":
    main()
