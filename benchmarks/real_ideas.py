"""Ideas for the learner and for the order of doubted labels, on the tuning halves.

Each is measured beside what the program does; what does not help by its interval stays
out of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.network.kernel_ridge import fit, roots
from napari_spaceediting.network.margins import leads
from napari_spaceediting.projection.neighbours import nearest
from real_sets import ONE_PERSON, WORSE, Half, begin, half_of

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
LABELS = 40
"""A class, as many as 100 actions name."""
_RIDGES = 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0


def ideas(
    data: Path, work: Path, name: str, network: str, half: Half, seed: int
) -> dict[str, float]:
    """Return by how much each idea is better on the tuning half, whichever is asked."""
    begun = begin(data, work, name, network, "tuning", seed)
    rng, pool, truth = np.random.default_rng(seed), begun.pool, begun.truth
    spaces = _spaces(begun.features)
    n_classes = begun.session.dataset.n_classes
    of_class = [pool[truth[pool] == number] for number in range(n_classes)]
    known = np.concatenate([rng.permutation(some)[:LABELS] for some in of_class])
    said = _learners(spaces, known, begun.test, np.eye(n_classes)[truth[known]])
    right = {
        idea: 100 * float((one.argmax(axis=1) == truth[begun.test]).mean())
        for idea, one in said.items()
    }
    figures = {f"learner: {idea}": right[idea] - right["as it is"] for idea in right}
    for kind, given in _mistaken(half_of(data, name, "tuning"), truth, rng).items():
        wrong = (given != truth)[pool]
        orders = _orders(spaces["roots"][pool], given[pool], n_classes)
        hits = {
            idea: float(100 * wrong[np.argsort(values, kind="stable")[:100]].mean())
            for idea, values in orders.items()
        }
        for idea, hit in hits.items():
            figures[f"{kind}: {idea}"] = hit - hits["as it is"]
    return figures


def _spaces(features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)

    return {
        "roots": roots(torch.from_numpy(features)).numpy(),
        "features": unit(features),
        "logarithms": unit(np.sign(features) * np.log1p(10 * np.abs(features))),
    }


def _learners(
    spaces: dict[str, NDArray[np.float32]], known: Ints, asked: Ints, classes: Floats
) -> dict[str, Floats]:
    """Return the scores of images that are asked for, (a, C), by idea."""
    rows = np.concatenate([known, asked])
    kernels = {
        (name, factor): _kernel(space[known], space[rows], factor)
        for name, space in spaces.items()
        for factor in (0.25, 1, 4)
    }
    usual = kernels["roots", 1]
    widths = [kernels["roots", factor] for factor in (0.25, 1, 4)]
    each = [_ridge(kernels[name, 1], classes) for name in spaces]
    weights = np.array([1 / error**2 for _, error in each])
    return {
        "as it is": _ridge(usual, classes)[0],
        "kernels of three widths": _ridge(np.mean(widths, axis=0), classes)[0],
        "width by leaving out": min(
            (_ridge(one, classes) for one in widths), key=lambda found: found[1]
        )[0],
        "kernels of roots and features": _ridge(
            (usual + kernels["features", 1]) / 2, classes
        )[0],
        "three spaces, weighted by leaving out": np.einsum(
            "s,snc->nc", weights / weights.sum(), np.array([said for said, _ in each])
        ),
    }


def _kernel(known: Floats, rows: Floats, factor: float) -> Floats:
    squared = (2 - 2 * rows.astype(np.float64) @ known.T).clip(0)
    upper = squared[: len(known)][np.triu_indices(len(known), 1)]
    return np.asarray(np.exp(-factor * 0.5 / np.median(upper) * squared))


def _ridge(kernel: Floats, classes: Floats) -> tuple[Floats, float]:
    """Return scores of the last rows, and the squared error on those left out."""
    n, mean = len(classes), classes.mean(axis=0)
    values, vectors = np.linalg.eigh(kernel[:n])
    turned, found = vectors.T @ (classes - mean), []
    for ridge in _RIDGES:
        shrunk = 1 / (values.clip(0) + ridge)
        solved = vectors @ (shrunk[:, None] * turned)
        mistakes = solved / (vectors**2 @ shrunk)[:, None]
        found.append((float(np.square(mistakes).sum()), kernel[n:] @ solved + mean))
    error, said = min(found, key=lambda one: one[0])
    return said, error


def _mistaken(
    dataset: ImageDataset, truth: Ints, rng: np.random.Generator
) -> dict[str, Ints]:
    """Return labels with errors: those of people or, where there are none, 15%."""
    columns = dataset.columns
    if WORSE in columns:
        return {"people, worse": columns[WORSE], "one person": columns[ONE_PERSON]}
    n, n_classes = len(truth), dataset.n_classes
    wrong = rng.random(n) < 0.15
    by = {"any other class": rng.integers(1, n_classes, n), "the next class": 1}
    return {k: np.where(wrong, (truth + v) % n_classes, truth) for k, v in by.items()}


def _orders(
    rooted: NDArray[np.float32], given: Ints, n_classes: int
) -> dict[str, Floats]:
    """Return what each idea orders labels by, the most doubtful the smallest."""
    classes = np.eye(n_classes, dtype=np.float32)[given]
    said = fit(rooted, classes, np.ones(len(given), np.float32)).left_out.scores
    own = np.array([said[given == k, k].mean() for k in range(n_classes)])
    near, _ = nearest(rooted, 30)
    votes = classes[near].mean(axis=1)
    usual = leads(said, given)
    return {
        "as it is": usual,
        "less the mean score of each class": leads(said - own, given),
        "less half of it": leads(said - own / 2, given),
        "scores in deviations": leads((said - said.mean(0)) / said.std(0), given),
        "ranks with those by neighbours": rankdata(usual)
        + rankdata(leads(votes, given)),
    }
