"""What it takes to make an image one of another class, and whether it convinces.

It writes docs/results/traversal.md and docs/pictures/traversal-sheet.png::

    python benchmarks/traversal.py

Images of Fashion-MNIST are moved by many methods and judged by networks that none of
them knows (`judges`, `travels`); then times and memory are taken (`traversal_times`).
What is finished is kept in ``--work``, so that an interrupted run goes on. Seeds from
100 on take images and judges of their own, for tuning: ``--tune`` prints their figures.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

import common

SEEDS = 6
IMAGES, QUICK_IMAGES = 50, 8
SHOWN = 0
"""Seed whose images are on the sheet."""

Figures = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By method, strength and pair of classes."""


def run_seed(seed: int, work: Path, quick: bool) -> None:
    """Move images by every method, judge them, and keep the figures."""
    import torch

    from judges import PAIRS, Jury, deal
    from travels import METHODS, Trip

    torch.set_num_threads(1)
    begin = time.process_time()
    arena = deal(seed, quick=quick)
    pairs = PAIRS[:1] if quick else PAIRS
    figures: Figures = {}
    real = {}
    shown: dict[str, np.ndarray] = {}
    for pair in pairs:
        name = " → ".join(pair)
        trip = Trip(arena, pair, QUICK_IMAGES if quick else IMAGES)
        jury = Jury(arena, trip.target)
        real[name] = {key: float(v.mean()) for key, v in jury.real.items()}
        for method in METHODS:
            steps = figures.setdefault(method.name, {})
            for strength, images in method.travel(trip).items():
                entry = steps.setdefault(str(strength), {})
                entry[name] = jury.figures(images, trip.originals)
                if seed == SHOWN:
                    shown[f"{method.name}|{strength}|{name}"] = np.float16(images[:5])
        if seed == SHOWN:
            shown[f"original||{name}"] = np.float16(trip.originals[:5])
    network, judge = arena.accuracies
    _keep(
        work / f"seed-{seed}.json",
        {
            "figures": figures,
            "real": real,
            "accuracy": network,
            "judge accuracy": judge,
            "seconds": time.process_time() - begin,
        },
    )
    if seed == SHOWN:
        np.savez_compressed(work / "shown.npz", **shown)


def _keep(path: Path, figures: object) -> None:
    common.keep(path, figures)
    print(f"{path.stem} is done", flush=True)


def run_part(name: str, work: Path, quick: bool) -> None:
    """Run a seed or the times."""
    kind, _, seed = name.partition("-")
    if kind == "seed":
        run_seed(int(seed), work, quick)
    else:
        from traversal_times import measured

        _keep(work / f"{name}.json", measured(quick))


def main() -> None:
    """Run what is not finished yet and write the document."""
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--tune", type=int, nargs="+", metavar="SEED")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-traversal",
        help="folder of what is finished",
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    quick = options.quick
    work = options.work / "quick" if quick else options.work
    work.mkdir(parents=True, exist_ok=True)
    seeds = options.tune or range(1 if quick else options.seeds)
    names = [f"seed-{seed}" for seed in seeds]
    if not options.tune:
        names.append("times")
    todo = [name for name in names if not (work / f"{name}.json").exists()]
    arguments = [(name, work, quick) for name in todo]
    common.run_apart(run_part, arguments, options.processes)
    parts = {name: json.loads((work / f"{name}.json").read_text()) for name in names}
    from traversal_report import draw_sheet, targets, written

    times = parts.pop("times", None)
    runs = list(parts.values())
    if options.tune:
        print(written(runs, None))
        return
    common.publish(
        "traversal", written(runs, times), targets(runs, times), options, runs=parts
    )
    if not quick:
        draw_sheet(work / "shown.npz")


if __name__ == "__main__":
    main()
