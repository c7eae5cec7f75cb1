"""The scenario in which heads are arranged by the angle that they face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from expert import Figures
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.poses import render_poses
from napari_spaceediting.editing.arms import AFTER, lessons
from napari_spaceediting.editing.edits import Intent, Move
from napari_spaceediting.editing.fine_tune import fine_tune
from napari_spaceediting.jobs.job import finish
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    Trainable,
    TrainSettings,
)
from napari_spaceediting.session.session import Session
from reference import split_off, start


def pose(seed: int, folder: Path) -> Figures:
    """Arrange heads, of three classes, by the angle that they face."""
    train, test = split_off(finish(render_poses(4000, 80, seed=seed)))
    begun = start(
        train,
        test,
        ClassifierSpec("small_cnn"),
        TrainSettings(epochs=12, seed=seed, device="cpu"),
        seed,
    )
    yaw, rng = train.columns["yaw"], np.random.default_rng(seed)
    chosen = rng.permutation(len(train))
    # The expert reads an angle to 5 degrees.
    read = yaw[chosen] + rng.normal(0, 5, len(chosen))
    figures = {}
    for title, (count, trainable, shuffled) in ARRANGEMENTS.items():
        at, along = chosen[:count], read[:count]
        session = Session(begun.session.state)
        place = _on_a_line(session, rng.permutation(along) if shuffled else along)
        session.apply(Move(at, session.edits.positions[at], place, Intent.ARRANGE))
        job = session.retraining().retrain
        job = replace(job, settings=replace(job.settings, trainable=trainable))
        for arm, lesson in lessons(job, ["control"], None, seed).items():
            classifier = finish(fine_tune(job, lesson, seed))
            said = finish(predict(classifier, test))
            name = title if arm == AFTER else f"{title}, control"
            figures |= {f"{name}: {k}": v for k, v in _order_of(test, said).items()}
    return figures


ARRANGEMENTS: dict[str, tuple[int, Trainable, bool]] = {
    "100 arranged": (100, "head", False),
    "100 at random": (100, "head", True),
    "100 arranged, last block": (100, "last_block", False),
    "100 arranged, whole network": (100, "all", False),
    "400 arranged": (400, "head", False),
}
"""How many images are arranged, what trains, and whether the angles are shuffled."""


def _on_a_line(session: Session, along: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return places on a line across the middle of the map, by angle."""
    positions = session.edits.positions
    half = np.ptp(positions, axis=0).max() / 2
    offsets = np.c_[along / 75, np.zeros(len(along))] * half
    places: NDArray[np.float32] = (positions.mean(axis=0) + offsets).astype(np.float32)
    return places


def _order_of(test: ImageDataset, said: Predictions) -> Figures:
    """Return how well distances in latent space follow differences of angle."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    yaw, labels = test.columns["yaw"], test.labels
    some = np.arange(len(test))[:1000]
    within = [
        spearmanr(pdist(said.latents[at]), pdist(yaw[at, None])).statistic
        for at in (some[labels[some] == c] for c in range(3))
    ]
    whole = spearmanr(pdist(said.latents[some]), pdist(yaw[some, None])).statistic
    right = said.probabilities.argmax(axis=1) == labels
    return {
        "rank correlation": float(whole),
        "within class": float(np.mean(within)),
        "accuracy": float(100 * right.mean()),
    }
