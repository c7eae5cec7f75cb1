"""What a user would do without the program: logistic regression on frozen features."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from napari_spaceediting.editing.arms import Lesson
from napari_spaceediting.editing.task import Task
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import classifier_from

COMPONENTS = 256
_STRENGTHS = 1e-3, 1e-2, 0.1, 1.0, 10.0
_FOLDS = 3
_CHOSEN_ON, _SAMPLE = 2_000, 4_096
"""Images at most by which the regularisation is chosen, and that tell components."""
_ROWS = 4_096

Floats = NDArray[np.floating]


def rival_classes(task: Task, lesson: Lesson) -> Generator[Progress, None, Floats]:
    """Let logistic regression learn a lesson on the features before the round.

    Parameters
    ----------
    lesson : Lesson
        What to learn from; at least two classes.

    Returns
    -------
    (N, C) array
        Probabilities of the classes of all images.

    Raises
    ------
    TrainingFailed, DataError, SpaceEditingError
        As `activations`.
    """
    classifier = classifier_from(task.spec, task.state)
    classifier.eval()
    features = yield from activations(
        classifier, task.dataset, device=task.settings.device
    )
    known = lesson.targets.indices
    labels = np.full(len(features), -1, np.int64)
    labels[known] = lesson.targets.classes.argmax(axis=1)
    space = components(features, np.flatnonzero(task.training))
    return logistic(space, labels, known, lesson.n_classes)


def components(features: Floats, pool: NDArray[np.int64]) -> Floats:
    """Return the 256 principal components of standardised features, (N, P).

    Parameters
    ----------
    features : (N, F) array
        What a backbone gives.
    pool : (n,) int64 array
        Images that tell the components; fewer of them, fewer components.
    """
    pool = pool[:: -(-len(pool) // _SAMPLE)]
    sample = features[pool]
    scaler = StandardScaler().fit(sample)
    count = min(COMPONENTS, *sample.shape)
    pca = PCA(count, svd_solver="randomized", random_state=0)
    pca.fit(scaler.transform(sample))
    blocks = [features[at : at + _ROWS] for at in range(0, len(features), _ROWS)]
    return np.concatenate([pca.transform(scaler.transform(one)) for one in blocks])


def logistic(
    space: Floats,
    labels: NDArray[np.int64],
    known: NDArray[np.int64],
    n_classes: int,
    *,
    by_folds: bool = True,
) -> Floats:
    """Return what logistic regression says of all images, (N, C).

    Parameters
    ----------
    space : (N, P) array
        Of all images.
    labels : (N,) int64 array
        Classes; those of `known` are learnt, of which there are at least two.
    known : (n,) int64 array
        Images that are learnt from.
    n_classes : int
        C.
    by_folds : bool
        Whether the regularisation is chosen by cross-validation, where every class has
        enough images for it; else it is 1.
    """
    strength = 1.0
    if by_folds:
        some = known
        if len(known) > _CHOSEN_ON:
            some = np.random.default_rng(0).permutation(known)[:_CHOSEN_ON]
        counts = np.bincount(labels[some])
        if counts[counts > 0].min() >= _FOLDS:
            strength = _strength(space[some], labels[some])
    model = LogisticRegression(C=strength, max_iter=500)
    model.fit(space[known], labels[known])
    said = np.zeros((len(space), n_classes))
    said[:, model.classes_] = model.predict_proba(space)
    return said


def _strength(space: Floats, labels: NDArray[np.int64]) -> float:
    """Return the inverse of the regularisation that cross-validation finds best."""

    def gain(strength: float) -> float:
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
        told = cross_val_score(model, space, labels, cv=_FOLDS, scoring="neg_log_loss")
        return float(told.mean())

    return max(_STRENGTHS, key=gain)
