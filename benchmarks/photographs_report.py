"""The document and the contact sheet of the benchmark of photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import common
from photographs_faces import LITE0, MOBILE, WAYS
from photographs_methods import INTERPOLATION, MIXTURES, OURS, READING, Piece

Run = dict[str, Any]
"""Figures of a piece."""
Runs = Mapping[Piece, Run]


def tuning(piece: Piece, run: Run) -> str:
    """Return all figures of a piece, for whoever chooses by them."""
    by_step = run["by step"]
    steps = range(len(by_step["age"]))
    rows = [(name, *(f"{v:.3f}" for v in values)) for name, values in by_step.items()]
    faces = run["faces"]
    by_work = ", ".join(f"{name} {v:.1f}" for name, v in run["seconds"].items())
    means = ", ".join(f"{name} {v:.3f}" for name, v in summary([run]).items())
    return (
        f"\n## {piece.method}, {piece.way}\n\n"
        + common.table(("mean of all", *steps), rows)
        + "\n"
        + common.table(faces[0], [[f"{v:.3g}" for v in f.values()] for f in faces])
        + f"\n**{means}**\n\nSeconds: {by_work}.\n\n"
        + "\n".join(run["notes"])
    )


def summary(runs: Sequence[Run]) -> dict[str, float]:
    """Return means of the faces that are there (of all where none is).

    But ``there`` is their share of all, ``faces`` their number, and ``seconds`` what a
    face takes.
    """
    faces = [face for run in runs for face in run["faces"]]
    there = [face for face in faces if face["there"]]
    counted = there or faces
    means = {name: float(np.mean([f[name] for f in counted])) for name in faces[0]}
    spent = [
        sum(v for name, v in run["seconds"].items() if name not in READING)
        for run in runs
    ]
    return {
        **means,
        "there": len(there) / len(faces),
        "faces": len(there),
        "years": float(np.mean([abs(f["age"] - f["age before"]) for f in counted])),
        "seconds": sum(spent) / len(faces),
    }


# Telling

_HEAD = """# Does a traversal of photographs change what it should, and nothing else?

{machine}
- `python benchmarks/photographs.py --data FOLDER`; seeds from 0 on draw the sets. The
  faces are the same for all seeds, so that differences between seeds say nothing about
  other faces.

**Data.** The 200 old and 200 young faces of the demonstration of Deep Manifold
Traversal (Labeled Faces in the Wild, 250 px, brought to {side} px). Moved are {n} faces
each way, drawn at random among persons with one photograph; of the others, less eight
each way that all choices were made on (`--tune`), a seed draws 150 of each class as
sets. No person who is moved is in any set (the names of the files tell persons).

**Networks.** {lite0} and {mobile}, trained on ImageNet and frozen, with a head that has
learnt to tell the two sets apart; the layers are those that the program chooses.

**Methods.** *{mixtures}*: what the program does with small images that lie alike, and
did with all before. *{interpolation}*: Deep Feature Interpolation (Upchurch et al.
2017), the difference of the means of all images of both sets in place of the path, the
images made as ours are. *{ours}*: what the program does with photographs.

**Judges**, none of which any method knows, and which were never asked about these faces
while anything was chosen: networks for age and for identity (npm
`@vladmandic/face-api`, read by `face_networks.py`), which see the middle of the image
(half of its side). On the real faces they tell old from young always (68 and 31 years
on average) and persons nearly always. A face is *there* at the first step at which the
judge of age has moved by 20 years; the figures are those of this step, of the faces
that come there. *Own*: the share whose nearest of
the 400 real faces, by the judge of identity, is their own original. *Background*: mean
absolute change outside an ellipse that the crop of LFW has the head in (centre 46% from
the top and in the middle, half axes 35% and 26% of the side; 29% of the area).
*SSIM*: structural similarity to the original (scikit-image). *Sharpness*: the mean
length of the slope of the brightness, over that of the original. *Seconds*: processor
time of one core for a face and all eight steps, without reading and comparing the
features of the sets; the machine was at work for others, too.
"""

_GOALS = (
    ("faces that are there, of 24", "faces", 24, "least"),
    ("own", "own", 0.95, "least"),
    ("background", "background", 0.015, "most"),
    ("SSIM", "SSIM", 0.92, "least"),
    ("sharpness", "sharpness", (0.95, 1.05), "within"),
    ("seconds a face", "seconds", 5, "most"),
)
"""Name, figure of `summary`, goal, and which way it is meant."""
_FIGURES = {
    "there": "{:.0%}", "years": "{:.0f}", "own": "{:.2f}", "distance": "{:.2f}",
    "background": "{:.3f}", "SSIM": "{:.2f}", "sharpness": "{:.2f}",
    "seconds": "{:.1f}",
}  # fmt: skip


def written(runs: Runs) -> str:
    """Return the document, without its targets."""
    some = next(iter(runs.values()))
    text = _HEAD.format(
        machine=common.machine(),
        side=some["side"],
        n=len(some["faces"]),
        lite0=LITE0,
        mobile=MOBILE,
        mixtures=MIXTURES,
        interpolation=INTERPOLATION,
        ours=OURS,
    )
    text += "\n## Where the judge of age has moved by 20 years\n\n"
    text += _by_method(runs, LITE0)
    text += _by_way(runs) + _marks(runs) + _by_step(runs)
    if any(piece.network == MOBILE for piece in runs):
        text += f"\n## With {MOBILE}\n\n" + _by_method(runs, MOBILE)
    return text + _SEEN


def of(runs: Runs, **wanted: object) -> list[list[Run]]:
    """Return the runs of pieces with some attributes, together by seed."""
    found: dict[int, list[Run]] = {}
    for piece, run in runs.items():
        if all(getattr(piece, name) == value for name, value in wanted.items()):
            found.setdefault(piece.seed, []).append(run)
    return list(found.values())


def _cells(seeds: Sequence[Sequence[Run]]) -> list[str]:
    """Return each figure as its mean over seeds, and how far these lie apart."""
    sums = [summary(runs) for runs in seeds]
    cells = []
    for name, form in _FIGURES.items():
        values = [one[name] for one in sums]
        words = form.format(np.mean(values))
        if len(values) > 1:
            words += f" ({form.format(min(values))} to {form.format(max(values))})"
        cells.append(words)
    return cells


def _by_method(runs: Runs, network: str) -> str:
    rows = [
        (method, len(seeds), *_cells(seeds))
        for method in (MIXTURES, INTERPOLATION, OURS)
        if (seeds := of(runs, network=network, method=method))
    ]
    text = "Means over seeds (lowest to highest).\n\n"
    return text + common.table(("method", "seeds", *_FIGURES), rows)


def _by_way(runs: Runs) -> str:
    rows = [
        (way, *_cells(seeds))
        for way in WAYS
        if (seeds := of(runs, network=LITE0, method=OURS, way=way))
    ]
    return "\n### Ours by way\n\n" + common.table(("way", *_FIGURES), rows)


def _marks(runs: Runs) -> str:
    """Return how far the marks that a user sees agree with the judges."""
    ours = [run for seed in of(runs, network=LITE0, method=OURS) for run in seed]
    faces = sum(len(run["arrival"]) for run in ours)
    moved, own = [], []
    for run in ours:
        for face, step in enumerate(run["arrival"]):
            if step >= 0:
                age = run["age"][face]
                moved.append(abs(age[step] - age[0]))
                own.append(run["own by judge"][face][step])
    ours_say = np.concatenate([np.ravel(run["own by network"]) for run in ours])
    judge_says = np.concatenate([np.ravel(run["own by judge"]) for run in ours])
    text = (
        "\n## What the user sees\n\n"
        f"The program's own sign that a face has arrived appears on {len(moved)} of "
        f"{faces}. "
    )
    if moved:
        text += (
            f"There the judge of age has moved by {np.mean(moved):.0f} years, and "
            f"{np.mean(own):.0%} are nearest to their own original by the judge of "
            "identity. "
        )
    agrees = judge_says[ours_say].mean()
    text += (
        f"Of all steps at which the traversed network finds a face most like its own "
        f"original ({ours_say.mean():.0%} of them), the judge of identity agrees in "
        f"{agrees:.0%}"
    )
    if not ours_say.all():
        text += f"; of the other steps, in {judge_says[~ours_say].mean():.0%}"
    return text + ".\n"


def _by_step(runs: Runs) -> str:
    text = "\n## Step by step\n\nMeans of all faces of ours, there or not.\n\n"
    rows = []
    for way in WAYS:
        together = [
            run["by step"]
            for seed in of(runs, network=LITE0, method=OURS, way=way)
            for run in seed
        ]
        if not together:
            continue
        for name, form in (
            ("age", "{:.0f}"), ("own", "{:.2f}"), ("background", "{:.3f}"),
            ("ssim", "{:.2f}"), ("sharpness", "{:.2f}"),
        ):  # fmt: skip
            means = np.mean([one[name] for one in together], axis=0)
            rows.append((way, name, *map(form.format, means)))
    return text + common.table(("way", "figure", *range(len(rows[0]) - 2)), rows)


_SEEN = """
## What the eye says

![All faces by three methods](../pictures/photographs-sheet.jpg)

- *Mixtures* lay the mean face of the other class over the original: a ghost with dark
  hair and another background, or with a white haze around the head. Nearly all are
  somebody else.
- *Interpolation* and *ours* can hardly be told apart, neither by eye nor by figures:
  the images are made in the same way, and that is what makes them. The path by the
  witness moves each face to where its own kind is left, the difference of the means
  moves all alike; on two classes that are as uniform as these it comes to the same.
- **What is convincing**: hair that turns grey or dark, a hairline that recedes, folds
  of the brow, softer or harder skin; backgrounds and clothes stay.
- **Hair does not grow.** Bald heads stay bald or get dark stains (to young, the seventh
  and the last face). Where the target has a fringe it is painted on as a patch.
- **Nothing moves.** Mouths, chins and outlines stay where they are, so that a change of
  shape is drawn as light and shadow.
- **Blotches.** Where a face needs many steps to become old, its skin gets red patches,
  and rims of spectacles appear without arms (to old, the ninth and the last face). One
  of these never gets there, and is another person by then.

## What was tried

By prototypes, on faces of persons who are in no set and no reported face, each beside
the program on the same face where the judge of age has moved by 20 years (between two
steps, linear); ± is half of Student's 95% interval over faces.

- *A smooth warp* as further unknowns (14 × 14 displacements in units of 3 px, before
  the change of colours; 30 faces): background -0.0001 ± 0.0002, SSIM +0.0005 ±
  0.0016, own +0.04 ± 0.05, sharpness -0.019 ± 0.003. It costs more, and to the eye
  nothing moves.
- *Weights by what has nothing to do with age*, against rims of spectacles: of both
  sets the images most like the face in the latents but for the difference of the
  means (as if 50 of each; 12 faces): background +0.0011 ± 0.0006, SSIM -0.007 ±
  0.004, own -0.06 ± 0.17. The rims stay.
- *Features as far as they tell the sets apart*, d² / (d² + ¼) of the difference d in
  deviations, against the same (12 faces): background -0.0012 ± 0.0004, but SSIM
  -0.003 ± 0.004 and the judge of identity further from the original by 0.026 ± 0.014.
  The rims stay.
- *A way that goes an eighth further* (the last two were tried on it; one seed, all 24
  faces above, and left out for what it showed): all come there, but only 21 as
  themselves, and the one more is another person by then.
"""


def targets(runs: Runs) -> list[common.Target]:
    """Return the goals and whether they are met."""
    seeds = of(runs, network=LITE0, method=OURS)
    sums = [summary(runs) for runs in seeds]
    made = []
    for name, figure, goal, kind in _GOALS:
        value = float(np.mean([one[figure] for one in sums]))
        if isinstance(goal, tuple):
            low, high = goal
            met = low <= value <= high
            made.append(common.Target(name, value, f"{low:g} to {high:g}", met))
        else:
            make = common.at_least if kind == "least" else common.at_most
            made.append(make(name, value, goal))
    return made


# Sheet

_TILE, _GAP, _LINE = 112, 3, 14
_PAGE, _TEXT = (255, 255, 255), (40, 40, 40)
SHEET = common.RESULTS.parent / "pictures" / "photographs-sheet.jpg"


def draw_sheet(images: Mapping[Piece, Path], runs: Runs) -> None:
    """Draw all faces of seed 0 by all methods, at the steps that the figures are of."""
    methods = MIXTURES, INTERPOLATION, OURS
    columns = 1 + len(methods)
    n = max(len(run["faces"]) for run in runs.values())
    height = _TILE + _LINE + _GAP
    block = columns * (_TILE + _GAP) + 4 * _GAP
    size = len(WAYS) * block, 2 * _LINE + n * height
    sheet = Image.new("RGB", size, _PAGE)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(10)
    for turn, way in enumerate(WAYS):
        left = turn * block
        pen.text((left + _GAP, 0), way, _TEXT, font)
        for column, method in enumerate(("original", *methods)):
            at = left + _GAP + column * (_TILE + _GAP)
            pen.text((at, _LINE), method, _TEXT, font)
            piece = Piece(LITE0, OURS if column == 0 else method, way, 0)
            if piece not in runs:
                continue
            shown = np.load(images[piece])[:, 0 if column == 0 else 1]
            for row, (pixels, face) in enumerate(
                zip(shown, runs[piece]["faces"], strict=True)
            ):
                tile = Image.fromarray(np.moveaxis(pixels, 0, -1))
                tile.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
                top = 2 * _LINE + row * height
                sheet.paste(tile, (at, top))
                pen.text((at, top + _TILE), _caption(face, column == 0), _TEXT, font)
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEET, quality=80, optimize=True)


def _caption(face: dict[str, float], is_original: bool) -> str:
    if is_original:
        return f"{face['age before']:.0f} years"
    if not face["there"]:
        return f"{face['age']:.0f}, not there"
    own = "" if face["own"] else ", another"
    return f"{face['age']:.0f}, step {face['step']:.0f}{own}"
