"""What can be corrected without a human.

The expert's time shall go where only the expert helps, so what these rules do is
offered as such and measured apart. With few labels they spread to similar images; with
many, those that the network itself would not have given are softened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.ranking import entropy
from napari_spaceediting.editing.targets import Targets, known
from napari_spaceediting.projection.neighbours import nearest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NEIGHBOURS = 10
_CLAMPING = 0.2
"""Share of its class that an image takes from its neighbours."""
_OWN = 0.4
"""Share that a doubted label keeps."""
_CLEARLY = 0.2
"""By which another class is likelier than the label."""


def spread_labels(
    latents: NDArray[np.float32],
    labels: NDArray[np.int64],
    among: NDArray[np.bool_],
    n_classes: int,
) -> Targets:
    """Give unlabelled images the classes of the labelled ones that they resemble.

    Label spreading (Zhou et al., NIPS 2003) over the nearest neighbours in latent
    space. The weight of an image is one less its doubt, the entropy of its classes
    over that of knowing nothing.

    Parameters
    ----------
    latents : (N, D) float32 array
        Of all images.
    labels : (N,) int64 array
        Classes, -1 for none.
    among : (N,) bool array
        Images that may be trained on.
    n_classes : int
        Number of classes C.
    """
    from sklearn.semi_supervised import LabelSpreading

    at = np.flatnonzero(among)
    is_labelled = labels[at] >= 0
    if len(np.unique(labels[at][is_labelled])) < 2 or is_labelled.all():
        return known(labels, np.zeros_like(among), n_classes)
    graph = _graph(latents[at])
    model = LabelSpreading(
        kernel=lambda _rows, _others=None: graph, alpha=_CLAMPING, max_iter=100
    )
    model.fit(np.zeros((len(at), 1)), labels[at])
    classes = np.zeros((len(at), n_classes), np.float32)
    classes[:, model.classes_] = np.nan_to_num(model.label_distributions_)
    reached = ~is_labelled & (classes.sum(axis=1) > 0)
    classes = classes[reached] / classes[reached].sum(axis=1, keepdims=True)
    # Rounding may take it beyond that of knowing nothing.
    doubt = np.minimum(entropy(classes) / np.log(n_classes), 1)
    return Targets(at[reached], classes, (1 - doubt).astype(np.float32))


def soften_labels(
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    *judges: NDArray[np.float32],
) -> Targets:
    """Soften the labels against which all judges speak clearly.

    A label is doubted where every judge finds the same other class likelier, by at
    least a fifth. It then keeps four tenths of the belief, and the judges' mean gets
    the rest.

    Parameters
    ----------
    labels : (N,) int64 array
        Classes, -1 for none.
    rows : (n,) int64 array
        The images; all of them labelled.
    judges : (n, C) float32 arrays
        Probabilities of the classes, such as by the network itself and by networks
        that were not trained on the image.
    """
    given = labels[rows]
    own = np.eye(judges[0].shape[1], dtype=np.float32)[given]
    doubted = np.ones(len(rows), bool)
    for judge in judges:
        others = np.where(own > 0, -1, judge)
        doubted &= others.max(axis=1) - (own * judge).sum(axis=1) >= _CLEARLY
        doubted &= others.argmax(axis=1) == np.where(own > 0, -1, judges[0]).argmax(1)
    said = np.mean([judge[doubted] for judge in judges], axis=0, dtype=np.float32)
    return Targets(
        rows[doubted],
        _OWN * own[doubted] + np.float32(1 - _OWN) * said,
        np.ones(np.count_nonzero(doubted), np.float32),
    )


def _graph(latents: NDArray[np.float32]) -> csr_array:
    """Return which images resemble each other, (n, n), symmetric."""
    from scipy.sparse import csr_array

    neighbours, _ = nearest(latents, _NEIGHBOURS)
    n, k = neighbours.shape
    start = np.arange(0, n * k + 1, k)
    directed = csr_array((np.ones(n * k), neighbours.ravel(), start), shape=(n, n))
    return directed.maximum(directed.T)
