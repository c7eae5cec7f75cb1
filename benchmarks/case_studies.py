"""Tell on real images what the program is good for, and what not: docs/case-studies.

Each study is a command that remakes its figures, its pictures and its page::

    python benchmarks/case_studies.py heads --data FOLDER

FOLDER has the sets that the pages name, with their sources. Pictures of the window need
a screen (``xvfb-run -a`` makes one). What is finished is kept in ``--work``, so that an
interrupted study goes on; ``--quick`` runs a small part and only prints its figures.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Protocol

import common
from case_page import FOLDER, PAGES
from intervals import Run
from napari_spaceediting.data.cache import caching_in

STUDIES = ("garbage", "oracle", "heads", "crowd", "nuclei")


class Study(Protocol):
    """What the module of a study has, such as `case_heads`."""

    SEEDS: int
    """Repetitions."""

    def trial(
        self, data: Path, work: Path, seed: int, *, quick: bool
    ) -> dict[str, float]:
        """Return the figures of one repetition, or of a small part of it."""

    def scene(self, data: Path, work: Path, runs: Run) -> None:
        """Do in the window what the page tells, and take its pictures."""

    def words(self, runs: Run) -> dict[str, str]:
        """Return what stands where its page, in case_pages, has a name in braces."""


def repeat(name: str, study: Study, data: Path, work: Path, *, quick: bool) -> Run:
    """Return the figures of all repetitions, those of earlier runs as they were."""
    runs = []
    for seed in range(1 if quick else study.SEEDS):
        path = work / f"case-{name}-{seed}.json"
        if quick or not path.exists():
            figures = study.trial(data, work, seed, quick=quick)
            print(f"{name}, seed {seed}: {figures}", flush=True)
            if not quick:
                common.keep(path, figures)
            runs.append(figures)
        else:
            runs.append(json.loads(path.read_text()))
    return runs


def main() -> None:
    """Run one study."""
    made = common.parser(__doc__)
    made.add_argument("name", choices=STUDIES)
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    made.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-case-studies",
        help="folder of what is kept",
    )
    options = made.parse_args()
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of solvers that stop early
    # Processes that the window starts find the networks, too.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    study: Study = importlib.import_module(f"case_{options.name}")  # type: ignore[assignment]
    options.work.mkdir(parents=True, exist_ok=True)
    with caching_in(options.work / "cache"):
        data, work = options.data, options.work
        runs = repeat(options.name, study, data, work, quick=options.quick)
        if not options.quick:
            study.scene(data, work, runs)
    if options.json is not None:
        options.json.write_text(json.dumps({"targets": [], "runs": runs}))
    if not options.quick:
        page = (PAGES / f"{options.name}.md").read_text(encoding="utf-8")
        text = page.format(n=len(runs), machine=common.machine(), **study.words(runs))
        (FOLDER / f"{options.name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
