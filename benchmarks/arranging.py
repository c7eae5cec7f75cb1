"""The scenarios in which heads are arranged by the angle that they face.

Rendered heads are a part of ``benchmarks/editing.py``, photographs of 20 people one of
``benchmarks/real_data.py``.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from expert import Figures
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.poses import render_poses
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.image_edits import Intent, Move
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.session.session import Session, new_session
from photo_networks import MOBILE, mobile_weights
from reference import split_off, start

ARRANGEMENTS = {
    "100 arranged": (100, False),
    "100 at random": (100, True),
    "400 arranged": (400, False),
}
"""How many images are arranged, and whether the angles are shuffled."""
POSES = {"left": -1.0, "straight": 0.0, "right": 1.0}
"""Where photographs are put along a line; those that look up are left out."""
_N_PEOPLE = 10
"""People of each half."""


def pose(seed: int, folder: Path) -> Figures:
    """Arrange rendered heads, of three classes, by the angle that they face."""
    train, test = split_off(finish(render_poses(4000, 80, seed=seed)))
    settings = TrainSettings(epochs=12, seed=seed, device="cpu")
    begun = start(train, test, ClassifierSpec("small_cnn"), settings, seed)
    network = begun.session.shown.network
    assert network is not None
    dataset = train.joined(test)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(train))
    # The expert reads an angle to 5 degrees.
    read = train.columns["yaw"][chosen] + rng.normal(0, 5, len(chosen))
    figures = {}
    for title, (count, shuffled) in ARRANGEMENTS.items():
        along = rng.permutation(read[:count]) if shuffled else read[:count]
        session = Session(begun.session.state)
        arrange(session, chosen[:count], along / 75)
        (axis,) = run_job(replace(session.finding_axes(), dataset=dataset))
        found = figures_of(axis, dataset.columns["yaw"], dataset.held_out)
        figures |= {f"{title}: {figure}": value for figure, value in found.items()}
    return figures


def arrange(
    session: Session, at: NDArray[np.int64], along: NDArray[np.float64]
) -> None:
    """Lay images on a line across the middle of the map, from -1 to 1."""
    positions = session.edits.positions
    half = np.ptp(positions, axis=0).max() / 2
    offsets = np.c_[along, np.zeros(len(along))] * half
    places = (positions.mean(axis=0) + offsets).astype(np.float32)
    session.apply(Move(at, positions[at], places, Intent.ARRANGE))


def figures_of(
    axis: Axis, truth: NDArray[np.float64], unseen: NDArray[np.bool_]
) -> Figures:
    """Return how well an axis orders images of people that it has not seen."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    values, wanted = axis.values[unseen], truth[unseen]
    some = slice(1000)
    away, apart = (pdist(one[some, None]) for one in (values, wanted))
    return {
        "rank correlation": float(spearmanr(values, wanted).statistic),
        "of distances": float(spearmanr(away, apart).statistic),
        "R2 told": axis.r2,
        "offered": float(axis.holds),
    }


def heads(seed: int, begun: Session) -> Figures:
    """Arrange photographs of ten people by pose; the ten others are never seen."""
    dataset = begun.dataset
    truth, unseen = dataset.columns["pose"], dataset.held_out
    known = np.isfinite(truth)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.flatnonzero(known & ~unseen))[:100]
    figures = {}
    for title, along in (
        ("arranged", truth[chosen]),
        ("at random", rng.permutation(truth[chosen])),
    ):
        session = Session(begun.state)
        arrange(session, chosen, along)
        (axis,) = run_job(session.finding_axes())
        found = figures_of(axis, truth, unseen & known)
        figures |= {f"{title}: {figure}": value for figure, value in found.items()}
    return figures


def begin_heads(data: Path, work: Path, backbone: str) -> Session:
    """Return a session of photographs with a frozen network that tells people."""
    weights = str(mobile_weights(data, work)) if backbone == MOBILE else None
    trust(backbone)
    session = new_session(photographs(data / "cmu_faces"), seed=0)
    session.set_train_settings(TrainSettings(trainable="head", device="cpu"))
    spec = ClassifierSpec(backbone, weights=weights)
    session.take_network(run_job(session.training(spec)))
    return session


def photographs(folder: Path) -> ImageDataset:
    """Return heads with a pose, by person; ten people are held out."""
    dataset = run_job(OpenDataset(folder))
    with (folder / "labels.csv").open(encoding="utf-8") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines)}
    said = [rows[name] for name in dataset.ids]
    # The names of people have the number of the photograph before them.
    people = np.array([re.sub(r"^\d+", "", row["person"]) for row in said])
    names, who = np.unique(people, return_inverse=True)
    held_out = ~np.isin(
        who, np.random.default_rng(0).permutation(len(names))[:_N_PEOPLE]
    )
    return replace(
        dataset,
        labels=np.where(held_out, UNLABELLED, who),
        class_names=tuple(names.tolist()),
        split=np.where(held_out, Split.TEST, Split.TRAIN).astype(np.int8),
        columns={
            "group": people,
            "pose": np.array([POSES.get(row["pose"], np.nan) for row in said]),
        },
    )
