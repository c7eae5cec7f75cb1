"""What all benchmarks share: options, the head of a document, tables and targets."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from napari_spaceediting.data.writing import write_file

RESULTS = Path(__file__).parents[1] / "docs" / "results"
_PACKAGES = (
    "napari-spaceediting",
    "numpy",
    "torch",
    "umap-learn",
    "napari",
    "PyQt6",
    "vispy",
)


@dataclass(frozen=True)
class Target:
    """A figure with a goal."""

    name: str
    value: float
    goal: str
    met: bool


def at_most(name: str, value: float, goal: float, unit: str = "") -> Target:
    """Return a target that is met by values below the goal."""
    shown = f"< {goal:g} {unit}".strip()
    return Target(name, value, shown, value < goal)


def at_least(name: str, value: float, goal: float, unit: str = "") -> Target:
    """Return a target that is met by the goal or more."""
    shown = f">= {goal:g} {unit}".strip()
    return Target(name, value, shown, value >= goal)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick",
        action="store_true",
        help="a small part of it in under a minute; the document is only printed",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the targets")
    return made


def publish(
    name: str,
    document: str,
    targets: Sequence[Target],
    options: argparse.Namespace,
    **figures: object,
) -> None:
    """Write `docs/results/NAME.md` (unless quick) and the JSON, and print the document.

    Parameters
    ----------
    name : str
        Of the benchmark.
    document : str
        Markdown, without the table of targets, which is put at its end.
    targets : sequence of Target
        Figures with goals.
    options : argparse.Namespace
        From `parser`.
    figures : JSON-ready values
        What else the JSON is to hold.
    """
    rows = [
        (t.name, f"{t.value:.4g}", t.goal, "yes" if t.met else "**no**")
        for t in targets
    ]
    text = document
    if rows:
        text = f"{text.rstrip()}\n\n## Targets\n\n"
        text += table(("figure", "value", "goal", "met"), rows)
    print(text)
    if not options.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    if options.json is not None:
        values = {"targets": [asdict(target) for target in targets], **figures}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(values, indent=1), encoding="utf-8")


def keep(path: Path, figures: object) -> None:
    """Write figures as JSON, whole or not at all."""
    write_file(path, json.dumps(figures).encode())


def run_apart(
    task: Callable[..., None], todo: Sequence[tuple[object, ...]], processes: int | None
) -> None:
    """Call a task with each of some arguments, each time in a fresh process.

    So none has the memory, the threads or the compiled code of another.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=1) as pool:
        calls = [(task, *arguments) for arguments in todo]
        done = pool.starmap(_succeeds, calls, chunksize=1)
    if not all(done):
        raise SystemExit("A part has failed, see above: run the same command again.")


def _succeeds(task: Callable[..., None], *arguments: object) -> bool:
    try:
        task(*arguments)
    except Exception:
        traceback.print_exc()
        return False
    return True


def machine() -> str:
    """Return machine and versions as a list in Markdown."""
    packages = ", ".join(
        f"{name} {found}" for name in _PACKAGES if (found := _version(name))
    )
    return (
        f"- Machine: {_processor()}, {_cores()} cores, {_memory():.0f} GB; "
        f"{platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}\n- Versions: {packages}"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Return the median with the lowest and highest value."""
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if names.is_file():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float:
    """Return the memory of the machine in GB, 0 where it is not known."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return 0.0
