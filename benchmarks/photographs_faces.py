"""Faces that are moved, the sets that move them, and a network that knows those.

The faces are those of the demonstration of Deep Manifold Traversal: 200 old and 200
young ones of Labeled Faces in the Wild. Persons are told by the names of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import photo_networks
from napari_spaceediting.data.cache import caching_in
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import TrainedNetwork, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import trust
from napari_spaceediting.traversal.sets import TraversalSets

Part = Literal["tuning", "reported"]

FOLDER = "dmt_faces"
WAYS = {"to young": ("old", "young"), "to old": ("young", "old")}
FACES: Mapping[Part, int] = {"reported": 12, "tuning": 8}
"""Faces of each class that are moved; what is chosen is chosen on those for tuning."""
LITE0, MOBILE = "EfficientNet-lite0", "MobileNetV2"
_NETWORKS = {LITE0: photo_networks.LITE0, MOBILE: photo_networks.MOBILE}


def read_faces(data: Path, side: int) -> ImageDataset:
    """Return all faces, labelled, at a size."""
    dataset = run_job(OpenDataset(data / FOLDER))
    return replace(dataset, image_size=(side, side))


def moved_faces(dataset: ImageDataset, part: Part) -> dict[str, NDArray[np.int64]]:
    """Return the faces of a part by class, the same for all seeds.

    They are of persons with one photograph each, so that no set knows the person.
    """
    persons = [name.rpartition("/")[2].rsplit("_", 1)[0] for name in dataset.ids]
    counts = Counter(persons)
    single = np.array([counts[person] == 1 for person in persons])
    rng = np.random.default_rng(0)
    found = {}
    for number, name in enumerate(dataset.class_names):
        order = rng.permutation(np.flatnonzero(single & (dataset.labels == number)))
        first = FACES["reported"] if part == "tuning" else 0
        found[name] = np.sort(order[first : first + FACES[part]])
    return found


@dataclass(frozen=True, eq=False)
class Outing:
    """Faces of a part, sets drawn by a seed, and a network that learnt these.

    Parameters
    ----------
    data, work : Path
        Folders of the data, and of what is computed once.
    part : str
        "tuning" or "reported".
    seed : int
        Of the draw of the sets, among faces of neither part.
    network : str
        `LITE0` or `MOBILE`.
    side : int
        Height and width of the images, pixels.
    set_size : int
        Faces of each set.
    """

    data: Path
    work: Path
    part: Part
    seed: int = 0
    network: str = LITE0
    side: int = 224
    set_size: int = 150

    @cached_property
    def dataset(self) -> ImageDataset:
        """All faces; only those of the sets are labelled, the moved ones held out."""
        whole = read_faces(self.data, self.side)
        parts: tuple[Part, ...] = "reported", "tuning"
        apart = np.concatenate(
            [some for part in parts for some in moved_faces(whole, part).values()]
        )
        rng = np.random.default_rng(self.seed)
        labels = np.full(len(whole), UNLABELLED)
        for number in range(whole.n_classes):
            members = np.flatnonzero(whole.labels == number)
            members = members[~np.isin(members, apart)]
            drawn = rng.choice(members, min(self.set_size, len(members)), replace=False)
            labels[drawn] = number
        split = np.full(len(whole), Split.TRAIN, np.int8)
        split[apart] = Split.TEST
        return replace(whole, labels=labels, split=split)

    @cached_property
    def moved(self) -> dict[str, NDArray[np.int64]]:
        """Dataset indices of the moved faces by class."""
        whole = read_faces(self.data, self.side)
        return moved_faces(whole, self.part)

    def sets(self, way: str, count: int | None = None) -> TraversalSets:
        """Return the sets of one of `WAYS`, for some of its faces or all."""
        names = self.dataset.class_names
        begin, goal = (
            np.flatnonzero(self.dataset.labels == names.index(end)) for end in WAYS[way]
        )
        images = self.moved[WAYS[way][0]][:count]
        return TraversalSets(images, (begin,) * len(images), goal, (begin, goal))

    @cached_property
    def trained(self) -> TrainedNetwork:
        """The network, whose head has learnt to tell the sets apart."""
        name = _NETWORKS[self.network]
        trust(name)
        weights = "pretrained"
        if self.network == MOBILE:
            weights = str(photo_networks.mobile_weights(self.data, self.work))
        with caching_in(self.work / "cache"):
            return run_job(
                TrainNetwork(
                    self.dataset,
                    ClassifierSpec(
                        name,
                        weights,
                        in_channels=self.dataset.n_channels,
                        image_size=self.dataset.image_size,
                    ),
                    TrainSettings(trainable="head", device="cpu"),
                )
            )
