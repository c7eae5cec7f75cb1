"""The document of the benchmark of scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import common
from common import Target, at_least, at_most, spread, table

Figures = Mapping[str, Any]

_NAMES = {
    "preview": "ours: the quick first layout (principal components)",
    "ours": "ours: UMAP from landmarks",
    "umap": "umap-learn, its defaults",
    "pacmap": "PaCMAP, its defaults",
    "tsne": "openTSNE, its defaults, 2 jobs",
}


def written(figures: Mapping[str, Figures]) -> str:
    """Return the document of all parts that there are."""
    loads = [part["load"] for part in figures.values()]
    text = f"""# Scale

{common.machine()}
- Further versions: {_versions()}
- Others used the machine at the same time: load averages of {min(loads):.1f} to
  {max(loads):.1f} at the start of the parts, on two cores. So arms are run in turn,
  ratios are taken within a run, and processor seconds stand beside wall seconds;
  those are of all threads. Median (lowest–highest) where there are several runs.
- `python benchmarks/scale.py`; single parts by `--parts`. No graphics card was at hand:
  all of it is on the processor.

"""
    if figures.keys() & _SETTINGS.keys():
        text += _of_retraining(figures) + "\n"
    for name, tell in _SECTIONS.items():
        if name in figures:
            text += tell(figures[name]) + "\n"
    sizes = _sizes(figures)
    if sizes:
        text += _of_sizes(sizes)
    missing = [name for name in (*_SETTINGS, *_SECTIONS) if name not in figures]
    if missing:
        text += f"""
Parts that were not run, so that nothing is known of them here: {", ".join(missing)}.
"""
    return text


def targets(figures: Mapping[str, Figures]) -> list[Target]:
    """Return the figures that have a goal, of the parts that there are."""
    found = []
    for name, words in _AS_TARGETS.items():
        if name not in figures:
            continue
        part = figures[name]
        ratio = _ratio(part["seconds"], "cached", "pixels")
        found.append(
            at_most(f"round on cached activations / pixels, {words}", ratio, 1 / 20)
        )
        pixels = _percent(part, "pixels")
        lost = float(np.subtract(pixels, _percent(part, "cached")).mean())
        allowed = float(np.std(pixels, ddof=1)) if len(pixels) > 1 else 0.0
        found.append(at_most(f"points lost by it, {words}", lost, allowed))
    if "again" in figures:
        part = figures["again"]
        ratio = _ratio(part["seconds"], "ours", "umap")
        found.append(at_most("re-projection / cold fit of umap-learn", ratio, 1 / 5))
        found.append(
            at_least(
                "trustworthiness of it less that of the cold fit", _trust(part), -0.01
            )
        )
        moved = float(np.median(part["moved"]) / np.median(part["apart"]))
        found.append(at_most("movement of untouched / of two cold fits", moved, 1 / 4))
    if "maps" in figures:
        part = figures["maps"]
        ratio = _ratio(part["seconds"], "ours", "umap")
        found.append(at_most("first map / umap-learn's defaults", ratio, 1 / 3))
        found.append(
            at_least("trustworthiness of it less umap-learn's", _trust(part), -0.01)
        )
    if "photographs" in figures:
        part = figures["photographs"]
        ratio = part["ours"]["processor"] / part["plain"]["processor"]
        found.append(at_most("photographs, ours / the plain loop", ratio, 1.15))
        found.append(
            at_most("photographs, peak memory", part["ours"]["peak"] / 1e9, 1.2, "GB")
        )
    sizes = _sizes(figures)
    if sizes and sizes[-1]["n"] == 1_000_000:
        found.append(
            at_most("peak memory at 1,000,000", sizes[-1]["peak"] / 1e9, 6, "GB")
        )
    if "processes" in figures:
        name = "difference of weights, one and two processes"
        found.append(at_most(name, figures["processes"]["weights"], 1e-4))
    return found


def _ratio(seconds: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """Return the median ratio of runs in turn."""
    return float(np.median(np.divide(seconds[one], seconds[other])))


def _trust(part: Figures) -> float:
    ours, umap = (
        np.mean([q["trustworthiness"] for q in part["quality"][name]])
        for name in ("ours", "umap")
    )
    return float(ours - umap)


def _both(part: Figures, name: str, digits: int = 1) -> tuple[str, str]:
    return (
        spread(part["seconds"][name], digits),
        spread(part["processor"][name], digits),
    )


_SETTINGS = {
    "retrain-many": "all labels but 100, trained as by default",
    "retrain-few": "200 labels a class, trained as by default",
    "retrain": "200 labels a class, trained for 10 epochs",
}
_AS_TARGETS = {
    "retrain-many": "all labels",
    "retrain-few": "few labels",
    "retrain": "few labels, 10 epochs",
}
_TRAINED = {
    "cached": "the head",
    "block": "the last block",
    "pixels": "everything, from pixels",
}


def _of_retraining(figures: Mapping[str, Figures]) -> str:
    parts = {name: figures[name] for name in _SETTINGS if name in figures}
    rows = []
    for name, part in parts.items():
        first = _SETTINGS[name], spread(_percent(part, "before"), 1)
        for arm, what in _TRAINED.items():
            if arm in part["seconds"]:
                lost = np.subtract(_percent(part, "pixels"), _percent(part, arm))
                rows.append(
                    (
                        *first,
                        what,
                        *_both(part, arm),
                        spread(_percent(part, arm), 1),
                        "" if arm == "pixels" else spread(list(lost), 1),
                    )
                )
                first = "", ""
    one = next(iter(parts.values()))
    ratios = "; ".join(
        spread(
            list(np.divide(part["processor"]["pixels"], part["processor"]["cached"]))
        )
        for part in parts.values()
    )
    heads = (
        "the network before",
        "its accuracy, %",
        "what trains in the round",
        "wall s",
        "processor s",
        "accuracy after, %",
        "points below pixels",
    )
    return f"""## A round of retraining

Fashion-MNIST, 70,000 images; three settings. A network is trained; then come 100 edits,
each of which names the true class of one image that had no label, drawn at random, and
one round without comparisons, of as many steps of 128 images as one epoch has.

- Where it is trained as by default, for up to 30 epochs and until validation gets no
  better, the authors' 60,000 images train. A quarter of their 10,000 test images
  validates, the others measure.
- Where it is trained for 10 epochs, it is split as the program does: 52,500 images
  train, 7,500 of the authors' training images validate, the 10,000 test images measure.

Seeds: {len(one["seconds"]["cached"])}; all in turn, one thread. A round includes the
prediction of all images, for which the last one must read them anew; so would any tool
that keeps no activations.

{table(heads, rows)}
Everything from pixels takes, in processor seconds and in the order of the settings,
{ratios} times as long as the head. To read all images through the network, which is
done once and counted in neither, takes {spread(one["processor"]["extract"], 1)}
processor seconds; what the last block takes was read before, too.

Where all labels are known, the head is as good as everything. With 200 labels a class
it is not: it ends below the network that it began with, which had been stopped at its
best. The last block keeps up with pixels, in half of their time. A network that was
trained too little has more to gain from pixels than all of these: train it to the end
first.
"""


def _of_precision(part: Figures) -> str:
    rows = []
    for backbone, side, n in part["networks"]:
        for what, words in (("read", "reads"), ("train", "trains on")):
            exact, mixed = (
                np.array(part["seconds"][f"{what} {backbone} {kind}"])
                for kind in ("float32", "bfloat16")
            )
            rows.append(
                (
                    f"{backbone} {words} {n} images of {side} px",
                    spread(list(1000 * exact)),
                    spread(list(1000 * mixed)),
                    spread(list(mixed / exact), 2),
                )
            )
    heads = ("", "float32, ms", "bfloat16, ms", "bfloat16 / float32")
    return f"""## Mixed precision

Processor milliseconds of one step, one thread, both in turn, {len(exact)} times.
This processor has bfloat16 built in, which most have not. The program uses bfloat16 on
graphics cards only, where we could not measure it.

{table(heads, rows)}"""


def _percent(part: Figures, arm: str) -> list[float]:
    return [100 * value for value in part["accuracy"][arm]]


def _of_maps(part: Figures) -> str:
    n, dimensions = part["shape"]
    rows = []
    for name, what in _NAMES.items():
        if name in part["seconds"]:
            quality = part["quality"][name]
            rows.append(
                (
                    what,
                    *_both(part, name),
                    spread([q["trustworthiness"] for q in quality], 4),
                    spread([q["preservation"] for q in quality], 3),
                    len(quality),
                )
            )
    return f"""## The first map

{n:,} x {
        dimensions
    } latents of a network of 10 epochs above. All have two threads where they can
use them; ours draws on one, so that the same seed gives the same map, and umap-learn on
two, because no seed is its default. What numba compiles was compiled before, except for
what PaCMAP compiles. Trustworthiness (15 neighbours) and the share of the 15 nearest
neighbours that are kept are each measured on 1,500 images, the same for all.

{
        table(
            (
                "map",
                "wall s",
                "processor s",
                "trustworthiness",
                "neighbours kept",
                "runs",
            ),
            rows,
        )
    }
Fewer passes over the data keep fewer of the very nearest neighbours than umap-learn's
200 do. Whoever wants them sets `epochs` in `MapSettings`, and waits.
"""


def _of_again(part: Figures) -> str:
    rows = []
    for name, what in (("ours", "ours, from the map before"), ("umap", _NAMES["umap"])):
        quality = part["quality"][name]
        trust = [q["trustworthiness"] for q in quality]
        kept = [q["preservation"] for q in quality]
        moved = part["moved"] if name == "ours" else part["apart"]
        rows.append(
            (
                what,
                *_both(part, name),
                spread(trust, 4),
                spread(kept, 3),
                spread(moved, 3),
            )
        )
    return f"""## The map after a retraining

The latents after that network's round on cached activations. Movement is the median
over the untouched images from the map before the round to the one after it, aligned, in
units of the radius of the map; for umap-learn both are cold fits. Two cold fits of the
very same latents are {spread(part["same"], 3)} apart. Runs in turn:
{len(part["moved"])}.

{
        table(
            (
                "map",
                "wall s",
                "processor s",
                "trustworthiness",
                "neighbours kept",
                "movement",
            ),
            rows,
        )
    }"""


def _of_adding(part: Figures) -> str:
    n, more = part["images"]
    trust = part["trustworthiness"]
    return f"""## Adding images

{more:,} images are added to a session of {n:,} (`napari-spaceediting add`). They are
read, the network predicts them, each goes to where its nearest images lie, and old
images get them as neighbours. One run.

{
        table(
            ("", "wall s", "processor s", "right neighbours on the map"),
            [
                ("add them", *_both(part, "add"), f"{trust['placed']:.3f}"),
                ("draw the map anew", *_both(part, "map"), f"{trust['drawn']:.3f}"),
            ],
        )
    }
*Right neighbours*: of the 15 images that lie nearest to a new image on the map, the
share that is among the nearest 1% in the latents.
"""


def _of_processes(part: Figures) -> str:
    rows = [
        (
            what,
            spread(part["seconds"][f"{name} 1"], 1),
            spread(part["seconds"][f"{name} 2"], 1),
        )
        for name, what in (
            ("extract inside", "reading 70,000 images, within `extract`"),
            ("extract", "`extract`, with the start of Python and of the launcher"),
            ("retrain", "`retrain`, 200 steps, with both and the map"),
        )
    ]
    return f"""## Several processes

`torchrun --nproc-per-node N -m napari_spaceediting extract SESSION`, then `retrain`,
on a session of 10 epochs above. One thread for each process; the machine has two
cores, which others used too. One run; wall seconds.

{table(("", "1 process", "2 processes"), rows)}
The weights after the round differ by at most {part["weights"]:.1e} of the largest
weight of their layer; {part["classes"]:,} of 70,000 images are given another class. The
steps of a head are too small to be worth sharing: several processes pay for reading the
images, and for rounds that train the last block or everything.
"""


def _of_photographs(part: Figures) -> str:
    rows = []
    for arm, what in (("ours", "ours"), ("plain", "the plain loop")):
        stages = part[arm]["stages"]
        cells = []
        for stage in ("open", "thumbnails", "features"):
            user, system = stages.get(stage, (0.0, 0.0))
            cells.append(f"{user:.1f} + {system:.1f}" if stage in stages else "")
        peak = part[arm]["peak"] / 1e9
        rows.append((what, *cells, f"{part[arm]['processor']:.1f}", f"{peak:.2f}"))
    heads = ("", "open", "thumbnails", "features", "all", "peak GB")
    kind = "Given" if part["data"] else "Synthetic"
    return f"""## Photographs

{kind} JPEG files, {part["n"]:,} of 512 x 384 px, are opened, thumbnails are drawn, and
{part["network"]} computes features at 224 x 168 px, by our jobs in a process set up as
that of the window; beside it the best plain loop that we know, of Pillow and torch in
batches of four, channels last, which draws thumbnails and computes features at once.
Processor seconds of one thread (user + system), from the start of Python on: ours
imports torch at the features, the loop at once. Peak is the largest resident memory.

{table(heads, rows)}"""


_SECTIONS = {
    "precision": _of_precision,
    "maps": _of_maps,
    "again": _of_again,
    "adding": _of_adding,
    "processes": _of_processes,
    "photographs": _of_photographs,
}


def _sizes(figures: Mapping[str, Figures]) -> list[Figures]:
    found = [part for name, part in figures.items() if name.startswith("size-")]
    return sorted(found, key=lambda part: part["n"])


def _of_sizes(sizes: Sequence[Figures]) -> str:
    stages = {
        "open": "open the session",
        "preview": "the quick first layout",
        "map": "the map",
        "place 1,000": "place 1,000 images more",
        "save": "save the session",
    }
    heads = ["images", *stages.values(), "trustworthiness", "peak GB", "without files"]
    rows = [
        [
            f"{part['n']:,}",
            *(f"{part['processor'][stage][0]:.2f}" for stage in stages),
            f"{part['trustworthiness']:.3f}",
            f"{part['peak'] / 1e9:.2f}",
            f"{part['peak without files'] / 1e9:.2f}",
        ]
        for part in sizes
    ]
    wall = ", ".join(f"{part['seconds']['map'][0]:,.0f}" for part in sizes)
    text = f"""## From 1,000 to 1,000,000 images

A session with half-precision latents of 512 dimensions (50 clusters, each spread in 12
directions, and noise) is opened, mapped and saved in a process of its own. Processor
seconds of all threads. Peak is the largest resident memory of the process, with torch,
numba and the mapped pages of files, which the system can take back. The memory that
images may take (`--memory`) is the default, 4 GB. One run.

{table(heads, rows)}
The map took {wall} s of wall time.

"""
    many = [part for part in sizes if part["n"] >= 10_000]
    if len(many) > 1:
        logs = np.log([part["n"] for part in many])
        parts = [
            (what, f"{_exponent(logs, [p['processor'][stage][0] for p in many]):.2f}")
            for stage, what in stages.items()
        ]
        parts.append(
            ("peak memory", f"{_exponent(logs, [p['peak'] for p in many]):.2f}")
        )
        text += f"""Cost grows with the number of images N as N to the power of, fitted
from {many[0]["n"]:,} images on (where the map is drawn in 500 epochs; beyond it starts
from some of the images and takes 20, which makes the power look smaller than it is):

{table(("stage", "exponent"), parts)}
"""
    return text


def _exponent(logs: np.ndarray, values: Sequence[float]) -> float:
    return float(np.polyfit(logs, np.log(np.maximum(values, 1e-4)), 1)[0])


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("pynndescent", "numba", "lightning-fabric", "openTSNE", "pacmap"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
