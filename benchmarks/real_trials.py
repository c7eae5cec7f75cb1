"""One repetition of each part of the benchmark on real data.

A trial takes the folder of data, a folder for what is computed once, the names of a set
and a network, a half and a seed, and returns its figures by name; accuracies are in
percent of the test images.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

import arranging
from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.certainty import calibration_error, log_loss
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.intervals import compare
from napari_spaceediting.editing.rival import components, logistic
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, Trainable
from napari_spaceediting.session.session import Session
from real_ideas import ideas
from real_rivals import KEYS, PER_ROUND, WAYS, label
from real_sets import (
    NETWORKS,
    ONE_PERSON,
    PEOPLE,
    WORSE,
    Begun,
    Half,
    begin,
    frozen,
    half_of,
    without_layout,
)

Figures = dict[str, float]
ROUNDS = 4
LABELS = 10
SECONDS_A_KEY = 2.0
SECONDS_A_GROUP = 7.8
"""What a simulated expert is taken to need, as in the benchmark of editing."""
REVIEWS = 200
SHORT = {WORSE: "worse", ONE_PERSON: "one person"}


def few(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Begin with ten labels a class, and spend 100 actions in four rounds."""
    begun = begin(data, work, name, network, half, seed, labels_per_class=LABELS)
    figures = {"before": begun.now()}
    session = Session(begun.session.state)
    expert = _expert(begun, seed)
    for _ in range(ROUNDS):
        _round(session, expert, PER_ROUND)
    ours = Begun(session, begun.truth, begun.features)
    figures["ours"] = ours.now()
    figures |= _named(session, begun)
    space = components(begun.features, begun.pool)
    n_classes = begun.session.dataset.n_classes
    known = np.flatnonzero(session.shown.labels[begun.pool] >= 0)
    said = logistic(space, session.shown.labels, begun.pool[known], n_classes)
    figures["logistic, same labels"] = begun.accuracy(said)
    said = logistic(
        space, session.shown.labels, begun.pool[known], n_classes, by_folds=False
    )
    figures["logistic, C = 1, same labels"] = begun.accuracy(said)
    figures |= _with_mirror(session, begun, begun.pool[known])
    labels = np.where(
        np.isin(np.arange(len(begun.truth)), begun.pool),
        begun.session.dataset.labels,
        -1,
    )
    for way, choose in WAYS.items():
        said, _ = label(
            space,
            labels,
            begun.pool,
            _expert(begun, seed),
            choose,
            [PER_ROUND] * ROUNDS,
        )
        figures[f"rival {way}"] = begun.accuracy(said)
    keys = round(PER_ROUND * SECONDS_A_GROUP / SECONDS_A_KEY)
    for way, choose in KEYS.items():
        expert = _expert(begun, seed)
        said, named = label(space, labels, begun.pool, expert, choose, [keys] * ROUNDS)
        figures[f"keys {way}"] = begun.accuracy(said)
        figures[f"keys {way}, our network"] = _taught(begun, named)
    return figures


def _with_mirror(session: Session, begun: Begun, known: NDArray[np.int64]) -> Figures:
    """Learn what a session has learnt by features averaged with the mirror image's."""
    network, labels = session.shown.network, session.shown.labels
    assert network is not None
    dataset = session.dataset.with_labels(labels)
    spec = replace(network.spec, mirror=True)
    trained = run_job(TrainNetwork(dataset, spec, session.state.train))
    space = components(frozen(spec, trained.train.state, dataset), begun.pool)
    said = logistic(space, labels, known, dataset.n_classes)
    return {
        "ours with mirror, same labels": begun.accuracy(
            trained.predictions.probabilities
        ),
        "logistic with mirror, same labels": begun.accuracy(said),
    }


def layout(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Spend 100 actions with the layout of features, and learn the same without it."""
    where = data, work, name, network, half, seed
    begun = begin(*where, labels_per_class=LABELS, layout=True)
    plain = without_layout(begun)
    figures = {"before": begun.now(), "before, without": plain.now()}
    session, expert = Session(begun.session.state), _expert(begun, seed)
    for _ in range(ROUNDS):
        _round(session, expert, PER_ROUND)
    figures["ours"] = Begun(session, begun.truth, begun.features).now()
    figures |= _named(session, begun)
    labels, pool = session.shown.labels, begun.pool
    known, n_classes = pool[labels[pool] >= 0], begun.session.dataset.n_classes
    figures["ours without, same labels"] = _taught(plain, labels)
    first = np.full(len(labels), -1)
    first[pool] = plain.session.dataset.labels[pool]
    for words, features in (("", begun.features), (" without", plain.features)):
        space = components(features, pool)
        said = logistic(space, labels, known, n_classes)
        figures[f"logistic{words}, same labels"] = begun.accuracy(said)
        expert, choose = _expert(begun, seed), WAYS["margin groups"]
        said, _ = label(space, first, pool, expert, choose, [PER_ROUND] * ROUNDS)
        figures[f"rival margin groups{words}"] = begun.accuracy(said)
    if name == "CIFAR-10N":
        for column in WORSE, ONE_PERSON:
            begun = begin(*where, noise=column, layout=True)
            figures |= _hits(begun, SHORT[column])
            figures |= _hits(without_layout(begun), f"{SHORT[column]} without")
    return figures


def _hits(begun: Begun, title: str) -> Figures:
    """Return how many of the labels that guidance doubts first are wrong."""
    wrong = begun.session.dataset.labels != begun.truth
    order = doubted(begun.session, REVIEWS)
    return {
        f"{title}: wrong of 100": float(100 * wrong[order[:100]].mean()),
        f"{title}: wrong of 200": float(wrong[order].sum()),
        f"{title}: accuracy": begun.now(),
    }


def noise(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Begin with labels that people gave, and review 200 of them."""
    figures = {}
    for column, short in SHORT.items():
        begun = begin(data, work, name, network, half, seed, noise=column)
        figures |= {f"{short}, {k}": v for k, v in _reviewed(begun, seed).items()}
    return figures


def _reviewed(begun: Begun, seed: int) -> Figures:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    figures = {"before": begun.now()}
    session = Session(begun.session.state)
    wrong = session.dataset.labels != begun.truth
    order = doubted(session, REVIEWS)
    figures["proposed"] = float(len(order))
    figures["wrong of 100"] = float(100 * wrong[order[:100]].mean())
    figures["wrong of 200"] = float(wrong[order].sum())
    session.replay(
        [
            Relabel(np.array([at]), session.dataset.class_names[begun.truth[at]])
            for at in order
        ]
    )
    session.propose(run_job(session.retraining()))
    session.accept()
    figures["ours"] = Begun(session, begun.truth, begun.features).now()
    labels, pool = session.dataset.labels, begun.pool
    space = components(begun.features, pool)
    n_classes = session.dataset.n_classes
    figures["logistic"] = begun.accuracy(logistic(space, labels, pool, n_classes))
    said = out_of_fold(space, labels, pool, n_classes)
    scores = {
        how: get_label_quality_scores(labels[pool], said, method=how.replace(" ", "_"))
        for how in ("self confidence", "normalized margin")
    }
    by_cleanlab = pool[np.argsort(scores["self confidence"])]
    for how, score in scores.items():
        rival = pool[np.argsort(score)]
        figures[f"cleanlab {how}, wrong of 100"] = float(
            100 * wrong[rival[:100]].mean()
        )
        figures[f"cleanlab {how}, wrong of 200"] = float(wrong[rival[:REVIEWS]].sum())
    issues = pool[find_label_issues(labels[pool], said, n_jobs=1)]
    kept = np.setdiff1d(pool, issues)
    figures["logistic, doubted dropped"] = begun.accuracy(
        logistic(space, labels, kept, n_classes)
    )
    mended = labels.copy()
    mended[by_cleanlab[:REVIEWS]] = begun.truth[by_cleanlab[:REVIEWS]]
    kept = np.setdiff1d(pool, np.setdiff1d(issues, by_cleanlab[:REVIEWS]))
    figures["logistic, reviewed in cleanlab's order"] = begun.accuracy(
        logistic(space, mended, kept, n_classes)
    )
    return figures


def doubted(session: Session, count: int) -> NDArray[np.int64]:
    """Return the labels that guidance doubts, the most doubtful first."""
    proposals = run_job(session.guiding(4 * count))
    found = [p.indices for p in proposals if p.kind is ProposalKind.MISLABELLED]
    return np.concatenate(found)[:count] if found else np.empty(0, np.int64)


def out_of_fold(
    space: NDArray[np.floating],
    labels: NDArray[np.int64],
    pool: NDArray[np.int64],
    n_classes: int,
) -> NDArray[np.floating]:
    """Return what is said of each image of the pool without its own label, (n, C)."""
    said = np.zeros((len(labels), n_classes))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for known, asked in folds.split(pool, labels[pool]):
        said[pool[asked]] = logistic(space, labels, pool[known], n_classes)[pool[asked]]
    return said[pool]


def soft(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Learn what three people say of each image: one of them, the most, or shares."""
    where = data, work, name, network, half, seed
    divided = begin(*where, noise=ONE_PERSON, shares=True)
    shares = divided.session.dataset.soft_labels
    assert shares is not None
    one = begin(*where, noise=ONE_PERSON)
    most = divided.session.dataset.with_labels(divided.session.dataset.labels)
    said = {
        "one person": _probabilities(one.session),
        "what most say": run_job(
            replace(divided.session.training(_spec(one.session)), dataset=most)
        ).predictions.probabilities,
        "shares": _probabilities(divided.session),
    }
    space, pool = components(divided.features, divided.pool), divided.pool
    labels, n_classes = divided.session.dataset.labels, most.n_classes
    said["logistic, what most say"] = logistic(space, labels, pool, n_classes)
    test, figures = divided.test, dict[str, float]()
    named = half_of(data, name, half).columns
    truths = {
        "": np.eye(n_classes)[divided.truth[test]],
        " to people": np.mean([np.eye(n_classes)[named[p][test]] for p in PEOPLE], 0),
    }
    for arm, probabilities in said.items():
        figures[f"{arm}: accuracy"] = divided.accuracy(probabilities)
        for whom, truth in truths.items():
            figures[f"{arm}: log-loss{whom}"] = log_loss(probabilities[test], truth)
            error = calibration_error(probabilities[test], truth)
            figures[f"{arm}: calibration error{whom}"] = 100 * error
    wrong = labels != divided.truth
    proposals = run_job(divided.session.guiding(4 * REVIEWS))
    found = [p.indices for p in proposals if p.kind is ProposalKind.DISAGREED]
    figures["divided"] = 100 * float(shares[pool].any(axis=1).mean())
    figures["divided, wrong"] = 100 * float(wrong[shares.any(axis=1)].mean())
    figures["first 50, wrong"] = 100 * float(wrong[np.concatenate(found)[:50]].mean())
    return figures


def depth(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Learn the same 50 actions with more and more of the network."""
    begun = begin(data, work, name, network, half, seed, labels_per_class=LABELS)
    figures = {"before": begun.now()}
    session, expert = Session(begun.session.state), _expert(begun, seed)
    session.replay(_actions(session, expert, 2 * PER_ROUND))
    # Small batches: a step of the whole network takes a second on one core.
    small = replace(session.state.retrain, batch_size=32, edit_batch_size=16)
    parts: dict[Trainable, str] = {
        "head": "head, solved", "last_block": "last block", "all": "whole network",
    }  # fmt: skip
    for trainable, title in parts.items():
        steps = 50 if trainable == "all" else 200
        session.set_retrain_settings(replace(small, trainable=trainable, steps=steps))
        said = run_job(session.retraining().retrain).predictions.probabilities
        figures[title] = begun.accuracy(said)
    return figures


def nothing(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Exchange labels for as many others, and ask whether the round is called clear."""
    begun = begin(data, work, name, network, half, seed, labels_per_class=20)
    session = Session(begun.session.state)
    session.set_retrain_settings(replace(session.state.retrain, arms=("control",)))
    labels, rng = session.dataset.labels, np.random.default_rng(seed)
    edits = []
    for number, tag in enumerate(session.dataset.class_names):
        of_class = rng.permutation(begun.pool[begun.truth[begun.pool] == number])
        edits.append(Relabel(of_class[labels[of_class] >= 0][:5], None))
        edits.append(Relabel(of_class[labels[of_class] < 0][:5], tag))
    session.replay(edits)
    result = run_job(session.retraining()).result
    gain, test = result.evidence.over["control"], begun.test
    control = begun.session.shown.network  # which has learnt the labels before, too
    assert control is not None
    now, then = (
        said.probabilities[test].argmax(axis=1) == begun.truth[test]
        for said in (result.predictions, control.predictions)
    )
    assert np.isclose(now.mean() - then.mean(), gain.value)
    return {
        "clear": float(gain.is_clear),
        "clear, images only": float(compare(now, then).is_clear),
        "gain": 100 * gain.value,
        "half": 50 * (gain.high - gain.low),
    }


def time_of(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Take the time of one core for rounds of the head with evidence."""
    figures = {}
    for title, labels in (("ten labels a class", LABELS), ("all labelled", None)):
        begun = begin(data, work, name, network, "whole", seed, labels_per_class=labels)
        session, rng = Session(begun.session.state), np.random.default_rng(seed)
        session.set_retrain_settings(replace(session.state.retrain, arms=("control",)))
        names = session.dataset.class_names
        for at in rng.permutation(begun.pool)[: 4 * PER_ROUND].reshape(-1, 4):
            session.apply(Relabel(at, names[(begun.truth[at[0]] + 1) % len(names)]))
        job = session.retraining().retrain
        start = time.process_time()
        evidence = run_job(job).evidence
        figures[title] = time.process_time() - start
        assert evidence.draws
        assert "control" in evidence.over
    return figures


def heads(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> Figures:
    """Arrange heads of ten people by pose, and order those of ten others."""
    return arranging.heads(seed, arranging.begin_heads(data, work, NETWORKS[network]))


def _expert(begun: Begun, seed: int) -> SimulatedExpert:
    names = begun.session.dataset.class_names
    return SimulatedExpert(begun.truth, names, np.random.default_rng(seed))


def _round(session: Session, expert: SimulatedExpert, actions: int) -> None:
    """Let an expert answer the first proposals, retrain and accept."""
    session.replay(_actions(session, expert, actions))
    session.propose(run_job(session.retraining()))
    session.accept()


def _actions(session: Session, expert: SimulatedExpert, count: int) -> list[Relabel]:
    found = run_job(session.guiding(4 * count))
    groups = [p.indices for p in found if p.kind is ProposalKind.GROUP][:count]
    return [Relabel(*_with_name(expert, group)) for group in groups]


def _spec(session: Session) -> ClassifierSpec:
    network = session.shown.network
    assert network is not None
    return network.spec


def _probabilities(session: Session) -> NDArray[np.float32]:
    network = session.shown.network
    assert network is not None
    return network.predictions.probabilities


def _with_name(
    expert: SimulatedExpert, indices: NDArray[np.int64]
) -> tuple[NDArray[np.int64], str]:
    at, tag = expert.name(indices)
    return at, expert.class_names[tag]


def _named(session: Session, begun: Begun) -> Figures:
    at = np.flatnonzero(session.shown.confirmed)
    right = session.shown.labels[at] == begun.truth[at]
    return {
        "named an action": len(at) / (ROUNDS * PER_ROUND),
        "named right": float(100 * right.mean()),
    }


def _taught(begun: Begun, labels: NDArray[np.int64]) -> float:
    """Return the accuracy of our network with other labels."""
    session = Session(begun.session.state)
    names = session.dataset.class_names
    new = np.flatnonzero((labels >= 0) & (session.dataset.labels < 0))
    session.replay([Relabel(np.array([at]), names[labels[at]]) for at in new])
    session.propose(run_job(session.retraining()))
    session.accept()
    return Begun(session, begun.truth, begun.features).now()


TRIALS = {
    "few": few,
    "layout": layout,
    "noise": noise,
    "soft": soft,
    "depth": depth,
    "nothing": nothing,
    "heads": heads,
    "time": time_of,
    "ideas": ideas,
}
"""By the name of the part."""
