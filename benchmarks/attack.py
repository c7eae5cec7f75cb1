"""Sessions under attack: kills, second writers, full disks, damage, cancelled work.

On Linux, with a display for the window::

    xvfb-run -a python benchmarks/attack.py

It writes docs/results/attack.md. Every try has a number, from which all that is random
in it follows; tries that are done are kept in ``--work``, and a run goes on where the
last one ended. A single one is done again by::

    python benchmarks/attack.py --again damaged 1234
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import common
from attack_base import N_IMAGES, Child, Sessions, import_everything, make_sessions
from attack_caches import Caches
from attack_damage import Damaged
from attack_disk import Cancelled, FullDisk, Places
from attack_programs import Killed, TwoWriters
from attack_windows import Windows
from attack_work import GROWTH, HANDLES, LONGEST, OWN, THREADS, CancelledInWindow, Soak
from napari_spaceediting.data import cache

SEED = 13
_QUICK_S = 6.0


@dataclass(frozen=True)
class Part:
    """An attack: its title, what is wanted, and how many tries there are to be.

    What it measures is to be some figures at most.
    """

    title: str
    goal: str
    tries: int
    make: Any
    most: Mapping[str, float] = field(default_factory=dict)


PARTS = {
    "killed": Part(
        "SIGKILL at random moments of the commands and of saving",
        "no session lost, each as before or after, no process left, no stray file "
        "after the next save",
        500,
        Killed,
    ),
    "writers": Part(
        "two writers: two commands, two scripts",
        "nothing lost, nobody told done who was not",
        500,
        TwoWriters,
    ),
    "places": Part(
        "copy, rename, link, move while open, another drive", "nothing lost", 40, Places
    ),
    "disk": Part(
        "full disk, read-only, quota, permission, at every write",
        "the last state stands, one sentence",
        120,
        FullDisk,
    ),
    "damaged": Part(
        "damaged images, tables, arrays, sessions, weights, edits",
        "no traceback, no hang over 20 s, no silent wrong answer, no code run",
        3000,
        Damaged,
    ),
    "cancelled": Part(
        "cancel at a random step of every job", "equal bit for bit", 200, Cancelled
    ),
    "windows": Part(
        "the window: killed, beside a command, two viewers",
        "nothing lost, nobody told done who was not, no process left",
        150,
        Windows,
    ),
    "cancelled in windows": Part(
        "cancel in the window at a random moment of every job, 12 in each",
        "equal bit for bit, and free within 0.2 s",
        17,
        CancelledInWindow,
        {LONGEST: 0.2},
    ),
    "soak": Part(
        "the window for 30 min: select, drag, undo, retrain, accept, roll back",
        "memory at most 10% more after the first 5 min, handles and threads flat",
        1,
        Soak,
        {GROWTH: 10, OWN: 10, THREADS: 2, HANDLES: 2},
    ),
    "caches": Part(
        "damaged caches: thumbnails, images, activations",
        "made anew in silence, no hang over 20 s, no wrong answer, no code run",
        200,
        Caches,
    ),
}
_LONG = "cancelled in windows", "soak"
"""They take longer than `--quick` has."""
_WINDOWS = "windows", "cancelled in windows", "soak"


def main() -> None:
    parser = common.parser(__doc__)
    has_display = bool(os.environ.get("DISPLAY"))
    usual = [name for name in PARTS if has_display or name not in _WINDOWS]
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=usual)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="for each part at most"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-attack",
        help="folder of what is finished",
    )
    parser.add_argument("--again", nargs=2, metavar=("PART", "NUMBER"))
    options = parser.parse_args()
    if options.quick:
        options.parts = [name for name in options.parts if name not in _LONG]
        options.seconds = min(options.seconds, _QUICK_S)
        with tempfile.TemporaryDirectory(prefix="attack-") as work:
            found = _run(Path(work), options)
    else:
        found = _run(options.work, options)
    if options.again is None:
        common.publish("attack", _document(found), _targets(found), options, **found)


def _run(work: Path, options: Any) -> dict[str, Any]:
    work.mkdir(parents=True, exist_ok=True)
    os.environ[cache.VARIABLE] = str(work / "cache")
    os.environ["SPACEEDITING_CONFIG"] = str(work / "config")
    import_everything()
    sessions = make_sessions(work / "sessions")
    if options.again is not None:
        part, number = options.again
        print(*_attempt(part, int(number), sessions, work), sep="\n")
        return {}
    for name in options.parts:
        # In a process of its own, so that this one has never computed anything.
        series = partial(_series, name, sessions, work, options.seconds)
        child = Child(series, work / "said")
        ended = child.wait(float("inf"))
        if ended.code:
            raise SystemExit(f"The part {name} failed:\n{ended.output}")
    files = {name: work / f"{name}.json" for name in PARTS}
    return {n: json.loads(f.read_text()) for n, f in files.items() if f.exists()}


def _series(name: str, sessions: Sessions, work: Path, seconds: float) -> int:
    """Go on with a part until it is done or its time is over."""
    kept = work / f"{name}.json"
    done: dict[str, Any] = {"kinds": {}, "failures": [], "seconds": 0.0, "figures": {}}
    if kept.exists():
        done = json.loads(kept.read_text())
    kinds = Counter(done["kinds"])
    start, before = time.perf_counter(), done["seconds"]
    part = PARTS[name].make(sessions, work / "tries" / name)
    for number in range(kinds.total(), PARTS[name].tries):
        kind, problems = _try(part, name, number, work)
        kinds[kind] += 1
        done["failures"] += [[number, kind, problem[:500]] for problem in problems[:1]]
        took = time.perf_counter() - start
        done |= {"kinds": dict(kinds), "seconds": before + took}
        for figure, value in getattr(part, "figures", {}).items():
            done["figures"][figure] = max(value, done["figures"].get(figure, value))
        is_over = took > seconds
        if is_over or number % 20 == 19 or number + 1 == PARTS[name].tries:
            common.keep(kept, done)
        if is_over:
            break
    return 0


def _attempt(
    name: str, number: int, sessions: Sessions, work: Path
) -> tuple[str, list[str]]:
    return _try(PARTS[name].make(sessions, work / "tries" / name), name, number, work)


def _try(part: Any, name: str, number: int, work: Path) -> tuple[str, list[str]]:
    folder = work / "tries" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = np.random.default_rng((SEED, list(PARTS).index(name), number))
    try:
        kind, problems = part.attempt(number, rng)
    except Exception:
        return "it broke off", [traceback.format_exc()[-1500:]]
    return kind, problems


def _targets(found: dict[str, Any]) -> list[common.Target]:
    targets = []
    for name, done in found.items():
        part = PARTS[name]
        n, failed = sum(done["kinds"].values()), len(done["failures"])
        targets.append(common.at_least(f"tries, {part.title}", n, part.tries))
        targets.append(
            common.Target(f"failures, {part.title}", failed, "0", failed == 0)
        )
        targets += [
            common.at_most(figure, value, part.most[figure])
            for figure, value in done.get("figures", {}).items()
        ]
    return targets


def _document(found: dict[str, Any]) -> str:
    rows, kinds, failures = [], [], []
    for name, done in found.items():
        part = PARTS[name]
        n, failed = sum(done["kinds"].values()), len(done["failures"])
        rows.append(
            (part.title, f"{n:,} of {part.tries:,}", failed, part.goal,
             f"{done['seconds']:,.0f}")
        )  # fmt: skip
        kinds += [(name, *each) for each in sorted(done["kinds"].items())]
        failures += [
            (name, number, kind, " ".join(problem.split()).replace("|", "\\|")[-300:])
            for number, kind, problem in done["failures"]
        ]
    return f"""# Sessions under attack

{common.machine()}
- Seed {SEED} and the number of each try, from which all that is random follows

{common.table(("attack", "tries", "failures", "goal", "seconds"), rows)}
The sessions are of {N_IMAGES} pictures of 8 x 8 pixels, trained for one epoch, with a
linear map; the one whose work is cancelled in the window, or that is in use for long,
has 1,797 digits and a map by UMAP. Commands run in forked processes that have
everything imported, so that a try takes no seconds; moments before that are not tried.
*At a moment* is a random time, *at a change of files* is right before a random one of
the changes in the session's folder. A session that opens from damaged files must hold
what was saved; one whose session.json says something else must say it again when it is
saved. Caches are used by one process, damaged, and used by two more. *Without locks*
stands for network shares that know none; the milliseconds in which another program
could still come first there are not aimed at.

## What was tried

{common.table(("part", "kind", "tries"), kinds)}
## Failures

{common.table(("part", "try", "kind", "what"), failures) if failures else "None."}

## What is missing

- Tries that are fewer than their goal, if there are any: `--seconds` ended them.
- *A disk that is full* is one of 16 MB (tmpfs), filled but for a random rest. All other
  faults of disks are imitated: changes of files fail with the errors of the system.
- Memory grows with the rounds that the window has made, which are more on a quicker
  machine. What of it stays, beyond evidence and edits, is not found yet.
- Not of these formats: JPEG and other photographs, large zarr stores, GPUs.
"""


if __name__ == "__main__":
    main()
    sys.exit()
