"""What single acts cost the window's thread, with many images and with napari alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from desktop import Hand, around_half, open_viewer, synthetic

if TYPE_CHECKING:
    from watch import Watch

ONCE = (
    "the session is shown for the first time",
    "thumbnails arrive",
    "… images selected by it",
)
"""What is no act of every day."""


def measure_points(n: int) -> list[tuple[str, float, float, int]]:
    """Return (act, ms of the thread, ms of them drawing, times) with n images."""
    from napari_spaceediting.editing.image_edits import Pin
    from napari_spaceediting.plugin.state import Change
    from napari_spaceediting.plugin.workbench import workbench_of
    from watch import spin, wait

    watch, viewer = open_viewer()
    bench = workbench_of(viewer)
    bench.show_docks()
    state, on_map = bench.state, bench.map
    spin(1.0)
    wait(lambda: not state.training.is_running)
    session, tiles = synthetic(n)
    rows = []

    def time_it(
        name: str, *acts: Callable[[], object], before: Callable[[], object] = int
    ) -> None:
        rows.append((name, *_times(watch, acts, before), len(acts)))

    time_it("nothing, for 0.1 s", *[lambda: None] * 5)
    time_it(
        "the session is shown for the first time",
        lambda: state.take_session(session, None),
    )
    state.thumbnails = tiles
    time_it("thumbnails arrive", lambda: state.notify(Change.PICTURES))
    view = on_map.view
    viewport = view.viewport
    hand = Hand(view.canvas)
    rng = np.random.default_rng(1)
    places = session.edits.positions
    free = rng.permutation(np.flatnonzero(~session.dataset.held_out))
    middle = np.array(viewport.size) / 2
    on_screen = viewport.to_canvas(places)
    near = free[np.abs(on_screen[free] - middle).max(axis=1) < 0.3 * min(viewport.size)]
    near = np.array([i for i in near[:500] if view.pick(places[i]) == i])

    def over(index: int) -> Callable[[], None]:
        return lambda: hand.move(on_screen[index])

    time_it("hover, per move", *map(over, near[:8]))
    time_it(
        "select one image",
        *(lambda i=i: state.select(near[i : i + 1]) for i in range(5)),
    )
    time_it(
        "select none",
        *[lambda: state.select(near[:0])] * 5,
        before=lambda: state.select(near[:1]),
    )

    for count in (1, 100):
        chosen = near[:count]
        state.select(chosen)
        spin(0.2)
        held = on_screen[chosen[0]]
        name = "1 image" if count == 1 else f"{count} images"
        time_it(
            f"drag {name}: press",
            lambda at=held: hand.press(at),
        )
        steps = [held + step * np.array([3, 2]) for step in range(1, 13)]
        time_it(
            f"drag {name}: per move",
            *(lambda at=at: hand.move(at, held=True) for at in steps),
        )
        time_it(
            f"drag {name}: drop, and the question opens",
            lambda at=steps[-1]: hand.release(at),
        )
        on_map.naming.picker.close()
        spin(0.2)
    state.select(near[:0])

    on_map.set_tool("lasso")
    half = around_half(on_screen[free], viewport.size[1])

    def draw() -> None:
        hand.press(half[0])
        for corner in half[1:]:
            hand.move(corner, held=True)
            spin(0.01)

    time_it("lasso around half: draw, per move (of 60)", *[draw])
    rows[-1] = (rows[-1][0], rows[-1][1] / len(half), rows[-1][2] / len(half), 1)
    time_it(
        "lasso around half: release",
        lambda: hand.release(half[-1]),
    )
    rows.append(("… images selected by it", len(state.selected), 0, 1))
    time_it("Select none after it", lambda: state.select(near[:0]))
    on_map.set_tool("move")
    time_it(
        "colour by another value",
        *[lambda: on_map.colour_by("confidence"), lambda: on_map.colour_by("label")]
        * 2,
    )
    legend = bench.panels.map.legend
    time_it("switch a class off or on", *[lambda: legend.toggle(0)] * 4)
    time_it(
        "pin 10 images",
        *(
            lambda i=i: on_map.naming.apply(
                Pin(near[i : i + 10], session.edits.class_names[0])
            )
            for i in (0, 10, 20)
        ),
    )
    time_it("undo", *[bench.edits.undo] * 3)
    time_it(*_wheel(hand, middle))
    time_it(*_pan(hand))
    bench.shutdown()
    viewer.close()
    return rows


def _times(
    watch: Watch, acts: Sequence[Callable[[], object]], before: Callable[[], object]
) -> tuple[float, float]:
    """Return the median ms of the thread for an act, without drawing and for it."""
    from watch import spin

    own, drawn = [], []
    for act in acts:
        before()
        spin(0.1)
        start, drawing = time.thread_time(), watch.drawing.cpu
        act()
        spin(0.1)
        drawn.append(1e3 * (watch.drawing.cpu - drawing))
        own.append(1e3 * (time.thread_time() - start) - drawn[-1])
    return statistics.median(own), statistics.median(drawn)


def measure_edited(n: int) -> list[tuple[str, float, float, int]]:
    """Return the same as `measure_points`, where half of n images are edited."""
    from napari_spaceediting.editing.image_edits import Move, Pin
    from napari_spaceediting.plugin.workbench import workbench_of
    from watch import spin, wait

    watch, viewer = open_viewer()
    bench = workbench_of(viewer)
    bench.show_docks()
    spin(1.0)
    wait(lambda: not bench.state.training.is_running)
    session, _ = synthetic(n)
    free = np.random.default_rng(1).permutation(
        np.flatnonzero(~session.dataset.held_out)
    )
    half, names = np.sort(free[: n // 2]), session.edits.class_names
    start = session.edits.positions[half]
    session.apply(Move(half, start, start[::-1].copy(), tag=names[1]))
    bench.state.take_session(session, None)
    wait(lambda: not bench.edits._looks[0].is_looking)
    layer, others = bench.map.view.layer, free[n // 2 :]

    def assign(images: np.ndarray) -> None:
        data = layer.data.copy()
        data[images] += 1
        layer.data = data

    rows = [
        (name, *_times(watch, acts, before), len(acts))
        for name, before, acts in (
            (
                "pin 1 image",
                int,
                [
                    lambda i=i: bench.map.naming.apply(Pin(others[i : i + 1], names[0]))
                    for i in range(3)
                ],
            ),
            ("undo", int, [bench.edits.undo] * 3),
            ("the canvas follows", lambda: spin(0.3), [lambda: spin(0.5)]),
            (
                "a script moves 1 image, and the question opens",
                bench.map.naming.picker.close,
                [lambda: assign(others[:1])] * 3,
            ),
            ("the question is dismissed", int, [bench.map.naming.picker.close]),
            (
                "the question for 10,000 selected images",
                lambda: bench.state.select(others[:10_000]),
                [bench.map.naming.relabel_selected],
            ),
            (
                "a retraining is prepared",
                bench.map.naming.picker.close,
                [session.retraining],
            ),
        )
    ]
    bench.shutdown()
    viewer.close()
    return rows


def measure_bare(n: int) -> list[tuple[str, float, float, int]]:
    """Return the same of a Points layer of n points in napari alone."""
    watch, viewer = open_viewer()
    from qtpy.QtWidgets import QWidget

    from napari_spaceediting.plugin.map.viewport import find_canvas
    from watch import spin

    session, _ = synthetic(n)
    places = session.edits.positions
    colours = np.random.default_rng(0).random((n, 4)).astype(np.float32)
    colours[:, 3] = 1
    rows = []

    def time_it(name: str, *acts: Callable[[], object]) -> None:
        rows.append((name, *_times(watch, acts, int), len(acts)))

    time_it("nothing, for 0.1 s", *[lambda: None] * 5)
    layers = []
    time_it(
        "the points are shown for the first time",
        lambda: layers.append(
            viewer.add_points(
                places,
                size=float(np.ptp(places)) / 300,
                face_color=colours,
                border_width=0,
                canvas_size_limits=(6, 22),
            )
        ),
    )
    spin(0.5)
    canvas = find_canvas(viewer.window.add_dock_widget(QWidget()).parent())
    hand, middle = Hand(canvas), np.array([canvas.width(), canvas.height()]) / 2
    time_it("hover, per move", *[lambda k=k: hand.move(middle + k) for k in range(8)])
    chosen = [set(range(k, k + 1)) for k in range(5)]
    time_it(
        "select one point",
        *[partial(setattr, layers[0], "selected_data", some) for some in chosen],
    )
    time_it(
        "colour by another value",
        *[lambda: setattr(layers[0], "face_color", colours[::-1].copy())] * 4,
    )
    time_it(*_wheel(hand, middle))
    time_it(*_pan(hand))
    viewer.close()
    return rows


def _wheel(hand: Hand, at: NDArray[np.float64]) -> tuple[Any, ...]:
    """Return the name, and the acts, of turning the wheel to and fro."""
    steps = [lambda by=by: hand.wheel(at, by) for by in (120, 120, -120, -120, 120)]
    return "wheel, per step", *steps


def _pan(hand: Hand) -> tuple[Any, ...]:
    """Return the name, and the acts, of dragging the ground."""
    corner = np.array([12.0, 12.0])
    hand.press(corner)
    steps = [lambda k=k: hand.move(corner + 4 * k, held=True) for k in range(1, 9)]
    return "pan, per move", *steps, lambda: hand.release(corner + 32)
