"""What the window costs beside what napari itself would take for the same.

On Linux without a display::

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/window.py

It writes docs/results/window.md. Sessions of three sizes are shown in turn in one
window, round after round, beside layers of napari's own with as many points; the way
from a sample to an accepted retraining is clicked with the mouse in windows of their
own. benchmarks/stalls.py has the stalls of the whole loop.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import common
from desktop import Hand, around_half, fresh, open_viewer, synthetic
from watch import INTERVAL

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

    from napari_spaceediting.plugin.workbench import Workbench
    from watch import Watch

SIZES = (1_000, 10_000, 100_000)
_QUICK_SIZES = (500, 1_000, 2_000)
_MOVES, _ZOOMS, _HOVERS, _DECISIONS = 8, 6, 200, 8
_FOLLOWS = 250
"""Milliseconds after an edit at which the layer of a large map takes it."""
_SETTLED = 0.06
"""Seconds after which what an event leads to is over, but for thumbnails."""
Figures = dict[str, list[float]]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="processes of every part")
    parser.add_argument("--rounds", type=int, default=3, help="in each of them")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        kind, *numbers = options.part
        print(json.dumps(_PARTS[kind](*map(int, numbers))))
        return
    runs, rounds = (1, 1) if options.quick else (options.runs, options.rounds)
    sizes = _QUICK_SIZES if options.quick else SIZES
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with tempfile.TemporaryDirectory(prefix="window-") as folder:
        base = Path(folder)
        maps = [fresh(__file__, base, "map", rounds, *sizes) for _ in range(runs)]
        paths = [fresh(__file__, base, "path") for _ in range(runs)]
    figures: Figures = defaultdict(list)
    for found in maps:
        for name, values in found["figures"].items():
            figures[name] += values
    common.publish(
        "window",
        _document(figures, paths, sizes, maps[0]["renderer"], runs, rounds, load),
        _targets(figures, paths, sizes),
        options,
        figures=figures,
        paths=paths,
    )


# The map


class _Stopwatch:
    """Processor time of the window's thread, without the drawing of the canvas.

    What the window and the measuring take in the same time when nothing is done is
    taken off, where that time is known.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def settled(self, act: Callable[[], object]) -> float:
        """Return ms for an act and what it leads to, less idling as long."""
        from watch import spin

        spin(0.02)
        taken = []
        for do in (act, int):
            start, drawing = time.thread_time(), self._watch.drawing.cpu
            do()
            spin(_SETTLED)
            drawn = self._watch.drawing.cpu - drawing
            taken.append(1e3 * (time.thread_time() - start - drawn))
        return taken[0] - taken[1]

    def __call__(
        self,
        act: Callable[[], object],
        until: Callable[[], object] = lambda: True,
        settle: float = _SETTLED,
    ) -> float:
        """Return ms for an act and what it leads to."""
        from watch import spin, wait

        spin(0.02)
        start, drawing = time.thread_time(), self._watch.drawing.cpu
        act()
        wait(until)
        spin(settle)
        taken = time.thread_time() - start
        return 1e3 * (taken - (self._watch.drawing.cpu - drawing))


def _measure_map(rounds: int, *sizes: int) -> dict[str, Any]:
    """Return ms of acts on the map, each by name and size, and what draws it."""
    from napari_spaceediting.plugin.state import Change
    from napari_spaceediting.plugin.workbench import workbench_of
    from watch import renderer, spin, wait

    watch, viewer = open_viewer()
    bench = workbench_of(viewer)
    bench.show_docks()
    spin(1.0)
    wait(lambda: not bench.state.training.is_running)
    sessions = {size: synthetic(size) for size in sizes}
    clock = _Stopwatch(watch)
    figures: Figures = defaultdict(list)
    own: Points | None = None
    # napari's thread for the status bar now and then takes away what napari's own drag
    # looks at; PyQt ends the process on an error that nobody hooks.
    sys.excepthook = traceback.print_exception
    for _ in range(rounds):
        for size in sizes:
            session, tiles = sessions[size]
            bench.state.take_session(session, None)
            bench.state.thumbnails = tiles
            bench.state.notify(Change.PICTURES)
            spin(0.5)
            ours = _Ours(bench, clock, viewer)
            for name, values in ours.measure(full=size == sizes[-1]).items():
                figures[f"{name}, {size}"] += values
        if own is None:
            own = _add_points(viewer, bench)
        napari = _Napari(bench, own, clock, viewer)
        for name, values in napari.measure().items():
            figures[name] += values
    name = renderer(bench.map.view.canvas)
    bench.shutdown()
    viewer.close()
    return {"renderer": name, "figures": figures}


def _lively(places: np.ndarray, bench: Workbench, among: np.ndarray) -> np.ndarray:
    """Return images in the middle of the canvas that the pointer finds, in pixels."""
    view = bench.map.view
    pixels = view.viewport.to_canvas(places)
    middle = np.array(view.viewport.size) / 2
    reach = 0.3 * min(view.viewport.size)
    near = among[np.abs(pixels[among] - middle).max(axis=1) < reach]
    return np.array([i for i in near[:600] if view.pick(places[i]) == i])


class _Ours:
    """Acts on our map, as the session that is open has it."""

    def __init__(self, bench: Workbench, clock: _Stopwatch, viewer: Viewer) -> None:
        self._bench, self._clock, self._viewer = bench, clock, viewer
        self._view = bench.map.view
        self._hand = Hand(self._view.canvas)
        session = bench.state.session
        self._session = session
        self._places = session.edits.positions
        free = np.random.default_rng(1).permutation(
            np.flatnonzero(~session.dataset.held_out)
        )
        self._free = free
        self._near = _lively(self._places, bench, free)
        self._pixels = self._view.viewport.to_canvas(self._places)

    def measure(self, *, full: bool) -> Figures:
        """Return all figures; those with no goal at smaller sizes only if full."""
        found: Figures = {}
        for count in (1, 100):
            found[f"drag {count}"] = self._drag(count)
        found["hover"] = self._hover()
        found["hover event"] = self._hover_events()
        found |= self._zoom()
        found["recolour"] = self._recolour()
        if full:
            found["lasso"], found["lasso selects"] = self._lasso()
            found |= self._decide()
        return found

    def _drag(self, count: int) -> list[float]:
        hand, chosen = self._hand, self._near[:count]
        self._bench.state.select(chosen)
        held = self._pixels[chosen[0]]
        hand.move(held)
        hand.press(held)
        taken = []
        for step in range(1, _MOVES + 1):
            at = held + step * np.array([3, 2])
            taken.append(self._clock.settled(lambda at=at: hand.move(at, held=True)))
        hand.release(at)
        self._bench.map.naming.picker.close()
        self._bench.state.select(chosen[:0])
        return [statistics.median(taken)]

    def _hover(self) -> list[float]:
        """Pick and mark what is under the pointer."""
        view = self._view
        places = view.viewport.to_map(self._pixels[self._near] + 1.0)
        start = time.thread_time()
        for place in places[np.arange(_HOVERS) % len(places)]:
            view.show_hovered(view.pick(place))
        return [1e3 * (time.thread_time() - start) / _HOVERS]

    def _hover_events(self) -> list[float]:
        return [
            statistics.median(
                self._clock(lambda i=i: self._hand.move(self._pixels[i]))
                for i in self._near[:_MOVES]
            )
        ]

    def _zoom(self) -> Figures:
        """Zoom; place and paint other pictures."""
        from watch import spin

        camera, view = self._viewer.scene.camera, self._view
        whole = camera.zoom
        found: Figures = {"zoom": [], "thumbnails": []}

        def place() -> None:
            view._place_thumbnails()
            view.overlay.grab()  # paints it, but not the rest of the window

        for step in range(1, _ZOOMS + 1):

            def zoom(step: int = step) -> None:
                camera.zoom = whole * 1.5**step
                view._refresh.stop()

            found["zoom"].append(self._clock(zoom))
            start = time.thread_time()
            place()
            found["thumbnails"].append(1e3 * (time.thread_time() - start))
        camera.zoom = whole
        spin(0.3)
        return {name: [statistics.median(taken)] for name, taken in found.items()}

    def _recolour(self) -> list[float]:
        return [
            statistics.median(
                self._clock(lambda key=key: self._bench.map.colour_by(key))
                for key in ("confidence", "label") * 2
            )
        ]

    def _lasso(self) -> tuple[list[float], list[float]]:
        """Return ms of the release with all it leads to, and the images selected."""
        from watch import PaintTimes, spin

        bench, hand, view = self._bench, self._hand, self._view
        bench.map.set_tool("lasso")
        view.include_held_out = True
        corners = around_half(self._pixels, view.viewport.size[1])
        hand.press(corners[0])
        for corner in corners[1:]:
            hand.move(corner, held=True)
            spin(0.008)
        shown = PaintTimes(bench.gallery.grid.viewport())
        taken = self._clock(
            lambda: hand.release(corners[-1]), lambda: shown.all_painted, settle=0
        )
        selected = len(bench.state.selected)
        if len(bench.gallery.grid.items) != selected:
            raise RuntimeError("The gallery does not show what was selected.")
        bench.map.set_tool("move")
        view.include_held_out = False
        bench.state.select(self._near[:0])
        return [taken], [selected]

    def _decide(self) -> Figures:
        """Return ms from a key to the next proposal, painted."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        from napari_spaceediting.editing.answers import ProposalKind
        from napari_spaceediting.editing.guidance import Proposal
        from watch import PaintTimes, spin

        bench, session = self._bench, self._session
        names = session.edits.class_names
        queue = [
            Proposal(
                ProposalKind.MISLABELLED,
                np.array([index]),
                "Its 15 nearest images are others",
                names[step % len(names)],
                self._places[self._near[step + 50]],
                1.0,
            )
            for step, index in enumerate(self._near[: _DECISIONS + 1])
        ]
        bench.review._take(queue)
        spin(0.5)
        card, grid = bench.panels.guidance, bench.gallery.grid.viewport()
        clocked, computed = [], []
        for _ in range(_DECISIONS):
            before = bench.review.proposal
            painted = PaintTimes(self._view.overlay, grid, card)
            start = time.perf_counter()
            computed.append(
                self._clock(
                    lambda: QTest.keyClick(self._view.canvas, Qt.Key.Key_Y),
                    lambda painted=painted: painted.all_painted,
                    settle=0,
                )
            )
            if bench.review.proposal is before:
                raise RuntimeError("The key has not answered the proposal.")
            clocked.append(1e3 * (painted.last - start))
            spin(0.2)
        for _ in range(_DECISIONS):
            bench.edits.undo()
        bench.review.clear()
        bench.state.select(self._near[:0])
        spin(0.3)
        return {"decision": computed, "decision on the clock": clocked}


# napari's own


def _add_points(viewer: Viewer, bench: Workbench) -> Points:
    """Add a layer with the points of the map."""
    ours = bench.map.view.layer
    return viewer.add_points(
        ours.data.copy(),
        size=ours.size.copy(),
        face_color=ours.face_color.copy(),
        border_width=0,
        canvas_size_limits=tuple(ours.canvas_size_limits),
        name="napari",
    )


class _Napari:
    """The same acts on a layer of napari's own, and a mosaic of pictures."""

    def __init__(
        self, bench: Workbench, layer: Points, clock: _Stopwatch, viewer: Viewer
    ) -> None:
        self._bench, self._layer, self._clock = bench, layer, clock
        self._viewer = viewer
        self._view = bench.map.view

    def measure(self) -> Figures:
        """Return all figures."""
        from watch import spin

        layer, ours = self._layer, self._view.layer
        mosaic = self._mosaic()
        ours.visible, layer.visible = False, True
        self._viewer.layers.selection.active = layer
        layer.mode = "select"
        spin(0.5)
        found = {f"napari drag {count}": self._drag(count) for count in (1, 100)}
        found["napari hover"] = self._hover()
        found["napari select"] = self._select()
        found["napari colour"] = self._colour()
        layer.mode = "pan_zoom"
        layer.visible, ours.visible = False, True
        self._viewer.layers.selection.active = ours
        spin(0.3)
        return found | {"napari mosaic": mosaic}

    def _near(self) -> np.ndarray:
        free = np.flatnonzero(~self._bench.state.session.dataset.held_out)
        some = np.random.default_rng(1).permutation(free)
        return _lively(self._layer.data, self._bench, some)

    def _drag(self, count: int) -> list[float]:
        hand, layer = Hand(self._view.canvas), self._layer
        # The layer takes the topmost disc under the pointer, not the nearest point.
        near = self._near()
        first = next(i for i in near if layer.get_value(layer.data[i]) == i)
        others = near[near != first][: count - 1]
        layer.selected_data = {first, *others.tolist()}
        before = layer.data.copy()
        held = self._view.viewport.to_canvas(before[first : first + 1])[0]
        hand.move(held)
        hand.press(held)
        taken = []
        for step in range(1, _MOVES + 1):
            at = held + step * np.array([3, 2])
            taken.append(self._clock.settled(lambda at=at: hand.move(at, held=True)))
        hand.release(at)
        if (layer.data != before).any(axis=1).sum() != count:
            raise RuntimeError("napari has not moved the points.")
        layer.data = before
        layer.selected_data = set()
        return [statistics.median(taken)]

    def _hover(self) -> list[float]:
        layer, near = self._layer, self._near()
        start = time.thread_time()
        for index in near[np.arange(20) % len(near)]:
            layer.get_value(layer.data[index], world=True)
        return [1e3 * (time.thread_time() - start) / 20]

    def _select(self) -> list[float]:
        half = set(range(len(self._layer.data) // 2))
        layer = self._layer

        def assign() -> None:
            layer.selected_data = half

        taken = self._clock(assign)
        layer.selected_data = set()
        return [taken]

    def _colour(self) -> list[float]:
        layer = self._layer
        colours = layer.face_color.copy()

        def assign() -> None:
            layer.face_color = colours[::-1].copy()

        return [statistics.median(self._clock(assign) for _ in range(4))]

    def _mosaic(self) -> list[float]:
        """Return ms to draw the pictures of the map into an image layer.

        Which pictures these are is not chosen anew.
        """
        from watch import wait

        view, camera = self._view, self._viewer.scene.camera
        width, height = view.viewport.size
        canvas = np.zeros((height, width, 4), np.uint8)
        name = "mosaic"
        if name not in self._viewer.layers:
            self._viewer.add_image(canvas, name=name, rgb=True)
        layer = self._viewer.layers[name]
        layer.visible = True
        self._viewer.layers.selection.active = view.layer
        whole, tiles = camera.zoom, self._bench.state.thumbnails
        taken = []

        def redraw() -> None:
            _paste(canvas, view, tiles)
            (top, left), _ = view.viewport.visible()
            layer.scale = (1 / camera.zoom, 1 / camera.zoom)
            layer.translate = (top, left)
            layer.data = canvas

        for step in range(1, _ZOOMS + 1):
            before = view.overlay.scene.pictures
            camera.zoom = whole * 1.5**step
            wait(lambda was=before: view.overlay.scene.pictures is not was)
            taken.append(self._clock(redraw))
        camera.zoom = whole
        layer.visible = False
        return [statistics.median(taken)]


def _paste(canvas: np.ndarray, view: Any, tiles: np.ndarray) -> None:
    """Draw the pictures that the map shows into an image as large as the canvas."""
    canvas[:] = 0
    scene = view.overlay.scene
    places = np.array([picture.place for picture in scene.pictures])
    side = tiles.shape[1]
    corners = view.viewport.to_canvas(places).astype(int) - side // 2
    for number, (x, y) in enumerate(corners.tolist()):
        if min(x, y) <= -side:
            continue
        top, left = max(y, 0), max(x, 0)
        part = canvas[top : y + side, left : x + side]
        part[..., :3] = tiles[number][top - y :, left - x :][
            : len(part), : part.shape[1]
        ]
        part[..., 3] = 255


# From a sample to an accepted retraining


def _measure_path() -> dict[str, Any]:
    """Click from a sample in napari's menu to an accepted round; watch the window."""
    from qtpy.QtWidgets import QApplication, QMainWindow

    from clicks import Mouse
    from napari_spaceediting.plugin.workbench import workbench_of
    from napari_spaceediting.session.state import RoundStatus
    from watch import spin, wait

    watch, viewer = open_viewer()
    (main,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    mouse = Mouse()
    mouse.choose(main, "File", "Open Sample", "SpaceEditing", "Digits")
    wait(lambda: workbench_of(viewer).state.session is not None)
    bench = workbench_of(viewer)
    state, editor = bench.state, bench.editor

    def has_map() -> bool:
        drawn = state.session.shown.map
        return drawn is not None and drawn.method == "umap" and not state.is_busy

    wait(has_map)
    spin(1.0)
    mouse.press(editor, "guidance", bench.panels.guidance.refresh_button)
    mouse.press(editor, "guidance", bench.panels.guidance.answer_buttons["yes"])
    wait(lambda: len(state.session.state.log.done) > 0)
    spin(1.0)
    with watch.phase("idle") as idle:
        spin(5.0)
    with watch.phase("retraining") as retraining:
        mouse.press(editor, "retrain", bench.panels.retrain.retrain_button)
        wait(lambda: state.session.state.proposal)
    mouse.push(bench.evidence.accept_button)
    (past,) = state.session.state.rounds
    if past.status is not RoundStatus.ACCEPTED:
        raise RuntimeError("The round was not accepted.")
    bench.shutdown()
    viewer.close()
    return {
        "clicks": mouse.clicks,
        "idle": idle.summary(),
        "retraining": retraining.summary(),
    }


_PARTS: dict[str, Callable[..., Any]] = {"map": _measure_map, "path": _measure_path}


# The document


def _middle(figures: Figures, name: str) -> float:
    return statistics.median(figures[name])


def _interval(phase: dict[str, Any]) -> float:
    """Return the 95th percentile of ms between two ticks of the clock, undrawn."""
    return 1e3 * INTERVAL + phase["p95_undrawn"]


def _ratios(figures: Figures, sizes: Sequence[int]) -> list[tuple[str, float, float]]:
    """Return what is compared, the ratio and its goal."""
    few, some, many = sizes[0], sizes[1], sizes[-1]

    def over(name: str, size: int, other: str) -> float:
        return _middle(figures, f"{name}, {size}") / _middle(figures, other)

    rows = []
    for count in (1, 100):
        name = f"drag {count}"
        what = f"drag of {count}, per move"
        rows += [
            (
                f"{what}, {many:,} images over {few:,}",
                over(name, many, f"{name}, {few}"),
                1.5,
            ),
            (
                f"{what}, {many:,} images over napari's own",
                over(name, many, f"napari {name}"),
                1 / 20,
            ),
        ]
    return [
        *rows,
        (
            f"lasso until the gallery shows half of {many:,} images over napari's own "
            "selection of them",
            over("lasso", many, "napari select"),
            1 / 10,
        ),
        (
            f"hover over {many:,} images over the layer's own hit test",
            over("hover", many, "napari hover"),
            1 / 50,
        ),
        (
            f"colouring {many:,} images by another column over one direct assignment",
            over("recolour", many, "napari colour"),
            1.3,
        ),
        (
            f"thumbnails after a zoom, {many:,} images over {some:,}",
            over("thumbnails", many, f"thumbnails, {some}"),
            1.5,
        ),
        (
            f"thumbnails after a zoom, {many:,} images over redrawing an image layer",
            over("thumbnails", many, "napari mosaic"),
            1 / 5,
        ),
    ]


def _targets(
    figures: Figures, paths: list[Any], sizes: Sequence[int]
) -> list[common.Target]:
    stall = statistics.median(path["retraining"]["longest_undrawn"] for path in paths)
    ratio = statistics.median(
        _interval(path["retraining"]) / _interval(path["idle"]) for path in paths
    )
    clicks = max(len(path["clicks"]) for path in paths)
    return [
        *[
            common.Target(name, value, f"<= {goal:g}", value <= goal)
            for name, value, goal in _ratios(figures, sizes)
        ],
        common.at_most("longest stall during a retraining, ms", stall, 100, "ms"),
        common.Target(
            "95th percentile between ticks, retraining over idle",
            ratio,
            "<= 2",
            ratio <= 2,
        ),
        common.Target(
            "clicks from Open Sample to an accepted retraining",
            clicks,
            "<= 6",
            clicks <= 6,
        ),
        common.Target("words typed on the way", 0, "<= 0", met=True),
    ]


_OURS_NAMES = (
    ("drag 1", "drag of 1 image, per mouse-move", 1),
    ("drag 100", "drag of 100 images, per mouse-move", 1),
    ("hover", "hover: the image under the pointer is found and its ring shown", 3),
    ("hover event", "the same with all that napari does for a mouse-move", 1),
    ("thumbnails", "other thumbnails are chosen and painted after a zoom", 1),
    ("zoom", "the zoom itself, handled by napari and painted", 1),
    ("recolour", "colour by another column", 1),
    ("lasso", "lasso around half: from the release until the gallery shows them", 1),
    ("decision", "guided review: from a key to the next proposal painted", 1),
    ("decision on the clock", "the same in ms on the clock, drawing included", 0),
)
_NAPARI_NAMES = (
    ("napari drag 1", "drag of 1 point in select mode, per mouse-move", 1),
    ("napari drag 100", "drag of 100 points in select mode, per mouse-move", 1),
    ("napari hover", "`layer.get_value`", 3),
    ("napari select", "assign half of the points to `layer.selected_data`", 1),
    ("napari colour", "assign `layer.face_color`", 1),
    ("napari mosaic", "draw the thumbnails into an RGBA image layer", 1),
)


def _document(
    figures: Figures,
    paths: list[Any],
    sizes: Sequence[int],
    renderer: str,
    runs: int,
    rounds: int,
    load: float,
) -> str:
    spread, many = common.spread, f"{sizes[-1]:,}"
    ours = [
        (
            title,
            *(spread(figures.get(f"{name}, {size}", ()), digits) for size in sizes),
        )
        for name, title, digits in _OURS_NAMES
    ]
    theirs = [
        (title, spread(figures[name], digits)) for name, title, digits in _NAPARI_NAMES
    ]
    phases = [
        (
            name,
            *(
                spread([path[name][key] for path in paths], digits)
                for key, digits in (
                    ("longest", 0),
                    ("longest_undrawn", 0),
                    ("longest_own", 0),
                    ("p95", 1),
                    ("p95_undrawn", 1),
                )
            ),
        )
        for name in ("idle", "retraining")
    ]
    clicks = "\n".join(f"{n}. {click}" for n, click in enumerate(paths[0]["clicks"], 1))
    selected = int(_middle(figures, f"lasso selects, {sizes[-1]}"))
    return f"""# The window beside napari's own

{common.machine()}
- Canvas drawn by {renderer}; load average at the start {load:.1f}
- {runs} processes with {rounds} rounds each, the sizes and napari's own in turn:
  median (lowest-highest); seeds 0 and 1

Synthetic images in ten random clusters; nothing is trained. If nothing else is said,
figures are ms of processor time of the window's thread, from a real mouse event until
{1e3 * _SETTLED:.0f} ms later, without what Qt and OpenGL take to draw napari's canvas
and to put the picture of the window together: without a graphics card the processor
does that. The painting of the plugin's own widgets counts. Of a drag, the plugin's or
napari's, what the window takes in as long a time when nothing is done is taken off. At
100,000 images napari's layer follows an answer of the review {_FOLLOWS} ms after it is
seen, which counts as far as it happens before the next proposal is painted.

## The map

{common.table(("act", *(f"{size:,} images" for size in sizes)), ours)}
The lasso selects {selected:,} images. A review of 30 decisions a minute leaves 2,000 ms
for each.

## napari's own, {many} points

The same places, sizes and colours in a Points layer of napari's own, with the map
hidden; thumbnails in an Image layer as large as the canvas, which is only filled anew:
choosing them is not counted there.

{common.table(("act", f"{many} points"), theirs)}
## A retraining in the background

The digits, opened, mapped and edited as below. Stalls are how much later than due the
ticks of a clock of {1e3 * INTERVAL:.0f} ms come, in ms; [stalls.md](stalls.md) explains
the columns, and has the other phases of the loop. The target compares what lies between
two ticks.

{
        common.table(
            (
                "phase",
                "longest",
                "longest without drawing",
                "longest that it can have caused itself",
                "95th percentile",
                "95th percentile without drawing",
            ),
            phases,
        )
    }
## From a sample to an accepted retraining

Clicked with the mouse in napari's menu File > Open Sample and in the docks:

{clicks}
"""


if __name__ == "__main__":
    main()
