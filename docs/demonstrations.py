"""Draw the pictures of the three demonstrations of manifold traversal on photographs.

They are those of the paper (Gardner et al. 2015): age, smiles, and colour from black
and white, with a network that somebody else has trained on other photographs::

    python docs/demonstrations.py --data FOLDER age

FOLDER has the faces; each page in docs/demonstrations/ says where they come from. It
takes a few minutes and no graphics card, and writes docs/demonstrations/NAME-*.jpg.
"""

# What it shares with the benchmarks is found before it is read.

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.feature import match_template

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from napari_spaceediting.data.cache import caching_in
from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.traversal.filmstrip import differences_to_rgb, to_rgb
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import choose_sets
from napari_spaceediting.traversal.settings import TraverseSettings
from photo_networks import LITE0
from photographs_faces import moved_faces, read_faces

FOLDER = Path(__file__).parent / "demonstrations"
SIDE = 224
SHOWN = 4
"""Images that are moved each way."""
_TILE, _GAP, _LINE = 112, 4, 15
_PAGE, _TEXT, _FAINT = (255, 255, 255), (30, 30, 30), (130, 130, 130)


@dataclass(frozen=True, eq=False)
class Journey:
    """Images on their way to another class.

    Parameters
    ----------
    name : str
        Of the picture.
    dataset : ImageDataset
        Labelled where images are moved, which are held out, or move others.
    images : (n,) int64 array
        Dataset indices of those that are moved.
    goal : str
        The class that they are moved to.
    truth : (n, H, W, 3) uint8 array, optional
        What they really look like there, where that is known.
    """

    name: str
    dataset: ImageDataset
    images: NDArray[np.int64]
    goal: str
    truth: NDArray[np.uint8] | None = field(default=None, repr=False)

    def travel(self, work: Path) -> Traversal:
        """Let a network learn the classes, and move the images."""
        dataset = self.dataset
        trust(LITE0)
        with caching_in(work):
            network = run_job(
                TrainNetwork(
                    dataset,
                    ClassifierSpec(
                        LITE0,
                        "pretrained",
                        in_channels=dataset.n_channels,
                        image_size=dataset.image_size,
                    ),
                    TrainSettings(trainable="head"),
                )
            )
            sets, _ = choose_sets(
                self.images,
                dataset.class_names.index(self.goal),
                labels=dataset.labels,
                held_out=dataset.held_out,
                probabilities=network.predictions.probabilities,
            )
            state = network.train.state
            return run_job(
                Traverse(dataset, network.spec, state, sets, TraverseSettings())
            )


# The three


def age(data: Path) -> Iterator[Journey]:
    """Yield old faces that become young, and young ones that become old."""
    whole = read_faces(data, SIDE)
    moved = moved_faces(whole, "tuning")
    split = np.full(len(whole), Split.TRAIN, np.int8)
    split[np.concatenate(list(moved.values()))] = Split.TEST
    dataset = replace(whole, split=split)
    for source, goal in (("old", "young"), ("young", "old")):
        yield Journey(f"to-{goal}", dataset, moved[source][:SHOWN], goal)


def smile(data: Path) -> Iterator[Journey]:
    """Yield neutral faces that come to smile, and smiling ones that stop."""
    whole = run_job(OpenDataset(data / "cmu_faces"))
    names = "neutral", "happy"
    # Such as an2i_straight_happy_open.
    words = [Path(name).stem.split("_") for name in whole.ids.tolist()]
    chosen = [
        index
        for index, word in enumerate(words)
        if len(word) == 4 and word[1] == "straight" and word[2] in names
    ]
    words = [words[index] for index in chosen]
    labels = np.array([names.index(word[2]) for word in words])
    persons = np.array([word[0].lstrip("0123456789") for word in words])
    people = np.random.default_rng(0).permutation(np.unique(persons))[:SHOWN]
    apart = np.isin(persons, people)
    split = np.where(apart, Split.TEST, Split.TRAIN).astype(np.int8)
    some = whole.subset(chosen)
    heads = _heads([whole.original(index) for index in chosen])
    dataset = replace(
        some,
        ids=np.concatenate([some.ids, np.char.add("mirrored ", some.ids)]),
        pixels=ArrayPixels(np.concatenate([heads, heads[..., ::-1]])),
        labels=np.tile(labels, 2),
        class_names=names,
        split=np.tile(split, 2),
        image_size=(128, 128),
    )
    shown = apart & np.array([word[3] == "open" for word in words])
    for source, goal in (names, names[::-1]):
        moved = np.flatnonzero(shown & (labels == names.index(source)))
        yield Journey(goal, dataset, moved, goal)


def _heads(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Cut heads of one size out of grey images, each where it is most like their mean.

    The mean begins with the same place in all images, and is found anew five times.
    """
    window, below, within, side = 56, 18, 4, 48
    places = np.tile((14, 36), (len(images), 1))
    for _ in range(5):
        cuts = np.stack(
            [
                image[top : top + window, left : left + window]
                for image, (top, left) in zip(images, places, strict=True)
            ]
        ).astype(float)
        cuts -= cuts.mean(axis=(1, 2), keepdims=True)
        mean = (cuts / cuts.std(axis=(1, 2), keepdims=True)).mean(axis=0)
        found = (match_template(image, mean) for image in images)
        places = np.array([np.unravel_index(one.argmax(), one.shape) for one in found])
    # The mean has found eyes and brows; the mouth is below.
    wide = [np.pad(image, ((0, window), (0, 0)), mode="edge") for image in images]
    return np.stack(
        [
            image[top + below :, left + within :][:side, :side]
            for image, (top, left) in zip(wide, places, strict=True)
        ]
    )


def colour(data: Path) -> Iterator[Journey]:
    """Yield faces that were made black and white, and become coloured."""
    whole = read_faces(data, SIDE)
    moved = np.concatenate(
        [some[: SHOWN // 2] for some in moved_faces(whole, "tuning").values()]
    )
    pixels = np.stack([whole.original(index) for index in range(len(whole))])
    persons = np.array([n.rpartition("/")[2].rsplit("_", 1)[0] for n in whole.ids])
    people = np.random.default_rng(0).permutation(np.unique(persons))
    grey = np.isin(persons, people[: len(people) // 2])
    grey[moved] = True
    made = pixels.copy()
    weights = np.array([0.299, 0.587, 0.114])
    made[grey] = np.rint(pixels[grey] @ weights)[..., None]
    split = np.full(len(whole), Split.TRAIN, np.int8)
    split[moved] = Split.TEST
    dataset = replace(
        whole,
        pixels=ArrayPixels(made),
        labels=np.where(grey, 0, 1),
        class_names=("black and white", "colour"),
        split=split,
    )
    yield Journey("faces", dataset, moved, "colour", pixels[moved])


DEMONSTRATIONS: dict[str, Callable[[Path], Iterator[Journey]]] = {
    "age": age,
    "smile": smile,
    "colour": colour,
}


# Drawing


def draw(journey: Journey, done: Traversal, path: Path) -> None:
    """Draw a row for each image: itself, all steps, what differs, the nearest real.

    What differs and what is nearest are those of the step at which the image has
    arrived, else of the last.
    """
    goal = journey.dataset.class_names.index(journey.goal)
    n, steps = done.images.shape[:2]
    at = np.where(done.arrival > 0, done.arrival, steps - 1)
    nearest = done.nearest[np.arange(n), at, 0]
    titles = ["original", *map(str, range(1, steps)), "difference", "nearest real"]
    if journey.truth is not None:
        titles.append("true")
    height = _TILE + _LINE + _GAP
    size = len(titles) * (_TILE + _GAP) + _GAP, _LINE + n * height + _GAP
    page = Image.new("RGB", size, _PAGE)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(11)
    for column, title in enumerate(titles):
        pen.text((_GAP + column * (_TILE + _GAP), 1), title, _TEXT, font)
    real = to_rgb(journey.dataset.images(nearest))
    for row in range(n):
        images = done.images[row]
        difference = differences_to_rgb(images[[0, at[row]]])[1]
        tiles = [*to_rgb(images), difference, real[row]]
        if journey.truth is not None:
            tiles.append(journey.truth[row])
        sure = done.probabilities[row, :, goal]
        words = [
            f"{share:.0%}{' there' if step == done.arrival[row] else ''}"
            for step, share in enumerate(sure.tolist())
        ]
        words.append(f"of step {at[row]}")
        top = _LINE + row * height
        for column, tile in enumerate(tiles):
            left = _GAP + column * (_TILE + _GAP)
            small = Image.fromarray(tile)
            small.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
            page.paste(small, (left, top))
            if column < len(words):
                kept = column >= steps or done.own[row, column]
                shade = _TEXT if kept else _FAINT
                pen.text((left, top + _TILE + 1), words[column], shade, font)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, quality=82, optimize=True)


def main() -> None:
    """Move the images of a demonstration and draw them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demonstration", choices=DEMONSTRATIONS)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args()
    name = options.demonstration
    with tempfile.TemporaryDirectory() as work:
        for journey in DEMONSTRATIONS[name](options.data):
            done = journey.travel(Path(work))
            path = FOLDER / f"{name}-{journey.name}.jpg"
            draw(journey, done, path)
            arrived = int((done.arrival > 0).sum())
            print(f"{path}: {arrived} of {len(done.images)} arrive", *done.notes)


if __name__ == "__main__":
    main()
