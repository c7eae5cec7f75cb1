"""The main job from start to end on the embedded sample, with a simulated expert."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.arms import AFTER, BEFORE, CONTROL
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.jobs.job import Job, run_job
from napari_spaceediting.session.session import Session, new_session

R = TypeVar("R")

LABELS_PER_CLASS = 5
ACTIONS = 30


def run_demo(
    seed: int = 0, work: Callable[[Job[Any]], Any] = run_job
) -> tuple[Session, dict[str, Any]]:
    """Train on few labels, let a simulated expert edit the map, retrain and measure.

    Parameters
    ----------
    seed : int
        Of the labels that are kept, the training, the map and the expert.
    work : callable
        Runs a job and returns its result.

    Returns
    -------
    session : Session
        With the round still proposed.
    figures : dict
        What was done and measured, for JSON.
    """
    seconds: dict[str, float] = {}

    def run(stage: str, job: Job[R]) -> R:
        start = time.perf_counter()
        result: R = work(job)
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start
        return result

    dataset = digits(LABELS_PER_CLASS, seed)
    session = new_session(dataset, seed=seed)
    session.take_network(run("train", session.training()))
    session.take_map(run("map", session.mapping()))
    guide, edits = session.guiding(ACTIONS), session.edits
    proposals = run("guide", guide)
    expert = SimulatedExpert(
        dataset.columns["truth"], edits.class_names, np.random.default_rng(seed)
    )
    places, homes = edits.positions, guide.homes
    session.replay([expert.decide(p, places, homes) for p in proposals[:ACTIONS]])
    edited = int(np.count_nonzero(session.edits.edited))
    session.propose(run("retrain", session.retraining()))
    state = session.state
    evidence = state.rounds[-1].evidence
    figures = {
        "dataset": dataset.name,
        "images": len(dataset),
        "labels_per_class": LABELS_PER_CLASS,
        "expert": expert.knowledge,
        "actions": min(ACTIONS, len(proposals)),
        "edits": len(state.rounds[-1].edits),
        "edited_images": edited,
        "seed": seed,
        "seconds": {stage: round(s, 2) for stage, s in seconds.items()},
        "measured_on": evidence.measured_on,
        "measured_images": evidence.n_images,
        "before": evidence.arms[BEFORE].accuracy,
        "after": evidence.arms[AFTER].accuracy,
        "control": evidence.arms[CONTROL].accuracy,
        "verdict": evidence.verdict(),
    }
    return session, figures
