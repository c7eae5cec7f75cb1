"""Characters on oracle bones, with a small network and features of photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from case_rounds import in_rounds, rivals
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from real_sets import Begun, begin, features_of, opened

SEEDS = 5
NAME, NETWORK = "oracle bones", "EfficientNet-lite0"
LABELS = 10
PHOTOGRAPHS, SMALL = "features of photographs", "small network"


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Name groups in rounds, once with each network."""
    if quick:
        return in_rounds(small(data, seed, epochs=3), seed)[1]
    found = {}
    for name, begun in (
        (PHOTOGRAPHS, known(data, work, seed)),
        (SMALL, small(data, seed)),
    ):
        session, figures = in_rounds(begun, seed)
        figures |= rivals(begun, session, seed)
        found |= {f"{name}, {figure}": value for figure, value in figures.items()}
    return found


def known(data: Path, work: Path, seed: int) -> Begun:
    """Begin with features of photographs."""
    return begin(data, work, NAME, NETWORK, "reporting", seed, labels_per_class=LABELS)


def small(data: Path, seed: int, epochs: int | None = None) -> Begun:
    """Begin with a small network that has learnt nothing but these images."""
    session, truth = opened(data, NAME, "reporting", seed, labels_per_class=LABELS)
    settings = TrainSettings(seed=seed, device="cpu")
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    session.set_train_settings(settings)
    session.take_network(run_job(session.training(ClassifierSpec())))
    return Begun(session, truth, features_of(session))
