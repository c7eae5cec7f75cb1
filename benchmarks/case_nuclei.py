"""Nuclei of a tissue: from a segmentation to classes by look, and back to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.io import imread
from skimage.measure import regionprops

from case_page import Run, gained, told
from case_rounds import groups
from common import table
from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.objects import find_objects
from napari_spaceediting.data.open import OpenLayers
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.ranking import CLEAR_MAJORITY
from napari_spaceediting.editing.rival import components, logistic
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    TrainSettings,
    with_usual_layout,
)
from napari_spaceediting.network.trust import trust
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.session import Session
from photo_networks import LITE0
from real_rivals import cluster_groups
from real_sets import features_of, frozen_session
from real_trials import SECONDS_A_GROUP, SECONDS_A_KEY

SEEDS = 5
CLASSES = "elongated", "round, dark", "round, pale"
ROUNDS, PER_ROUND = 3, 15
_KINDS = "histology_light", "histology_purple"
_ELONGATED = 0.88
"""Eccentricity from which on a nucleus is called elongated: twice as long as wide."""
_MEASURED = "area", "eccentricity", "solidity", "red", "green", "blue"


@dataclass(frozen=True, eq=False)
class Tissue:
    """Twenty pictures of tissue, and what is known of their nuclei.

    Parameters
    ----------
    picture, objects : (20, 256, 320, 3) uint8 array, (20, 256, 320) uint16 array
        The planes, and the number of the nucleus at each pixel.
    """

    picture: NDArray[np.uint8]
    objects: NDArray[np.uint16]

    def opened(self, *, alone: bool) -> partial[Found]:
        """Return what cuts the nuclei out, alone or with what lies around them."""
        return partial(
            find_objects,
            self.picture,
            self.objects,
            rgb=True,
            mask_outside=alone,
            name="Nuclei",
        )

    def measured(
        self, planes: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> NDArray:
        """Return size, shape and mean colours of nuclei, (n, 6)."""
        found = {}
        for plane, objects in enumerate(self.objects):
            for one in regionprops(objects, self.picture[plane]):
                shape = one.area, one.eccentricity, one.solidity
                found[plane, one.label] = (*shape, *one.intensity_mean)
        pairs = zip(planes.tolist(), numbers.tolist(), strict=True)
        return np.array([found[pair] for pair in pairs])


@cache
def tissue(data: Path) -> Tissue:
    """Read the pictures."""
    info = pd.read_csv(data / "dsb2018" / "info.csv")
    names = info.id[info.kind.isin(_KINDS)]
    folder = data / "dsb2018"
    pictures = [imread(folder / "images" / f"{name}.png")[..., :3] for name in names]
    objects = [imread(folder / "labels" / f"{name}.tif") for name in names]
    return Tissue(np.stack(pictures), np.stack(objects))


def classes_of(measured: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return what the simulated expert calls nuclei, of `CLASSES`, (n,)."""
    grey = measured[:, 3:].mean(axis=1)
    is_long = measured[:, 1] >= _ELONGATED
    return np.where(is_long, 0, np.where(grey < np.median(grey[~is_long]), 1, 2))


def begin(
    data: Path, seed: int, *, alone: bool = True
) -> tuple[Session, NDArray[np.floating]]:
    """Return a session of nuclei without any class, and their measurements."""
    found = tissue(data)
    dataset = run_job(OpenLayers(found.opened(alone=alone), seed))
    session = frozen_session(dataset, seed)
    trust(LITE0)
    spec = with_usual_layout(ClassifierSpec(LITE0, "pretrained"), "head")
    session.take_network(run_job(session.training(spec)))
    columns = dataset.columns
    return session, found.measured(columns["plane"], columns["object"])


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Name groups of nuclei that nothing is known of, and judge on other pictures."""
    found = _judged(data, seed, alone=True)
    around = _judged(data, seed, alone=False)
    last = f"round {ROUNDS}: program"
    return found | {"with surroundings, " + last: around[last]}


def _judged(data: Path, seed: int, *, alone: bool) -> dict[str, float]:
    session, measured = begin(data, seed, alone=alone)
    truth, held_out = classes_of(measured), session.dataset.held_out
    pool, judged = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    space = components(features_of(session), pool)
    scaled = (measured - measured[pool].mean(axis=0)) / measured[pool].std(axis=0)

    def right(said: NDArray[np.floating]) -> float:
        return float(100 * (said[judged].argmax(axis=1) == truth[judged]).mean())

    def by_regression(space: NDArray, labels: NDArray[np.int64]) -> float:
        known = np.flatnonzero((labels >= 0) & ~held_out)
        return right(logistic(space, labels, known, len(CLASSES)))

    found = {
        "largest class": float(100 * np.bincount(truth[judged]).max() / len(judged))
    }
    expert = SimulatedExpert(truth, CLASSES, np.random.default_rng(seed))
    for number in range(1, ROUNDS + 1):
        name_groups(session, expert)
        names = session.shown.class_names
        order = [names.index(one) for one in CLASSES]
        probabilities = session.shown.network.predictions.probabilities
        found[f"round {number}: program"] = right(probabilities[:, order])
    labels = np.array([CLASSES.index(n) for n in names] + [-1])[session.shown.labels]
    at = np.flatnonzero(session.shown.confirmed)
    found |= {
        "nuclei named": float(len(at)),
        "named right, %": float(100 * (labels[at] == truth[at]).mean()),
        "same labels: regression": by_regression(space, labels),
        "same labels: measurements": by_regression(scaled, labels),
    }
    rng, n_actions = np.random.default_rng(seed), ROUNDS * PER_ROUND
    expert = SimulatedExpert(truth, CLASSES, rng)
    by_cluster = np.full(len(truth), -1)
    for group in cluster_groups(space, pool, space, n_actions, rng):
        named, tag = expert.name(group)
        by_cluster[named] = tag
    found["clusters: regression"] = by_regression(space, by_cluster)
    some = rng.permutation(pool)[: round(n_actions * SECONDS_A_GROUP / SECONDS_A_KEY)]
    by_key = np.full(len(truth), -1)
    by_key[some] = truth[some]
    found["keys at random: regression"] = by_regression(space, by_key)
    found["all labels: regression"] = by_regression(space, truth)
    return found


def name_groups(session: Session, expert: SimulatedExpert) -> None:
    """Let an expert name the first groups that are proposed, retrain and accept."""
    answers = [expert.name(one.indices) for one in groups(session, PER_ROUND)]
    session.replay([Relabel(at, CLASSES[tag]) for at, tag in answers])
    session.propose(run_job(session.retraining()))
    session.accept()


def scene(data: Path, work: Path, runs: Run) -> None:
    """Open the segmentation in the window, name groups, and go back to the picture."""
    from case_window import empty_window, find_proposals, wait_for_round
    from napari_spaceediting.plugin.opening.panel import Layers
    from napari_spaceediting.plugin.status import Step

    found, spec = tissue(data), ClassifierSpec(LITE0, "pretrained")
    with empty_window() as camera:
        bench = camera.bench
        camera.viewer.add_image(found.picture, rgb=True, name="Tissue")
        camera.viewer.add_labels(found.objects.astype(np.int32), name="Nuclei")
        picture, nuclei = (camera.viewer.layers[name] for name in ("Tissue", "Nuclei"))
        bench.opening.open_layers(Layers(picture, nuclei, mask_outside=True))
        camera.wait(lambda: bench.state.session is not None)
        camera.wait(lambda: bench.state.training.is_running)
        bench.state.cancel()  # a small network, which begins by itself
        camera.wait(lambda: not bench.state.is_busy)
        trust(LITE0)
        bench.panels.network.set_settings(spec, TrainSettings(trainable="head"))
        bench.panels.network.train_button.click()
        camera.wait_mapped()
        columns = camera.session.dataset.columns
        truth = classes_of(found.measured(columns["plane"], columns["object"]))
        camera.show_only(Step.GUIDANCE)
        find_proposals(camera)
        camera.idle()
        camera.picture("nuclei-group")
        while bench.review.proposal is not None:
            counts = np.bincount(truth[bench.review.proposal.indices], minlength=3)
            if counts.max() < CLEAR_MAJORITY * counts.sum():
                camera.key("u")
                continue
            bench.review.name_as(CLASSES[counts.argmax()])
            camera.rest(30)
        bench.panels.retrain.retrain_button.click()
        wait_for_round(camera)
        bench.evidence.accept_button.click()
        camera.idle()
        camera.show_only(Step.MAP)
        camera.picture("nuclei-map")
        run_job(exporting(camera.session, work / "nuclei.csv"))
        print((work / "nuclei.csv").read_text().splitlines()[:2])


def words(runs: Run) -> dict[str, str]:
    """Return what the figures say on the page."""
    last = f"round {ROUNDS}: program"
    ways = {
        "largest class": "whatever it is: the most frequent class",
        last: "45 groups, the program (nuclei alone)",
        f"with surroundings, {last}": "45 groups, the program (with surroundings)",
        "same labels: regression": "the same labels, regression on the features",
        "same labels: measurements": "the same labels, regression on six measurements",
        "clusters: regression": "45 clusters of k-means, regression on the features",
        "keys at random: regression": "176 random nuclei by key, the same",
        "all labels: regression": "all labels of the training pictures, the same",
    }
    rows = [
        (what, told(runs, way), gained(runs, last, way)) for way, what in ways.items()
    ]
    return {
        "table": table(("", "accuracy, %", "program less this"), rows),
        "alone": gained(runs, last, f"with surroundings, {last}"),
        "measured": gained(runs, last, "same labels: measurements"),
        "over_labels": gained(runs, last, "same labels: regression"),
        "over_clusters": gained(runs, last, "clusters: regression"),
        "named": told(runs, "nuclei named", 0),
        "named_right": told(runs, "named right, %", 0),
    }
