"""What a user would do without the program, on the same frozen features.

The usual ways of choosing what logistic regression learns from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from napari_spaceediting.editing.orders import margins, typicality
from napari_spaceediting.editing.rival import logistic
from napari_spaceediting.editing.simulated_expert import SimulatedExpert
from napari_spaceediting.projection.neighbours import nearest

GROUP = 8
PER_ROUND = 25

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]
Choose = Callable[[Floats, Rows, Floats, int, np.random.Generator], list[Rows]]
"""From components of all images, those without a label, what the model says of all,
how many and random choices to the images of each action."""


def margin_groups(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return the images of the smallest margins with their seven nearest."""
    return _groups(space, free, np.argsort(margins(said[free])), count)


def random_groups(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return random images with their seven nearest."""
    return _groups(space, free, rng.permutation(len(free)), count)


def _groups(space: Floats, free: Rows, order: Rows, count: int) -> list[Rows]:
    """Return groups around images in an order, no image in two of them."""
    near, _ = nearest(space[free].astype(np.float32), GROUP - 1)
    taken, found = np.zeros(len(free), bool), []
    for row in order:
        if not taken[row]:
            group = np.array([row, *near[row]])
            found.append(free[group[~taken[group]]])
            taken[group] = True
        if len(found) == count:
            break
    return found


def cluster_groups(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return the eight central images of each of as many clusters."""
    means = KMeans(min(count, len(free)), n_init=1, random_state=int(rng.integers(1e6)))
    of = means.fit_predict(space[free])
    away = np.linalg.norm(space[free] - means.cluster_centers_[of], axis=1)
    return [
        free[np.flatnonzero(of == k)[np.argsort(away[of == k])[:GROUP]]]
        for k in range(means.n_clusters)
    ]


def typical(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return the most typical image of each cluster (Hacohen et al., ICML 2022)."""
    crowded = typicality(space[free].astype(np.float32))
    means = KMeans(min(count, len(free)), n_init=1, random_state=int(rng.integers(1e6)))
    of = means.fit_predict(space[free])
    return [
        free[np.flatnonzero(of == k)[[np.argmax(crowded[of == k])]]]
        for k in range(means.n_clusters)
    ]


def margin_singles(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return the images of the smallest margins."""
    return [free[[row]] for row in np.argsort(margins(said[free]))[:count]]


def random_singles(
    space: Floats, free: Rows, said: Floats, count: int, rng: np.random.Generator
) -> list[Rows]:
    """Return random images."""
    return [free[[row]] for row in rng.permutation(len(free))[:count]]


WAYS: dict[str, Choose] = {
    "margin groups": margin_groups,
    "k-means groups": cluster_groups,
    "random groups": random_groups,
    "typicality": typical,
}
"""Ways to spend an action."""
KEYS: dict[str, Choose] = {
    "margin": margin_singles,
    "typicality": typical,
    "random": random_singles,
}
"""Ways to name single images by a key."""


def label(
    space: Floats,
    labels: Rows,
    pool: Rows,
    expert: SimulatedExpert,
    choose: Choose,
    per_round: list[int],
) -> tuple[Floats, Rows]:
    """Let an expert label in rounds, between which logistic regression learns.

    Returns
    -------
    said : (N, C) array
        What it says of all images in the end.
    labels : (N,) int64 array
        All that is known then; -1 elsewhere.
    """
    labels = labels.copy()
    outside = np.ones(len(labels), bool)
    outside[pool] = False
    n_classes = len(expert.class_names)

    def known() -> Rows:
        return np.flatnonzero((labels >= 0) & ~outside)

    said = logistic(space, labels, known(), n_classes, by_folds=False)
    for count in per_round:
        free = np.flatnonzero((labels < 0) & ~outside)
        for at in choose(space, free, said, count, expert.rng):
            named, tag = expert.name(at)
            labels[named] = tag
        said = logistic(space, labels, known(), n_classes, by_folds=False)
    return logistic(space, labels, known(), n_classes), labels
