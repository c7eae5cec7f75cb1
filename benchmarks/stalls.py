"""How long napari's window stalls while the plugin works, and how quick the map is.

On Linux without a display::

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/stalls.py

It writes docs/results/stalls.md. Every part runs in a fresh process with folders of
its own. ``--images N ...`` chooses the sizes of the synthetic sessions of the second
table; they have random places and no training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import common
from desktop import (
    environment,
    fresh,
    open_viewer,
    own_folder,
)
from stalls_acts import ONCE, measure_bare, measure_edited, measure_points

if TYPE_CHECKING:
    from napari_spaceediting.plugin.workbench import Workbench

GOAL_MS, GOAL_OPEN_S, GOAL_DEMO_S = 100, 1, 60
SIZES = (20_000, 100_000)
_IMAGES, _QUICK_IMAGES = 2000, 300
_QUICK_SIZES = (5000,)
_JUDGED = "c", "d", "e", "f", "g", "h"


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of every part")
    parser.add_argument(
        "--images", type=int, nargs="*", default=SIZES, help="of synthetic sessions"
    )
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        kind, size = options.part
        print(json.dumps(_PARTS[kind](int(size))))
        return
    runs = 1 if options.quick else options.runs
    sizes = _QUICK_SIZES if options.quick else options.images
    images = _QUICK_IMAGES if options.quick else _IMAGES
    load = os.getloadavg() if hasattr(os, "getloadavg") else (float("nan"),)
    with tempfile.TemporaryDirectory(prefix="stalls-") as folder:
        base = Path(folder)
        windows = [fresh(__file__, base, "window", images) for _ in range(runs)]
        starts = [] if options.quick else _starts(base, 2 * runs - 1)
        demos = [] if options.quick else [_demo(base) for _ in range(runs)]
        points = {size: fresh(__file__, base, "points", size) for size in sizes}
        edited = {size: fresh(__file__, base, "edited", size) for size in sizes}
        bare = {size: fresh(__file__, base, "bare", size) for size in sizes}
    targets = _targets(windows, starts, demos, points, edited)
    common.publish(
        "stalls",
        _document(windows, starts, demos, points, edited, bare, images, load[0]),
        targets,
        options,
        windows=windows,
        starts=starts,
        demos=demos,
        points=points,
        edited=edited,
        bare=bare,
    )


# Running parts


def _starts(base: Path, pairs: int) -> list[dict[str, Any]]:
    fresh(__file__, base, "start", 0)  # reads all files once
    return [
        {
            "napari": fresh(__file__, base, "start", 0),
            "docks": fresh(__file__, base, "start", 1),
        }
        for _ in range(pairs)
    ]


def _demo(base: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "napari_spaceediting", "demo", "--headless"],
        env=environment(base),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


# Parts


def _measure_start(docks: int) -> dict[str, float]:
    """Return seconds until napari, with the docks or without, stands there."""
    start = time.perf_counter()
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    QApplication.processEvents()
    shown = time.perf_counter()
    cpu = time.process_time()
    if docks:
        viewer.window.add_plugin_dock_widget("napari-spaceediting", "Space Editor")
        QApplication.processEvents()
        QApplication.processEvents()
    now, used = time.perf_counter(), time.process_time()
    os.write(
        1,
        json.dumps(
            {
                "total": now - start,
                "docks": now - shown,
                "docks_cpu": used - cpu,
                "total_cpu": used,
            }
        ).encode(),
    )
    if docks:
        from napari_spaceediting.plugin.workbench import workbench_of

        workbench_of(viewer).shutdown()
    os._exit(0)


def _measure_window(n_images: int) -> dict[str, Any]:
    """Go through the whole loop in a window and return the figures of each phase."""
    base = own_folder()
    folder = _write_pictures(base / "pictures", n_images)
    from watch import renderer, spin, wait

    watch, viewer = open_viewer()
    if n_images < _IMAGES:
        from napari.settings import get_plugin_settings

        get_plugin_settings("napari-spaceediting").training.epochs = 3
    phases = []

    def during(name: str, act: Callable[[], object], until: Callable[[], Any]) -> None:
        with watch.phase(name) as phase:
            act()
            wait(until)
            spin(1.0)
        phases.append(phase.summary())

    def nothing() -> None:
        pass

    during("a: napari alone, idle", lambda: spin(2.0), lambda: True)
    bench: list[Workbench] = []

    def open_docks() -> None:
        from napari_spaceediting.plugin.workbench import workbench_of

        watch.time_plugin()
        bench.append(workbench_of(viewer))
        bench[0].show_docks()

    during("the docks are opened (once)", open_docks, lambda: True)
    during("b: the docks are open, idle", lambda: spin(3.0), lambda: True)
    state, on_map = bench[0].state, bench[0].map
    wait(lambda: not state.training.is_running)

    def has_umap() -> bool:
        drawn = state.session.shown.map
        return drawn is not None and drawn.method == "umap" and not state.is_busy

    during(
        f"c: {n_images:,} PNG files are loaded and their thumbnails drawn",
        lambda: bench[0].opening.open_path(folder),
        lambda: state.thumbnails is not None,
    )
    during("d: the network trains, its first map", nothing, lambda: state.has_map)
    during("e: the map is computed and shown", nothing, has_umap)
    during("20 edits are made", lambda: _edit(bench[0]), lambda: True)
    session = state.session

    def retrain() -> None:
        bench[0].training.retrain(session.state.retrain)
        wait(lambda: session.state.proposal)
        spin(1.0)
        bench[0].evidence.accept_button.click()

    during(
        "f: a retraining with control, its result is taken over",
        retrain,
        lambda: session.state.proposal is None and not state.is_busy,
    )
    saved = base / "work.spaceediting"
    during(
        "g: the session is saved",
        lambda: bench[0].saving.save_to(saved),
        lambda: state.path == saved,
    )
    during(
        "h: the saved session is opened",
        lambda: bench[0].opening.open_session(saved),
        lambda: state.session is not session and state.thumbnails is not None,
    )
    name = renderer(on_map.view.canvas)
    bench[0].shutdown()
    viewer.close()
    return {"renderer": name, "phases": phases}


def _write_pictures(folder: Path, n: int) -> Path:
    """Write heads of 64 x 64 pixels as PNG files into a folder for each class."""
    from PIL import Image

    from napari_spaceediting.data.poses import render_poses
    from napari_spaceediting.jobs.job import finish

    heads = finish(render_poses(n, size=64))
    for index in range(n):
        place = folder / heads.class_names[heads.labels[index]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(heads.original(index)).save(place / f"{heads.ids[index]}.png")
    return folder


def _edit(bench: Workbench) -> None:
    """Pin ten images and move ten."""
    from napari_spaceediting.editing.image_edits import Move, Pin
    from watch import spin

    session = bench.state.session
    free = np.random.default_rng(0).permutation(
        np.flatnonzero(~session.dataset.held_out)
    )
    for index in free[:10]:
        bench.map.naming.apply(Pin(np.array([index]), session.edits.class_names[0]))
        spin(0.05)
    for index in free[10:20]:
        at = np.array([index])
        start = session.edits.positions[at]
        end = session.edits.positions[free[20:21]]
        bench.map.naming.apply(Move(at, start, end, tag=session.edits.class_names[1]))
        spin(0.05)


_PARTS: dict[str, Callable[[int], Any]] = {
    "start": _measure_start,
    "window": _measure_window,
    "points": measure_points,
    "edited": measure_edited,
    "bare": measure_bare,
}


# The document


def _of(windows: list[Any], at: int, figure: str) -> list[float]:
    return [run["phases"][at][figure] for run in windows]


def _targets(
    windows: list[Any],
    starts: list[Any],
    demos: list[float],
    points: dict[int, list[Any]],
    edited: dict[int, list[Any]],
) -> list[common.Target]:
    targets = []
    for at, phase in enumerate(windows[0]["phases"]):
        if phase["phase"].startswith(_JUDGED):
            longest = statistics.median(_of(windows, at, "longest_undrawn"))
            name = f"longest stall without drawing, ms, {phase['phase']}"
            targets.append(common.at_most(name, longest, GOAL_MS, "ms"))
    for size, rows in points.items():
        again = [row for row in rows if row[0] not in ONCE]
        act, longest = max(((row[0], row[1]) for row in again), key=lambda row: row[1])
        name = f"longest act of every day, ms, {size:,} images: {act}"
        targets.append(common.at_most(name, longest, GOAL_MS, "ms"))
    for size, rows in edited.items():
        act, longest = max(((row[0], row[1]) for row in rows), key=lambda row: row[1])
        name = f"longest act, ms, {size:,} images of which half are edited: {act}"
        targets.append(common.at_most(name, longest, GOAL_MS, "ms"))
    if starts:
        added = statistics.median(_added(starts))
        name = "opening the docks adds to napari's start, s"
        targets.append(common.at_most(name, added, GOAL_OPEN_S, "s"))
    if demos:
        seconds = statistics.median(demos)
        targets.append(common.at_most("demo --headless, s", seconds, GOAL_DEMO_S, "s"))
    return targets


def _added(starts: list[Any]) -> list[float]:
    return [pair["docks"]["total"] - pair["napari"]["total"] for pair in starts]


def _document(
    windows: list[Any],
    starts: list[Any],
    demos: list[float],
    points: dict[int, Any],
    edited: dict[int, Any],
    bare: dict[int, Any],
    images: int,
    load: float,
) -> str:
    spread = common.spread
    figures = (
        ("seconds", 1),
        ("longest", 0),
        ("p95", 0),
        ("longest_undrawn", 0),
        ("p95_undrawn", 0),
        ("longest_own", 0),
        ("own_cpu_longest", 0),
        ("own_cpu_total", 0),
    )
    heads = (
        "phase",
        "seconds",
        "longest",
        "95th percentile",
        "longest without drawing",
        "95th percentile without drawing",
        "longest that it can have caused itself",
        "CPU of the longest of our calls",
        "CPU of all our calls",
    )
    stalls, calls = [], []
    for at, phase in enumerate(windows[0]["phases"]):
        shown = [spread(_of(windows, at, key), digits) for key, digits in figures]
        stalls.append((phase["phase"], *shown))
        for wall, cpu, name in phase["slowest_calls"][:3]:
            if cpu >= 20:
                calls.append((phase["phase"], f"`{name}`", f"{wall:.0f}", f"{cpu:.0f}"))
    document = f"""# Stalls of the window

{common.machine()}
- Canvas drawn by {windows[0]["renderer"]}; load average at the start {load:.1f}
- {len(windows)} runs in fresh processes: median (lowest–highest); seed 0

A timer of 5 ms runs in the window's thread; a stall is how much later a tick comes, in
ms. *Drawing* is the time that Qt and OpenGL take to draw napari's canvas and to put the
picture of the window together. Without a graphics card the processor does that, which
says nothing about the plugin; so stalls are given with drawing and without. Painting
of the plugin's own widgets is no drawing in this sense. What the process *can have
caused itself* is a stall without drawing, but no longer than all its threads computed
meanwhile: the rest of it other processes had the processor. *Our calls* are
calls into classes of the plugin with all that they do in napari, Qt (drawing, where it
does not wait) and numpy, in ms of processor time of the window's thread.

The pictures are {images:,} rendered heads of 64 x 64 pixels.

{common.table(heads, stalls)}
The longest of our calls in the first run, from 20 ms of processor time on:

{common.table(("phase", "call", "ms", "ms CPU"), calls)}"""
    if starts:
        alone = [pair["napari"]["total"] for pair in starts]
        docks = [pair["docks"]["docks"] for pair in starts]
        cpu = [pair["docks"]["docks_cpu"] for pair in starts]
        document += f"""
## Start

Seconds from the first import of napari to a painted window, in fresh processes, with
the docks and without in turn ({len(starts)} pairs): napari alone {spread(alone, 2)};
the docks add {spread(_added(starts), 2)} (difference of each pair). Within one process,
opening them takes {spread(docks, 2)} s, {spread(cpu, 2)} s of them processor time.
"""
    if demos:
        document += f"""
`napari-spaceediting demo --headless` takes {spread(demos, 1)} s ({len(demos)} runs).
"""
    for size, rows in points.items():
        document += f"""
## {size:,} images

Ten random clusters, nothing trained. Processor time of the window's thread for one act,
from the event until 0.1 s later, without drawing as above, and of drawing. Medians.

{_acts(rows)}
A Points layer of as many in napari alone, without the plugin:

{_acts(bare[size])}
The map again, where half of the images are edited:

{_acts(edited[size])}"""
    return document


def _acts(rows: list[tuple[str, float, float, int]]) -> str:
    found = [
        (name, f"{own:,.1f}", f"{drawn:,.1f}" if drawn else "", times)
        for name, own, drawn, times in rows
    ]
    return common.table(("act", "ms", "drawing, ms", "times"), found)


if __name__ == "__main__":
    main()
