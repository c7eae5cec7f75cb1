"""Ten tasks of a first hour in the window, by real clicks and keys.

On Linux without a display::

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/first_hour.py

It writes docs/results/first-hour.md. The images are scikit-learn's digits as files on
disk, listed in a table with a plate and a date; whoever decides knows the true classes.
Of a dialog for files, only the click that opens it and the one that closes it are
counted; what it would return is given.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import common
from desktop import Hand, around_half, fresh, open_viewer, own_folder, synthetic

_FEW, _MANY = 1797, 100_000
_QUICK = 300, 5_000
_GROUPS, _LOOKED_AT, _DEBRIS = 30, 50, 3
_LABELLED = 200
"""Images that come with a label."""
_GOALS = {_FEW: 0.25, _MANY: 0.5}
"""Seconds of the 95th percentile of a reaction, by the number of images."""
_WHOLE, _SMALL = (1920, 1080), (1366, 768)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_tasks(*map(int, options.part))))
        return
    sizes = _QUICK if options.quick else (_FEW, _MANY)
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder:
        found = fresh(__file__, Path(folder), *sizes)
    common.publish(
        "first-hour", _document(found, sizes), _targets(found), options, tasks=found
    )


class Hour:
    """A window, a hand and what it was used for."""

    def __init__(self, n_images: int) -> None:
        from qtpy.QtWidgets import QApplication, QMainWindow

        from clicks import Mouse
        from napari_spaceediting.plugin.workbench import workbench_of

        watch, self.viewer = open_viewer()
        tops = QApplication.topLevelWidgets()
        (self.main,) = [top for top in tops if isinstance(top, QMainWindow)]
        self.main.resize(*_WHOLE)
        self.bench = workbench_of(self.viewer)
        self.bench.show_docks()
        self.mouse = Mouse(watch)
        self.n_images = n_images
        self.truth: dict[str, int] = {}
        self.done: list[dict[str, Any]] = []

    def do(self, name: str, task: Callable[[Hour], str]) -> None:
        """Do a task; what stands in the way is a dead end."""
        mouse, start = self.mouse, time.perf_counter()
        mouse.clicks, mouse.n_keys, mouse.reactions = [], 0, []
        try:
            said, ends = task(self), ""
        except (TimeoutError, LookupError, RuntimeError, AssertionError) as error:
            said, ends = "", f"{type(error).__name__}: {error}"
        print(name, said, ends, file=sys.stderr, flush=True)
        self.done.append(
            {
                "task": name,
                "said": said,
                "dead_end": ends,
                "images": len(self.state.session.dataset) if self.state.session else 0,
                "clicks": len(mouse.clicks),
                "keys": mouse.n_keys,
                "seconds": time.perf_counter() - start,
                "reactions": mouse.reactions,
            }
        )

    @property
    def state(self) -> Any:
        """What the rooms of the window share."""
        return self.bench.state

    @property
    def edits(self) -> Any:
        """What the edits add up to."""
        return self.state.session.edits

    def true_classes(self, at: Any) -> list[str]:
        """Return the true classes of images, which the hand knows."""
        return [str(self.truth[name]) for name in self.state.session.dataset.ids[at]]

    def find(self, text: str) -> np.ndarray:
        """Ask the gallery for images, and return them."""
        from qtpy.QtWidgets import QApplication

        from watch import wait

        bar, before = self.bench.gallery.bar, self.state.selected
        if not bar.isVisible():
            self.mouse.push(self.bench.docks.button("Image Gallery"))
        self.mouse.click(bar.find_field, "Find")
        bar.find_field.selectAll()
        self.mouse.type(bar.find_field, text)
        wait(lambda: self.state.selected is not before, 60)
        QApplication.processEvents()
        return self.state.selected


def _write_images(folder: Path, n_images: int, *, labelled: int) -> dict[str, int]:
    """Write digits as files and a table of them; return their true classes."""
    import pandas as pd
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    rng = np.random.default_rng(0)
    at = rng.permutation(len(data.images))[:n_images]
    rows, truth = [], {}
    folder.mkdir()
    for number, index in enumerate(at.tolist()):
        name = f"image-{number:04d}.png"
        picture = np.rint(data.images[index] * 255 / 16).astype(np.uint8)
        Image.fromarray(picture).resize((64, 64)).save(folder / name)
        truth[name] = int(data.target[index])
        label = str(truth[name]) if number < labelled else ""
        plate, date = f"B{rng.integers(1, 9)}", f"202{rng.integers(3, 7)}-05-01"
        rows.append({"path": name, "label": label, "plate": plate, "date": date})
    table = pd.DataFrame(rows)
    if not labelled:
        table = table.drop(columns="label")
    table.to_csv(folder / "images.csv", index=False)
    return truth


def _open(hour: Hour, labelled: int) -> str:
    from qtpy.QtWidgets import QFileDialog

    from watch import wait

    folder = own_folder() / f"own-{labelled}"
    hour.truth = _write_images(folder, hour.n_images, labelled=labelled)
    panel, editor = hour.bench.panels.data, hour.bench.editor
    chosen = str(folder / "images.csv")
    QFileDialog.getOpenFileName = staticmethod(lambda *_, **__: (chosen, ""))
    if hour.state.session is not None:
        hour.mouse.unfold(editor, "data")
        if not panel.file_button.isVisible():
            hour.mouse.click(panel._other, "Open other images", _edge(panel._other))
    hour.mouse.push(panel.file_button)
    hour.mouse.clicks.append("Open (in the dialog)")
    before = hour.state.session
    wait(lambda: hour.state.session is not before, 120)

    def has_map() -> bool:
        drawn = hour.state.session.shown.map
        return drawn is not None and drawn.method == "umap" and not hour.state.is_busy

    wait(has_map, 500)
    return f"{len(hour.state.session.dataset):,} images with a map"


def _edge(widget: Any) -> Any:
    from qtpy.QtCore import QPoint

    return QPoint(8, widget.height() // 2)


def _name_groups(hour: Hour) -> str:
    from watch import wait

    panel, review = hour.bench.panels.guidance, hour.bench.review
    named = images = 0
    while named < _GROUPS:
        if review.proposal is None:
            hour.mouse.press(hour.bench.editor, "guidance", panel.refresh_button)
            wait(lambda: review.proposal is not None, 120)
        at = review.proposal.indices
        names, counts = np.unique(hour.true_classes(at), return_counts=True)
        keys = dict(zip(hour.edits.class_names, hour.state.class_keys, strict=True))
        hour.mouse.key(panel, keys[str(names[counts.argmax()])])
        named, images = named + 1, images + len(at)
    return f"{named} answers name {images} images"


def _look(hour: Hour) -> str:
    from qtpy.QtCore import Qt

    gallery = hour.bench.gallery
    hour.find('split == "train"')
    hour.mouse.click(
        gallery.grid.viewport(), "an image", gallery.grid._tile(0).center()
    )
    hour.mouse.key(gallery.grid, Qt.Key.Key_Space)
    seen = set()
    for _ in range(_LOOKED_AT):
        seen.add(int(gallery.compare.images[0]))
        hour.mouse.key(gallery.compare, Qt.Key.Key_Right)
    side = gallery.compare.question.grid._tile(0).width()
    hour.mouse.key(gallery.compare, Qt.Key.Key_Escape)
    return f"{len(seen)} images, each {side} px wide"


def _fix_class(hour: Hour) -> str:
    at = hour.find("selected or split == 'train'")
    (index, *_) = at.tolist()
    (meant,) = hour.true_classes([index])
    gallery = hour.bench.gallery
    keys = dict(zip(hour.edits.class_names, hour.state.class_keys, strict=True))
    hour.mouse.click(
        gallery.grid.viewport(), "an image", gallery.grid._tile(0).center()
    )
    hour.mouse.key(gallery.grid, keys[meant])
    label = hour.edits.class_names[hour.edits.labels[index]]
    assert label == meant, f"{label} is not {meant}"
    return f"one image is {label} now"


def _reject(hour: Hour) -> str:
    grid = hour.bench.gallery.grid
    for place in range(_DEBRIS):
        hour.mouse.click(grid.viewport(), "an image", grid._tile(place + 1).center())
        hour.mouse.key(hour.bench.map.view.canvas, "x")
    n_rejected = int(hour.edits.rejected.sum())
    assert n_rejected == _DEBRIS, f"{n_rejected} are rejected"
    return f"{n_rejected} images are rejected"


def _find_plate(hour: Hour) -> str:
    from qtpy.QtWidgets import QInputDialog, QLineEdit

    from napari_spaceediting.session.people import selections
    from watch import wait

    found = hour.find('plate == "B3" and date > 2024')
    bar = hour.bench.gallery.bar
    hour.mouse.choose_below(bar.find_button, bar.find_menu, "Save the selection as")
    wait(lambda: bar.findChild(QInputDialog) is not None, 10)
    hour.mouse.type(bar.findChild(QInputDialog).findChild(QLineEdit), "plate B3")
    saved = selections(hour.state.session.state)
    assert len(saved["plate B3"]) == len(found)
    return f"{len(found)} images, saved as a selection"


def _retrain(hour: Hour) -> str:
    from watch import wait

    evidence, retrain = hour.bench.evidence, hour.bench.panels.retrain
    hour.mouse.press(hour.bench.editor, "retrain", retrain.retrain_button)
    wait(lambda: hour.state.session.state.proposal is not None, 500)
    hour.mouse.push(evidence.accept_button)
    (past,) = hour.state.session.state.rounds
    was = past.status.value
    hour.mouse.push(evidence.roll_back_button)
    wait(lambda: hour.state.session.state.log.done, 60)
    return f"a round is {was}, then {hour.state.session.state.rounds[-1].status.value}"


def _from_zero(hour: Hour) -> str:
    from watch import wait

    hour.state.at_risk = False
    said = _open(hour, 0)
    panel, review = hour.bench.panels.guidance, hour.bench.review
    hour.mouse.unfold(hour.bench.editor, "guidance")
    panel.orders.setCurrentIndex(panel.orders.findData("clusters"))
    panel.orders.activated.emit(panel.orders.currentIndex())
    hour.mouse.clicks += ["What to look at", "Clusters to name"]
    wait(lambda: review.proposal is not None, 120)
    named = 0
    while review.proposal is not None and named < 10:
        at = review.proposal.indices
        names, counts = np.unique(hour.true_classes(at), return_counts=True)
        hour.mouse.key(panel, "y")
        if not (hour.edits.labels[at] >= 0).any():
            hour.mouse.type(panel.name_field, str(names[counts.argmax()]))
        named += 1
    n_named = int((hour.edits.labels >= 0).sum())
    assert n_named, "no image has a class"
    return f"{said}; {named} clusters name {n_named} images"


def _many(hour: Hour, n_images: int) -> str:
    from napari_spaceediting.plugin.state import Change
    from watch import spin

    session, tiles = synthetic(n_images)
    hour.state.take_session(session, None)
    hour.state.thumbnails = tiles
    hour.state.notify(Change.PICTURES)
    spin(2.0)
    view = hour.bench.map.view
    hour.mouse.key(view.canvas, "l")
    hand, places = Hand(view.canvas), view.viewport.to_canvas(view.cloud.places)
    first, *corners, last = around_half(places, view.viewport.size[1])
    hand.press(first)
    for corner in corners:
        hand.move(corner, held=True)
        spin(0.02)
    hour.mouse._measured(lambda: hand.release(last))
    hour.mouse.clicks.append("a lasso")
    lassoed = len(hour.state.selected)
    hour.mouse.key(view.canvas, "g")
    found = len(hour.find('label == "class 3" and doubt > 0.5'))
    hour.mouse.key(view.canvas, "f")
    return f"a lasso selects {lassoed:,}, a condition {found:,}"


def _small(hour: Hour) -> str:
    from watch import spin

    hour.main.resize(*_SMALL)
    spin(1.0)
    button = hour.bench.docks.button("Image Gallery")
    if button.isChecked():
        hour.mouse.push(button)
    spin(0.5)
    canvas = hour.bench.map.view.canvas
    share = canvas.width() * canvas.height() / (_SMALL[0] * _SMALL[1])
    assert hour.main.width() <= _SMALL[0], f"the window is {hour.main.width()} px wide"
    return f"the map has {share:.0%} of the window of {_SMALL[0]} x {_SMALL[1]} px"


def _tasks(n_images: int, n_many: int) -> list[dict[str, Any]]:
    """Do the ten tasks in one window."""
    hour = Hour(n_images)
    hour.do(
        "Open own images, offline", lambda h: _open(h, min(_LABELLED, n_images // 3))
    )
    hour.do(f"Name {_GROUPS} groups", _name_groups)
    hour.do(f"Look at {_LOOKED_AT} images large", _look)
    hour.do("Fix a wrong class", _fix_class)
    hour.do("Reject debris", _reject)
    hour.do("Find all of one plate, and keep them", _find_plate)
    hour.do("Retrain, accept, roll back", _retrain)
    hour.do("Without labels from zero", _from_zero)
    hour.do(f"{n_many:,} images", lambda h: _many(h, n_many))
    hour.do("A small screen", _small)
    hour.bench.shutdown()
    hour.viewer.close()
    return hour.done


# The document


def _p95(tasks: list[dict[str, Any]]) -> float:
    """Return the 95th percentile of the seconds of a reaction."""
    return float(np.percentile([s for t in tasks for s in t["reactions"]] or [0.0], 95))


def _targets(tasks: list[dict[str, Any]]) -> list[common.Target]:
    ends = sum(bool(task["dead_end"]) for task in tasks)
    few = [task for task in tasks if task["images"] <= 2_000]
    many = [task for task in tasks if task["images"] > 2_000]
    return [
        common.at_most("dead ends", ends, 1),
        common.at_most(
            "95th percentile of a reaction, few images", _p95(few), _GOALS[_FEW], "s"
        ),
        common.at_most(
            "95th percentile of a reaction, many images", _p95(many), _GOALS[_MANY], "s"
        ),
    ]


def _document(tasks: list[dict[str, Any]], sizes: tuple[int, int]) -> str:
    rows = [
        (
            task["task"],
            str(task["clicks"]),
            str(task["keys"]),
            f"{task['seconds']:.1f}",
            f"{1e3 * _p95([task]):.0f}",
            task["dead_end"] or task["said"],
        )
        for task in tasks
    ]
    heads = (
        "task",
        "clicks",
        "keys",
        "seconds",
        "95% of a reaction, ms",
        "what came of it",
    )
    return f"""# The first hour

{common.machine()}
- One run, seed 0; {sizes[0]:,} images on disk, and {sizes[1]:,} synthetic ones

Ten tasks by real clicks and keys in one window of {_WHOLE[0]} x {_WHOLE[1]} px;
`python benchmarks/first_hour.py` does them again. Seconds are those of the clock, the
waiting for training and map included. A reaction is the processor time of the window's
thread from a click or a key until 60 ms later, without the drawing of napari's canvas.
A dead end is a task that could not be done.

{common.table(heads, rows)}
"""


if __name__ == "__main__":
    main()
