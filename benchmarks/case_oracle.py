"""Characters on oracle bones, with a small network and features of photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from case_page import Run, gained, keep, sheet, told
from case_rounds import ROUNDS, WAYS, compared, in_rounds, known, rivals
from common import table
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.session.session import Session
from real_sets import Begun, features_of, opened

SEEDS = 5
NAME = "oracle bones"
LABELS = 10
_LEAST = 2
"""Known drawings from which on they become a part."""
PHOTOGRAPHS, SMALL = "features of photographs", "small network"


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Name groups in rounds, once with each network."""
    if quick:
        return in_rounds(small(data, seed, epochs=3), seed)[1]
    found = {}
    for name, begun in (
        (PHOTOGRAPHS, known(data, work, NAME, seed, LABELS)),
        (SMALL, small(data, seed)),
    ):
        session, figures = in_rounds(begun, seed)
        figures |= rivals(begun, session, seed) | _in_parts(session, begun)
        found |= {f"{name}, {figure}": value for figure, value in figures.items()}
    return found


def small(data: Path, seed: int, epochs: int | None = None) -> Begun:
    """Begin with a small network that has learnt nothing but these images."""
    session, truth = opened(data, NAME, "reporting", seed, labels_per_class=LABELS)
    settings = TrainSettings(seed=seed, device="cpu")
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    session.set_train_settings(settings)
    session.take_network(run_job(session.training(ClassifierSpec())))
    return Begun(session, truth, features_of(session))


def drawn(dataset: ImageDataset) -> NDArray[np.bool_]:
    """Return which images, (N,), are clean drawings on black and not rubbings.

    What tells them was chosen by eye on images that are not reported.
    """
    pixels = np.stack([dataset.original(i).reshape(-1) for i in range(len(dataset))])
    grey = ((pixels >= 12) & (pixels < 100)).mean(axis=1)
    return (grey < 0.12) & ((pixels < 12).mean(axis=1) > 0.7)


def _in_parts(session: Session, begun: Begun) -> dict[str, float]:
    """Name the drawings of each class as a part of it, and judge the classes again."""
    is_drawn, names = drawn(session.dataset), session.dataset.class_names
    labels, truth, test = session.shown.labels, begun.truth, begun.test
    network = session.shown.network
    assert network is not None
    right = network.predictions.probabilities.argmax(axis=1) == truth
    found = {
        "drawings, %": float(100 * is_drawn.mean()),
        "drawings right, %": float(100 * right[test][is_drawn[test]].mean()),
        "rubbings right, %": float(100 * right[test][~is_drawn[test]].mean()),
    }
    split = Session(session.state)
    for number, name in enumerate(names):
        at = begun.pool[(labels[begun.pool] == number) & is_drawn[begun.pool]]
        if len(at) >= _LEAST:
            split.apply(Relabel(at, f"{name}: drawn"))
    if not split.state.log.done:
        return found
    split.propose(run_job(split.retraining()))
    split.accept()
    shown = split.shown
    assert shown.network is not None
    said = shown.network.predictions.probabilities
    whole = np.array([names.index(n.partition(": ")[0]) for n in shown.class_names])
    together = np.stack([said[:, whole == k].sum(axis=1) for k in range(len(names))], 1)
    return found | {
        "parts": float(len(shown.class_names) - len(names)),
        "in parts: program": begun.accuracy(together),
    }


def two_looks(begun: Begun) -> Image.Image:
    """Draw rubbings of some characters, and drawings of the same."""
    dataset, rng = begun.session.dataset, np.random.default_rng(0)
    is_drawn, rows = drawn(dataset), []
    for number, name in enumerate(dataset.class_names[:4]):
        at = rng.permutation(np.flatnonzero(begun.truth == number))
        some = [*at[~is_drawn[at]][:9], *at[is_drawn[at]][:5]]
        title = name.partition("_")[2]  # without its number
        rows.append((title, [dataset.original(i) for i in some]))
    return sheet(rows, 52)


def scene(data: Path, work: Path, runs: Run) -> None:
    """Show the map, a group on it, and the two looks of the classes."""
    from case_window import find_proposals, window
    from napari_spaceediting.plugin.status import Step

    begun = known(data, work, NAME, 0, LABELS)
    keep(two_looks(begun), "oracle-two")
    with window(compared(begun.session), work) as camera:
        camera.show_only(Step.MAP)
        camera.colour_by("True class")
        camera.picture("oracle-map")
        camera.show_only(Step.GUIDANCE)
        find_proposals(camera)
        camera.idle()
        camera.picture("oracle-group")


def words(runs: Run) -> dict[str, str]:
    """Return what the figures say on the page."""
    found = {"table": table(("", PHOTOGRAPHS, SMALL), _rows(runs))}
    for key, within in (("big", f"{PHOTOGRAPHS}, "), ("small", f"{SMALL}, ")):
        last = f"{within}round {ROUNDS}: program"
        found |= {
            f"{key}_brought": gained(runs, last, f"{within}start: program"),
            f"{key}_labels": gained(runs, last, f"{within}same labels: regression"),
            f"{key}_keys": gained(
                runs, last, f"{within}doubtful singles by key: regression"
            ),
            f"{key}_right": told(runs, f"{within}proposals right, %", 0),
            f"{key}_mixed": told(runs, f"{within}proposals mixed, %", 0),
            f"{key}_named": told(runs, f"{within}images named", 0),
            f"{key}_named_right": told(runs, f"{within}named right, %", 0),
            f"{key}_parts": gained(runs, f"{within}in parts: program", last),
            f"{key}_drawn": told(runs, f"{within}drawings right, %", 0),
            f"{key}_rubbed": told(runs, f"{within}rubbings right, %", 0),
        }
    found["share"] = told(runs, f"{PHOTOGRAPHS}, drawings, %", 0).removesuffix(" ± 0")
    found["parts"] = told(runs, f"{PHOTOGRAPHS}, parts", 0)
    return found


def _rows(runs: Run) -> list[tuple[str, str, str]]:
    return [
        (what, *(told(runs, f"{within}, {way}") for within in (PHOTOGRAPHS, SMALL)))
        for way, what in WAYS.items()
    ]
