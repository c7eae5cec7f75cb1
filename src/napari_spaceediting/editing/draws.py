"""Which other images might have been edited, for all that the round knows."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.editing.evidence import measured_images
from napari_spaceediting.editing.task import Task
from napari_spaceediting.network.solving import Draws

_DRAWS = 40


def draws_of(task: Task) -> Draws:
    """Return other draws of the images of which the round says something new.

    They are multiplied at random, by numbers of mean and variance 1 whose sum stays
    (the multiplier bootstrap); those that belong together are (`groups_of`). All arms
    of a round have the same draws, so that what is the same in two of them cancels out.
    """
    anchors = task.anchors
    before, after = (one[anchors.indices] for one in (task.dataset.labels, task.labels))
    images = anchors.indices[(before != after) | (anchors.tags < 0)]
    groups = groups_of(task.dataset.columns, len(task.labels))
    _, drawn = np.unique(groups[images], return_inverse=True)
    rng = np.random.default_rng(task.settings.seed)
    more = rng.normal(size=(_DRAWS, len(images)))[:, drawn]
    if len(images):
        more -= more.mean(axis=1, keepdims=True)
    _, asked = measured_images(task.dataset.split, task.labels)
    return Draws(images, more.astype(np.float32), asked)
