"""A simulated expert at work, and what is trained of it.

Accuracies are in percent of the test images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.arms import AFTER, lessons, needs_expected
from napari_spaceediting.editing.evidence import mean_drift
from napari_spaceediting.editing.guidance import GROUP_SIZE, Proposal
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.learning import learn, left_out_classes
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.editing.task import Task
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.classifier import state_of
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.session.session import Session
from reference import Start

Figures = dict[str, float]
Choose = Callable[[Session, int, int], list[Proposal]]
"""From a session, how many and the number of the round to what the expert looks at."""

ACTIONS = 100
PER_ROUND = 25
BUDGETS = 25, 50, 100, 200
REVIEWS = 200
PLAIN = {
    "recipe": "descent",
    "mixup": 0.0,
    "keep_weight": 0.0,
    "anchor_weight": 0.0,
    "averaging": 0.0,
}
"""Settings of a training by cross-entropy alone."""
SECONDS = {
    "decide": 1.5,
    "further thumbnail": 0.4,
    "drag": 2.0,
    "lasso": 3.0,
    "key": 0.5,
}
"""What the acts of a simulated expert are taken to cost."""


# Training


def train_arms(
    begun: Start, job: Task, wanted: Sequence[str]
) -> tuple[Figures, dict[str, Predictions]]:
    """Train some of what a round can take or compare with.

    Returns
    -------
    accuracies : dict of str to float
        By arm, in percent.
    predictions : dict of str to Predictions
        By arm, of the session's images.
    """
    seed, others = job.settings.seed, [arm for arm in wanted if arm != AFTER]
    expected = finish(left_out_classes(job)) if needs_expected(job, others) else None
    accuracies, predictions = {}, {}
    for arm, lesson in lessons(job, others, expected, seed).items():
        if arm not in wanted:
            continue
        classifier = finish(learn(job, lesson, seed)).classifier
        accuracies[arm] = begun.accuracy(classifier.spec, state_of(classifier))
        predictions[arm] = finish(predict(classifier, job.dataset, device="cpu"))
    return accuracies, predictions


def retrained(begun: Start, job: Task, **settings: object) -> float:
    """Return the accuracy after a round with other settings."""
    job = replace(job, settings=replace(job.settings, **settings))  # type: ignore[arg-type]
    return train_arms(begun, job, [AFTER])[0][AFTER]


def plain_control(begun: Start, job: Task, **settings: object) -> float:
    """Return the accuracy after as many steps by cross-entropy alone, without edits."""
    settings = {**PLAIN, **settings}
    job = replace(job, settings=replace(job.settings, **settings))  # type: ignore[arg-type]
    return train_arms(begun, job, ["control"])[0]["control"]


def drift(
    before: Predictions, after: Predictions, untouched: NDArray[np.bool_]
) -> float:
    """Return how far the latents of untouched images have moved."""
    return mean_drift(before.latents[untouched], after.latents[untouched])


# What the expert looks at


def guided_groups(session: Session, count: int, _round: int) -> list[Proposal]:
    """Return the groups of the guidance."""
    proposals = run_job(session.guiding(4 * count))
    return [p for p in proposals if p.kind is ProposalKind.GROUP][:count]


def doubted_groups(session: Session, count: int, _round: int) -> list[Proposal]:
    """Return the labels that the guidance doubts, those doubted alike together."""
    proposals = run_job(session.guiding(4 * count))
    return [p for p in proposals if p.kind is ProposalKind.MISLABELLED][:count]


def one_each(choose: Choose) -> Choose:
    """Look only at the first image of each proposal."""

    def singles(session: Session, count: int, number: int) -> list[Proposal]:
        return [
            replace(proposal, indices=proposal.indices[:1])
            for proposal in choose(session, count, number)
        ]

    return singles


def one_by_one(choose: Choose) -> Choose:
    """Look at all images of the proposals, each by itself."""

    def singles(session: Session, count: int, number: int) -> list[Proposal]:
        return [
            replace(proposal, indices=np.array([index]))
            for proposal in choose(session, count, number)
            for index in proposal.indices.tolist()
        ][:count]

    return singles


def random_groups(session: Session, count: int, number: int) -> list[Proposal]:
    """Return unlabelled images drawn at random, with their nearest unlabelled ones."""
    edits = session.edits
    at = np.flatnonzero((edits.labels < 0) & ~edits.edited & ~session.shown.confirmed)
    near, _ = nearest(predictions_of(session).latents[at], GROUP_SIZE - 1)
    rng = np.random.default_rng((session.state.seed, number))
    groups = np.column_stack([np.arange(len(at)), near])
    return [
        Proposal(ProposalKind.GROUP, at[groups[row]], "", None, None, 0.0)
        for row in _apart(groups, rng.permutation(len(at)), count)
    ]


def _apart(
    groups: NDArray[np.integer], order: NDArray[np.integer], most: int
) -> list[int]:
    """Return which groups, (n, size), come first in an order and share no member."""
    taken = np.zeros(groups.max(initial=-1) + 1, bool)
    chosen: list[int] = []
    for row in order:
        if len(chosen) == most:
            break
        if not taken[groups[row]].any():
            taken[groups[row]] = True
            chosen.append(int(row))
    return chosen


def seconds_of(proposals: Sequence[Proposal]) -> float:
    """Return what deciding proposals costs a simulated expert."""
    total = 0.0
    for proposal in proposals:
        n = len(proposal.indices)
        total += SECONDS["decide"] + SECONDS["key"]
        if n > 1:
            total += SECONDS["lasso"] + (n - 1) * SECONDS["further thumbnail"]
        else:
            total += SECONDS["drag"]
    return total


# Rounds


def in_rounds(
    begun: Start,
    actions: int,
    choose: Choose,
    *,
    per_round: int = PER_ROUND,
    slips: float = 0.0,
    **settings: object,
) -> tuple[dict[int, float], Session, float]:
    """Let a simulated expert work in rounds, each retrained from, with settings.

    Returns
    -------
    accuracies : dict of int to float
        After so many actions.
    session : Session
        As it is in the end.
    seconds : float
        What it cost the expert.
    """
    session = Session(begun.session.state)
    expert = SimulatedExpert(
        begun.truth,
        session.edits.class_names,
        np.random.default_rng(session.state.seed),
        slips,
    )
    session.set_retrain_settings(
        replace(session.state.retrain, **settings)  # type: ignore[arg-type]
    )
    accuracies, seconds = {}, 0.0
    for number in range(actions // per_round):
        edits = session.edits
        proposals = choose(session, per_round, number)
        seconds += seconds_of(proposals)
        homes = session.guiding().homes
        first = proposals[:per_round]
        session.replay([expert.decide(p, edits.positions, homes) for p in first])
        session.propose(run_job(session.retraining()))
        session.accept()
        now = Start(session, begun.test)
        accuracies[(number + 1) * per_round] = now.now()
    return accuracies, session, seconds


def named(session: Session, truth: NDArray[np.int64]) -> Figures:
    """Return how many images a session's edits have named, and how well."""
    at = np.flatnonzero(session.shown.confirmed)
    right = session.shown.labels[at] == truth[at]
    return {"images named": float(len(at)), "named right": float(100 * right.mean())}


def in_one_go(begun: Start, choose: Choose, actions: int = ACTIONS) -> Session:
    """Let a simulated expert edit once, without a retraining in between."""
    session = Session(begun.session.state)
    expert = SimulatedExpert(
        begun.truth,
        session.edits.class_names,
        np.random.default_rng(session.state.seed),
    )
    places, homes = session.edits.positions, session.guiding().homes
    first = choose(session, actions, 0)[:actions]
    session.replay([expert.decide(p, places, homes) for p in first])
    return session


# Of a session


def predictions_of(session: Session) -> Predictions:
    """Return what the network says that is shown."""
    network = session.shown.network
    assert network is not None
    return network.predictions


def with_some_edit(session: Session) -> Session:
    """Return the session with one edit, for arms that do not look at edits."""
    edited = Session(session.state)
    labels = session.dataset.labels
    at = np.flatnonzero(labels >= 0)[:1]
    edited.apply(Relabel(at, session.dataset.class_names[labels[at[0]]]))
    return edited
