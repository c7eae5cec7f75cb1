"""How cost grows with the number of images, and what a user would pick instead.

It writes docs/results/scale.md::

    python benchmarks/scale.py

The parts can be run one at a time, and an interrupted run goes on::

    python benchmarks/scale.py --parts retrain
    python benchmarks/scale.py --parts maps again

Every part runs in a process of its own. What is finished is kept in ``--work``, and the
document tells of all that is there. ``maps`` needs openTSNE and PaCMAP beside the
package: ``pip install opentsne pacmap``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import common
from napari_spaceediting.data import cache

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_QUICK_SIZES = (1_000,)
PARTS = (
    "retrain",
    "retrain-few",
    "retrain-many",
    "precision",
    "maps",
    "again",
    "adding",
    "processes",
    "photographs",
)
"""All but the last are measured on Fashion-MNIST; beside them, a part `size-N` each."""


def run_part(
    part: str, work: Path, quick: bool, data: Path | None = None
) -> dict[str, object]:
    """Run a part in a process of its own, unless it is finished; return its figures."""
    path = work / f"{part}.json"
    if not path.exists():
        command = [sys.executable, str(Path(__file__).with_name("scale_parts.py"))]
        command += [part, str(work), *(["--quick"] * quick)]
        if data is not None:
            command += ["--data", str(data)]
        own = {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
        own[cache.VARIABLE] = str(work / "cache")
        if subprocess.run(command, env={**os.environ, **own}).returncode:
            raise SystemExit(f"The part {part} failed: run the same command again.")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def main() -> None:
    """Run what is not finished, and write the document."""
    every = [*PARTS, *(f"size-{n}" for n in SIZES)]
    parser = common.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=every, default=every)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-scale",
        help="folder of what is finished",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="photographs for the part of that name, brought to 512 x 384 px; "
        "by default synthetic ones",
    )
    options = parser.parse_args()
    if options.quick:
        if options.parts == every:
            sizes = [f"size-{n}" for n in _QUICK_SIZES]
            options.parts = ["retrain", "again", "photographs", *sizes]
        with tempfile.TemporaryDirectory() as folder:
            figures = {
                part: run_part(part, Path(folder), True, options.data)
                for part in options.parts
            }
    else:
        options.work.mkdir(parents=True, exist_ok=True)
        for part in options.parts:
            run_part(part, options.work, False, options.data)
        figures = {
            part: json.loads((options.work / f"{part}.json").read_text())
            for part in every
            if (options.work / f"{part}.json").exists()
        }
    from scale_report import targets, written

    text = written(figures)
    common.publish("scale", text, targets(figures), options, figures=figures)


if __name__ == "__main__":
    main()
