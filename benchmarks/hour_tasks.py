"""The ten tasks of a first hour, each by real clicks and keys; see `first_hour`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clicks import Mouse
from desktop import Hand, around_half, open_viewer, own_folder, synthetic

GROUPS, _LABELLED = 30, 200
WHOLE = 1920, 1080
"""Size of the window at first, in pixels."""
_SMALL = 1366, 768
_LOOKED_AT, _DEBRIS, _CLUSTERS = 50, 3, 10
_CLASSES = "cardboard", "glass", "metal", "paper", "plastic", "trash"


class Hour:
    """A window, a hand, and what it was used for.

    Parameters
    ----------
    data : Path
        Folder with photographs and weights.
    n_images : int
        Photographs that are taken.
    """

    def __init__(self, data: Path, n_images: int) -> None:
        from qtpy.QtWidgets import QApplication, QMainWindow

        from napari_spaceediting.plugin.workbench import workbench_of

        watch, self.viewer = open_viewer()
        tops = QApplication.topLevelWidgets()
        (self.main,) = [top for top in tops if isinstance(top, QMainWindow)]
        self.main.resize(*WHOLE)
        self.bench = workbench_of(self.viewer)
        self.bench.show_docks()
        self.mouse = Mouse(watch)
        self.data, self.n_images = data, n_images
        self.truth: dict[str, str] = {}
        self.done: list[dict[str, Any]] = []

    def do(self, name: str, task: Callable[[Hour], str]) -> None:
        """Do a task; what stands in the way is a dead end."""
        mouse, start = self.mouse, time.perf_counter()
        mouse.clicks, mouse.n_keys, mouse.reactions = [], 0, []
        try:
            said, ends = task(self), ""
        except (TimeoutError, LookupError, RuntimeError, AssertionError) as error:
            said, ends = "", f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        print(f"{name}: {said}{ends} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        self.done.append(
            {
                "task": name,
                "said": said,
                "dead_end": ends,
                "images": len(self.state.session.dataset) if self.state.session else 0,
                "clicks": len(mouse.clicks),
                "keys": mouse.n_keys,
                "seconds": seconds,
                "reactions": mouse.reactions,
            }
        )

    @property
    def state(self) -> Any:
        """What the rooms of the window share."""
        return self.bench.state

    @property
    def gallery_button(self) -> Any:
        """What brings the gallery to the front, or folds it."""
        return self.bench.docks._bar.buttons["Image Gallery"]

    @property
    def edits(self) -> Any:
        """What the edits add up to."""
        return self.state.session.edits

    @property
    def keys(self) -> dict[str, str]:
        """The key of each class."""
        return dict(zip(self.edits.class_names, self.state.class_keys, strict=True))

    def true_class(self, at: Any) -> str:
        """Return the class that most of some images have, which the hand knows."""
        found = [self.truth[name] for name in self.state.session.dataset.ids[at]]
        names, counts = np.unique(found, return_counts=True)
        return str(names[counts.argmax()])

    def click_tile(self, place: int) -> None:
        """Click on an image of the gallery."""
        grid = self.bench.gallery.grid
        self.mouse.click(grid.viewport(), "an image", grid._tile(place).center())

    def find(self, text: str) -> np.ndarray:
        """Ask the gallery for images, and return them."""
        from watch import spin, wait

        bar, before = self.bench.gallery.bar, self.state.selected
        if not bar.isVisible():
            self.mouse.push(self.gallery_button)
        self.mouse.click(bar.find_field, "Find")
        bar.find_field.selectAll()
        self.mouse.type(bar.find_field, text)
        wait(lambda: self.state.selected is not before, 60)
        spin(0.2)
        return self.state.selected


def n_labelled(n_images: int) -> int:
    """Return how many of so many photographs come with a label."""
    return min(_LABELLED, n_images // 3)


def do_all(data: Path, n_images: int, n_many: int) -> list[dict[str, Any]]:
    """Do the ten tasks in one window, and return how each went."""
    hour = Hour(data, n_images)
    some = n_labelled(n_images)
    hour.do("Open own photographs, offline", lambda h: _open(h, some))
    hour.do(f"Name {GROUPS} groups", _name_groups)
    hour.do(f"Look at {_LOOKED_AT} images large", _look)
    hour.do("Fix a wrong class", _fix_class)
    hour.do("Reject debris", _reject)
    hour.do("Find all of one plate, and keep them", _find_plate)
    hour.do("Retrain, accept, roll back", _retrain)
    hour.do("Without labels, from zero", _from_zero)
    hour.do(f"{n_many:,} images", lambda h: _many(h, n_many))
    hour.do("A small screen", _small)
    hour.bench.shutdown()
    hour.viewer.close()
    return hour.done


def _photographs(hour: Hour, some: int) -> Path:
    """List photographs in a table, some with a label, in a folder of their own."""
    import pandas as pd

    folder = own_folder() / f"own-{some}"
    folder.mkdir()
    every = [
        (path, name)
        for name in _CLASSES
        for path in sorted((hour.data / "trashnet" / name).iterdir())
    ]
    rng = np.random.default_rng(0)
    rows, hour.truth = [], {}
    for number, at in enumerate(rng.permutation(len(every))[: hour.n_images]):
        path, name = every[at]
        (folder / path.name).symlink_to(path)
        hour.truth[path.name] = name
        row = {"path": path.name, "label": name if number < some else ""}
        row["plate"] = f"B{rng.integers(1, 9)}"
        row["date"] = f"202{rng.integers(3, 7)}-05-01"
        rows.append(row)
    table = pd.DataFrame(rows)
    if not some:
        table = table.drop(columns="label")
    table.to_csv(folder / "images.csv", index=False)
    return folder / "images.csv"


def _exported(data: Path) -> Path:
    """Write MobileNetV2 as a file that the window takes; return where."""
    import torch
    from safetensors.torch import load_file

    from napari_spaceediting.network.spec import ClassifierSpec
    from photo_networks import mobile, mobile_weights

    path = own_folder() / "mobilenet_v2.pt"
    if not path.exists():
        parts = mobile(ClassifierSpec(in_channels=3))
        parts.load_state_dict(load_file(mobile_weights(data, own_folder())))
        network = torch.nn.Sequential(parts.trunk, parts.last_block).eval()
        with torch.no_grad():
            torch.jit.trace(network, torch.rand(2, 3, 224, 168)).save(path)
    return path


def _open(hour: Hour, some: int) -> str:
    """Open a table, choose a network in a file, train it and wait for its map."""
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QFileDialog

    from watch import spin, wait

    chosen = _photographs(hour, some), _exported(hour.data)
    panels, editor, mouse = hour.bench.panels, hour.bench.editor, hour.mouse

    def give(path: Path) -> None:
        QFileDialog.getOpenFileName = staticmethod(lambda *_, **__: (str(path), ""))
        mouse.clicks.append("Open (in the dialog)")

    give(chosen[0])
    before = hour.state.session
    if before is not None:
        mouse.unfold(editor, "data")
        if not panels.data.file_button.isVisible():
            other = panels.data._other
            mouse.click(other, "Open other images", QPoint(8, other.height() // 2))
        _when_asked("Discard", mouse)
    mouse.push(panels.data.file_button)
    wait(lambda: hour.state.session is not before, 300)
    spin(0.5)
    mouse.unfold(editor, "network")
    give(chosen[1])
    backbones = panels.network.form.field("backbone").native
    _choose(mouse, backbones, "Exported network…")
    wait(lambda: not hour.state.training.is_running, 60)
    _when_asked("Start", mouse)
    mouse.push(panels.network.train_button)

    def has_map() -> bool:
        drawn = hour.state.session.shown.map
        return drawn is not None and drawn.method == "umap" and not hour.state.is_busy

    wait(has_map, 1200)
    spin(1.0)
    assert hour.state.session.shown.network.spec.backbone.startswith("file:")
    return f"{len(hour.state.session.dataset):,} images with a map"


def _choose(mouse: Mouse, box: Any, title: str) -> None:
    """Choose from a list as the keyboard does: open it, type its name, Enter."""
    from qtpy.QtCore import Qt

    from watch import spin

    at = box.findText(title)
    assert at >= 0, f"{title} is not offered"
    mouse.click(box, box.currentText())
    view = box.view()
    for _ in range(abs(at - box.currentIndex())):
        down = at > box.currentIndex()
        mouse.key(view, Qt.Key.Key_Down if down else Qt.Key.Key_Up)
        if view.currentIndex().row() == at:
            break
    mouse.key(view, Qt.Key.Key_Return)
    spin(0.1)


def _when_asked(answer: str, mouse: Mouse) -> None:
    """Give an answer to the question that may come, once, with a click."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication, QMessageBox

    timer = QTimer(QApplication.instance())
    timer.setInterval(50)
    ends = time.monotonic() + 30

    def look() -> None:
        tops = QApplication.topLevelWidgets()
        for box in (top for top in tops if isinstance(top, QMessageBox)):
            for button in box.buttons():
                if box.isVisible() and answer in button.text().replace("&", ""):
                    timer.stop()
                    mouse.clicks.append(answer)
                    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
                    return
        if time.monotonic() > ends:
            timer.stop()

    timer.timeout.connect(look)
    timer.start()


def _name_groups(hour: Hour) -> str:
    from watch import wait

    panel, review = hour.bench.panels.guidance, hour.bench.review
    named, images = 0, set()
    while named < GROUPS:
        if review.proposal is None:
            hour.mouse.press(hour.bench.editor, "guidance", panel.refresh_button)
            wait(lambda: review.proposal is not None, 120)
        at = review.proposal.indices
        before = review._at
        hour.mouse.key(panel, hour.keys[hour.true_class(at)])
        assert review._at != before or review.proposal is None, "nothing was named"
        named += 1
        images |= set(at.tolist())
    return f"{named} answers name {len(images)} images"


def _look(hour: Hour) -> str:
    from qtpy.QtCore import Qt

    from watch import wait

    gallery, pictures = hour.bench.gallery, hour.state.pictures
    hour.find('split == "train"')
    hour.click_tile(0)
    hour.mouse.key(gallery.grid, Qt.Key.Key_Space)
    seen, waited = set(), []
    for _ in range(_LOOKED_AT):
        index = int(gallery.compare.images[0])
        started = time.perf_counter()
        wait(lambda index=index: pictures.stamp(index)[1], 20)
        waited.append(time.perf_counter() - started)
        seen.add(index)
        hour.mouse.key(gallery.compare, Qt.Key.Key_Right)
    side = gallery.compare.question.grid._tile(0).width()
    hour.mouse.key(gallery.compare, Qt.Key.Key_Escape)
    longest = 1e3 * float(np.percentile(waited, 95))
    return f"{len(seen)} images, {side} px wide, sharp within {longest:.0f} ms (95%)"


def _fix_class(hour: Hour) -> str:
    """Give an image that is unlabelled or wrong the class that it has."""
    at = hour.find('split == "train"')
    labels = hour.edits.labels
    place = next(
        place
        for place, index in enumerate(at.tolist())
        if hour.edits.class_names[labels[index]] != hour.true_class([index])
    )
    index, meant = int(at[place]), hour.true_class(at[place : place + 1])
    hour.click_tile(place)
    hour.mouse.key(hour.bench.gallery.grid, hour.keys[meant])
    label = hour.edits.class_names[hour.edits.labels[index]]
    assert label == meant, f"{label} is not {meant}"
    return f"one image is {label} now"


def _reject(hour: Hour) -> str:
    grid = hour.bench.gallery.grid
    for place in list(grid._visible())[1 : _DEBRIS + 1]:
        hour.click_tile(place)
        hour.mouse.key(grid, "x")
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
    wait(lambda: hour.state.session.state.proposal is not None, 1200)
    wait(lambda: not hour.state.is_busy, 600)
    hour.mouse.push(evidence.accept_button)
    (past,) = hour.state.session.state.rounds
    was = past.status.value
    _when_asked("Yes", hour.mouse)
    hour.mouse.push(evidence.roll_back_button)
    wait(lambda: hour.state.session.state.log.done, 60)
    return f"a round is {was}, then {hour.state.session.state.rounds[-1].status.value}"


def _from_zero(hour: Hour) -> str:
    from qtpy.QtCore import Qt

    from watch import wait

    said = _open(hour, 0)
    panel, review = hour.bench.panels.guidance, hour.bench.review
    hour.mouse.unfold(hour.bench.editor, "guidance")
    _choose(hour.mouse, panel.orders, "Clusters to name")
    wait(lambda: review.proposal is not None, 120)
    named = 0
    while review.proposal is not None and named < _CLUSTERS:
        name = hour.true_class(review.proposal.indices)
        if name in hour.edits.class_names:
            hour.mouse.key(panel, Qt.Key.Key_Escape)
            hour.mouse.key(panel, hour.keys[name])
        else:
            hour.mouse.key(panel, "y")
            hour.mouse.type(panel.name_field, name)
        named += 1
    n_named = int((hour.edits.labels >= 0).sum())
    assert n_named, "no image has a class"
    return f"{said}; {named} clusters name {n_named} images"


def _many(hour: Hour, n_images: int) -> str:
    from napari_spaceediting.plugin.state import Change
    from watch import spin

    session, tiles = synthetic(n_images)
    hour.mouse.measured(
        "shown for the first time", lambda: hour.state.take_session(session, None)
    )
    hour.state.thumbnails = tiles
    hour.mouse.measured("thumbnails arrive", lambda: hour.state.notify(Change.PICTURES))
    spin(2.0)
    view, sorts = hour.bench.map.view, hour.bench.gallery.bar.sorts
    hand, places = Hand(view.canvas), view.viewport.to_canvas(view.cloud.places)
    middle = np.array(view.viewport.size) / 2
    for angle in (120, 120, 120, -120, -120, -120):
        hour.mouse.measured("wheel", lambda angle=angle: hand.wheel(middle, angle))
    hour.mouse.key(view.canvas, "l")
    first, *corners, last = around_half(places, view.viewport.size[1])
    hand.press(first)
    for corner in corners:
        hand.move(corner, held=True)
        spin(0.02)
    hour.mouse.measured("a lasso's release", lambda: hand.release(last))
    hour.mouse.clicks.append("a lasso")
    lassoed = len(hour.state.selected)
    spin(1.0)
    for title in ("Prediction", "Margin", "Label"):
        _choose(hour.mouse, sorts, title)
    hour.mouse.key(view.canvas, "m")
    hour.mouse.key(view.canvas, "g")
    found = len(hour.find('label == "class 3" and doubt > 0.5'))
    hour.mouse.key(view.canvas, "f")
    return f"a lasso selects {lassoed:,}, a condition {found:,}"


def _small(hour: Hour) -> str:
    from watch import spin

    hour.main.resize(*_SMALL)
    spin(1.0)
    button = hour.gallery_button
    if button.isChecked():
        hour.mouse.push(button)
    spin(0.5)
    canvas = hour.bench.map.view.canvas
    share = canvas.width() * canvas.height() / (_SMALL[0] * _SMALL[1])
    assert hour.main.width() <= _SMALL[0], f"the window is {hour.main.width()} px wide"
    assert hour.main.height() <= _SMALL[1], f"it is {hour.main.height()} px high"
    return f"the map has {share:.0%} of the window of {_SMALL[0]} x {_SMALL[1]} px"
