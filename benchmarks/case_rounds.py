"""Groups that the program proposes, named in rounds by an expert who knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import real_rivals
from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.ranking import CLEAR_MAJORITY
from napari_spaceediting.editing.rival import components, logistic
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session
from real_sets import Begun, begin
from real_trials import SECONDS_A_GROUP, SECONDS_A_KEY

NETWORK = "EfficientNet-lite0"
ROUNDS, PER_ROUND = 3, 20
_KEYS = round(PER_ROUND * SECONDS_A_GROUP / SECONDS_A_KEY)
"""Single images that are named by key in the time of a round."""
Figures = dict[str, float]
WAYS = {
    "start: program": "at the start, the program (the control)",
    "start: regression": "at the start, logistic regression",
    **{f"round {k}: program": f"after round {k}" for k in range(1, ROUNDS + 1)},
    "same labels: regression": "logistic regression on the labels of all rounds",
    "k-means groups: regression": "60 groups of k-means, regression",
    "doubtful groups: regression": "60 doubtful images with their like, regression",
    "random singles by key: regression": "234 random images by key, regression",
    "doubtful singles by key: regression": "234 doubtful images by key, regression",
}
"""What the figures of the program and of its rivals are called on a page."""


def known(data: Path, work: Path, name: str, seed: int, labels: int) -> Begun:
    """Begin with so many labels of each class, and with features of photographs."""
    half = "reporting"
    return begin(
        data, work, name, NETWORK, half, seed, labels_per_class=labels, layout=True
    )


def groups(session: Session, count: int = PER_ROUND) -> list[Proposal]:
    """Return the first groups that the guidance proposes to name."""
    proposals = run_job(session.guiding(4 * count))
    return [p for p in proposals if p.kind is ProposalKind.GROUP][:count]


def really(proposal: Proposal, truth: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return "right", "mixed", or the class that the images of a proposal are of."""
    counts = np.bincount(truth[proposal.indices], minlength=len(names))
    if counts.max() < CLEAR_MAJORITY * len(proposal.indices):
        return "mixed"
    name = names[int(counts.argmax())]
    return "right" if name == proposal.tag else name


def compared(session: Session) -> Session:
    """Return the session as it is, whose rounds are compared with their control."""
    found = Session(session.state)
    found.set_retrain_settings(replace(session.state.retrain, arms=("control",)))
    return found


def in_rounds(begun: Begun, seed: int) -> tuple[Session, Figures]:
    """Name the groups of three rounds, each retrained from and accepted.

    Returns
    -------
    session : Session
        As it is in the end.
    figures : dict of str to float
        Accuracies, gains over the control, and what was proposed and named, in per
        cent.
    """
    session, truth = compared(begun.session), begun.truth
    names = session.dataset.class_names
    expert = SimulatedExpert(truth, names, np.random.default_rng(seed))
    found = {"start: program": begun.now()}
    kinds = []
    for number in range(1, ROUNDS + 1):
        proposed = groups(session)
        kinds += [really(one, truth, names) for one in proposed]
        answers = [expert.name(one.indices) for one in proposed]
        session.replay([Relabel(at, names[tag]) for at, tag in answers])
        result = run_job(session.retraining())
        gain = result.result.evidence.over["control"]
        found[f"round {number}: over control"] = 100 * gain.value
        found[f"round {number}: clear"] = float(gain.is_clear)
        session.propose(result)
        session.accept()
        now = Begun(session, truth, begun.features)
        found[f"round {number}: program"] = now.now()
    at = np.flatnonzero(session.shown.confirmed)
    right = session.shown.labels[at] == truth[at]
    return session, found | {
        "proposals right, %": float(100 * np.mean([kind == "right" for kind in kinds])),
        "proposals mixed, %": float(100 * np.mean([kind == "mixed" for kind in kinds])),
        "images named": float(len(at)),
        "named right, %": float(100 * right.mean()),
    }


def rivals(begun: Begun, session: Session, seed: int) -> Figures:
    """Return what logistic regression makes of the same features, (N, F).

    Of the labels at the start and in the end, and of what an expert names in as many
    actions, or in as much time, chosen without the program.
    """
    dataset, pool, truth = begun.session.dataset, begun.pool, begun.truth
    space = components(begun.features, pool)
    labels = np.where(np.isin(np.arange(len(truth)), pool), dataset.labels, -1)
    found = {}
    for name, one in (("start", labels), ("same labels", session.shown.labels)):
        known = pool[one[pool] >= 0]
        said = logistic(space, one, known, dataset.n_classes)
        found[f"{name}: regression"] = begun.accuracy(said)
    for way, choose, count in (
        ("k-means groups", real_rivals.WAYS["k-means groups"], PER_ROUND),
        ("doubtful groups", real_rivals.WAYS["margin groups"], PER_ROUND),
        ("doubtful singles by key", real_rivals.KEYS["margin"], _KEYS),
        ("random singles by key", real_rivals.KEYS["random"], _KEYS),
    ):
        rng = np.random.default_rng(seed)
        expert = SimulatedExpert(truth, dataset.class_names, rng)
        said, _ = real_rivals.label(
            space, labels, pool, expert, choose, [count] * ROUNDS
        )
        found[f"{way}: regression"] = begun.accuracy(said)
    return found
