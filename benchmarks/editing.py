"""Whether edits teach a network more than the same training without them.

It writes docs/results/editing.md::

    python benchmarks/editing.py

A simulated expert edits, in scenarios that `trials` describes; every scenario is
repeated with other training images, another network and other choices of the expert.
What is finished is kept in ``--work``, so that an interrupted run goes on, and the
document tells of all that is there.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import common
from intervals import Runs
from napari_spaceediting.data.cache import caching_in

SEEDS = {
    "few": 10,
    "places": 10,
    "pins": 10,
    "noise": 10,
    "doubts": 10,
    "noise_deep": 5,
    "careless": 5,
    "pose": 5,
    "none": 5,
    "clean": 5,
    "quickness": 3,
    "orders": 5,
    "depth": 5,
    "digits": 5,
    "mnist": 5,
    "fashion_ten": 5,
}
"""Repetitions of each scenario."""
_QUICK = "clean"

# Running


def run_trial(scenario: str, seed: int, work: Path) -> None:
    """Run one repetition and keep its figures."""
    import torch

    import trials

    torch.set_num_threads(1)
    begin = time.perf_counter()
    with caching_in(work / "cache"):
        figures = trials.SCENARIOS[scenario](seed, work)
    figures["seconds"] = time.perf_counter() - begin
    path = _path(work, scenario, seed)
    common.keep(path, figures)
    print(f"{scenario} {seed}: {figures['seconds']:.0f} s", flush=True)


def run_all(wanted: dict[str, int], work: Path, processes: int) -> None:
    """Run what is not finished yet."""
    work.mkdir(parents=True, exist_ok=True)
    todo = [
        (scenario, seed, work)
        for scenario, count in wanted.items()
        for seed in range(count)
        if not _path(work, scenario, seed).exists()
    ]
    common.run_apart(run_trial, todo, processes)


def finished(work: Path) -> Runs:
    """Return the figures of all that is finished, also by earlier runs."""
    found = {
        scenario: [
            json.loads(_path(work, scenario, seed).read_text())
            for seed in range(most)
            if _path(work, scenario, seed).exists()
        ]
        for scenario, most in SEEDS.items()
    }
    return {scenario: runs for scenario, runs in found.items() if runs}


def _path(work: Path, scenario: str, seed: int) -> Path:
    return work / f"{scenario}-{seed}.json"


# Telling


def main() -> None:
    """Run the scenarios and write the document."""
    parser = common.parser(__doc__)
    parser.add_argument("--scenarios", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--seeds", type=int, help="repetitions of every scenario")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-editing",
        help="folder of what is finished",
    )
    options = parser.parse_args()
    wanted = {
        scenario: options.seeds or SEEDS[scenario] for scenario in options.scenarios
    }
    if options.quick:
        wanted = {_QUICK: 1}
    os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
    run_all(wanted, options.work, options.processes)
    runs = finished(options.work)
    from aims import targets
    from report import written

    text = written(runs)
    common.publish("editing", text, targets(runs), options, runs=runs)


if __name__ == "__main__":
    main()
