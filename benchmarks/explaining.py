"""Whether what a traversal changes is what the network goes by.

It writes docs/results/explaining.md and docs/pictures/explaining.jpg::

    python benchmarks/explaining.py --data FOLDER

The difference that a traversal makes is put beside Grad-CAM and occlusion, by the same
tests of deletion and insertion, on faces and on nuclei. FOLDER has ``dmt_faces`` (from
the code of Deep Manifold Traversal, a18/deepmanifold) and ``dsb2018`` (images, label
images and ``info.csv`` of the 2018 Data Science Bowl).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.stats import t as student
from skimage.io import imread
from skimage.measure import regionprops
from torch.nn import functional as F

import common
from napari_spaceediting.data.cache import caching_in
from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.jobs import TrainedNetwork, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets, choose_sets
from napari_spaceediting.traversal.settings import TraverseSettings
from photo_networks import LITE0
from photographs_faces import WAYS, Outing

Floats = NDArray[np.float32]

DIFFERENCE, CAM, OCCLUSION, CHANCE = "difference", "Grad-CAM", "occlusion", "chance"
ACCOUNTS = DIFFERENCE, CAM, OCCLUSION, CHANCE
DELETED, INSERTED, EXCHANGED = "deletion", "insertion", "exchange"
TESTS = DELETED, INSERTED, EXCHANGED
SHARES = np.linspace(0, 1, 26)
"""Of the pixels that are replaced."""
NUCLEI = {"alone": "crowded", "crowded": "alone"}
QUICK_IMAGES = 2
_CUT, _LEAST = 64, 40
"""Side of the square around a nucleus, and its least area, pixels."""
_ALONE, _CROWD = 1, 4
"""Other nuclei in the square, at most and at least."""
_PATCHES = 14
"""Places of a grey square on each axis; it is two places wide."""


@dataclass(frozen=True, eq=False)
class Case:
    """Held-out images that a network gives a class, on their way to another one.

    Parameters
    ----------
    data, source, goal : str
        What it is called, and the classes.
    originals, changed : (n, C, H, W) float32 array
        In [0, 1]; changed at the step where the network is sure, else at the last.
    classes : (2,) int64 array
        Numbers of source and goal.
    classifier : LatentClassifier
        The network.
    """

    data: str
    source: str
    goal: str
    originals: Floats
    changed: Floats
    classes: NDArray[np.int64]
    classifier: LatentClassifier

    def probability(self, images: Floats, kind: int) -> NDArray[np.float64]:
        """Return that of source (0) or goal (1), as if there were no other class."""
        with torch.inference_mode():
            parts = torch.from_numpy(images).split(16)
            logits = torch.cat([self.classifier(part)[1] for part in parts])
        odds = logits[:, self.classes.tolist()].softmax(dim=1)
        return odds[:, kind].double().numpy()


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Yield faces and nuclei, each both ways."""
    outing = Outing(options.data, options.work, options.part, side=options.side)
    for way, ends in WAYS.items():
        sets = outing.sets(way, options.images)
        yield _moved("faces", outing.dataset, outing.trained, sets, ends)
    dataset = nuclei(options.data)
    trust(LITE0)
    spec = ClassifierSpec(LITE0, "pretrained", in_channels=3, image_size=(128, 128))
    with caching_in(options.work / "cache"):
        settings = TrainSettings(trainable="head", device="cpu")
        network = run_job(TrainNetwork(dataset, spec, settings))
    for source, goal in NUCLEI.items():
        here = (dataset.labels == dataset.class_names.index(source)) & dataset.held_out
        order = np.random.default_rng(0).permutation(np.flatnonzero(here))
        images = np.sort(order[: options.images or 12])
        sets, _ = choose_sets(
            images,
            dataset.class_names.index(goal),
            labels=dataset.labels,
            held_out=dataset.held_out,
            probabilities=network.predictions.probabilities,
        )
        yield _moved("nuclei", dataset, network, sets, (source, goal))


def nuclei(data: Path) -> ImageDataset:
    """Return squares around fluorescent nuclei, which lie alone or in a crowd.

    Images, not nuclei, are held out: every third.
    """
    folder = data / "dsb2018"
    info = pd.read_csv(folder / "info.csv")
    half = _CUT // 2
    cuts, labels, names, split = [], [], [], []
    for number, name in enumerate(info.id[info.kind == "fluorescence"]):
        image = np.atleast_3d(imread(folder / "images" / f"{name}.png"))[..., :3]
        # Each image has its own exposure.
        image = np.clip(image / np.percentile(image, 99.8), 0, 1)
        wide = np.pad(image, ((half, half), (half, half), (0, 0)), mode="reflect")
        objects = imread(folder / "labels" / f"{name}.tif")
        wide_objects = np.pad(objects, half, mode="reflect")
        for one in regionprops(objects):
            top, left = np.rint(one.centroid).astype(int)
            square = slice(top, top + _CUT), slice(left, left + _CUT)
            others = len(np.setdiff1d(wide_objects[square], [0, one.label]))
            if one.area < _LEAST or _ALONE < others < _CROWD:
                continue
            cuts.append(wide[square])
            labels.append(int(others >= _CROWD))
            names.append(f"{name}/{one.label}")
            split.append(Split.TEST if number % 3 == 2 else Split.TRAIN)
    return ImageDataset(
        name="nuclei",
        pixels=ArrayPixels(np.rint(255 * np.stack(cuts)).astype(np.uint8)),
        scaling=IntensityScaling("range", (0.0,), (255.0,)),
        ids=np.array(names),
        labels=np.array(labels),
        class_names=("alone", "crowded"),
        split=np.array(split, np.int8),
        image_size=(128, 128),
    )


def _moved(
    data: str,
    dataset: ImageDataset,
    network: TrainedNetwork,
    sets: TraversalSets,
    ends: tuple[str, str],
) -> Case:
    state = network.train.state
    settings = TraverseSettings(device="cpu", regime="features")
    done: Traversal = run_job(Traverse(dataset, network.spec, state, sets, settings))
    rows = np.arange(len(done.indices))
    step = np.where(done.arrival >= 0, done.arrival, done.last)
    classes = np.array([dataset.class_names.index(end) for end in ends])
    case = Case(
        data,
        *ends,
        done.images[:, 0],
        done.images[rows, step],
        classes,
        classifier_from(network.spec, state),
    )
    # What the network does not take for the source has nothing to explain.
    seen = case.probability(case.originals, 0) > 0.5
    return replace(case, originals=case.originals[seen], changed=case.changed[seen])


# Accounts


def accounts(case: Case, seed: int) -> dict[str, Floats]:
    """Return how much each pixel counts by each account, (n, H, W).

    All are smoothed alike, by 2% of the side, so that none has finer outlines.
    """
    rng = np.random.default_rng(seed)
    raw = {
        DIFFERENCE: np.abs(case.changed - case.originals).mean(axis=1),
        CAM: grad_cam(case),
        OCCLUSION: occlusion(case),
        CHANCE: rng.random(case.originals[:, 0].shape, dtype=np.float32),
    }
    sigma = 0.02 * case.originals.shape[-1]
    return {
        name: ndimage.gaussian_filter(values, (0, sigma, sigma))
        for name, values in raw.items()
    }


def grad_cam(case: Case) -> Floats:
    """Return Grad-CAM (Selvaraju et al. 2017) of the source at the last maps."""
    kept: list[torch.Tensor] = []
    block = case.classifier.backbone.last_block
    assert isinstance(block, torch.nn.Sequential)
    handle = block[-2].register_forward_hook(lambda _, __, maps: kept.append(maps))
    images = torch.from_numpy(case.originals).requires_grad_()
    logits = case.classifier(images)[1][:, case.classes.tolist()]
    handle.remove()
    (maps,) = kept
    (slopes,) = torch.autograd.grad((logits[:, 0] - logits[:, 1]).sum(), maps)
    weights = slopes.mean(dim=(-2, -1), keepdim=True)
    found = F.relu((weights * maps).sum(dim=1, keepdim=True))
    size = case.originals.shape[-2:]
    found = F.interpolate(found, size, mode="bilinear", align_corners=False)
    return found[:, 0].detach().numpy()


def occlusion(case: Case) -> Floats:
    """Return how far the source falls where a square is hidden (Zeiler, Fergus 2014).

    In log odds; what hides is the blurred image, as in the tests.
    """
    images, hidden = case.originals, blurred(case.originals)
    side = images.shape[-1]
    places = np.linspace(0, side, _PATCHES + 1).astype(int)
    before = _log_odds(case.probability(images, 0))
    found = np.zeros((len(images), side, side))
    covered = np.zeros((side, side))
    for top, below in zip(places[:-2], places[2:], strict=True):
        for left, right in zip(places[:-2], places[2:], strict=True):
            here = ..., slice(top, below), slice(left, right)
            tried = images.copy()
            tried[here] = hidden[here]
            fall = before - _log_odds(case.probability(tried, 0))
            found[here] += fall[:, None, None]
            covered[here[1:]] += 1
    return np.float32(found / covered)


def blurred(images: Floats) -> Floats:
    """Return images of which only light and colour are left."""
    sigma = images.shape[-1] / 10
    return ndimage.gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")


def _log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


# Tests


def judged(case: Case, account: Floats) -> dict[str, NDArray[np.float64]]:
    """Return the areas under the curves of each test, (n,)."""
    n = len(case.originals)
    order = np.argsort(-account.reshape(n, -1), axis=1, kind="stable")
    rank = np.argsort(order, axis=1).reshape(account.shape) / order.shape[1]
    hidden = blurred(case.originals)
    curves: dict[str, list[NDArray[np.float64]]] = {test: [] for test in TESTS}
    for share in SHARES:
        first = (rank < share)[:, None]
        tried = np.where(first, hidden, case.originals)
        curves[DELETED].append(case.probability(tried, 0))
        tried = np.where(first, case.originals, hidden)
        curves[INSERTED].append(case.probability(tried, 0))
        tried = np.where(first, case.changed, case.originals)
        curves[EXCHANGED].append(case.probability(tried, 1))
    return {
        test: np.trapezoid(np.stack(values), SHARES, axis=0)
        for test, values in curves.items()
    }


def run(
    options: argparse.Namespace,
) -> tuple[dict[str, dict[str, Floats]], Image.Image]:
    """Return all areas by data and account and test, and the picture."""
    areas: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    shown = []
    for case in cases(options):
        maps = accounts(case, 0)
        here = areas.setdefault(case.data, {})
        for name, account in maps.items():
            for test, values in judged(case, account).items():
                here.setdefault(f"{name} {test}", []).append(values)
        shown.append(drawn(case, maps))
        print(f"{case.data}, {case.source} to {case.goal}: done", flush=True)
    joined = {
        data: {key: np.concatenate(values) for key, values in by_key.items()}
        for data, by_key in areas.items()
    }
    sheet = Image.new(
        "RGB", (max(s.width for s in shown), sum(s.height for s in shown)), "white"
    )
    top = 0
    for strip in shown:
        sheet.paste(strip, (0, top))
        top += strip.height
    return joined, sheet


def drawn(case: Case, maps: dict[str, Floats]) -> Image.Image:
    """Return two images, each beside what it would become and its accounts."""
    tile, gap, line = 112, 4, 16
    names = case.source, case.goal, DIFFERENCE, CAM, OCCLUSION
    n = min(2, len(case.originals))
    block = len(names) * (tile + gap) + 4 * gap
    strip = Image.new("RGB", (2 * block, tile + gap + line), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(10)
    for row in range(n):
        grey = np.repeat(case.originals[row].mean(axis=0)[None], 3, axis=0)
        tiles = [case.originals[row], case.changed[row]]
        for name in names[2:]:
            heat = np.clip(maps[name][row], 0, None)
            heat = heat / max(np.percentile(heat, 99.5), 1e-9)
            amber = np.array([1, 0.7, 0.1])[:, None, None]
            weight = np.clip(heat, 0, 1)[None]
            tiles.append(grey * (1 - weight) * 0.6 + amber * weight)
        for column, (name, pixels) in enumerate(zip(names, tiles, strict=True)):
            at = row * block + column * (tile + gap)
            picture = np.uint8(np.rint(255 * np.clip(np.moveaxis(pixels, 0, -1), 0, 1)))
            made = Image.fromarray(picture).resize(
                (tile, tile), Image.Resampling.LANCZOS
            )
            strip.paste(made, (at, line))
            pen.text((at, 1), name, (40, 40, 40), font)
    return strip


# Telling

_HEAD = """# Does a traversal show what the network goes by?

{machine}
- `python benchmarks/explaining.py --data FOLDER`

**Data.** *Faces*: {faces} old and young ones that are held out, as in
[photographs](photographs.md). *Nuclei*: {nuclei} squares of 64 px around fluorescent
nuclei of the 2018 Data Science Bowl (CC0) which have at most one other nucleus in the
square, or four and more, by the masks of its experts; a third of the images is held
out. Counted are images which the network takes for what they are. **Network**:
EfficientNet-lite0, trained on ImageNet and frozen, with a head that has learnt the two
classes.

**Accounts.** *Difference*: how far a traversal changes each pixel until the network is
sure. *Grad-CAM* (Selvaraju et al. 2017) of the last maps. *Occlusion* (Zeiler and
Fergus 2014): how far the class falls where a square of a seventh of the side is hidden.
*Chance*: noise. All are smoothed alike, by 2% of the side.

**Tests** (as in Petsiuk et al. 2018; areas under the curve over the share of pixels,
the most important first). *Deletion*: pixels are replaced by the blurred image (10% of
the side); the probability of its class should fall soon: **low** is good. *Insertion*:
pixels of the image are put into the blurred one; it should rise soon: **high** is good.
*Exchange*: pixels are replaced by those of the changed image; the probability of the
other class should rise soon: **high** is good. Exchange asks which pixels would have to
be other ones, and has the end of the traversal to take them from: it is the question
that a traversal answers, and no neutral ground.
"""


def written(areas: dict[str, dict[str, Floats]]) -> str:
    """Return the document."""
    counts = {data: len(next(iter(by.values()))) for data, by in areas.items()}
    text = _HEAD.format(machine=common.machine(), **counts)
    for data, by in areas.items():
        rows = [
            (name, *(f"{by[f'{name} {test}'].mean():.3f}" for test in TESTS))
            for name in ACCOUNTS
        ]
        text += f"\n## {data.capitalize()}\n\n" + common.table(
            ("account", *TESTS), rows
        )
        rows = [
            (
                f"{DIFFERENCE} less {name}",
                *(_paired(by[f"{DIFFERENCE} {t}"] - by[f"{name} {t}"]) for t in TESTS),
            )
            for name in ACCOUNTS[1:]
        ]
        text += "\nImage by image, with 95% intervals:\n\n"
        text += common.table(("", *TESTS), rows)
    return text + _SEEN


def _paired(values: Floats) -> str:
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.3f} ± {half:.3f}"


_SEEN = """
## What the eye says

![Originals, what they would become, and three accounts](../pictures/explaining.jpg)

- On faces the difference names parts: hair, the hairline, folds of the skin. Grad-CAM
  and occlusion point to places, often beside the face, where hiding something makes the
  network doubt.
- On nuclei the difference says what this network goes by, and that it should not be
  trusted: not the neighbours appear or vanish, but the ground around the nucleus
  becomes darker or lighter. Images with few nuclei have a lighter ground here. The
  others point to the ground, too, but do not say what it would have to be.

## What follows

- Which pixels would have to be others for the network to say the other class? The
  difference names them best, on both sets. It is made for that question, so this is the
  least that it must do.
- In which pixels does the network see the class that it gives? Grad-CAM (by insertion)
  and occlusion (by deletion, which it measures itself, and on nuclei by both) name them
  better than the difference does. Changing an old face makes it young where hair and
  skin are; hiding these is not what makes the network doubt most.
- On nuclei deletion is no test at all: every account does worse than chance, for the
  blurred image has the ground that the network goes by.
"""


def main() -> None:
    """Run all of it and write the document."""
    made = common.parser(__doc__)
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    made.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-photographs",
        help="folder of features that are kept",
    )
    options = made.parse_args()
    torch.set_num_threads(1)
    options.part = "tuning" if options.quick else "reported"
    options.images = QUICK_IMAGES if options.quick else None
    options.side = 128 if options.quick else 224
    options.work.mkdir(parents=True, exist_ok=True)
    areas, sheet = run(options)
    common.publish("explaining", written(areas), [], options)
    if not options.quick:
        sheet.save(
            common.RESULTS.parent / "pictures" / "explaining.jpg",
            quality=85,
            optimize=True,
        )


if __name__ == "__main__":
    main()
